/* memory.c -- the hook, failure injection, aligned blocks, growing arrays, the arena, and the
 * buffers of values.
 *
 * Every allocation of the library is counted by `denied` and made by `obtain`, so an injected
 * failure and the host's hook see all of them. Buffers of values are kept for re-use when let
 * go; one taken from there is counted like any other, so that the n-th allocation of a program
 * is the same one whatever happened to idle. */
#include "core/memory.h"

#include "core/packs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <uv.h>

enum { ALIGN = 64, PAD = 64, ARENA_ALIGN = 16, CHUNK = 1 << 16, CHUNK_MAX = 1 << 20 };

static tl_alloc_fn hook;
static void *hook_user;
static atomic_long fail_at; /* 0: never */
static atomic_long allocations;

void tl_set_allocator(tl_alloc_fn fn, void *user)
{
    tl__memory_trim(); /* what idles belongs to the former hook */
    hook = fn;
    hook_user = user;
}

void tl__fail_after(long n)
{
    atomic_store(&allocations, 0);
    atomic_store(&fail_at, n);
}

long tl__alloc_count(void)
{
    return atomic_load(&allocations);
}

static int denied(void)
{
    long number = atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed) + 1;
    long at = atomic_load_explicit(&fail_at, memory_order_relaxed);
    return at > 0 && number >= at;
}

static void *obtain(void *memory, size_t size)
{
    if (size == 0)
        size = 1;
    return hook ? hook(hook_user, memory, size) : realloc(memory, size);
}

void *tl__alloc(size_t size)
{
    return denied() ? NULL : obtain(NULL, size);
}

void *tl__calloc(size_t count, size_t size)
{
    size_t bytes;
    if (tl__mul_size(count, size, &bytes))
        return NULL;
    void *memory = tl__alloc(bytes);
    if (memory)
        memset(memory, 0, bytes);
    return memory;
}

void *tl__realloc(void *memory, size_t size)
{
    return denied() ? NULL : obtain(memory, size);
}

void tl__free(void *memory)
{
    if (!memory)
        return;
    if (hook)
        hook(hook_user, memory, 0);
    else
        free(memory);
}

char *tl__strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = tl__alloc(size);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

/* ask_for_large_pages -- of the system, for what lies wholly inside a large block: the rows of its
 * matrices are pages apart. */
static void ask_for_large_pages(char *data, size_t size)
{
#if defined(MADV_HUGEPAGE)
    const uintptr_t page = (uintptr_t)2 << 20, least = 2 * page;
    const uintptr_t first = ((uintptr_t)data + page - 1) / page * page;
    const uintptr_t end = ((uintptr_t)data + size) / page * page;
    if (size >= least && end > first)
        (void)madvise(data + (first - (uintptr_t)data), end - first, MADV_HUGEPAGE);
#else
    (void)data, (void)size;
#endif
}

/* Layout of an aligned block:  raw ... [raw's address] | aligned data, size bytes | PAD readable
 * bytes */
static void *obtain_aligned(size_t size)
{
    const size_t extra = sizeof(void *) + ALIGN + PAD;
    if (size > PTRDIFF_MAX - extra)
        return NULL;
    char *raw = obtain(NULL, size + extra);
    if (!raw)
        return NULL;
    uintptr_t start = (uintptr_t)raw + sizeof(void *);
    char *data = raw + sizeof(void *) + (ALIGN - start % ALIGN) % ALIGN;
    memcpy(data - sizeof raw, &raw, sizeof raw);
    if (!hook)
        ask_for_large_pages(data, size);
    return data;
}

void *tl__aligned_alloc(size_t size)
{
    return denied() ? NULL : obtain_aligned(size);
}

void tl__aligned_free(void *memory)
{
    if (!memory)
        return;
    char *raw;
    memcpy(&raw, (char *)memory - sizeof raw, sizeof raw);
    tl__free(raw);
}

