/* test_messages_scan.c -- every message of the loop on the tape, and of planning. */
#include "tests/messages.h"

static tl_tensor zeros(tl_tape *tape, int64_t a, int64_t b)
{
    return tl_zeros(tape, TL_F32, tl_shape2(a, b));
}

/* A scan of 3 steps named "rnn" with one carry h [2,4], as most rows begin. */
typedef struct loop {
    tl_scan s;
    tl_tensor h;
} loop;

static loop begin(tl_tape *tape)
{
    tl_scan_opts o = tl_scan_defaults();
    o.name = "rnn";
    loop l;
    tl_tensor init = zeros(tape, 2, 4);
    l.s = tl_scan_open(tape, 3, &o);
    l.h = tl_name(tl_scan_carry(l.s, init), "h");
    return l;
}

static loop end(loop l)
{
    tl_scan_next(l.s, l.h, tl_tanh(l.h));
    tl_scan_close(l.s);
    return l;
}

static tl_tape *other;

static tl_tensor elsewhere(void)
{
    cr_assert_eq(tl_tape_reset(other), TL_OK);
    return tl_zeros(other, TL_F32, tl_shape2(2, 4));
}

static tl_scan open_with(tl_tape *tape, int64_t T, tl_tensor lengths)
{
    tl_scan_opts o = tl_scan_defaults();
    o.lengths = lengths;
    return tl_scan_open(tape, T, &o);
}

static tl_tensor lengths_of(tl_tape *tape)
{
    const int32_t n[] = {3, 1};
    return tl_input_i32(tape, tl_shape1(2), n);
}

/* ---- opening --------------------------------------------------------------------------------- */

RECORDS(open_negative, tl_scan_open(tape, -1, NULL))
RECORDS(lengths_dtype, open_with(tape, 3, tl_zeros(tape, TL_F32, tl_shape1(2))))
RECORDS(lengths_rank, open_with(tape, 3, tl_zeros(tape, TL_I32, tl_shape2(2, 1))))

static int lengths_value(tl_tape *tape, tl_err *err)
{
    (void)err;
    const int32_t n[] = {3, 4};
    tl_tensor h0 = zeros(tape, 2, 4);
    tl_scan s = open_with(tape, 3, tl_input_i32(tape, tl_shape1(2), n));
    tl_tensor h = tl_scan_carry(s, h0);
    tl_scan_next(s, h, tl_tanh(h));
    tl_scan_close(s);
    tl_tensor last = tl_scan_last(s, h);
    return tl_eval(1, &last);
}

/* ---- the body -------------------------------------------------------------------------------- */

RECORDS(carry_two_tapes, tl_scan_carry(begin(tape).s, elsewhere()))

static int carry_two_tapes_second(tl_tape *tape, tl_err *err)
{
    tl_scan_carry(begin(tape).s, elsewhere());
    return of_the_other(tape, other, err);
}

RECORDS(carry_of_body, loop l = begin(tape); tl_scan_carry(l.s, tl_tanh(l.h)))
RECORDS(carry_inert, loop l = begin(tape); tl_scan_carry(l.s, (tl_tensor){0}))
RECORDS(carry_no_rows, tl_scan_carry(open_with(tape, 3, lengths_of(tape)), zeros(tape, 5, 4)))
RECORDS(carry_closed, loop l = end(begin(tape)); tl_scan_carry(l.s, zeros(tape, 2, 4)))
RECORDS(each_length, loop l = begin(tape); tl_scan_each(l.s, zeros(tape, 5, 4)))
RECORDS(each_scalar, loop l = begin(tape); tl_scan_each(l.s, tl_scalar(tape, TL_F32, 0)))
RECORDS(each_no_rows, tl_scan_each(open_with(tape, 3, lengths_of(tape)), zeros(tape, 3, 7)))
RECORDS(time_closed, tl_scan_time(end(begin(tape)).s))

RECORDS(next_no_carry, loop l = begin(tape); tl_scan_next(l.s, tl_tanh(l.h), l.h))
RECORDS(next_carry_elsewhere, loop l = begin(tape); tl_scan_next(l.s, elsewhere(), l.h))
RECORDS(next_elsewhere, loop l = begin(tape); tl_scan_next(l.s, l.h, elsewhere()))
RECORDS(next_twice, loop l = begin(tape); tl_scan_next(l.s, l.h, l.h); tl_scan_next(l.s, l.h, l.h))
RECORDS(next_dtype, loop l = begin(tape); tl_scan_next(l.s, l.h, tl_cast(l.h, TL_F64)))
RECORDS(next_shape, loop l = begin(tape); tl_scan_next(l.s, l.h, tl_slice(l.h, 1, 0, 3)))

