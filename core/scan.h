/* scan.h -- the loop on the tape: a body recorded once, run T times.
 *
 *     tl_scan s = tl_scan_open(tape, T, NULL);
 *     tl_tensor h = tl_scan_carry(s, h0);          [B,H]  value before the step
 *     tl_tensor x = tl_scan_each(s, xs);           [B,I]  xs[t]
 *     tl_tensor h1 = step(x, h);
 *     tl_scan_next(s, h, h1);
 *     tl_scan_close(s);
 *     tl_tensor hs = tl_scan_stacked(s, h1);       [T,B,H]
 *     tl_tensor hT = tl_scan_last(s, h);           [B,H]
 *
 * The meaning is that of the plain C loop that records the body T times, gradients and random draws
 * included. While the scan is open every operation recorded belongs to the body; operands from
 * outside are captures. Its adjoint is again a scan.
 *
 * Asking a recomputing scan for stacked values keeps those, of course. Nothing of such a body is
 * taken out of it to be computed for all steps at once (Chen et al. 2016, arXiv:1604.06174): to
 * save memory over a long loop at little cost, give it a budget.
 *
 * A budget is how many bytes what the gradient reads of the steps may take. The loop then runs with
 * its adjoint a segment of S steps at a time: it keeps what it computes of one segment, and its
 * state before some of the others, from which it runs again on the way back. Segments and states are
 * chosen within the budget so that the fewest steps run (Griewank and Walther 2000; Gruslys et al.
 * 2016, arXiv:1606.03401):
 *
 *     memory   S row + (s + 1) state <= budget      row: of one step; s states; S some periods
 *     time     about (r + 1) T steps forward for T <= S C(s+r,s), so twice T for T <= S (s + 1)
 *
 * A training step (tl_backward and tl_commit) has the bits that it has without a budget, random
 * draws included. Where a gradient stays on the tape for a further one, the loop without a budget
 * keeps more and may add in another order: then they agree to rounding. Reading a loss before its
 * gradient keeps nothing of the steps; the gradient runs them again.
 *
 * Beside the budget there are xs, stacked results that are asked for or read by something else than
 * the loop's own gradient, the arrays between layers of loops, and a period's products. A period is
 * some 384 rows of a product, that is 384 / B steps: a loop of one period or less runs as a whole,
 * and no segment is shorter. In segments run scans that lie in no other scan, with their first
 * gradient; others, gradients of gradients and whatever stands against it run as without a budget,
 * correctly (plan/ring.c). tl_plan_print says of a loop how many steps run at a time, and of an
 * adjoint if it reads all at once. A budget that is too small for one segment and two states is
 * TL_ERANGE when run, with what would do; TL_PERIOD_ROWS in the environment makes periods shorter. */
#ifndef TL_CORE_SCAN_H
#define TL_CORE_SCAN_H

#include "core/tape.h"

TL_BEGIN_DECLS

typedef struct tl_scan {
    tl_tape *tape;
    uint32_t frame;
    uint32_t generation;
} tl_scan;

typedef struct tl_scan_opts {
    int reverse;       /* from t = T-1 down to 0 */
    tl_tensor lengths; /* [B] i32: row b takes part only while t < lengths[b]; inert: all rows, all
                          steps */
    const char *name;  /* scope of the body, default "scan" */
    int recompute;     /* the gradient computes the steps again instead of keeping what it reads of
                          them: memory for the carries only, [T,...] of nothing else; about one
                          more forward pass of time */
    int64_t budget;    /* bytes for what the gradient reads of the steps, see above; 0: no limit */
} tl_scan_opts;

TL_API tl_scan_opts tl_scan_defaults(void);

/* tl_scan_open -- opens a body of T >= 0 steps in the innermost open frame. With lengths, x_t is
 * replaced by zero and the old carry kept where t >= length (so padding may hold anything, NaN
 * included), and stacked and summed results are zero there; carries, x_t and results then have B as
 * leading axis. Lengths outside [0,T] are a run-time error. */
TL_API tl_scan tl_scan_open(tl_tape *tape, int64_t T, const tl_scan_opts *opts);

/* tl_scan_carry -- a value handed from step to step, init at first. */
TL_API tl_tensor tl_scan_carry(tl_scan s, tl_tensor init);
/* tl_scan_each -- xs[t], xs of shape [T,...]. */
TL_API tl_tensor tl_scan_each(tl_scan s, tl_tensor xs);
/* tl_scan_time -- t as [] i32. */
TL_API tl_tensor tl_scan_time(tl_scan s);
/* tl_scan_next -- what the carry is after this step; shape and dtype as the carry. Exactly once for
 * each carry. */
TL_API void tl_scan_next(tl_scan s, tl_tensor carry, tl_tensor next);
TL_API void tl_scan_close(tl_scan s);

/* After close, in the frame the scan was opened in (or in one inside it): */
/* tl_scan_last -- the carry after all steps; the init when T is 0. */
TL_API tl_tensor tl_scan_last(tl_scan s, tl_tensor carry);
/* tl_scan_stacked -- any value of the body at every step, [T,...]. */
TL_API tl_tensor tl_scan_stacked(tl_scan s, tl_tensor value);
/* tl_scan_summed -- the sum over the steps of any value of the body. */
TL_API tl_tensor tl_scan_summed(tl_scan s, tl_tensor value);

TL_END_DECLS
#endif