int tl__grow(void *array_pointer, uint32_t *capacity, uint32_t need, size_t size)
{
    if (need <= *capacity)
        return 0;
    uint32_t room = *capacity < 8 ? 8 : *capacity > UINT32_MAX / 2 ? UINT32_MAX : *capacity * 2;
    if (room < need)
        room = need;
    size_t bytes;
    if (tl__mul_size(room, size, &bytes))
        return TL_ENOMEM;
    void *array; /* the caller's T*, whatever T is */
    memcpy(&array, array_pointer, sizeof array);
    array = tl__realloc(array, bytes);
    if (!array)
        return TL_ENOMEM;
    memcpy(array_pointer, &array, sizeof array);
    *capacity = room;
    return 0;
}

/* ---- arena ----------------------------------------------------------------------------------- */

static void *take(tl_arena *a, uint32_t chunk, size_t from, size_t size)
{
    a->chunk = chunk;
    a->used = from + size;
    return a->chunks[chunk].data + from;
}

void *tl__arena_alloc(tl_arena *a, size_t size)
{
    if (size > PTRDIFF_MAX / 2)
        return NULL;
    size = (size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    if (size == 0)
        size = ARENA_ALIGN;
    for (uint32_t c = a->chunk; c < a->nchunks; c++) {
        size_t from = c == a->chunk ? a->used : 0;
        if (size <= a->chunks[c].size - from)
            return take(a, c, from, size);
    }
    size_t room = a->nchunks ? a->chunks[a->nchunks - 1].size * 2 : CHUNK;
    if (room > CHUNK_MAX)
        room = CHUNK_MAX;
    if (room < size)
        room = size;
    if (tl__grow(&a->chunks, &a->capacity, a->nchunks + 1, sizeof *a->chunks))
        return NULL;
    char *data = tl__alloc(room); /* aligned for any object, so to ARENA_ALIGN */
    if (!data)
        return NULL;
    a->chunks[a->nchunks++] = (tl_arena_chunk){data, room};
    return take(a, a->nchunks - 1, 0, size);
}

tl_arena_mark tl__arena_mark(const tl_arena *a)
{
    return (tl_arena_mark){a->chunk, a->used};
}

void tl__arena_release(tl_arena *a, tl_arena_mark m)
{
#ifndef NDEBUG
    for (uint32_t c = m.chunk; c <= a->chunk && c < a->nchunks; c++) {
        size_t from = c == m.chunk ? m.used : 0;
        size_t to = c == a->chunk ? a->used : a->chunks[c].size;
        if (from < to)
            memset(a->chunks[c].data + from, 0xDD, to - from);
    }
#endif
    a->chunk = m.chunk;
    a->used = m.used;
}

void tl__arena_close(tl_arena *a)
{
    for (uint32_t c = 0; c < a->nchunks; c++)
        tl__free(a->chunks[c].data);
    tl__free(a->chunks);
    *a = (tl_arena){0};
}

/* ---- buffers --------------------------------------------------------------------------------- */

/* A buffer and its data are one aligned block:  tl_buf, 64 bytes | stagger | room bytes | PAD
 *
 * Large blocks come from the system at one place of a page, so equal elements of several arrays
 * would fall on the same lines of the nearest cache: each starts some lines later than the one
 * before.
 *
 * `room` is one of the class sizes 4/4, 5/4, 6/4, 7/4 times a power of two, so at most a quarter
 * is unused and an idle block fits every request of its class. Idle blocks are chained through
 * `data`. */
enum {
    HEADER = 64,
    LOG_MIN = 6,
    LOG_MAX = 28,
    CLASSES = (LOG_MAX - LOG_MIN) * 4 + 1,
    STAGGERED = 1 << 15, /* bytes from which on */
    STAGGER = 5 * 64,
    STAGGERS = 12,
    IDLE_MAX = 64
};
static const size_t IDLE_BYTES_MAX = (size_t)256 << 20;

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED 0
#endif

static struct {
    uv_once_t once;
    uv_mutex_t lock;
    int on; /* off under AddressSanitizer and with TL_NO_RECYCLE set: a use after free must show */
    tl_buf *first[CLASSES];
    int count[CLASSES];
    size_t bytes;
} idle = {.once = UV_ONCE_INIT};

static void idle_init(void)
{
    idle.on = !SANITIZED && !getenv("TL_NO_RECYCLE") && uv_mutex_init(&idle.lock) == 0;
}

/* class_of -- the smallest class with room for bytes, and that room; -1 when there is none: such
 * blocks are not kept. */
static int class_of(size_t bytes, size_t *room)
{
    if (bytes <= (size_t)1 << LOG_MIN) {
        *room = (size_t)1 << LOG_MIN;
        return 0;
    }
    *room = bytes;
    if (bytes > (size_t)1 << LOG_MAX)
        return -1;
    int log = 63 - __builtin_clzll((unsigned long long)bytes - 1); /* 2^log < bytes <= 2^(log+1) */
    size_t quarter = (size_t)1 << (log - 2);
    size_t quarters = (bytes + quarter - 1) / quarter; /* 5..8 */
    *room = quarters * quarter;
    return (log - LOG_MIN) * 4 + (int)quarters - 4;
}

static tl_buf *idle_take(int class)
{
    uv_once(&idle.once, idle_init);
    if (class < 0 || !idle.on)
        return NULL;
    uv_mutex_lock(&idle.lock);
    tl_buf *b = idle.first[class];
    if (b) {
        idle.first[class] = b->data;
        idle.count[class]--;
        idle.bytes -= b->room;
    }
    uv_mutex_unlock(&idle.lock);
    return b;
}

static int idle_give(tl_buf *b)
{
    size_t room;
    int class = class_of(b->room, &room);
    if (class < 0 || !idle.on)
        return 0;
    uv_mutex_lock(&idle.lock);
    int keep = idle.count[class] < IDLE_MAX && idle.bytes + b->room <= IDLE_BYTES_MAX;
    if (keep) {
        b->data = idle.first[class];
        idle.first[class] = b;
        idle.count[class]++;
        idle.bytes += b->room;
    }
    uv_mutex_unlock(&idle.lock);
    return keep;
}

void tl__memory_trim(void)
{
    for (int class = 0; class < CLASSES; class ++)
        for (tl_buf *b; (b = idle_take(class)) != NULL;)
            tl__aligned_free(b);
}

/* A host's hook may be gone by now, so only what came from malloc is given back. */
__attribute__((destructor)) static void at_exit(void)
{
    if (!hook)
        tl__memory_trim();
}

static atomic_uint staggers;

tl_buf *tl__buf_new(size_t bytes)
{
    _Static_assert(sizeof(tl_buf) <= HEADER, "a buffer's data starts on a cache line of its own");
    if (denied() || bytes > PTRDIFF_MAX / 2)
        return NULL;
    size_t room;
    tl_buf *b = idle_take(class_of(bytes, &room));
    if (!b) {
        const int turn = room < STAGGERED ? 0 : atomic_fetch_add(&staggers, 1) % STAGGERS;
        const size_t later = (size_t)turn * STAGGER;
        b = obtain_aligned(HEADER + later + room);
        if (!b)
            return NULL;
        b->room = room;
        b->later = (uint32_t)later;
    }
    atomic_init(&b->refs, 1);
    b->bytes = bytes;
    b->data = (char *)b + HEADER + b->later;
    b->borrowed = 0;
    b->packs = NULL;
    return b;
}

tl_buf *tl__buf_borrow(const void *data, size_t bytes)
{
    tl_buf *b = tl__alloc(sizeof *b);
    if (!b)
        return NULL;
    *b = (tl_buf){.bytes = bytes, .room = bytes, .data = (void *)(uintptr_t)data, .borrowed = 1};
    atomic_init(&b->refs, 1);
    return b;
}

tl_buf *tl__buf_ref(tl_buf *b)
{
    if (b)
        atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void tl__buf_unref(tl_buf *b)
{
    if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (b->packs)
        tl__packs_drop(b);
    if (b->borrowed)
        tl__free(b);
    else if (!idle_give(b))
        tl__aligned_free(b);
}
