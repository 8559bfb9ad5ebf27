/* bench_record.h -- one measured number with all that says what it is: a line of --json. */
#ifndef TL_TESTS_BENCH_BENCH_RECORD_H
#define TL_TESTS_BENCH_BENCH_RECORD_H

/* bench_record -- texts NULL and numbers NaN where they do not apply or are not known. */
typedef struct bench_record {
    const char *name; /* "char"; key "case" */
    const char *cell; /* "lstm" */
    const char *pass; /* "train" */
    const char *impl; /* "tapeloop" */
    int threads;
    double ms;           /* best */
    double gflops;       /* GFLOP/s of the matrix products */
    double peak_mb;      /* peak resident set over baseline, MiB */
    double ratio_onednn; /* best over oneDNN's best */
} bench_record;

/* bench_record_print -- as a JSON object on a line of stdout. */
void bench_record_print(const bench_record *r);

#endif
