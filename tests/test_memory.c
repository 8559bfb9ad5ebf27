/* test_memory.c -- hook, failure injection, alignment, arena, buffers. */
#include "core/memory.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

/* A hook that counts what is out. */
static long out_now, calls;
static void *counting(void *user, void *memory, size_t size)
{
    (void)user;
    calls++;
    if (size == 0) {
        out_now--;
        free(memory);
        return NULL;
    }
    if (!memory)
        out_now++;
    return realloc(memory, size);
}

Test(memory, everything_goes_through_the_hook)
{
    tl_set_allocator(counting, NULL);
    void *a = tl__alloc(0), *b = tl__calloc(3, 5), *c = tl__aligned_alloc(100);
    char *d = tl__strdup("text");
    tl_buf *e = tl__buf_new(1000), *f = tl__buf_borrow("x", 1);
    tl_arena arena = {0};
    cr_assert_not_null(tl__arena_alloc(&arena, 10));
    cr_assert(a && b && c && d && e && f);
    cr_assert_eq(out_now, 8); /* the arena has its list and one chunk */
    a = tl__realloc(a, 50);
    cr_assert_eq(out_now, 8);
    tl__free(a);
    tl__free(b);
    tl__free(NULL);
    tl__aligned_free(c);
    tl__aligned_free(NULL);
    tl__free(d);
    tl__buf_unref(e);
    tl__buf_unref(f);
    tl__arena_close(&arena);
    tl__memory_trim();
    cr_assert_eq(out_now, 0);
    long before = calls;
    tl_set_allocator(NULL, NULL);
    tl__free(tl__alloc(1));
    cr_assert_eq(calls, before);
}

Test(memory, calloc_checks_and_clears)
{
    cr_assert_null(tl__calloc(SIZE_MAX / 2, 3));
    unsigned char *x = tl__calloc(7, 9);
    for (int i = 0; i < 63; i++)
        cr_assert_eq(x[i], 0);
    tl__free(x);
}

Test(memory, the_nth_allocation_fails_and_all_after_it)
{
    tl__fail_after(3);
    void *a = tl__alloc(8), *b = tl__aligned_alloc(8);
    cr_assert(a && b);
    cr_assert_null(tl__buf_new(8));
    cr_assert_null(tl__alloc(8));
    cr_assert_null(tl__calloc(1, 8));
    cr_assert_null(tl__realloc(a, 80));
    cr_assert_null(tl__strdup("x"));
    cr_assert_null(tl__aligned_alloc(8));
    cr_assert_null(tl__buf_borrow("x", 1));
    tl_arena arena = {0};
    cr_assert_null(tl__arena_alloc(&arena, 8));
    cr_assert_eq(tl__alloc_count(), 10);
    tl__fail_after(0);
    cr_assert_eq(tl__alloc_count(), 0);
    void *c = tl__alloc(8);
    cr_assert_not_null(c);
    cr_assert_eq(tl__alloc_count(), 1);
    tl__free(a);
    tl__free(c);
    tl__aligned_free(b);
    tl__arena_close(&arena);
}

Test(memory, a_recycled_block_counts_as_an_allocation)
{
    tl__buf_unref(tl__buf_new(500));
    tl__fail_after(1);
    cr_assert_null(tl__buf_new(500));
    tl__fail_after(2);
    tl_buf *b = tl__buf_new(500);
    cr_assert_not_null(b);
    cr_assert_eq(tl__alloc_count(), 1);
    tl__buf_unref(b);
}

Test(memory, aligned_blocks_are_aligned_and_padded)
{
    for (size_t size = 0; size < 300; size += 7) {
        unsigned char *x = tl__aligned_alloc(size);
        cr_assert_eq((uintptr_t)x % 64, 0);
        memset(x, 1, size);
        volatile unsigned char sum = 0; /* a sanitizer would say if these could not be read */
        memset(x + size, 0, 64);
        for (size_t i = 0; i < 64; i++)
            sum = (unsigned char)(sum + x[size + i]);
        tl__aligned_free(x);
    }
    cr_assert_null(tl__aligned_alloc(SIZE_MAX - 10));
    cr_assert_null(tl__buf_new(SIZE_MAX - 10));
}

Test(memory, grow_doubles_and_leaves_the_array_on_failure)
{
    int *array = NULL;
    uint32_t capacity = 0;
    cr_assert_eq(tl__grow(&array, &capacity, 1, sizeof *array), 0);
    cr_assert_geq(capacity, 1);
    for (uint32_t i = 0; i < capacity; i++)
        array[i] = (int)i;
    uint32_t old = capacity;
    cr_assert_eq(tl__grow(&array, &capacity, old + 1, sizeof *array), 0);
    cr_assert_geq(capacity, 2 * old);
    for (uint32_t i = 0; i < old; i++)
        cr_assert_eq(array[i], (int)i);
    int *same = array;
    cr_assert_eq(tl__grow(&array, &capacity, capacity, sizeof *array), 0);
    cr_assert_eq(array, same);
    tl__fail_after(1);
    old = capacity;
    cr_assert_eq(tl__grow(&array, &capacity, old + 1, sizeof *array), TL_ENOMEM);
    tl__fail_after(0);
    cr_assert_eq(array, same);
    cr_assert_eq(capacity, old);
    cr_assert_eq(tl__grow(&array, &capacity, UINT32_MAX, SIZE_MAX / 2), TL_ENOMEM);
    tl__free(array);
}

