/* rnn_case.c -- the seven cases as a table. */
#include "tests/bench/rnn_case.h"

#include <string.h>

static const rnn_case table[] = {
    {"digits", 28, 128, 28, 128, 1, 1, "rows of images"},
    {"char", 100, 32, 128, 128, 1, 1, "character model"},
    {"imdb", 100, 32, 64, 64, 1, 2, "text classifier, both directions"},
    {"ptb", 35, 20, 650, 650, 2, 1, "word model, two layers"},
    {"big", 64, 64, 512, 512, 1, 1, "products that fill the machine"},
    {"tiny", 50, 1, 32, 32, 1, 1, "one row: overhead shows"},
    {"long", 1000, 8, 64, 64, 1, 1, "many steps"},
};

int rnn_case_count(void)
{
    return (int)(sizeof table / sizeof *table);
}

const rnn_case *rnn_case_at(int k)
{
    return &table[k];
}

const rnn_case *rnn_case_find(const char *name)
{
    for (int k = 0; k < rnn_case_count(); k++)
        if (!strcmp(table[k].name, name))
            return &table[k];
    return NULL;
}

const char *rnn_cell_name(rnn_cell cell)
{
    return cell == RNN_LSTM ? "lstm" : "gru";
}

const char *rnn_pass_name(rnn_pass pass)
{
    return pass == RNN_TRAIN ? "train" : "infer";
}

int rnn_cell_gates(rnn_cell cell)
{
    return cell == RNN_LSTM ? 4 : 3;
}

int rnn_case_input(const rnn_case *c, int layer)
{
    return layer ? c->D * c->H : c->I;
}

double rnn_case_flops(const rnn_case *c, rnn_cell cell, rnn_pass pass)
{
    double flops = 0;
    for (int l = 0; l < c->L; l++)
        flops +=
            2.0 * c->T * c->B * rnn_cell_gates(cell) * c->H * c->D * (rnn_case_input(c, l) + c->H);
    return pass == RNN_TRAIN ? 3 * flops : flops;
}
