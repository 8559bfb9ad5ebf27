/* op.h -- what an operation is.
 *
 * A node on the tape points at one static const tl_op. Everything the tape, the reverse sweep, the
 * planner and the tests need to know about an operation stands in that one block; there is no
 * opcode and no switch over operations anywhere. ops/list.h holds the names only.
 *
 * AN OPERATION OF YOUR OWN is such a block in your program, recorded by tl_record; it is fused,
 * planned and differentiated like the library's, and tl_check_op (ops/check_op.h) says whether all
 * that the block says is so: kernels of every element type and on all strides, lead, parts, reads,
 * gradient. Its kind is one of
 *
 *     TL_POINTWISE   shape (tl_infer_floating), tile, lead = tl_lead_same; operands broadcast
 *     TL_VIEW        shape, view; one operand
 *     TL_OTHER       shape, run: a kernel over whole arrays, which lie anyhow: element (i,j) is at
 *                    i stride[0] + j stride[1], of operands and of the result
 *
 * with an adjoint, or no_gradient, and nin: so a call with too few operands is an error, and not a
 * kernel that reads what is not there. The other kinds have attributes that the planner reads. The
 * block must live as long as tapes that recorded it and their plans: static const. An example:
 * examples/custom_op.c. */
#ifndef TL_CORE_OP_H
#define TL_CORE_OP_H

#include "core/layout.h"
#include "core/tape.h"

TL_BEGIN_DECLS

typedef struct tl_op tl_op;

/* tl_kind -- what the planner may do with an operation. */
typedef enum tl_kind {
    TL_POINTWISE, /* element i of the result from element i of the (broadcast) operands: fusible */
    TL_VIEW,      /* other strides over the operand's buffer */
    TL_CONTRACTION, /* sum of products over shared axes; see tl_labels */
    TL_REDUCTION,   /* axes become 1 */
    TL_GATHER,      /* reads or writes rows picked by an index operand */
    TL_RANDOM,      /* draws numbers: takes the next draw number of the tape when recorded */
    TL_ASSEMBLE,    /* pieces put side by side; overlaps add, gaps are zero */
    TL_LEAF,        /* has its value from elsewhere: inputs, parameters, carries */
    TL_LOOP,        /* a scan */
    TL_RESULT,      /* one result of a scan */
    TL_OTHER
} tl_kind;

/* tl_attr -- what a node knows beside its operands. Copied when recorded. Axes in i[] count from
 * the end (1 is the last), so that one more leading axis changes nothing. */
typedef struct tl_attr {
    int ni;
    const int64_t *i; /* structural: part of the plan's key */
    int nr;
    const double *r; /* bound when run: constants, rates, probabilities; never part of the key */
} tl_attr;

/* tl_infer -- the shape rule's question and answer. */
typedef struct tl_infer {
    const tl_op *op;
    int nin;
    const tl_shape *in;
    const tl_dtype *in_dtype;
    const tl_attr *attr;
    tl_shape shape; /* set these two */
    tl_dtype dtype;
    char message[360]; /* filled by tl_infer_fail */
} tl_infer;

/* tl_infer_fail -- fills the message ("got [32,100] x [128,512], want [m,k] x [k,n]"; the
 * operation's name and scope are put in front by the tape) and returns code. */
TL_API int tl_infer_fail(tl_infer *q, int code, const char *format, ...) TL_PRINTF(3, 4);

/* tl_infer_floating, tl_infer_numbers -- shape rules: operands broadcast together, of one dtype, f32
 * or f64 (or i32). */
TL_API int tl_infer_floating(tl_infer *q);
TL_API int tl_infer_numbers(tl_infer *q);

/* tl_tile_fn -- a pointwise kernel: n elements, every array contiguous and padded for a whole
 * vector behind its end, out and in may be the same array. The result of an element must not depend
 * on n or its position (the vector code also does the tail). */
typedef void (*tl_tile_fn)(int64_t n, void *out, const void *const *in);

/* tl_form -- what a pointwise operation is when it is plain arithmetic: then it may be joined with
 * another one (core/pair.h). */
typedef enum tl_form {
    TL_FORM_OTHER,
    TL_FORM_SUM,        /* a + b */
    TL_FORM_DIFFERENCE, /* a - b */
    TL_FORM_PRODUCT     /* a b */
} tl_form;

/* tl_strided -- an array as a whole-tensor kernel sees it; data points at element (0,0,...). */
typedef struct tl_strided {
    void *data;
    tl_dtype dtype;
    const tl_shape *shape;
    const int64_t *stride; /* in elements; 0 repeats */
} tl_strided;

