/* vocab_loss.c -- cross-entropy of an output layer whose logits are never all there.
 *
 *     w   [V,H]   [ rest | block 0 | block 1 | ... ]     blocks of `chunk` rows, taken by a scan
 *
 *     z = h w_k' + b_k          [N,chunk]
 *     m' = max(m, max z)        the largest logit so far; only a shift, so a constant for gradients
 *     s' = s exp(m - m') + sum of exp(z - m')
 *     y += z[c] where class c is one of the block
 *
 *     loss of a row = m + log s - y                      with the last m and s
 *
 * The rest, V mod chunk rows, comes before the loop and makes the first m, s and y. */
#include "ops/vocab_loss.h"

#include "core/memory.h"
#include "core/op.h"
#include "core/scan.h"
#include "core/space.h"
#include "ops/elementwise.h"
#include "ops/loss.h"
#include "ops/matmul.h"
#include "ops/reduce.h"

#include <float.h>

/* Logits of a block stay in the second cache; fewer classes than 256 make thin products. */
enum { BYTES = 1 << 20, FEWEST = 256 };

/* so_far -- of each row, [N,1]: the largest logit, the sum of exp(logit - m), the logit of the
 * true class or 0. */
typedef struct so_far {
    tl_tensor m, s, y;
} so_far;

/* chosen -- so many classes that [N,chunk] takes about BYTES, a divisor of V if one is near. */
static int64_t chosen(int64_t N, int64_t V, size_t size)
{
    int64_t row = (int64_t)size * (N > 0 ? N : 1), about = BYTES / row;
    about = about < FEWEST ? FEWEST : about;
    if (about >= V)
        return V;
    for (int64_t k = about + about / 2; k > about / 2; k--)
        if (V % k == 0)
            return k;
    return about;
}

/* step -- one block of classes, ids [K] their numbers. */
static so_far step(so_far a, tl_tensor h, tl_tensor w, tl_tensor b, tl_tensor ids, tl_tensor c)
{
    const int last = -1;
    tl_tape *tape = h.tape;
    const tl_dtype dtype = tl_dtype_of(h);
    tl_tensor z = tl_linear(h, w, b), zero = tl_scalar(tape, dtype, 0);
    /* finite, so that no difference below is inf - inf */
    tl_no_grad_open(tape);
    tl_tensor greatest = tl_scalar(tape, dtype, dtype == TL_F32 ? (double)FLT_MAX : DBL_MAX);
    tl_tensor m = tl_minimum(tl_maximum(a.m, tl_amax(z, 1, &last, 1)), greatest);
    tl_no_grad_close(tape);
    tl_tensor sum = tl_sum(tl_exp(tl_sub(z, m)), 1, &last, 1);
    tl_tensor true_logit = tl_sum(tl_where(tl_equal(ids, c), z, zero), 1, &last, 1);
    return (so_far){m, tl_add(tl_mul(a.s, tl_exp(tl_sub(a.m, m))), sum), true_logit};
}

/* numbers_to -- 0, 1, ... n - 1, i32. */
static tl_tensor numbers_to(tl_tape *tape, int64_t n)
{
    int32_t *v = n <= INT32_MAX ? tl__alloc((size_t)n * sizeof *v) : NULL;
    if (!v) {
        tl_tape_fail(tape, TL_ENOMEM, "linear_cross_entropy", "no memory for %lld numbers",
                     (long long)n);
        return tl__inert_on(tape);
    }
    for (int64_t i = 0; i < n; i++)
        v[i] = (int32_t)i;
    tl_tensor t = tl_input_i32(tape, tl_shape1(n), v);
    tl__free(v);
    return t;
}

/* blocks -- m, s and y after all classes; h [N,H], c [N,1]. */
static so_far blocks(tl_tensor h, tl_tensor w, tl_tensor b, tl_tensor c, int64_t chunk)
{
    tl_tape *tape = h.tape;
    const tl_dtype dtype = tl_dtype_of(h);
    const int64_t N = tl_dim(h, 0), H = tl_dim(h, 1), V = tl_dim(w, 0), rest = V % chunk,
                  n = V / chunk;
    const tl_shape column = tl_shape2(N, 1);
    const double least = dtype == TL_F32 ? -(double)FLT_MAX : -DBL_MAX;
    so_far a = {tl_full(tape, dtype, column, least), tl_zeros(tape, dtype, column),
                tl_zeros(tape, dtype, column)};
    tl_tensor ids = numbers_to(tape, V), none = {0};
    if (rest > 0)
        a = step(a, h, tl_slice(w, 0, 0, rest), b.tape ? tl_slice(b, 0, 0, rest) : none,
                 tl_slice(ids, 0, 0, rest), c);
    tl_tensor ws = tl_reshape(tl_slice(w, 0, rest, n * chunk), tl_shape3(n, chunk, H));
    tl_tensor is = tl_reshape(tl_slice(ids, 0, rest, n * chunk), tl_shape2(n, chunk));
    tl_tensor bs = b.tape ? tl_reshape(tl_slice(b, 0, rest, n * chunk), tl_shape2(n, chunk)) : none;

    tl_scan_opts o = tl_scan_defaults();
    o.name = "classes";
    o.recompute = 1;
    tl_scan scan = tl_scan_open(tape, n, &o);
    const so_far before = {tl_scan_carry(scan, a.m), tl_scan_carry(scan, a.s), none};
    so_far after = step(before, h, tl_scan_each(scan, ws), b.tape ? tl_scan_each(scan, bs) : none,
                        tl_scan_each(scan, is), c);
    tl_scan_next(scan, before.m, after.m);
    tl_scan_next(scan, before.s, after.s);
    tl_scan_close(scan);
    return (so_far){tl_scan_last(scan, before.m), tl_scan_last(scan, before.s),
                    tl_add(a.y, tl_scan_summed(scan, after.y))};
}

