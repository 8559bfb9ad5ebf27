/* test_tile.c -- the pointwise machine against a loop over elements: any extents and strides,
 * rows packed or not, in place, several outputs, whole or in parts. */
#include "core/random.h"
#include "core/tile.h"
#include "tests/check.h"

#include <stdlib.h>
#include <string.h>

static void add_f32(int64_t n, void *out, const void *const *in)
{
    const float *a = in[0], *b = in[1];
    for (int64_t i = 0; i < n; i++)
        ((float *)out)[i] = a[i] + b[i];
}

static void mul_f32(int64_t n, void *out, const void *const *in)
{
    const float *a = in[0], *b = in[1];
    for (int64_t i = 0; i < n; i++)
        ((float *)out)[i] = a[i] * b[i];
}

static void sub_f32(int64_t n, void *out, const void *const *in)
{
    const float *a = in[0], *b = in[1];
    for (int64_t i = 0; i < n; i++)
        ((float *)out)[i] = a[i] - b[i];
}

static void widen(int64_t n, void *out, const void *const *in)
{
    const float *a = in[0];
    for (int64_t i = 0; i < n; i++)
        ((double *)out)[i] = (double)a[i];
}

enum { MOST_INPUTS = 6, MOST_STEPS = 12, MOST_OUTPUTS = 4, ROOM = 1 << 16 };

/* program -- a random group over f32 arrays, and where its arrays lie. */
typedef struct program {
    int rank, nin, nsteps, nout;
    int64_t dim[4], stride[MOST_INPUTS + MOST_OUTPUTS][4], first[MOST_INPUTS + MOST_OUTPUTS];
    tl_tile_array in[MOST_INPUTS], out[MOST_OUTPUTS];
    tl_tile_step step[MOST_STEPS];
} program;

static int64_t pick(tl_rng *r, int64_t n)
{
    return (int64_t)tl__rng_below(r, (uint64_t)n);
}

/* lay_out -- strides for an array: dense, rows with gaps, axes exchanged, or (inputs) repeated
 * along some axes. Returns how far it reaches. */
static int64_t lay_out(tl_rng *r, const program *p, int64_t *stride, int repeats)
{
    int order[4] = {0, 1, 2, 3};
    int64_t step = 1, reach = 0;
    if (p->rank > 1 && pick(r, 4) == 0) {
        order[p->rank - 1] = p->rank - 2;
        order[p->rank - 2] = p->rank - 1;
    }
    for (int k = p->rank - 1; k >= 0; k--) {
        int a = order[k];
        int64_t extent = p->dim[a] > 0 ? p->dim[a] : 1;
        if (repeats && pick(r, 3) == 0) {
            stride[a] = 0;
            continue;
        }
        stride[a] = step;
        reach += (extent - 1) * step;
        step *= extent + (pick(r, 3) == 0 ? pick(r, 5) : 0);
    }
    return reach + 1;
}

