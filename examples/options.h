/* options.h -- the command line of gru_vs_lstm. */
#ifndef TL_EXAMPLES_OPTIONS_H
#define TL_EXAMPLES_OPTIONS_H

#include <stdint.h>

enum { MAX_CELLS = 8 };

typedef struct options {
    const char *text; /* path of the file to learn */
    char *cells[MAX_CELLS];
    int ncells;
    int64_t hidden; /* units of the LSTM; the others get as many as give equal parameters */
    int64_t embed;  /* E */
    int layers;
    int64_t length; /* T: steps until the cut of truncated BPTT */
    int64_t batch;  /* B */
    int64_t steps;
    double seconds; /* limit for each cell; 0: none */
    double rate;
    double clip;
    uint64_t seed;
    int workers;
    int64_t valid;  /* symbols held out */
    int64_t sample; /* symbols to generate */
    double temperature;
    const char *save, *load; /* prefixes of paths: PREFIX-lstm.safetensors */
    const char *csv, *svg;
} options;

/* options_parse -- the defaults, changed by the arguments. On a mistake argp explains it and ends
 * the program. */
options options_parse(int argc, char **argv);

#endif
