/* packs.c -- the packs of buffers. A buffer has few, so they are looked through; one lock serves
 * all, since it is held for a look only. */
#include "core/packs.h"

#include <string.h>
#include <uv.h>

typedef struct tl_pack {
    tl_pack_spec spec;
    tl_buf *buf;
} tl_pack;

struct tl_packs {
    tl_pack *at;
    uint32_t n, capacity;
};

static struct {
    uv_once_t once;
    uv_mutex_t lock;
    int has_lock;
} packs = {.once = UV_ONCE_INIT};

static void init(void)
{
    packs.has_lock = uv_mutex_init(&packs.lock) == 0;
}

/* enter -- whether packs may be looked at; then leave comes after. */
static int enter(void)
{
    uv_once(&packs.once, init);
    if (packs.has_lock)
        uv_mutex_lock(&packs.lock);
    return packs.has_lock;
}

static void leave(void)
{
    uv_mutex_unlock(&packs.lock);
}

static tl_buf *look(const tl_packs *p, const tl_pack_spec *spec)
{
    for (uint32_t k = 0; p && k < p->n; k++)
        if (memcmp(&p->at[k].spec, spec, sizeof *spec) == 0)
            return p->at[k].buf;
    return NULL;
}

tl_buf *tl__packs_find(tl_buf *of, const tl_pack_spec *spec)
{
    if (!enter())
        return NULL;
    tl_buf *buf = tl__buf_ref(look(of->packs, spec));
    leave();
    return buf;
}

static void put(tl_buf *of, const tl_pack_spec *spec, tl_buf *pack)
{
    if (!of->packs)
        of->packs = tl__calloc(1, sizeof *of->packs);
    tl_packs *p = of->packs;
    if (p && !look(p, spec) && !tl__grow(&p->at, &p->capacity, p->n + 1, sizeof *p->at))
        p->at[p->n++] = (tl_pack){*spec, tl__buf_ref(pack)};
}

void tl__packs_put(tl_buf *of, const tl_pack_spec *spec, tl_buf *pack)
{
    if (!enter())
        return;
    put(of, spec, pack);
    leave();
}

void tl__packs_drop(tl_buf *of)
{
    tl_packs *p = of->packs;
    of->packs = NULL;
    for (uint32_t k = 0; p && k < p->n; k++)
        tl__buf_unref(p->at[k].buf);
    if (p)
        tl__free(p->at);
    tl__free(p);
}
