/* test_revolve.c -- the schedule against the binomial formula, against the best there is by dynamic
 * programming, and played through. */
#include "core/plan/revolve.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { N = 70, S = 12 };

/* best -- by trying every place for the next state: cost[s][n] steps, those gone back over counted
 * once each. */
static void best(int64_t cost[S + 1][N + 1])
{
    for (int s = 1; s <= S; s++)
        for (int n = 0; n <= N; n++) {
            cost[s][n] = (int64_t)n * (n + 1) / 2; /* all from the first state */
            for (int m = 1; s > 1 && m < n; m++) {
                const int64_t c = m + cost[s - 1][n - m] + cost[s][m];
                cost[s][n] = c < cost[s][n] ? c : cost[s][n];
            }
        }
}

/* play -- follows the schedule with numbers for states; returns the steps that were run. *most
 * receives how often the step that ran most often did. */
static int64_t play(int64_t n, int64_t slots, int64_t *most)
{
    int64_t *kept = calloc((size_t)slots, sizeof *kept),
            *slot = calloc((size_t)slots, sizeof *slot), *times = calloc((size_t)n, sizeof *times);
    int64_t at = 0, runs = 0, back = n, last = -1; /* the state before which step; just run */
    tl_revolve r = tl__revolve_open(n, slots, kept);
    for (tl_turn t = tl__revolve_next(&r); t.kind != TL_TURN_END; t = tl__revolve_next(&r)) {
        if (t.kind == TL_TURN_KEEP || t.kind == TL_TURN_RESTORE)
            cr_assert(t.slot >= 0 && t.slot < slots, "slot %lld", (long long)t.slot);
        if (t.kind == TL_TURN_KEEP) {
            cr_assert_eq(t.at, at);
            slot[t.slot] = at;
        } else if (t.kind == TL_TURN_RESTORE) {
            at = slot[t.slot];
            cr_assert_eq(t.at, at);
            last = -1;
        } else if (t.kind == TL_TURN_RUN) {
            cr_assert(t.at == at && t.to > at && t.to <= back);
            for (; at < t.to; at++, runs++)
                times[at]++;
            last = at - 1;
        } else {
            cr_assert_eq(t.at, last, "back over %lld after %lld", (long long)t.at, (long long)last);
            cr_assert_eq(t.at, --back);
            last = -1;
        }
    }
    cr_assert_eq(back, 0);
    *most = 0;
    for (int64_t k = 0; k < n; k++)
        *most = times[k] > *most ? times[k] : *most;
    free(kept);
    free(slot);
    free(times);
    return runs;
}

Test(revolve, runs_as_few_steps_as_there_can_be)
{
    static int64_t cost[S + 1][N + 1];
    best(cost);
    for (int s = 1; s <= S; s++)
        for (int n = 1; n <= N; n++) {
            int64_t most;
            cr_assert_eq(play(n, s, &most), cost[s][n], "%d steps, %d states: %lld, best %lld", n,
                         s, (long long)play(n, s, &most), (long long)cost[s][n]);
            cr_assert(tl__revolve_runs(n, s) - (double)cost[s][n] == 0, "%d steps, %d states", n,
                      s);
        }
}

/* C(s + r, s) by Pascal's triangle. */
static int64_t choose(int64_t s, int64_t r)
{
    return r < 0 ? 0 : s == 0 || r == 0 ? 1 : choose(s - 1, r) + choose(s, r - 1);
}

Test(revolve, no_step_runs_more_often_than_the_binomial_coefficient_says)
{
    for (int64_t s = 1; s <= 6; s++)
        for (int64_t r = 1; r <= 4; r++) {
            const int64_t n = choose(s, r);
            int64_t most;
            const int64_t runs = play(n, s, &most);
            cr_assert_eq(runs, n + r * n - choose(s + 1, r - 1));
            cr_assert_leq(most, r + 1);
            play(n + 1, s, &most);
            cr_assert_leq(most, r + 2);
        }
}

Test(revolve, long_loops)
{
    int64_t most;
    cr_assert_eq(play(1, 1, &most), 1);
    cr_assert_eq(play(1000, 1000, &most), 1999);
    cr_assert_eq(play(1000, 5000, &most), 1999);               /* more states than steps */
    cr_assert_eq(play(100000, 30, &most), 6 * 100000 - 52360); /* C(34,4) < 100000 <= C(35,5) */
    cr_assert_leq(most, 6);
    cr_assert(tl__revolve_runs(INT64_C(1) << 40, 1) > 1e23);
    cr_assert(tl__revolve_runs(INT64_C(1) << 40, INT64_C(1) << 39) < 3.0 * 1099511627776.0);
}
