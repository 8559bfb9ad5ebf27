/* machine.c -- the instruction set, and the one-time start of the runtime.
 *
 * What the processor has is asked by cpuid (the compiler's own query), so valgrind, which hides
 * AVX-512, is believed. */
#include "core/machine.h"

#include "core/gemm.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

static uv_once_t once = UV_ONCE_INIT;
static tl_isa isa = TL_ISA_BASE;

static tl_isa isa_of_processor(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return TL_ISA_BASE;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        return TL_ISA_AVX512;
    return TL_ISA_AVX2;
#else
    return TL_ISA_BASE;
#endif
}

static void init(void)
{
    isa = isa_of_processor();
    const char *wanted = getenv("TL_ISA");
    for (int i = TL_ISA_BASE; wanted && i < (int)isa; i++)
        if (strcmp(wanted, tl__isa_name((tl_isa)i)) == 0)
            isa = (tl_isa)i;
    tl__gemm_init(isa);
}

void tl__machine_init(void)
{
    uv_once(&once, init);
}

tl_isa tl__isa(void)
{
    tl__machine_init();
    return isa;
}

const char *tl__isa_name(tl_isa i)
{
    static const char *const name[TL_ISAS] = {"base", "avx2", "avx512"};
    return (unsigned)i < TL_ISAS ? name[i] : "?";
}