static program random_program(tl_rng *r)
{
    static const int64_t extents[] = {1, 2, 3, 7, 16, 33, 130, 700};
    program p = {.rank = (int)pick(r, 4)};
    int64_t count = 1, at = 0;
    for (int a = 0; a < p.rank; a++) {
        p.dim[a] = extents[pick(r, a == p.rank - 1 ? 8 : 5)];
        if (pick(r, 60) == 0)
            p.dim[a] = 0;
        count *= p.dim[a];
    }
    p.nin = 1 + (int)pick(r, MOST_INPUTS);
    p.nsteps = (int)pick(r, MOST_STEPS + 1);
    p.nout = 1 + (int)pick(r, MOST_OUTPUTS);
    (void)count;
    for (int k = 0; k < p.nin; k++) {
        p.first[k] = at;
        at += lay_out(r, &p, p.stride[k], 1) + 16;
        p.in[k] = (tl_tile_array){TL_F32, p.stride[k], 0, -1};
    }
    for (int s = 0; s < p.nsteps; s++) {
        int n = p.nin + s;
        const int which = (int)pick(r, 3), form = pick(r, 4) ? 1 : 0; /* may be joined or not */
        const int near = n - 1 - (int)pick(r, n < 3 ? n : 3);
        p.step[s] = (tl_tile_step){
            which == 0   ? add_f32
            : which == 1 ? mul_f32
                         : sub_f32,
            form ? (which == 0   ? TL_FORM_SUM
                    : which == 1 ? TL_FORM_PRODUCT
                                 : TL_FORM_DIFFERENCE)
                 : TL_FORM_OTHER,
            TL_F32,
            2,
            {pick(r, 2) ? near : (int)pick(r, n), pick(r, 2) ? near : (int)pick(r, n)}};
    }
    for (int o = 0; o < p.nout; o++) {
        int alias = -1, k = p.nin + o;
        p.first[k] = at;
        at += lay_out(r, &p, p.stride[k], 0) + 16;
        if (pick(r, 3) == 0) { /* onto an input that repeats nothing and has no such output yet */
            alias = (int)pick(r, p.nin);
            for (int a = 0; a < p.rank; a++)
                if (p.dim[a] != 1 && p.stride[alias][a] == 0)
                    alias = -1, a = p.rank;
            for (int other = 0; other < o && alias >= 0; other++)
                if (p.out[other].alias == alias)
                    alias = -1;
        }
        if (alias >= 0) {
            p.first[k] = p.first[alias];
            memcpy(p.stride[k], p.stride[alias], sizeof p.stride[k]);
        }
        p.out[o] = (tl_tile_array){TL_F32, p.stride[k], (int)pick(r, p.nin + p.nsteps), alias};
    }
    for (int k = 0; k < p.nin; k++)
        p.in[k].stride = p.stride[k];
    for (int o = 0; o < p.nout; o++)
        p.out[o].stride = p.stride[p.nin + o];
    return p;
}

/* naive -- element by element; all inputs are read before anything is written. */
static void naive(const program *p, const float *before, float *after)
{
    int64_t count = 1, index[4] = {0};
    for (int a = 0; a < p->rank; a++)
        count *= p->dim[a];
    for (int64_t e = 0; e < count; e++) {
        int64_t rest = e;
        float value[MOST_INPUTS + MOST_STEPS];
        for (int a = p->rank - 1; a >= 0; rest /= p->dim[a], a--)
            index[a] = rest % p->dim[a];
        for (int k = 0; k < p->nin; k++) {
            int64_t at = p->first[k];
            for (int a = 0; a < p->rank; a++)
                at += index[a] * p->stride[k][a];
            value[k] = before[at];
        }
        for (int s = 0; s < p->nsteps; s++) {
            float a = value[p->step[s].in[0]], b = value[p->step[s].in[1]];
            value[p->nin + s] = p->step[s].fn == add_f32   ? a + b
                                : p->step[s].fn == mul_f32 ? a * b
                                                           : a - b;
        }
        for (int o = 0; o < p->nout; o++) {
            int64_t at = p->first[p->nin + o];
            for (int a = 0; a < p->rank; a++)
                at += index[a] * p->stride[p->nin + o][a];
            after[at] = value[p->out[o].value];
        }
    }
}

static int64_t reach(const program *p)
{
    int64_t most = 0;
    for (int k = 0; k < p->nin + p->nout; k++) {
        int64_t end = p->first[k] + 1;
        for (int a = 0; a < p->rank; a++)
            end += p->dim[a] > 0 ? (p->dim[a] - 1) * p->stride[k][a] : 0;
        most = end > most ? end : most;
    }
    return most + 64;
}

/* run_tile -- compiles and runs a program on memory, cut into parts along an axis (or -1) at
 * random places. */
static void run_tile(const program *p, int split, tl_rng *r, float *memory)
{
    tl_arena arena = {0};
    char *data[MOST_INPUTS + MOST_OUTPUTS];
    tl_tile *t = tl__tile_new(&arena, p->rank, p->dim, split, p->nin, p->in, p->nsteps, p->step,
                              p->nout, p->out);
    cr_assert_not_null(t);
    void *scratch = tl__aligned_alloc(tl__tile_scratch(t));
    for (int k = 0; k < p->nin + p->nout; k++)
        data[k] = (char *)(memory + p->first[k]);
    const int64_t extent = split < 0 ? 0 : p->dim[split];
    if (split < 0)
        tl__tile_run(t, data, scratch);
    for (int64_t lo = 0, hi; lo < extent; lo = hi) {
        hi = lo + 1 + pick(r, extent - lo);
        tl__tile_run_part(t, data, scratch, lo, hi);
    }
    tl__aligned_free(scratch);
    tl__arena_close(&arena);
}

