/* elementwise.h -- arithmetic, comparisons and the usual functions, element by element.
 *
 * Two operands broadcast by the NumPy rule and have one dtype, f32 or f64; nothing is promoted,
 * tl_cast converts. NaN and infinity come through. Most lines below are compositions of few
 * operations; core/space.h has tl_add, tl_less and tl_where. Errors: TL_ESHAPE when shapes do
 * not broadcast, TL_EDTYPE. */
#ifndef TL_OPS_ELEMENTWISE_H
#define TL_OPS_ELEMENTWISE_H

#include "core/tape.h"

TL_BEGIN_DECLS

/* tl_sub -- a - b. tl_mul -- a b. tl_div -- a / b. */
TL_API tl_tensor tl_sub(tl_tensor a, tl_tensor b);
TL_API tl_tensor tl_mul(tl_tensor a, tl_tensor b);
TL_API tl_tensor tl_div(tl_tensor a, tl_tensor b);
/* tl_pow -- a to the power b. Its gradient by b takes 0 log 0 as 0; NaN where a < 0. */
TL_API tl_tensor tl_pow(tl_tensor a, tl_tensor b);
/* tl_maximum, tl_minimum -- the greater, the lesser; NaN if either is. Where they are equal all
 * of the gradient goes to a. */
TL_API tl_tensor tl_maximum(tl_tensor a, tl_tensor b);
TL_API tl_tensor tl_minimum(tl_tensor a, tl_tensor b);
/* tl_lerp -- a + w (b - a). */
TL_API tl_tensor tl_lerp(tl_tensor a, tl_tensor b, tl_tensor w);

/* With a number c, which takes a's dtype. A number is bound when a plan runs: another one needs
 * no new plan. */
TL_API tl_tensor tl_add_scalar(tl_tensor a, double c);  /* a + c */
TL_API tl_tensor tl_sub_scalar(tl_tensor a, double c);  /* a - c */
TL_API tl_tensor tl_rsub_scalar(tl_tensor a, double c); /* c - a */
TL_API tl_tensor tl_scale(tl_tensor a, double c);       /* c a */
TL_API tl_tensor tl_div_scalar(tl_tensor a, double c);  /* a / c */
TL_API tl_tensor tl_rdiv_scalar(tl_tensor a, double c); /* c / a */
TL_API tl_tensor tl_pow_scalar(tl_tensor a, double c);  /* a^c; a a for c = 2 */

TL_API tl_tensor tl_neg(tl_tensor a);        /* -a */
TL_API tl_tensor tl_abs(tl_tensor a);        /* |a|; gradient 0 at 0 */
TL_API tl_tensor tl_sign(tl_tensor a);       /* -1, 0 or 1; no gradient */
TL_API tl_tensor tl_square(tl_tensor a);     /* a a */
TL_API tl_tensor tl_reciprocal(tl_tensor a); /* 1 / a */
TL_API tl_tensor tl_sqrt(tl_tensor a);
TL_API tl_tensor tl_rsqrt(tl_tensor a); /* 1 / sqrt(a) */
TL_API tl_tensor tl_exp(tl_tensor a);
TL_API tl_tensor tl_expm1(tl_tensor a); /* exp(a) - 1, exact near 0 */
TL_API tl_tensor tl_log(tl_tensor a);
TL_API tl_tensor tl_log1p(tl_tensor a); /* log(1 + a), exact near 0 */
TL_API tl_tensor tl_sin(tl_tensor a);
TL_API tl_tensor tl_cos(tl_tensor a);
TL_API tl_tensor tl_erf(tl_tensor a); /* 2/sqrt(pi) times the integral of exp(-t^2) from 0 to a */

TL_API tl_tensor tl_tanh(tl_tensor a);
TL_API tl_tensor tl_sigmoid(tl_tensor a);  /* 1 / (1 + exp(-a)) */
TL_API tl_tensor tl_relu(tl_tensor a);     /* max(a, 0); gradient 0 at 0 */
TL_API tl_tensor tl_softplus(tl_tensor a); /* log(1 + exp(a)), no overflow */
TL_API tl_tensor tl_silu(tl_tensor a);     /* a sigmoid(a) */
TL_API tl_tensor tl_gelu(tl_tensor a);     /* a/2 (1 + erf(a/sqrt(2))), the exact form */
/* tl_clamp -- min(max(a, lo), hi); gradient 1 inside, bounds included, else 0. */
TL_API tl_tensor tl_clamp(tl_tensor a, double lo, double hi);

/* Comparisons give 1 or 0 in the operands' dtype, i32 too; comparing NaN gives 0, but for
 * not_equal. No gradient. "And" of two is their tl_mul or tl_minimum, "or" their tl_maximum,
 * "not" is tl_rsub_scalar(a, 1). */
TL_API tl_tensor tl_less_equal(tl_tensor a, tl_tensor b);    /* a <= b */
TL_API tl_tensor tl_greater(tl_tensor a, tl_tensor b);       /* a > b */
TL_API tl_tensor tl_greater_equal(tl_tensor a, tl_tensor b); /* a >= b */
TL_API tl_tensor tl_equal(tl_tensor a, tl_tensor b);         /* a == b */
TL_API tl_tensor tl_not_equal(tl_tensor a, tl_tensor b);     /* a != b */

/* tl_cast -- a in another dtype; the gradient is cast back, through i32 there is none. To i32
 * it goes towards zero, and NaN and what i32 cannot hold become -2147483648. */
TL_API tl_tensor tl_cast(tl_tensor a, tl_dtype dtype);

TL_END_DECLS
#endif
