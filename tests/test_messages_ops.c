/* test_messages_ops.c -- every message of the operations. */
#include "tests/messages.h"

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

/* ---- views ----------------------------------------------------------------------------------- */

static const int three[] = {0, 1, 2};

RECORDS(transpose_axis, tl_transpose(f32(tape, 2, 3), 0, 2))
RECORDS(permute_count, tl_permute(f32(tape, 2, 3), 3, three))
RECORDS(permute_twice, tl_permute(f32(tape, 2, 3), 2, axes00))
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
RECORDS(matmul_scalar, tl_matmul(number(tape), f32(tape, 2, 3)))
RECORDS(matmul_batch, tl_matmul(tl_zeros(tape, TL_F32, tl_shape3(2, 3, 4)), tl_zeros(tape, TL_F32, tl_shape3(5, 4, 6))))
RECORDS(matmul_dtypes, tl_matmul(f32(tape, 2, 3), f64(tape, 3, 2)))
RECORDS(matmul_t_shapes, tl_matmul_t(f32(tape, 2, 3), 0, f32(tape, 4, 5), 1))
RECORDS(linear_shapes, tl_linear(f32(tape, 32, 28), f32(tape, 512, 100), vector(tape, 512)))
RECORDS(linear_no_bias, tl_linear(f32(tape, 32, 28), f32(tape, 512, 100), (tl_tensor){0}))
RECORDS(linear_dtypes, tl_linear(f32(tape, 2, 3), f64(tape, 4, 3), (tl_tensor){0}))
RECORDS(linear_bias_dtype, tl_linear(f32(tape, 2, 3), f32(tape, 4, 3), tl_zeros(tape, TL_F64, tl_shape1(4))))
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
RUNS(put_value, tl_put_along(f32(tape, 2, 3), tl_full(tape, TL_I32, tl_shape2(2, 3), 5), 1, 5))

/* ---- losses ---------------------------------------------------------------------------------- */

