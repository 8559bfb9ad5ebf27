/* test_budget_memory.c -- scans with a budget take no more memory than it says. */
#include "core/node.h"
#include "tests/budgettest.h"
#include "tests/counting.h"

/* peak -- bytes that are allocated at most while the gradient of a long loop is computed, beyond
 * what was there before. */
static size_t peak(int layers, int look, int64_t budget)
{
    tally t = {0, 0};
    count_with(&t);
    const problem p = {.T = LONG, .commit = 1, .look = look, .budget = budget};
    world m = world_new(LONG);
    const size_t before = t.now;
    tl_tensor loss = layers ? two_loops(&m, LONG, 0, budget) : loss_of(&m, &p);
    if (look)
        tl_eval(1, &loss);
    tl_backward(loss);
    cr_assert_eq(tl_commit(m.tape), TL_OK, "%s", tl_tape_error(m.tape));
    const size_t most = t.most - before;
    world_free(&m);
    tl__memory_trim();
    cr_assert_eq(t.now, 0);
    tl_set_allocator(NULL, NULL);
    return most;
}

Test(budget_memory, memory_is_that_of_the_budget)
{
    tl__set_period_rows(2 * B);
    peak(0, 0, 0); /* what is made once */
    const int64_t enough = least((problem){.T = LONG}),
                  plan = 6 << 20; /* memory of planning, twice if looked at */
    const int64_t all = (int64_t)peak(0, 0, 0);
    cr_assert(enough < all / 1000, "%lld of %lld bytes", (long long)enough, (long long)all);
    for (int k = 50; k < 2000; k *= 6) {
        const int64_t few = (int64_t)peak(0, k == 50, k * enough);
        cr_assert(few < k * enough + plan && few < all / 2, "%lld of %lld bytes", (long long)few,
                  (long long)all);
    }
    tl__set_period_rows(0);
}

/* live_bytes -- of all values that the tape holds. */
static size_t live_bytes(const tl_tape *tape)
{
    size_t bytes = 0;
    for (uint32_t k = 0; k < tape->nnodes; k++)
        if (tape->nodes[k].life == TL_LIVE && tape->nodes[k].frame == 0)
            bytes += tape->nodes[k].buf->bytes;
    return bytes;
}

Test(budget_memory, a_loss_that_is_read_first_keeps_nothing_of_the_steps)
{
    for (int budget = 0; budget < 2; budget++) {
        const problem p = {.T = T, .budget = budget * 1000000};
        world m = world_new(T);
        tl_tensor loss = loss_of(&m, &p);
        const size_t before = live_bytes(m.tape);
        cr_assert_eq(tl_eval(1, &loss), TL_OK);
        const size_t kept = live_bytes(m.tape) - before;
        cr_assert(budget ? kept < 300 : kept > 5 * sizeof(double) * T * B * H, "%zu bytes", kept);
        world_free(&m);
    }
}

Test(budget_memory, of_layers_of_loops)
{
    tl__set_period_rows(2 * B);
    const size_t all = peak(1, 0, 0), some = peak(1, 0, 400000);
    cr_assert(some < all * 3 / 4, "%zu of %zu bytes", some, all);
    tl__set_period_rows(0);
}
