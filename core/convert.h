/* convert.h -- stored elements of any floating type to those of a parameter. Private. */
#ifndef TL_CORE_CONVERT_H
#define TL_CORE_CONVERT_H

#include "core/safetensors.h"

/* tl__convert -- reads tensor t of the file to out[t->count] of type `to`, rounding to nearest. f32
 * and f64 accept F16, BF16, F32 and F64; i32 accepts I32. TL_ERANGE names the first element that is
 * not finite (unless allowed) or too large for f32. */
TL_API int tl__convert(const tl_reader *file, const tl_stored_tensor *t, int allow_nonfinite,
                       tl_dtype to, void *out, tl_err *err);

#endif
