/* init.h -- how a parameter gets its first values.
 *
 * An initialiser is data: a rule and its numbers. What it fills is a pure function of the seed and
 * the parameter's full name, so the order in which layers are made, and layers added later, change
 * nothing. Gate blocks stacked in one matrix ([4H,I] is four matrices [H,I]) are initialised one by
 * one. */
#ifndef TL_NN_INIT_H
#define TL_NN_INIT_H

#include "core/param.h"

TL_BEGIN_DECLS

/* tl_init_site -- what a rule may look at. */
typedef struct tl_init_site {
    uint64_t seed, stream; /* of the numbers; stream comes from the name and the block's number */
    int64_t rows, cols;    /* of this block: [rows,cols]; a vector is [rows,1] */
    int64_t fan_in, fan_out;
    int64_t hidden; /* H when the parameter belongs to a cell, else fan_in */
} tl_init_site;

/* tl_init -- a rule with its numbers. Rules of your own: set fill, a, b and leave plus at 0. */
typedef struct tl_init {
    void (*fill)(double a, double b, const tl_init_site *site, double *out); /* row-major */
    double a, b;
    int block; /* gate block that gets `plus` added afterwards */
    double plus;
} tl_init;

/* tl_init_constant -- every element is value.
 * tl_init_uniform -- U(low, high).   tl_init_normal -- N(mean, deviation^2). */
TL_API tl_init tl_init_constant(double value);
TL_API tl_init tl_init_uniform(double low, double high);
TL_API tl_init tl_init_normal(double mean, double deviation);

/* tl_init_glorot_uniform -- U(-a, a), a = sqrt(6 / (fan_in + fan_out)).
 * tl_init_glorot_normal -- N(0, 2 / (fan_in + fan_out)).
 * Source: Glorot and Bengio 2010, eq. 16. */
TL_API tl_init tl_init_glorot_uniform(void);
TL_API tl_init tl_init_glorot_normal(void);

/* tl_init_he_uniform -- U(-a, a), a = sqrt(6 / fan_in).
 * tl_init_he_normal -- N(0, 2 / fan_in).   Source: He et al. 2015, eq. 10. */
TL_API tl_init tl_init_he_uniform(void);
TL_API tl_init tl_init_he_normal(void);

/* tl_init_orthogonal -- gain times a matrix with orthonormal rows (or columns, if there are more
 * rows): the Q of a normal matrix whose R has a positive diagonal, uniform among all of them.
 * Source: Saxe et al. 2014; Mezzadri 2007. */
TL_API tl_init tl_init_orthogonal(double gain);

/* tl_init_fan_in -- U(-a, a), a = 1/sqrt(fan_in): PyTorch's default for linear weight and bias.
 * tl_init_recurrent -- U(-a, a), a = 1/sqrt(H): PyTorch's default for all of RNN, LSTM and GRU. */
TL_API tl_init tl_init_fan_in(void);
TL_API tl_init tl_init_recurrent(void);

/* tl_init_plus -- base, with value added to the elements of one gate block: a forget bias. */
TL_API tl_init tl_init_plus(tl_init base, int block, double value);

/* tl_param_init -- fills p by the rule.
 *
 *   blocks   gate blocks stacked along p's first axis, >= 1 and a divisor of it
 *   hidden   what tl_init_recurrent takes as H; 0: fan_in
 *   fan_in   of a bias, whose own shape does not tell; 0: from the shape (the product of all axes
 *            but the first)
 *
 * Returns TL_OK, TL_EINVAL, TL_ENOMEM; TL_ERANGE when the rule makes a NaN, and p is as it was. */
TL_API int tl_param_init(tl_param *p, tl_init init, uint64_t seed, int blocks, int64_t hidden,
                         int64_t fan_in, tl_err *err);

TL_END_DECLS
#endif
