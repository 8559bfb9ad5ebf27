/* verify.h -- proves a cell right, the user's own included.
 *
 *     tl_verify_report report;
 *     int code = tl_cell_verify(&mgu, 3, 4, NULL, &report, &err);
 *     puts(tl_verify_text(&report, text, sizeof text));
 *     tl_verify_report_close(&report);
 *
 *     lstm, check 'gradient': weight_ih [5,2], gate block 1 (i f g o: f): tape -0.755, differences
 *     -0.748, relative error 9.3e-03, want at most 1e-06; wrong in 6 of 24
 *
 * Everything runs in f64 on small random data, and every number is reached by two independent
 * routes. */
#ifndef TL_NN_VERIFY_H
#define TL_NN_VERIFY_H

#include "nn/cell.h"

TL_BEGIN_DECLS

/* The checks, in the order in which they are made. After a failure of the first three the others
 * make no sense and are left out.
 *
 *   record     the step records without an error; the output is [B,H], states keep their shapes
 *   carry      every state is replaced by the step, and the output is not a state from before it
 *   repeat     the same program recorded twice gives the same nodes and the same bits: the step
 *              keeps nothing from call to call (a counter, rand(), a static); the failure names the
 *              first node that differs
 *   loop       the scan equals the plain loop: outputs, states, gradients
 *   rows       a batch with lengths and NaN in its padding equals its rows run alone: outputs,
 *              states, gradients
 *   forward    forward mode equals reverse mode, <J v, u> = <v, J' u> with u the loss's
 *              derivative: v random in one parameter, time step or state at a time
 *   gradient   the tape's gradient equals central differences: each parameter in total and at each
 *              time step, the input and the states at each time step (total derivatives), the
 *              initial states
 *   second     the gradient of the gradient equals central differences of the gradient */
typedef enum tl_verify_check {
    TL_VERIFY_RECORD,
    TL_VERIFY_CARRY,
    TL_VERIFY_REPEAT,
    TL_VERIFY_LOOP,
    TL_VERIFY_ROWS,
    TL_VERIFY_FORWARD,
    TL_VERIFY_GRADIENT,
    TL_VERIFY_SECOND,
    TL_VERIFY_CHECKS
} tl_verify_check;

typedef struct tl_verify_opts {
    int64_t T, B;     /* default 5 and 4 */
    uint64_t seed;    /* of data and parameters, default 1 */
    double step;      /* of the differences, default 3e-5 */
    double tolerance; /* largest relative error of a difference, default 1e-6 */
    double equal;     /* the same for two routes that agree up to rounding, default 1e-10 */
    int samples;      /* elements tried one by one per line, default 64; of larger tensors a sample,
                         and all of it along a random direction */
    int unchanged;    /* bit k: state k is allowed to pass through unchanged, default 0 */
} tl_verify_opts;

TL_API tl_verify_opts tl_verify_defaults(void);

/* tl_verify_line -- one comparison. */
typedef struct tl_verify_line {
    tl_verify_check check;
    char name[48];    /* parameter, "x", state, "h initial", "y", ... */
    int64_t t;        /* time step, -1: all of them, in total */
    int64_t elements; /* compared */
    int64_t wrong;    /* of them, beyond the tolerance */
    char place[128];  /* which has the largest error: "[5,2], gate block 1 (i f g o: f)"; of samples
                         "along a random direction"; "" where there is one alone */
    double error;     /* largest |a - b| over the largest |a|, |b| of the line (at least 1e-3 of the
                         largest in the check) */
    double absolute;  /* |a - b|, there */
    double tape;      /* a, there */
    double other;     /* b, there: difference, loop, row alone */
    int pass;
} tl_verify_line;

typedef struct tl_verify_report {
    const char *cell;
    int64_t I, H, T, B;
    double tolerance, equal, step; /* of the options */
    uint64_t seed;
    int pass;                               /* all checks */
    int failed;                             /* number of lines that failed */
    int first;                              /* index of the first of them, -1 */
    char message[600];                      /* the first failure in a sentence, "" if none */
    unsigned char ran[TL_VERIFY_CHECKS];    /* whether the check was made */
    unsigned char passed[TL_VERIFY_CHECKS]; /* and passed */
    int nlines;
    tl_verify_line *lines; /* owned */
} tl_verify_report;

/* tl_verify_name -- "gradient" and so on. */
TL_API const char *tl_verify_name(tl_verify_check check);

/* tl_cell_verify -- makes all checks on a cell of these sizes. opts NULL: all defaults.
 *
 * Returns TL_OK when every check passed, TL_ESTATE when one failed (report says which), another
 * code when the checks could not be made (sizes, memory); err (may be NULL) has the sentence.
 * report is filled in every case and to be closed.
 *
 * Random draws of a cell repeat from run to run; the check of rows is made in evaluation mode,
 * since draws belong to places in the batch. */
TL_API int tl_cell_verify(const tl_cell *cell, int64_t I, int64_t H, const tl_verify_opts *opts,
                          tl_verify_report *report, tl_err *err);
TL_API void tl_verify_report_close(tl_verify_report *report);

/* tl_verify_text -- the report as a table, parameters by time steps, into text; cut off, with
 * "...", when it does not fit. Returns text. */
TL_API char *tl_verify_text(const tl_verify_report *report, char *text, size_t size);

/* tl_verify_table -- a table to paste into a paper: for each check the number of comparisons, the
 * largest absolute and relative deviation with where each is, the tolerance and the verdict; below
 * it sizes, seed, step and version. A LaTeX tabular without packages if latex, else plain text with
 * the same columns. Into text, cut off as tl_verify_text. Returns text. */
TL_API char *tl_verify_table(const tl_verify_report *report, int latex, char *text, size_t size);

TL_END_DECLS
#endif
