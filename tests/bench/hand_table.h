/* hand_table.h -- the loops of hand_loops.h as they were compiled for one instruction set; what
 * they do is said there. hand_loops.c fills the tables, hand_pick.c chooses one. */
#ifndef TL_TESTS_BENCH_HAND_TABLE_H
#define TL_TESTS_BENCH_HAND_TABLE_H

#include <stddef.h>
#include <stdint.h>

typedef struct hand_table {
    void (*chain)(size_t n, const float *a, const float *b, const float *c, float *out);
    void (*map)(size_t n, const float *in, float *out);
    void (*sgd)(size_t n, float *p, const float *g, float lr);
    void (*adam)(size_t n, float *p, const float *g, float *m, float *v, float c1, float c2);
    void (*scatter_add)(size_t rows, size_t E, const float *src, const int32_t *idx, float scale,
                        float *table);
} hand_table;

/* HAND_TABLE(isa) -- its name. */
#define HAND_TABLE(ISA) hand_table_##ISA

#endif
