/* check_draw.h -- the numbers that checks of operations and gradients are made on, and how an
 * element is called in their reports. Private. */
#ifndef TL_OPS_CHECK_DRAW_H
#define TL_OPS_CHECK_DRAW_H

#include "core/op.h"
#include "core/random.h"

/* tl__check_draw -- one number from a domain; bound is that of TL_INDEX. */
TL_API double tl__check_draw(tl_rng *r, tl_domain domain, int64_t bound);

/* tl__check_is_smooth -- whether numbers of a domain can be moved a little. */
TL_API int tl__check_is_smooth(tl_domain domain);

/* tl__check_fill -- draws x[first .. end); smooth ones no closer than 1e-3 to one another and to
 * x[0 .. first), as long as there is room for that. */
TL_API void tl__check_fill(uint64_t seed, tl_domain domain, int64_t bound, int64_t first,
                           int64_t end, double *x);

/* tl__check_input -- n such numbers as an input: f64, or i32 of TL_INDEX. */
TL_API tl_tensor tl__check_input(tl_tape *tape, tl_shape shape, tl_domain domain, const double *x);

/* tl__check_element -- "[0,3]": the index of element k, row-major; returns text. */
TL_API char *tl__check_element(tl_shape shape, int64_t k, char *text, size_t size);

#endif
