/* draw_dot.c -- a drawing for Graphviz: scopes are nested clusters, one for each half. Values that
 * one pass reads of the other are dotted lines if asked for: they pull the two halves through each
 * other, and the formulas have them. */
#include "core/drawing.h"

/* put_quoted -- inside of double quotes; lines end in \n. */
static void put_quoted(tl_text *t, const char *text)
{
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            tl__put(t, "\\%c", *text);
        else
            tl__put(t, "%c", *text);
    }
}

static void put_box(tl_text *t, const tl_drawing *d, uint32_t k)
{
    const tl_box *b = &d->boxes[k];
    const int is_adjoint = b->mirror != TL_NONE;
    tl__put(t, "  b%u [label=\"", k);
    for (int i = 0; i < b->nlines; i++) {
        tl__put(t, "%s", i ? "\\n" : "");
        put_quoted(t, b->line[i]);
    }
    tl__put(t, "\", color=\"%s\", fillcolor=\"%s\"];\n", is_adjoint ? "#a8321e" : "#1f4e79",
            is_adjoint ? "#fbe9e4" : "#e3eef8");
}

/* open_cluster -- a scope's title in one half. */
static void open_cluster(tl_text *t, const char *title, int half, uint32_t number)
{
    tl__put(t, "  subgraph cluster_%s%u {\n  label=\"", half ? "d" : "", number);
    put_quoted(t, title);
    tl__put(t, "\";\n");
}

/* is_there -- whether one half has a box in the scope: a column's nested scope, TL_NONE: the column
 * itself. */
static int is_there(const tl_drawing *d, int half, uint32_t column, uint32_t nest)
{
    for (uint32_t k = 0; k < d->nboxes; k++) {
        uint32_t in = d->boxes[k].nest;
        while (in != TL_NONE && in != nest)
            in = d->nests[in].parent;
        if ((d->boxes[k].mirror != TL_NONE) == half && d->boxes[k].column == column && in == nest)
            return 1;
    }
    return 0;
}

static void put_scope(tl_text *t, const tl_drawing *d, int half, uint32_t column, uint32_t nest)
{
    const char *title = nest == TL_NONE ? d->columns[column].title : d->nests[nest].title;
    if (!is_there(d, half, column, nest))
        return;
    if (title[0])
        open_cluster(t, title, half, nest == TL_NONE ? column : d->ncolumns + nest);
    for (uint32_t k = 0; k < d->nboxes; k++) {
        const tl_box *b = &d->boxes[k];
        if ((b->mirror != TL_NONE) == half && b->column == column && b->nest == nest)
            put_box(t, d, k);
    }
    for (uint32_t k = 0; k < d->nnests; k++)
        if (d->nests[k].column == column && d->nests[k].parent == nest)
            put_scope(t, d, half, column, k);
    if (title[0])
        tl__put(t, "  }\n");
}

static void put_edge(tl_text *t, const tl_edge *e)
{
    static const char *const how[] = {
        [TL_EDGE_FORWARD] = "color=\"#1f4e79\"",
        [TL_EDGE_ADJOINT] = "color=\"#a8321e\"",
        [TL_EDGE_READ] = "color=\"#999999\", style=dotted, constraint=false",
    };
    tl__put(t, "  b%u -> b%u [%s];\n", e->from, e->to, how[e->kind]);
}

char *tl_tape_dot(const tl_tape *tape, const tl_draw_opts *opts, tl_err *err)
{
    tl_drawing d;
    tl_text t = {0};
    const int code = tl__draw_open(&d, tape, opts, "tl_tape_dot", err);
    if (!code) {
        tl__put(&t, "digraph tape {\n  node [shape=box, style=\"rounded,filled\", "
                    "fontname=\"monospace\", fontsize=10];\n"
                    "  graph [fontname=\"monospace\", fontsize=10, style=\"rounded,filled\", "
                    "fillcolor=\"#00000009\", color=\"#aaaaaa\", bgcolor=\"#ffffff\"];\n");
        for (int half = 0; half < 2; half++)
            for (uint32_t c = 0; c < d.ncolumns; c++)
                put_scope(&t, &d, half, c, TL_NONE);
        for (uint32_t e = 0; e < d.nedges; e++)
            if (d.edges[e].kind != TL_EDGE_READ || d.opts.reads)
                put_edge(&t, &d.edges[e]);
        tl__put(&t, "}\n");
    }
    return tl__draw_end(&d, &t, code, "tl_tape_dot", err);
}
