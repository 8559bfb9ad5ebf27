/* tile.c -- the pointwise machine. Compiling decides once where every value lives and writes a
 * list of actions; running repeats that list for each tile.
 *
 *     iteration space, axes merged            one tile: R rows x n columns
 *     +--------------------------------+
 *     |  outer axes: odometer          |      +----------+
 *     |     rows: R at a time  --------+----> | load  a  |    what is not contiguous in the tile
 *     |        columns: n at a time    |      | step mul |    kernels, register to register
 *     +--------------------------------+      | store  y |    what could not be written in place
 *                                             +----------+
 *
 * Where in memory an element lies never changes its bits: kernels give the same result at any
 * position. Running is in tile_run.c. */
#include "core/pair.h"
#include "core/tile_code.h"

#include <string.h>

enum {
    SHORT = 64,
    LONG = 512,
    LENGTH_MIN = 128,
    LENGTH_MAX = 1024,
    L1 = 24 * 1024,
    FAR = 8 * 1024
};

/* ---- compiling: axes ------------------------------------------------------------------------- */

typedef struct tl_axes {
    int rank, n;
    int split;    /* the axis that parts cut, -1: none */
    int64_t unit; /* steps along it for one of the split axis */
    int64_t dim[TL_MAX_RANK];
    int64_t (*stride)[TL_MAX_RANK]; /* of each array */
} tl_axes;

static int64_t magnitude(int64_t x)
{
    return x < 0 ? -x : x;
}

/* axis_before -- whether axis a belongs outside axis b: judged by the output, which is array
 * n-1. */
static int axis_before(const tl_axes *x, int a, int b)
{
    for (int k = x->n - 1; k >= 0; k--) {
        int64_t sa = magnitude(x->stride[k][a]), sb = magnitude(x->stride[k][b]);
        if (sa && sb && sa != sb)
            return sa > sb;
    }
    return a < b;
}

static void swap_axes(tl_axes *x, int a, int b)
{
    int64_t d = x->dim[a];
    x->dim[a] = x->dim[b];
    x->dim[b] = d;
    for (int k = 0; k < x->n; k++) {
        int64_t s = x->stride[k][a];
        x->stride[k][a] = x->stride[k][b];
        x->stride[k][b] = s;
    }
    x->split = x->split == a ? b : x->split == b ? a : x->split;
}

/* merge_axes -- drops extents of 1, orders, and joins neighbours that every array runs through
 * in one step. The split axis may only be the outer one of two: then a part of it is one run. */
static void merge_axes(tl_axes *x)
{
    int rank = 0;
    for (int a = 0; a < x->rank; a++) {
        if (x->dim[a] == 1)
            continue;
        if (a != rank)
            swap_axes(x, a, rank);
        rank++;
    }
    if (x->split >= rank)
        x->split = -1;
    x->rank = rank;
    for (int a = 1; a < rank; a++)
        for (int b = a; b > 0 && axis_before(x, b, b - 1); b--)
            swap_axes(x, b, b - 1);
    for (int a = rank - 2; a >= 0; a--) {
        int joins = a + 1 != x->split;
        for (int k = 0; k < x->n && joins; k++)
            joins = x->stride[k][a] == x->stride[k][a + 1] * x->dim[a + 1];
        if (!joins)
            continue;
        if (a == x->split) {
            x->unit *= x->dim[a + 1];
            x->split = a + 1;
        }
        x->dim[a + 1] *= x->dim[a];
        for (int b = a; b + 1 < x->rank; b++)
            swap_axes(x, b, b + 1);
        x->rank--;
    }
}

/* ---- compiling: lanes ------------------------------------------------------------------------ */

static void split_axes(tl_tile *t, const tl_axes *x)
{
    t->columns = x->rank >= 1 ? x->dim[x->rank - 1] : 1;
    t->rows = x->rank >= 2 ? x->dim[x->rank - 2] : 1;
    t->rank = x->rank > 2 ? x->rank - 2 : 0;
    t->split = x->split < 0 ? -1 : t->rank + 2 - (x->rank - x->split);
    t->unit = x->unit;
    memcpy(t->dim, x->dim, (size_t)t->rank * sizeof *t->dim);
    for (int k = 0; k < x->n; k++) {
        tl_lane *l = &t->lane[k];
        l->column = x->rank >= 1 ? x->stride[k][x->rank - 1] * l->size : 0;
        l->row = x->rank >= 2 ? x->stride[k][x->rank - 2] * l->size : 0;
        for (int a = 0; a < t->rank; a++)
            l->stride[a] = x->stride[k][a] * l->size;
    }
}

