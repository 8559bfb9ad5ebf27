/* test_messages_ops.c -- every message of the operations, but for gradients of the user's. */
#include "tests/messages.h"

#include "ops/merge_rows.h"

static tl_tensor f32(tl_tape *tape, int64_t a, int64_t b)
{
    return tl_zeros(tape, TL_F32, tl_shape2(a, b));
}

static tl_tensor f64(tl_tape *tape, int64_t a, int64_t b)
{
    return tl_zeros(tape, TL_F64, tl_shape2(a, b));
}

static tl_tensor vector(tl_tape *tape, int64_t n)
{
    return tl_zeros(tape, TL_F32, tl_shape1(n));
}

static tl_tensor ints(tl_tape *tape, int64_t n, int32_t value)
{
    return tl_full(tape, TL_I32, tl_shape1(n), value);
}

static tl_tensor number(tl_tape *tape)
{
    return tl_scalar(tape, TL_F32, 0);
}

static tl_tensor of_rank(tl_tape *tape, int rank)
{
    tl_shape s = {rank, {1, 1, 1, 1, 1, 1, 1, 1}};
    return tl_zeros(tape, TL_F32, s);
}

static const int axis0[] = {0}, axis5[] = {5}, axes00[] = {0, 0};

/* ---- elementwise ----------------------------------------------------------------------------- */

RECORDS(mul_shapes, tl_mul(f32(tape, 2, 3), f32(tape, 3, 2)))
RECORDS(mul_dtypes, tl_mul(f32(tape, 2, 3), f64(tape, 2, 3)))
RECORDS(tanh_indices, tl_tanh(ints(tape, 3, 0)))
RECORDS(equal_dtypes, tl_equal(ints(tape, 3, 0), vector(tape, 3)))
RECORDS(cast_unknown, tl_cast(f32(tape, 2, 3), (tl_dtype)9))

/* ---- reductions ------------------------------------------------------------------------------ */

RECORDS(sum_axis, tl_sum(f32(tape, 2, 3), 1, axis5, 0))
RECORDS(sum_twice, tl_sum(f32(tape, 2, 3), 2, axes00, 0))
RECORDS(mean_axis, tl_mean(f32(tape, 2, 3), 1, axis5, 0))
RECORDS(sum_nothing, tl_sum(f32(tape, 2, 3), 2, NULL, 0))
RECORDS(sum_fewer, tl_sum(f32(tape, 2, 3), -1, axis0, 0))
RECORDS(amax_indices, tl_amax(ints(tape, 3, 0), 1, axis0, 0))
RECORDS(amax_nothing, tl_amax(f32(tape, 0, 3), 1, axis0, 0))
RECORDS(amin_axis, tl_amin(f32(tape, 2, 3), 1, axis5, 0))
RECORDS(argmax_axis, tl_argmax(f32(tape, 2, 3), -3))
RECORDS(argmax_long, tl_argmax(tl_zeros(tape, TL_F32, tl_shape1((int64_t)1 << 31)), 0))
RECORDS(softmax_axis, tl_softmax(f32(tape, 2, 3), 2))
RECORDS(softmax_indices, tl_softmax(ints(tape, 3, 0), 0))
RECORDS(softmax_scalar, tl_softmax(number(tape), -1))
RECORDS(log_softmax_axis, tl_log_softmax(f32(tape, 2, 3), 2))
RECORDS(logsumexp_twice, tl_logsumexp(f32(tape, 2, 3), 2, axes00, 0))
RECORDS(logsumexp_indices, tl_logsumexp(ints(tape, 3, 0), 1, axis0, 0))

