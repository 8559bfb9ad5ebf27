/* lay.c -- which weights a program keeps turned, and turning them. */
#include "core/lay.h"

/* ---- choosing -------------------------------------------------------------------------------- */

enum { INDIFFERENT, AS_STORED, TURNED };

/* wish -- how a contraction would have its operand, a matrix: with the axis contiguous that is the
 * last of the result; where the operand has none of that, any way does. */
static int wish(const tl_node *n, uint32_t operand)
{
    const int64_t *a = n->attr.i, *b = a + 1 + a[0], *out = b + 1 + b[0];
    const int64_t *mine = operand == 0 ? a : b;
    if (out[0] == 0)
        return INDIFFERENT;
    const int64_t last = out[out[0]];
    return mine[1] == last ? TURNED : mine[2] == last ? AS_STORED : INDIFFERENT;
}

int tl__lay_wanted(const tl_tape *tape, const tl_stretch *s, uint32_t leaf)
{
    const tl_node *w = &tape->nodes[leaf];
    if (w->shape.rank != 2 || w->shape.dim[0] < 2 || w->shape.dim[1] < 2 || w->dtype == TL_I32)
        return 0;
    int turned = 0;
    for (uint32_t m = 0; m < s->nmembers; m++) {
        const tl_node *n = &tape->nodes[s->member[m].slot];
        if ((s->member[m].flags & TL_MEMBER_LEAF) || n->op->kind == TL_LOOP)
            continue; /* a loop only hands it on to its body */
        for (uint32_t k = 0; k < n->nin; k++) {
            if (n->in[k] != leaf)
                continue;
            const int how = n->op->kind == TL_CONTRACTION ? wish(n, k) : AS_STORED;
            if (how == AS_STORED)
                return 0;
            turned |= how == TURNED;
        }
    }
    return turned;
}

/* ---- turning --------------------------------------------------------------------------------- */

tl_layout tl__lay_strides(int64_t n)
{
    return (tl_layout){.stride = {1, n}};
}

/* A block of both fits the nearest cache. */
#define TURN(T)                                                                                    \
    do {                                                                                           \
        enum { SIDE = 16 };                                                                        \
        const T *x = from;                                                                         \
        T *y = l->copy->data;                                                                      \
        for (int64_t i0 = 0; i0 < l->n; i0 += SIDE)                                                \
            for (int64_t p0 = 0; p0 < l->k; p0 += SIDE)                                            \
                for (int64_t p = p0; p < l->k && p < p0 + SIDE; p++)                               \
                    for (int64_t i = i0; i < l->n && i < i0 + SIDE; i++)                           \
                        y[p * l->n + i] = x[i * l->k + p];                                         \
    } while (0)

void tl__lay_turn(tl_laid *l, const void *from)
{
    if (l->dtype == TL_F64)
        TURN(double);
    else
        TURN(float);
}

void tl__lay_renew(tl_laid *l, uv_mutex_t *lock)
{
    uv_mutex_lock(lock);
    if (tl__lay_is_old(l)) {
        tl__lay_turn(l, l->store->value->data);
        atomic_store_explicit(&l->version, l->store->version, memory_order_release);
    }
    uv_mutex_unlock(lock);
}
