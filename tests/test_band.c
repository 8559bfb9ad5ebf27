/* test_band.c -- what runs in bands, read off the plan's text; and that results are those of steps
 * that run one after another, to the bit. */
#include "core/grad.h"
#include "core/memory.h"
#include "core/random.h"
#include "core/run.h"
#include "core/scan.h"
#include "core/space.h"
#include "ops/ops.h"
#include "tests/check.h"

#include <stdlib.h>
#include <string.h>

enum { N = 300, K = 400 };

static int count_of(const char *text, const char *words)
{
    int n = 0;
    for (const char *p = text; (p = strstr(p, words)) != NULL; p += strlen(words))
        n++;
    return n;
}

/* bands_of -- how many bands the plan of these values has, and calls outside them; -1 after an
 * error. */
static int bands_of(tl_tape *tape, int n, const tl_tensor *t, int *calls)
{
    if (tl_eval(n, t))
        return -1;
    char *text = tl__plan_dump(tape);
    const int bands = count_of(text, "band ");
    *calls = count_of(text, "call ");
    tl__free(text);
    return bands;
}

typedef int record_fn(tl_tape *tape, int which, tl_tensor *out);

enum { MOST = 24 };

/* check_same -- records the same twice, with bands and without; returns how many bands there were.
 */
static int compare(record_fn *record, int which)
{
    const unsigned all = tl__passes();
    tl_tape *one = check_tape(1), *other = check_tape(1);
    tl_tensor a[MOST], b[MOST];
    int n = record(one, which, a), calls;
    const int bands = bands_of(one, n, a, &calls);
    cr_assert_neq(bands, -1, "%s", tl_tape_error(one));
    tl__set_passes(all & ~(unsigned)TL_PASS_REDUCE);
    record(other, which, b);
    cr_assert_eq(bands_of(other, n, b, &calls), 0, "%s", tl_tape_error(other));
    tl__set_passes(all);
    for (int k = 0; k < n; k++) {
        double *x = check_values(a[k]), *y = check_values(b[k]);
        cr_assert(x && y);
        cr_assert_eq(memcmp(x, y, (size_t)tl_shape_count(tl_shape_of(a[k])) * sizeof *x), 0,
                     "program %d, value %d", which, k);
        free(x);
        free(y);
    }
    tl_tape_free(one);
    tl_tape_free(other);
    return bands;
}

/* ---- what one writes ------------------------------------------------------------------------- */

static const int last_axis = -1, first_axis = 0;

static int record_softmax(tl_tape *tape, int which, tl_tensor *out)
{
    tl_tensor z = check_random(tape, which ? TL_F64 : TL_F32, tl_shape2(N, K), 1);
    tl_no_grad_open(tape);
    out[0] = tl_softmax(z, -1);
    tl_no_grad_close(tape);
    return 1;
}

Test(band, softmax_is_one_band)
{
    tl_tape *tape = check_tape(1);
    tl_tensor y;
    int calls;
    record_softmax(tape, 0, &y);
    cr_assert_eq(bands_of(tape, 1, &y, &calls), 1, "%s", tl_tape_error(tape));
    cr_assert_eq(calls, 0);
    tl_tape_free(tape);
    cr_assert_eq(compare(record_softmax, 0), 1);
    cr_assert_eq(compare(record_softmax, 1), 1);
}

static int record_cross_entropy(tl_tape *tape, int which, tl_tensor *out)
{
    static int32_t c[N];
    for (int k = 0; k < N; k++)
        c[k] = k % 7 ? k % K : -1;
    tl_tensor z = check_random(tape, TL_F32, which ? tl_shape3(N / 10, 10, K) : tl_shape2(N, K), 1);
    tl_tensor label = tl_input_i32(tape, which ? tl_shape2(N / 10, 10) : tl_shape1(N), c);
    out[0] = tl_cross_entropy(z, label, -1);
    tl_grad(1, out, NULL, 1, &z, out + 1);
    return 2;
}

Test(band, cross_entropy_with_its_gradient)
{
    cr_assert(0 < compare(record_cross_entropy, 0));
    cr_assert(0 < compare(record_cross_entropy, 1));
}