RECORDS(var_correction, tl_var(f32(tape, 2, 3), 1, axis0, 2, 0))
RECORDS(var_axis, tl_var(f32(tape, 2, 3), 1, axis5, 0, 0))
RECORDS(std_negative, tl_std(f32(tape, 2, 3), 1, axis0, -1, 0))
RECORDS(std_nothing, tl_std(f32(tape, 0, 3), 1, axis0, 0, 0))
RECORDS(norm_p, tl_norm(f32(tape, 2, 3), 0, 1, axis0, 0))
RECORDS(norm_nan, tl_norm(f32(tape, 2, 3), CHECK_NAN, 1, axis0, 0))
RECORDS(norm_twice, tl_norm(f32(tape, 2, 3), 2, 2, axes00, 0))
RECORDS(norm_greatest, tl_norm(f32(tape, 0, 3), CHECK_INF, 1, axis0, 0))
RECORDS(prod_axis, tl_prod(f32(tape, 2, 3), 1, axis5, 0))
RECORDS(prod_indices, tl_prod_all(ints(tape, 3, 0)))
RECORDS(cumsum_axis, tl_cumsum(f32(tape, 2, 3), 2))
RECORDS(cumsum_scalar, tl_cumsum(number(tape), 0))
RECORDS(cumsum_indices, tl_cumsum(ints(tape, 3, 0), 0))
RECORDS(fill_shapes, tl_masked_fill(f32(tape, 1, 3), f32(tape, 2, 3), 0))
RECORDS(fill_dtypes, tl_masked_fill(f32(tape, 2, 3), f64(tape, 2, 3), 0))
RECORDS(tril_vector, tl_tril(vector(tape, 3), 0))
RECORDS(triu_scalar, tl_triu(number(tape), 0))

/* ---- views ----------------------------------------------------------------------------------- */

static const int three[] = {0, 1, 2};

RECORDS(transpose_axis, tl_transpose(f32(tape, 2, 3), 0, 2))
RECORDS(permute_count, tl_permute(f32(tape, 2, 3), 3, three))
RECORDS(permute_twice, tl_permute(f32(tape, 2, 3), 2, axes00))
RECORDS(permute_nothing, tl_permute(f32(tape, 2, 3), 2, NULL))
RECORDS(unbind_nowhere, tl_unbind(f32(tape, 2, 3), 2, NULL))
RECORDS(flip_axis, tl_flip(f32(tape, 2, 3), -3))
RECORDS(squeeze_extent, tl_squeeze(f32(tape, 2, 3), 1))
RECORDS(expand_rank, tl_expand_dims(of_rank(tape, TL_MAX_RANK), 0))
RECORDS(expand_axis, tl_expand_dims(f32(tape, 2, 3), 4))
RECORDS(chunk_divides, tl_chunk(f32(tape, 2, 10), 4, 0))
RECORDS(chunk_number, tl_chunk(f32(tape, 2, 12), 4, 4))
RECORDS(part_axis, tl_part(f32(tape, 2, 12), 2, 2, 0))
RECORDS(index_range, tl_index(f32(tape, 2, 3), 0, 2))
RECORDS(unbind_count, tl_tensor out[3]; tl_unbind(f32(tape, 2, 3), 3, out))
RECORDS(concat_shapes, tl_tensor t[] = {f32(tape, 2, 3), f32(tape, 3, 4)}; tl_concat(2, t, 0))
RECORDS(concat_dtypes, tl_tensor t[] = {f32(tape, 2, 3), f64(tape, 2, 3)}; tl_concat(2, t, 0))
RECORDS(concat_axis, tl_tensor t[] = {f32(tape, 2, 3), f32(tape, 2, 3)}; tl_concat(2, t, 2))
RECORDS(stack_shapes, tl_tensor t[] = {f32(tape, 2, 3), f32(tape, 3, 2)}; tl_stack(2, t, 0))
RECORDS(stack_axis, tl_tensor t[] = {f32(tape, 2, 3), f32(tape, 2, 3)}; tl_stack(2, t, 4))
RECORDS(stack_rank, tl_tensor t[] = {of_rank(tape, 8), of_rank(tape, 8)}; tl_stack(2, t, 0))
RECORDS(pad_negative, tl_pad(f32(tape, 2, 3), 0, -1, 0))

/* ---- products -------------------------------------------------------------------------------- */

RECORDS(matmul_shapes, tl_matmul(f32(tape, 32, 100), f32(tape, 128, 512)))
RECORDS(matmul_turned, tl_matmul(f32(tape, 32, 100), f32(tape, 512, 100)))
RECORDS(matmul_scalar, tl_matmul(number(tape), f32(tape, 2, 3)))
RECORDS(matmul_batch, tl_matmul(tl_zeros(tape, TL_F32, tl_shape3(2, 3, 4)),
                                tl_zeros(tape, TL_F32, tl_shape3(5, 4, 6))))
