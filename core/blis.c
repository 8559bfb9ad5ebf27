/* blis.c -- matrix products on BLIS's micro-kernels: all of BLIS is in this file.
 *
 * BLIS's own front end is not called. It packs through slow general code, allocates behind the
 * library's back, refuses strides of 0 and overlapping rows, and takes microseconds to get
 * going; its micro-kernels are what is good. Around them stand the usual five loops (Van Zee and
 * van de Geijn 2015, fig. 1):
 *
 *     for jc over n by NC            B[pc.., jc..] packed:  | NR | NR | NR |   k runs down
 *       for pc over k by KC          A[ic.., pc..] packed:  | MR | MR |        k runs down
 *         for ic over m by MC
 *           for jr over NC by NR, for ir over MC by MR
 *             micro-kernel: C tile = (first pc: 0 or C; else C) + sum of KC products
 *
 * So an element of C is a chain of products in the order of k, cut at multiples of KC: it
 * depends on k and the family of kernels, and not on m, n, strides, which operand came first, or
 * the share of C a thread computes. */
#include "core/blis.h"

#include "core/blislib.h"
#include "core/machine.h"
#include "core/memory.h"
#include "core/panel.h"

#include <stdlib.h>
#include <string.h>

typedef struct blocking {
    int64_t mr, nr, mc, nc, kc;
    int64_t ldm, ldn; /* elements from one k to the next in a packed panel: mr and nr, or more */
    int rows;         /* the kernel stores rows of C */
} blocking;

static struct {
    cntx_t *cntx;
    sgemm_ukr_ft kernel_f32;
    dgemm_ukr_ft kernel_f64;
    blocking f32, f64;
} blis;

/* choose -- the kernel family to ask BLIS for, or -1 for its own choice. BLIS 0.9 knows
 * processors by name: what came later gets plain C ("generic", on Zen 5) or AVX2 kernels (on
 * Xeons), so the instruction set decides instead. */
static int choose(tl_isa isa)
{
#if defined(BLIS_CONFIG_SKX)
    if (isa == TL_ISA_AVX512)
        return BLIS_ARCH_SKX;
#endif
#if defined(BLIS_CONFIG_HASWELL)
    if (isa == TL_ISA_AVX2)
        return BLIS_ARCH_HASWELL;
#endif
    (void)isa;
    return -1;
}

static blocking blocking_of(num_t type)
{
    cntx_t *c = blis.cntx;
    return (blocking){
        .mr = bli_cntx_get_blksz_def_dt(type, BLIS_MR, c),
        .nr = bli_cntx_get_blksz_def_dt(type, BLIS_NR, c),
        .mc = bli_cntx_get_blksz_def_dt(type, BLIS_MC, c),
        .nc = bli_cntx_get_blksz_def_dt(type, BLIS_NC, c),
        .kc = bli_cntx_get_blksz_def_dt(type, BLIS_KC, c),
        .ldm = bli_cntx_get_blksz_max_dt(type, BLIS_MR, c),
        .ldn = bli_cntx_get_blksz_max_dt(type, BLIS_NR, c),
        .rows = bli_cntx_l3_nat_ukr_prefers_rows_dt(type, BLIS_GEMM_UKR, c),
    };
}

void tl__blis_init(tl_isa isa)
{
    static const char *const variable = "BLIS_ARCH_TYPE";
    int family = getenv(variable) ? -1 : choose(isa);
    if (family >= 0) {
        char number[16];
        snprintf(number, sizeof number, "%d", family);
        setenv(variable, number, 1);
    }
    bli_init(); /* does nothing when the host program did it before: then its choice stands */
    if (family >= 0)
        unsetenv(variable);
    blis.cntx = bli_gks_query_cntx();
    void_fp kernel_f32 = bli_cntx_get_l3_nat_ukr_dt(BLIS_FLOAT, BLIS_GEMM_UKR, blis.cntx);
    void_fp kernel_f64 = bli_cntx_get_l3_nat_ukr_dt(BLIS_DOUBLE, BLIS_GEMM_UKR, blis.cntx);
    memcpy(&blis.kernel_f32, &kernel_f32,
           sizeof kernel_f32); /* BLIS keeps functions in object pointers */
    memcpy(&blis.kernel_f64, &kernel_f64, sizeof kernel_f64);
    blis.f32 = blocking_of(BLIS_FLOAT);
    blis.f64 = blocking_of(BLIS_DOUBLE);
}

const char *tl__blis_family(void)
{
    tl__machine_init();
    return bli_arch_string(bli_arch_query_id());
}

/* tile -- C[m,n] (+)= one panel of A times one of B, over k. */
static void tile(tl_dtype dtype, int64_t m, int64_t n, int64_t k, void *a, void *b, int add,
                 void *c, int64_t rs, int64_t cs, auxinfo_t *next)
{
    if (dtype == TL_F64) {
        double one = 1, beta = add;
        blis.kernel_f64(m, n, k, &one, a, b, &beta, c, rs, cs, next, blis.cntx);
    } else {
        float one = 1, beta = (float)add;
        blis.kernel_f32(m, n, k, &one, a, b, &beta, c, rs, cs, next, blis.cntx);
    }
}

/* scatter -- moves a tile stored by columns (ld elements apart) to C of any strides; one
 * addition an element, as in the kernel. */
