/* test_order.c -- permutations, splits and item seeds as functions of their arguments alone. */
#include "data/order.h"

#include <criterion/criterion.h>
#include <string.h>

static int is_permutation(int64_t n, const int64_t *order)
{
    char seen[1000] = {0};
    for (int64_t i = 0; i < n; i++) {
        if (order[i] < 0 || order[i] >= n || seen[order[i]])
            return 0;
        seen[order[i]] = 1;
    }
    return 1;
}

Test(order, a_shuffle_is_a_permutation_and_depends_on_seed_and_epoch)
{
    int64_t a[1000], b[1000];
    for (int64_t n = 0; n <= 1000; n = n * 3 / 2 + 1) {
        tl_shuffle(7, 0, n, a);
        cr_assert(is_permutation(n, a), "%lld", (long long)n);
    }
    tl_shuffle(7, 3, 1000, a);
    tl_shuffle(7, 3, 1000, b);
    cr_assert_eq(memcmp(a, b, sizeof a), 0);
    tl_shuffle(7, 4, 1000, b);
    cr_assert_neq(memcmp(a, b, sizeof a), 0);
    tl_shuffle(8, 3, 1000, b);
    cr_assert_neq(memcmp(a, b, sizeof a), 0);
}

Test(order, all_permutations_of_three_are_equally_likely)
{
    enum { DRAWS = 60000 };
    int count[27] = {0};
    for (int64_t epoch = 0; epoch < DRAWS; epoch++) {
        int64_t p[3];
        tl_shuffle(1, epoch, 3, p);
        count[p[0] * 9 + p[1] * 3 + p[2]]++;
    }
    int kinds = 0;
    for (int i = 0; i < 27; i++) {
        kinds += count[i] > 0;
        if (count[i] > 0) /* 10000 +- 5 standard deviations of 91 */
            cr_assert(count[i] > 9540 && count[i] < 10460, "%d: %d", i, count[i]);
    }
    cr_assert_eq(kinds, 6);
}

Test(order, a_split_uses_every_item_once)
{
    static const double fraction[3] = {0.8, 0.1, 0.1};
    int64_t order[997], again[997], start[4];
    tl_err err;
    cr_assert_eq(tl_split(5, 997, 3, fraction, order, start, &err), TL_OK, "%s", err.message);
    cr_assert(is_permutation(997, order));
    cr_assert(start[0] == 0 && start[1] == 798 && start[2] == 897 && start[3] == 997);
    cr_assert_eq(tl_split(5, 997, 3, fraction, again, start, &err), TL_OK);
    cr_assert_eq(memcmp(order, again, sizeof order), 0);
    tl_shuffle(5, 0, 997, again); /* the first epoch's order is another one */
    cr_assert_neq(memcmp(order, again, sizeof order), 0);
}

Test(order, impossible_splits_are_refused)
{
    static const double many[2] = {0.7, 0.4}, none[2] = {0.5, 0}, small[2] = {0.999, 0.001},
                        half[1] = {0.5}, nan[1] = {0.0 / 0.0};
    int64_t order[10], start[3];
    tl_err err;
    cr_assert_eq(tl_split(1, 10, 2, many, order, start, &err), TL_EINVAL);
    cr_assert_not_null(strstr(err.message, "1.1"), "%s", err.message);
    cr_assert_eq(tl_split(1, 10, 2, none, order, start, &err), TL_EINVAL);
    cr_assert_eq(tl_split(1, 10, 1, nan, order, start, &err), TL_EINVAL);
    cr_assert_eq(tl_split(1, 10, 2, small, order, start, &err), TL_ERANGE);
    cr_assert_not_null(strstr(err.message, "part 1"), "%s", err.message);
    cr_assert_eq(tl_split(1, 10, 0, small, order, start, &err), TL_EINVAL);
    cr_assert_eq(tl_split(1, 10, 1, half, NULL, start, &err), TL_EINVAL);
    cr_assert_eq(tl_split(1, 10, 1, half, order, start, &err), TL_OK,
                 "the rest belongs to no part");
    cr_assert_eq(start[1], 5);
}

Test(order, item_seeds_differ)
{
    uint64_t s = tl__item_seed(1, 2, 3);
    cr_assert_eq(s, tl__item_seed(1, 2, 3));
    cr_assert(s != tl__item_seed(2, 2, 3) && s != tl__item_seed(1, 3, 3) &&
              s != tl__item_seed(1, 2, 4) && s != tl__item_seed(1, 3, 2));
}
