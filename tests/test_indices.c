/* test_indices.c -- what is said of an index that is out of range, or no index. */
#include "tests/indextest.h"

TestSuite(indices, .init = tape_open, .fini = tape_close);

Test(indices, an_index_outside_is_named)
{
    tl_eval(1, (tl_tensor[]){tl_gather(table(), INDICES(tl_shape2(2, 2), 0, 1, 4, 0))});
    expect_error(tape, TL_ERANGE, "gather: got index 4 at [1,0], want one in [0,4)");
    tl_eval(1, (tl_tensor[]){tl_gather(table(), INDICES(tl_shape1(1), -1))});
    expect_error(tape, TL_ERANGE, "gather: got index -1 at [0], want one in [0,4)");
    tl_eval(1, (tl_tensor[]){tl_scatter_add(table(), INDICES(tl_shape1(4), 0, 1, 2, 3), 3)});
    expect_error(tape, TL_ERANGE, "scatter_add: got index 3 at [3], want one in [0,3)");
    tl_eval(1, (tl_tensor[]){tl_one_hot(INDICES(tl_shape1(2), 0, 9), 3, TL_F32)});
    expect_error(tape, TL_ERANGE, "one_hot: got index 9 at [1], want one in [0,3)");
    tl_eval(1, (tl_tensor[]){tl_take_along(table(), INDICES(tl_shape2(4, 1), 0, 1, 2, 0), 1)});
    expect_error(tape, TL_ERANGE, "take_along: got index 2 at [2,0], want one in [0,2)");
    tl_eval(1, (tl_tensor[]){
                   tl_put_along(table(), INDICES(tl_shape2(4, 2), 0, 0, 0, 0, 0, 0, 0, -7), 1, 2)});
    expect_error(tape, TL_ERANGE, "put_along: got index -7 at [3,1], want one in [0,2)");
}
