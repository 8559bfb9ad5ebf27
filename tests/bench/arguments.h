/* arguments.h -- values of options, for parsers by argp. A mistake is explained, with what is
 * wanted, and ends the program. */
#ifndef TL_TESTS_BENCH_ARGUMENTS_H
#define TL_TESTS_BENCH_ARGUMENTS_H

#include <argp.h>

/* argument_words -- the words of a list "a,b" among names[n]: bit k for the k-th. */
unsigned argument_words(struct argp_state *state, const char *option, const char *list, int n,
                        const char *const *names);

/* argument_number -- in [low, high]. */
double argument_number(struct argp_state *state, const char *option, const char *text, double low,
                       double high);

#endif
