/* matmul.c -- sums of products: one operation, `contract`, and the ways to write its labels.
 *
 *     y[t,b,h] = sum over i of x[t,b,i] w[h,i]          x {t,b,i}  w {h,i}  y {t,b,h}
 *
 * Its gradients are the same sum with the labels in other places, dx = contract(g, w -> {t,b,i})
 * and dw = contract(g, x -> {h,i}): which axes are m, n, k or batch follows from where a label
 * stands, so no case is written twice and second order is free. */
#include "ops/matmul.h"

#include "core/attr_text.h"
#include "core/contract.h"
#include "core/space.h"
#include "ops/registry.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { LABELS = 64, ATTRS = 3 * (1 + TL_MAX_RANK) };

/* terms -- the three label lists of an attribute array: a, b, result. */
typedef struct terms {
    int rank[3];
    const int64_t *label[3];
} terms;

static terms terms_of(const tl_attr *attr)
{
    terms t;
    const int64_t *p = attr->i;
    for (int i = 0; i < 3; i++) {
        t.rank[i] = (int)*p++;
        t.label[i] = p;
        p += t.rank[i];
    }
    return t;
}

/* record_terms -- writes the lists into an array and records. */
static tl_tensor record_terms(const char *what, tl_tensor a, tl_tensor b, const terms *t)
{
    tl_dtype da = tl_dtype_of(a), db = tl_dtype_of(b);
    if (da != db || da == TL_I32)
        return tl_fail_tensor(a, TL_EDTYPE, what, "got %s x %s, want f32 x f32 or f64 x f64",
                              tl_dtype_name(da), tl_dtype_name(db));
    int64_t i[ATTRS];
    int n = 0;
    for (int k = 0; k < 3; k++) {
        i[n++] = t->rank[k];
        for (int j = 0; j < t->rank[k]; j++)
            i[n++] = t->label[k][j];
    }
    tl_attr attr = {n, i, 0, NULL};
    tl_tensor in[2] = {a, b};
    return tl_record(&tl_op_contract, 2, in, &attr);
}

/* ---- shapes ---------------------------------------------------------------------------------- */

/* places -- for each label bit 0 where a has it, bit 1 where b, bit 2 where the result. */
static void places_of(const terms *t, unsigned places[LABELS])
{
    memset(places, 0, LABELS * sizeof *places);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < t->rank[i]; j++)
            places[t->label[i][j]] |= 1u << i;
}

/* want_text -- the shapes wanted of a and b: "[m,k] x [k,n]", with numbers where a letter stands
 * for several axes: "[m0,m1,k] x [n,k]". */
static const char *want_text(const terms *t, char *text, size_t size)
{
    static const char letter[8] = {'?', '?', '?', 'k', '?', 'm', 'n', 'b'}; /* by places */
    unsigned places[LABELS];
    int number[LABELS], count[8] = {0};
    places_of(t, places);
    for (int l = 0; l < LABELS; l++)
        number[l] = -1;
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < t->rank[i]; j++)
            if (number[t->label[i][j]] < 0)
                number[t->label[i][j]] = count[places[t->label[i][j]]]++;
    size_t at = 0;
    for (int i = 0; i < 2; i++) {
        at += (size_t)snprintf(text + at, size - at, i ? " x [" : "[");
        for (int j = 0; j < t->rank[i] && at < size; j++) {
            int64_t l = t->label[i][j];
            at += (size_t)snprintf(text + at, size - at, "%s%c", j ? "," : "", letter[places[l]]);
            if (at < size && count[places[l]] > 1)
                at += (size_t)snprintf(text + at, size - at, "%d", number[l]);
        }
        if (at < size)
            at += (size_t)snprintf(text + at, size - at, "]");
        if (at >= size)
            break;
    }
    return text;
}

/* fit -- whether the operands have the ranks and agree on the extents of the labels; extent[]
 * receives them. */
