/* tsan_rows.c -- a table whose rows were assigned, read by several threads at once: one of them
 * settles it. A plain main program, since Criterion does not start under ThreadSanitizer. Prints
 * what differed and returns 1, or returns 0. */
#include "core/param.h"
#include "ops/ops.h"

#include <stdio.h>
#include <uv.h>

enum { V = 64, E = 16, READERS = 3, ROUNDS = 200 };

typedef struct reader {
    const tl_param *p;
    tl_param *use;
    int round, wrong;
} reader;

/* Row r has the number of the last round in which it was assigned: r, r + V, ... */
static void read_all(void *context)
{
    reader *r = context;
    float got[V * E];
    if (r->use) {
        tl_tape *tape = tl_tape_new(NULL);
        r->wrong += tl_read_f32(tl_use(tape, r->use), got, V * E) != TL_OK;
        tl_tape_free(tape);
    } else {
        r->wrong += tl_param_get_f32(r->p, got, V * E) != TL_OK;
    }
    for (int v = 0; v < V; v++) {
        const int last = r->round - (r->round - v + V) % V;
        for (int e = 0; e < E; e++)
            r->wrong += (int)got[v * E + e] != (last < 0 ? 0 : last);
    }
}

int main(void)
{
    tl_tape *tape = tl_tape_new(NULL);
    tl_params *set = tl_params_new(TL_F32);
    tl_param *p = tl_param_new(set, "table", tl_shape2(V, E), NULL);
    int wrong = 0;
    for (int round = 0; round < ROUNDS; round++) {
        const int32_t row = round % V;
        tl_use(tape, p); /* the step's tape holds the value, every other round until after it */
        tl_assign_rows(p, tl_input_i32(tape, tl_shape1(1), &row),
                       tl_full(tape, TL_F32, tl_shape2(1, E), round));
        wrong += tl_commit(tape) != TL_OK;
        if (round % 2)
            tl_tape_reset(tape);
        uv_thread_t thread[READERS];
        reader r[READERS];
        for (int k = 0; k < READERS; k++) {
            r[k] = (reader){p, k % 2 ? NULL : p, round, 0};
            uv_thread_create(&thread[k], read_all, &r[k]);
        }
        for (int k = 0; k < READERS; k++) {
            uv_thread_join(&thread[k]);
            wrong += r[k].wrong;
        }
        tl_tape_reset(tape);
    }
    tl_tape_free(tape);
    tl_params_free(set);
    if (wrong)
        printf("%d differ\n", wrong);
    return wrong != 0;
}
