/* verify_check.h -- what the checks of tl_cell_verify share. Private.
 *
 * A check opens itself, runs the trial on two routes, and compares vectors line by line. */
#ifndef TL_NN_VERIFY_CHECK_H
#define TL_NN_VERIFY_CHECK_H

#include "nn/trial.h"
#include "nn/verify.h"

#include "core/random.h"

/* What all checks share. The vectors are as long as the trial's. */
typedef struct tl_verify {
    tl_verify_opts o;
    tl_verify_report *report;
    uint32_t capacity; /* of report->lines */
    tl_trial trial;
    double *out[2], *grad[2], *second, *direction, *value;
    int64_t *sample; /* as long: which elements of a group were tried */
    tl_rng rng;
    int code; /* why the checks cannot go on: memory */
} tl_verify;

/* tl__verify_open -- the check is being made, and has passed so far. */
void tl__verify_open(tl_verify *v, tl_verify_check check);

/* tl__verify_go -- runs the trial; a failure of its tape becomes a failed line named `what`.
 * Returns whether it ran. */
int tl__verify_go(tl_verify *v, tl_verify_check check, const char *what, tl_trial *t,
                  const tl_trial_run *run);

/* tl_verify_place -- where the elements of a line stand. */
typedef struct tl_verify_place {
    tl_shape shape;
    int blocks, axis;      /* gate blocks along this axis; 0 or 1: none */
    const int64_t *sample; /* element k is number sample[k]; -1: none, a direction. NULL: k */
} tl_verify_place;

/* tl__verify_compare -- one line: a[n] against b[n], from `at`. Where the line's own numbers are
 * smaller than floor, differences count relative to floor. */
void tl__verify_compare(tl_verify *v, tl_verify_check check, const char *name, int64_t t, int64_t n,
                        const double *a, const double *b, double floor, const tl_verify_place *at);

/* tl__verify_place_of -- the elements of group i: of one of its steps, or of all if whole. */
tl_verify_place tl__verify_place_of(const tl_trial *t, int i, int whole);

/* tl__verify_largest -- the largest |a[i]|, 0 if there is none. */
double tl__verify_largest(int64_t n, const double *a);

/* tl__verify_group -- what group i of the trial is called in a line; returns text. */
const char *tl__verify_group(const tl_trial *t, int i, char *text, size_t size);

/* The checks of verify_routes.c and verify_slopes.c; verify.h says what they are. */
void tl__verify_loop(tl_verify *v);
void tl__verify_rows(tl_verify *v);
void tl__verify_forward(tl_verify *v);
void tl__verify_gradient(tl_verify *v);
void tl__verify_second(tl_verify *v);

#endif