static int fit(const terms *t, const tl_shape *a, const tl_shape *b, int64_t extent[LABELS])
{
    const tl_shape *s[2] = {a, b};
    for (int l = 0; l < LABELS; l++)
        extent[l] = -1;
    for (int i = 0; i < 2; i++) {
        if (s[i]->rank != t->rank[i])
            return 0;
        for (int j = 0; j < s[i]->rank; j++) {
            int64_t *e = &extent[t->label[i][j]];
            if (*e >= 0 && *e != s[i]->dim[j])
                return 0;
            *e = s[i]->dim[j];
        }
    }
    return 1;
}

static int contract_shape(tl_infer *q)
{
    terms t = terms_of(q->attr);
    int64_t extent[LABELS];
    char a[TL_SHAPE_TEXT], b[TL_SHAPE_TEXT], want[160];
    if (q->in_dtype[0] != q->in_dtype[1] || q->in_dtype[0] == TL_I32)
        return tl_infer_fail(q, TL_EDTYPE, "got %s x %s, want f32 x f32 or f64 x f64",
                             tl_dtype_name(q->in_dtype[0]), tl_dtype_name(q->in_dtype[1]));
    if (!fit(&t, &q->in[0], &q->in[1], extent))
        return tl_infer_fail(
            q, TL_ESHAPE, "got %s x %s, want %s", tl_shape_text(q->in[0], a, sizeof a),
            tl_shape_text(q->in[1], b, sizeof b), want_text(&t, want, sizeof want));
    q->shape = tl_shape0();
    q->shape.rank = t.rank[2];
    for (int j = 0; j < t.rank[2]; j++)
        q->shape.dim[j] = extent[t.label[2][j]];
    return TL_OK;
}

/* ---- the operation --------------------------------------------------------------------------- */

static int contract_run(tl_call *c)
{
    int code = tl__contract(c->attr, &c->in[0], &c->in[1], 0, &c->out);
    return code ? tl_call_fail(c, code, "%s", tl_strerror(code)) : TL_OK;
}

/* One more leading axis: a fresh label in front of the operands that get it, and of the result. In
 * one operand it is one more m or n axis, in both a batch axis. */
static int contract_lead(tl_lead *q)
{
    terms t = terms_of(q->attr);
    unsigned places[LABELS];
    places_of(&t, places);
    int fresh = 0, n = 0;
    while (fresh < LABELS && places[fresh])
        fresh++;
    if (fresh == LABELS || !(q->led & 3u))
        return 0;
    for (int i = 0; i < 3; i++) {
        int led = i == 2 || (q->led >> i & 1);
        if (t.rank[i] + led > TL_MAX_RANK)
            return 0;
        q->i[n++] = t.rank[i] + led;
        if (led)
            q->i[n++] = fresh;
        for (int j = 0; j < t.rank[i]; j++)
            q->i[n++] = t.label[i][j];
    }
    q->ni = n;
    return 1;
}

static void contract_adjoint(tl_adj *a)
{
    terms t = terms_of(a->attr);
    terms da = {{t.rank[2], t.rank[1], t.rank[0]}, {t.label[2], t.label[1], t.label[0]}};
    terms db = {{t.rank[2], t.rank[0], t.rank[1]}, {t.label[2], t.label[0], t.label[1]}};
    if (a->need & 1)
        a->d[0] = record_terms("contract", a->g, a->in[1], &da);
    if (a->need & 2)
        a->d[1] = record_terms("contract", a->g, a->in[0], &db);
}

static tl_tensor case_mm(const tl_tensor *in)
{
    return tl_matmul(in[0], in[1]);
}

static tl_tensor case_linear(const tl_tensor *in)
{
    return tl_linear(in[0], in[1], in[2]);
}

static tl_tensor case_batch_t(const tl_tensor *in)
{
    return tl_matmul_t(in[0], 1, in[1], 1);
}

static tl_tensor case_outer(const tl_tensor *in)
{
    return tl_outer(in[0], in[1]);
}

static tl_tensor case_dot(const tl_tensor *in)
{
    return tl_dot(in[0], in[1]);
}

