/* drawing.h -- what is drawn of a tape, before it is SVG or anything else. Private.
 *
 *     vertices   instances of nodes: (slot, step)         draw.c
 *     boxes      vertices that are drawn as one           draw.c, what they say: draw_text.c
 *     edges      from box to box, each pair once          draw.c
 *     scopes     columns, nested scopes in them, rows     draw_scopes.c
 *     places     where boxes lie, lines between them      draw_layout.c, draw_route.c */
#ifndef TL_CORE_DRAWING_H
#define TL_CORE_DRAWING_H

#include "core/draw.h"
#include "core/node.h"
#include "core/prose.h"

/* tl_vertex -- a node, or a step's instance of a node of a body. */
typedef struct tl_vertex {
    uint32_t slot;
    int64_t t;           /* -1 outside of bodies drawn step by step */
    uint32_t first, nin; /* operands: d->in[first ..], vertices, in order */
    uint32_t uses;       /* by vertices of the forward pass, or of the sweep if it is the sweep's */
    uint32_t of;         /* vertex whose gradient it is part of, TL_NONE: forward */
    uint32_t box;        /* TL_NONE: not drawn */
} tl_vertex;

enum { TL_BOX_LINES = 8, TL_BOX_TEXT = 120 };

typedef struct tl_box {
    uint32_t root;   /* vertex that it is named after; of an adjoint's: the forward box's */
    uint32_t mirror; /* box whose adjoint it is, TL_NONE: forward */
    uint32_t column, row;
    uint32_t nest; /* innermost nested scope, TL_NONE: none but the column */
    int nlines;    /* line 0 is the title */
    char line[TL_BOX_LINES][TL_BOX_TEXT];
    double x, y, w, h; /* left upper corner; x is of the column at first */
    double out;        /* where lines leave, from x; those coming in: tl_edge.port */
} tl_box;

typedef enum tl_edge_kind {
    TL_EDGE_FORWARD, /* between forward boxes */
    TL_EDGE_ADJOINT, /* between adjoint boxes */
    TL_EDGE_READ     /* a value of the one pass is read in the other */
} tl_edge_kind;

enum { TL_EDGE_POINTS = 6 };

typedef struct tl_edge {
    uint32_t from, to;
    tl_edge_kind kind;
    double port; /* where it meets the lower box, from the box's x */
    int npoints; /* 0: not routed */
    double x[TL_EDGE_POINTS], y[TL_EDGE_POINTS];
} tl_edge;

typedef struct tl_column {
    char title[64]; /* "": what no scope holds */
    double x, w;
} tl_column;

/* tl_nest -- a scope in the scope of a column, or in another one: a rectangle that holds its boxes
 * and no other. One that is left and opened again is two of them. */
typedef struct tl_nest {
    char title[64];
    uint32_t column, parent; /* parent: TL_NONE: the column */
    uint32_t first, last;    /* forward boxes, of those in its column */
    uint32_t top, bottom;    /* rows */
    int above, below; /* rectangles that begin at its first row within it, or end at its last;
                                itself among them */
    double x, w;
    double y[2], h[2]; /* in the upper and the lower half; h 0: nothing of it is there */
    double label[2];   /* x of its title's left end */
} tl_nest;

typedef struct tl_drawing {
    const tl_tape *tape;
    tl_draw_opts opts;
    tl_vertex *vertices;
    uint32_t nvertices, vertices_capacity;
    uint32_t *in;
    uint32_t nin, in_capacity;
    uint32_t *at; /* [slot] first vertex of a slot, TL_NONE; step k of a body's is stride[] apart */
    uint32_t *stride;
    tl_box *boxes;
    uint32_t nboxes, boxes_capacity;
    tl_edge *edges;
    uint32_t nedges, edges_capacity;
    tl_column *columns;
    uint32_t ncolumns, columns_capacity;
    tl_nest *nests; /* outer ones before those in them */
    uint32_t nnests, nests_capacity;
    uint32_t nrows;
    double *rows; /* [2][nrows + 1] top of each row in its half, end of the last */
    double width, height;
    double middle; /* y of the line between the halves */
} tl_drawing;

/* tl__draw_open -- boxes with their text, edges, columns, rows; TL_OK or a code, with an error of
 * `what`. Close it in any case. tl__draw_place -- the same, and places boxes and routes edges. */
TL_API int tl__draw_open(tl_drawing *d, const tl_tape *tape, const tl_draw_opts *opts,
                         const char *what, tl_err *err);
int tl__draw_place(tl_drawing *d, const tl_tape *tape, const tl_draw_opts *opts, const char *what,
                   tl_err *err);
TL_API void tl__draw_close(tl_drawing *d);
/* tl__draw_end -- closes it; returns the text, NULL if there was an error (code) or is one now. */
char *tl__draw_end(tl_drawing *d, tl_text *t, int code, const char *what, tl_err *err);
/* tl__draw_resolve -- the vertex of a value as an instance of step t sees it; TL_NONE: a constant,
 * or not drawn. */
uint32_t tl__draw_resolve(const tl_drawing *d, uint32_t slot, int64_t t);
/* tl__draw_scopes -- columns, nested scopes and rows; TL_OK or TL_ENOMEM. */
int tl__draw_scopes(tl_drawing *d);
/* tl__draw_texts -- fills the lines of all boxes. */
void tl__draw_texts(tl_drawing *d);
/* tl__draw_plain -- what a picture cannot show (control characters, bytes that are not UTF-8)
 * becomes a question mark. */
TL_API void tl__draw_plain(char *text);
/* tl__draw_layout -- places boxes and routes edges; TL_OK or TL_ENOMEM. */
TL_API int tl__draw_layout(tl_drawing *d);
/* tl__draw_title_y -- of the line that the title of a nested scope stands on, in one half. */
double tl__draw_title_y(const tl_nest *n, int half);

/* tl__draw_page -- the part of the plane that the page shows around the drawing's middle: as wide
 * or as high as the drawing, whichever fills the page, and not so small that letters get large.
 * Returns whether the page stands upright: A4, 297 high. */
int tl__draw_page(const tl_drawing *d, double *w, double *h);
/* tl__draw_characters -- of UTF-8. */
int tl__draw_characters(const char *line);
/* tl__draw_route -- step 2 of the layout: boxes have their size and their x in the column. */
int tl__draw_route(tl_drawing *d);

/* Font sizes, and the width of a character as part of the size: both fonts are fixed pitch. */
#define TL_DRAW_TITLE 11.0
#define TL_DRAW_LINE 9.5
#define TL_DRAW_PITCH 0.602
/* Of a nested scope: the strip with its title, and the space at its other sides. */
#define TL_DRAW_STRIP 15.0
#define TL_DRAW_RIM 7.0

#endif
