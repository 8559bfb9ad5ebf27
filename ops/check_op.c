/* check_op.c -- takes an operation out of the tape on which a case recorded it, and holds its
 * descriptor to what it says: reads and gradients here, kernels in check_kernel.c. */
#include "ops/check_op.h"

#include "core/grad.h"
#include "core/node.h"
#include "ops/check_draw.h"
#include "ops/check_kernel.h"
#include "ops/elementwise.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { CASE_OPERANDS = sizeof((tl_case *)0)->shape / sizeof((tl_case *)0)->shape[0] };

/* tl_probe -- one case of an operation, recorded. */
typedef struct tl_probe {
    const tl_op *op;
    const tl_case *c;
    tl_check_opts o;
    tl_tape *tape;
    uint32_t slot;       /* of the operation's first node */
    tl_specimen s;       /* what it is there */
    double *x, *numbers; /* of the case's operands; of the node's */
    unsigned types;      /* bits of element types it was checked in */
    char *report;
    size_t size;
} tl_probe;

static int tell(const tl_probe *p, int code, const char *format, ...) TL_PRINTF(3, 4);

static int tell(const tl_probe *p, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (p->report && p->size)
        vsnprintf(p->report, p->size, format, args);
    va_end(args);
    return code;
}

/* first_of -- the slot of the operation's first node on a tape; TL_NONE. */
static uint32_t first_of(const tl_tape *tape, const tl_op *op)
{
    for (uint32_t i = 0; i < tape->nnodes; i++)
        if (tape->nodes[i].op == op)
            return i;
    return TL_NONE;
}

/* read -- elements of any type. */
static void read(tl_tensor t, double *x)
{
    if (tl_tensor_ok(t))
        tl_read_f64(tl_dtype_of(t) == TL_F64 ? t : tl_cast(t, TL_F64), x,
                    tl_shape_count(tl_shape_of(t)));
}

/* ---- recording ------------------------------------------------------------------------------- */

/* run_case -- a case as a function. */
static int run_case(void *ctx, tl_tape *tape, int nin, const tl_tensor *in, int nout,
                    tl_tensor *out)
{
    const tl_probe *p = ctx;
    (void)nin, (void)nout;
    out[0] = p->c->call(in);
    if (!tl_tape_status(tape) && first_of(tape, p->op) == TL_NONE)
        tl_tape_fail(tape, TL_EINVAL, "tl_check_op", "the case does not record %s", p->op->name);
    return tl_tape_status(tape);
}

/* record -- the case, once, on a tape of its own. */
static int record(tl_probe *p)
{
    const tl_case *c = p->c;
    tl_tensor in[CASE_OPERANDS], out;
    int64_t count = 0;
    for (int i = 0; i < c->nin; i++) {
        if (tl_shape_count(c->shape[i]) < 0)
            return tell(p, TL_ESHAPE, "operand %d has an invalid or too large shape", i);
        count += tl_shape_count(c->shape[i]);
    }
    tl_tape_opts o = tl_tape_defaults();
    o.seed = p->o.seed;
    p->tape = tl_tape_new(&o);
    p->x = tl__calloc((size_t)(count + 1), sizeof *p->x);
    if (!p->tape || !p->x)
        return tell(p, TL_ENOMEM, "no memory for a tape");
    int64_t at = 0;
    for (int i = 0; i < c->nin; i++) {
        const int64_t n = tl_shape_count(c->shape[i]);
        tl__check_fill(p->o.seed + (uint64_t)i, c->domain[i], c->bound, at, at + n, p->x);
        in[i] = tl__check_input(p->tape, c->shape[i], c->domain[i], p->x + at);
        at += n;
    }
    run_case(p, p->tape, c->nin, in, 1, &out);
    const int code = tl_tape_status(p->tape);
    p->slot = first_of(p->tape, p->op);
    return code ? tell(p, code, "%s", tl_tape_error(p->tape)) : TL_OK;
}