static const tl_case contract_cases[] = {
    {2, {{2, {2, 3}}, {2, {3, 4}}}, {TL_ANY, TL_ANY}, 0, case_mm},
    {3, {{3, {2, 2, 3}}, {2, {4, 3}}, {1, {4}}}, {TL_ANY, TL_ANY, TL_ANY}, 0, case_linear},
    {2, {{3, {2, 3, 2}}, {3, {1, 2, 3}}}, {TL_ANY, TL_ANY}, 0, case_batch_t},
    {2, {{3, {2, 2, 3}}, {3, {2, 3, 2}}}, {TL_ANY, TL_ANY}, 0, case_mm},
    {2, {{1, {3}}, {2, {3, 2}}}, {TL_ANY, TL_ANY}, 0, case_mm},
    {2, {{1, {3}}, {1, {2}}}, {TL_ANY, TL_ANY}, 0, case_outer},
    {2, {{1, {4}}, {1, {4}}}, {TL_ANY, TL_ANY}, 0, case_dot},
};

/* clang-format off */
#define CONTRACT                                                                                   \
    .name = "contract",                                                                            \
    .doc = "sum of a b over the labels that the result does not have",                             \
    .grad_doc = "da = contract(g, b), db = contract(g, a), labels rearranged",                     \
    .shape_doc = "[b,m,k] x [b,k,n] -> [b,m,n]: any number of each, in any order",                 \
    .kind = TL_CONTRACTION,                                                                        \
    .nin = 2,                                                                                      \
    .shape = contract_shape,                                                                       \
    .run = contract_run,                                                                           \
    .adjoint = contract_adjoint,                                                                   \
    .reads = TL_READS(0) | TL_READS(1),                                                            \
    .ncases = (int)(sizeof contract_cases / sizeof *contract_cases),                               \
    .cases = contract_cases,                                                                       \
    .attr_text = tl__text_labels
/* clang-format on */

static const tl_op contract_in_step = {CONTRACT};
const tl_op tl_op_contract = {CONTRACT, .lead = contract_lead, .in_step = &contract_in_step};

/* ---- ways to write the labels ---------------------------------------------------------------- */

/* label_number -- 'a'..'z', 'A'..'Z' to 0..51, others -1. */
static int label_number(char c)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const char *p = c ? strchr(letters, c) : NULL;
    return p ? (int)(p - letters) : -1;
}

/* parse -- "tbi,hi->tbh" into three lists; 0 when it is not of that form. */
static int parse(const char *text, int64_t label[3][TL_MAX_RANK], int rank[3])
{
    static const char *const end[3] = {",", "->", ""};
    for (int i = 0; i < 3; i++) {
        unsigned long long seen = 0;
        for (rank[i] = 0; isalpha((unsigned char)*text); text++) {
            int l = label_number(*text);
            if (l < 0 || rank[i] == TL_MAX_RANK || (seen >> l & 1))
                return 0;
            seen |= 1ull << l;
            label[i][rank[i]++] = l;
        }
        if (strncmp(text, end[i], strlen(end[i])) != 0)
            return 0;
        text += strlen(end[i]);
    }
    return *text == '\0';
}

tl_tensor tl_contract(tl_tensor a, tl_tensor b, const char *labels)
{
    tl_tensor in[2] = {a, b};
    if (!tl__same_tape("contract", 2, in))
        return tl__inert(a);
    int64_t label[3][TL_MAX_RANK];
    terms t = {{0}, {label[0], label[1], label[2]}};
    if (!labels || !parse(labels, label, t.rank))
        return tl_fail_tensor(a, TL_EINVAL, "contract",
                              "got labels \"%.60s\", want letters as in \"tbi,hi->tbh\", "
                              "none twice in one operand",
                              labels ? labels : "");
    unsigned places[LABELS];
    places_of(&t, places);
    for (int l = 0; l < LABELS; l++)
        if (places[l] && !(places[l] & (places[l] - 1)))
            return tl_fail_tensor(a, TL_EINVAL, "contract",
                                  "got labels \"%.60s\", want each in two places at least", labels);
    return record_terms("contract", a, b, &t);
}

enum {
    K = 0,
    M = 1,
    N = 2,
    BATCH = 3
}; /* labels of a matrix product; BATCH + p: the p-th axis before the matrix, counted from it */

