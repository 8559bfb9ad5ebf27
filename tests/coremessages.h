/* coremessages.h -- what the tables of core's messages share: tensors, a parameter, a state and a
 * second tape to make mistakes with. Private to tests. */
#ifndef TL_TESTS_COREMESSAGES_H
#define TL_TESTS_COREMESSAGES_H

#include "tests/messages.h"

static inline tl_tensor zeros(tl_tape *tape, int64_t a, int64_t b)
{
    return tl_zeros(tape, TL_F32, tl_shape2(a, b));
}

static inline tl_tensor ints(tl_tape *tape, int64_t n)
{
    return tl_zeros(tape, TL_I32, tl_shape1(n));
}

static tl_params *params; /* one set for all rows, with one parameter */
static tl_param *weight;  /* "W" f32 [2] */
static tl_state *state;   /* f32 [2] */
static tl_tape *other;    /* a second tape */

static inline void make_things(void)
{
    params = tl_params_new(TL_F32);
    weight = tl_param_new(params, "W", tl_shape1(2), NULL);
    state = tl_state_new(TL_F32, tl_shape1(2));
    other = check_tape(2);
}

static inline void free_things(void)
{
    tl_tape_free(other);
    tl_state_free(state);
    tl_params_free(params);
}

/* elsewhere -- a tensor of the second tape. */
static inline tl_tensor elsewhere(void)
{
    cr_assert_eq(tl_tape_reset(other), TL_OK);
    return tl_zeros(other, TL_F32, tl_shape1(2));
}

/* body_value -- a value of the body of a closed scan. */
static inline tl_tensor body_value(tl_tape *tape)
{
    tl_scan s = tl_scan_open(tape, 3, NULL);
    tl_tensor h = tl_scan_carry(s, tl_zeros(tape, TL_F32, tl_shape1(2)));
    tl_tensor next = tl_name(tl_add(h, h), "h1");
    tl_scan_next(s, h, next);
    tl_scan_close(s);
    return next;
}

#endif
