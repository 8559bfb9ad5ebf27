/* test_schedule.c -- learning rates at the corners of their curves. */
#include "optim/schedule.h"

#include <criterion/criterion.h>
#include <math.h>

static void is(double got, double want)
{
    cr_assert(fabs(got - want) <= 1e-15 * fabs(want), "got %.17g, want %.17g", got, want);
}

Test(schedule, constant_with_warm_up)
{
    is(tl_schedule_constant(0, 0.5, 0), 0.5);
    is(tl_schedule_constant(1000000, 0.5, 0), 0.5);
    is(tl_schedule_constant(0, 0.5, 10), 0.05);
    is(tl_schedule_constant(4, 0.5, 10), 0.25);
    is(tl_schedule_constant(9, 0.5, 10), 0.5);
    is(tl_schedule_constant(10, 0.5, 10), 0.5);
}

Test(schedule, steps)
{
    is(tl_schedule_step(0, 1, 10, 0.5), 1);
    is(tl_schedule_step(9, 1, 10, 0.5), 1);
    is(tl_schedule_step(10, 1, 10, 0.5), 0.5);
    is(tl_schedule_step(35, 1, 10, 0.5), 0.125);
    is(tl_schedule_step(35, 1, 0, 0.5), 1);
}

Test(schedule, cosine_from_the_warm_up_to_the_floor)
{
    is(tl_schedule_cosine(0, 1, 4, 104, 0.1), 0.25);
    is(tl_schedule_cosine(3, 1, 4, 104, 0.1), 1);
    is(tl_schedule_cosine(4, 1, 4, 104, 0.1), 1);
    is(tl_schedule_cosine(54, 1, 4, 104, 0.1), 0.55);
    is(tl_schedule_cosine(29, 1, 4, 104, 0.1), 0.1 + 0.45 * (1 + sqrt(0.5)));
    is(tl_schedule_cosine(104, 1, 4, 104, 0.1), 0.1);
    is(tl_schedule_cosine(5000, 1, 4, 104, 0.1), 0.1);
    is(tl_schedule_cosine(0, 1, 0, 0, 0.1), 0.1);
    for (int64_t s = 4; s < 103; s++)
        cr_assert_lt(tl_schedule_cosine(s + 1, 1, 4, 104, 0.1),
                     tl_schedule_cosine(s, 1, 4, 104, 0.1));
}