Test(memory, arena_keeps_what_is_before_the_mark)
{
    tl_arena a = {0};
    tl_arena_mark empty = tl__arena_mark(&a);
    char *x = tl__arena_alloc(&a, 5);
    strcpy(x, "keep");
    tl_arena_mark m = tl__arena_mark(&a);
    char *first = tl__arena_alloc(&a, 100);
    cr_assert_eq((uintptr_t)first % 16, 0);
    for (int i = 0; i < 2000; i++) { /* over several chunks */
        char *y = tl__arena_alloc(&a, 333);
        cr_assert_eq((uintptr_t)y % 16, 0);
        memset(y, 7, 333);
    }
    char *big = tl__arena_alloc(&a, 3 << 20);
    memset(big, 7, 3 << 20);
    cr_assert_str_eq(x, "keep");
    uint32_t chunks = a.nchunks;
    tl__arena_release(&a, m);
    cr_assert_str_eq(x, "keep");
    cr_assert_eq(tl__arena_alloc(&a, 100), first, "released memory is used again");
    for (int i = 0; i < 2000; i++)
        tl__arena_alloc(&a, 333);
    cr_assert_not_null(tl__arena_alloc(&a, 3 << 20));
    cr_assert_eq(a.nchunks, chunks, "chunks are used again");
    tl__arena_release(&a, empty);
    cr_assert_eq(tl__arena_alloc(&a, 1), x);
    cr_assert_null(tl__arena_alloc(&a, SIZE_MAX - 3));
    tl__arena_close(&a);
    cr_assert_eq(a.nchunks, 0);
}

#ifndef NDEBUG
Test(memory, released_arena_memory_is_overwritten)
{
    tl_arena a = {0};
    tl_arena_mark m = tl__arena_mark(&a);
    unsigned char *x = tl__arena_alloc(&a, 64);
    memset(x, 1, 64);
    tl__arena_release(&a, m);
    for (int i = 0; i < 64; i++)
        cr_assert_eq(x[i], 0xDD);
    tl__arena_close(&a);
}
#endif

Test(memory, buffers_count_references)
{
    cr_assert_null(tl__buf_ref(NULL));
    tl__buf_unref(NULL);
    tl_buf *b = tl__buf_new(100);
    cr_assert_eq(b->bytes, 100);
    cr_assert_geq(b->room, 100);
    cr_assert_eq((uintptr_t)b->data % 64, 0);
    memset(b->data, 3, b->room + 64);
    cr_assert_eq(tl__buf_ref(b), b);
    cr_assert_eq(atomic_load(&b->refs), 2);
    tl__buf_unref(b);
    cr_assert_eq(((char *)b->data)[99], 3);
    tl__buf_unref(b);
    const float host[4] = {1, 2, 3, 4};
    tl_buf *c = tl__buf_borrow(host, sizeof host);
    cr_assert_eq(c->data, host);
    tl__buf_unref(c);
}

Test(memory, every_size_has_room)
{
    for (size_t bytes = 0; bytes < 70000; bytes += bytes < 600 ? 1 : 97) {
        tl_buf *b = tl__buf_new(bytes);
        cr_assert_geq(b->room, bytes);
        if (bytes > 256)
            cr_assert_leq(b->room, bytes + bytes / 4 + 1);
        memset(b->data, 1, b->room);
        tl__buf_unref(b);
    }
    tl_buf *big = tl__buf_new(((size_t)1 << 28) + 1); /* above the largest class */
    cr_assert_not_null(big);
    tl__buf_unref(big);
    big = tl__buf_new((size_t)1 << 28);
    cr_assert_not_null(big);
    tl__buf_unref(big);
}

static void swap_buffers(void *shared)
{
    for (int i = 0; i < 20000; i++) {
        tl_buf *b = tl__buf_new((size_t)(i * 37 % 5000));
        ((char *)b->data)[0] = 1;
        tl__buf_unref(tl__buf_ref(shared));
        tl__buf_unref(b);
    }
}

Test(memory, threads_share_and_recycle)
{
    tl_buf *shared = tl__buf_new(10);
    uv_thread_t thread[3];
    for (int i = 0; i < 3; i++)
        cr_assert_eq(uv_thread_create(&thread[i], swap_buffers, shared), 0);
    for (int i = 0; i < 3; i++)
        uv_thread_join(&thread[i]);
    cr_assert_eq(atomic_load(&shared->refs), 1);
    tl__buf_unref(shared);
}
