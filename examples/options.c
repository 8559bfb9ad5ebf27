/* options.c -- the command line of gru_vs_lstm, by argp. */
#include "options.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

enum { CSV = 256, SVG, SAVE, LOAD, SECONDS, CLIP, VALID, SAMPLE, TEMPERATURE, WORKERS };

static const struct argp_option table[] = {
    {0, 0, 0, 0, "Model", 1},
    {"cells", 'c', "LIST", 0, "which cells, in order (rnn,gru,lstm)", 1},
    {"hidden", 'H', "N", 0, "units of the LSTM; the others are made equal in parameters (128)", 1},
    {"embed", 'E', "N", 0, "values per character at the input (64)", 1},
    {"layers", 'L', "N", 0, "layers (1)", 1},
    {0, 0, 0, 0, "Training", 2},
    {"length", 'T', "N", 0, "steps until the cut of truncated backpropagation (64)", 2},
    {"batch", 'B', "N", 0, "rows of text read side by side (32)", 2},
    {"steps", 'n', "N", 0, "training steps for each cell (2000)", 2},
    {"seconds", SECONDS, "S", 0, "limit for each cell; 0: none (0)", 2},
    {"rate", 'r', "X", 0, "highest learning rate of Adam (0.008)", 2},
    {"clip", CLIP, "X", 0, "limit for the gradient's norm (1)", 2},
    {"seed", 's', "N", 0, "of initial values and samples (1)", 2},
    {"workers", WORKERS, "N", 0, "threads that make batches; 0: none (1)", 2},
    {0, 0, 0, 0, "Results", 3},
    {"valid", VALID, "N", 0, "characters at the end of the text that are held out (100000)", 3},
    {"sample", SAMPLE, "N", 0, "characters to generate from each cell (300)", 3},
    {"temperature", TEMPERATURE, "X", 0, "of that: lower is more careful (0.7)", 3},
    {"csv", CSV, "FILE", 0, "write the learning curves as numbers", 3},
    {"svg", SVG, "FILE", 0, "draw the learning curves", 3},
    {"save", SAVE, "PREFIX", 0, "save each cell's training as PREFIX-CELL.safetensors", 3},
    {"load", LOAD, "PREFIX", 0, "go on exactly where a training so saved ended (same options)", 3},
    {0},
};

/* option_name -- of a key, for messages. */
static const char *option_name(int key)
{
    for (size_t k = 0; k < sizeof table / sizeof *table; k++)
        if (table[k].key == key && table[k].name)
            return table[k].name;
    return "option";
}

/* whole -- a whole number in [low, high], or an explanation and the end. */
static int64_t whole(struct argp_state *state, int key, const char *text, int64_t low, int64_t high)
{
    char *end;
    long long value = strtoll(text, &end, 10);
    if (*end || end == text || value < low || value > high)
        argp_error(state, "--%s: got '%s', want a whole number from %lld to %lld", option_name(key),
                   text, (long long)low, (long long)high);
    return value;
}

/* real -- a number in [low, high], or an explanation and the end. */
static double real(struct argp_state *state, int key, const char *text, double low, double high)
{
    char *end;
    double value = strtod(text, &end);
    if (*end || end == text || !(value >= low && value <= high))
        argp_error(state, "--%s: got '%s', want a number from %g to %g", option_name(key), text,
                   low, high);
    return value;
}

static void cell_list(struct argp_state *state, options *o, char *list)
{
    o->ncells = 0;
    for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) {
        if (strcmp(name, "rnn") && strcmp(name, "gru") && strcmp(name, "lstm"))
            argp_error(state, "'%s' is not one of rnn, gru, lstm", name);
        if (o->ncells == MAX_CELLS)
            argp_error(state, "more than %d cells", MAX_CELLS);
        o->cells[o->ncells++] = name;
    }
    if (o->ncells == 0)
        argp_error(state, "no cells given");
}

static error_t take(int key, char *arg, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case 'c':
        cell_list(state, o, arg);
        break;
    case 'H':
        o->hidden = whole(state, key, arg, 1, 100000);
        break;
    case 'E':
        o->embed = whole(state, key, arg, 1, 100000);
        break;
    case 'L':
        o->layers = (int)whole(state, key, arg, 1, 64);
        break;
    case 'T':
        o->length = whole(state, key, arg, 1, 100000);
        break;
    case 'B':
        o->batch = whole(state, key, arg, 1, 100000);
        break;
    case 'n':
        o->steps = whole(state, key, arg, 0, 1000000000);
        break;
    case SECONDS:
        o->seconds = real(state, key, arg, 0, 1e9);
        break;
    case 'r':
        o->rate = real(state, key, arg, 1e-12, 1e6);
        break;
    case CLIP:
        o->clip = real(state, key, arg, 1e-12, 1e12);
        break;
    case 's':
        o->seed = (uint64_t)whole(state, key, arg, 0, 1LL << 53);
        break;
    case WORKERS:
        o->workers = (int)whole(state, key, arg, 0, 256);
        break;
    case VALID:
        o->valid = whole(state, key, arg, 2, 1000000000000);
        break;
    case SAMPLE:
        o->sample = whole(state, key, arg, 0, 1000000);
        break;
    case TEMPERATURE:
        o->temperature = real(state, key, arg, 0.01, 100);
        break;
    case CSV:
        o->csv = arg;
        break;
    case SVG:
        o->svg = arg;
        break;
    case SAVE:
        o->save = arg;
        break;
    case LOAD:
        o->load = arg;
        break;
    case ARGP_KEY_ARG:
        if (o->text)
            argp_error(state, "more than one text file");
        o->text = arg;
        break;
    case ARGP_KEY_END:
        if (!o->text)
            argp_usage(state);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

options options_parse(int argc, char **argv)
{
    static char all[] = "rnn,gru,lstm";
    static const struct argp argp = {
        table,
        take,
        "TEXT",
        "Trains recurrent networks of equal size to predict the next character of a text, and "
        "compares them.",
        0,
        0,
        0,
    };
    options o = {.hidden = 128,
                 .embed = 64,
                 .layers = 1,
                 .length = 64,
                 .batch = 32,
                 .steps = 2000,
                 .rate = 0.008,
                 .clip = 1,
                 .seed = 1,
                 .workers = 1,
                 .valid = 100000,
                 .sample = 300,
                 .temperature = 0.7};
    cell_list(NULL, &o, all);
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    return o;
}
