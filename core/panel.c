/* panel.c -- packing into micro-panels.
 *
 * Three ways through the same index formula: rows of the panel when the source is contiguous
 * along them, blocks transposed in registers when it is contiguous along k, element by element
 * else. */
#include "core/panel.h"

#include "core/machine.h"

#include <string.h>

#define LOAD(v, p) memcpy(&(v), (p), sizeof(v))
#define STORE(p, v) memcpy((p), &(v), sizeof(v))
#define SHUFFLE __builtin_shufflevector

typedef float f32x4 __attribute__((vector_size(16)));
typedef float f32x8 __attribute__((vector_size(32)));
typedef double f64x2 __attribute__((vector_size(16)));
typedef double f64x4 __attribute__((vector_size(32)));

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2")))
#else
#define AVX2
#endif

/* A block of the source, rows rs apart, becomes a block of the panel, columns ld apart. */
static inline void block_f32(const float *from, int64_t rs, float *to, int64_t ld)
{
    f32x4 v0, v1, v2, v3;
    LOAD(v0, from);
    LOAD(v1, from + rs);
    LOAD(v2, from + 2 * rs);
    LOAD(v3, from + 3 * rs);
    f32x4 a = SHUFFLE(v0, v1, 0, 4, 1, 5), b = SHUFFLE(v2, v3, 0, 4, 1, 5);
    f32x4 c = SHUFFLE(v0, v1, 2, 6, 3, 7), d = SHUFFLE(v2, v3, 2, 6, 3, 7);
    v0 = SHUFFLE(a, b, 0, 1, 4, 5);
    v1 = SHUFFLE(a, b, 2, 3, 6, 7);
    v2 = SHUFFLE(c, d, 0, 1, 4, 5);
    v3 = SHUFFLE(c, d, 2, 3, 6, 7);
    STORE(to, v0);
    STORE(to + ld, v1);
    STORE(to + 2 * ld, v2);
    STORE(to + 3 * ld, v3);
}

static inline void block_f64(const double *from, int64_t rs, double *to, int64_t ld)
{
    f64x2 v0, v1;
    LOAD(v0, from);
    LOAD(v1, from + rs);
    f64x2 a = SHUFFLE(v0, v1, 0, 2), b = SHUFFLE(v0, v1, 1, 3);
    STORE(to, a);
    STORE(to + ld, b);
}

/* Wide blocks have parts of two rows in one register, and the rest is the small transpose in
 * both halves at once:
 *
 *     v0 = row 0, columns 0..3 | row 4, columns 0..3      8 x 4 elements, 4 x 2 in f64 */
#define JOIN_F32(v, p, q)                                                                          \
    do {                                                                                           \
        f32x4 low, high;                                                                           \
        LOAD(low, p);                                                                              \
        LOAD(high, q);                                                                             \
        v = SHUFFLE(low, high, 0, 1, 2, 3, 4, 5, 6, 7);                                            \
    } while (0)

AVX2 static inline void wide_f32(const float *from, int64_t rs, float *to, int64_t ld)
{
    const float *from4 = from + 4 * rs;
    f32x8 v0, v1, v2, v3;
    JOIN_F32(v0, from, from4);
    JOIN_F32(v1, from + rs, from4 + rs);
    JOIN_F32(v2, from + 2 * rs, from4 + 2 * rs);
    JOIN_F32(v3, from + 3 * rs, from4 + 3 * rs);
    f32x8 a = SHUFFLE(v0, v1, 0, 8, 1, 9, 4, 12, 5, 13),
          b = SHUFFLE(v2, v3, 0, 8, 1, 9, 4, 12, 5, 13);
    f32x8 c = SHUFFLE(v0, v1, 2, 10, 3, 11, 6, 14, 7, 15),
          d = SHUFFLE(v2, v3, 2, 10, 3, 11, 6, 14, 7, 15);
    v0 = SHUFFLE(a, b, 0, 1, 8, 9, 4, 5, 12, 13);
    v1 = SHUFFLE(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
    v2 = SHUFFLE(c, d, 0, 1, 8, 9, 4, 5, 12, 13);
    v3 = SHUFFLE(c, d, 2, 3, 10, 11, 6, 7, 14, 15);
    STORE(to, v0);
    STORE(to + ld, v1);
    STORE(to + 2 * ld, v2);
    STORE(to + 3 * ld, v3);
}

AVX2 static inline void wide_f64(const double *from, int64_t rs, double *to, int64_t ld)
{
    f64x2 r0, r1, r2, r3;
    LOAD(r0, from);
    LOAD(r1, from + rs);
    LOAD(r2, from + 2 * rs);
    LOAD(r3, from + 3 * rs);
    f64x4 v0 = SHUFFLE(r0, r2, 0, 1, 2, 3), v1 = SHUFFLE(r1, r3, 0, 1, 2, 3);
    f64x4 a = SHUFFLE(v0, v1, 0, 4, 2, 6), b = SHUFFLE(v0, v1, 1, 5, 3, 7);
    STORE(to, a);
    STORE(to + ld, b);
}

/* Functions on one panel, of which w columns come from the source. A block is N wide and N deep,
 * a wide one 2 N wide. */
#define PANEL(T, name, N)                                                                          \
    static void gather_##name(int64_t w, int64_t k, int64_t ld, const T *from, int64_t rs,         \
                              int64_t cs, T *to)                                                   \
    {                                                                                              \
        for (int64_t p = 0; p < k; p++)                                                            \
            for (int64_t i = 0; i < w; i++)                                                        \
                to[p * ld + i] = from[i * rs + p * cs];                                            \
    }                                                                                              \
                                                                                                   \
    AVX2 static int64_t turn_wide_##name(int64_t w, int64_t k, int64_t ld, const T *from,          \
                                         int64_t rs, T *to)                                        \
    {                                                                                              \
        int64_t i = 0;                                                                             \
        for (; i + 2 * N <= w; i += 2 * N)                                                         \
            for (int64_t p = 0; p + N <= k; p += N)                                                \
                wide_##name(from + i * rs + p, rs, to + p * ld + i, ld);                           \
        return i;                                                                                  \
    }                                                                                              \
                                                                                                   \
    static void turn_##name(int64_t w, int64_t k, int64_t ld, const T *from, int64_t rs, T *to)    \
    {                                                                                              \
        int64_t i = tl__isa() >= TL_ISA_AVX2 ? turn_wide_##name(w, k, ld, from, rs, to) : 0;       \
        for (; i + N <= w; i += N)                                                                 \
            for (int64_t p = 0; p + N <= k; p += N)                                                \
                block_##name(from + i * rs + p, rs, to + p * ld + i, ld);                          \
        int64_t p = k / N * N;                                                                     \
        gather_##name(i, k - p, ld, from + p, rs, 1, to + p * ld);                                 \
        gather_##name(w - i, k, ld, from + i * rs, rs, 1, to + i);                                 \
    }                                                                                              \
                                                                                                   \
    static void down_##name(int64_t w, int64_t k, int64_t ld, const T *from, int64_t rs,           \
                            int64_t cs, T *to)                                                     \
    {                                                                                              \
        if (cs == 1)                                                                               \
            turn_##name(w, k, ld, from, rs, to);                                                   \
        else                                                                                       \
            gather_##name(w, k, ld, from, rs, cs, to);                                             \
    }

