/* rnn_program.c -- the built-in cell recorded once and replayed. Stands for it until programs can
 * be frozen: nothing is measured. */
#include "tests/bench/rnn_impl.h"

const rnn_impl rnn_program = {.name = "program"};
