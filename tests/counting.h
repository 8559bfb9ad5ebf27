/* counting.h -- an allocator that counts, for tests of how much memory something takes. */
#ifndef TL_TESTS_COUNTING_H
#define TL_TESTS_COUNTING_H

#include "core/memory.h"
#include "core/threads.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* tally -- bytes that are allocated, now and at most since somebody set `most`. */
typedef struct tally {
    size_t now, most;
} tally;

/* counted -- realloc and free with the size in front. */
static inline void *counted(void *user, void *memory, size_t size)
{
    enum { HEAD = 64 };
    tally *t = user;
    char *block = memory ? (char *)memory - HEAD : NULL;
    size_t before = 0;
    if (block)
        memcpy(&before, block, sizeof before);
    t->now -= before;
    if (size == 0) {
        free(block);
        return NULL;
    }
    block = realloc(block, size + HEAD);
    cr_assert_not_null(block);
    memcpy(block, &size, sizeof size);
    t->now += size;
    t->most = t->now > t->most ? t->now : t->most;
    return block + HEAD;
}

/* count_with -- from now on; one thread allocates at a time. */
static inline void count_with(tally *t)
{
    tl_set_threads(1);
    tl__memory_trim();
    tl_set_allocator(counted, t);
}

#endif
