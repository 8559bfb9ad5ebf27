/* draw_dot.c -- a drawing for Graphviz: scopes are nested clusters, values that one pass reads of
 * the other dotted lines. */
#include "core/drawing.h"

#include <string.h>

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

static const char *scope_of(const tl_drawing *d, uint32_t k)
{
    return d->tape->scopes[d->tape->nodes[d->vertices[d->boxes[k].root].slot].scope];
}

/* common -- length of the scopes' common beginning, whole names. */
static size_t common(const char *a, const char *b)
{
    size_t whole = 0, i = 0;
    for (; a[i] && a[i] == b[i]; i++)
        whole = a[i] == '/' ? i : whole;
    return (!a[i] || a[i] == '/') && (!b[i] || b[i] == '/') ? i : whole;
}

/* go_to -- closes the clusters of scope `from` that `to` is not in, opens those that it is in. */
static void go_to(tl_text *t, const char *from, const char *to, uint32_t *clusters)
{
    const size_t same = common(from, to);
    for (const char *c = from + same; *c;) {
        c += *c == '/';
        c += strcspn(c, "/");
        tl__put(t, "  }\n");
    }
    for (const char *c = to + same; *c;) {
        char name[80] = {0};
        c += *c == '/';
        const size_t n = strcspn(c, "/");
        memcpy(name, c, n < sizeof name ? n : sizeof name - 1);
        c += n;
        tl__put(t, "  subgraph cluster_%u {\n  label=\"", (*clusters)++);
        tl__draw_plain(name);
        put_quoted(t, name);
        tl__put(t, "\";\n");
    }
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
    if (!tape) {
        tl__fail(err, TL_EINVAL, "tl_tape_dot: no tape");
        return NULL;
    }
    const int code = tl__draw_open(&d, tape, opts, err);
    if (!code) {
        const char *scope = "";
        uint32_t clusters = 0;
        tl__put(&t, "digraph tape {\n  node [shape=box, style=\"rounded,filled\", "
                    "fontname=\"monospace\", fontsize=10];\n");
        for (uint32_t k = 0; k < d.nboxes; k++) {
            go_to(&t, scope, scope_of(&d, k), &clusters);
            scope = scope_of(&d, k);
            put_box(&t, &d, k);
        }
        go_to(&t, scope, "", &clusters);
        for (uint32_t e = 0; e < d.nedges; e++)
            put_edge(&t, &d.edges[e]);
        tl__put(&t, "}\n");
    }
    tl__draw_close(&d);
    return code ? NULL : tl__text_end(&t);
}
