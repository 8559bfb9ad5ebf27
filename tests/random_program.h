/* random_program.h -- random programs, to be computed in several ways. */
#ifndef TL_TESTS_RANDOM_PROGRAM_H
#define TL_TESTS_RANDOM_PROGRAM_H

#include "core/tensor.h"

enum { RANDOM_VALUES = 24, RANDOM_OUTPUTS = 6, RANDOM_NUMBERS = 16 * (RANDOM_OUTPUTS + 3) };

/* random_values -- records the program with this seed: values of [4,4], f64, the first three of
 * which are its inputs and the last RANDOM_OUTPUTS its outputs. */
void random_values(tl_tape *tape, uint64_t seed, tl_tensor v[RANDOM_VALUES]);

/* random_program -- outputs of the program with this seed and their gradients by its inputs, 16
 * numbers each; some are looked at in between if `look`. Returns how many numbers there are. */
int random_program(uint64_t seed, int look, double *out);

#endif