/* is_packed -- short rows are put together when that saves more kernel calls than it costs
 * copies: each loaded or stored array costs about one call a row. */
static int is_packed(const tl_tile *t)
{
    if (t->rows < 2 || t->columns == 0 || t->columns >= LENGTH_MIN)
        return 0;
    int copies = 0;
    for (int k = 0; k < t->nin + t->nout; k++) {
        const tl_lane *l = &t->lane[k];
        int constant = k < t->nin && l->row == 0;
        for (int a = 0; a < t->rank && constant; a++)
            constant = l->stride[a] == 0;
        if (!constant && !(l->column == l->size && l->row == t->columns * l->size))
            copies++;
        else if (!constant && l->column != l->size)
            copies--; /* would be loaded either way */
    }
    int calls = 0;
    for (int s = 0; s < t->nsteps; s++)
        calls += t->step[s].nin > 0;
    return t->columns <= SHORT ? 4 * calls > 3 * copies : calls > 2 * copies;
}

static void classify(tl_tile *t, const tl_tile_array *out)
{
    for (int k = 0; k < t->nin + t->nout; k++) {
        tl_lane *l = &t->lane[k];
        l->direct = (t->columns == 1 || l->column == l->size) &&
                    (t->R == 1 || l->row == t->columns * l->size);
        int still = k < t->nin && l->row == 0;
        for (int a = 0; a < t->rank && still; a++)
            still = l->stride[a] == 0;
        l->once = still && !l->direct && (l->column == 0 || t->R > 1);
        l->held = !l->once && !l->direct && l->column == 0 && t->R == 1 && t->columns > LONG;
    }
    for (int o = 0; o < t->nout;
         o++) /* two arrays that change places: what is copied onto another input is loaded first */
        if (out[o].alias >= 0 && out[o].value < t->nin)
            t->lane[out[o].value].direct = 0;
}

/* ---- compiling: pairs ------------------------------------------------------------------------ */

/* join_steps -- arithmetic that only one other arithmetic step reads is done with it: a step without
 * operands is what is left. uses: by value, 0s. */
static void join_steps(tl_tile *t, const tl_tile_array *out, int *uses)
{
    for (int s = 0; s < t->nsteps; s++)
        for (int k = 0; k < t->step[s].nin; k++)
            uses[t->step[s].in[k]]++;
    for (int o = 0; o < t->nout; o++)
        uses[out[o].value] += 2;
    for (int s = 0; s < t->nsteps; s++) {
        tl_tile_step *second = &t->step[s];
        for (int side = 0; side < 2 && second->form != TL_FORM_OTHER; side++) {
            const int v = second->in[side];
            tl_tile_step *first = v < t->nin ? NULL : &t->step[v - t->nin];
            const tl_tile_fn fn = first && uses[v] == 1 && first->dtype == second->dtype
                                      ? tl__pair(first->form, second->form, side, second->dtype)
                                      : NULL;
            if (!fn)
                continue;
            *second = (tl_tile_step){fn,
                                     TL_FORM_OTHER,
                                     second->dtype,
                                     3,
                                     {first->in[0], first->in[1], second->in[1 - side]}};
            *first = (tl_tile_step){.dtype = first->dtype};
        }
    }
}

/* ---- compiling: registers and actions -------------------------------------------------------- */

typedef struct tl_alloc {
    tl_tile *t;
    int *last;      /* action number after which a value is no longer read, by value */
    uint8_t *free_; /* by register */
    uint8_t *loaded;
} tl_alloc;

static void take_register(tl_alloc *a, int v)
{
    tl_tile *t = a->t;
    int r = 0;
    while (r < t->nregisters && !a->free_[r])
        r++;
    if (r == t->nregisters)
        t->nregisters++;
    a->free_[r] = 0;
    t->reg[v] = r;
}

static void add_act(tl_tile *t, tl_act_kind kind, int index)
{
    t->act[t->nacts++] = (tl_act){kind, index};
}

/* Outputs that are written by the step itself: the first direct one of a value, unless it
 * overwrites an input that is read later. */