/* without_ones -- drops the axes before the matrix that have extent 1 here and another in `other`:
 * broadcasting is then an axis that only `other` has. Writes the labels of what is left. */
static tl_tensor without_ones(tl_tensor a, const tl_shape *other, int64_t label[TL_MAX_RANK],
                              int *rank)
{
    tl_shape s = tl_shape_of(a), kept = {0};
    *rank = 0;
    for (int j = 0; j + 2 < s.rank; j++) {
        int from_end = s.rank - j; /* of this axis, 3 and more */
        int64_t there = from_end <= other->rank ? other->dim[other->rank - from_end] : 1;
        if (s.dim[j] == 1 && there != 1)
            continue;
        kept.dim[kept.rank++] = s.dim[j];
        label[(*rank)++] = BATCH + from_end - 3;
    }
    for (int j = s.rank > 2 ? s.rank - 2 : 0; j < s.rank; j++)
        kept.dim[kept.rank++] = s.dim[j];
    return kept.rank == s.rank ? a : tl_reshape(a, kept);
}

/* matrix_text -- what a matrix product wants of one operand: "[k]", "[m,k]" or "[...,m,k]". */
static const char *matrix_text(int rank, const char *axes, char text[16])
{
    snprintf(text, 16, rank == 1 ? "[k]" : rank == 2 ? "[%s]" : "[...,%s]", axes);
    return text;
}

/* multiply -- whether two shapes fit: one extent k, axes before the matrices that broadcast. */
static int multiply(const tl_shape *a, int ta, const tl_shape *b, int tb)
{
    int64_t ka = a->dim[a->rank > 1 && ta ? a->rank - 2 : a->rank - 1];
    int64_t kb = b->dim[b->rank > 1 && !tb ? b->rank - 2 : b->rank - 1];
    if (ka != kb)
        return 0;
    for (int p = 3; p <= a->rank && p <= b->rank; p++) {
        int64_t x = a->dim[a->rank - p], y = b->dim[b->rank - p];
        if (x != y && x != 1 && y != 1)
            return 0;
    }
    return 1;
}

static tl_tensor product(const char *what, tl_tensor a, int ta, tl_tensor b, int tb)
{
    tl_tensor in[2] = {a, b};
    if (!tl__same_tape(what, 2, in))
        return tl__inert(a);
    tl_shape sa = tl_shape_of(a), sb = tl_shape_of(b);
    if (sa.rank == 0 || sb.rank == 0 || !multiply(&sa, ta, &sb, tb)) {
        char got_a[TL_SHAPE_TEXT], got_b[TL_SHAPE_TEXT], want_a[16], want_b[16];
        const int turned = sa.rank > 0 && sb.rank > 1 && multiply(&sa, ta, &sb, !tb);
        return tl_fail_tensor(a, TL_ESHAPE, what, "got %s x %s, want %s x %s%s",
                              tl_shape_text(sa, got_a, sizeof got_a),
                              tl_shape_text(sb, got_b, sizeof got_b),
                              matrix_text(sa.rank, ta ? "k,m" : "m,k", want_a),
                              matrix_text(sb.rank, tb ? "n,k" : "k,n", want_b),
                              turned ? " (the second one turned would fit: tl_matmul_t)" : "");
    }
    int64_t label[3][TL_MAX_RANK + 2];
    terms t = {{0}, {label[0], label[1], label[2]}};
    a = without_ones(a, &sb, label[0], &t.rank[0]);
    b = without_ones(b, &sa, label[1], &t.rank[1]);
    int batch = (sa.rank > sb.rank ? sa.rank : sb.rank) - 2;
    for (int p = batch - 1; p >= 0; p--)
        label[2][t.rank[2]++] = BATCH + p;
    if (sa.rank > 1) {
        label[0][t.rank[0]++] = ta ? K : M;
        label[2][t.rank[2]++] = M;
    }
    label[0][t.rank[0]++] = sa.rank > 1 && ta ? M : K;
    label[1][t.rank[1]++] = sb.rank > 1 && tb ? N : K;
    if (sb.rank > 1) {
        label[1][t.rank[1]++] = tb ? K : N;
        label[2][t.rank[2]++] = N;
    }
    return record_terms(what, a, b, &t);
}

