/* test_fold.c -- kernels of sums: every length against the definition, and what a block goes on
 * from. */
#include "core/fold.h"
#include "tests/check.h"

#include <stdlib.h>

enum { LONGEST = 200, ROWS = 5, APART = 210 };

static double drawn(void)
{
    return rand() % 2001 / 1000.0 - 1;
}

Test(fold, rows_of_every_length)
{
    const tl_fold *wide = tl__fold(TL_F64), *narrow = tl__fold(TL_F32);
    double x[LONGEST];
    float x32[LONGEST];
    srand(1);
    for (int n = 0; n <= LONGEST; n++) {
        double want = 3, got = 3;
        float got32 = 3;
        for (int i = 0; i < n; i++) {
            x[i] = drawn();
            x32[i] = (float)x[i];
            want += x[i];
        }
        wide->row(n, x, &got);
        narrow->row(n, x32, &got32);
        assert_allclose(1, &got, &want, 1e-13, 1e-13);
        assert_allclose(1, &(double){(double)got32}, &want, 1e-4, 1e-4);
    }
}

/* Columns are summed one by one, so the definition has the same bits. */
Test(fold, columns_of_every_number)
{
    const tl_fold *f = tl__fold(TL_F64);
    double x[ROWS * APART], want[LONGEST + 1], got[LONGEST + 1];
    srand(2);
    for (int i = 0; i < ROWS * APART; i++)
        x[i] = drawn();
    for (int goes_on = 0; goes_on < 2; goes_on++)
        for (int q = 1; q <= LONGEST; q++) {
            for (int j = 0; j <= q; j++)
                got[j] = want[j] = drawn();
            for (int j = 0; j < q; j++) {
                double sum = goes_on ? want[j] : 0;
                for (int k = 0; k < ROWS; k++)
                    sum += x[k * APART + j];
                want[j] = goes_on ? sum : want[j] + sum;
            }
            f->rows(ROWS, q, x, APART, got, goes_on);
            assert_allclose(q + 1, got, want, 0, 0); /* what lies behind stays */
        }
}
