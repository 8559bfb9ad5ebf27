/* rnn_options.c -- the command line of bench_rnn, by argp. */
#include "tests/bench/rnn_options.h"

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

/* words -- bits of the words of a list among names[n]; or an explanation and the end. */
static unsigned words(struct argp_state *state, const char *option, const char *list, int n,
                      const char *const *names)
{
    unsigned bits = 0;
    while (*list) {
        size_t length = strcspn(list, ",");
        int k = 0;
        while (k < n && (strlen(names[k]) != length || strncmp(names[k], list, length) != 0))
            k++;
        if (k == n) {
            char known[200] = "";
            for (int i = 0; i < n; i++) {
                strncat(known, i ? ", " : "", sizeof known - strlen(known) - 1);
                strncat(known, names[i], sizeof known - strlen(known) - 1);
            }
            argp_error(state, "--%s: got '%.*s', want one of %s", option, (int)length, list, known);
        }
        bits |= 1u << k;
        list += length + (list[length] == ',');
    }
    if (!bits)
        argp_error(state, "--%s: got an empty list", option);
    return bits;
}

static double number(struct argp_state *state, const char *option, const char *text, double low,
                     double high)
{
    char *end;
    double value = strtod(text, &end);
    if (*end || end == text || !(value >= low && value <= high))
        argp_error(state, "--%s: got '%s', want a number from %g to %g", option, text, low, high);
    return value;
}

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
        o->cases = words(state, "case", arg, rnn_case_count(), cases);
        break;
    case CELL:
        o->cells = words(state, "cell", arg, RNN_CELLS, cells);
        break;
    case PASS:
        o->passes = words(state, "pass", arg, RNN_PASSES, passes);
        break;
    case IMPL:
        o->impls = words(state, "impl", arg, p->nimpls, p->impl);
        break;
    case 't':
        thread_list(state, o, arg);
        break;
    case 'r':
        o->rounds = (int)number(state, "rounds", arg, 1, 2000);
        break;
    case SECONDS:
        o->seconds = number(state, "seconds", arg, 0, 1e6);
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