Test(tile, random_groups_are_what_a_loop_over_elements_gives)
{
    tl_rng r = {.seed = 5};
    for (int turn = 0; turn < 3000; turn++) {
        program p = random_program(&r);
        for (int k = 0; k < p.nin; k++)
            p.in[k].stride = p.stride[k];
        for (int o = 0; o < p.nout; o++)
            p.out[o].stride = p.stride[p.nin + o];
        int64_t n = reach(&p);
        float *before = malloc((size_t)n * sizeof *before), *got = malloc((size_t)n * sizeof *got),
              *want = malloc((size_t)n * sizeof *want);
        for (int64_t i = 0; i < n; i++)
            before[i] = (float)(tl__rng_uniform(&r) - 0.5);
        memcpy(got, before, (size_t)n * sizeof *got);
        memcpy(want, before, (size_t)n * sizeof *want);
        naive(&p, before, want);
        int split = p.rank ? (int)pick(&r, p.rank + 1) - 1 : -1;
        run_tile(&p, split, &r, got);
        cr_assert_eq(memcmp(got, want, (size_t)n * sizeof *got), 0,
                     "turn %d: rank %d, %d inputs, %d steps, %d outputs, split along %d", turn,
                     p.rank, p.nin, p.nsteps, p.nout, split);
        free(before);
        free(got);
        free(want);
    }
}

Test(tile, two_arrays_change_places)
{
    const int64_t dim[] = {5, 9}, stride[] = {9, 1};
    program p = {.rank = 2, .nin = 2, .nout = 2};
    memcpy(p.dim, dim, sizeof dim);
    for (int k = 0; k < 4; k++) {
        memcpy(p.stride[k], stride, sizeof stride);
        p.first[k] = k % 2 * 64;
    }
    p.in[0] = (tl_tile_array){TL_F32, p.stride[0], 0, -1};
    p.in[1] = (tl_tile_array){TL_F32, p.stride[1], 0, -1};
    p.out[0] = (tl_tile_array){TL_F32, p.stride[2], 1, 0};
    p.out[1] = (tl_tile_array){TL_F32, p.stride[3], 0, 1};
    float memory[128] = {0};
    for (int i = 0; i < 45; i++) {
        memory[i] = (float)i;
        memory[64 + i] = (float)(100 + i);
    }
    run_tile(&p, -1, NULL, memory);
    for (int i = 0; i < 45; i++) {
        cr_assert_eq((int)memory[i], 100 + i);
        cr_assert_eq((int)memory[64 + i], i);
    }
}

Test(tile, element_types_may_change_on_the_way)
{
    const int64_t dim[] = {1000}, stride[] = {1};
    const tl_tile_array in = {TL_F32, stride, 0, -1}, out = {TL_F64, stride, 1, -1};
    const tl_tile_step step = {widen, TL_FORM_OTHER, TL_F64, 1, {0}};
    float x[1000];
    double y[1000];
    tl_arena arena = {0};
    for (int i = 0; i < 1000; i++)
        x[i] = (float)i / 7;
    tl_tile *t = tl__tile_new(&arena, 1, dim, -1, 1, &in, 1, &step, 1, &out);
    void *scratch = tl__aligned_alloc(tl__tile_scratch(t));
    tl__tile_run(t, (char *const[]){(char *)x, (char *)y}, scratch);
    for (int i = 0; i < 1000; i++)
        cr_assert_eq((float)y[i], x[i]);
    tl__aligned_free(scratch);
    tl__arena_close(&arena);
}

Test(tile, short_rows_are_packed_when_there_is_work)
{
    const int64_t dim[] = {64, 20}, wide[] = {100, 1}, dense[] = {20, 1};
    tl_tile_step step[8];
    tl_arena arena = {0};
    for (int s = 0; s < 8; s++)
        step[s] = (tl_tile_step){mul_f32, TL_FORM_PRODUCT, TL_F32, 2, {s, s}};
    const tl_tile_array in = {TL_F32, wide, 0, -1}, out = {TL_F32, dense, 8, -1};
    tl_tile *t = tl__tile_new(&arena, 2, dim, -1, 1, &in, 8, step, 1, &out);
    cr_assert(1 < tl__tile_rows(t));
    tl__arena_close(&arena);
}
