/* again.c -- tl_checkpoint: a rule of ops/custom.h that records the piece once more and sweeps it.
 *
 * `after` makes the second recording another one than the first, for the planner would compute what
 * is written down twice only once, and late:
 *
 *     in'  = after(in, g)        the value of in, not before g is there
 *     out' = fn(in')
 *     d    = tl_grad(out', g, in')
 *
 * For the time of that sweep in' and what fn uses beside it are constants: what they depend on gets
 * its gradient from the sweep around, once. */
#include "ops/again.h"

#include "core/grad.h"
#include "core/node.h"
#include "core/space.h"
#include "ops/custom.h"
#include "ops/elementwise.h"
#include "ops/registry.h"

#include <string.h>

enum { MOST_IN = 24, MOST_OUT = 16 };

/* ---- after ----------------------------------------------------------------------------------- */

static void copy_4(int64_t n, void *out, const void *const *in)
{
    memmove(out, in[0], (size_t)n * 4);
}

static void copy_8(int64_t n, void *out, const void *const *in)
{
    memmove(out, in[0], (size_t)n * 8);
}

static tl_tile_fn after_tile(const tl_dtype *in, tl_dtype out)
{
    (void)in;
    return tl_dtype_size(out) == 8 ? copy_8 : copy_4;
}

static void after_adjoint(tl_adj *q)
{
    q->d[0] = q->g;
}

/* after -- a, but not computed before b is. */
static tl_tensor after(tl_tensor a, tl_tensor b)
{
    const int64_t n = tl_shape_count(tl_shape_of(b));
    if (n < 1)
        return a;
    tl_tensor one = tl_slice(tl_reshape(b, tl_shape1(n)), 0, 0, 1);
    if (tl_dtype_of(b) != tl_dtype_of(a))
        one = tl_cast(one, tl_dtype_of(a));
    const tl_tensor in[] = {a, tl_reshape(one, tl_shape0())};
    return tl_record(&tl_op_after, 2, in, NULL);
}

static tl_tensor after_call(const tl_tensor *in)
{
    return after(in[0], in[1]);
}

static const tl_case after_cases[] = {
    {2, {{2, {3, 4}}, {1, {2}}}, {TL_ANY, TL_ANY}, 0, after_call},
};

/* No `lead`: it stays in its step. */
const tl_op tl_op_after = {
    .name = "after",
    .doc = "a, computed when b is there",
    .grad_doc = "da = g",
    .shape_doc = "[...], [...] -> [...] of the first",
    .kind = TL_POINTWISE,
    .nin = 2,
    .shape = tl_infer_numbers,
    .tile = after_tile,
    .adjoint = after_adjoint,
    .ncases = 1,
    .cases = after_cases,
};

/* tl_piece -- what the rule needs to know; in the numbers of its node. */
typedef struct tl_piece {
    tl_function fn;
    void *ctx;
    int nin; /* inputs of fn; what it uses beside them follows them in the rule's in[] */
    int train;
    uint64_t seed, draw;
    uint64_t moved; /* of the frame it was recorded in: draws start from as much more elsewhere */
    uint64_t noperations, print; /* of what was recorded the first time */
} tl_piece;

_Static_assert(sizeof(tl_piece) % sizeof(double) == 0, "a piece is a whole number of numbers");

/* ---- what was recorded ----------------------------------------------------------------------- */

static uint64_t mix(uint64_t print, uint64_t x)
{
    return (print ^ x) * 0x100000001b3u;
}

/* is_traced -- whether n is recorded each time: an operation or a constant, not a parameter's leaf,
 * nor a result that a scan gives once. */
static int is_traced(const tl_node *n)
{
    return n->op == &tl_op_const || (n->nin > 0 && n->op->kind != TL_RESULT);
}

/* trace -- number and fingerprint (FNV-1a) of the operations from `first` on, with shapes and
 * numbers. */
