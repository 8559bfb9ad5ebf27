/* backward.c -- tl_backward and the gradients of parameters as a tape queues them.
 *
 *   tl_backward     g = dloss/dp for every unfrozen p used on the tape; grad(p) = g, or grad(p) + g
 *   tl_param_grad   grad(p), or the stored gradient of earlier commits
 *   a step          reads grad(p), assigns, then clears it: nothing is stored
 *   tl_commit       stores what no step consumed
 *
 * The sweep itself is in grad.c. */
#include "core/grad.h"
#include "core/node.h"
#include "core/space.h"

/* add_grad -- adds g to what is queued or stored for u. */
static void add_grad(tl_tape *tape, tl_usage *u, tl_tensor g)
{
    tl_tensor sum = g;
    if (u->grad != TL_NONE) {
        sum = tl_add(tl__at(tape, u->grad), g);
    } else if (u->param->grad && !u->clear) {
        sum = tl_add(tl__stored_grad(tape, u->param), g);
    }
    if (sum.tape) {
        u->grad = sum.slot;
        u->queued = 1;
    }
}

/* collect -- the usages that want a gradient: indices into tape->usages, and their leaves. What is
 * bound to a parameter may depend on its leaf. */
static int collect(tl_tape *tape, uint32_t *index, tl_tensor *in)
{
    int n = 0;
    for (uint32_t i = 0; i < tape->nusages; i++) {
        const tl_usage *u = &tape->usages[i];
        if (u->leaf == TL_NONE || u->param->frozen)
            continue;
        index[n] = i;
        in[n++] = tl__at(tape, u->leaf);
    }
    return n;
}

/* reaches -- whether one of the gradients is more than the zeros of what nothing depends on. */
static int reaches(const tl_tape *tape, int n, const tl_tensor *grad)
{
    for (int i = 0; i < n; i++) {
        const tl_node *g = &tape->nodes[grad[i].slot];
        if (g->op == &tl_op_broadcast_to)
            g = &tape->nodes[g->in[0]];
        if (g->op != &tl_op_const || g->attr.r[0] < 0.0 || g->attr.r[0] > 0.0)
            return 1;
    }
    return 0;
}

/* fail_unreached -- the loss is made of no unfrozen parameter. */
static int fail_unreached(tl_tape *tape, uint32_t loss, int count)
{
    char text[160];
    int leaves = 0;
    for (uint32_t i = 0; i < tape->nusages; i++)
        leaves += tape->usages[i].leaf != TL_NONE;
    tl__describe(tape, loss, text, sizeof text);
    if (leaves > 0 && count == 0)
        return tl_tape_fail(
            tape, TL_ENOGRAD, "tl_backward",
            "the loss, %s, has no gradient: all %d parameters used on this tape are "
            "frozen",
            text, leaves);
    if (count > 0)
        return tl_tape_fail(tape, TL_ENOGRAD, "tl_backward",
                            "the loss, %s, depends on none of the %d unfrozen parameters used on "
                            "this tape (was it recorded inside tl_no_grad, or of tensors that "
                            "went through tl_detach or tl_state_use?)",
                            text, count);
    return tl_tape_fail(tape, TL_ENOGRAD, "tl_backward",
                        "the loss, %s, depends on no parameter: none is used on this tape (tl_use "
                        "brings one in)",
                        text);
}

int tl_backward(tl_tensor loss)
{
    tl_node *n = tl__node(loss, "tl_backward");
    if (!n)
        return loss.tape ? loss.tape->code : tl__inert_code(loss);
    tl_tape *tape = loss.tape;
    if (tape->frame != 0)
        return tl_tape_fail(tape, TL_EFRAME, "tl_backward",
                            "not allowed inside an open scan; tl_grad is");
    char text[TL_SHAPE_TEXT];
    if (tl_shape_count(n->shape) != 1)
        return tl_tape_fail(
            tape, TL_ESHAPE, "tl_backward",
            "the loss has shape %s, want a single number (take a sum or mean, or use tl_grad)",
            tl_shape_text(n->shape, text, sizeof text));
    n->want = 1; /* whoever asks for its gradient wants to see it: computed with the commit, not
                    again after it */
    uint32_t most = tape->nusages + 1;
    tl_tensor *in = tl__calloc(most, 2 * sizeof *in + sizeof(uint32_t));
    if (!in)
        return tl_tape_fail(tape, TL_ENOMEM, "tl_backward", "no memory for %u gradients", most);
    tl_tensor *grad = in + most;
    uint32_t *index = (uint32_t *)(grad + most);
    int count = collect(tape, index, in);
    tl_no_grad_open(tape);
    int code = count > 0 ? tl_grad(1, &loss, NULL, count, in, grad) : TL_OK;
    if (code == TL_OK && !reaches(tape, count, grad))
        code = fail_unreached(tape, loss.slot, count);
    for (int i = 0; code == TL_OK && i < count; i++) {
        add_grad(tape, &tape->usages[index[i]], grad[i]);
        code = tape->code;
    }
    tl_no_grad_close(tape);
    tl__free(in);
    return code;
}

tl_tensor tl_param_grad(tl_tape *tape, tl_param *p)
{
    if (!tape || !p || tape->code)
        return tl__inert_on(tape);
    tl_usage *u = tl__usage(tape, p);
    if (!u)
        return tl__inert_on(tape);
    if (u->grad != TL_NONE)
        return tl__at(tape, u->grad);
    if (!p->grad || u->clear)
        return tl__inert_on(tape);
    tl_tensor g = tl__stored_grad(tape, p);
    if (g.tape)
        u->grad = g.slot;
    return g;
}

void tl_set_param_grad(tl_tape *tape, tl_param *p, tl_tensor g)
{
    if (!tape || !p || tape->code)
        return;
    tl_usage *u = tl__usage(tape, p);
    if (!u)
        return;
    if (!g.tape) {
        u->grad = TL_NONE;
        u->queued = 0;
        u->clear = 1;
        return;
    }
    const tl_node *n = tl__node(g, "tl_set_param_grad");
    if (!n)
        return;
    if (g.tape != tape) {
        tl_tape_fail(tape, TL_ETAPE, "tl_set_param_grad",
                     "the gradient for %s lives on another tape", p->name);
        return;
    }
    if (tl__check_store(tape, n, &p->store, "tl_set_param_grad", p->name))
        return;
    u->grad = g.slot;
    u->queued = 1;
}
