/* test_marks.c -- the list of marks; with a tape it is in test_cut. */
#include "core/marks.h"
#include "core/memory.h"
#include "tests/check.h"

#include <criterion/criterion.h>
#include <stdlib.h>

Test(marks, are_those_that_were_added_and_not_dropped)
{
    tl_marks *m = tl__marks_new();
    cr_assert_not_null(m);
    cr_assert(tl__marks_have(m, 0) && !tl__marks_have(m, 5));
    for (uint32_t k = 0; k < 100; k++)
        tl__marks_add(m, 5 * (k / 2)); /* each twice */
    for (uint32_t k = 0; k <= 250; k++)
        cr_expect_eq(tl__marks_have(m, k), k % 5 == 0 && k < 250, "%u", k);
    tl__marks_drop(m, 20);
    cr_assert(tl__marks_have(m, 20) && !tl__marks_have(m, 25));
    tl__marks_add(m, 22);
    cr_assert(tl__marks_have(m, 22) && tl__marks_have(m, 15));
    tl__marks_free(m);
}

Test(marks, without_a_list_every_number_is_one)
{
    tl__marks_add(NULL, 3);
    tl__marks_drop(NULL, 3);
    cr_assert(tl__marks_have(NULL, 7));
    tl__marks_free(NULL);
}

static int is_short;

static void *short_alloc(void *user, void *memory, size_t size)
{
    (void)user;
    if (size == 0) {
        free(memory);
        return NULL;
    }
    return is_short ? NULL : realloc(memory, size);
}

/* A mark has no way to say that memory is short: then none is refused. */
Test(marks, that_found_no_memory_are_not_refused)
{
    tl_set_allocator(short_alloc, NULL);
    tl_marks *m = tl__marks_new();
    is_short = 1;
    tl__marks_add(m, 3);
    is_short = 0;
    cr_assert(tl__marks_have(m, 3) && tl__marks_have(m, 4));
    tl__marks_free(m);
    tl_set_allocator(NULL, NULL);
}
