/* test_machine.c -- the instruction set, the kernel family, and who chooses them. */
#include "core/machine.h"

#include "core/gemm.h"

#include <criterion/criterion.h>
#include <stdlib.h>

Test(machine, has_an_instruction_set_and_a_kernel_family)
{
    tl_isa isa = tl__isa();
    cr_assert(isa >= TL_ISA_BASE && isa < TL_ISAS);
    cr_assert_str_eq(tl__isa_name(TL_ISA_AVX2), "avx2");
    cr_assert_str_neq(tl__gemm_family(), "");
    if (isa == TL_ISA_AVX512 && !getenv("BLIS_ARCH_TYPE"))
        cr_assert_str_eq(tl__gemm_family(), "skx");
    if (isa == TL_ISA_AVX2 && !getenv("BLIS_ARCH_TYPE"))
        cr_assert_str_eq(tl__gemm_family(), "haswell");
}

Test(machine, leaves_the_environment_as_it_was)
{
    unsetenv("BLIS_ARCH_TYPE");
    tl__machine_init();
    cr_assert_null(getenv("BLIS_ARCH_TYPE"));
}

Test(machine, the_user_chooses_the_kernel_family)
{
    setenv("BLIS_ARCH_TYPE", "25", 1); /* BLIS 0.9: generic */
    tl__machine_init();
    cr_assert_str_eq(getenv("BLIS_ARCH_TYPE"), "25");
    cr_assert_str_eq(tl__gemm_family(), "generic");
}

Test(machine, the_instruction_set_can_be_lowered)
{
    setenv("TL_ISA", "base", 1);
    cr_assert_eq(tl__isa(), TL_ISA_BASE);
    float x[6] = {1, 2, 3, 4, 5, 6}, y[4] = {0};
    cr_assert_eq(tl__gemm(TL_F32, 2, 2, 3, (tl_matrix){x, 3, 1}, (tl_matrix){x, 2, 1}, 0,
                          (tl_matrix){y, 2, 1}),
                 TL_OK);
    cr_assert(y[0] == 22 && y[1] == 28 && y[2] == 49 && y[3] == 64);
}