tl_tensor tl_matmul(tl_tensor a, tl_tensor b)
{
    return product("matmul", a, 0, b, 0);
}

tl_tensor tl_matmul_t(tl_tensor a, int ta, tl_tensor b, int tb)
{
    return product("matmul_t", a, ta, b, tb);
}

tl_tensor tl_linear(tl_tensor x, tl_tensor w, tl_tensor b)
{
    tl_tensor in[3] = {x, w, b};
    int nin = b.tape ? 3 : 2;
    if (!tl__same_tape("linear", nin, in))
        return tl__inert(x);
    tl_shape sx = tl_shape_of(x), sw = tl_shape_of(w), sb = tl_shape_of(b);
    if (sx.rank < 1 || sw.rank != 2 || sx.dim[sx.rank - 1] != sw.dim[1] ||
        (b.tape && (sb.rank != 1 || sb.dim[0] != sw.dim[0]))) {
        char tx[TL_SHAPE_TEXT], tw[TL_SHAPE_TEXT], tb[TL_SHAPE_TEXT];
        return tl_fail_tensor(x, TL_ESHAPE, "linear",
                              "got x %s, w %s, b %s, want x [...,I], w [H,I], b [H]",
                              tl_shape_text(sx, tx, sizeof tx), tl_shape_text(sw, tw, sizeof tw),
                              b.tape ? tl_shape_text(sb, tb, sizeof tb) : "none");
    }
    enum { I = 0, H = 1 }; /* then the axes before I */
    int64_t lx[TL_MAX_RANK], lw[2] = {H, I}, ly[TL_MAX_RANK];
    for (int j = 0; j < sx.rank; j++)
        lx[j] = ly[j] = 2 + j;
    lx[sx.rank - 1] = I;
    ly[sx.rank - 1] = H;
    terms t = {{sx.rank, 2, sx.rank}, {lx, lw, ly}};
    tl_tensor y = record_terms("linear", x, w, &t);
    if (b.tape && tl_dtype_of(b) != tl_dtype_of(w))
        return tl_fail_tensor(x, TL_EDTYPE, "linear", "got w %s, b %s, want equal element types",
                              tl_dtype_name(tl_dtype_of(w)), tl_dtype_name(tl_dtype_of(b)));
    return b.tape ? tl_add(y, b) : y;
}

tl_tensor tl_dot(tl_tensor a, tl_tensor b)
{
    tl_tensor in[2] = {a, b};
    if (!tl__same_tape("dot", 2, in))
        return tl__inert(a);
    tl_shape sa = tl_shape_of(a), sb = tl_shape_of(b);
    char text_a[TL_SHAPE_TEXT], text_b[TL_SHAPE_TEXT];
    if (sa.rank != 1 || sb.rank != 1 || sa.dim[0] != sb.dim[0])
        return tl_fail_tensor(a, TL_ESHAPE, "dot", "got %s x %s, want [k] x [k]",
                              tl_shape_text(sa, text_a, sizeof text_a),
                              tl_shape_text(sb, text_b, sizeof text_b));
    return product("dot", a, 0, b, 0);
}

tl_tensor tl_outer(tl_tensor a, tl_tensor b)
{
    tl_tensor in[2] = {a, b};
    if (!tl__same_tape("outer", 2, in))
        return tl__inert(a);
    int ra = tl_rank(a), rb = tl_rank(b);
    if (ra + rb > TL_MAX_RANK)
        return tl_fail_tensor(a, TL_ESHAPE, "outer",
                              "got ranks %d and %d, want %d together at most", ra, rb, TL_MAX_RANK);
    int64_t label[TL_MAX_RANK];
    for (int j = 0; j < ra + rb; j++)
        label[j] = j;
    terms t = {{ra, rb, ra + rb}, {label, label + ra, label}};
    return record_terms("outer", a, b, &t);
}
