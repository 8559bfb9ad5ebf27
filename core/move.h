/* move.h -- elements between two layouts: how tiles are loaded and stored. Private. */
#ifndef TL_CORE_MOVE_H
#define TL_CORE_MOVE_H

#include "core/status.h"

/* tl__move -- rows x n elements of 4 or 8 bytes, no bit of which changes. Strides in bytes: from
 * one row to the next, and from one element to the next; from_step 0 repeats. The two must not
 * overlap. */
TL_API void tl__move(int64_t size, int64_t rows, int64_t n, char *to, int64_t to_row,
                     int64_t to_step, const char *from, int64_t from_row, int64_t from_step);

#endif
