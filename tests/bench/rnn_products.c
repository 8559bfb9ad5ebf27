/* rnn_products.c -- the products of a case, one after another. */
#include "tests/bench/rnn_products.h"

#include "core/gemm.h"
#include "tests/bench/rnn_impl.h"
#include "tests/bench/stopwatch.h"

#include <math.h>
#include <stdlib.h>

/* product -- C[m,n] = op(A) op(B), dense row-major arrays; ta, tb read transposed. */
static void product(int64_t m, int64_t n, int64_t k, float *a, int ta, float *b, int tb, int add,
                    float *c)
{
    tl_matrix A = {a, ta ? 1 : k, ta ? m : 1}, B = {b, tb ? 1 : n, tb ? k : 1}, C = {c, n, 1};
    tl__gemm(TL_F32, m, n, k, A, B, add, C);
}

double peak_gflops(void)
{
    enum { N = 1024, TRIES = 10 };
    static double peak;
    if (peak > 0)
        return peak;
    float *a = floats_new(N * N), *b = floats_new(N * N), *c = floats_new(N * N);
    tl__machine_init();
    for (int k = 0; a && b && c && k < 2 * TRIES; k++) {
        double start = cpu_ms();
        if (k % 2 == 0)
            product(N, N, N, a, 0, b, 0, 0, c);
        else if (onednn_product(N, a, b, c))
            continue;
        peak = fmax(peak, 2e-6 * N * N * N / (cpu_ms() - start));
    }
    free(a);
    free(b);
    free(c);
    return peak > 0 ? peak : (double)NAN;
}

double products_step(const rnn_data *d, rnn_pass pass, double (*clock)(void))
{
    const rnn_case *c = d->shape;
    int64_t T = c->T, B = c->B, H = c->H, G = (int64_t)d->gates * H, most = 0;
    for (int run = 0; run < d->runs; run++)
        most = rnn_case_input(c, run / c->D) > most ? rnn_case_input(c, run / c->D) : most;
    float *x = floats_new((size_t)(T * B * most)), *dx = floats_new((size_t)(T * B * most)),
          *z = floats_new((size_t)(T * B * G)), *h = floats_new((size_t)((T + 1) * B * H)),
          *dh = floats_new((size_t)(B * H)), *dw = floats_new((size_t)(G * (most > H ? most : H)));
    double ms = (double)NAN;
    if (x && dx && z && h && dh && dw) {
        tl__machine_init();
        double start = clock();
        for (int run = 0; run < d->runs; run++) {
            int64_t I = rnn_case_input(c, run / c->D);
            product(T * B, G, I, x, 0, d->w.w_ih[run], 1, 0, z);
            for (int64_t t = 0; t < T; t++)
                product(B, G, H, h + t * B * H, 0, d->w.w_hh[run], 1, 1, z + t * B * G);
            if (pass == RNN_INFER)
                continue;
            for (int64_t t = T - 1; t >= 0; t--)
                product(B, H, G, z + t * B * G, 0, d->w.w_hh[run], 0, 0, dh);
            product(T * B, I, G, z, 0, d->w.w_ih[run], 0, 0, dx);
            product(G, I, T * B, z, 1, x, 0, 0, dw);
            product(G, H, T * B, z, 1, h, 0, 0, dw);
        }
        ms = clock() - start;
    }
    float *const all[] = {x, dx, z, h, dh, dw};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        free(all[k]);
    return ms;
}
