/* laws.c -- what the planner may write instead of what was recorded: the same bits for fewer
 * operations (core/plan/law.h). Only what holds for all numbers, infinities and NaN is a law: x + 0
 * is not x where x is -0, and exp(-x) / (1 + exp(-x)) is not 1 - sigmoid(x). */
#include "core/plan/law.h"
#include "core/space.h"
#include "ops/registry.h"

/* clang-format off */

#define X {TL_TERM_X, NULL}
#define Y {TL_TERM_Y, NULL}
#define ONE {TL_TERM_ONE, NULL}
#define UNARY(NAME) {TL_TERM_UNARY, &tl_op_##NAME}
#define BINARY(NAME) {TL_TERM_BINARY, &tl_op_##NAME}

const tl_law tl__laws[] = {
    /* x 1 = x,  x / 1 = x,  -(-x) = x */
    {{BINARY(mul), X, ONE}, {X}, 0},
    {{BINARY(div), X, ONE}, {X}, 0},
    {{UNARY(neg), UNARY(neg), X}, {X}, 0},
    /* x + (-y) = x - y,  x - (-y) = x + y */
    {{BINARY(add), X, UNARY(neg), Y}, {BINARY(sub), X, Y}, 0},
    {{BINARY(sub), X, UNARY(neg), Y}, {BINARY(add), X, Y}, 0},
    /* 1 / (1 + exp(-x)) = sigmoid(x),  1 / (1 + exp(x)) = sigmoid(-x) */
    {{BINARY(div), ONE, BINARY(add), ONE, UNARY(exp), UNARY(neg), X}, {UNARY(sigmoid), X}, 1},
    {{BINARY(div), ONE, BINARY(add), ONE, UNARY(exp), X}, {UNARY(sigmoid), UNARY(neg), X}, 1},
    /* signs move out, where they meet others: (-x) y = -(x y),  (-x) / y = x / (-y) = -(x / y) */
    {{BINARY(mul), UNARY(neg), X, Y}, {UNARY(neg), BINARY(mul), X, Y}, 1},
    {{BINARY(div), UNARY(neg), X, Y}, {UNARY(neg), BINARY(div), X, Y}, 1},
    {{BINARY(div), X, UNARY(neg), Y}, {UNARY(neg), BINARY(div), X, Y}, 1},
};

/* clang-format on */

const int tl__nlaws = sizeof tl__laws / sizeof *tl__laws;

int tl__is_cheap(const tl_op *op)
{
    return op == &tl_op_add || op == &tl_op_sub || op == &tl_op_mul || op == &tl_op_div ||
           op == &tl_op_neg;
}
