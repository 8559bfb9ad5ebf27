/* marks.c -- an ascending list of marks. */
#include "core/marks.h"

#include "core/node.h"

struct tl_marks {
    uint32_t *at;
    uint32_t n, capacity;
    int is_short; /* one found no memory: from then on every number is taken for a mark */
};

tl_marks *tl__marks_new(void)
{
    return tl__calloc(1, sizeof(tl_marks));
}

void tl__marks_free(tl_marks *m)
{
    if (m)
        tl__free(m->at);
    tl__free(m);
}

void tl__marks_add(tl_marks *m, uint32_t mark)
{
    if (!m || (m->n > 0 && m->at[m->n - 1] == mark))
        return;
    if (tl__grow(&m->at, &m->capacity, m->n + 1, sizeof *m->at))
        m->is_short = 1;
    else
        m->at[m->n++] = mark;
}

int tl__marks_have(const tl_marks *m, uint32_t mark)
{
    return !m || m->is_short || mark == 0 || tl__find_slot(m->at, m->n, mark) != TL_NONE;
}

void tl__marks_drop(tl_marks *m, uint32_t mark)
{
    while (m && m->n > 0 && m->at[m->n - 1] > mark)
        m->n--;
}
