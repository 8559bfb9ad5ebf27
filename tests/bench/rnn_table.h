/* rnn_table.h -- the results of a bench, for people and for programs. */
#ifndef TL_TESTS_BENCH_RNN_TABLE_H
#define TL_TESTS_BENCH_RNN_TABLE_H

#include "tests/bench/rnn_bench.h"

/* rnn_table_print -- a headed table. rnn_table_json -- a record on a line for each way. */
void rnn_table_print(const rnn_bench *b);
void rnn_table_json(const rnn_bench *b);

#endif