static int home_output(const tl_tile *t, const tl_tile_array *out, const int *last, int v)
{
    for (int o = 0; o < t->nout; o++)
        if (out[o].value == v && t->lane[t->nin + o].direct &&
            (out[o].alias < 0 || last[out[o].alias] <= v - t->nin))
            return o;
    return -1;
}

/* stays -- whether the register of an input keeps its value from one tile to another. */
static int stays(const tl_lane *l)
{
    return l->once || l->held;
}

/* load_operand -- brings an input into a register before its first reader. */
static void load_operand(tl_alloc *a, int v)
{
    tl_tile *t = a->t;
    if (v >= t->nin || a->loaded[v])
        return;
    a->loaded[v] = 1;
    if (t->lane[v].direct)
        return;
    if (!stays(&t->lane[v]))
        take_register(a, v);
    if (!t->lane[v].once)
        add_act(t, TL_ACT_LOAD, v);
}

static void release_after(tl_alloc *a, int s)
{
    tl_tile *t = a->t;
    for (int v = 0; v < t->nvalues; v++)
        if (a->last[v] == s && t->reg[v] >= 0 && !(v < t->nin && stays(&t->lane[v])))
            a->free_[t->reg[v]] = 1;
}

/* store_value -- the outputs of v that its step has not written. Those that overwrite an input
 * still to be read wait for the end. */
static void store_value(tl_alloc *a, const tl_tile_array *out, int v, int home, int late)
{
    tl_tile *t = a->t;
    for (int o = 0; o < t->nout; o++) {
        if (out[o].value != v || o == home)
            continue;
        int waits = out[o].alias >= 0;
        if (waits == late)
            add_act(t, TL_ACT_STORE, o);
    }
}

static void write_actions(tl_alloc *a, const tl_tile_array *out, int *home)
{
    tl_tile *t = a->t;
    for (int v = 0; v < t->nin; v++) {
        home[v] = -1;
        if (stays(&t->lane[v]))
            take_register(a, v);
    }
    for (int s = 0; s < t->nsteps; s++) {
        int v = t->nin + s;
        if (t->step[s].nin == 0) /* joined */
            continue;
        for (int k = 0; k < t->step[s].nin; k++)
            load_operand(a, t->step[s].in[k]);
        home[v] = home_output(t, out, a->last, v);
        if (home[v] < 0)
            take_register(a, v);
        else
            t->lane[t->nin + home[v]].home = 1;
        add_act(t, TL_ACT_STEP, s);
        store_value(a, out, v, home[v], 0);
        release_after(a, s);
    }
    for (int o = 0; o < t->nout; o++) /* inputs that are only copied */
        if (out[o].value < t->nin)
            load_operand(a, out[o].value);
    for (int v = 0; v < t->nin; v++)
        store_value(a, out, v, -1, 0);
    for (int v = 0; v < t->nvalues; v++)
        store_value(a, out, v, home[v], 1);
}

/* last_uses -- the step that reads a value last; nsteps when it is still to be stored after all
 * steps. */
static void last_uses(const tl_tile *t, const tl_tile_array *out, int *last)
{
    for (int v = 0; v < t->nvalues; v++)
        last[v] = v < t->nin ? -1 : v - t->nin;
    for (int s = 0; s < t->nsteps; s++)
        for (int k = 0; k < t->step[s].nin; k++)
            last[t->step[s].in[k]] = s;
    for (int o = 0; o < t->nout; o++)
        if (out[o].alias >= 0 || out[o].value < t->nin)
            last[out[o].value] = t->nsteps;
}

/* is_far -- whether the arrays are too large to be in the second cache when a tile comes to them.
 * Then tiles are shorter: the processor looks some hundred instructions ahead, and so finds the
 * next array's lines while it waits for those of this one (Adam over 5e6 elements: 6 ms, not 12). */
static int is_far(const tl_tile *t)
{
    const double most = 768 * 1024;
    double elements = (double)(t->rows * t->columns), bytes = 0;
    for (int a = 0; a < t->rank; a++)
        elements *= (double)t->dim[a];
    for (int k = 0; k < t->nin + t->nout; k++)
        bytes += t->lane[k].direct ? elements * (double)t->lane[k].size : 0;
    return bytes > most;
}

