/* frozen.h -- what a closed program is made of: program.c makes it, session.c runs it. Private.
 *
 *     plan     instructions over bases         base   leaf x  leaf h  leaf W  fresh h1  fresh y
 *     rooms    offsets in a session's memory   even     0      128      -       256      384
 *                                              odd      0      256      -       128      384
 *
 * Runs are even and odd in turn. A state that a plan writes by itself has two rooms, and the two
 * kinds of runs take them the other way round: so nothing is copied, and a run that fails has
 * changed nothing that counts. */
#ifndef TL_CORE_FROZEN_H
#define TL_CORE_FROZEN_H

#include "core/node.h"
#include "core/plan/execute.h"
#include "core/program.h"

typedef enum tl_port_kind { TL_PORT_INPUT, TL_PORT_STATE, TL_PORT_OUTPUT } tl_port_kind;

/* tl_room -- offsets in a session's memory in even and in odd runs. */
typedef struct tl_room {
    size_t at[2];
} tl_room;

/* tl_port -- a named value. */
typedef struct tl_port {
    tl_port_kind kind;
    const char *name;
    tl_shape shape;
    tl_dtype dtype;
    int64_t count;
    size_t bytes;
    tl_tensor value, next; /* on the tape; next of a state only */
    tl_buf *initial;       /* of inputs and states, dense */
    tl_room room;          /* of states: the value before the run */
} tl_port;

/* tl_leaf -- a value that a run finds: of an input or state, a constant, or a store's. */
typedef struct tl_leaf {
    uint32_t slot; /* on the tape */
    uint32_t base; /* in the plan, TL_NONE if no instruction reads it */
    uint32_t port; /* TL_NONE: another */
    tl_buf *constant;
    int64_t offset; /* of the constant's first element, in bytes */
    const tl_store *store;
} tl_leaf;

/* tl_transfer -- what a plan cannot write where it belongs: a named value that shows another one.
 * Copied after the run. */
typedef struct tl_transfer {
    uint32_t leaf; /* TL_NONE: from a room */
    tl_room from;
    tl_dtype dtype;
    tl_shape shape;
    tl_layout layout; /* in from */
    tl_room to;
} tl_transfer;

struct tl_program {
    atomic_int refs;
    tl_arena arena;
    tl_tape *tape; /* NULL when closed */
    const char *name;
    tl_err err; /* the first mistake */
    tl_port *port;
    uint32_t nports, ports_capacity;
    uint64_t draw, draws; /* number of the first draw; draws of one run */
    /* when closed: */
    tl_plan *plan;
    tl_node *nodes; /* by ordinal: attributes and draws */
    tl_member *member;
    uint32_t nmembers;
    tl_room *room; /* by base */
    tl_leaf *leaf;
    uint32_t nleaves, leaves_capacity;
    tl_transfer *transfer;
    uint32_t ntransfers;
    size_t bytes; /* of all rooms */
};

/* tl__program_unref -- frees at the last reference. */
void tl__program_unref(tl_program *p);

/* tl__program_check -- TL_OK if t is there and may be named; else the program's error. */
int tl__program_check(tl_program *p, const char *what, const char *name, tl_tensor t);

/* tl__program_freeze -- all that is under "when closed"; TL_OK or the program's error. */
int tl__program_freeze(tl_program *p);

#endif
