/* test_meta.c -- strings and exact numbers under keys. */
#include "core/memory.h"
#include "core/meta.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <string.h>

Test(meta, set_replaces_and_keeps_the_order)
{
    tl_meta *m = tl_meta_new();
    cr_assert_eq(tl_meta_count(m), 0);
    cr_assert_null(tl_meta_get(m, "a"));
    cr_assert_eq(tl_meta_set(m, "b", "1"), TL_OK);
    cr_assert_eq(tl_meta_set(m, "a", "2"), TL_OK);
    cr_assert_eq(tl_meta_set(m, "b", "three"), TL_OK);
    cr_assert_eq(tl_meta_count(m), 2);
    cr_assert_str_eq(tl_meta_key(m, 0), "b");
    cr_assert_str_eq(tl_meta_key(m, 1), "a");
    cr_assert_null(tl_meta_key(m, 2));
    cr_assert_str_eq(tl_meta_get(m, "b"), "three");
    cr_assert_eq(tl_meta_set(m, "", "x"), TL_EINVAL);
    cr_assert_eq(tl_meta_set(m, "x", NULL), TL_EINVAL);
    cr_assert_eq(tl_meta_set(NULL, "x", "y"), TL_EINVAL);
    tl_meta_free(m);
    tl_meta_free(NULL);
}

Test(meta, integers_come_back)
{
    static const int64_t values[] = {0, 1, -1, 42, INT64_MAX, INT64_MIN};
    tl_meta *m = tl_meta_new();
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        int64_t back = 7;
        uint64_t unsigned_back = 7;
        cr_assert_eq(tl_meta_set_i64(m, "i", values[i]), TL_OK);
        cr_assert_eq(tl_meta_get_i64(m, "i", &back, NULL), TL_OK);
        cr_assert_eq(back, values[i]);
        cr_assert_eq(tl_meta_set_u64(m, "u", (uint64_t)values[i]), TL_OK);
        cr_assert_eq(tl_meta_get_u64(m, "u", &unsigned_back, NULL), TL_OK);
        cr_assert_eq(unsigned_back, (uint64_t)values[i]);
    }
    tl_meta_free(m);
}

Test(meta, doubles_come_back_with_every_bit)
{
    static const double values[] = {0.0,
                                    -0.0,
                                    1.0,
                                    -1.5,
                                    0.1,
                                    1e-3,
                                    DBL_MAX,
                                    -DBL_MAX,
                                    DBL_MIN,
                                    DBL_TRUE_MIN,
                                    -DBL_TRUE_MIN,
                                    3 * DBL_TRUE_MIN,
                                    DBL_EPSILON,
                                    1e300,
                                    (double)INFINITY,
                                    -(double)INFINITY};
    tl_meta *m = tl_meta_new();
    double back;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        cr_assert_eq(tl_meta_set_f64(m, "x", values[i]), TL_OK);
        cr_assert_eq(tl_meta_get_f64(m, "x", &back, NULL), TL_OK, "%s", tl_meta_get(m, "x"));
        cr_assert_eq(memcmp(&back, &values[i], sizeof back), 0, "%s", tl_meta_get(m, "x"));
    }
    cr_assert_eq(tl_meta_set_f64(m, "x", (double)NAN), TL_OK);
    cr_assert_eq(tl_meta_get_f64(m, "x", &back, NULL), TL_OK);
    cr_assert(isnan(back));
    tl_meta_free(m);
}

Test(meta, what_is_no_number_is_refused_and_changes_nothing)
{
    static const char *const bad[] = {
        "",   " 1",   "1 ", "+1",  "1x",    "x",       "-",     "99999999999999999999",
        "1p", "1p1x", "p1", "1.5", "0x1p3", "1p99999", "-inf ", "1p--1"};
    tl_meta *m = tl_meta_new();
    tl_err err;
    int64_t i = 5;
    uint64_t u = 5;
    double x = 5;
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        cr_assert_eq(tl_meta_set(m, "step", bad[k]), TL_OK);
        cr_assert_eq(tl_meta_get_i64(m, "step", &i, &err), TL_EFORMAT, "%s", bad[k]);
        cr_assert_not_null(strstr(err.message, "\"step\""));
        cr_assert_eq(tl_meta_get_u64(m, "step", &u, &err), TL_EFORMAT, "%s", bad[k]);
        cr_assert_eq(tl_meta_get_f64(m, "step", &x, &err), TL_EFORMAT, "%s", bad[k]);
    }
    tl_meta_set(m, "step", "-1");
    cr_assert_eq(tl_meta_get_u64(m, "step", &u, &err), TL_EFORMAT);
    cr_assert_eq(tl_meta_get_i64(m, "nothing", &i, &err), TL_ENAME);
    cr_assert_eq(tl_meta_get_u64(m, "nothing", &u, &err), TL_ENAME);
    cr_assert_eq(tl_meta_get_f64(m, "nothing", &x, &err), TL_ENAME);
    cr_assert(i == 5 && u == 5 && x == 5);
    tl_meta_free(m);
}

Test(meta, union_takes_the_second_value)
{
    tl_meta *a = tl_meta_new(), *b = tl_meta_new();
    tl_meta_set(a, "x", "1");
    tl_meta_set(a, "y", "2");
    tl_meta_set(b, "y", "3");
    tl_meta *c = tl__meta_union(a, b);
    cr_assert_eq(tl_meta_count(c), 2);
    cr_assert_str_eq(tl_meta_get(c, "y"), "3");
    tl__meta_swap(a, c);
    cr_assert_str_eq(tl_meta_get(a, "y"), "3");
    cr_assert_str_eq(tl_meta_get(c, "y"), "2");
    tl_meta_free(a);
    tl_meta_free(b);
    tl_meta_free(c);
}

Test(meta, no_memory_leaves_it_as_it_was)
{
    for (long n = 1; n <= 3; n++) {
        tl_meta *m = tl_meta_new();
        tl_meta_set(m, "x", "1");
        tl__fail_after(n);
        int code = tl_meta_set(m, "x", "2");
        int other = tl_meta_set(m, "y", "2");
        tl__fail_after(0);
        cr_assert_eq(code, n == 1 ? TL_ENOMEM : TL_OK);
        cr_assert_eq(other, TL_ENOMEM);
        cr_assert_eq(tl_meta_count(m), 1);
        cr_assert_str_eq(tl_meta_get(m, "x"), n == 1 ? "1" : "2");
        tl_meta_free(m);
    }
}
