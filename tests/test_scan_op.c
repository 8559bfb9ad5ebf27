/* test_scan_op.c -- the view that stays in its step: planner and all. The other operations of a
 * loop are tested where they are recorded. */
#include "core/memory.h"
#include "core/run.h"
#include "core/scan_record.h"
#include "core/space.h"
#include "ops/ops.h"
#include "tests/check.h"

#include <string.h>

/* squares -- sum over t of (x_t w)^2, and the plan that computed it. */
static double squares(tl_tape *tape, int stays, char **plan)
{
    enum { T = 5 };
    tl_tensor xs = check_random(tape, TL_F64, tl_shape3(T, 3, 4), 1),
              w = check_random(tape, TL_F64, tl_shape2(4, 2), 2);
    tl_scan s = tl_scan_open(tape, T, NULL);
    tl_tensor x = tl_scan_each(s, xs), z = tl_matmul(stays ? tl__stay(x) : x, w);
    tl_tensor square = tl_square(z);
    tl_scan_close(s);
    const double sum = tl_item(tl_sum_all(tl_scan_summed(s, square)));
    assert_ok(tape);
    *plan = tl__plan_dump(tape);
    cr_assert_not_null(*plan);
    return sum;
}

/* stands_inside -- whether the product comes behind the line of the loop. */
static int stands_inside(const char *plan)
{
    const char *loop = strstr(plan, "loop"), *product = strstr(plan, "contract");
    cr_assert(loop && product, "%s", plan);
    return product > loop;
}

Test(scan_op, what_stays_is_not_hoisted)
{
    char *plan[2];
    tl_tape *tape = check_tape(1);
    const double free_sum = squares(tape, 0, &plan[0]), sum = squares(tape, 1, &plan[1]);
    cr_assert(fabs(sum - free_sum) < 1e-12 * fabs(sum));
    cr_assert(!stands_inside(plan[0]), "%s", plan[0]);
    cr_assert(stands_inside(plan[1]), "%s", plan[1]);
    tl__free(plan[0]);
    tl__free(plan[1]);
    tl_tape_free(tape);
}

Test(scan_op, defaults)
{
    const tl_scan_opts o = tl_scan_defaults();
    cr_assert(!o.reverse && !o.lengths.tape && !o.recompute && strcmp(o.name, "scan") == 0);
}
