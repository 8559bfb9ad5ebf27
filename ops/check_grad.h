/* check_grad.h -- is the gradient right? What the tape records against differences of values, for
 * any function of tensors; check_op.h is for operations of one's own.
 *
 *     s0(x) = sum over i of c_i (y_i + y_i^2 / 2),  y = fn(x)          c, d drawn
 *     s1(x) = sum over k of d_k (g_k + g_k^2 / 2),  g = tl_grad of s0 by x
 *
 *     ds/dx_k = (8 (s(x_k + h) - s(x_k - h)) - (s(x_k + 2h) - s(x_k - 2h))) / 12h
 *
 * The scalar is curved, so the gradient that a rule receives depends on x, and an error in how the
 * rule uses it shows at order 2. All in f64. */
#ifndef TL_OPS_CHECK_GRAD_H
#define TL_OPS_CHECK_GRAD_H

#include "core/function.h"
#include "core/op.h"

TL_BEGIN_DECLS

enum { TL_CHECK_MOST = 16 }; /* inputs, or outputs, of a function that is checked */

typedef struct tl_check_opts {
    int order;      /* 1, or 2: the gradient of the gradient as well; default 2 */
    int directions; /* 0, the default: every element of every input is moved by itself. n: each
                       input is moved along n drawn directions instead */
    double step;    /* h; default 1e-4 */
    double atol;    /* a difference may be atol + rtol times the largest derivative of its order; */
    double rtol;    /* defaults 1e-7, both */
    uint64_t seed;  /* of inputs, weights and directions; default 1 */
    double single;  /* tl_check_op only: how far f32 may be from f64, times the largest number of
                       what is compared; default 1e-5 */
} tl_check_opts;

TL_API tl_check_opts tl_check_defaults(void);

/* tl_check_input -- what the function is given as in[i]. */
typedef struct tl_check_input {
    tl_shape shape;
    tl_domain domain;     /* where it is drawn from; TL_INDEX and TL_BINARY stay constant */
    int64_t bound;        /* of TL_INDEX */
    const double *values; /* its elements, row-major; NULL: drawn */
} tl_check_input;

/* tl_check_grad -- compares the gradient of fn with differences.
 *
 *   in[nin]   inputs, f64 (i32 if TL_INDEX), on a tape of the check's own
 *   nout      outputs of fn, of any shape; i32 ones are left out
 *   opts      NULL: all defaults
 *   report    receives one line, in any case: what was compared and how far apart it was, or the
 *             first derivative that differs, how many of that order do, and the worst: "order 2,
 *             input 1, element [0,3]: the gradient is 0.25, differences give 0.5, apart by 0.25,
 *             tolerance 2e-07; wrong in 3 of 18, worst at input 0, element [1,2]: 1.5 for 4".
 *             May be NULL
 *   return    TL_OK; TL_ENOGRAD if the gradient is wrong; else what the tape's error was
 *
 * Each gradient is asked for together with the others and alone. fn must compute the same each
 * time: draws do, since the number of the next draw is put back.
 * Errors: TL_EINVAL for counts outside [1, TL_CHECK_MOST] or an order that is not 1 or 2;
 * TL_ENOMEM.
 * Cost: four evaluations for each element (or direction) and order. */
TL_API int tl_check_grad(tl_function fn, void *ctx, int nin, const tl_check_input *in, int nout,
                         const tl_check_opts *opts, char *report, size_t size);

TL_END_DECLS
#endif
