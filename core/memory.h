/* memory.h -- allocation, all of it: the hook, the arena of a tape, and reference-counted buffers.
 * Private. */
#ifndef TL_CORE_MEMORY_H
#define TL_CORE_MEMORY_H

#include "core/shape.h"

#include <stdatomic.h>

/* tl__alloc, tl__realloc, tl__free -- through the host's hook. NULL when memory is short; size 0
 * gives a unique pointer. */
TL_API void *tl__alloc(size_t size);
TL_API void *tl__calloc(size_t count, size_t size); /* zeroed, overflow checked */
TL_API void *tl__realloc(void *memory, size_t size);
TL_API void tl__free(void *memory);
TL_API char *tl__strdup(const char *text);

/* tl__aligned_alloc -- 64-byte aligned, with 64 readable bytes behind the end; freed by
 * tl__aligned_free. */
TL_API void *tl__aligned_alloc(size_t size);
TL_API void tl__aligned_free(void *memory);

/* tl__fail_after -- failure injection for tests: the n-th allocation from now (1 is the next)
 * fails, and every one after it; 0 switches it off. tl__alloc_count counts allocations since the
 * last call of tl__fail_after. Process-wide. */
TL_API void tl__fail_after(long n);
TL_API long tl__alloc_count(void);

/* tl__grow -- makes room for `need` elements of `size` bytes in *array of *capacity; doubles.
 * Returns 0 or TL_ENOMEM (array untouched). */
TL_API int tl__grow(void *array_pointer, uint32_t *capacity, uint32_t need, size_t size);

/* tl_arena -- bump allocation in chunks, released back to a mark.
 *
 *     chunk 0 [########]  chunk 1 [####....]  chunk 2 [........] (kept for re-use)
 *                                     ^ mark = (1, 4)
 * Memory returned stays where it is until released. 16-byte aligned. */
typedef struct tl_arena_chunk {
    char *data;
    size_t size;
} tl_arena_chunk;
typedef struct tl_arena {
    tl_arena_chunk *chunks;
    uint32_t nchunks, capacity;
    uint32_t chunk; /* the one being filled */
    size_t used;    /* in it */
} tl_arena;
typedef struct tl_arena_mark {
    uint32_t chunk;
    size_t used;
} tl_arena_mark;
TL_API void *tl__arena_alloc(tl_arena *a, size_t size); /* NULL when memory is short */
TL_API tl_arena_mark tl__arena_mark(const tl_arena *a);
TL_API void tl__arena_release(
    tl_arena *a,
    tl_arena_mark m); /* fills the released bytes with 0xDD in debug builds (NDEBUG not set) */
TL_API void tl__arena_close(tl_arena *a);

/* tl_buf -- a reference-counted, 64-byte aligned and padded block. Immutable once published to a
 * node or a parameter; shared freely between tapes and threads. */
typedef struct tl_packs tl_packs;
typedef struct tl_buf {
    atomic_int refs;
    size_t bytes;   /* asked for */
    size_t room;    /* there */
    uint32_t later; /* bytes before data that are left out */
    void *data;
    int borrowed;    /* data belongs to the caller */
    tl_packs *packs; /* packs.h */
} tl_buf;
TL_API tl_buf *tl__buf_new(size_t bytes); /* refs 1, contents undefined */
TL_API tl_buf *tl__buf_borrow(const void *data, size_t bytes);
TL_API tl_buf *tl__buf_ref(tl_buf *b); /* returns b; NULL stays NULL */
TL_API void tl__buf_unref(tl_buf *b);  /* frees, or keeps for re-use, at 0 */

/* tl__memory_trim -- gives back all blocks kept for re-use. */
TL_API void tl__memory_trim(void);

#endif