RECORDS(in_the_body, loop l = begin(tape); tl_matmul(l.h, zeros(tape, 3, 4)))

/* ---- closing --------------------------------------------------------------------------------- */

RECORDS(close_missing_next, tl_scan_close(begin(tape).s))
RECORDS(close_inner_open, loop l = begin(tape); tl_scan_next(l.s, l.h, l.h);
        tl_scan_open(tape, 2, NULL); tl_scan_close(l.s))
RECORDS(close_scope_open, loop l = begin(tape); tl_scan_next(l.s, l.h, l.h);
        tl_scope_open(tape, "gates"); tl_scan_close(l.s))
RECORDS(close_twice, tl_scan_close(end(begin(tape)).s))
RECORDS(close_dead, loop l = end(begin(tape)); tl_tape_reset(tape); tl_scan_close(l.s))

/* ---- results --------------------------------------------------------------------------------- */

RECORDS(last_open, loop l = begin(tape); tl_scan_last(l.s, l.h))
RECORDS(last_no_carry, loop l = end(begin(tape)); tl_scan_last(l.s, zeros(tape, 2, 4)))
RECORDS(stacked_elsewhere, tl_scan_stacked(end(begin(tape)).s, elsewhere()))

static int stacked_other_scan(tl_tape *tape, tl_err *err)
{
    (void)err;
    loop a = end(begin(tape));
    tl_scan_opts o = tl_scan_defaults();
    o.name = "decoder";
    tl_scan b = tl_scan_open(tape, 3, &o);
    tl_tensor h = tl_scan_carry(b, zeros(tape, 2, 4));
    tl_scan_next(b, h, h);
    tl_scan_close(b);
    tl_scan_stacked(b, a.h);
    return tl_tape_status(tape);
}

static int stacked_of_outer_body(tl_tape *tape, tl_err *err)
{
    (void)err;
    loop outer = begin(tape);
    tl_scan_opts o = tl_scan_defaults();
    o.name = "inner";
    o.lengths = lengths_of(tape);
    tl_scan inner = tl_scan_open(tape, 3, &o);
    tl_tensor k = tl_scan_carry(inner, outer.h);
    tl_scan_next(inner, k, k);
    tl_scan_close(inner);
    tl_scan_stacked(inner, outer.h);
    return tl_tape_status(tape);
}

static int result_of_inner(tl_tape *tape, tl_err *err)
{
    (void)err;
    loop outer = begin(tape);
    tl_scan_opts o = tl_scan_defaults();
    o.name = "inner";
    tl_scan inner = tl_scan_open(tape, 3, &o);
    tl_tensor k = tl_scan_carry(inner, outer.h);
    tl_scan_next(inner, k, k);
    tl_scan_close(inner);
    end(outer);
    tl_scan_last(inner, k);
    return tl_tape_status(tape);
}

static const tl_shape largest = {TL_MAX_RANK, {1, 1, 1, 1, 1, 1, 1, 1}};

RECORDS(stacked_rank, loop l = begin(tape);
        tl_tensor v = tl_broadcast_to(tl_slice(tl_slice(l.h, 0, 0, 1), 1, 0, 1), largest);
        tl_scan_stacked(end(l).s, v))
RECORDS(stacked_rank_outside, tl_tensor v = tl_zeros(tape, TL_F32, largest);
        tl_scan_stacked(end(begin(tape)).s, v))
RECORDS(summed_rank_outside, tl_tensor v = tl_zeros(tape, TL_F32, largest);
        tl_scan_summed(end(begin(tape)).s, v))
RECORDS(summed_indices, loop l = begin(tape); tl_tensor t = tl_scan_time(l.s);
        tl_scan_summed(end(l).s, t))

static int stacked_no_rows(tl_tape *tape, tl_err *err)
{
    (void)err;
    tl_tensor h0 = zeros(tape, 2, 4);
    tl_scan s = open_with(tape, 3, lengths_of(tape));
    tl_tensor h = tl_scan_carry(s, h0), t = tl_scan_time(s);
    tl_scan_next(s, h, h);
    tl_scan_close(s);
    tl_scan_stacked(s, t);
    return tl_tape_status(tape);
}

/* ---- when it runs ---------------------------------------------------------------------------- */