static void choose_length(tl_tile *t, int64_t size)
{
    int arrays = t->nregisters; /* and what is read and written in place */
    for (int k = 0; k < t->nin + t->nout; k++)
        arrays += t->lane[k].direct;
    int64_t n = arrays ? (is_far(t) ? FAR : L1) / (arrays * size) : LENGTH_MAX;
    n = n > LENGTH_MAX ? LENGTH_MAX : n < LENGTH_MIN ? LENGTH_MIN : n;
    n -= n % 16;
    if (t->R > 1) { /* columns < LENGTH_MIN */
        if (n < 2 * t->columns)
            n = 2 * t->columns;
        t->R = n / t->columns;
        if (t->R > t->rows)
            t->R = t->rows;
        t->length = t->columns;
    } else {
        t->length = n < t->columns ? n : t->columns > 0 ? t->columns : 1;
    }
    int64_t bytes = t->R * t->length * size;
    t->register_bytes =
        (size_t)((bytes + TL_TILE_ALIGN - 1) / TL_TILE_ALIGN * TL_TILE_ALIGN + TL_TILE_ALIGN);
}

static int allocate(tl_tile *t, tl_arena *arena, int nacts)
{
    t->reg = tl__arena_alloc(arena, ((size_t)t->nvalues + 1) * sizeof *t->reg);
    t->act = tl__arena_alloc(arena, (size_t)nacts * sizeof *t->act);
    t->moving = tl__arena_alloc(arena, (size_t)(t->nin + t->nout + 1) * sizeof *t->moving);
    return t->reg && t->act && t->moving;
}

tl_tile *tl__tile_new(tl_arena *arena, int rank, const int64_t *dim, int split, int nin,
                      const tl_tile_array *in, int nsteps, const tl_tile_step *step, int nout,
                      const tl_tile_array *out)
{
    tl_tile *t = tl__arena_alloc(arena, sizeof *t);
    const int n = nin + nout;
    tl_axes x = {.rank = rank, .n = n, .split = split, .unit = 1};
    if (!t)
        return NULL;
    memset(t, 0, sizeof *t);
    t->nin = nin;
    t->nout = nout;
    t->nsteps = nsteps;
    t->nvalues = nin + nsteps;
    t->lane = tl__arena_alloc(arena, (size_t)n * sizeof *t->lane);
    t->step = tl__arena_alloc(arena, (size_t)(nsteps + 1) * sizeof *t->step);
    x.stride = tl__arena_alloc(arena, (size_t)(n + 1) * sizeof *x.stride);
    const size_t nv = (size_t)t->nvalues + 1;
    int *last = tl__arena_alloc(arena, 2 * nv * sizeof *last);
    uint8_t *marks = tl__arena_alloc(arena, 2 * nv);
    if (!t->lane || !t->step || !x.stride || !last || !marks ||
        !allocate(t, arena, nsteps + nin + nout + 1))
        return NULL;
    if (nsteps)
        memcpy(t->step, step, (size_t)nsteps * sizeof *step);
    memset(t->lane, 0, (size_t)n * sizeof *t->lane);
    memset(marks, 0, 2 * nv);
    memcpy(x.dim, dim, (size_t)rank * sizeof *dim);
    int64_t size = 4;
    for (int k = 0; k < n; k++) {
        const tl_tile_array *array = k < nin ? &in[k] : &out[k - nin];
        memset(x.stride[k], 0, sizeof x.stride[k]);
        memcpy(x.stride[k], array->stride, (size_t)rank * sizeof *array->stride);
        t->lane[k].size = (int64_t)tl_dtype_size(array->dtype);
        t->lane[k].value = k < nin ? k : array->value;
        size = t->lane[k].size > size ? t->lane[k].size : size;
    }
    for (int s = 0; s < nsteps; s++)
        size = step[s].dtype == TL_F64 ? 8 : size;
    memset(last, 0, nv * sizeof *last);
    join_steps(t, out, last);
    merge_axes(&x);
    split_axes(t, &x);
    t->R = is_packed(t) ? 2 : 1;
    classify(t, out);
    for (int v = 0; v < t->nvalues; v++)
        t->reg[v] = -1;
    last_uses(t, out, last);
    tl_alloc a = {t, last, marks, marks + nv};
    write_actions(&a, out, last + nv);
    for (int k = 0; k < n; k++)
        if (k < nin ? t->lane[k].direct : t->lane[k].home)
            t->moving[t->nmoving++] = k;
    choose_length(t, size);
    return t;
}
