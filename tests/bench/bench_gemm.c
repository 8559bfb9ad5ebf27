/* bench_gemm.c -- matrix products at the shapes of recurrent layers, f32, one thread: BLIS's
 * bli_sgemm, tl__gemm, and tl__gemm_packed with the right operand packed before, beside the pace of
 * our bare kernel on numbers in the nearest cache. */
#include "core/blis.h"
#include "core/blislib.h"
#include "core/gemm.h"
#include "core/memory.h"
#include "core/strip.h"
#include "tests/bench/bench_record.h"
#include "tests/bench/stopwatch.h"

#include <argp.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* C[m,n] += A[m,k] B[k,n]; how: which operands are stored transposed. */
enum { A_TURNED = 1, B_TURNED = 2 };

typedef struct shape {
    int64_t m, n, k;
    int how;
    const char *what;
} shape;

static const shape shapes[] = {
    {1, 128, 32, B_TURNED, "h U, one stream"},
    {1, 512, 128, B_TURNED, "h U, one stream"},
    {1, 2600, 650, B_TURNED, "h U, one stream"},
    {8, 256, 64, B_TURNED, "h U, long"},
    {8, 64, 256, 0, "dz U, long"},
    {12, 512, 128, B_TURNED, "h U"},
    {20, 2600, 650, B_TURNED, "h U, ptb"},
    {20, 650, 2600, 0, "dz U, ptb"},
    {32, 512, 128, B_TURNED, "h U, char"},
    {32, 128, 512, 0, "dz U, char"},
    {64, 2048, 512, B_TURNED, "h U, big"},
    {64, 512, 2048, 0, "dz U, big"},
    {128, 512, 128, B_TURNED, "h U, digits"},
    {512, 512, 128, B_TURNED, "x W, 16 steps, char"},
    {3200, 512, 128, B_TURNED, "x W, char"},
    {700, 2600, 650, B_TURNED, "x W, ptb"},
    {3200, 128, 512, 0, "dx, char"},
    {512, 128, 3200, A_TURNED, "dW, char"},
    {256, 64, 8000, A_TURNED, "dW, long"},
    {2600, 650, 700, A_TURNED, "dW, ptb"},
    {2048, 512, 4096, A_TURNED, "dW, big"},
    {1024, 1024, 1024, 0, "square"},
};

enum { WAYS = 3 };
static const char *const ways[WAYS] = {"blis", "gemm", "packed"};

typedef struct operands {
    const shape *s;
    float *a, *b, *c;
    tl_matrix A, B, C;
    void *panels; /* NULL where this machine does not read them */
} operands;

static void compute(const operands *o, int way)
{
    const shape *s = o->s;
    float one = 1;
    if (way == 0)
        bli_sgemm(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, s->m, s->n, s->k, &one, o->a, o->A.rs,
                  o->A.cs, o->b, o->B.rs, o->B.cs, &one, o->c, o->C.rs, o->C.cs);
    else if (way == 1)
        tl__gemm(TL_F32, s->m, s->n, s->k, o->A, o->B, 1, o->C);
    else
        tl__gemm_packed(TL_F32, s->n, s->m, 0, s->n, s->k, o->A, o->panels, 1, o->C);
}

static float *numbers(int64_t n)
{
    float *x = tl__aligned_alloc((size_t)n * sizeof *x);
    for (int64_t i = 0; x && i < n; i++)
        x[i] = (float)(i * 7919 % 2003 - 1001) / 1001.0f;
    return x;
}

static void close_operands(operands *o)
{
    tl__aligned_free(o->a);
    tl__aligned_free(o->b);
    tl__aligned_free(o->c);
    tl__aligned_free(o->panels);
}

static int open_operands(operands *o, const shape *s)
{
    int turned_a = s->how & A_TURNED, turned_b = s->how & B_TURNED;
    *o = (operands){
        s, numbers(s->m * s->k), numbers(s->k * s->n), numbers(s->m * s->n), {0}, {0}, {0}, NULL};
    o->A = (tl_matrix){o->a, turned_a ? 1 : s->k, turned_a ? s->m : 1};
    o->B = (tl_matrix){o->b, turned_b ? 1 : s->n, turned_b ? s->k : 1};
    o->C = (tl_matrix){o->c, s->n, 1};
    size_t bytes = tl__panels_bytes(TL_F32, s->k, s->n);
    if (bytes > 0)
        o->panels = tl__aligned_alloc(bytes);
    if (!o->a || !o->b || !o->c || (bytes > 0 && !o->panels)) {
        close_operands(o);
        return 0;
    }
    if (o->panels)
        tl__panels_pack(TL_F32, s->k, s->n, o->B, o->panels);
    return 1;
}

/* agree -- whether all ways compute the same, as far as rounding goes. */
static int agree(const operands *o)
{
    const int64_t n = o->s->m * o->s->n;
    float *first = numbers(n);
    int same = first != NULL;
    for (int way = 0; same && way < WAYS; way++) {
        if (way == 2 && !o->panels)
            continue;
        for (int64_t i = 0; i < n; i++)
            o->c[i] = 0;
        compute(o, way);
        for (int64_t i = 0; i < n; i++) {
            if (way == 0)
                first[i] = o->c[i];
            same &= fabsf(o->c[i] - first[i]) <= 1e-5f * (float)o->s->k;
        }
    }
    tl__aligned_free(first);
    return same;
}