typedef struct tl_call {
    const tl_op *op;
    const tl_attr *attr;
    int nin;
    const tl_strided *in;
    tl_strided out;      /* its elements are uninitialised */
    uint64_t seed, draw; /* of TL_RANDOM: key of the generator, number of this draw */
    /* axis 0 is rows first_row and on of all, which are the elements of these axes, for messages;
     * NULL: it is axis 0 */
    const tl_shape *row_axes;
    int64_t first_row;
    int64_t lo, hi;    /* parts to compute, of operations that have them; hi 0: all */
    char message[360]; /* filled by tl_call_fail */
} tl_call;

/* tl_call_fail -- like tl_infer_fail, for what is found when running (a bad index). */
TL_API int tl_call_fail(tl_call *c, int code, const char *format, ...) TL_PRINTF(3, 4);

/* tl_parts -- asks into how many parts run() can be cut: of about equal work, apart from one another,
 * together the bits of the whole. They may run at the same time. */
typedef struct tl_parts {
    const tl_attr *attr;
    int nin;
    const tl_shape *in;
    tl_shape shape; /* of the result */
    tl_dtype dtype;
    int axis; /* part p is entry p of the result along this one, -1 (as it is at first): no such */
} tl_parts;

/* tl_lead -- asks for the attributes of the same operation with one more leading axis on the
 * operands in `led` and on the result. */
typedef struct tl_lead {
    const tl_attr *attr;
    int nin;
    const tl_shape *in; /* shapes before */
    uint32_t led;       /* bit i: operand i gets the axis */
    int ni;             /* the new structural attributes, i[0..ni); initialised to the old ones */
    int64_t i[64];
} tl_lead;

/* tl_lead_same -- the attributes stay as they are (anything pointwise; axes counted from the end).
 */
TL_API int tl_lead_same(tl_lead *q);

/* tl__mask_apart -- of reductions, whose attribute is {axes} (core/sum.c): the axes are others. */
TL_API int tl__mask_apart(const tl_attr *a, const tl_shape *in, int n);

/* tl_adj -- the adjoint rule's question and answer. */
typedef struct tl_adj {
    tl_tensor g; /* gradient of the result, in the result's shape */
    int nin;
    const tl_tensor *in;      /* operands, those that `reads` names; the others are inert */
    tl_tensor out;            /* the result, if `reads` has TL_READS_OUT; else inert */
    const tl_shape *in_shape; /* always all of them */
    tl_shape shape;
    const tl_dtype *in_dtype;
    tl_dtype dtype;
    const tl_attr *attr;
    uint32_t need; /* bit i of the first 32: operand i wants its gradient */
    tl_tensor *d;  /* set d[i]: an expression in the operand's shape, or in one that broadcasting
                     made from it: the sweep sums it back. Left inert: no contribution. */
} tl_adj;

/* tl_op.reads -- the operands, or the result, that the rule uses: it gets nothing else, and their
 * values are kept for it. */
#define TL_READS_OUT (1u << 31)
#define TL_READS(i) (1u << (i))

/* tl_domain -- where the generic gradient check draws an operand from: no two elements closer than
 * 1e-3, none closer than 0.1 to zero, so that no kink and no tie is near. */
typedef enum tl_domain {
    TL_ANY = 0,  /* [-2,-0.1] and [0.1,2] */
    TL_POSITIVE, /* [0.3,2] */
    TL_UNIT,     /* [0.1,0.9] */
    TL_INNER,    /* [-0.9,-0.1] and [0.1,0.9] */
    TL_INDEX,    /* i32 in [0, bound) */
    TL_BINARY    /* 0 or 1 of the operands' dtype */
} tl_domain;

/* tl_from -- where an element of a TL_GATHER's result lies in operand 0: element `first` + v `step`
 * of it, row-major, v being element `index` of operand 1, the indices. */
typedef struct tl_from {
    int64_t index, first, step;
} tl_from;

/* tl_case -- one configuration for the generic check: operands to draw, and the call that records
 * the operation. */
typedef struct tl_case {
    int nin;
    tl_shape shape[4];
    tl_domain domain[4];
    int64_t bound; /* of TL_INDEX */
    tl_tensor (*call)(const tl_tensor *in);
} tl_case;