/* gathers -- a loop whose index runs out of the table in its third step. */
static int gathers(tl_tape *tape, int reverse)
{
    tl_tensor table = zeros(tape, 2, 4);
    tl_scan_opts o = tl_scan_defaults();
    o.name = "decoder";
    o.reverse = reverse;
    tl_scope_open(tape, "model");
    tl_scan s = tl_scan_open(tape, 4, &o);
    tl_tensor x = tl_gather(table, tl_scan_time(s));
    tl_scan_close(s);
    tl_scope_close(tape);
    tl_tensor all = tl_scan_stacked(s, x);
    return tl_eval(1, &all);
}

/* nested -- n scans inside one another around one operation. */
static int nested(tl_tape *tape, int n)
{
    tl_scan s[16];
    tl_tensor v = zeros(tape, 2, 4);
    for (int i = 0; i < n; i++)
        s[i] = tl_scan_open(tape, 1, NULL);
    v = tl_tanh(tl_scale(v, 2));
    for (int i = n; i-- > 0;) {
        tl_scan_close(s[i]);
        v = tl_scan_summed(s[i], v);
    }
    return tl_eval(1, &v);
}

/* with_budget -- the gradient of a scan of 500 steps. */
static int with_budget(tl_tape *tape, int64_t bytes)
{
    tl_scan_opts o = tl_scan_defaults();
    o.budget = bytes;
    tl_tensor h0 = tl_full(tape, TL_F32, tl_shape2(2, 4), 0.5), x = tl_add(h0, h0);
    tl_scan s = tl_scan_open(tape, 500, &o);
    tl_tensor h = tl_scan_carry(s, x);
    tl_scan_next(s, h, tl_tanh(tl_mul(h, x)));
    tl_scan_close(s);
    tl_tensor y = tl_sum_all(tl_scan_last(s, h)), g;
    tl_grad(1, &y, NULL, 1, &x, &g);
    return tl_eval(1, &g);
}

RECORDS(budget_negative, with_budget(tape, -1))
RETURNS(budget_small, with_budget(tape, 100))
RETURNS(nested_too_deep, nested(tape, 16))
RECORDS(gather_in_step, gathers(tape, 0))
RECORDS(gather_in_step_reverse, gathers(tape, 1))

