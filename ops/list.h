/* list.h -- the names of all operations, and nothing else. Adding one: its block, one prototype,
 * one name here.
 *
 * TL_CORE_OPS live in core/, TL_OPS in ops/. The linker misses a descriptor that is named here and
 * not defined; the registry test finds one that is defined and not named. */
#ifndef TL_OPS_LIST_H
#define TL_OPS_LIST_H

#define TL_CORE_OPS(X)                                                                             \
    X(const)                                                                                       \
    X(input)                                                                                       \
    X(use)                                                                                         \
    X(state)                                                                                       \
    X(detach)                                                                                      \
    X(add) X(less) X(where) X(reshape) X(broadcast_to) X(slice) X(assemble) X(sum) X(check_range)  \
        X(carry) X(each) X(time) X(loop) X(last) X(stacked) X(summed) X(stay)

#define TL_ELEMENTWISE_OPS(X)                                                                      \
    X(sub)                                                                                         \
    X(mul)                                                                                         \
    X(div)                                                                                         \
    X(pow)                                                                                         \
    X(maximum) X(minimum) X(less_equal) X(equal) X(not_equal) X(neg) X(abs) X(sign) X(sqrt) X(exp) \
        X(expm1) X(log) X(log1p) X(sin) X(cos) X(erf) X(tanh) X(sigmoid) X(softplus) X(cast)
#define TL_REDUCE_OPS(X) X(amax) X(first_max) X(argmax) X(cumsum)
#define TL_VIEW_OPS(X) X(permute) X(flip)
#define TL_MATMUL_OPS(X) X(contract)
#define TL_INDEX_OPS(X) X(gather) X(scatter_add) X(one_hot) X(take_along) X(put_along) X(merge_rows)
#define TL_NOISE_OPS(X) X(uniform) X(normal)
#define TL_CUSTOM_OPS(X) X(custom) X(grad_scale) X(grad_clip) X(straight_through) X(after)
#define TL_OPS(X)                                                                                  \
    TL_ELEMENTWISE_OPS(X)                                                                          \
    TL_REDUCE_OPS(X)                                                                               \
    TL_VIEW_OPS(X) TL_MATMUL_OPS(X) TL_INDEX_OPS(X) TL_NOISE_OPS(X) TL_CUSTOM_OPS(X)

#endif
