/* halffloat.h -- the two 16-bit floating formats, read. Both conversions are exact. Private. */
#ifndef TL_CORE_HALFFLOAT_H
#define TL_CORE_HALFFLOAT_H

#include "core/status.h"

/* tl__f16_value -- IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits. */
TL_API float tl__f16_value(uint16_t bits);

/* tl__bf16_value -- bfloat16: the upper half of an f32. */
TL_API float tl__bf16_value(uint16_t bits);

#endif