RECORDS(matmul_dtypes, tl_matmul(f32(tape, 2, 3), f64(tape, 3, 2)))
RECORDS(matmul_t_shapes, tl_matmul_t(f32(tape, 2, 3), 0, f32(tape, 4, 5), 1))
RECORDS(linear_shapes, tl_linear(f32(tape, 32, 28), f32(tape, 512, 100), vector(tape, 512)))
RECORDS(linear_no_bias, tl_linear(f32(tape, 32, 28), f32(tape, 512, 100), (tl_tensor){0}))
RECORDS(linear_dtypes, tl_linear(f32(tape, 2, 3), f64(tape, 4, 3), (tl_tensor){0}))
RECORDS(linear_bias_dtype,
        tl_linear(f32(tape, 2, 3), f32(tape, 4, 3), tl_zeros(tape, TL_F64, tl_shape1(4))))
RECORDS(dot_shapes, tl_dot(vector(tape, 2), vector(tape, 3)))
RECORDS(outer_rank, tl_outer(of_rank(tape, 5), of_rank(tape, 4)))
RECORDS(contract_letters, tl_contract(f32(tape, 2, 3), f32(tape, 3, 4), "ik,kj"))
RECORDS(contract_once, tl_contract(f32(tape, 2, 3), f32(tape, 3, 4), "ik,kj->i"))
RECORDS(contract_shapes, tl_contract(f32(tape, 2, 3), f32(tape, 2, 4), "ik,kj->ij"))
RECORDS(contract_rank, tl_contract(f32(tape, 2, 3), f32(tape, 3, 4), "tbi,hi->tbh"))

/* ---- indices --------------------------------------------------------------------------------- */

/* Values are checked when they are read. */
#define RUNS(NAME, EXPRESSION) RECORDS(NAME, tl_tensor t = EXPRESSION; tl_eval(1, &t))

RECORDS(gather_dtype, tl_gather(f32(tape, 4, 3), vector(tape, 2)))
RECORDS(gather_table, tl_gather(number(tape), ints(tape, 2, 0)))
RUNS(gather_value, tl_gather(f32(tape, 4, 3), ints(tape, 2, 4)))
RUNS(gather_negative, tl_gather(f32(tape, 4, 3), ints(tape, 2, -1)))
RUNS(gather_scalar, tl_gather(f32(tape, 4, 3), tl_scalar(tape, TL_I32, 7)))
RECORDS(scatter_shapes, tl_scatter_add(f32(tape, 2, 3), ints(tape, 4, 0), 5))
RECORDS(scatter_negative, tl_scatter_add(f32(tape, 2, 3), ints(tape, 2, 0), -5))
RECORDS(scatter_dtype, tl_scatter_add(tl_zeros(tape, TL_I32, tl_shape2(2, 3)), ints(tape, 2, 0), 5))
RUNS(scatter_value, tl_scatter_add(f32(tape, 2, 3), ints(tape, 2, 5), 5))
RECORDS(embedding_padding, tl_embedding(f32(tape, 4, 3), ints(tape, 2, 0), 4))
RECORDS(one_hot_classes, tl_one_hot(ints(tape, 2, 0), -1, TL_F32))
RECORDS(one_hot_dtype, tl_one_hot(vector(tape, 2), 3, TL_F32))
RECORDS(one_hot_unknown, tl_one_hot(ints(tape, 2, 0), 3, (tl_dtype)7))
RUNS(one_hot_value, tl_one_hot(ints(tape, 2, 9), 3, TL_F32))
RECORDS(take_axis, tl_take_along(f32(tape, 2, 3), tl_zeros(tape, TL_I32, tl_shape2(2, 1)), 2))
RECORDS(take_shapes, tl_take_along(f32(tape, 2, 3), tl_zeros(tape, TL_I32, tl_shape2(3, 1)), 1))
RUNS(take_value, tl_take_along(f32(tape, 2, 3), tl_full(tape, TL_I32, tl_shape2(2, 1), 3), 1))
RECORDS(put_shapes, tl_put_along(f32(tape, 2, 3), tl_zeros(tape, TL_I32, tl_shape2(2, 1)), 1, 5))
RECORDS(put_extent, tl_put_along(f32(tape, 2, 3), tl_zeros(tape, TL_I32, tl_shape2(2, 3)), 1, -5))
RECORDS(select_axis, tl_index_select(f32(tape, 2, 3), 2, ints(tape, 3, 0)))
RECORDS(select_dtype, tl_index_select(f32(tape, 2, 3), 1, vector(tape, 3)))
RECORDS(select_rank, tl_index_select(of_rank(tape, 8), 1, tl_zeros(tape, TL_I32, tl_shape2(2, 3))))
RUNS(select_value, tl_index_select(f32(tape, 2, 3), 1, ints(tape, 3, 3)))
RECORDS(add_axis, tl_index_add(f32(tape, 2, 3), -3, ints(tape, 3, 0), f32(tape, 2, 3)))
RECORDS(add_shapes, tl_index_add(f32(tape, 2, 3), 1, ints(tape, 4, 0), f32(tape, 2, 3)))
RECORDS(add_dtypes, tl_index_add(f32(tape, 2, 3), 1, ints(tape, 4, 0), f64(tape, 2, 4)))
RUNS(put_value, tl_put_along(f32(tape, 2, 3), tl_full(tape, TL_I32, tl_shape2(2, 3), 5), 1, 5))