/* take -- the node as a specimen. 0 if it has none, or more operands than there is room for. */
static int take(tl_probe *p, int *code)
{
    const tl_node n = p->tape->nodes[p->slot]; /* a copy: reading may move the nodes */
    tl_specimen *s = &p->s;
    int64_t count = 0;
    if (n.nin < 1 || n.nin > TL_CHECK_OPERANDS)
        return 0;
    *s = (tl_specimen){.op = p->op,
                       .nin = (int)n.nin,
                       .shape = n.shape,
                       .dtype = n.dtype,
                       .attr = n.attr,
                       .seed = n.seed,
                       .draw = n.draw};
    for (int i = 0; i < s->nin; i++) {
        s->in_shape[i] = p->tape->nodes[n.in[i]].shape;
        s->in_dtype[i] = p->tape->nodes[n.in[i]].dtype;
        count += tl_shape_count(s->in_shape[i]);
    }
    p->numbers = tl__calloc((size_t)(count + 1), sizeof *p->numbers);
    if (!p->numbers) {
        *code = tell(p, TL_ENOMEM, "no memory for %lld numbers", (long long)count);
        return 0;
    }
    count = 0;
    for (int i = 0; i < s->nin && !tl_tape_status(p->tape); i++) {
        s->in[i] = p->numbers + count;
        count += tl_shape_count(s->in_shape[i]);
        read(tl__at(p->tape, n.in[i]), s->in[i]);
    }
    *code = tl_tape_status(p->tape);
    if (*code)
        tell(p, *code, "%s", tl_tape_error(p->tape));
    return !*code;
}

/* cotangent -- drawn numbers of the result's shape, in its element type. */
static tl_tensor cotangent(const tl_probe *p, tl_tape *tape, tl_dtype dtype)
{
    const int64_t n = tl_shape_count(p->s.shape);
    double *w = tl__calloc((size_t)(n + 1), sizeof *w);
    tl_tensor g = {0};
    if (!w) {
        tl_tape_fail(tape, TL_ENOMEM, "tl_check_op", "no memory for %lld weights", (long long)n);
        return g;
    }
    tl__check_fill(p->o.seed + 1000, TL_ANY, 0, 0, n, w);
    g = tl_input_f64(tape, p->s.shape, w);
    tl__free(w);
    return dtype == TL_F64 ? g : tl_cast(g, dtype);
}

/* ---- reads ----------------------------------------------------------------------------------- */

/* asked -- a bit for each operand that gets a gradient from the rule, given those that `reads`
 * names. */
static uint32_t asked(const tl_probe *p, tl_tensor g, uint32_t reads)
{
    const tl_specimen *s = &p->s;
    const tl_node n = p->tape->nodes[p->slot];
    tl_tensor in[TL_CHECK_OPERANDS] = {{0}}, d[TL_CHECK_OPERANDS] = {{0}};
    tl_adj a = {.g = g,
                .nin = s->nin,
                .in = in,
                .in_shape = s->in_shape,
                .shape = s->shape,
                .in_dtype = s->in_dtype,
                .dtype = s->dtype,
                .attr = &s->attr,
                .d = d};
    uint32_t given = 0;
    for (int i = 0; i < s->nin; i++) {
        a.need |= s->in_dtype[i] == TL_I32 ? 0 : 1u << i;
        if (reads & TL_READS(i))
            in[i] = tl__at(p->tape, n.in[i]);
    }
    if (reads & TL_READS_OUT)
        a.out = tl__at(p->tape, p->slot);
    s->op->adjoint(&a);
    for (int i = 0; i < s->nin; i++)
        given |= tl_tensor_ok(d[i]) ? 1u << i : 0;
    return given & a.need;
}

static int lowest(uint32_t bits)
{
    int i = 0;
    while (bits && !(bits >> i & 1u))
        i++;
    return i;
}