static void scatter(tl_dtype dtype, int64_t m, int64_t n, const void *from, int64_t ld, int add,
                    void *c, int64_t rs, int64_t cs)
{
    for (int64_t j = 0; j < n; j++)
        for (int64_t i = 0; i < m; i++) {
            int64_t at = i * rs + j * cs;
            if (dtype == TL_F64) {
                const double *t = from;
                double *to = c;
                to[at] = add ? to[at] + t[i + j * ld] : t[i + j * ld];
            } else {
                const float *t = from;
                float *to = c;
                to[at] = add ? to[at] + t[i + j * ld] : t[i + j * ld];
            }
        }
}

static void *at(tl_dtype dtype, tl_matrix x, int64_t i, int64_t j)
{
    return (char *)x.data + (i * x.rs + j * x.cs) * (int64_t)tl_dtype_size(dtype);
}

static int64_t panels(int64_t extent, int64_t width)
{
    return (extent + width - 1) / width;
}

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static size_t to_line(int64_t bytes)
{
    return ((size_t)bytes + 63) / 64 * 64;
}

/* Kernels load ahead of the k they are at, and so behind the end of a panel. */
enum { AHEAD = 512, LOCAL = 1 << 15 };

typedef struct workspace {
    char *a, *b, *tile;
} workspace;

/* block -- the two inner loops, over packed A [m,k] and B [k,n]. */
static void block(tl_dtype dtype, const blocking *s, int64_t m, int64_t n, int64_t k,
                  const workspace *w, int add, tl_matrix c)
{
    int64_t size = (int64_t)tl_dtype_size(dtype);
    int64_t step_a = s->ldm * k * size, step_b = s->ldn * k * size;
    int direct = (s->rows ? c.cs : c.rs) == 1;
    auxinfo_t next = {0};
    for (int64_t j = 0; j < n; j += s->nr) {
        char *b = w->b + j / s->nr * step_b;
        int64_t nj = lesser(s->nr, n - j);
        for (int64_t i = 0; i < m; i += s->mr) {
            char *a = w->a + i / s->mr * step_a;
            int64_t mi = lesser(s->mr, m - i);
            int last = i + s->mr >= m;
            bli_auxinfo_set_next_a(last ? w->a : a + step_a, &next);
            bli_auxinfo_set_next_b(last && j + s->nr < n ? b + step_b : b, &next);
            if (direct) {
                tile(dtype, mi, nj, k, a, b, add, at(dtype, c, i, j), c.rs, c.cs, &next);
            } else if (s->rows) {
                tile(dtype, mi, nj, k, a, b, 0, w->tile, s->nr, 1, &next);
                scatter(dtype, nj, mi, w->tile, s->nr, add, at(dtype, c, i, j), c.cs, c.rs);
            } else {
                tile(dtype, mi, nj, k, a, b, 0, w->tile, 1, s->mr, &next);
                scatter(dtype, mi, nj, w->tile, s->mr, add, at(dtype, c, i, j), c.rs, c.cs);
            }
        }
    }
}

static void five_loops(tl_dtype dtype, const blocking *s, int64_t m, int64_t n, int64_t k,
                       tl_matrix a, tl_matrix b, int add, const workspace *w, tl_matrix c)
{
    for (int64_t jc = 0; jc < n; jc += s->nc) {
        int64_t nj = lesser(s->nc, n - jc);
        for (int64_t pc = 0; pc < k; pc += s->kc) {
            int64_t kp = lesser(s->kc, k - pc);
            tl__panel_pack(dtype, nj, kp, s->nr, s->ldn, at(dtype, b, pc, jc), b.cs, b.rs, w->b);
            for (int64_t ic = 0; ic < m; ic += s->mc) {
                int64_t mi = lesser(s->mc, m - ic);
                tl__panel_pack(dtype, mi, kp, s->mr, s->ldm, at(dtype, a, ic, pc), a.rs, a.cs,
                               w->a);
                tl_matrix part = {at(dtype, c, ic, jc), c.rs, c.cs};
                block(dtype, s, mi, nj, kp, w, add || pc > 0, part);
            }
        }
    }
}

int tl__blis_gemm(tl_dtype dtype, int64_t m, int64_t n, int64_t k, tl_matrix a, tl_matrix b,
                  int accumulate, tl_matrix c)
{
    tl__machine_init();

    /* C' = B'A' when C lies the other way round than the kernel stores. */
    const blocking *s = dtype == TL_F64 ? &blis.f64 : &blis.f32;
    if ((s->rows ? c.cs : c.rs) != 1 && (s->rows ? c.rs : c.cs) == 1) {
        tl_matrix a1 = {b.data, b.cs, b.rs}, b1 = {a.data, a.cs, a.rs}, c1 = {c.data, c.cs, c.rs};
        int64_t m1 = n;
        n = m;
        m = m1;
        a = a1;
        b = b1;
        c = c1;
    }

    int64_t size = (int64_t)tl_dtype_size(dtype), kp = lesser(k, s->kc);
    size_t room_a = to_line(panels(lesser(m, s->mc), s->mr) * s->ldm * kp * size) + AHEAD;
    size_t room_b = to_line(panels(lesser(n, s->nc), s->nr) * s->ldn * kp * size) + AHEAD;
    size_t room = room_a + room_b + to_line(s->mr * s->nr * size) + AHEAD;
    _Alignas(64) char local[LOCAL];
    tl_buf *buf = NULL;
    char *base = local;
    if (room > sizeof local) {
        buf = tl__buf_new(room);
        if (!buf)
            return TL_ENOMEM;
        base = buf->data;
    }
    workspace w = {.a = base, .b = base + room_a, .tile = base + room_a + room_b};
    five_loops(dtype, s, m, n, k, a, b, accumulate, &w, c);
    tl__buf_unref(buf);
    return TL_OK;
}