/* ---- losses ---------------------------------------------------------------------------------- */

RECORDS(cross_entropy_shapes, tl_cross_entropy(f32(tape, 32, 10), ints(tape, 31, 0), -1))
RECORDS(cross_entropy_dtypes, tl_cross_entropy(f32(tape, 32, 10), vector(tape, 32), -1))
RUNS(cross_entropy_class, tl_cross_entropy(f32(tape, 3, 10), ints(tape, 3, 10), -1))
RECORDS(vocab_shapes, tl_linear_cross_entropy(f32(tape, 3, 2), f32(tape, 5, 4), vector(tape, 5),
                                              ints(tape, 3, 0), -1, 2))
RECORDS(vocab_dtypes, tl_linear_cross_entropy(f32(tape, 3, 4), f64(tape, 5, 4), (tl_tensor){0},
                                              ints(tape, 3, 0), -1, 2))
RECORDS(vocab_chunk, tl_linear_cross_entropy(f32(tape, 3, 4), f32(tape, 5, 4), (tl_tensor){0},
                                             ints(tape, 3, 0), -1, -2))
RUNS(vocab_class, tl_linear_cross_entropy(f32(tape, 3, 4), f32(tape, 5, 4), (tl_tensor){0},
                                          ints(tape, 3, 5), -1, 2))
RECORDS(merge_shapes, tl__merge_rows(f32(tape, 3, 2), ints(tape, 2, 0)))
RECORDS(merge_dtypes, tl__merge_rows(f32(tape, 3, 2), vector(tape, 3)))
RECORDS(soft_scalar, tl_cross_entropy_soft(number(tape), number(tape)))
RECORDS(soft_shapes, tl_cross_entropy_soft(f32(tape, 2, 3), f32(tape, 2, 4)))
RECORDS(mse_shapes, tl_mse(vector(tape, 4), f32(tape, 4, 1)))
RECORDS(bce_dtypes, tl_bce(f32(tape, 2, 3), f64(tape, 2, 3)))
RECORDS(bce_logits_shapes, tl_bce_with_logits(vector(tape, 4), f32(tape, 4, 1)))
RECORDS(l1_indices, tl_l1(ints(tape, 3, 0), ints(tape, 3, 0)))
RECORDS(huber_delta, tl_huber(vector(tape, 4), vector(tape, 4), 0))

/* ---- noise ----------------------------------------------------------------------------------- */

