/* test_gemm.c -- products and contractions against plain loops, and bits against layouts and
 * extents. */
#include "core/gemm.h"

#include "core/blis.h"
#include "core/memory.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double number(void)
{
    return rand() % 2001 / 1000.0 - 1;
}

static double get(tl_dtype d, const void *x, int64_t i)
{
    return d == TL_F64 ? ((const double *)x)[i] : (double)((const float *)x)[i];
}

static void set(tl_dtype d, void *x, int64_t i, double v)
{
    if (d == TL_F64)
        ((double *)x)[i] = v;
    else
        ((float *)x)[i] = (float)v;
}

/* A matrix in its own memory: by rows, by columns, with gaps in both directions, or backwards. */
typedef enum order { ROWS, COLUMNS, GAPS, BACKWARDS, ORDERS } order;

typedef struct own {
    tl_dtype dtype;
    int64_t rows, columns;
    char *memory;
    tl_matrix x;
} own;

static own matrix(tl_dtype d, int64_t rows, int64_t columns, order o)
{
    own w = {d,
             rows,
             columns,
             tl__aligned_alloc((size_t)(rows * columns * 6 + 1) * tl_dtype_size(d)),
             {0}};
    int64_t rs = columns, cs = 1, start = 0;
    if (o == COLUMNS) {
        rs = 1;
        cs = rows;
    } else if (o == GAPS) {
        rs = 2 * columns * 3;
        cs = 3;
    } else if (o == BACKWARDS) {
        start = rows * columns - 1;
        rs = -columns;
        cs = -1;
        if (start < 0)
            start = 0;
    }
    w.x = (tl_matrix){w.memory + start * (int64_t)tl_dtype_size(d), rs, cs};
    return w;
}

static void set_at(own *w, int64_t i, int64_t j, double v)
{
    set(w->dtype, w->x.data, i * w->x.rs + j * w->x.cs, v);
}

static double at(const own *w, int64_t i, int64_t j)
{
    return get(w->dtype, w->x.data, i * w->x.rs + j * w->x.cs);
}

static void fill(own *w)
{
    for (int64_t i = 0; i < w->rows; i++)
        for (int64_t j = 0; j < w->columns; j++)
            set_at(w, i, j, number());
}

static void drop(own *w)
{
    tl__aligned_free(w->memory);
}

static void check_product(tl_dtype d, int64_t m, int64_t n, int64_t k, order oa, order ob, order oc,
                          int add)
{
    own a = matrix(d, m, k, oa), b = matrix(d, k, n, ob), c = matrix(d, m, n, oc);
    fill(&a);
    fill(&b);
    fill(&c);
    double *want = malloc((size_t)(m * n + 1) * sizeof *want);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double s = add ? at(&c, i, j) : 0;
            for (int64_t p = 0; p < k; p++)
                s += at(&a, i, p) * at(&b, p, j);
            want[i * n + j] = s;
            if (!add)
                set_at(&c, i, j, (double)NAN); /* storing must not read */
        }
    cr_assert_eq(tl__gemm(d, m, n, k, a.x, b.x, add, c.x), TL_OK);
    double bound = (d == TL_F64 ? 1e-15 : 5e-7) * (2 + (double)k);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            cr_assert(fabs(at(&c, i, j) - want[i * n + j]) <= bound,
                      "%s m %d n %d k %d orders %d %d %d add %d at %d,%d: %g, want %g",
                      tl_dtype_name(d), (int)m, (int)n, (int)k, oa, ob, oc, add, (int)i, (int)j,
                      at(&c, i, j), want[i * n + j]);
    free(want);
    drop(&a);
    drop(&b);
    drop(&c);
}

