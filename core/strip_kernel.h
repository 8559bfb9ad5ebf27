/* strip_kernel.h -- the strips, stamped out by strip.c for one element type T and one vector of W
 * lanes:
 *
 *     NAME(x)              name for this stamp               TARGET        its instruction set
 *     V, ZERO              vector, of zeros                  SET1(x)       x in each lane
 *     LOAD(p) STORE(p, v)  W elements, unaligned             FMA(a, b, c)  a b + c
 *     LOADN(p, n)          the first n < W, zeros behind     ADD(a, b)     a + b
 *     STOREN(p, n, v)      the first n < W
 *
 * NAME(turn)(b, ldb, y) makes of W rows of W elements, ldb bytes apart, the vectors y[W] of their
 * columns.
 *
 * KERNEL(R, N) makes the one of R rows and N vectors; all R N sums stay in registers, for which
 * every loop over them is unrolled. Where rows leave the time for it, the rows of the right operand
 * that come SOON are asked for: those of a matrix are far apart, which the processor does not
 * foresee, and panels may come from the last cache. */

/* The first n of W elements of a row of C. */
TARGET static inline void NAME(put)(T *c, V s, int64_t n, int add)
{
    if (n >= W)
        STORE(c, add ? ADD(LOAD(c), s) : s);
    else if (n > 0)
        STOREN(c, n, add ? ADD(LOADN(c, n), s) : s);
}

