/* bench_parts.c -- what the pieces beside the recurrent layers cost, each against what it could
 * cost at best: a hand-written loop, the bare products, the same thing shorter. */
#include "tests/bench/arguments.h"
#include "tests/bench/part.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const part *const parts[] = {&part_pointwise, &part_rows,      &part_softmax,
                                    &part_embedding, &part_optimizer, &part_recording,
                                    &part_planning,  &part_length,    &part_loader};
enum { PARTS = sizeof parts / sizeof *parts };

typedef struct options {
    part_options o;
    unsigned parts; /* bit k: the k-th */
} options;

static const struct argp_option table[] = {
    {"part", 'p', "LIST", 0,
     "pointwise, rows, softmax, embedding, optimizer, recording, planning, length, loader (all)",
     1},
    {"threads", 't', "N", 0, "threads that a plan may use (1)", 1},
    {"seconds", 's', "S", 0, "for each table (1)", 1},
    {"quick", 'q', 0, 0, "few rounds, and the longest sequence ten times shorter", 1},
    {"json", 'j', 0, 0, "one JSON object on a line for each measurement, no table", 1},
    {0},
};

static error_t take(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    const char *names[PARTS];
    for (int k = 0; k < PARTS; k++)
        names[k] = parts[k]->name;
    switch (key) {
    case 'p':
        o->parts = argument_words(state, "part", arg, PARTS, names);
        break;
    case 't':
        o->o.threads = (int)argument_number(state, "threads", arg, 1, 256);
        break;
    case 's':
        o->o.seconds = argument_number(state, "seconds", arg, 0, 1e6);
        break;
    case 'q':
        o->o.quick = 1;
        break;
    case 'j':
        o->o.json = 1;
        break;
    case ARGP_KEY_ARG:
        argp_error(state, "got '%s', want options only", arg);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const struct argp parser = {
        table, take, NULL, "Measures the pieces; tests/bench/README.md says what is timed.",
        NULL,  NULL, NULL};
    options o = {{.threads = 1, .seconds = -1}, ~0u};
    argp_parse(&parser, argc, argv, 0, NULL, &o);
    if (o.o.seconds < 0)
        o.o.seconds = o.o.quick ? 0.3 : 1;
    if (!getenv("TL_BENCH")) { /* the number of threads is read when the library starts */
        char n[16];
        snprintf(n, sizeof n, "%d", o.o.threads);
        setenv("TL_BENCH", "1", 1);
        setenv("TL_THREADS", n, 1);
        execv("/proc/self/exe", argv);
    }
    int bad = 0;
    for (int k = 0; k < PARTS; k++)
        if (o.parts & 1u << k)
            bad |= parts[k]->run(&o.o);
    return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
