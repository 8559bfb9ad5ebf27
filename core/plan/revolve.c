/* revolve.c -- the binomial schedule: where the next state is kept.
 *
 *     at                  at + m                      end
 *      |----- m steps -----|------ l - m steps --------|
 *      s states, later       s - 1 states, now
 *
 * With rep r, the smallest for which l <= beta(s,r), both parts are of the best length when
 *
 *     beta(s,r-2) <= m <= beta(s,r-1)     beta(s-1,r-1) <= l - m <= beta(s-1,r)
 *
 * of which the smallest m is taken. */
#include "core/plan/revolve.h"

/* beta -- C(s+r, s), 0 when r < 0; what does not fit is INT64_MAX. */
static int64_t beta(int64_t s, int64_t r)
{
    const int64_t few = s < r ? s : r, many = s < r ? r : s;
    int64_t b = r >= 0;
    for (int64_t k = 1; k <= few; k++) {
        if (b > INT64_MAX / (many + k))
            return INT64_MAX;
        b = b * (many + k) / k; /* C(many + k, k) */
    }
    return b;
}

/* repeats -- the smallest r for which n <= beta(s,r). */
static int64_t repeats(int64_t n, int64_t s)
{
    if (s == 1)
        return n - 1;
    int64_t r = 0;
    while (beta(s, r) < n)
        r++;
    return r;
}

double tl__revolve_runs(int64_t n, int64_t slots)
{
    const int64_t s = slots < n ? slots : n, r = repeats(n, s);
    if (s == 1)
        return 0.5 * (double)n * (double)(n + 1);
    return (double)n + (double)r * (double)n - (double)beta(s + 1, r - 1);
}

/* first_part -- m for l >= 2 steps and s >= 2 states. */
static int64_t first_part(int64_t l, int64_t s)
{
    const int64_t r = repeats(l, s), a = beta(s, r - 2), most = beta(s - 1, r),
                  b = most < l ? l - most : 1;
    return a > b ? a : b;
}

tl_revolve tl__revolve_open(int64_t n, int64_t slots, int64_t *kept)
{
    return (tl_revolve){.slots = slots, .kept = kept, .end = n};
}

static tl_turn run_to(tl_revolve *r, int64_t to)
{
    const tl_turn t = {TL_TURN_RUN, r->now, to, 0};
    r->now = to;
    return t;
}

tl_turn tl__revolve_next(tl_revolve *r)
{
    if (r->end == 0)
        return (tl_turn){TL_TURN_END, 0, 0, 0};
    if (r->is_lost) {
        r->is_lost = 0;
        r->now = r->kept[r->nkept - 1];
        return (tl_turn){TL_TURN_RESTORE, r->now, 0, r->nkept - 1};
    }
    if (r->now == r->end) {
        r->end--;
        r->is_lost = 1;
        while (r->nkept > 0 && r->kept[r->nkept - 1] >= r->end)
            r->nkept--;
        return (tl_turn){TL_TURN_BACK, r->end, 0, 0};
    }
    if (r->nkept == 0 || r->kept[r->nkept - 1] != r->now) {
        r->kept[r->nkept] = r->now;
        return (tl_turn){TL_TURN_KEEP, r->now, 0, r->nkept++};
    }
    const int64_t l = r->end - r->now, s = r->slots - r->nkept + 1; /* this one's own included */
    return run_to(r, l == 1 || s == 1 ? r->end : r->now + first_part(l, s));
}
