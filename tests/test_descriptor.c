/* test_descriptor.c -- blocks of operations that lack something, and calls with too few operands. */
#include "core/op.h"
#include "ops/ops.h"
#include "tests/check.h"

#include <criterion/criterion.h>
#include <string.h>

static void rule(tl_adj *q)
{
    q->d[0] = q->g;
}

static int view(const tl_attr *a, const tl_shape *from, const tl_layout *in, const tl_shape *to,
                tl_layout *out)
{
    (void)a, (void)from, (void)to;
    *out = *in;
    return 0;
}

static tl_tile_fn tile(const tl_dtype *in, tl_dtype out)
{
    (void)in, (void)out;
    return NULL;
}

/* whole -- a descriptor that lacks nothing. */
static tl_op whole(void)
{
    return (tl_op){.name = "mine", .kind = TL_VIEW, .nin = 1, .view = view, .adjoint = rule};
}

static void lacks(tl_op op, int nin, const char *words)
{
    const char *fault = tl__op_fault(&op, nin);
    cr_expect(fault && strstr(fault, words), "%s, want %s", fault ? fault : "nothing", words);
}

Test(descriptor, says_what_it_lacks)
{
    tl_op op = whole();
    cr_assert_null(tl__op_fault(&op, 1));
    op.name = "";
    lacks(op, 1, "no name");
    op = whole(), op.adjoint = NULL;
    lacks(op, 1, "no adjoint");
    op.no_gradient = 1;
    cr_assert_null(tl__op_fault(&op, 1));
    op = whole(), op.nin = -1;
    lacks(op, 1, "negative number");
    op = whole(), op.nin = 2;
    lacks(op, 2, "no shape rule");
    op.shape = tl_infer_floating;
    cr_assert_null(tl__op_fault(&op, 2));
    op = whole(), op.view = NULL;
    lacks(op, 1, "no view rule");
    op = whole(), op.kind = TL_POINTWISE;
    lacks(op, 1, "no tile");
    op.tile = tile;
    cr_assert_null(tl__op_fault(&op, 1));
    op = whole(), op.kind = TL_OTHER;
    lacks(op, 1, "run is missing");
    op.kind = TL_LEAF;
    lacks(op, 1, "only the library records");
    op.kind = (tl_kind)99;
    lacks(op, 1, "unknown kind");
}

/* The number of operands, where the descriptor says one; any number where it does not. */
Test(descriptor, holds_calls_to_its_number_of_operands)
{
    static tl_op one, any;
    one = any = whole();
    any.nin = 0;
    any.shape = tl_infer_floating;
    tl_tape *tape = check_tape(1);
    const tl_tensor a = tl_ones(tape, TL_F64, tl_shape1(3)), in[] = {a, a, a};
    for (int n = 1; n <= 3; n++)
        cr_assert(tl_tensor_ok(tl_record(&any, n, in, NULL)), "%s", tl_tape_error(tape));
    cr_assert(tl_tensor_ok(tl_record(&one, 1, in, NULL)));
    cr_assert(!tl_tensor_ok(tl_record(&one, 2, in, NULL)));
    cr_assert_eq(tl_tape_status(tape), TL_EINVAL);
    cr_assert_str_eq(tl_tape_error(tape), "mine: got 2 operands, want 1");
    tl_tape_free(tape);
}