/* check -- shapes, dtypes and chunk. */
static int check(tl_tensor h, tl_tensor w, tl_tensor b, tl_tensor c, int64_t chunk)
{
    static const char what[] = "linear_cross_entropy";
    const tl_tensor in[4] = {h, w, c, b};
    if (!tl__same_tape(what, b.tape ? 4 : 3, in))
        return 0;
    char text[4][TL_SHAPE_TEXT];
    tl_shape rows = tl_shape_of(h);
    if (rows.rank > 0)
        rows.dim[--rows.rank] = 0;
    if (tl_rank(h) == 0 || tl_rank(w) != 2 || tl_dim(w, 0) < 1 || tl_dim(w, 1) != tl_dim(h, -1) ||
        !tl_shape_equal(rows, tl_shape_of(c)) ||
        (b.tape && (tl_rank(b) != 1 || tl_dim(b, 0) != tl_dim(w, 0)))) {
        tl_fail_tensor(h, TL_ESHAPE, what,
                       "got %s, weights %s, bias %s, classes %s, want [...,H], [V,H], [V], [...]",
                       tl_shape_text(tl_shape_of(h), text[0], sizeof text[0]),
                       tl_shape_text(tl_shape_of(w), text[1], sizeof text[1]),
                       b.tape ? tl_shape_text(tl_shape_of(b), text[2], sizeof text[2]) : "none",
                       tl_shape_text(tl_shape_of(c), text[3], sizeof text[3]));
        return 0;
    }
    if (tl_dtype_of(h) == TL_I32 || tl_dtype_of(w) != tl_dtype_of(h) ||
        (b.tape && tl_dtype_of(b) != tl_dtype_of(h)) || tl_dtype_of(c) != TL_I32) {
        tl_fail_tensor(
            h, TL_EDTYPE, what, "got %s, %s weights, %s bias, %s classes, want f32 or f64 all, i32",
            tl_dtype_name(tl_dtype_of(h)), tl_dtype_name(tl_dtype_of(w)),
            b.tape ? tl_dtype_name(tl_dtype_of(b)) : "no", tl_dtype_name(tl_dtype_of(c)));
        return 0;
    }
    if (chunk < 0) {
        tl_fail_tensor(h, TL_ERANGE, what, "got chunk %lld, want 0 or more", (long long)chunk);
        return 0;
    }
    return 1;
}

tl_tensor tl_linear_cross_entropy(tl_tensor h, tl_tensor w, tl_tensor b, tl_tensor c, int32_t skip,
                                  int64_t chunk)
{
    if (!check(h, w, b, c, chunk))
        return tl__inert(h);
    tl_tape *tape = h.tape;
    const tl_dtype dtype = tl_dtype_of(h);
    const int64_t H = tl_dim(h, -1), V = tl_dim(w, 0), N = tl_shape_count(tl_shape_of(c));
    if (chunk == 0)
        chunk = chosen(N, V, tl_dtype_size(dtype));
    if (chunk >= V)
        return tl_cross_entropy(tl_linear(h, w, b), c, skip);

    /* real = c != skip;   loss = sum of real (m + log s - y) / max(sum of real, 1) */
    tl_scope_open(tape, "cross_entropy"); /* for the message about a class outside [0,V) */
    tl_tensor label = tl_reshape(c, tl_shape2(N, 1));
    tl_tensor one = tl_scalar(tape, dtype, 1), zero = tl_scalar(tape, dtype, 0);
    tl_tensor real = tl_not_equal(label, tl_scalar(tape, TL_I32, (double)skip));
    tl_tensor safe = tl_where(real, label, tl_scalar(tape, TL_I32, 0));
    const so_far a =
        blocks(tl_reshape(h, tl_shape2(N, H)), w, b, tl_check_range(safe, 0, V - 1), chunk);
    tl_tensor loss = tl_sub(tl_add(a.m, tl_log(a.s)), a.y);
    tl_tensor count = tl_sum_all(tl_where(real, one, zero));
    loss = tl_div(tl_sum_all(tl_where(real, loss, zero)), tl_maximum(count, one));
    tl_scope_close(tape);
    return loss;
}