RECORDS(cross_entropy_shapes, tl_cross_entropy(f32(tape, 32, 10), ints(tape, 31, 0), -1))
RECORDS(cross_entropy_dtypes, tl_cross_entropy(f32(tape, 32, 10), vector(tape, 32), -1))
RUNS(cross_entropy_class, tl_cross_entropy(f32(tape, 3, 10), ints(tape, 3, 10), -1))
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
    ROW(mul_shapes, ESHAPE, "?"),
    ROW(mul_dtypes, EDTYPE, "?"),
    ROW(tanh_indices, EDTYPE, "?"),
    ROW(equal_dtypes, EDTYPE, "?"),
    ROW(cast_unknown, EDTYPE, "?"),
    ROW(sum_axis, ESHAPE, "?"),
    ROW(sum_twice, ESHAPE, "?"),
    ROW(mean_axis, ESHAPE, "?"),
    ROW(amax_indices, EDTYPE, "?"),
    ROW(amax_nothing, ESHAPE, "?"),
    ROW(amin_axis, ESHAPE, "?"),
    ROW(argmax_axis, ESHAPE, "?"),
    ROW(argmax_long, ESHAPE, "?"),
    ROW(softmax_axis, ESHAPE, "?"),
    ROW(softmax_indices, EDTYPE, "?"),
    ROW(softmax_scalar, ESHAPE, "?"),
    ROW(log_softmax_axis, ESHAPE, "?"),
    ROW(logsumexp_twice, ESHAPE, "?"),
    ROW(logsumexp_indices, EDTYPE, "?"),
    ROW(transpose_axis, ESHAPE, "?"),
    ROW(permute_count, ESHAPE, "?"),
    ROW(permute_twice, ESHAPE, "?"),
    ROW(flip_axis, ESHAPE, "?"),
    ROW(squeeze_extent, ESHAPE, "?"),
    ROW(expand_rank, ESHAPE, "?"),
    ROW(expand_axis, ESHAPE, "?"),
    ROW(chunk_divides, ESHAPE, "?"),
    ROW(chunk_number, ERANGE, "?"),
    ROW(part_axis, ESHAPE, "?"),
    ROW(index_range, ERANGE, "?"),
    ROW(unbind_count, ESHAPE, "?"),
    ROW(concat_shapes, ESHAPE, "?"),
    ROW(concat_dtypes, EDTYPE, "?"),
    ROW(concat_axis, ESHAPE, "?"),
    ROW(stack_shapes, ESHAPE, "?"),
    ROW(stack_axis, ESHAPE, "?"),
    ROW(stack_rank, ESHAPE, "?"),
    ROW(pad_negative, ERANGE, "?"),
    ROW(matmul_shapes, ESHAPE, "?"),
    ROW(matmul_scalar, ESHAPE, "?"),
    ROW(matmul_batch, ESHAPE, "?"),
    ROW(matmul_dtypes, EDTYPE, "?"),
    ROW(matmul_t_shapes, ESHAPE, "?"),
    ROW(linear_shapes, ESHAPE, "?"),
    ROW(linear_no_bias, ESHAPE, "?"),
    ROW(linear_dtypes, EDTYPE, "?"),
    ROW(linear_bias_dtype, EDTYPE, "?"),
    ROW(dot_shapes, ESHAPE, "?"),
    ROW(outer_rank, ESHAPE, "?"),
    ROW(contract_letters, EINVAL, "?"),
    ROW(contract_once, EINVAL, "?"),
    ROW(contract_shapes, ESHAPE, "?"),
    ROW(contract_rank, ESHAPE, "?"),
    ROW(gather_dtype, EDTYPE, "?"),
    ROW(gather_table, ESHAPE, "?"),
    ROW(gather_value, ERANGE, "?"),
    ROW(gather_negative, ERANGE, "?"),
    ROW(gather_scalar, ERANGE, "?"),
    ROW(scatter_shapes, ESHAPE, "?"),
    ROW(scatter_negative, ERANGE, "?"),
    ROW(scatter_dtype, EDTYPE, "?"),
    ROW(scatter_value, ERANGE, "?"),
    ROW(embedding_padding, ERANGE, "?"),
    ROW(one_hot_classes, ESHAPE, "?"),
    ROW(one_hot_dtype, EDTYPE, "?"),
    ROW(one_hot_unknown, EDTYPE, "?"),
    ROW(one_hot_value, ERANGE, "?"),
    ROW(take_axis, ESHAPE, "?"),
    ROW(take_shapes, ESHAPE, "?"),
    ROW(take_value, ERANGE, "?"),
    ROW(put_shapes, ESHAPE, "?"),
    ROW(put_extent, ERANGE, "?"),
    ROW(put_value, ERANGE, "?"),
    ROW(cross_entropy_shapes, ESHAPE, "?"),
    ROW(cross_entropy_dtypes, EDTYPE, "?"),
    ROW(cross_entropy_class, ERANGE, "?"),
    ROW(soft_scalar, ESHAPE, "?"),
    ROW(soft_shapes, ESHAPE, "?"),
    ROW(mse_shapes, ESHAPE, "?"),
    ROW(bce_dtypes, EDTYPE, "?"),
    ROW(bce_logits_shapes, ESHAPE, "?"),
    ROW(l1_indices, EDTYPE, "?"),
    ROW(huber_delta, ERANGE, "?"),
    ROW(rand_indices, EDTYPE, "?"),
    ROW(rand_shape, ESHAPE, "?"),
    ROW(bernoulli_p, ERANGE, "?"),
    ROW(dropout_p, ERANGE, "?"),
    ROW(dropout_nan, ERANGE, "?"),
    ROW(dropout_indices, EDTYPE, "?"),
    ROW(mask_p, ERANGE, "?"),
    ROW(categorical_scalar, ESHAPE, "?"),
    ROW(categorical_indices, EDTYPE, "?"),
    ROW(categorical_nothing, ESHAPE, "?"),
};

Test(messages_ops, say_what_came_and_what_was_wanted)
{
    walk_rows(COUNT(rows), rows);
}

Test(messages_ops, no_message_without_a_row)
{
    walk_rows(COUNT(rows), rows);
    check_sources("ops", 0, NULL, 0, NULL);
}