/* check_reads -- gives the rule everything, then all but one thing that `reads` does not name. */
static int check_reads(tl_probe *p)
{
    const uint32_t every = ((1u << p->s.nin) - 1) | TL_READS_OUT;
    const tl_tensor g = cotangent(p, p->tape, p->s.dtype);
    const uint32_t all = asked(p, g, every);
    char lost[80] = "", why[400] = "";
    const int fault = tl_tape_status(p->tape);
    if (fault) /* anything but memory is told by the check of the gradient */
        return fault == TL_ENOMEM ? tell(p, fault, "%s", tl_tape_error(p->tape)) : TL_OK;
    for (int i = 0; i <= p->s.nin; i++) {
        const uint32_t it = i < p->s.nin ? TL_READS(i) : TL_READS_OUT;
        const size_t used = strlen(lost);
        if (p->op->reads & it)
            continue;
        const uint32_t less = all & ~asked(p, g, every & ~it);
        const int fails = tl_tape_status(p->tape);
        if (fails == TL_ENOMEM)
            return tell(p, fails, "%s", tl_tape_error(p->tape));
        if (!less && !fails)
            continue;
        if (it == TL_READS_OUT)
            snprintf(lost + used, sizeof lost - used, "%sTL_READS_OUT", used ? " | " : "");
        else
            snprintf(lost + used, sizeof lost - used, "%sTL_READS(%d)", used ? " | " : "", i);
        if (used == 0 && fails)
            snprintf(why, sizeof why, "%s", tl_tape_error(p->tape));
        else if (used == 0)
            snprintf(why, sizeof why, "it gets that inert, and the gradient of operand %d is 0",
                     lowest(less));
        p->tape->code = TL_OK; /* for the next */
    }
    return lost[0] ? tell(p, TL_ENOGRAD,
                          "reads: the rule needs %s, which `reads` does not name: %s", lost, why)
                   : TL_OK;
}

/* ---- the gradient in f32 --------------------------------------------------------------------- */

/* gradients -- of the node, recorded anew with `to` in place of f64, to d, operand by operand. */
static int gradients(const tl_probe *p, tl_dtype to, double *d)
{
    const tl_specimen *s = &p->s;
    tl_dtype type[TL_CHECK_OPERANDS], out;
    tl_tensor in[TL_CHECK_OPERANDS], by[TL_CHECK_OPERANDS], got[TL_CHECK_OPERANDS];
    int n = 0;
    tl_tape *tape = tl_tape_new(NULL);
    if (!tape)
        return tell(p, TL_ENOMEM, "no memory for a tape");
    tl__check_retyped(s, to, type, &out);
    for (int i = 0; i < s->nin; i++) {
        in[i] = tl_input_f64(tape, s->in_shape[i], s->in[i]);
        in[i] = s->in_dtype[i] == TL_F64 && to == TL_F64 ? in[i] : tl_cast(in[i], TL_F32);
        in[i] = tl_dtype_of(in[i]) == type[i] ? in[i] : tl_cast(in[i], type[i]);
        if (s->in_dtype[i] == TL_F64)
            by[n++] = in[i];
    }
    const tl_tensor y = tl__record_node(tape, s->op, (uint32_t)s->nin, in, out, s->shape, &s->attr);
    const tl_tensor g = cotangent(p, tape, out);
    tl_grad(1, &y, &g, n, by, got);
    for (int i = 0, k = 0; i < s->nin && !tl_tape_status(tape); i++)
        if (s->in_dtype[i] == TL_F64) {
            read(got[k++], d);
            d += tl_shape_count(s->in_shape[i]);
        }
    int code = tl_tape_status(tape);
    if (code)
        code = tell(p, code == TL_ENOMEM ? code : TL_ENOGRAD, "the gradient in %s: %s",
                    tl_dtype_name(to), tl_tape_error(tape));
    tl_tape_free(tape);
    return code;
}

/* compare_gradients -- got in f32 with want in f64. */
static int compare_gradients(const tl_probe *p, int64_t n, const double *got, const double *want)
{
    const tl_specimen *s = &p->s;
    double largest = 0;
    for (int64_t k = 0; k < n; k++)
        largest = fabs(want[k]) > largest ? fabs(want[k]) : largest;
    for (int i = 0; i < s->nin; i++)
        for (int64_t k = 0; s->in_dtype[i] == TL_F64 && k < tl_shape_count(s->in_shape[i]);
             k++, got++, want++)
            if (!(fabs(*got - *want) <= p->o.single * largest)) {
                char index[TL_SHAPE_TEXT];
                tl__check_element(s->in_shape[i], k, index, sizeof index);
                return tell(p, TL_ENOGRAD,
                            "the gradient in f32, operand %d, element %s: got %.9g, want %.9g as "
                            "in f64",
                            i, index, *got, *want);
            }
    return TL_OK;
}

