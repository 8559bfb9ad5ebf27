/* halffloat.c -- binary16 and bfloat16 to f32, both exact. */
#include "core/halffloat.h"

#include <string.h>

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

float tl__f16_value(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000) << 16, exponent = bits >> 10 & 0x1F,
             fraction = bits & 0x3FF;
    if (exponent == 0x1F) /* infinity and NaN */
        return float_of_bits(sign | 0x7F800000 | fraction << 13);
    if (exponent == 0) { /* zero and subnormals: fraction 2^-24 */
        float magnitude = (float)fraction * 0x1p-24f;
        return sign ? -magnitude : magnitude;
    }
    return float_of_bits(sign | (exponent + 127 - 15) << 23 | fraction << 13);
}

float tl__bf16_value(uint16_t bits)
{
    return float_of_bits((uint32_t)bits << 16);
}
