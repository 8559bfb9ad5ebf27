/* random_program.c -- programs of [4,4] values made of earlier ones by random operations: loops in
 * loops, products, pieces, sums, draws. */
#include "tests/random_program.h"

#include "core/grad.h"
#include "core/random.h"
#include "core/scan.h"
#include "ops/ops.h"
#include "tests/check.h"

enum { VALUES = RANDOM_VALUES };

static tl_tensor any(tl_rng *r, const tl_tensor *v, int n)
{
    return v[n - 1 - (int)tl__rng_below(r, (uint64_t)(n < 8 ? n : 8))];
}

/* square_of -- one more [4,4] value made of earlier ones. */
static tl_tensor square_of(tl_rng *r, const tl_tensor *v, int n, int depth)
{
    tl_tensor a = any(r, v, n), b = any(r, v, n);
    switch (tl__rng_below(r, depth < 2 ? 14 : 13)) {
    case 0:
        return tl_add(a, b);
    case 1:
        return tl_mul(a, tl_sin(b));
    case 2:
        return tl_tanh(a);
    case 3:
        return tl_scale(tl_matmul(a, b), 0.25);
    case 4:
        return tl_transpose(a, 0, 1);
    case 5:
        return tl_sub(a, tl_sum_keep(b, 1));
    case 6:
        return tl_mul(a, tl_slice(b, 0, 1, 1));
    case 7:
        return tl_reshape(tl_transpose(tl_reshape(a, tl_shape3(2, 2, 4)), 0, 1), tl_shape2(4, 4));
    case 8:
        return tl_concat(
            2, (const tl_tensor[]){tl_slice(a, 1, 2, 2), tl_tanh(tl_slice(b, 1, 0, 2))}, 1);
    case 9: {
        const int64_t at[3][TL_MAX_RANK] = {{0, 0}, {1, 1}, {2, 0}};
        return tl_assemble(tl_shape2(4, 4), 3,
                           (const tl_tensor[]){tl_slice(a, 0, 0, 2),
                                               tl_slice(tl_slice(b, 0, 1, 2), 1, 1, 3),
                                               tl_slice(b, 0, 3, 1)},
                           at);
    }
    case 10: {
        tl_tensor z = tl_add(a, tl_slice(b, 0, 0, 1));
        return tl_concat(
            2, (const tl_tensor[]){tl_sigmoid(tl_chunk(z, 2, 0)), tl_tanh(tl_chunk(z, 2, 1))}, 1);
    }
    case 11:
        return tl_where(tl_less(a, b), b, tl_scalar(a.tape, TL_F64, 0.5));
    case 12:
        return tl_add(a, tl_scale(tl_randn(a.tape, TL_F64, tl_shape2(4, 4)), 0.1));
    default:
        break;
    }
    tl_scan_opts o = tl_scan_defaults();
    o.reverse = (int)tl__rng_below(r, 2);
    tl_tensor xs = tl_reshape(tl_concat(2, (const tl_tensor[]){a, b}, 0), tl_shape3(2, 4, 4)),
              body[VALUES];
    tl_scan s = tl_scan_open(a.tape, 2, &o);
    int m = 0, carries = 1 + (int)tl__rng_below(r, 2);
    body[m++] = any(r, v, n);
    body[m++] = tl_scan_each(s, xs);
    tl_tensor c[2] = {{0}};
    for (int k = 0; k < carries; k++)
        body[m++] = c[k] = tl_scan_carry(s, k ? b : a);
    int more = 2 + (int)tl__rng_below(r, 6);
    for (int k = 0; k < more; k++, m++)
        body[m] = square_of(r, body, m, depth + 1);
    for (int k = 0; k < carries; k++)
        tl_scan_next(s, c[k], tl_tanh(any(r, body, m)));
    tl_tensor inner = body[m - 1 - (int)tl__rng_below(r, (uint64_t)more)];
    tl_scan_close(s);
    tl_tensor y = tl_scan_last(s, c[0]);
    if (tl__rng_below(r, 2))
        y = tl_add(y, tl_scale(tl_scan_summed(s, inner), 0.3));
    if (tl__rng_below(r, 2))
        y = tl_add(y, tl_reshape(tl_slice(tl_scan_stacked(s, inner), 0, 1, 1), tl_shape2(4, 4)));
    return tl_tanh(y);
}

void random_values(tl_tape *tape, uint64_t seed, tl_tensor v[RANDOM_VALUES])
{
    tl_rng r = {.seed = seed};
    int n = 0;
    while (n < 3)
        v[n] = check_random(tape, TL_F64, tl_shape2(4, 4), seed + (uint64_t)n), n++;
    for (; n < VALUES; n++)
        v[n] = square_of(&r, v, n, 0);
}

int random_program(uint64_t seed, int look, double *out)
{
    tl_tape *tape = check_tape(seed);
    tl_tensor v[VALUES], g[3];
    random_values(tape, seed, v);
    tl_tensor loss = tl_scalar(tape, TL_F64, 0);
    for (int k = 0; k < RANDOM_OUTPUTS; k++)
        loss = tl_add(loss, tl_sum_all(tl_tanh(v[VALUES - 1 - k])));
    for (int k = 0; look && k < RANDOM_OUTPUTS; k += 2) {
        double some[16];
        tl_read_f64(v[VALUES - 1 - k], some, 16);
    }
    cr_assert_eq(tl_grad(1, &loss, NULL, 3, v, g), TL_OK, "%s", tl_tape_error(tape));
    int at = 0;
    for (int k = 0; k < RANDOM_OUTPUTS + 3; k++, at += 16)
        cr_assert_eq(tl_read_f64(k < RANDOM_OUTPUTS ? v[VALUES - 1 - k] : g[k - RANDOM_OUTPUTS],
                                 out + at, 16),
                     TL_OK, "seed %d: %s", (int)seed, tl_tape_error(tape));
    tl_tape_free(tape);
    return at;
}
