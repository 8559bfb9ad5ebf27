/* test_halffloat.c -- every 16-bit pattern against its definition as sign, exponent and
 * fraction. */
#include "core/halffloat.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* defined -- (-1)^s 2^(e-bias) 1.f, or 0.f at the lowest exponent; both formats differ only in
 * their widths. */
static double defined(unsigned bits, int exponent_bits, int fraction_bits)
{
    unsigned fraction = bits & ((1u << fraction_bits) - 1);
    int exponent = (int)(bits >> fraction_bits & ((1u << exponent_bits) - 1));
    const int top = (1 << exponent_bits) - 1, bias = top / 2;
    double sign = bits & 0x8000 ? -1.0 : 1.0;
    if (exponent == top)
        return fraction ? (double)NAN : sign * (double)INFINITY;
    double value = ldexp((double)fraction, -fraction_bits) + (exponent > 0);
    return sign * ldexp(value, (exponent > 0 ? exponent : 1) - bias);
}

static void check(float got, double want, unsigned bits)
{
    if (isnan(want))
        cr_assert(isnan(got), "%04x", bits);
    else
        cr_assert(got == (float)want && (double)(float)want == want &&
                      !signbit(got) == !signbit(want),
                  "%04x: %g, want %g", bits, (double)got, want);
}

Test(halffloat, every_f16)
{
    for (unsigned bits = 0; bits < 65536; bits++)
        check(tl__f16_value((uint16_t)bits), defined(bits, 5, 10), bits);
    cr_assert_eq(tl__f16_value(0x3C00), 1.0f);
    cr_assert_eq(tl__f16_value(0x7BFF), 65504.0f);
}

Test(halffloat, every_bf16)
{
    for (unsigned bits = 0; bits < 65536; bits++)
        check(tl__bf16_value((uint16_t)bits), defined(bits, 8, 7), bits);
    cr_assert_eq(tl__bf16_value(0x3F80), 1.0f);
}