static int check_single(tl_probe *p)
{
    int64_t n = 0;
    for (int i = 0; i < p->s.nin; i++)
        n += p->s.in_dtype[i] == TL_F64 ? tl_shape_count(p->s.in_shape[i]) : 0;
    double *d = tl__calloc((size_t)(2 * n + 1), sizeof *d);
    int code = d ? TL_OK : tell(p, TL_ENOMEM, "no memory for %lld derivatives", (long long)n);
    for (int i = 0; i < p->s.nin; i++)
        for (int64_t k = 0; k < tl_shape_count(p->s.in_shape[i]); k++)
            if (p->s.in_dtype[i] == TL_F64)
                p->s.in[i][k] = tl__check_rounded(p->s.in[i][k], TL_F32);
    code = code ? code : gradients(p, TL_F32, d);
    code = code ? code : gradients(p, TL_F64, d + n);
    code = code ? code : compare_gradients(p, n, d, d + n);
    tl__free(d);
    return code;
}

/* ---- all ------------------------------------------------------------------------------------- */

/* missing -- what a descriptor lacks to be checked; NULL: nothing. */
static const char *missing(const tl_op *op)
{
    const tl_kind k = op->kind;
    const int is_outside = k == TL_LEAF || k == TL_LOOP || k == TL_RESULT;
    const char *fault = is_outside ? NULL : tl__op_fault(op, 0);
    if (fault)
        return fault;
    if (!op->doc || !*op->doc || !op->grad_doc || !*op->grad_doc)
        return "has no doc, or no grad_doc";
    if (op->adjoint && op->no_gradient)
        return "has an adjoint and says it has no gradient";
    if (op->ncases > 0 && !op->cases)
        return "has a number of cases, but no cases";
    return !is_outside && !op->no_gradient && op->ncases == 0 ? "has no case to be checked on"
                                                              : NULL;
}

/* check_all -- of a case that can be recorded. */
static int check_all(tl_probe *p)
{
    tl_check_input in[CASE_OPERANDS];
    int code = record(p);
    if (code)
        return code;
    for (int i = 0; i < p->c->nin; i++)
        in[i] = (tl_check_input){p->c->shape[i], p->c->domain[i], p->c->bound, NULL};
    const int known = take(p, &code), differs = !p->op->no_gradient,
              has_kernel = known && p->op->kind != TL_RANDOM;
    if (!code && has_kernel) /* first: it may write where it must not */
        code = tl__check_kernel(&p->s, p->o.single, &p->types, p->report, p->size);
    if (!code && known && differs)
        code = check_reads(p);
    if (!code && differs)
        code = tl_check_grad(run_case, p, p->c->nin, in, 1, &p->o, p->report, p->size);
    if (code || !has_kernel)
        return code;
    return differs && p->types >> TL_F32 & 1u ? check_single(p) : TL_OK;
}

static int check_case(const tl_op *op, int number, const tl_check_opts *opts, unsigned *types,
                      char *report, size_t size)
{
    char text[600];
    tl_probe p = {.op = op,
                  .c = &op->cases[number],
                  .o = opts ? *opts : tl_check_defaults(),
                  .report = text,
                  .size = sizeof text};
    const int counts = p.c->nin >= 1 && p.c->nin <= CASE_OPERANDS && p.c->call;
    const int code = counts
                         ? check_all(&p)
                         : tell(&p, TL_EINVAL, "want 1 to %d operands, and a call", CASE_OPERANDS);
    tl__free(p.numbers);
    tl__free(p.x);
    tl_tape_free(p.tape);
    *types |= p.types;
    if (report && size && code)
        snprintf(report, size, "%s, case %d: %s", op->name, number, text);
    return code;
}

int tl_check_op(const tl_op *op, const tl_check_opts *opts, char *report, size_t size)
{
    const tl_probe p = {.report = report, .size = size};
    const char *fault = op ? missing(op) : "there is no descriptor";
    unsigned types = 0;
    if (fault)
        return tell(&p, TL_EINVAL, "%s: %s", op && op->name ? op->name : "an operation", fault);
    int code = TL_OK;
    for (int c = 0; c < op->ncases && !code; c++)
        code = check_case(op, c, opts, &types, report, size);
    static const char *const in[] = {"", ", in f64 alone", ", in f64 and f32", ", in f64 and i32",
                                     ", in f64, f32 and i32"};
    const int beside = (types >> TL_F32 & 1u) + 2 * (types >> TL_I32 & 1u);
    if (!code)
        tell(&p, TL_OK, "%s: right on %d case%s%s", op->name, op->ncases,
             op->ncases == 1 ? "" : "s", in[types ? 1 + beside : 0]);
    return code;
}
