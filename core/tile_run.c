/* tile_run.c -- runs a tile: the list of actions again for each R rows x n columns.
 *
 *     scratch   [ where each value is | where each array's row begins | registers ] */
#include "core/move.h"
#include "core/tile_code.h"

#include <string.h>

/* tl_tile_state -- what changes while a tile runs; it lies in the caller's scratch, before the
 * registers. */
typedef struct tl_tile_state {
    char **value;             /* where each value is in this tile */
    char **at;                /* of each array: start of this row */
    int64_t rows, columns, R; /* of the part that runs */
} tl_tile_state;

/* pointer_bytes -- of the state's two arrays. */
static size_t pointer_bytes(const tl_tile *t)
{
    const size_t bytes = (size_t)(t->nvalues + t->nin + t->nout + 1) * sizeof(char *);
    return (bytes + TL_TILE_ALIGN - 1) / TL_TILE_ALIGN * TL_TILE_ALIGN;
}

size_t tl__tile_scratch(const tl_tile *t)
{
    return pointer_bytes(t) + (size_t)t->nregisters * t->register_bytes;
}

int64_t tl__tile_rows(const tl_tile *t)
{
    return t->R;
}

int tl__tile_inputs(const tl_tile *t)
{
    return t->nin;
}

/* run_tile -- the actions, for `rows` rows from `row` and n columns from `column`. */
static void run_tile(const tl_tile *t, const tl_tile_state *state, int64_t row, int64_t rows,
                     int64_t column, int64_t n)
{
    char **value = state->value, **at = state->at;
    for (const int *k = t->moving, *end = k + t->nmoving; k < end; k++) {
        const tl_lane *l = &t->lane[*k];
        value[l->value] = at[*k] + row * l->row + column * l->column;
    }
    const int64_t count = rows * n;
    for (const tl_act *act = t->act, *end = act + t->nacts; act < end; act++) {
        if (act->kind == TL_ACT_STEP) {
            const tl_tile_step *s = &t->step[act->index];
            const void *const in[TL_TILE_IN] = {value[s->in[0]], value[s->in[1]], value[s->in[2]],
                                                value[s->in[3]]}; /* those it has, and value 0 */
            s->fn(count, value[t->nin + act->index], in);
        } else if (act->kind == TL_ACT_LOAD) {
            const tl_lane *l = &t->lane[act->index];
            if (l->held && column > 0)
                continue;
            tl__move(l->size, rows, n, value[act->index], n * l->size, l->size,
                     at[act->index] + row * l->row + column * l->column, l->row, l->column);
        } else {
            const tl_lane *l = &t->lane[t->nin + act->index];
            tl__move(l->size, rows, n, at[t->nin + act->index] + row * l->row + column * l->column,
                     l->row, l->column, value[l->value], n * l->size, l->size);
        }
    }
}

static void run_plane(const tl_tile *t, const tl_tile_state *state)
{
    for (int64_t row = 0; row < state->rows; row += state->R) {
        int64_t rows = state->rows - row < state->R ? state->rows - row : state->R;
        for (int64_t column = 0; column < state->columns; column += t->length) {
            int64_t n = state->columns - column < t->length ? state->columns - column : t->length;
            run_tile(t, state, row, rows, column, n);
        }
    }
}

/* cut -- leaves [lo, hi) of the split axis: its extent becomes shorter, the arrays begin later.
 * Packed rows that are cut no longer follow one another in memory, so they are taken one by one. */
static void cut(const tl_tile *t, tl_tile_state *state, int64_t *dim, int64_t lo, int64_t hi)
{
    int64_t *extent = t->split < t->rank    ? &dim[t->split]
                      : t->split == t->rank ? &state->rows
                                            : &state->columns;
    *extent = (hi - lo) * t->unit;
    for (int k = 0; k < t->nin + t->nout; k++) {
        const tl_lane *l = &t->lane[k];
        state->at[k] += lo * t->unit *
                        (t->split < t->rank    ? l->stride[t->split]
                         : t->split == t->rank ? l->row
                                               : l->column);
    }
    if (state->columns < t->columns)
        state->R = 1;
}

/* run_part -- all of it when hi < 0. */
static void run_part(const tl_tile *t, char *const *data, void *scratch, int64_t lo, int64_t hi)
{
    const int arrays = t->nin + t->nout;
    char **value = scratch, **at = value + t->nvalues,
         *registers = (char *)scratch + pointer_bytes(t);
    tl_tile_state state = {value, at, t->rows, t->columns, t->R};
    int64_t dim[TL_MAX_RANK], index[TL_MAX_RANK] = {0};
    memcpy(dim, t->dim, sizeof dim);
    memcpy(at, data, (size_t)arrays * sizeof *at);
    if (hi >= 0 && t->split >= 0)
        cut(t, &state, dim, lo, hi);
    for (int a = 0; a < t->rank; a++)
        if (dim[a] == 0)
            return;
    if (state.rows == 0 || state.columns == 0)
        return;
    for (int v = 0; v < t->nvalues; v++)
        if (t->reg[v] >= 0)
            value[v] = registers + (size_t)t->reg[v] * t->register_bytes;
    const int64_t columns = state.columns < t->length ? state.columns : t->length;
    for (int k = 0; k < t->nin; k++)
        if (t->lane[k].once)
            tl__move(t->lane[k].size, state.R, columns, value[k], columns * t->lane[k].size,
                     t->lane[k].size, at[k], t->lane[k].row, t->lane[k].column);
    for (;;) {
        run_plane(t, &state);
        int a = t->rank - 1;
        for (; a >= 0; a--) {
            int64_t back = index[a] + 1 == dim[a] ? index[a] : -1;
            for (int k = 0; k < arrays; k++)
                at[k] += back >= 0 ? -back * t->lane[k].stride[a] : t->lane[k].stride[a];
            if (back < 0) {
                index[a]++;
                break;
            }
            index[a] = 0;
        }
        if (a < 0)
            return;
    }
}

void tl__tile_run(const tl_tile *t, char *const *data, void *scratch)
{
    run_part(t, data, scratch, 0, -1);
}

void tl__tile_run_part(const tl_tile *t, char *const *data, void *scratch, int64_t lo, int64_t hi)
{
    if (lo < hi)
        run_part(t, data, scratch, lo, hi);
}
