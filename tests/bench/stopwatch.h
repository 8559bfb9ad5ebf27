/* stopwatch.h -- the clock of the benchmarks, and what is made of many times of one thing. */
#ifndef TL_TESTS_BENCH_STOPWATCH_H
#define TL_TESTS_BENCH_STOPWATCH_H

/* now_ms -- a monotonic clock. cpu_ms -- processor time of this thread: stands still while others
 * have the core. */
double now_ms(void);
double cpu_ms(void);

enum { MOST_ROUNDS = 2000 };

/* series -- the times of one thing, round by round. */
typedef struct series {
    int n;
    double ms[MOST_ROUNDS];
} series;

/* series_add -- keeps the first MOST_ROUNDS. */
void series_add(series *s, double ms);

/* series_best, series_median -- NaN when empty. */
double series_best(const series *s);
double series_median(const series *s);

/* series_pairs -- median of a[k]/b[k] over the rounds that both have: what one costs beside the
 * other in the same moment. NaN when there are none. */
double series_pairs(const series *a, const series *b);

#endif