#define KERNEL(R, N)                                                                               \
    TARGET static void NAME(strip_##R##x##N)(const tl_strip *q)                                    \
    {                                                                                              \
        const T *b = q->right;                                                                     \
        int64_t rs = q->rs * (int64_t)sizeof(T), cs = q->cs * (int64_t)sizeof(T);                  \
        int64_t ldb = q->ldb, step = q->step, ldc = q->ldc, n = q->n;                              \
        const char *a[(R + 2) / 3]; /* three rows from each: no address takes an instruction */    \
        UNROLL for (int i = 0; i < R; i += 3) a[i / 3] = (const char *)q->left + i * rs;           \
        T *c = q->c;                                                                               \
        V s[R][N];                                                                                 \
        UNROLL for (int i = 0; i < R; i++) UNROLL for (int v = 0; v < N; v++) s[i][v] = ZERO;      \
        for (int i = 0; i < R; i++)                                                                \
            for (int v = 0; v < N; v++)                                                            \
                __builtin_prefetch(c + i * ldc + v * W, 1);                                        \
        for (int64_t p = q->k; p > 0; p--) {                                                       \
            V y[N];                                                                                \
            UNROLL for (int v = 0; v < N; v++) y[v] = LOAD(b + v / 2 * step + v % 2 * W);          \
            if (N == 2 && R >= 4) {                                                                \
                __builtin_prefetch(b + SOON * ldb);                                                \
                __builtin_prefetch(b + SOON * ldb + W);                                            \
            }                                                                                      \
            UNROLL for (int i = 0; i < R; i++)                                                     \
            {                                                                                      \
                V x = SET1(*(const T *)(const void *)(a[i / 3] + i % 3 * rs));                     \
                UNROLL for (int v = 0; v < N; v++) s[i][v] = FMA(x, y[v], s[i][v]);                \
            }                                                                                      \
            UNROLL for (int i = 0; i < R; i += 3) a[i / 3] += cs;                                  \
            b += ldb;                                                                              \
        }                                                                                          \
        if (n == N * W && q->add) {                                                                \
            UNROLL for (int i = 0; i < R; i++, c += ldc) UNROLL for (int v = 0; v < N; v++)        \
                STORE(c + v * W, ADD(LOAD(c + v * W), s[i][v]));                                   \
        } else if (n == N * W) {                                                                   \
            UNROLL for (int i = 0; i < R; i++, c += ldc) UNROLL for (int v = 0; v < N; v++)        \
                STORE(c + v * W, s[i][v]);                                                         \
        } else {                                                                                   \
            UNROLL for (int i = 0; i < R; i++, c += ldc) UNROLL for (int v = 0; v < N; v++)        \
                NAME(put)(c + v * W, s[i][v], n - v * W, q->add);                                  \
        }                                                                                          \
    }

/* DOWN(R) -- R rows and two vectors of columns, of a right operand whose columns are contiguous:
 * blocks of W x W are turned in registers on their way to the sums. */
#define BLOCK(R, from, ld, depth, v)                                                               \
    do {                                                                                           \
        V y[W];                                                                                    \
        NAME(turn)((const char *)(from), (ld) * (int64_t)sizeof(T), y);                            \
        UNROLL for (int l = 0; l < W; l++) if (l < (depth)) UNROLL for (int i = 0; i < R; i++)     \
            s[i][v] = FMA(SET1(a[i * rs + l]), y[l], s[i][v]);                                     \
    } while (0)

#define DOWN(R)                                                                                    \
    TARGET static void NAME(down_##R)(const tl_strip *q)                                           \
    {                                                                                              \
        const T *a = q->left, *b = q->right;                                                       \
        int64_t rs = q->rs, ldb = q->ldb, k = q->k;                                                \
        T *c = q->c, rest[2][W * W];                                                               \
        V s[R][2];                                                                                 \
        UNROLL for (int i = 0; i < R; i++) s[i][0] = s[i][1] = ZERO;                               \
        for (; k >= W; k -= W, a += W, b += W) {                                                   \
            BLOCK(R, b, ldb, W, 0);                                                                \
            BLOCK(R, b + W * ldb, ldb, W, 1);                                                      \
        }                                                                                          \
        if (k > 0) {                                                                               \
            for (int j = 0; j < 2 * W; j++)                                                        \
                STORE(rest[j / W] + j % W * W, LOADN(b + j * ldb, k));                             \
            BLOCK(R, rest[0], W, k, 0);                                                            \
            BLOCK(R, rest[1], W, k, 1);                                                            \
        }                                                                                          \
        for (int i = 0; i < R; i++)                                                                \
            for (int v = 0; v < 2; v++)                                                            \
                NAME(put)(c + i * q->ldc + v * W, s[i][v], W, q->add);                             \
    }

/* A panel of k rows from 2 W contiguous columns of a matrix, ldb apart. */
TARGET static void NAME(pack)(int64_t k, const void *from, int64_t ldb, void *to)
{
    const T *b = from;
    T *c = to;
    for (int v = 0; v < 2; v++, b += W * ldb) {
        int64_t p = 0;
        for (; p + W <= k; p += W) {
            V y[W];
            NAME(turn)((const char *)(b + p), ldb * (int64_t)sizeof(T), y);
            UNROLL for (int l = 0; l < W; l++) STORE(c + (p + l) * 2 * W + v * W, y[l]);
        }
        for (; p < k; p++)
            for (int j = 0; j < W; j++)
                c[p * 2 * W + v * W + j] = b[j * ldb + p];
    }
}

DOWN(1)
DOWN(2)
DOWN(3)
DOWN(4)
KERNEL(1, 2)
KERNEL(2, 2)
KERNEL(3, 2)
KERNEL(4, 2)
KERNEL(5, 2)
KERNEL(6, 2)
KERNEL(1, 8)
KERNEL(2, 4)
#if ROWS > 6
KERNEL(3, 4)
KERNEL(7, 2)
KERNEL(8, 2)
KERNEL(9, 2)
KERNEL(10, 2)
KERNEL(11, 2)
KERNEL(12, 2)
#endif

static const tl_strips NAME(strips) = {
    .width = 2 * W,
    .shift = W == 16  ? 5
             : W == 8 ? 4
                      : 3,
    .rows = ROWS,
    .one = {NULL, NAME(strip_1x2), NAME(strip_2x2), NAME(strip_3x2), NAME(strip_4x2),
            NAME(strip_5x2), NAME(strip_6x2),
#if ROWS > 6
            NAME(strip_7x2), NAME(strip_8x2), NAME(strip_9x2), NAME(strip_10x2), NAME(strip_11x2),
            NAME(strip_12x2)
#endif
    },
    .wide = {NULL, NAME(strip_1x8), NAME(strip_2x4),
#if ROWS > 6
             NAME(strip_3x4), NAME(strip_4x2), NAME(strip_5x2), NAME(strip_6x2), NAME(strip_7x2),
             NAME(strip_8x2), NAME(strip_9x2), NAME(strip_10x2), NAME(strip_11x2), NAME(strip_12x2)
#else
             NAME(strip_3x2), NAME(strip_4x2), NAME(strip_5x2), NAME(strip_6x2)
#endif
    },
    .down = {NULL, NAME(down_1), NAME(down_2), NAME(down_3), NAME(down_4)},
    .pack = NAME(pack),
    .panels = {0, 4, 2, ROWS > 6 ? 2 : 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
};
#undef KERNEL
#undef DOWN
#undef BLOCK
#undef ROWS
#undef NAME
#undef TARGET
#undef T
#undef V
#undef W
#undef ZERO
#undef SET1
#undef LOAD
#undef LOADN
#undef STORE
#undef STOREN
#undef FMA
#undef ADD