Test(gemm, agrees_with_plain_loops)
{
    srand(1);
    for (int trial = 0; trial < 600; trial++) {
        int64_t m = 1 + rand() % 40, n = 1 + rand() % 40, k = rand() % 50;
        if (trial % 8 == 0)
            m = 1 + rand() % 3;
        if (trial % 8 == 1)
            n = 1 + rand() % 3;
        if (trial % 16 == 2)
            k = 380 + rand() % 500; /* over KC */
        check_product(trial % 2 ? TL_F64 : TL_F32, m, n, k, (order)(rand() % ORDERS),
                      (order)(rand() % ORDERS), (order)(rand() % ORDERS), rand() % 2);
    }
    check_product(TL_F32, 700, 70, 30, ROWS, ROWS, ROWS, 0); /* over MC */
    check_product(TL_F32, 70, 700, 30, ROWS, COLUMNS, COLUMNS, 1);
    check_product(TL_F64, 5, 6200, 3, ROWS, ROWS, COLUMNS, 0); /* over NC */
    check_product(TL_F64, 6200, 5, 3, ROWS, ROWS, ROWS, 1);
}

Test(gemm, every_small_product)
{
    srand(2);
    for (int64_t m = 0; m < 9; m++)
        for (int64_t n = 0; n < 9; n++)
            for (int64_t k = 0; k < 9; k++)
                check_product((m + n + k) % 2 ? TL_F64 : TL_F32, m, n, k, ROWS, ROWS, ROWS,
                              (int)(m % 2));
}

Test(gemm, nothing_summed_gives_zeros_or_leaves)
{
    float c[6] = {NAN, 1, 2, 3, 4, 5};
    const float none[1] = {0};
    tl_matrix x = {(void *)(uintptr_t)none, 0, 0};
    cr_assert_eq(tl__gemm(TL_F32, 2, 3, 0, x, x, 0, (tl_matrix){c, 3, 1}), TL_OK);
    for (int i = 0; i < 6; i++)
        cr_assert_float_eq(c[i], 0, 0);
    c[4] = 7;
    cr_assert_eq(tl__gemm(TL_F32, 2, 3, 0, x, x, 1, (tl_matrix){c, 3, 1}), TL_OK);
    cr_assert_float_eq(c[4], 7, 0);
}

/* Stride 0 repeats a row, a column or one number; overlapping windows read memory twice. */
Test(gemm, operands_may_repeat_and_overlap)
{
    float *x = tl__aligned_alloc(4096), *c = tl__aligned_alloc(40000);
    for (int i = 0; i < 1024; i++)
        x[i] = (float)number();
    const int64_t strides[][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}, {2, 1}, {0, 5}};
    const int64_t sizes[][3] = {{1, 20, 30}, {3, 20, 30}, {20, 2, 30}, {20, 30, 40}, {50, 5, 1}};
    for (int s = 0; s < 36; s++)
        for (int z = 0; z < 5; z++) {
            const int64_t *sa = strides[s / 6], *sb = strides[s % 6], m = sizes[z][0],
                          n = sizes[z][1], k = sizes[z][2];
            cr_assert_eq(tl__gemm(TL_F32, m, n, k, (tl_matrix){x, sa[0], sa[1]},
                                  (tl_matrix){x, sb[0], sb[1]}, 0, (tl_matrix){c, n, 1}),
                         TL_OK);
            for (int64_t i = 0; i < m; i++)
                for (int64_t j = 0; j < n; j++) {
                    double want = 0;
                    for (int64_t p = 0; p < k; p++)
                        want += (double)x[i * sa[0] + p * sa[1]] * (double)x[p * sb[0] + j * sb[1]];
                    cr_assert(fabs((double)c[i * n + j] - want) < 5e-5);
                }
        }
    tl__aligned_free(x);
    tl__aligned_free(c);
}

/* An element that is not a number spoils its row or column and nothing else, whatever lies in
 * the corners of the tiles. */
