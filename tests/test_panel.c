/* test_panel.c -- packed panels against the index formula. */
#include "core/panel.h"

#include "core/memory.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static double get(tl_dtype d, const void *x, int64_t i)
{
    return d == TL_F64 ? ((const double *)x)[i] : (double)((const float *)x)[i];
}

static void check(tl_dtype d, int64_t extent, int64_t k, int64_t width, int64_t ld, int way)
{
    int64_t rs = way == 0   ? 1
                 : way == 1 ? k + 1
                            : 3,
            cs = way == 0   ? extent + 2
                 : way == 1 ? 1
                            : 3 * extent;
    size_t size = tl_dtype_size(d);
    char *from = tl__aligned_alloc((size_t)((extent + 1) * (k + 1) * 6) * size);
    int64_t panels = (extent + width - 1) / width, n = panels * ld * k;
    char *to = tl__aligned_alloc((size_t)n * size);
    memset(to, 0xff, (size_t)n * size + 8);
    for (int64_t i = 0; i < (extent + 1) * (k + 1) * 6; i++) {
        if (d == TL_F64)
            ((double *)(void *)from)[i] = (double)i + 1;
        else
            ((float *)(void *)from)[i] = (float)i + 1;
    }
    tl__panel_pack(d, extent, k, width, ld, from, rs, cs, to);
    for (int64_t q = 0; q < panels; q++)
        for (int64_t p = 0; p < k; p++)
            for (int64_t i = 0; i < ld; i++) {
                if (i >= width && q + 1 < panels)
                    continue; /* never read */
                int64_t row = q * width + i;
                double want = i < width && row < extent ? get(d, from, row * rs + p * cs) : 0;
                cr_assert(get(d, to, q * ld * k + p * ld + i) == want,
                          "%s extent %d k %d width %d way %d: panel %d p %d i %d", tl_dtype_name(d),
                          (int)extent, (int)k, (int)width, way, (int)q, (int)p, (int)i);
            }
    uint64_t behind;
    memcpy(&behind, to + (size_t)n * size, sizeof behind);
    cr_assert_eq(behind, UINT64_MAX, "nothing is written behind the last panel");
    tl__aligned_free(from);
    tl__aligned_free(to);
}

Test(panel, every_width_and_order)
{
    const int64_t widths[][2] = {{1, 1},   {4, 4},   {6, 6},   {6, 8},
                                 {12, 12}, {14, 14}, {16, 16}, {32, 32}};
    for (int w = 0; w < 8; w++)
        for (int64_t extent = 1; extent < 70; extent += 1 + extent / 9)
            for (int64_t k = 1; k < 14; k += 2)
                for (int way = 0; way < 3; way++) {
                    check(TL_F32, extent, k, widths[w][0], widths[w][1], way);
                    check(TL_F64, extent, k, widths[w][0], widths[w][1], way);
                }
}

Test(panel, the_instruction_set_does_not_matter)
{
    setenv("TL_ISA", "base", 1);
    check(TL_F32, 37, 13, 12, 12, 1);
    check(TL_F64, 37, 13, 6, 6, 1);
}