struct tl_op {
    const char *name;
    const char *doc;       /* one-line formula */
    const char *grad_doc;  /* one-line formula of the gradient, "none" if it has none */
    const char *shape_doc; /* "[...,m,k] x [...,k,n] -> [...,m,n]"; NULL: not said */
    tl_kind kind;
    int nin;                   /* operands, which tl_record holds the call to; 0: any number */
    int (*shape)(tl_infer *q); /* NULL, of one operand only: shape and dtype are the operand's,
                                  whichever that is */
    /* TL_POINTWISE: the kernel for these dtypes, on this machine */
    tl_tile_fn (*tile)(const tl_dtype *in, tl_dtype out);
    tl_form form;           /* TL_POINTWISE */
    int (*run)(tl_call *c); /* whole-tensor kernel of kinds that have one */
    /* TL_VIEW: of the first operand; others are for the adjoint only */
    int (*view)(const tl_attr *a, const tl_shape *from, const tl_layout *in, const tl_shape *to,
                tl_layout *out);
    int (*lead)(tl_lead *q); /* 1: it can be, and then is what a loop over the axis computes; 0: not
                                so. NULL: never hoisted out of a loop */
    const tl_op *in_step; /* the same without `lead`, recorded instead in the bodies of scans that
                             recompute; NULL: itself */
    /* whether entry i of the first n axes, which all operands and the result have, is made of the
     * operands' entries i alone. NULL: it is not */
    int (*apart)(const tl_attr *a, const tl_shape *in, int n);
    int64_t (*parts)(tl_parts *q); /* NULL: it is one */
    void (*adjoint)(tl_adj *a);    /* NULL only with no_gradient */
    uint32_t reads;
    int no_gradient; /* says explicitly that the gradient is zero or undefined everywhere */
    int nonlinear;   /* the rule is not linear in g, as that of no derivative is: then there is no
                        tangent, and tl_jvp through it is an error */
    int ncases;
    const tl_case *cases;
    /* the structural attributes in words, "axis 1, 4:8", for printing; in: the shape of operand 0;
     * text: a string that is "" at first. NULL: numbers */
    void (*attr_text)(const tl_attr *a, const tl_shape *in, char *text, size_t size);
    /* TL_GATHER: of one that only moves elements, for anomaly mode: where element `number` of the
     * result, of shape out, comes from. NULL: it adds them, or is not to be looked through */
    tl_from (*source)(const tl_attr *a, const tl_shape *in, const tl_shape *out, int64_t number);
};

/* tl_record -- records one node in the innermost open frame and returns its tensor. nin >= 1;
 * operands must be on one tape. Returns the inert tensor if an operand is inert or an error is (or
 * becomes) sticky. Errors: TL_EINVAL for a descriptor that is NULL or lacks what its kind must
 * have, and for another number of operands than it says; TL_EDTYPE if a pointwise one has no kernel
 * for these element types; those of its shape rule. */
TL_API tl_tensor tl_record(const tl_op *op, int nin, const tl_tensor *in, const tl_attr *attr);

/* tl_record_source -- the same for operations without operands. shape and dtype are what the shape
 * rule sees as in[0]. */
TL_API tl_tensor tl_record_source(tl_tape *tape, const tl_op *op, tl_dtype dtype, tl_shape shape,
                                  const tl_attr *attr);

/* tl_tape_fail -- makes the tape's error sticky, with operation `what` and scope in front of the
 * message; returns code, or the code of the error that was there before. tl_fail_tensor does so for
 * t's tape and returns the inert tensor. */
TL_API int tl_tape_fail(tl_tape *tape, int code, const char *what, const char *format, ...)
    TL_PRINTF(4, 5);
TL_API tl_tensor tl_fail_tensor(tl_tensor t, int code, const char *what, const char *format, ...)
    TL_PRINTF(4, 5);

/* tl__op_fault -- what a descriptor lacks to be recorded with nin operands (0: with any number);
 * NULL: nothing. */
TL_API const char *tl__op_fault(const tl_op *op, int nin);

/* tl__inert -- the inert tensor in t's place: it remembers the error of t's tape, or what t does if
 * it is inert itself, so that whoever evaluates it is told the first cause. tl__inert_of -- of the
 * first of n that has one; tl__inert_on -- of a tape, which may be NULL. tl__inert_code -- what an
 * inert tensor remembers, else TL_EINVAL. */
TL_API tl_tensor tl__inert(tl_tensor t);
TL_API tl_tensor tl__inert_of(int n, const tl_tensor *t);
TL_API tl_tensor tl__inert_on(const tl_tape *tape);
TL_API int tl__inert_code(tl_tensor t);

/* tl__given -- whether there are operands: n >= 1, and t is not NULL. Without them no tape can have
 * the error: it goes to TL_ON_ERROR alone. */
TL_API int tl__given(const char *what, int n, const tl_tensor *t);

/* tl__same_tape -- whether all are given, live, and of one tape; records the error if not. Inert
 * operands give 0 silently. */
TL_API int tl__same_tape(const char *what, int n, const tl_tensor *t);

/* The labels of a contraction: attr.i = { ra, labels of a's axes..., rb, labels of b's axes..., ro,
 * labels of the result's axes... }. Labels are small numbers 0..63. A label in a, b and the result
 * is a batch axis; in a and the result, m; in b and the result, n; in a and b only, k (summed). No
 * label twice in one operand; no label in one place only. */

TL_END_DECLS
#endif