Test(gemm, nan_and_infinity_stay_in_their_rows)
{
    for (int64_t m = 1; m < 20; m += 6)
        for (int64_t n = 2; n < 40; n += 7) {
            own a = matrix(TL_F32, m, 10, ROWS), b = matrix(TL_F32, 10, n, COLUMNS),
                c = matrix(TL_F32, m, n, ROWS);
            fill(&a);
            fill(&b);
            set_at(&a, m - 1, 3, (double)NAN);
            set_at(&b, 9, n - 1, (double)INFINITY);
            for (int64_t i = 0; i < m; i++)
                set_at(&a, i, 9, 1);
            cr_assert_eq(tl__gemm(TL_F32, m, n, 10, a.x, b.x, 0, c.x), TL_OK);
            for (int64_t i = 0; i < m; i++)
                for (int64_t j = 0; j < n; j++) {
                    double v = at(&c, i, j);
                    if (i == m - 1)
                        cr_assert(isnan(v));
                    else if (j == n - 1)
                        cr_assert(isinf(v) && v > 0);
                    else
                        cr_assert(isfinite(v));
                }
            drop(&a);
            drop(&b);
            drop(&c);
        }
}

/* ---- bits ------------------------------------------------------------------------------------ */

/* Whether the first rows and columns of C, computed with extents m and n and the given orders,
 * are those of the reference. */
static void check_bits(const own *a, const own *b, const own *want, int64_t m, int64_t n, order oa,
                       order ob, order oc)
{
    tl_dtype d = a->dtype;
    int64_t k = a->columns;
    own a1 = matrix(d, m, k, oa), b1 = matrix(d, k, n, ob), c1 = matrix(d, m, n, oc);
    for (int64_t i = 0; i < m; i++)
        for (int64_t p = 0; p < k; p++)
            set_at(&a1, i, p, at(a, i, p));
    for (int64_t p = 0; p < k; p++)
        for (int64_t j = 0; j < n; j++)
            set_at(&b1, p, j, at(b, p, j));
    cr_assert_eq(tl__gemm(d, m, n, k, a1.x, b1.x, 0, c1.x), TL_OK);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            cr_assert(at(&c1, i, j) == at(want, i, j),
                      "%s m %d n %d k %d orders %d %d %d: %a, not %a", tl_dtype_name(d), (int)m,
                      (int)n, (int)k, oa, ob, oc, at(&c1, i, j), at(want, i, j));
    drop(&a1);
    drop(&b1);
    drop(&c1);
}

static void check_all_bits(int64_t m0, int64_t n0, const int64_t *ms, const int64_t *ns)
{
    const int64_t ks[] = {1, 7, 64, 129, 1000};
    srand(3);
    for (int kk = 0; kk < 5; kk++)
        for (int d = 0; d < 2; d++) {
            tl_dtype dtype = d ? TL_F64 : TL_F32;
            own a = matrix(dtype, m0, ks[kk], ROWS), b = matrix(dtype, ks[kk], n0, ROWS),
                c = matrix(dtype, m0, n0, ROWS);
            fill(&a);
            fill(&b);
            cr_assert_eq(tl__gemm(dtype, m0, n0, ks[kk], a.x, b.x, 0, c.x), TL_OK);
            for (const int64_t *m = ms; *m; m++)
                for (const int64_t *n = ns; *n; n++)
                    for (int o = 0; o < ORDERS * ORDERS; o++)
                        check_bits(&a, &b, &c, *m, *n, (order)(o / ORDERS), (order)(o % ORDERS),
                                   (order)((o + 1) % ORDERS));
            drop(&a);
            drop(&b);
            drop(&c);
        }
}

Test(gemm, bits_do_not_depend_on_extents_or_strides)
{
    check_all_bits(100, 150, (const int64_t[]){1, 3, 4, 12, 32, 100, 0},
                   (const int64_t[]){1, 3, 4, 9, 64, 150, 0});
}

Test(gemm, bits_do_not_depend_on_extents_or_strides_in_vectors_of_256_bits)
{
    setenv("TL_ISA", "avx2", 1);
    check_all_bits(20, 40, (const int64_t[]){1, 2, 3, 4, 7, 20, 0},
                   (const int64_t[]){1, 8, 13, 16, 40, 0});
}

