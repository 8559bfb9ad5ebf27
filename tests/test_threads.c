/* test_threads.c -- the number of threads: the environment's, the host's, the processors'. */
#include "core/threads.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <uv.h>

Test(threads, default_is_the_number_of_processors)
{
    unsetenv("TL_THREADS");
    cr_assert_eq(tl_threads(), (int)uv_available_parallelism());
    cr_assert_eq(tl__processors(), (int)uv_available_parallelism());
}

Test(threads, the_environment_chooses)
{
    setenv("TL_THREADS", "5", 1);
    cr_assert_eq(tl_threads(), 5);
    setenv("TL_THREADS", "6", 1); /* read once */
    cr_assert_eq(tl_threads(), 5);
}

Test(threads, the_environment_means_at_most_the_maximum)
{
    setenv("TL_THREADS", "99999999999999999999", 1);
    cr_assert_eq(tl_threads(), TL_THREADS_MAX);
}

/* One process can read the environment once, so each wrong text is a test of its own. */
#define IGNORED(name, text)                                                                        \
    Test(threads, the_environment_is_ignored_when_it_is_##name)                                    \
    {                                                                                              \
        setenv("TL_THREADS", text, 1);                                                             \
        cr_assert_eq(tl_threads(), (int)uv_available_parallelism());                               \
    }
IGNORED(empty, "")
IGNORED(zero, "0")
IGNORED(negative, "-3")
IGNORED(a_word, "many")
IGNORED(a_fraction, "7.5")

Test(threads, the_host_has_the_last_word)
{
    setenv("TL_THREADS", "5", 1);
    cr_assert_eq(tl_set_threads(3), TL_OK);
    cr_assert_eq(tl_threads(), 3);
    cr_assert_eq(tl_set_threads(TL_THREADS_MAX), TL_OK);
    cr_assert_eq(tl_threads(), TL_THREADS_MAX);
    cr_assert_eq(tl_set_threads(0), TL_OK);
    cr_assert_eq(tl_threads(), tl__processors());
}

Test(threads, a_wrong_number_changes_nothing)
{
    tl_set_threads(3);
    cr_assert_eq(tl_set_threads(-1), TL_EINVAL);
    cr_assert_eq(tl_set_threads(TL_THREADS_MAX + 1), TL_EINVAL);
    cr_assert_eq(tl_threads(), 3);
}
