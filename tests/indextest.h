/* indextest.h -- a tape, a table and indices for tests of what picks elements by number. Private to
 * tests. */
#ifndef TL_TESTS_INDEXTEST_H
#define TL_TESTS_INDEXTEST_H

#include "core/grad.h"
#include "ops/ops.h"
#include "tests/optest.h"

static tl_tape *tape;

static inline void tape_open(void)
{
    tape = tl_tape_new(NULL);
}

static inline void tape_close(void)
{
    tl_tape_free(tape);
}

static inline tl_tensor table(void)
{
    static const double v[8] = {10, 11, 20, 21, 30, 31, 40, 41};
    return tl_input_f64(tape, tl_shape2(4, 2), v);
}

#define INDICES(shape, ...) tl_input_i32(tape, shape, (const int32_t[]){__VA_ARGS__})

#endif
