/* microscope_svg.c -- what the microscope saw, as a picture. */
#include "nn/chart.h"
#include "nn/microscope.h"

#include <math.h>
#include <stdio.h>

/* Above this a radius has a logarithmic axis: on a plain one the line at 1 would lie on the floor.
 */
#define TALL 20.0

#define WHAT "the gradient on its way back through time"

static tl_chart_panel of_gradients(const char *title)
{
    return (tl_chart_panel){
        .title = title, .unit = "norm of the gradient", .log = 1, .mark = (double)NAN};
}

static tl_chart_panel of_jacobians(void)
{
    return (tl_chart_panel){.title = "Jacobian of the step: what it multiplies the gradient by",
                            .unit = "of the Jacobian",
                            .mark = 1};
}

static void add(tl_chart_panel *panel, const char *before, const char *name, int64_t T,
                const double *y, const double *down)
{
    panel->line[panel->nlines++] = (tl_chart_line){before, name, T, y, down};
}

/* add_jacobian -- a line whose axis is logarithmic where a plain one would hide the rest. */
static void add_jacobian(tl_chart_panel *panel, const char *name, int64_t T, const double *y)
{
    for (int64_t t = 0; t < T; t++)
        panel->log |= isfinite(y[t]) && y[t] > TALL;
    add(panel, "", name, T, y, NULL);
}

static tl_chart_panel of_gates(const char *title)
{
    return (tl_chart_panel){
        .title = title, .unit = "open", .down = "shut", .mirror = 1, .mark = (double)NAN};
}

char *tl_microscope_svg(const tl_microscope *m)
{
    char title[200], sizes[200], gates[200];
    tl_chart_panel panel[3] = {
        of_gradients("Gradient of the loss with respect to the states after step t")};
    int n = 1;
    if (!m || !m->numbers)
        return NULL;
    snprintf(title, sizeof title, "%.100s: " WHAT, m->cell);
    snprintf(sizes, sizeof sizes, "I %lld, H %lld, T %lld, B %lld; loss %.6g", (long long)m->I,
             (long long)m->H, (long long)m->T, (long long)m->B, m->loss);
    for (int k = 0; k < m->nstates; k++)
        add(&panel[0], "dL/d", m->state[k], m->T, m->norm[k], NULL);
    if (m->jacobians) {
        panel[n] = of_jacobians();
        add_jacobian(&panel[n], "spectral radius", m->T, m->radius);
        add_jacobian(&panel[n++], "spectral norm", m->T, m->spectral_norm);
    }
    if (m->ngates > 0) {
        snprintf(gates, sizeof gates,
                 "Full gates: fraction open (sigmoid > %g, tanh > %g) and shut (< %g, < %g)",
                 m->high, m->flat, m->low, -m->flat);
        panel[n] = of_gates(gates);
        for (int g = 0; g < m->ngates; g++)
            add(&panel[n], "", m->gate[g].name, m->T, m->gate[g].high, m->gate[g].low);
        n++;
    }
    return tl__chart_svg(title, sizes, n, panel);
}

char *tl_microscope_compare_svg(int n, const tl_microscope *const *m, const char *const *label)
{
    tl_chart_panel panel[2] = {
        of_gradients("Gradient of the loss with respect to the first state after step t"),
        of_jacobians()};
    char title[64], sizes[200] = "";
    int same = 1;
    if (n < 1 || n > TL_MICROSCOPE_RUNS || !m)
        return NULL;
    for (int k = 0; k < n; k++) {
        if (!m[k] || !m[k]->numbers)
            return NULL;
        const char *name = label && label[k] ? label[k] : m[k]->cell;
        add(&panel[0], "", name, m[k]->T, m[k]->norm[0], NULL);
        if (m[k]->jacobians)
            add_jacobian(&panel[1], name, m[k]->T, m[k]->radius);
        same &=
            m[k]->I == m[0]->I && m[k]->H == m[0]->H && m[k]->T == m[0]->T && m[k]->B == m[0]->B;
    }
    snprintf(title, sizeof title, "%d network%s: " WHAT, n, n > 1 ? "s" : "");
    if (same)
        snprintf(sizes, sizeof sizes, "I %lld, H %lld, T %lld, B %lld", (long long)m[0]->I,
                 (long long)m[0]->H, (long long)m[0]->T, (long long)m[0]->B);
    panel[1].unit = "spectral radius";
    return tl__chart_svg(title, sizes, panel[1].nlines ? 2 : 1, panel);
}
