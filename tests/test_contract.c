/* test_contract.c -- contractions with random labels and layouts against plain loops. */
#include "tests/contracttest.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

Test(contract, agrees_with_plain_loops)
{
    srand(5);
    for (int trial = 0; trial < 3000; trial++) {
        operand a = {0}, b = {0}, c = {0};
        int64_t extent[LABELS];
        labels(&a, &b, &c, extent);
        tl_dtype d = trial % 2 ? TL_F32 : TL_F64;
        lay_out(&a, d, trial % 3 == 0, 1);
        lay_out(&b, d, trial % 3 == 0, 1);
        lay_out(&c, d, trial % 3 == 0, 0);
        draw(&a);
        draw(&b);
        int add = rand() % 2;
        if (add)
            draw(&c);
        else
            for (int64_t i = 0; i < c.size; i++)
                set(&c, i - c.start, (double)NAN);
        unsigned outer = labels_of(&c), inner = (labels_of(&a) | labels_of(&b)) & ~outer;
        int64_t index[LABELS] = {0};
        int empty_outer = 0, empty_inner = 0;
        for (int l = 0; l < LABELS; l++) {
            if (outer >> l & 1)
                empty_outer |= extent[l] == 0;
            if (inner >> l & 1)
                empty_inner |= extent[l] == 0;
        }
        static double want[6 * 6 * 6 * 6 * 6 * 6]; /* all labels in the result */
        size_t n = 0;
        if (!empty_outer)
            do {
                double s = add ? get(&c, position(&c, index)) : 0;
                if (!empty_inner)
                    do
                        s += get(&a, position(&a, index)) * get(&b, position(&b, index));
                    while (next(index, extent, inner));
                cr_assert(n < sizeof want / sizeof *want);
                want[n++] = s;
            } while (next(index, extent, outer));
        cr_assert_eq(contract(&a, &b, add, &c), TL_OK);
        n = 0;
        memset(index, 0, sizeof index);
        if (!empty_outer)
            do {
                double v = get(&c, position(&c, index));
                cr_assert(fabs(v - want[n]) <= (d == TL_F64 ? 1e-12 : 2e-4),
                          "trial %d: %g, want %g", trial, v, want[n]);
                n++;
            } while (next(index, extent, outer));
        drop(&a);
        drop(&b);
        drop(&c);
    }
}

/* The same numbers in other layouts give the same bits. */
Test(contract, bits_do_not_depend_on_layouts)
{
    srand(6);
    for (int trial = 0; trial < 1500; trial++) {
        operand a = {0}, b = {0}, c = {0};
        int64_t extent[LABELS];
        labels(&a, &b, &c, extent);
        tl_dtype d = trial % 2 ? TL_F32 : TL_F64;
        operand a1 = a, b1 = b, c1 = c;
        lay_out(&a, d, 1, 0);
        lay_out(&b, d, 1, 0);
        lay_out(&c, d, 1, 0);
        lay_out(&a1, d, 0, 0);
        lay_out(&b1, d, 0, 0);
        lay_out(&c1, d, 0, 0);
        draw(&a);
        draw(&b);
        operand *const from[2] = {&a, &b}, *const to[2] = {&a1, &b1};
        for (int o = 0; o < 2; o++) {
            int64_t index[LABELS] = {0};
            do
                set(to[o], position(to[o], index), get(from[o], position(from[o], index)));
            while (tl_shape_count(from[o]->shape) > 0 && next(index, extent, labels_of(from[o])));
        }
        cr_assert_eq(contract(&a, &b, 0, &c), TL_OK);
        cr_assert_eq(contract(&a1, &b1, 0, &c1), TL_OK);
        int64_t index[LABELS] = {0};
        if (tl_shape_count(c.shape) > 0)
            do
                cr_assert(get(&c, position(&c, index)) == get(&c1, position(&c1, index)),
                          "trial %d", trial);
            while (next(index, extent, labels_of(&c)));
        drop(&a);
        drop(&b);
        drop(&c);
        drop(&a1);
        drop(&b1);
        drop(&c1);
    }
}

Test(contract, no_integers)
{
    operand a = {0}, b = {0}, c = {0};
    push(&a, 0, 2);
    push(&b, 0, 2);
    lay_out(&a, TL_I32, 1, 0);
    lay_out(&b, TL_I32, 1, 0);
    lay_out(&c, TL_I32, 1, 0);
    cr_assert_eq(contract(&a, &b, 0, &c), TL_EDTYPE);
    drop(&a);
    drop(&b);
    drop(&c);
}

/* Every allocation that can fail does, and gives the code. */
Test(contract, memory_runs_out_with_a_code)
{
    operand a = {0}, b = {0}, c = {0};
    push(&a, 0, 50);
    push(&a, 1, 40);
    push(&a, 2, 30);
    push(&b, 2, 30);
    push(&b, 1, 40);
    push(&b, 3, 50);
    push(&c, 0, 50);
    push(&c, 3, 50);
    lay_out(&a, TL_F32, 1, 0);
    lay_out(&b, TL_F32, 1, 0);
    lay_out(&c, TL_F32, 1, 0);
    draw(&a);
    draw(&b);
    int n = 1;
    for (;; n++) {
        tl__fail_after(n);
        int code = contract(&a, &b, 0, &c);
        if (code == TL_OK)
            break;
        cr_assert_eq(code, TL_ENOMEM);
        cr_assert(n < 10);
    }
    tl__fail_after(0);
    cr_assert(n > 1, "the summed axes of b do not merge, so it is copied");
    drop(&a);
    drop(&b);
    drop(&c);
}