/* Sums over rows and over columns in the same chain. */
static int record_norm(tl_tape *tape, int which, tl_tensor *out)
{
    const tl_dtype dtype = which ? TL_F64 : TL_F32;
    tl_tensor in[3] = {check_random(tape, dtype, tl_shape2(N, K), 1),
                       check_random(tape, dtype, tl_shape1(K), 2),
                       check_random(tape, dtype, tl_shape1(K), 3)};
    tl_tensor d = tl_sub(in[0], tl_mean(in[0], 1, &last_axis, 1));
    tl_tensor v = tl_mean(tl_square(d), 1, &last_axis, 1);
    tl_tensor y = tl_add(tl_mul(tl_mul(d, tl_rsqrt(tl_add_scalar(v, 1e-5))), in[1]), in[2]);
    tl_tensor g = check_random(tape, dtype, tl_shape2(N, K), 4);
    tl_grad(1, &y, &g, 3, in, out + 1);
    out[0] = y;
    return 4;
}

Test(band, normalised_rows_with_their_gradients)
{
    cr_assert_eq(compare(record_norm, 0), 1);
    cr_assert_eq(compare(record_norm, 1), 1);
}

static int record_sums(tl_tape *tape, int which, tl_tensor *out)
{
    static const int64_t shapes[][2] = {{1, 200000}, {700, 500}, {131, 2000}, {5000, 60}};
    const tl_shape s = tl_shape2(shapes[which][0], shapes[which][1]);
    tl_tensor a = check_random(tape, TL_F32, s, 1);
    out[0] = tl_mul(a, a);
    out[1] = tl_sum_all(out[0]);
    out[2] = tl_sum_all(tl_abs(a));
    out[3] = tl_sum(tl_sin(a), 1, &first_axis, 0);
    return 4;
}

Test(band, sums_of_all_and_over_rows)
{
    for (int which = 0; which < 4; which++)
        cr_assert(0 < compare(record_sums, which), "%d", which);
}

Test(band, little_runs_as_before)
{
    tl_tape *tape = check_tape(1);
    tl_tensor y = tl_softmax(check_random(tape, TL_F32, tl_shape2(20, 30), 1), -1);
    int calls;
    cr_assert_eq(bands_of(tape, 1, &y, &calls), 0);
    tl_tape_free(tape);
}

Test(band, a_bad_index_is_named_by_its_place_in_the_whole)
{
    static int32_t c[N];
    tl_tape *tape = check_tape(1);
    c[217] = K;
    tl_tensor z = check_random(tape, TL_F32, tl_shape3(N / 10, 10, K), 1);
    tl_tensor loss = tl_cross_entropy(z, tl_input_i32(tape, tl_shape2(N / 10, 10), c), -1);
    cr_assert_eq(tl_eval(1, &loss), TL_ERANGE);
    cr_assert_not_null(
        strstr(tl_tape_error(tape), "got index 400 at [21,7,0], want one in [0,400)"), "%s",
        tl_tape_error(tape));
    tl_tape_free(tape);
}

/* ---- in a loop ------------------------------------------------------------------------------- */

static int record_loop(tl_tape *tape, int which, tl_tensor *out)
{
    (void)which;
    tl_tensor z = check_random(tape, TL_F32, tl_shape2(N, K), 1);
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(s, z);
    tl_tensor p = tl_softmax(h, -1);
    tl_tensor total = tl_sum_all(tl_mul(p, p));
    tl_scan_next(s, h, tl_add(h, tl_mul(p, p)));
    tl_scan_close(s);
    out[0] = tl_scan_last(s, h);
    out[1] = tl_scan_stacked(s, total);
    tl_tensor loss = tl_add(tl_sum_all(out[0]), tl_sum_all(out[1]));
    tl_grad(1, &loss, NULL, 1, &z, out + 2);
    return 3;
}