static void trace(const tl_tape *tape, uint32_t first, uint64_t *count, uint64_t *print)
{
    *count = 0;
    *print = 0xcbf29ce484222325u;
    for (uint32_t s = first; s < tape->nnodes; s++) {
        const tl_node *n = &tape->nodes[s];
        if (!is_traced(n))
            continue;
        *count += n->nin > 0;
        for (const char *c = n->op->name; *c; c++)
            *print = mix(*print, (unsigned char)*c);
        *print = mix(*print, (uint64_t)n->dtype << 8 | (uint64_t)n->shape.rank);
        for (int k = 0; k < n->shape.rank; k++)
            *print = mix(*print, (uint64_t)n->shape.dim[k]);
        if (n->op->kind == TL_LOOP || n->op == &tl_op_custom)
            continue; /* frames and pieces have numbers of their own each time */
        for (int k = 0; k < n->attr.ni; k++)
            *print = mix(*print, (uint64_t)n->attr.i[k]);
        for (int k = 0; k < n->attr.nr; k++) {
            uint64_t bits;
            memcpy(&bits, &n->attr.r[k], sizeof bits);
            *print = mix(*print, bits);
        }
    }
}

/* check_same -- that what lies from `first` on is what was recorded the first time. */
static int check_same(tl_tape *tape, uint32_t first, const tl_piece *p)
{
    uint64_t count, print;
    trace(tape, first, &count, &print);
    if (count != p->noperations)
        return tl_tape_fail(
            tape, TL_EINVAL, "tl_checkpoint",
            "the function, called again for the gradient, recorded %llu operations, "
            "want the %llu of the first time",
            (unsigned long long)count, (unsigned long long)p->noperations);
    if (print != p->print)
        return tl_tape_fail(tape, TL_EINVAL, "tl_checkpoint",
                            "the function, called again for the gradient, recorded other "
                            "operations, shapes or numbers, want those of the first time");
    return TL_OK;
}

/* ---- the second recording -------------------------------------------------------------------- */

/* record -- fn on in[], with the draws that it had. */
static int record(tl_tape *tape, const tl_piece *p, const tl_tensor *in, int nout, tl_tensor *out)
{
    const uint64_t seed = tape->seed, draw = tape->draw;
    const uint32_t no_grad = tape->no_grad;
    const int train = tape->train;
    tape->seed = p->seed;
    tape->draw = p->draw + tl__moved(tape, tape->frame) - p->moved;
    tape->train = p->train;
    tape->no_grad = 0; /* it is to be differentiated */
    const int code = p->fn(p->ctx, tape, p->nin, in, nout, out);
    tape->seed = seed;
    tape->draw = draw;
    tape->train = train;
    tape->no_grad = no_grad;
    return code ? tl_tape_fail(tape, code, "tl_checkpoint", "the function returned %d (%s)", code,
                               tl_strerror(code))
                : tl_tape_status(tape);
}

/* tl_former -- what tl_use gave of a parameter before it was set back. */
typedef struct tl_former {
    uint32_t usage, bound;
} tl_former;

/* set_back -- makes tl_use give the leaves that the piece was recorded with, whatever was assigned
 * or bound since; a leaf that fn was given may not be what it used, if it is bound now. Returns how
 * many parameters that are. */
static int set_back(tl_tape *tape, int nin, int n, const tl_tensor *in, tl_former *former)
{
    int count = 0;
    for (uint32_t k = 0; k < tape->nusages; k++) {
        tl_usage *u = &tape->usages[k];
        uint32_t leaf = TL_NONE; /* the newest, if the piece reads older ones, too */
        for (int i = 0; i < n; i++) {
            const tl_node *node = &tape->nodes[in[i].slot];
            if (node->op == &tl_op_use && node->store == &u->param->store &&
                (i >= nin || u->bound == TL_NONE) &&
                (leaf == TL_NONE || node->version > tape->nodes[leaf].version))
                leaf = in[i].slot;
        }
        if (leaf == TL_NONE)
            continue;
        former[count++] = (tl_former){k, u->bound};
        u->bound = leaf;
    }
    return count;
}

static void restore(tl_tape *tape, int count, const tl_former *former)
{
    for (int i = 0; i < count; i++)
        tape->usages[former[i].usage].bound = former[i].bound;
}

/* check_used -- that the nodes from `first` on read nothing else of before than in[] and the rule's
 * own in[]: the gradient of anything else would be lost. Sets bit i of *given if they read given[i]
 * beside what stands for it. */
