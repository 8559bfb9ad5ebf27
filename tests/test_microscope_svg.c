/* test_microscope_svg.c -- the picture of what the microscope saw. */
#include "core/memory.h"
#include "core/print.h"
#include "nn/nn.h"
#include "tests/check.h"
#include "tests/svgtest.h"

enum { T = 60, B = 2, I = 3, H = 4 };

static double number[4][4 * H * H], x[T * B * I];
static const double *const values[4] = {number[0], number[1], number[2], number[3]};

static tl_microscope look(tl_cell cell, int64_t steps, int iterations, double size)
{
    tl_microscope m;
    tl_err err = {0};
    tl_microscope_opts o = tl_microscope_defaults();
    unsigned seed = 3;
    o.iterations = iterations;
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < 4 * H * H; i++) {
            seed = seed * 1664525u + 1013904223u;
            number[k][i] = size * ((double)(seed >> 8) / (double)(1u << 23) - 1);
        }
    for (int i = 0; i < T * B * I; i++)
        x[i] = sin(i);
    cr_assert_eq(tl_microscope_run(&cell, I, H, steps, B, values, x, &o, &m, &err), TL_OK, "%s",
                 err.message);
    return m;
}

/* follows -- the k-th line's points are, but for one factor and one summand, log10 of v. */
static void follows(const char *svg, int k, const double *v)
{
    double px[T], py[T];
    int pieces;
    cr_assert_eq(svg_line(svg, k, T, px, py, &pieces), T);
    cr_assert_eq(pieces, 1);
    double scale = (py[T - 1] - py[0]) / (log10(v[T - 1]) - log10(v[0]));
    cr_assert(scale < 0); /* up is more */
    for (int t = 0; t < T; t++) {
        double want = py[0] + scale * (log10(v[t]) - log10(v[0]));
        cr_assert(fabs(py[t] - want) < 0.3, "line %d at %d: got %g, want %g", k, t, py[t], want);
    }
}

Test(microscope_svg, three_panels_with_a_line_for_each)
{
    tl_microscope m = look(tl_gru_cell(NULL), T, 20, 0.7);
    char *svg = tl_microscope_svg(&m);
    double px[T], py[T];
    int pieces;
    cr_assert_not_null(svg);
    svg_hold(svg);
    follows(svg, 0, m.norm[0]);
    cr_assert_eq(svg_count(svg, "<g>"), 3);
    static const char *const said[] = {">gru: ",      ">dL/dh<",     ">spectral radius<",
                                       ">open<",      ">shut<",      ">spectral norm<",
                                       ">r<",         ">z<",         ">n<",
                                       "time step t", "T 60, B 2; ", "sigmoid &#62; 0.95"};
    for (size_t k = 0; k < sizeof said / sizeof *said; k++)
        cr_assert_not_null(strstr(svg, said[k]), "%s", said[k]);
    /* 1 gradient, 2 of the Jacobian, 3 gates above and below */
    cr_assert_eq(svg_line(svg, 8, T, px, py, &pieces), T);
    cr_assert_eq(svg_line(svg, 9, T, px, py, &pieces), -1);
    cr_assert_null(strstr(svg, "left out"));
    tl_string_free(svg);
    tl_microscope_free(&m);
}

Test(microscope_svg, a_cell_state_whose_gradient_ends_in_zero)
{
    tl_microscope m = look(tl_lstm_cell(NULL), T, 0, 0.7);
    char *svg = tl_microscope_svg(&m);
    svg_hold(svg);
    cr_assert(m.norm[1][T - 1] <= 0); /* the loss sees h alone */
    cr_assert_not_null(strstr(svg, ">dL/dc<"));
    cr_assert_not_null(strstr(svg, ">1 zero left out<"));
    cr_assert_eq(svg_count(svg, "<g>"), 2, "no Jacobians, no panel of them");
    tl_string_free(svg);
    tl_microscope_free(&m);
}

Test(microscope_svg, one_step_and_numbers_that_are_none)
{
    tl_rnn_opts relu = tl_rnn_defaults();
    relu.relu = 1;
    tl_microscope m = look(tl_rnn_cell(&relu), 1, 5, 0.7);
    char *svg = tl_microscope_svg(&m);
    svg_hold(svg);
    cr_assert_eq(svg_count(svg, "<g>"), 2, "no gates, no panel of them");
    tl_string_free(svg);
    tl_microscope_free(&m);
    m = look(tl_rnn_cell(&relu), T, 5, 0.7);
    m.loss = m.norm[0][0] = m.norm[0][T - 1] = CHECK_NAN;
    m.radius[3] = m.spectral_norm[5] = CHECK_INF;
    svg = tl_microscope_svg(&m);
    svg_hold(svg);
    cr_assert_not_null(strstr(svg, ">2 NaN or infinite left out<"));
    cr_assert_eq(svg_count(svg, ">1 NaN or infinite left out<"), 2);
    tl_string_free(svg);
    m.radius[3] = 1e5; /* a tall one: a logarithmic axis, or 1 lies on the floor */
    svg = tl_microscope_svg(&m);
    svg_hold(svg);
    cr_assert_not_null(strstr(strstr(svg, ">Jacobian of the step"), ">10<tspan"));
    tl_string_free(svg);
    tl_microscope_free(&m);
}

Test(microscope_svg, several_in_one)
{
    tl_microscope a = look(tl_rnn_cell(NULL), T, 5, 0.7), b = look(tl_gru_cell(NULL), T, 5, 0.7);
    const tl_microscope *const both[2] = {&a, &b}, *const hole[2] = {&a, NULL};
    const char *const label[2] = {"plain <network>", NULL};
    char *svg = tl_microscope_compare_svg(2, both, label);
    svg_hold(svg);
    cr_assert_eq(svg_count(svg, ">plain &#60;network&#62;<"), 2);
    cr_assert_eq(svg_count(svg, ">gru<"), 2);
    cr_assert_not_null(strstr(svg, "I 3, H 4, T 60, B 2<"));
    follows(svg, 0, a.norm[0]);
    follows(svg, 1, b.norm[0]);
    tl_string_free(svg);
    cr_assert_null(tl_microscope_svg(NULL));
    cr_assert_null(tl_microscope_compare_svg(2, NULL, NULL));
    cr_assert_null(tl_microscope_compare_svg(2, hole, NULL));
    cr_assert_null(tl_microscope_compare_svg(0, both, NULL));
    cr_assert_null(tl_microscope_compare_svg(TL_MICROSCOPE_RUNS + 1, both, NULL));
    tl__fail_after(1);
    cr_assert_null(tl_microscope_svg(&a));
    cr_assert_null(tl_microscope_compare_svg(2, both, NULL));
    tl__fail_after(0);
    tl_microscope_free(&a);
    cr_assert_null(tl_microscope_svg(&a), "nothing was seen");
    tl_microscope_free(&b);
}