/* Carries that come out of bands and are read by them, old and new. */
static int record_carries(tl_tape *tape, int which, tl_tensor *out)
{
    tl_tensor z = check_random(tape, TL_F32, tl_shape2(N, K), 1);
    tl_tensor w = check_random(tape, TL_F32, tl_shape2(K, K), 2);
    tl_tensor zero = tl_zeros(tape, TL_F32, tl_shape2(N, 1));
    tl_scan s = tl_scan_open(tape, 4, NULL);
    tl_tensor h = tl_scan_carry(s, z), m = tl_scan_carry(s, zero), n = tl_scan_carry(s, zero);
    tl_tensor h1 = tl_add(h, tl_scale(tl_matmul(tl_tanh(h), w), 0.01));
    tl_tensor most = tl_maximum(m, tl_amax(h1, 1, &last_axis, 1));
    tl_tensor total = tl_add(tl_mul(n, tl_exp(tl_sub(m, most))),
                             tl_sum(tl_exp(tl_sub(h1, most)), 1, &last_axis, 1));
    if (which)
        total = tl_add(total, tl_sum(tl_mul(h1, h), 1, &last_axis, 1));
    tl_scan_next(s, h, h1);
    tl_scan_next(s, m, most);
    tl_scan_next(s, n, total);
    tl_scan_close(s);
    out[0] = tl_scan_last(s, h);
    out[1] = tl_scan_last(s, m);
    out[2] = tl_scan_last(s, n);
    return 3;
}

Test(band, steps_of_a_loop)
{
    cr_assert(0 < compare(record_loop, 0));
    for (int which = 0; which < 2; which++)
        cr_assert(0 < compare(record_carries, which), "%d", which);
}

/* ---- any program ----------------------------------------------------------------------------- */

enum { POOL = 40 };

static tl_tensor pick(tl_rng *r, const tl_tensor *pool, int n)
{
    return pool[tl__rng_below(r, (uint64_t)n)];
}

/* random_step -- a new value from wide ones, [rows, columns], and any that repeat to that. */
static tl_tensor random_step(tl_rng *r, tl_tensor a, tl_tensor b)
{
    const int64_t columns = tl_dim(a, 1);
    switch (tl__rng_below(r, 13)) {
    case 0:
        return tl_tanh(a);
    case 1:
    case 2:
        return tl_mul(a, b);
    case 3:
        return tl_add(b, a);
    case 4:
        return tl_sum(a, 1, &last_axis, 1);
    case 5:
        return tl_sum(a, 1, &first_axis, 1);
    case 6:
        return tl_amax(a, 1, &last_axis, 1);
    case 7:
        return tl_sum_all(tl_tanh(a));
    case 8: { /* what is computed elsewhere in the row */
        const tl_tensor half[2] = {tl_slice(a, 1, columns / 2, columns - columns / 2),
                                   tl_slice(a, 1, 0, columns / 2)};
        return tl_concat(2, half, 1);
    }
    case 9: { /* and in other rows */
        const int64_t rows = tl_dim(a, 0);
        const tl_tensor half[2] = {tl_slice(a, 0, rows / 2, rows - rows / 2),
                                   tl_slice(a, 0, 0, rows / 2)};
        return tl_concat(2, half, 0);
    }
    case 10:
        return tl_flip(tl_sin(a), (int)tl__rng_below(r, 2));
    case 11: /* one row, read by all */
        return tl_slice(a, 0, (int64_t)tl__rng_below(r, 2), 1);
    default:
        return tl_softmax(a, -1);
    }
}

static int record_random(tl_tape *tape, int which, tl_tensor *out)
{
    static const int64_t shapes[][2] = {{256, 100}, {1000, 33}, {65, 600}, {3000, 20}};
    tl_rng r = {.seed = 1000 + (uint64_t)which};
    const tl_shape s = tl_shape2(shapes[which % 4][0], shapes[which % 4][1]);
    tl_tensor wide[POOL] = {check_random(tape, TL_F64, s, 1), check_random(tape, TL_F64, s, 2)},
              pool[POOL] = {wide[0], check_random(tape, TL_F64, tl_shape2(1, s.dim[1]), 3),
                            check_random(tape, TL_F64, tl_shape2(s.dim[0], 1), 4)};
    int nwide = 2, npool = 3, n = 0;
    tl_no_grad_open(tape);
    while (npool < 18) {
        tl_tensor t = random_step(&r, pick(&r, wide, nwide), pick(&r, pool, npool));
        pool[npool++] = t;
        if (tl_shape_equal(tl_shape_of(t), s))
            wide[nwide++] = t;
        if (tl__rng_below(&r, 6) == 0)
            out[n++] = t;
    }
    tl_no_grad_close(tape);
    out[n++] = pool[npool - 1];
    return n;
}

Test(band, any_program_gives_the_same_bits)
{
    int bands = 0;
    for (int which = 0; which < 120; which++)
        bands += compare(record_random, which);
    cr_assert(60 < bands, "%d bands", bands);
}
