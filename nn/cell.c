/* cell.c -- describing a cell: parameters and states with shapes in terms of I and H. */
#include "nn/cell.h"

#include <string.h>

tl_cell tl_cell_make(const char *name, tl_step_fn step)
{
    tl_cell cell;
    memset(&cell, 0, sizeof cell);
    cell.name = name;
    cell.step = step;
    return cell;
}

/* extent := term {'+' term},  term := [number] 'I' | [number] 'H' | number. Returns behind it, NULL
 * if it is none. */
static const char *parse_extent(const char *s, tl_extent *e)
{
    memset(e, 0, sizeof *e);
    for (;;) {
        int n = 0, digits = 0;
        while (*s == ' ')
            s++;
        for (; *s >= '0' && *s <= '9' && digits < 7; digits++)
            n = 10 * n + (*s++ - '0');
        if (*s == 'I')
            e->i += digits ? n : 1, s++;
        else if (*s == 'H')
            e->h += digits ? n : 1, s++;
        else if (digits)
            e->n += n;
        else
            return NULL;
        while (*s == ' ')
            s++;
        if (*s != '+')
            return s;
        s++;
    }
}

static void mistake(tl_cell *cell, const char *what, const char *name, const char *text)
{
    if (cell->wrong)
        return;
    cell->wrong = what;
    cell->wrong_name = name;
    cell->wrong_text = text;
}

void tl_cell_param_add(tl_cell *cell, const char *name, const char *shape, tl_init init)
{
    if (!cell)
        return;
    if (cell->nparams == TL_CELL_PARAMS) {
        mistake(cell, "more than TL_CELL_PARAMS parameters", NULL, NULL);
        return;
    }
    tl_cell_param *p = &cell->param[cell->nparams++];
    memset(p, 0, sizeof *p);
    p->name = name;
    p->init = init;
    if (!shape || !*shape)
        return;
    const char *text = shape;
    do {
        if (p->rank == TL_CELL_RANK) {
            mistake(cell, "more than TL_CELL_RANK axes", name, text);
            return;
        }
        shape = parse_extent(shape, &p->dim[p->rank++]);
    } while (shape && *shape++ == ',');
    if (!shape || shape[-1])
        mistake(cell, "a shape that is not written like \"4H,I\"", name, text);
}

void tl_cell_state_add(tl_cell *cell, const char *name, const char *width)
{
    if (!cell)
        return;
    if (cell->nstates == TL_CELL_STATES) {
        mistake(cell, "more than TL_CELL_STATES states", NULL, NULL);
        return;
    }
    tl_cell_state *s = &cell->state[cell->nstates++];
    s->name = name;
    const char *end = width ? parse_extent(width, &s->width) : NULL;
    if (!end || *end)
        mistake(cell, "a width that is not written like \"2H\"", name, width);
}

void tl_cell_begin(tl_cell *cell, tl_begin_fn begin, int naux)
{
    if (!cell)
        return;
    if (naux < 0 || naux > TL_CELL_AUX)
        mistake(cell, "more than TL_CELL_AUX tensors from begin", NULL, NULL);
    cell->begin = begin;
    cell->naux = naux;
}

static const char *name_of(const tl_cell *cell, int k)
{
    return k < cell->nparams ? cell->param[k].name : cell->state[k - cell->nparams].name;
}

int tl_cell_check(const tl_cell *cell, tl_err *err)
{
    if (!cell)
        return tl__fail(err, TL_EINVAL, "cell: got none");
    const char *name = cell->name ? cell->name : "(unnamed)";
    if (cell->wrong)
        return tl__fail(err, TL_EINVAL, "cell %s%s%s: got %s%s%s", name,
                        cell->wrong_name ? ", " : "", cell->wrong_name ? cell->wrong_name : "",
                        cell->wrong, cell->wrong_text ? ": " : "",
                        cell->wrong_text ? cell->wrong_text : "");
    if (!cell->name || !*cell->name || !cell->step)
        return tl__fail(err, TL_EINVAL, "cell %s: got no %s", name, cell->step ? "name" : "step");
    if (cell->nstates < 1)
        return tl__fail(err, TL_EINVAL, "cell %s: got no state, want at least one", name);

    int n = cell->nparams + cell->nstates;
    for (int i = 0; i < n; i++) {
        if (!name_of(cell, i) || !*name_of(cell, i))
            return tl__fail(err, TL_EINVAL, "cell %s: got a parameter or state without name", name);
        for (int j = 0; j < i; j++)
            if (!strcmp(name_of(cell, i), name_of(cell, j)))
                return tl__fail(err, TL_ENAME, "cell %s: %s is named twice", name,
                                name_of(cell, i));
    }
    return TL_OK;
}

static int64_t extent_of(tl_extent e, int64_t I, int64_t H)
{
    return e.i * I + e.h * H + e.n;
}

static int has_param(const tl_cell *cell, int k)
{
    return cell && k >= 0 && k < cell->nparams;
}

tl_shape tl_cell_param_shape(const tl_cell *cell, int k, int64_t I, int64_t H)
{
    tl_shape s = tl_shape0();
    s.rank = has_param(cell, k) ? cell->param[k].rank : -1;
    for (int a = 0; a < s.rank; a++)
        s.dim[a] = extent_of(cell->param[k].dim[a], I, H);
    return s;
}

int tl_cell_param_blocks(const tl_cell *cell, int k)
{
    if (!has_param(cell, k))
        return 0;
    const tl_cell_param *p = &cell->param[k];
    int gates = p->rank > 0 && p->dim[0].h > 1 && p->dim[0].i == 0 && p->dim[0].n == 0;
    return gates ? p->dim[0].h : 1;
}

int64_t tl_cell_state_width(const tl_cell *cell, int k, int64_t I, int64_t H)
{
    return cell && k >= 0 && k < cell->nstates ? extent_of(cell->state[k].width, I, H) : 0;
}
