/* binding.c -- where the bases of a plan are in one run. */
#include "core/plan/execute.h"

#include <string.h>

int tl__binding_open(tl_binding *b, const tl_plan *p)
{
    const size_t n = p->nbases;
    char *memory = tl__calloc(n + 1, sizeof *b->address + sizeof *b->fresh + sizeof *b->scalar + 1);
    *b = (tl_binding){0};
    if (!memory)
        return TL_ENOMEM;
    b->address = (char **)(void *)memory;
    b->fresh = (tl_buf **)(void *)(b->address + n);
    b->scalar = (uint64_t *)(void *)(b->fresh + n);
    b->ready = (uint8_t *)(b->scalar + n);
    return TL_OK;
}

void tl__binding_close(tl_binding *b, const tl_plan *p)
{
    for (uint32_t k = 0; b->address && k < p->nbases; k++)
        tl__buf_unref(b->fresh[k]);
    tl__free(b->address);
    *b = (tl_binding){0};
}

void tl__binding_scalar(tl_binding *b, const tl_plan *p, uint32_t base, double value)
{
    union {
        float f32;
        double f64;
        int32_t i32;
    } x;
    const tl_dtype dtype = p->base[base].dtype;
    if (dtype == TL_F32)
        x.f32 = (float)value;
    else if (dtype == TL_F64)
        x.f64 = value;
    else
        x.i32 = (int32_t)value;
    memcpy(&b->scalar[base], &x, tl_dtype_size(dtype));
    b->address[base] = (char *)&b->scalar[base];
}

/* whole_spec -- the matrix counted from the leaf's buffer instead of its first element. */
static tl_pack_spec whole_spec(const tl_base *base, const tl_node *leaf)
{
    tl_pack_spec spec = base->spec;
    spec.offset += leaf->layout.offset;
    return spec;
}

int tl__binding_packs(tl_binding *b, const tl_plan *p, const tl_node *nodes,
                      const tl_member *member)
{
    for (uint32_t k = 1; k < p->nbases; k++) {
        if (p->base[k].kind != TL_BASE_PACK)
            continue;
        const tl_node *leaf = &nodes[member[p->base[k].node].slot];
        const tl_pack_spec spec = whole_spec(&p->base[k], leaf);
        b->fresh[k] = tl__packs_find(leaf->buf, &spec);
        b->ready[k] = b->fresh[k] != NULL;
        if (!b->fresh[k])
            b->fresh[k] = tl__buf_new(p->base[k].bytes);
        if (!b->fresh[k])
            return TL_ENOMEM;
        b->address[k] = b->fresh[k]->data;
    }
    return TL_OK;
}

void tl__binding_keep_packs(tl_binding *b, const tl_plan *p, const tl_node *nodes,
                            const tl_member *member)
{
    for (uint32_t k = 1; k < p->nbases; k++) {
        if (p->base[k].kind != TL_BASE_PACK || b->ready[k])
            continue;
        const tl_node *leaf = &nodes[member[p->base[k].node].slot];
        const tl_pack_spec spec = whole_spec(&p->base[k], leaf);
        tl__packs_put(leaf->buf, &spec, b->fresh[k]);
    }
}
