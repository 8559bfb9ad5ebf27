/* test_move.c -- elements between layouts keep every bit, and nothing else is touched. */
#include "core/move.h"
#include "core/random.h"
#include "tests/check.h"

#include <string.h>

enum { ROOM = 1 << 14 };

/* side -- one layout of rows x n elements, in bytes. */
typedef struct side {
    int64_t row, step;
} side;

static int64_t pick(tl_rng *r, int64_t n)
{
    return (int64_t)tl__rng_below(r, (uint64_t)n);
}

static side random_side(tl_rng *r, int64_t size, int64_t n, int repeats)
{
    side s = {.step = size * (pick(r, 3) ? 1 : 1 + pick(r, 3))};
    if (repeats && pick(r, 3) == 0)
        s.step = 0;
    s.row = s.step * n + size * pick(r, 4) + (s.step == 0 ? size : 0);
    if (repeats && pick(r, 4) == 0)
        s.row = 0;
    return s;
}

Test(move, every_layout_keeps_every_bit)
{
    static char from[ROOM], got[ROOM], want[ROOM];
    tl_rng r = {.seed = 8};
    for (int turn = 0; turn < 20000; turn++) {
        const int64_t size = pick(&r, 2) ? 4 : 8, rows = pick(&r, 6), n = pick(&r, 40);
        const side in = random_side(&r, size, n, 1), out = random_side(&r, size, n, 0);
        if (turn % 100 == 0)
            for (int i = 0; i < ROOM; i++) /* some are NaN, some -0 */
                from[i] = (char)(pick(&r, 4) ? pick(&r, 256) : turn % 200 ? 0x80 : 0xff);
        memset(got, 0x55, sizeof got);
        memset(want, 0x55, sizeof want);
        for (int64_t k = 0; k < rows; k++)
            for (int64_t i = 0; i < n; i++)
                memcpy(want + 64 + k * out.row + i * out.step, from + k * in.row + i * in.step,
                       (size_t)size);
        tl__move(size, rows, n, got + 64, out.row, out.step, from, in.row, in.step);
        cr_assert_eq(memcmp(got, want, sizeof got), 0, "size %d, %d rows of %d, turn %d", (int)size,
                     (int)rows, (int)n, turn);
    }
}