/* kernel_gflops -- the kernel of most rows over one panel, both in the nearest cache. */
static double kernel_gflops(void)
{
    enum { K = 128, TIMES = 2000, TRIES = 20 };
    const tl_strips *t = tl__strips(TL_F32);
    double best = (double)NAN;
    if (!t)
        return best;
    float *a = numbers(TL_STRIP_ROWS * K), *b = numbers((int64_t)K * t->width),
          *c = numbers((int64_t)TL_STRIP_ROWS * t->width);
    tl_strip s = {.k = K,
                  .left = a,
                  .rs = K,
                  .cs = 1,
                  .right = b,
                  .ldb = t->width,
                  .n = t->width,
                  .c = c,
                  .ldc = t->width};
    for (int i = 0; a && b && c && i < TRIES; i++) {
        double start = cpu_ms();
        for (int k = 0; k < TIMES; k++)
            t->one[t->rows](&s);
        best = fmax(best, 2e-6 * t->rows * t->width * K * TIMES / (cpu_ms() - start));
    }
    tl__aligned_free(a);
    tl__aligned_free(b);
    tl__aligned_free(c);
    return best;
}

typedef struct options {
    int quick, json;
} options;

static error_t take(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    if (key == 'q')
        o->quick = 1;
    else if (key == 'j')
        o->json = 1;
    else if (key == ARGP_KEY_ARG)
        argp_error(state, "got '%s', want options only", arg);
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

/* measure -- best milliseconds of each way, in turns. */
static void measure(const operands *o, const options *p, double *best)
{
    const double flops = 2.0 * (double)o->s->m * (double)o->s->n * (double)o->s->k;
    const int times = (int)(4e7 / flops) + 1; /* about 0.4 ms */
    const int rounds =
        (int)fmin(p->quick ? 20 : 100, (p->quick ? 1e10 : 5e10) / (flops * times)) + 2;
    for (int way = 0; way < WAYS; way++)
        best[way] = (double)NAN;
    for (int round = 0; round < rounds; round++)
        for (int way = 0; way < WAYS; way++) {
            if (way == 2 && !o->panels)
                continue;
            double start = cpu_ms();
            for (int i = 0; i < times; i++)
                compute(o, way);
            best[way] = fmin(best[way], (cpu_ms() - start) / times);
        }
}

static void print(const operands *o, const options *p, const double *best, double kernel)
{
    const shape *s = o->s;
    const double flops = 2e-6 * (double)s->m * (double)s->n * (double)s->k;
    char name[64];
    snprintf(name, sizeof name, "%lld,%lld,%lld", (long long)s->m, (long long)s->n,
             (long long)s->k);
    if (!p->json) {
        printf("%-16s %-20s", name, s->what);
        for (int way = 0; way < WAYS; way++)
            printf(" %8.1f", flops / best[way]);
        printf(" %7.0f%% %7.0f%%\n", 100 * flops / best[1] / kernel,
               100 * flops / best[2] / kernel);
        return;
    }
    for (int way = 0; way < WAYS; way++)
        bench_record_print(&(bench_record){.name = name,
                                           .pass = s->what,
                                           .impl = ways[way],
                                           .threads = 1,
                                           .ms = best[way],
                                           .gflops = flops / best[way],
                                           .peak_mb = (double)NAN,
                                           .ratio_onednn = (double)NAN});
}

int main(int argc, char **argv)
{
    static const struct argp_option table[] = {
        {"quick", 'q', 0, 0, "few rounds", 1},
        {"json", 'j', 0, 0, "one JSON object on a line for each measurement, no table", 1},
        {0},
    };
    static const struct argp parser = {
        table, take, NULL, "Measures matrix products: C[m,n] += A[m,k] B[k,n] in f32.",
        NULL,  NULL, NULL};
    options p = {0};
    argp_parse(&parser, argc, argv, 0, NULL, &p);
    setenv("BLIS_NUM_THREADS", "1", 1);
    tl__machine_init();
    const double kernel = kernel_gflops();
    if (!p.json) {
        printf("GFLOP/s, one thread; %s kernels, alone %.1f; BLIS's %s kernels\n\n",
               tl__isa_name(tl__isa()), kernel, tl__blis_family());
        printf("%-16s %-20s %8s %8s %8s %8s %8s\n", "m,n,k", "", ways[0], ways[1], ways[2], "gemm",
               "packed");
    }
    int bad = 0;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        operands o;
        double best[WAYS];
        if (!open_operands(&o, &shapes[i])) {
            fprintf(stderr, "bench_gemm: %s\n", tl_strerror(TL_ENOMEM));
            return 1;
        }
        if (agree(&o)) {
            measure(&o, &p, best);
            print(&o, &p, best, kernel);
        } else {
            fprintf(stderr, "bench_gemm: %s: the results differ\n", shapes[i].what);
            bad = 1;
        }
        close_operands(&o);
    }
    return bad;
}
