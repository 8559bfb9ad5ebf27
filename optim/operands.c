/* operands.c -- what a step as a function is given: all of the parameter's shape. What broadcasts is
 * refused, for the step would give a parameter of another shape. */
#include "optim/operands.h"

#include "core/op.h"
#include "core/space.h"

#include <math.h>

/* is_like -- whether x has p's shape and dtype, or, with one, is a single element of it. */
static int is_like(const char *what, const char *name, tl_tensor p, tl_tensor x, int or_one)
{
    const tl_shape want = tl_shape_of(p), got = tl_shape_of(x);
    char text[2][TL_SHAPE_TEXT];
    tl_shape_text(want, text[0], sizeof text[0]);
    if (!x.tape) {
        tl_tape_fail(p.tape, TL_EINVAL, what, "%s is the inert tensor, want %s %s%s", name,
                     tl_dtype_name(tl_dtype_of(p)), text[0], or_one ? " or one element" : "");
        return 0;
    }
    const tl_tensor both[] = {p, x};
    if (!tl__same_tape(what, 2, both))
        return 0;
    const int fits = tl_shape_equal(got, want) || (or_one && tl_shape_count(got) == 1);
    if (!fits || tl_dtype_of(x) != tl_dtype_of(p))
        tl_tape_fail(p.tape, fits ? TL_EDTYPE : TL_ESHAPE, what, "%s is %s %s, want %s %s%s", name,
                     tl_dtype_name(tl_dtype_of(x)), tl_shape_text(got, text[1], sizeof text[1]),
                     tl_dtype_name(tl_dtype_of(p)), text[0],
                     or_one ? " as p, or one element" : " as p");
    return fits && tl_dtype_of(x) == tl_dtype_of(p);
}

int tl__operands_fit(const char *what, tl_tensor p, int n, const tl_operand *like, int64_t t,
                     tl_tensor *lr)
{
    if (!tl__same_tape(what, 1, &p))
        return 0;
    if (t < 1) {
        tl_tape_fail(p.tape, TL_ERANGE, what, "got step %lld, want 1 for the first", (long long)t);
        return 0;
    }
    for (int i = 0; i < n; i++)
        if (!is_like(what, like[i].name, p, like[i].t, 0))
            return 0;
    if (lr && !is_like(what, "lr", p, *lr, 1))
        return 0;
    if (lr && !tl_shape_equal(tl_shape_of(*lr), tl_shape_of(p)))
        *lr = tl_reshape(*lr, tl_shape0());
    return tl_tape_status(p.tape) == TL_OK;
}

int tl__rate_fits(const char *what, double lr, tl_err *err)
{
    if (lr >= 0 && isfinite(lr))
        return TL_OK;
    return tl__fail(err, TL_ERANGE, "%s: got learning rate %g, want a finite one, 0 or more", what,
                    lr);
}
