/* custom.h -- gradients that are not those of the value: one's own rule for a piece of the tape,
 * and ready-made ones.
 *
 * All of them are views: no numbers are computed or copied for the value of one output, and inside a
 * scan's body, a program or tl_no_grad they are what every other operation is. */
#ifndef TL_OPS_CUSTOM_H
#define TL_OPS_CUSTOM_H

#include "core/tape.h"

TL_BEGIN_DECLS

/* tl_custom -- the rule's question and answer. The tensors are those of the place where the gradient
 * is recorded; use no others there. */
typedef struct tl_custom {
    void *ctx; /* of the rule */
    int nin, nout;
    const tl_tensor *in;  /* [nin] values that the piece was made of */
    const tl_tensor *out; /* [nout] its results */
    const tl_tensor *g;   /* [nout] their gradients */
    uint32_t need;        /* bit i: in[i] wants its gradient */
    tl_tensor *d;         /* [nin] set d[i]: an expression of in[i]'s shape, or of one that
                             broadcasting makes from it: it is summed back. Left inert: zero */
} tl_custom;

/* tl_custom_rule -- copied when recorded. What ctx points at, and name, must stay until the tape is
 * reset or freed: the rule may be called whenever a gradient is asked for. */
typedef struct tl_custom_rule {
    const char *name; /* for messages */
    void (*adjoint)(tl_custom *q);
    void *ctx;
} tl_custom_rule;

/* tl_custom_grad -- results with the values of out[] and the gradient that the rule records.
 *
 *     result_k = out_k      d in_i = rule(g, in, out)_i
 *
 *   in[nin]       what the gradient goes to; floating or i32
 *   out[nout]     results of a piece of tape, recorded however one likes; floating, of one dtype
 *   result[nout]  receives them with the new gradient; differentiate these
 *
 * Nothing goes from the results back through the piece itself: what it was made of and is not in
 * in[] gets no gradient. The rule records tensors like anyone else, of which the gradient can be
 * taken again: it must be linear in g, or forward mode (tl_jvp, tl_hvp, Jacobians by columns) has
 * other numbers than the gradient. It is called once for each backward pass that gets there; in
 * a scan's body when the adjoint of the scan is recorded. It is no part of a plan.
 *
 * Several outputs are put side by side, which copies them; one is a view.
 * Errors: TL_EINVAL for counts below 1, above 24 inputs or 16 outputs, or no rule; TL_EDTYPE for
 * outputs that are i32 or of two dtypes; TL_ESHAPE or TL_EDTYPE, when the gradient is asked for, if
 * d[i] does not have the shape or the dtype of in[i]. Returns TL_OK or the sticky error; after one
 * all results are inert. */
TL_API int tl_custom_grad(int nin, const tl_tensor *in, int nout, const tl_tensor *out,
                          const tl_custom_rule *rule, tl_tensor *result);

/* tl_grad_scale -- t; its gradient is g k. tl_grad_reverse -- k = -1, a layer that trains what
 * comes before it to do worse. Source: Ganin and Lempitsky 2015. */
TL_API tl_tensor tl_grad_scale(tl_tensor t, double k);
TL_API tl_tensor tl_grad_reverse(tl_tensor t);

/* tl_grad_clip -- t; every element of its gradient is brought into [lo,hi]. Not linear in g, so
 * forward mode through it is an error (TL_EUNSUPPORTED). In the state of a recurrence it bounds what goes from step to step.
 * Errors: TL_ERANGE unless lo <= hi. */
TL_API tl_tensor tl_grad_clip(tl_tensor t, double lo, double hi);

/* tl_straight_through -- the value of `value`, whose gradient goes to t as it is: for rounding,
 * thresholds and draws. Shapes and dtypes must be equal. Source: Bengio et al. 2013, section 4. */
TL_API tl_tensor tl_straight_through(tl_tensor value, tl_tensor t);

/* tl__custom_outputs -- TL_OK if the outputs are floating and of one dtype, else the sticky
 * error. */
int tl__custom_outputs(const char *what, int nout, const tl_tensor *out);

/* tl__custom_grad -- the same with a ctx of `doubles` numbers that is copied into the node. */
TL_API int tl__custom_grad(int nin, const tl_tensor *in, int nout, const tl_tensor *out,
                           const tl_custom_rule *rule, int doubles, tl_tensor *result);

TL_END_DECLS
#endif
