/* sequencetest.h -- what the tests of sequences share: a tape, a set, numbers and an LSTM. Private
 * to tests. */
#ifndef TL_TESTS_SEQUENCETEST_H
#define TL_TESTS_SEQUENCETEST_H

#include "core/grad.h"
#include "core/memory.h"
#include "nn/nn.h"
#include "ops/ops.h"
#include "tests/optest.h"

enum { T = 5, B = 3, I = 2, H = 3, L = 2 };

static tl_tape *tape;
static tl_params *set;
static double xs[T * B * I], first_h[2 * L * B * H], first_c[2 * L * B * H];
static const int32_t lengths[B] = {5, 0, 3};

static inline void sequencetest_open(void)
{
    tape = tl_tape_new(NULL);
    set = tl_params_new(TL_F64);
    numbers(T * B * I, xs);
    numbers(2 * L * B * H, first_h);
    for (int i = 0; i < 2 * L * B * H; i++)
        first_c[i] = 0.5 - first_h[i];
}

static inline void sequencetest_close(void)
{
    tl_params_free(set);
    tl_tape_free(tape);
}

/* lstm_of -- an LSTM in the set, named "lstm". */
static inline tl_sequence *lstm_of(const tl_sequence_opts *o)
{
    tl_err err = {0};
    tl_cell cell = tl_lstm_cell(NULL);
    tl_sequence *s = tl_sequence_new(set, "lstm", &cell, I, H, o, &err);
    cr_assert_not_null(s, "%s", err.message);
    return s;
}

static inline tl_tensor input(void)
{
    return tl_input_f64(tape, tl_shape3(T, B, I), xs);
}

#endif