PANEL(float, f32, 4)
PANEL(double, f64, 2)

#undef PANEL

/* across -- k rows of a panel whose source is contiguous along it. The widths of strips (two
 * vectors; 12 or 6 rows) are constants to the compiler. Narrow rows are small parts of rows far
 * apart, which the processor does not foresee, so those AHEAD are asked for. Bytes. */
enum { AHEAD = 16 };

#define ROWS_OF(BYTES)                                                                             \
    case BYTES:                                                                                    \
        for (int64_t p = 0; p < k; p++) {                                                          \
            if (BYTES % 24 == 0)                                                                   \
                __builtin_prefetch(from + (p + AHEAD) * step);                                     \
            memcpy(to + p * ld, from + p * step, BYTES);                                           \
        }                                                                                          \
        break

#define ACROSS(name, TARGET)                                                                       \
    TARGET static void name(int64_t bytes, int64_t k, const char *from, int64_t step, char *to,    \
                            int64_t ld)                                                            \
    {                                                                                              \
        switch (bytes) {                                                                           \
            ROWS_OF(128);                                                                          \
            ROWS_OF(96);                                                                           \
            ROWS_OF(64);                                                                           \
            ROWS_OF(48);                                                                           \
            ROWS_OF(24);                                                                           \
        default:                                                                                   \
            for (int64_t p = 0; p < k; p++)                                                        \
                memcpy(to + p * ld, from + p * step, (size_t)bytes);                               \
        }                                                                                          \
    }

ACROSS(across_base, )
ACROSS(across_avx2, AVX2)

/* Rows are taken a few at a time for all panels, so that a row of the source is read on. */
static void across(int64_t extent, int64_t k, int64_t width, int64_t ld, int64_t size,
                   const char *from, int64_t cs, char *to)
{
    enum { DEEP = 8 };
    int wide = tl__isa() >= TL_ISA_AVX2;
    for (int64_t p = 0, kp; p < k; p += kp) {
        kp = extent <= width || k - p < DEEP ? k - p : DEEP;
        for (int64_t i = 0; i < extent; i += width) {
            int64_t w = extent - i < width ? extent - i : width;
            const char *rows = from + (i + p * cs) * size;
            char *panel = to + (i / width * k + p) * ld * size;
            (wide ? across_avx2 : across_base)(w * size, kp, rows, cs * size, panel, ld * size);
        }
    }
}

/* Zeros from column w to the end of the panel. */
static void fill(int64_t w, int64_t k, int64_t ld, int64_t size, char *to)
{
    for (int64_t p = 0; w < ld && p < k; p++)
        memset(to + (p * ld + w) * size, 0, (size_t)((ld - w) * size));
}

void tl__panel_pack(tl_dtype dtype, int64_t extent, int64_t k, int64_t width, int64_t ld,
                    const void *from, int64_t rs, int64_t cs, void *to)
{
    int64_t size = (int64_t)tl_dtype_size(dtype);
    if (rs == 1)
        across(extent, k, width, ld, size, from, cs, to);
    for (int64_t i = 0; i < extent; i += width) {
        int64_t w = extent - i < width ? extent - i : width, start = i / width * ld * k;
        if (rs != 1 && dtype == TL_F64)
            down_f64(w, k, ld, (const double *)from + i * rs, rs, cs, (double *)to + start);
        else if (rs != 1)
            down_f32(w, k, ld, (const float *)from + i * rs, rs, cs, (float *)to + start);
        fill(w, k, ld, size, (char *)to + start * size);
    }
}