static int check_used(tl_tape *tape, uint32_t first, const tl_custom *q, const tl_tensor *in,
                      uint32_t *given)
{
    char text[160];
    for (uint32_t s = first; s < tape->nnodes; s++)
        for (uint32_t k = 0; k < tape->nodes[s].nin; k++) {
            const uint32_t slot = tape->nodes[s].in[k];
            const tl_node *node = &tape->nodes[slot];
            int known = (slot >= first && node->op != &tl_op_use) || node->dtype == TL_I32 ||
                        node->op == &tl_op_const || node->op->kind == TL_LOOP;
            for (int i = 0; i < q->nin && !known; i++) {
                known = in[i].slot == slot || q->in[i].slot == slot;
                if (known && in[i].slot != slot)
                    *given |= 1u << i;
            }
            if (!known)
                return tl_tape_fail(
                    tape, TL_EINVAL, "tl_checkpoint",
                    "the function, called again for the gradient, uses %s, which it did not use "
                    "the first time, want the same again (was a parameter bound or a handle "
                    "changed since?)",
                    tl__describe(tape, slot, text, sizeof text));
        }
    return TL_OK;
}

/* sweep -- gradients of n tensors for which what they depend on does not count. */
static void sweep(tl_tape *tape, int nout, const tl_tensor *out, const tl_tensor *g, int n,
                  const tl_tensor *by, tl_tensor *d)
{
    uint8_t former[2 * MOST_IN];
    for (int i = 0; i < n; i++) {
        former[i] = tape->nodes[by[i].slot].no_grad;
        tape->nodes[by[i].slot].no_grad = 1;
    }
    tl_grad(nout, out, g, n, by, d);
    for (int i = n; i-- > 0;)
        tape->nodes[by[i].slot].no_grad = former[i];
}

static void again_rule(tl_custom *q)
{
    const tl_piece *p = q->ctx;
    tl_tape *tape = q->g[0].tape;
    tl_tensor in[MOST_IN], out[MOST_OUT] = {{0}}, by[2 * MOST_IN], d[2 * MOST_IN];
    tl_former former[MOST_IN];
    int place[2 * MOST_IN], n = 0;
    uint32_t given = 0;
    for (int i = 0; i < q->nin; i++)
        in[i] = i < p->nin ? after(q->in[i], q->g[0]) : q->in[i];
    const uint32_t first = tape->nnodes;
    if (tl_tape_status(tape))
        return;
    const int nformer = set_back(tape, p->nin, q->nin, q->in, former);
    record(tape, p, in, q->nout, out);
    restore(tape, nformer, former);
    if (tl_tape_status(tape) || check_used(tape, first, q, in, &given) ||
        check_same(tape, first, p))
        return;
    const uint32_t end = tape->nnodes;
    for (int i = 0; i < 2 * q->nin; i++) {
        const int k = i / 2, is_given = i % 2;
        if ((q->need >> k & 1u) && tl_dtype_of(in[k]) != TL_I32 &&
            (!is_given || (given >> k & 1u))) {
            place[n] = k;
            by[n++] = is_given ? q->in[k] : in[k];
        }
    }
    sweep(tape, q->nout, out, q->g, n, by, d);
    for (uint32_t s = first; s < end && tape->no_grad; s++) /* nobody differentiates it again */
        tape->nodes[s].no_grad = tape->nodes[s].op != &tl_op_use;
    for (int k = 0; k < n; k++)
        q->d[place[k]] = k > 0 && place[k - 1] == place[k] ? tl_add(d[k - 1], d[k]) : d[k];
}

/* ---- the first ------------------------------------------------------------------------------- */

/* add_used -- slot, which fn uses, behind the inputs unless it is there already. Returns the sticky
 * code. */
static int add_used(tl_tape *tape, uint32_t slot, int nin, tl_tensor *in, int *n)
{
    static const char what[] = "tl_checkpoint";
    char text[160];
    const tl_node *node = &tape->nodes[slot];
    for (int i = 0; i < *n; i++)
        if (in[i].slot == slot)
            return TL_OK;
    if (node->dtype == TL_I32 || node->op == &tl_op_const || node->op->kind == TL_LOOP)
        return TL_OK;
    if (node->frame != 0)
        return tl_tape_fail(
            tape, TL_EFRAME, what,
            "the function uses %s of a scan's body and is not given it: make it one "
            "of in[]",
            tl__describe(tape, slot, text, sizeof text));
    if (*n == MOST_IN)
        return tl_tape_fail(tape, TL_EINVAL, what,
                            "the function has %d inputs and uses more than %d tensors beside them, "
                            "want at most %d together",
                            nin, MOST_IN - nin, MOST_IN);
    in[(*n)++] = tl__at(tape, slot);
    return TL_OK;
}

