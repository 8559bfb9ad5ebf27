/* gemv_kernel.h -- the two loops of a gemv, stamped out by gemv.c for one element type T and one
 * vector of W lanes:
 *
 *     NAME(x)              name for this stamp               TARGET        its instruction set
 *     TABLE                type of the table of functions    V, ZERO       vector, of zeros
 *     LOAD(p) STORE(p, v)  W elements, unaligned             SET1(x)       x in each lane
 *     LOADN(p, n)          the first n < W, zeros behind     FMA(a, b, c)  a b + c
 *     SUM(v)               lanes l and l + W/2 added, ...    ADD(a, b)     a + b */

/* y[j] = <a, b_j>, j < 8, each b_j contiguous and ldb behind the last. */
TARGET static void NAME(dot8)(int64_t k, const T *a, const T *b, int64_t ldb, T *y)
{
    V s0 = ZERO, s1 = ZERO, s2 = ZERO, s3 = ZERO, s4 = ZERO, s5 = ZERO, s6 = ZERO, s7 = ZERO;
    const T *b4 = b + 4 * ldb;
    int64_t p = 0;
#define STEP(load)                                                                                 \
    do {                                                                                           \
        V x = load(a + p);                                                                         \
        s0 = FMA(x, load(b + p), s0);                                                              \
        s1 = FMA(x, load(b + ldb + p), s1);                                                        \
        s2 = FMA(x, load(b + 2 * ldb + p), s2);                                                    \
        s3 = FMA(x, load(b + 3 * ldb + p), s3);                                                    \
        s4 = FMA(x, load(b4 + p), s4);                                                             \
        s5 = FMA(x, load(b4 + ldb + p), s5);                                                       \
        s6 = FMA(x, load(b4 + 2 * ldb + p), s6);                                                   \
        s7 = FMA(x, load(b4 + 3 * ldb + p), s7);                                                   \
    } while (0)
    for (; p + W <= k; p += W)
        STEP(LOAD);
    int rest = (int)(k - p);
#define LOAD_REST(at) LOADN(at, rest)
    if (rest > 0)
        STEP(LOAD_REST);
#undef STEP
    y[0] = SUM(s0);
    y[1] = SUM(s1);
    y[2] = SUM(s2);
    y[3] = SUM(s3);
    y[4] = SUM(s4);
    y[5] = SUM(s5);
    y[6] = SUM(s6);
    y[7] = SUM(s7);
}

TARGET static T NAME(dot)(int64_t k, const T *a, const T *b)
{
    V s = ZERO;
    int64_t p = 0;
    for (; p + W <= k; p += W)
        s = FMA(LOAD(a + p), LOAD(b + p), s);
    int rest = (int)(k - p);
    if (rest > 0)
        s = FMA(LOAD_REST(a + p), LOAD_REST(b + p), s);
#undef LOAD_REST
    return SUM(s);
}

/* y[j] = sum over p of a[p] b[p * ldb + j], j < n <= ACROSS * W. Rows of b are read in order, as
 * they lie in memory; chain l of every output is in row l of s, which stays in the nearest
 * cache. */
TARGET static void NAME(across)(int64_t k, int n, const T *a, const T *b, int64_t ldb, T *y)
{
    T s[W * W * ACROSS];
    int full = n / W, rest = n % W;
    for (int64_t p = 0; p < k || p < W; p++) {
        const T *row = b + p * ldb;
        T *to = s + p % W * (W * ACROSS);
        if (p >= k) {
            for (int v = 0; v * W < n; v++)
                STORE(to + v * W, ZERO);
            continue;
        }
        V x = SET1(a[p]);
        if (p < W) {
            for (int v = 0; v < full; v++)
                STORE(to + v * W, FMA(x, LOAD(row + v * W), ZERO));
            if (rest > 0)
                STORE(to + full * W, FMA(x, LOADN(row + full * W, rest), ZERO));
        } else if (full == ACROSS) {
            UNROLL for (int v = 0; v < ACROSS; v++)
                STORE(to + v * W, FMA(x, LOAD(row + v * W), LOAD(to + v * W)));
        } else {
            for (int v = 0; v < full; v++)
                STORE(to + v * W, FMA(x, LOAD(row + v * W), LOAD(to + v * W)));
            if (rest > 0)
                STORE(to + full * W, FMA(x, LOADN(row + full * W, rest), LOAD(to + full * W)));
        }
    }
    for (int h = W / 2; h > 0; h /= 2)
        for (int l = 0; l < h; l++) {
            T *to = s + l * (W * ACROSS), *from = s + (l + h) * (W * ACROSS);
            for (int v = 0; v * W < n; v++)
                STORE(to + v * W, ADD(LOAD(to + v * W), LOAD(from + v * W)));
        }
    for (int i = 0; i < n; i++)
        y[i] = s[i];
}

static const TABLE NAME(table) = {W, NAME(dot8), NAME(dot), NAME(across)};
#undef TABLE
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
#undef FMA
#undef ADD
#undef SUM
