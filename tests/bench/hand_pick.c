/* hand_pick.c -- the loops for the instruction set of this process. */
#include "core/machine.h"
#include "core/pointwise.h"
#include "tests/bench/hand_loops.h"
#include "tests/bench/hand_table.h"

#include <string.h>

#define DECLARED(ISA, ...) extern const hand_table HAND_TABLE(ISA);
#define ENTRY(ISA, ...) &HAND_TABLE(ISA),
TL_EACH_ISA(DECLARED, )

static const hand_table *pick(void)
{
    static const hand_table *const tables[TL_ISAS] = {TL_EACH_ISA(ENTRY, )};
    const hand_table *best = tables[tl__isa()];
    return best ? best : tables[TL_ISA_BASE];
}

void hand_chain(size_t n, const float *a, const float *b, const float *c, float *out)
{
    pick()->chain(n, a, b, c, out);
}

void hand_map(size_t n, const float *in, float *out)
{
    pick()->map(n, in, out);
}

void hand_sgd(size_t n, float *p, const float *g, float lr)
{
    pick()->sgd(n, p, g, lr);
}

void hand_adam(size_t n, float *p, const float *g, float *m, float *v, float c1, float c2)
{
    pick()->adam(n, p, g, m, v, c1, c2);
}

void hand_gather(size_t rows, size_t E, const float *table, const int32_t *idx, float *out)
{
    for (size_t i = 0; i < rows; i++)
        memcpy(out + i * E, table + (size_t)idx[i] * E, E * sizeof *out);
}

void hand_scatter_add(size_t rows, size_t E, const float *src, const int32_t *idx, float scale,
                      float *table)
{
    pick()->scatter_add(rows, E, src, idx, scale, table);
}