/* gather_used -- what the nodes from `first` on read of before, and parameters, behind in[0..nin).
 * Returns how many there are now; -1 after an error. */
static int gather_used(tl_tape *tape, uint32_t first, int nin, tl_tensor *in)
{
    int n = nin;
    for (uint32_t s = first; s < tape->nnodes; s++) {
        const tl_node *node = &tape->nodes[s];
        if (node->op == &tl_op_use && add_used(tape, s, nin, in, &n))
            return -1;
        for (uint32_t k = 0; k < node->nin; k++)
            if (node->in[k] < first && add_used(tape, node->in[k], nin, in, &n))
                return -1;
    }
    return n;
}

/* forget -- the gradient does not go into what was recorded from `first` on, but for what is not the
 * piece's alone: leaves, and results of scans around. */
static void forget(tl_tape *tape, uint32_t first)
{
    for (uint32_t s = first; s < tape->nnodes; s++) {
        tl_node *n = &tape->nodes[s];
        if (n->op != &tl_op_use && (n->op->kind != TL_RESULT || n->in[0] >= first))
            n->no_grad = 1;
    }
}

static int checkpoint(tl_tape *tape, tl_piece *p, const tl_tensor *in, int nout, tl_tensor *out)
{
    tl_tensor all[MOST_IN], value[MOST_OUT] = {{0}};
    memcpy(all, in, (size_t)p->nin * sizeof *in);
    const uint32_t first = tape->nnodes;
    const int code = p->fn(p->ctx, tape, p->nin, in, nout, value);
    if (code)
        return tl_tape_fail(tape, code, "tl_checkpoint", "the function returned %d (%s)", code,
                            tl_strerror(code));
    trace(tape, first, &p->noperations, &p->print);
    forget(tape, first);
    const int n = tl_tape_status(tape) ? -1 : gather_used(tape, first, p->nin, all);
    const tl_custom_rule rule = {"tl_checkpoint", again_rule, p};
    for (int k = 0; k < nout && n > 0; k++)
        if (value[k].tape != tape)
            return tl_tape_fail(tape, TL_EINVAL, "tl_checkpoint",
                                "the function left output %d unset, or set it to a tensor of "
                                "another tape",
                                k);
    if (n > 0 && tl__custom_outputs("tl_checkpoint", nout, value))
        return tl_tape_status(tape);
    return n > 0 ? tl__custom_grad(n, all, nout, value, &rule, sizeof *p / sizeof(double), out)
                 : tl_tape_status(tape);
}

int tl_checkpoint(tl_function fn, void *ctx, int nin, const tl_tensor *in, int nout, tl_tensor *out)
{
    const tl_tensor first = nin > 0 && in ? in[0] : (tl_tensor){0};
    tl_tape *tape = first.tape;
    if (nout < 1 || !out)
        return TL_EINVAL;
    int code = tape ? tl_tape_status(tape) : tl__inert_code(first);
    if (!code && (!fn || nin > MOST_IN || nout > MOST_OUT))
        code = tl_tape_fail(tape, TL_EINVAL, "tl_checkpoint",
                            "got %d inputs and %d outputs, want a function, 1 to %d and 1 to %d",
                            nin, nout, MOST_IN, MOST_OUT);
    if (!code && !tl__same_tape("tl_checkpoint", nin, in))
        code = tl_tape_status(tape);
    if (!code) {
        tl_piece p = {.fn = fn,
                      .ctx = ctx,
                      .nin = nin,
                      .train = tape->train,
                      .seed = tape->seed,
                      .draw = tape->draw,
                      .moved = tl__moved(tape, tape->frame)};
        code = checkpoint(tape, &p, in, nout, out);
    }
    for (int k = 0; k < nout && code; k++)
        out[k] = tl__inert(first);
    return code;
}