RECORDS(rand_indices, tl_rand(tape, TL_I32, tl_shape2(2, 3)))
RECORDS(rand_shape, tl_rand(tape, TL_F32, tl_shape2(2, -3)))
RECORDS(bernoulli_p, tl_bernoulli(tape, TL_F32, tl_shape2(2, 3), 1.5))
RECORDS(dropout_p, tl_dropout(f32(tape, 2, 3), -0.5))
RECORDS(dropout_nan, tl_dropout(f32(tape, 2, 3), CHECK_NAN))
RECORDS(dropout_indices, tl_dropout(ints(tape, 3, 0), 0.5))
RECORDS(mask_p, tl_dropout_mask(tape, TL_F32, tl_shape2(2, 3), 2))
RECORDS(categorical_scalar, tl_categorical(number(tape)))
RECORDS(categorical_indices, tl_categorical(ints(tape, 3, 0)))
RECORDS(categorical_nothing, tl_categorical(f32(tape, 3, 0)))

static const row rows[] = {
    ROW(mul_shapes, ESHAPE, "mul: got [2,3] and [3,2], want shapes that broadcast together"),
    ROW(mul_dtypes, EDTYPE,
        "mul: got f32 [2,3] and f64 [2,3], want equal element types (tl_cast converts)"),
    ROW(tanh_indices, EDTYPE, "tanh: got i32 [3], want f32 or f64 (tl_cast converts)"),
    ROW(equal_dtypes, EDTYPE,
        "equal: got i32 [3] and f32 [3], want equal element types (tl_cast converts)"),
    ROW(cast_unknown, EDTYPE, "cast: got 9, want TL_F32, TL_F64 or TL_I32"),
    ROW(sum_axis, ESHAPE, "sum: got axis 5 of [2,3], want one in [-2,2)"),
    ROW(sum_twice, ESHAPE, "sum: got axis 0 of [2,3] twice"),
    ROW(sum_nothing, EINVAL, "sum: got 2 axes (NULL), want 0 or more and their numbers"),
    ROW(sum_fewer, EINVAL, "sum: got -1 axes, want 0 or more and their numbers"),
    ROW(mean_axis, ESHAPE, "mean: got axis 5 of [2,3], want one in [-2,2)"),
    ROW(amax_indices, EDTYPE, "amax: got i32 [3], want f32 or f64 (tl_cast converts)"),
    ROW(amax_nothing, ESHAPE, "amax: got [0,3], want one element at least along the reduced axes"),
    ROW(amin_axis, ESHAPE, "amin: got axis 5 of [2,3], want one in [-2,2)"),
    ROW(argmax_axis, ESHAPE, "argmax: got axis -3 of [2,3], want one in [-2,2)"),
    ROW(argmax_long, ESHAPE, "argmax: got an axis of 2147483648 elements, want less than 2^31"),
    ROW(softmax_axis, ESHAPE, "softmax: got axis 2 of [2,3], want one in [-2,2)"),
    ROW(softmax_indices, EDTYPE, "softmax: got i32 [3], want f32 or f64 (tl_cast converts)"),
    ROW(softmax_scalar, ESHAPE, "softmax: got axis -1 of [], want one in [0,0)"),
    ROW(log_softmax_axis, ESHAPE, "log_softmax: got axis 2 of [2,3], want one in [-2,2)"),
    ROW(logsumexp_twice, ESHAPE, "logsumexp: got axis 0 of [2,3] twice"),
    ROW(logsumexp_indices, EDTYPE, "logsumexp: got i32 [3], want f32 or f64 (tl_cast converts)"),
    ROW(var_correction, ERANGE,
        "var: got correction 2 for 2 elements of [2,3], want 0 or more and less than the elements"),
    ROW(var_axis, ESHAPE, "var: got axis 5 of [2,3], want one in [-2,2)"),
    ROW(std_negative, ERANGE,
        "std: got correction -1 for 2 elements of [2,3], want 0 or more and less than the "
        "elements"),
    ROW(std_nothing, ERANGE,
        "std: got correction 0 for 0 elements of [0,3], want 0 or more and less than the elements"),
    ROW(norm_p, ERANGE, "norm: got p = 0, want more than 0 (INFINITY: the greatest)"),
    ROW(norm_nan, ERANGE, "norm: got p = nan, want more than 0 (INFINITY: the greatest)"),
    ROW(norm_twice, ESHAPE, "norm: got axis 0 of [2,3] twice"),
    ROW(norm_greatest, ESHAPE, "amax: got [0,3], want one element at least along the reduced axes"),
    ROW(prod_axis, ESHAPE, "prod: got axis 5 of [2,3], want one in [-2,2)"),
    ROW(prod_indices, EDTYPE, "prod_all: got i32 [3], want f32 or f64 (tl_cast converts)"),
    ROW(cumsum_axis, ESHAPE, "cumsum: got axis 2 of [2,3], want one in [-2,2)"),
    ROW(cumsum_scalar, ESHAPE, "cumsum: got axis 0 of [], want one in [0,0)"),
    ROW(cumsum_indices, EDTYPE, "cumsum: got i32 [3], want f32 or f64 (tl_cast converts)"),
    ROW(fill_shapes, ESHAPE,
        "masked_fill: got [1,3], mask [2,3], want a mask that repeats to the shape"),
    ROW(fill_dtypes, EDTYPE, "masked_fill: got f32, mask f64, want a mask of f32 or i32"),
    ROW(tril_vector, ESHAPE, "tril: got [3], want [...,m,n]"),
    ROW(triu_scalar, ESHAPE, "triu: got [], want [...,m,n]"),
    ROW(transpose_axis, ESHAPE, "transpose: got axis 2 for [2,3], want one in [-2,2)"),
    ROW(permute_count, ESHAPE, "permute: got 3 axes for [2,3], want all 2"),
    ROW(permute_twice, ESHAPE, "permute: got axis 0 of [2,3] twice"),
    ROW(permute_nothing, EINVAL, "permute: got 2 axes (NULL) for [2,3], want all 2"),
    ROW(unbind_nowhere, EINVAL,
        "unbind: got 2 tensors (NULL) for [2,3], want as many as the leading axis has"),
    ROW(flip_axis, ESHAPE, "flip: got axis -3 for [2,3], want one in [-2,2)"),
    ROW(squeeze_extent, ESHAPE, "squeeze: got axis 1 of [2,3], want one of extent 1"),
    ROW(expand_rank, ESHAPE, "expand_dims: got rank 8, want less than 8"),
    ROW(expand_axis, ESHAPE, "expand_dims: got axis 4 for [2,3], want one in [-3,3)"),
    ROW(chunk_divides, ESHAPE, "chunk: got axis -1 of [2,10], want an extent that 4 divides"),
    ROW(chunk_number, ERANGE, "chunk: got part 4 of 4, want 0 to 3"),
    ROW(part_axis, ESHAPE, "part: got axis 2 for [2,12], want one in [-2,2)"),
    ROW(index_range, ERANGE, "index: got element 2 of axis 0 of [2,3], want one in [-2,2)"),
    ROW(unbind_count, ESHAPE,
        "unbind: got 3 tensors for [2,3], want as many as the leading axis has"),
    ROW(concat_shapes, ESHAPE,
        "concat: got [2,3] and, as piece 1, [3,4], want equal extents but along the axis"),
    ROW(concat_dtypes, EDTYPE, "concat: got f32 and, as piece 1, f64, want one type"),
    ROW(concat_axis, ESHAPE, "concat: got axis 2 for [2,3], want one in [-2,2)"),
    ROW(stack_shapes, ESHAPE, "stack: got [2,3] and, as piece 1, [3,2], want equal extents"),
    ROW(stack_axis, ESHAPE, "stack: got axis 4 for [2,3], want one in [-3,3)"),
    ROW(stack_rank, ESHAPE, "stack: got rank 8, want less than 8"),
    ROW(pad_negative, ERANGE, "pad: got -1 and 0, want 0 to 1152921504606846975"),
    ROW(matmul_shapes, ESHAPE, "matmul: got [32,100] x [128,512], want [m,k] x [k,n]"),
    ROW(matmul_turned, ESHAPE,
        "matmul: got [32,100] x [512,100], want [m,k] x [k,n] (the second one turned would fit: "
        "tl_matmul_t)"),
    ROW(matmul_scalar, ESHAPE, "matmul: got [] x [2,3], want [...,m,k] x [k,n]"),
    ROW(matmul_batch, ESHAPE, "matmul: got [2,3,4] x [5,4,6], want [...,m,k] x [...,k,n]"),
    ROW(matmul_dtypes, EDTYPE, "matmul: got f32 x f64, want f32 x f32 or f64 x f64"),
    ROW(matmul_t_shapes, ESHAPE, "matmul_t: got [2,3] x [4,5], want [m,k] x [n,k]"),
    ROW(linear_shapes, ESHAPE,
        "linear: got x [32,28], w [512,100], b [512], want x [...,I], w [H,I], b [H]"),
    ROW(linear_no_bias, ESHAPE,
        "linear: got x [32,28], w [512,100], b none, want x [...,I], w [H,I], b [H]"),
    ROW(linear_dtypes, EDTYPE, "linear: got f32 x f64, want f32 x f32 or f64 x f64"),
    ROW(linear_bias_dtype, EDTYPE, "linear: got w f32, b f64, want equal element types"),
    ROW(dot_shapes, ESHAPE, "dot: got [2] x [3], want [k] x [k]"),
    ROW(outer_rank, ESHAPE, "outer: got ranks 5 and 4, want 8 together at most"),
    ROW(contract_letters, EINVAL,
        "contract: got labels \"ik,kj\", want letters as in \"tbi,hi->tbh\", none twice in one "
        "operand"),
    ROW(contract_once, EINVAL,
        "contract: got labels \"ik,kj->i\", want each in two places at least"),
    ROW(contract_shapes, ESHAPE, "contract: got [2,3] x [2,4], want [m,k] x [k,n]"),
    ROW(contract_rank, ESHAPE, "contract: got [2,3] x [3,4], want [m0,m1,k] x [n,k]"),
    ROW(gather_dtype, EDTYPE, "gather: got f32 indices, want i32"),
    ROW(gather_table, ESHAPE,
        "gather: got table [], indices [2], want [V,...], [...] and rank 8 at most together"),
    ROW(gather_value, ERANGE, "gather: got index 4 at [0], want one in [0,4)"),
    ROW(gather_negative, ERANGE, "gather: got index -1 at [0], want one in [0,4)"),
    ROW(gather_scalar, ERANGE, "gather: got index 7, want one in [0,4)"),
    ROW(scatter_shapes, ESHAPE,
        "scatter_add: got rows [2,3], indices [4], want [I...,...], [I...]"),
    ROW(scatter_negative, ERANGE, "scatter_add: got -5 rows, want 0 or more"),
    ROW(scatter_dtype, EDTYPE, "scatter_add: got i32, want f32 or f64"),
    ROW(scatter_value, ERANGE, "scatter_add: got index 5 at [0], want one in [0,5)"),
    ROW(embedding_padding, ERANGE, "embedding: got padding row 4, want -1 or one in [0,4)"),
    ROW(one_hot_classes, ESHAPE,
        "one_hot: got -1 classes for rank 1, want 0 or more, and rank less than 8"),
    ROW(one_hot_dtype, EDTYPE, "one_hot: got f32 indices, want i32"),
    ROW(one_hot_unknown, EDTYPE, "one_hot: got element type 7, want TL_F32, TL_F64 or TL_I32"),
    ROW(one_hot_value, ERANGE, "one_hot: got index 9 at [0], want one in [0,3)"),
    ROW(take_axis, ESHAPE, "take_along: got axis 2 of [2,3], want one in [-2,2)"),
    ROW(take_shapes, ESHAPE,
        "take_along: got [2,3], indices [3,1], want equal extents but along axis 1"),
    ROW(take_value, ERANGE, "take_along: got index 3 at [0,0], want one in [0,3)"),
    ROW(put_shapes, ESHAPE, "put_along: got [2,3], indices [2,1], want equal shapes"),
    ROW(put_extent, ERANGE, "put_along: got extent -5, want 0 or more"),
    ROW(select_axis, ESHAPE, "index_select: got axis 2 of [2,3], want one in [-2,2)"),
    ROW(select_dtype, EDTYPE, "index_select: got f32 indices, want i32"),
    ROW(select_rank, ESHAPE,
        "index_select: got [1,1,1,1,1,1,1,1], indices [2,3], want rank 8 at most together"),
    ROW(select_value, ERANGE, "gather: got index 3 at [0], want one in [0,3)"),
    ROW(add_axis, ESHAPE, "index_add: got axis -3 of [2,3], want one in [-2,2)"),
    ROW(add_shapes, ESHAPE, "index_add: got [2,3] to add to [2,3], want [2,4]"),
    ROW(add_dtypes, EDTYPE, "index_add: got f64 to add to f32, want f32 to f32 or f64 to f64"),
    ROW(put_value, ERANGE, "put_along: got index 5 at [0,0], want one in [0,5)"),
    ROW(cross_entropy_shapes, ESHAPE,
        "cross_entropy: got logits [32,10], classes [31], want [...,K], [...]"),
    ROW(cross_entropy_dtypes, EDTYPE,
        "cross_entropy: got f32 logits, f32 classes, want f32 or f64, i32"),
    ROW(cross_entropy_class, ERANGE,
        "cross_entropy: take_along: got index 10 at [0,0], want one in [0,10)"),
    ROW(vocab_shapes, ESHAPE,
        "linear_cross_entropy: got [3,2], weights [5,4], bias [5], classes [3], want [...,H], "
        "[V,H], [V], [...]"),
    ROW(vocab_dtypes, EDTYPE,
        "linear_cross_entropy: got f32, f64 weights, no bias, i32 classes, want f32 or f64 all, "
        "i32"),
    ROW(vocab_chunk, ERANGE, "linear_cross_entropy: got chunk -2, want 0 or more"),
    ROW(vocab_class, ERANGE, "cross_entropy: check_range: got 5 as element 0, want 0 to 4"),
    ROW(merge_shapes, ESHAPE, "merge_rows: got rows [3,2], indices [2], want [n,...], [n]"),
    ROW(merge_dtypes, EDTYPE, "merge_rows: got f32 rows, f32 indices, want f32 or f64, i32"),
    ROW(soft_scalar, ESHAPE, "cross_entropy_soft: got logits [], want [...,K]"),
    ROW(soft_shapes, ESHAPE,
        "cross_entropy_soft: got [2,3] and [2,4], want equal shapes (tl_reshape)"),
    ROW(mse_shapes, ESHAPE, "mse: got [4] and [4,1], want equal shapes (tl_reshape)"),
    ROW(bce_dtypes, EDTYPE, "bce: got f32 and f64, want f32 and f32 or f64 and f64"),
    ROW(bce_logits_shapes, ESHAPE,
        "bce_with_logits: got [4] and [4,1], want equal shapes (tl_reshape)"),
    ROW(l1_indices, EDTYPE, "l1: got i32 and i32, want f32 and f32 or f64 and f64"),
    ROW(huber_delta, ERANGE, "huber: got delta 0, want more than 0"),
    ROW(rand_indices, EDTYPE, "uniform: got i32, want f32 or f64"),
    ROW(rand_shape, ESHAPE, "uniform: invalid or too large shape [2,-3]"),
    ROW(bernoulli_p, ERANGE, "bernoulli: got probability 1.5, want one in [0,1]"),
    ROW(dropout_p, ERANGE, "dropout: got probability -0.5, want one in [0,1]"),
    ROW(dropout_nan, ERANGE, "dropout: got probability nan, want one in [0,1]"),
    ROW(dropout_indices, EDTYPE, "dropout: got i32, want f32 or f64"),
    ROW(mask_p, ERANGE, "dropout_mask: got probability 2, want one in [0,1]"),
    ROW(categorical_scalar, ESHAPE, "categorical: got logits [], want [...,K], K >= 1"),
    ROW(categorical_indices, EDTYPE, "categorical: got i32, want f32 or f64"),
    ROW(categorical_nothing, ESHAPE, "categorical: got logits [3,0], want [...,K], K >= 1"),
};

/* Of two the errors are on a tape that they free; what they report is compared in test_check_grad.c
 * and test_check_op.c. */
static const char *const elsewhere_tested[] = {"again.c", "check_grad.c", "check_op.c", "custom.c",
                                               NULL};

Test(messages_ops, say_what_came_and_what_was_wanted)
{
    walk_rows(COUNT(rows), rows);
}

Test(messages_ops, no_message_without_a_row)
{
    walk_rows(COUNT(rows), rows);
    check_sources("ops", 0, elsewhere_tested, 0, NULL);
}
