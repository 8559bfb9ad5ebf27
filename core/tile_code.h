/* tile_code.h -- a compiled tile: what core/tile.c makes and core/tile_run.c runs. Private. */
#ifndef TL_CORE_TILE_CODE_H
#define TL_CORE_TILE_CODE_H

#include "core/tile.h"

enum { TL_TILE_ALIGN = 64 }; /* of registers, in bytes */

typedef enum tl_act_kind { TL_ACT_LOAD, TL_ACT_STEP, TL_ACT_STORE } tl_act_kind;

typedef struct tl_act {
    tl_act_kind kind;
    int index; /* of the array or step */
} tl_act;

/* tl_lane -- one array as the loops see it. */
typedef struct tl_lane {
    int64_t size;                /* bytes of an element */
    int64_t stride[TL_MAX_RANK]; /* outer axes, bytes */
    int64_t row, column;         /* bytes */
    int value;
    uint8_t once;   /* loaded before the first tile, the same for all of them */
    uint8_t held;   /* loaded with the first tile of a row, the same for all of the row */
    uint8_t direct; /* the tile lies in memory as it is */
    uint8_t home;   /* outputs: written by the step itself */
} tl_lane;

struct tl_tile {
    int rank; /* outer axes */
    int64_t dim[TL_MAX_RANK];
    int64_t rows, columns; /* the two inner extents */
    int64_t R, length;     /* rows of a tile; columns of a tile */
    int split;             /* axis that parts cut: outer, rank: rows, rank + 1: columns; or -1 */
    int64_t unit;          /* steps along it for one of the split axis */
    int nin, nout, nsteps, nvalues, nacts, nregisters;
    tl_lane *lane;      /* inputs, outputs */
    tl_tile_step *step; /* without operands: joined with its reader */
    tl_act *act;
    size_t register_bytes;
    int *reg;    /* of each value, -1: in memory */
    int *moving; /* arrays that are read or written where they lie */
    int nmoving;
};

#endif
