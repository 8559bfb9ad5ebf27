/* checkpoint.h -- all that a stopped training needs to go on with the same bits as if it had not
 * been stopped: weights, the optimizer's and the network's state, the place in the text, the step.
 */
#ifndef TL_EXAMPLES_CHECKPOINT_H
#define TL_EXAMPLES_CHECKPOINT_H

#include "charmodel.h"

typedef struct checkpoint {
    charmodel *model;
    tl_optim *optim;
    tl_sequence_memory *memory;
    const tl_vocab *vocab;
    int64_t steps;  /* done */
    tl_place place; /* of the next batch */
} checkpoint;

/* checkpoint_save, _load -- one file. Loading fills steps and place; the vocabulary must be the one
 * that the weights were trained with. */
int checkpoint_save(const checkpoint *c, const char *path, tl_err *err);
int checkpoint_load(checkpoint *c, const char *path, tl_err *err);

#endif