Test(gemm, bits_do_not_depend_on_extents_or_strides_elsewhere)
{
    setenv("TL_ISA", "base", 1);
    check_all_bits(20, 40, (const int64_t[]){1, 3, 7, 20, 0}, (const int64_t[]){1, 16, 40, 0});
}

/* The chain of gemm.c: fused, in order, cut every 256. */
Test(gemm, an_element_is_a_chain_whatever_the_vectors)
{
    if (tl__isa() == TL_ISA_BASE)
        return;
    own a = matrix(TL_F32, 9, 700, ROWS), b = matrix(TL_F32, 700, 40, ROWS),
        c = matrix(TL_F32, 9, 40, ROWS);
    srand(8);
    fill(&a);
    fill(&b);
    fill(&c);
    const float *x = a.x.data, *y = b.x.data, *z = c.x.data;
    static float want[9 * 40];
    for (int i = 0; i < 9; i++)
        for (int j = 0; j < 40; j++) {
            float *w = &want[i * 40 + j];
            *w = z[i * 40 + j];
            for (int from = 0; from < 700; from += 256) {
                float sum = 0;
                for (int p = from; p < from + 256 && p < 700; p++)
                    sum = fmaf(x[i * 700 + p], y[p * 40 + j], sum);
                *w += sum;
            }
        }
    cr_assert_eq(tl__gemm(TL_F32, 9, 40, 700, a.x, b.x, 1, c.x), TL_OK);
    for (int i = 0; i < 9 * 40; i++)
        cr_assert(z[i] == want[i]);
    drop(&a);
    drop(&b);
    drop(&c);
}

/* Two makers of kernels, one order of sums. */
Test(gemm, has_the_bits_of_blis)
{
    tl__machine_init();
    if (tl__isa() == TL_ISA_BASE ||
        (strcmp(tl__gemm_family(), "skx") != 0 && strcmp(tl__gemm_family(), "haswell") != 0))
        return;
    for (int d = 0; d < 2; d++) {
        tl_dtype dtype = d ? TL_F64 : TL_F32;
        own a = matrix(dtype, 50, 256, ROWS), b = matrix(dtype, 256, 70, COLUMNS),
            c = matrix(dtype, 50, 70, ROWS), c1 = matrix(dtype, 50, 70, ROWS);
        fill(&a);
        fill(&b);
        cr_assert_eq(tl__gemm(dtype, 50, 70, 256, a.x, b.x, 0, c.x), TL_OK);
        cr_assert_eq(tl__blis_gemm(dtype, 50, 70, 256, a.x, b.x, 0, c1.x), TL_OK);
        cr_assert_arr_eq(c.x.data, c1.x.data, 50 * 70 * tl_dtype_size(dtype));
        drop(&a);
        drop(&b);
        drop(&c);
        drop(&c1);
    }
}

/* ---- a right operand packed before ----------------------------------------------------------- */

static void check_packed(tl_dtype d, int64_t m, int64_t n, int64_t k, order oa, order ob)
{
    size_t size = tl_dtype_size(d), bytes = tl__panels_bytes(d, k, n);
    own a = matrix(d, m, k, oa), b = matrix(d, k, n, ob), c = matrix(d, m, n, ROWS),
        whole = matrix(d, m, n, ROWS);
    fill(&a);
    fill(&b);
    fill(&c);
    memcpy(whole.x.data, c.x.data, (size_t)(m * n) * size);
    char *panels = tl__aligned_alloc(bytes + 8);
    memset(panels, 0xff, bytes + 8);
    const int64_t count = tl__panels_count(d, n), some = rand() % (count + 1);
    tl__panels_pack_part(d, k, n, b.x, panels, some, count);
    tl__panels_pack_part(d, k, n, b.x, panels, 0, some);
    uint64_t behind;
    memcpy(&behind, panels + bytes, sizeof behind);
    cr_assert_eq(behind, UINT64_MAX, "nothing is written behind the panels");
    int add = rand() % 2;
    int64_t cut = rand() % (n + 1);
    cr_assert_eq(tl__gemm(d, m, n, k, a.x, b.x, add, whole.x), TL_OK);
    tl_matrix right = {(char *)c.x.data + cut * (int64_t)size, n, 1};
    cr_assert_eq(tl__gemm_packed(d, n, m, 0, cut, k, a.x, panels, add, c.x), TL_OK);
    cr_assert_eq(tl__gemm_packed(d, n, m, cut, n - cut, k, a.x, panels, add, right), TL_OK);
    cr_assert_arr_eq(c.x.data, whole.x.data, (size_t)(m * n) * size, "%s m %d n %d k %d cut %d",
                     tl_dtype_name(d), (int)m, (int)n, (int)k, (int)cut);
    tl__aligned_free(panels);
    drop(&a);
    drop(&b);
    drop(&c);
    drop(&whole);
}

