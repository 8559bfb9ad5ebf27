/* rnn_options.c -- the command line of bench_rnn, by argp. */
#include "tests/bench/rnn_options.h"

#include "tests/bench/arguments.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

enum { CELL = 256, PASS, IMPL, THREADS, ROUNDS, SECONDS, QUICK, JSON, CPU, CHILD };

static const struct argp_option table[] = {
    {"case", 'c', "LIST", 0, "digits, char, imdb, ptb, big, tiny, long (all)", 1},
    {"cell", CELL, "LIST", 0, "lstm, gru (both)", 1},
    {"pass", PASS, "LIST", 0, "train, infer (both)", 1},
    {"impl", IMPL, "LIST", 0, "tapeloop, user_cell, loop, program, onednn (all)", 1},
    {"threads", 't', "LIST", 0, "numbers of threads (1,2)", 1},
    {"rounds", 'r', "N", 0, "exactly so many rounds (as many as fit into --seconds)", 2},
    {"seconds", SECONDS, "S", 0, "for each table (4)", 2},
    {"quick", 'q', 0, 0, "few rounds", 2},
    {"cpu", CPU, 0, 0, "count processor time, not time of day: for a machine that others use too",
     2},
    {"json", 'j', 0, 0, "one JSON object on a line for each measurement, no table", 3},
    {"child", CHILD, "WHAT", OPTION_HIDDEN, "", 4},
    {0},
};

/* parse_state -- the options being filled, and the names that --impl knows. */
typedef struct parse_state {
    rnn_options o;
    int nimpls;
    const char *const *impl;
} parse_state;

static void thread_list(struct argp_state *state, rnn_options *o, const char *list)
{
    o->nthreads = 0;
    while (*list) {
        char *end;
        long n = strtol(list, &end, 10);
        if (end == list || (*end && *end != ',') || n < 1 || n > 256 || o->nthreads == MOST_THREADS)
            argp_error(state, "--threads: got '%s', want up to %d numbers from 1 to 256", list,
                       MOST_THREADS);
        o->threads[o->nthreads++] = (int)n;
        list = end + (*end == ',');
    }
    if (!o->nthreads)
        argp_error(state, "--threads: got an empty list");
}

static error_t take(int key, char *arg, struct argp_state *state)
{
    static const char *const cells[] = {"lstm", "gru"}, *const passes[] = {"train", "infer"};
    parse_state *p = state->input;
    rnn_options *o = &p->o;
    const char *cases[16];
    for (int k = 0; k < rnn_case_count(); k++)
        cases[k] = rnn_case_at(k)->name;
    switch (key) {
    case 'c':
        o->cases = argument_words(state, "case", arg, rnn_case_count(), cases);
        break;
    case CELL:
        o->cells = argument_words(state, "cell", arg, RNN_CELLS, cells);
        break;
    case PASS:
        o->passes = argument_words(state, "pass", arg, RNN_PASSES, passes);
        break;
    case IMPL:
        o->impls = argument_words(state, "impl", arg, p->nimpls, p->impl);
        break;
    case 't':
        thread_list(state, o, arg);
        break;
    case 'r':
        o->rounds = (int)argument_number(state, "rounds", arg, 1, 2000);
        break;
    case SECONDS:
        o->seconds = argument_number(state, "seconds", arg, 0, 1e6);
        break;
    case 'q':
        o->quick = 1;
        break;
    case 'j':
        o->json = 1;
        break;
    case CPU:
        o->cpu = 1;
        break;
    case CHILD:
        o->child = arg;
        break;
    case ARGP_KEY_ARG:
        argp_error(state, "got '%s', want options only", arg);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

rnn_options rnn_options_parse(int argc, char **argv, int nimpls, const char *const *impl)
{
    static const struct argp parser = {
        table,
        take,
        NULL,
        "Measures recurrent layers against oneDNN's fused primitives; tests/bench/README.md says "
        "what is timed.",
        NULL,
        NULL,
        NULL};
    parse_state p = {.nimpls = nimpls, .impl = impl};
    p.o.cases = p.o.cells = p.o.passes = p.o.impls = ~0u;
    p.o.threads[0] = 1;
    p.o.threads[1] = 2;
    p.o.nthreads = 2;
    p.o.seconds = -1;
    argp_parse(&parser, argc, argv, 0, NULL, &p);
    if (p.o.seconds < 0)
        p.o.seconds = p.o.quick ? 0.6 : 4;
    return p.o;
}
