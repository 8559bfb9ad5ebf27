/* check_bench.h -- one kernel, run as it is asked for: without a tape, so that the layouts are those
 * that are wanted, and what is written beside the result is found. Private. */
#ifndef TL_OPS_CHECK_BENCH_H
#define TL_OPS_CHECK_BENCH_H

#include "ops/check_kernel.h"

/* tl_bench -- a specimen in one element type. Vectors hold
 * TL_BENCH_STEPS times the largest array. */
typedef struct tl_bench {
    const tl_specimen *s;
    tl_dtype to; /* in place of f64 */
    tl_dtype in_dtype[TL_CHECK_OPERANDS], dtype;
    double *in[TL_CHECK_OPERANDS], *moved[TL_CHECK_OPERANDS]; /* as drawn; as a check wants them */
    double *want, *got;
    double single;
    char *report;
    size_t size;
} tl_bench;

enum { TL_BENCH_STEPS = 3 };

/* tl_job -- one run: on what, and how. */
typedef struct tl_job {
    const tl_attr *attr;
    const tl_shape *in_shape;
    double *const *in;
    const int *lay; /* of operands; NULL: contiguous */
    tl_shape shape;
    int out_lay;
    int64_t tile;             /* elements at a time; 0: all */
    int in_place;             /* i + 1: a tile writes where operand i is */
    int64_t parts;            /* 0: one */
    const tl_shape *row_axes; /* as tl_call has them */
    int64_t first_row;
} tl_job;

/* tl__bench_job -- the specimen as it is. */
tl_job tl__bench_job(const tl_bench *b);

/* tl__bench_run -- the job's result to y; `what` stands in front of what goes wrong. Returns TL_OK,
 * TL_EDTYPE, TL_ENOMEM, else TL_EINVAL; all but TL_OK with the report. */
int tl__bench_run(const tl_bench *b, const tl_job *j, const char *what, double *y);

/* tl__bench_same -- got, of this shape, against what it should be, `why` said where it is not.
 * apart: times the largest. */
int tl__bench_same(const tl_bench *b, tl_shape shape, const double *got, const double *want,
                   double apart, const char *what, const char *why);

/* tl__bench_tell -- writes the report; returns code. */
int tl__bench_tell(const tl_bench *b, int code, const char *format, ...) TL_PRINTF(3, 4);

#endif
