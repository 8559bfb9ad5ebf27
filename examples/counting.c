/* counting.c -- malloc, realloc and free with the size in front of the block. Threads of the library
 * may allocate at the same time. */
#include "counting.h"

#include <tapeloop.h>

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static atomic_llong bytes_now, bytes_most;

static void *counted(void *user, void *memory, size_t size)
{
    (void)user;
    max_align_t *block = memory ? (max_align_t *)memory - 1 : NULL;
    size_t before = 0;
    if (block)
        memcpy(&before, block, sizeof before);
    if (size == 0) {
        atomic_fetch_sub(&bytes_now, (long long)before);
        free(block);
        return NULL;
    }
    block = size < SIZE_MAX - sizeof *block ? realloc(block, size + sizeof *block) : NULL;
    if (!block)
        return NULL;
    memcpy(block, &size, sizeof size);
    const long long change = (long long)size - (long long)before;
    const long long now = atomic_fetch_add(&bytes_now, change) + change;
    long long most = atomic_load(&bytes_most);
    while (now > most && !atomic_compare_exchange_weak(&bytes_most, &most, now))
        ;
    return block + 1;
}

void counting_start(void)
{
    tl_set_allocator(counted, NULL);
}

size_t counting_now(void)
{
    return (size_t)atomic_load(&bytes_now);
}

size_t counting_most(void)
{
    return (size_t)atomic_load(&bytes_most);
}

void counting_reset(void)
{
    atomic_store(&bytes_most, atomic_load(&bytes_now));
}