static void check_all_packed(void)
{
    srand(9);
    for (int trial = 0; trial < 400; trial++)
        check_packed(trial % 2 ? TL_F64 : TL_F32, 1 + rand() % (trial % 3 ? 5 : 40),
                     1 + rand() % 300, 1 + rand() % (trial % 4 ? 60 : 700),
                     (order)(rand() % ORDERS), (order)(rand() % ORDERS));
}

Test(gemm, packed_before_has_the_bits_of_unpacked_in_any_two_parts)
{
    if (tl__isa() != TL_ISA_BASE)
        check_all_packed();
}

Test(gemm, packed_before_has_the_bits_of_unpacked_in_vectors_of_256_bits)
{
    setenv("TL_ISA", "avx2", 1);
    if (tl__isa() != TL_ISA_BASE)
        check_all_packed();
}

Test(gemm, nothing_is_packed_elsewhere)
{
    setenv("TL_ISA", "base", 1);
    cr_assert_eq(tl__panels_bytes(TL_F32, 10, 10), 0);
}

/* A part has the bits of the whole, however thin it is; and adding to what is there is one
 * addition more. */
Test(gemm, a_part_has_the_bits_of_the_whole)
{
    srand(4);
    for (int64_t m = 2; m < 40; m += 18) {
        int64_t n = 30, k = 500;
        own a = matrix(TL_F32, m, k, ROWS), b = matrix(TL_F32, k, n, COLUMNS),
            c = matrix(TL_F32, m, n, ROWS), d = matrix(TL_F32, m, n, ROWS);
        fill(&a);
        fill(&b);
        cr_assert_eq(tl__gemm(TL_F32, m, n, k, a.x, b.x, 0, c.x), TL_OK);
        for (int64_t i = 0; i < m; i++) {
            tl_matrix row = {(float *)a.x.data + i * a.x.rs, a.x.rs, a.x.cs},
                      to = {(float *)d.x.data + i * d.x.rs, d.x.rs, d.x.cs};
            cr_assert_eq(tl__gemm(TL_F32, 1, n, k, row, b.x, 0, to), TL_OK);
        }
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < n; j++)
                cr_assert(at(&c, i, j) == at(&d, i, j));
        drop(&a);
        drop(&b);
        drop(&c);
        drop(&d);
    }
}

Test(gemm, memory_runs_out_with_a_code)
{
    own a = matrix(TL_F32, 200, 300, COLUMNS), b = matrix(TL_F32, 300, 200, ROWS),
        c = matrix(TL_F32, 200, 200, ROWS);
    fill(&a);
    fill(&b);
    tl__fail_after(1);
    cr_assert_eq(tl__gemm(TL_F32, 200, 200, 300, a.x, b.x, 0, c.x), TL_ENOMEM);
    tl__fail_after(2);
    cr_assert_eq(tl__gemm(TL_F32, 200, 200, 300, a.x, b.x, 0, c.x), TL_OK);
    tl__fail_after(0);
    drop(&a);
    drop(&b);
    drop(&c);
}
