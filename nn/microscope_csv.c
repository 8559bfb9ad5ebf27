/* microscope_csv.c -- what the microscope saw, as a table for other programs. */
#include "core/prose.h"
#include "nn/microscope.h"

/* put_name -- a name as a column's heading: what would end the field becomes a blank. */
static void put_name(tl_text *out, const char *name, const char *after)
{
    tl__put(out, ",");
    for (const char *c = name; *c; c++)
        tl__put(out, "%c", *c == ',' || *c == '"' || *c == '\n' || *c == '\r' ? ' ' : *c);
    tl__put(out, "%s", after);
}

char *tl_microscope_csv(const tl_microscope *m)
{
    tl_text out = {0};
    if (!m)
        return NULL;
    tl__put(&out, "t");
    for (int k = 0; k < m->nstates; k++)
        put_name(&out, m->state[k], " gradient");
    if (m->jacobians)
        tl__put(&out, ",spectral radius,spectral norm");
    for (int g = 0; g < m->ngates; g++) {
        put_name(&out, m->gate[g].name, " low");
        put_name(&out, m->gate[g].name, " high");
    }
    tl__put(&out, "\n");
    for (int64_t t = 0; t < m->T; t++) {
        tl__put(&out, "%lld", (long long)t);
        for (int k = 0; k < m->nstates; k++)
            tl__put(&out, ",%.17g", m->norm[k][t]);
        if (m->jacobians)
            tl__put(&out, ",%.17g,%.17g", m->radius[t], m->spectral_norm[t]);
        for (int g = 0; g < m->ngates; g++)
            tl__put(&out, ",%.17g,%.17g", m->gate[g].low[t], m->gate[g].high[t]);
        tl__put(&out, "\n");
    }
    return tl__text_end(&out);
}