static const row rows[] = {
    ROW(open_negative, ERANGE, "tl_scan_open: got T = -1, want T >= 0"),
    ROW(budget_negative, ERANGE,
        "tl_scan_open: got a budget of -1 bytes, want one > 0, or 0 for no limit"),
    ROW(budget_small, ERANGE,
        "run: scan: got a budget of 100 bytes for a scan of 500 steps, want at least 256: 64 bytes "
        "for each of 2 steps (which share a product), 64 for each of two states"),
    ROW(lengths_dtype, EDTYPE, "tl_scan_open: lengths: got f32 [2], want i32 [B]"),
    ROW(lengths_rank, ESHAPE, "tl_scan_open: lengths: got i32 [2,1], want i32 [B]"),
    ROW(lengths_value, ERANGE, "lengths: check_range: got 4 as element 1, want 0 to 3"),
    ROW(carry_two_tapes, ETAPE,
        "rnn: tl_scan_carry: the tensor lives on another tape than the scan"),
    ROW(carry_two_tapes_second, ETAPE,
        "tl_scan_carry: the tensor lives on this tape, the scan on another"),
    ROW(carry_of_body, EFRAME,
        "rnn: tl_scan_carry: %~ (tanh, recorded in rnn) belongs to the body of scan \"rnn\" and "
        "cannot be read here: record it before tl_scan_open"),
    ROW(carry_inert, EINVAL,
        "rnn: tl_scan_carry: got the inert tensor: it was never set, or comes from a call that "
        "failed"),
    ROW(carry_no_rows, ESHAPE,
        "scan: tl_scan_carry: got [5,4] in a step of a scan with lengths [2], want [2,...]"),
    ROW(carry_closed, ESTATE,
        "tl_scan_carry: scan \"rnn\" is closed: carries, inputs and next values come before "
        "tl_scan_close"),
    ROW(each_length, ESHAPE, "rnn: tl_scan_each: got [5,4], want [3,...]: one entry for each step"),
    ROW(each_scalar, ESHAPE, "rnn: tl_scan_each: got [], want [3,...]: one entry for each step"),
    ROW(each_no_rows, ESHAPE,
        "scan: tl_scan_each: got [7] in a step of a scan with lengths [2], want [2,...]"),
    ROW(time_closed, ESTATE,
        "tl_scan_time: scan \"rnn\" is closed: carries, inputs and next values come before "
        "tl_scan_close"),
    ROW(next_no_carry, EINVAL,
        "rnn: tl_scan_next: %~ (tanh, recorded in rnn) is not a carry of scan \"rnn\"; want what "
        "tl_scan_carry returned"),
    ROW(next_carry_elsewhere, ETAPE,
        "rnn: tl_scan_next: the tensor lives on another tape than the scan"),
    ROW(next_elsewhere, ETAPE, "rnn: tl_scan_next: the tensor lives on another tape than the scan"),
    ROW(next_twice, ESTATE,
        "rnn: tl_scan_next: carry h (recorded in rnn) has its next value already"),
    ROW(next_dtype, EDTYPE, "rnn: tl_scan_next: got f64, but carry h (recorded in rnn) is f32"),
    ROW(next_shape, ESHAPE,
        "rnn: tl_scan_next: got [2,3], but carry h (recorded in rnn) is [2,4]; its initial "
        "value has the shape of every step"),
    ROW(in_the_body, ESHAPE,
        "rnn: matmul: got [2,4] x [3,4], want [m,k] x [k,n] (the second one turned "
        "would fit: tl_matmul_t)"),
    ROW(close_missing_next, ESTATE,
        "rnn: tl_scan_close: carry h (recorded in rnn) has no next value: tl_scan_next is missing"),
    ROW(close_inner_open, ESTATE,
        "rnn/scan: tl_scan_close: scan \"rnn/scan\" is open inside it and closes first"),
    ROW(close_scope_open, ESTATE,
        "rnn/gates: tl_scan_close: scope \"rnn/gates\" was opened in the body and is still open"),
    ROW(close_twice, ESTATE,
        "tl_scan_close: scan \"rnn\" is closed: carries, inputs and next values come before "
        "tl_scan_close"),
    ROW(close_dead, EDEAD, "tl_scan_close: the scan is gone: its tape was reset or released"),
    ROW(last_open, ESTATE,
        "rnn: tl_scan_last: scan \"rnn\" is still open: tl_scan_close comes first"),
    ROW(last_no_carry, EINVAL,
        "tl_scan_last: %~ (broadcast_to) is not a carry of scan \"rnn\"; want what tl_scan_carry "
        "returned"),
    ROW(stacked_elsewhere, ETAPE,
        "tl_scan_stacked: the tensor lives on another tape than the scan"),
    ROW(stacked_other_scan, EFRAME,
        "tl_scan_stacked: h (recorded in rnn) belongs to the body of scan \"rnn\" and cannot be "
        "read here"),
    ROW(stacked_of_outer_body, EFRAME,
        "rnn: tl_scan_stacked: h (recorded in rnn) is not a value of the body of scan "
        "\"rnn/inner\""),
    ROW(result_of_inner, EFRAME,
        "tl_scan_last: scan \"rnn/inner\" lies in the body of scan \"rnn\": its results are values "
        "of that body"),
    ROW(stacked_rank, ESHAPE, "tl_scan_stacked: the value has rank 8 already, want at most 7"),
    ROW(stacked_rank_outside, ESHAPE,
        "tl_scan_stacked: the value has rank 8 already, want at most 7"),
    ROW(summed_rank_outside, ESHAPE,
        "tl_scan_summed: the value has rank 8 already, want at most 7"),
    ROW(summed_indices, EDTYPE, "tl_scan_summed: got i32, want f32 or f64"),
    ROW(stacked_no_rows, ESHAPE,
        "tl_scan_stacked: got [] in a step of a scan with lengths [2], want [2,...]"),
    ROW(nested_too_deep, EUNSUPPORTED, "run: scans inside scans: got 7, want 6 at most"),
    ROW(gather_in_step, ERANGE, "model/decoder: gather: got index 2, want one in [0,2)~"),
    ROW(gather_in_step_reverse, ERANGE, "model/decoder: gather: got index 3, want one in [0,2)~"),
};

static const char *const here[] = {"scan.c", "scan_result.c", "scan_adjoint.c", NULL};

/* Of the planner: what only an operation of the user's own could bring about, or its own mistake.
 */
static const left_out plan_left_out[] = {
    {"no strides for a dense operand", "a view of the user's own without strides"},
    {"got %u operands, pointwise operations", "a pointwise operation of the user's own"},
    {"no kernel for %s", "a pointwise operation of the user's own"},
    {"steps wait for one another", "a mistake of the planner"},
};

Test(messages_scan, say_what_came_and_what_was_wanted)
{
    other = check_tape(2);
    walk_rows(COUNT(rows), rows);
    tl_tape_free(other);
}

Test(messages_scan, no_message_without_a_row)
{
    other = check_tape(2);
    walk_rows(COUNT(rows), rows);
    tl_tape_free(other);
    check_sources("core", 1, here, 0, NULL);
    check_sources("core/plan", 0, NULL, COUNT(plan_left_out), plan_left_out);
}
