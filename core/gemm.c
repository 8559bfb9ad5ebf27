/* gemm.c -- matrix products on our strips.
 *
 *     for ic over m by MC            A[ic.., pc..] read where it lies, or packed into strips
 *       for pc over k by KC
 *         for j over n by panels     B[pc.., j..] is packed just before it is read, or lies packed
 *           for strips of ic         kernel: C strip (+)= sum of KC products
 *
 * For few strips a B of contiguous rows is not packed either. A panel (KC x 2 vectors) is in the
 * nearest cache when its strips read it, the block of A in the second. Packing a panel again for
 * each MC rows costs 1/MC of the product, and saves room for all of B. Rows are dealt out evenly:
 * 32 are 11, 11 and 10, not 12, 12 and 8.
 *
 * An element of C is a chain of fused multiply-adds in the order of k, cut at multiples of KC, so
 * it depends on k only: not on m, n, strides, which operand came first, what was packed, the share
 * of C a thread computes, or the width of vectors. Processors without strips have blis.c, where
 * the same holds with a KC of its own. */
#include "core/gemm.h"

#include "core/blis.h"
#include "core/memory.h"
#include "core/panel.h"
#include "core/strip.h"

#include <string.h>

/* KC        32 KB of a panel of f32 with AVX-512
 * MC        480 KB of A in f32
 * LOCAL     on the stack: a panel and a tile
 * IN_PLACE  for so many strips a B of contiguous rows is read where it lies, unless rows that are
 *           pages apart fall on the same lines of the nearest cache
 * FEW       C with so few columns is computed as C' = B'A' if it has more rows
 * INSIDE    so many blocks of k go inside of the columns for a C that is larger than SECOND */
enum {
    KC = 256,
    MC = 480,
    LOCAL = 48 * 1024,
    NEAREST = 32 * 1024,
    PAGE = 4096,
    LINE = 64,
    IN_PLACE = 12,
    FEW = 8,
    INSIDE = 3,
    SECOND = 1024 * 1024
};

typedef struct product {
    tl_dtype dtype;
    int64_t size; /* of an element */
    const tl_strips *with;
    int64_t m, n, k;
    tl_matrix a, b, c;
    const char *panels; /* B packed before, or NULL */
    int64_t first, all; /* columns of the panels: the first wanted, how many there are */
    int add;
    int together; /* panels side by side */
    int pack_a, in_place, down, in_tile;
    char *left, *right, *tile;
} product;

static void *at(const product *q, tl_matrix x, int64_t i, int64_t j)
{
    return (char *)x.data + (i * x.rs + j * x.cs) * q->size;
}

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* These come often for little work, so they do not divide. */
static int64_t panels_of(const tl_strips *with, int64_t n)
{
    return (n + with->width - 1) >> with->shift;
}

static int64_t rows_of_block(int64_t size)
{
    return size == sizeof(double) ? MC / 2 : MC;
}

/* scatter -- moves a tile stored by rows to C of any strides; one addition an element, as in the
 * kernel. */
#define SCATTER(T)                                                                                 \
    do {                                                                                           \
        const T *t = (const T *)(const void *)q->tile;                                             \
        T *to = c;                                                                                 \
        for (int64_t i = 0; i < m; i++)                                                            \
            for (int64_t j = 0; j < n; j++) {                                                      \
                T *x = to + i * q->c.rs + j * q->c.cs;                                             \
                *x = q->add || later ? *x + t[i * ld + j] : t[i * ld + j];                         \
            }                                                                                      \
    } while (0)

static void scatter(const product *q, int64_t m, int64_t n, int64_t ld, int later, void *c)
{
    if (q->dtype == TL_F64)
        SCATTER(double);
    else
        SCATTER(float);
}

/* A block of the loops over m and k: rows [ic, ic + m), products [pc, pc + k). */
typedef struct block {
    int64_t ic, m, pc, k, n;
} block;

/* strips -- one panel, or some side by side, times all rows of the block. */
static void strips(const product *q, const block *l, tl_strip s, int panels, int down, int64_t j)
{
    int64_t rows = q->with->rows, ld = panels * q->with->width;
    int64_t parts = l->m <= rows ? 1 : divide_up(l->m, rows);
    int64_t least = parts == 1 ? l->m : l->m / parts, more = l->m - least * parts;
    s.k = l->k;
    s.rs = q->pack_a ? 1 : q->a.rs;
    s.cs = q->pack_a ? rows : q->a.cs;
    s.add = q->add || l->pc > 0;
    s.ldc = q->c.rs;
    for (int64_t part = 0, i = 0, end; part < parts; part++, i = end) {
        if (q->pack_a) {
            end = lesser(i + rows, l->m);
            s.left = q->left + i * l->k * q->size;
        } else {
            end = i + least + (part < more);
            s.left = at(q, q->a, l->ic + i, l->pc);
        }
        s.c = at(q, q->c, l->ic + i, j);
        tl_strip_fn kernel = down         ? q->with->down[end - i]
                             : panels > 1 ? q->with->wide[end - i]
                                          : q->with->one[end - i];
        if (!q->in_tile) {
            kernel(&s);
            continue;
        }
        tl_strip t = s;
        t.c = q->tile;
        t.ldc = ld;
        t.add = 0;
        kernel(&t);
        scatter(q, end - i, s.n, ld, l->pc > 0, s.c);
    }
}

/* pack -- n <= width columns of b into a panel. */
static void pack(const tl_strips *with, tl_dtype dtype, int64_t n, int64_t k, const void *b,
                 int64_t rs, int64_t cs, void *to)
{
    if (rs == 1 && n == with->width)
        with->pack(k, b, cs, to);
    else
        tl__panel_pack(dtype, n, k, with->width, with->width, b, cs, rs, to);
}

/* column -- the panels from column j on, one or some side by side, times the rows of the block;
 * returns how many columns they are. Panels packed before may begin in the middle of one: what the
 * kernel then reads behind a row of it is the next row, and not used. */
static int64_t column(const product *q, const block *l, int64_t j)
{
    int64_t width = q->with->width;
    int64_t at_panel = (q->first + j) >> q->with->shift, skip = (q->first + j) & (width - 1);
    int panels = skip == 0 && q->n - j >= q->together * width ? q->together : 1;
    int64_t n = lesser(panels * width - skip, q->n - j);
    tl_strip s = {.n = n, .ldb = width, .step = l->k * width};
    int down = q->down && n == width;
    if (q->panels) {
        int64_t before = l->pc * panels_of(q->with, q->all) + at_panel * l->k;
        s.right = q->panels + (before * width + skip) * q->size;
    } else if (down) {
        s.right = at(q, q->b, l->pc, j);
        s.ldb = q->b.cs;
    } else if (q->in_place && n == panels * width) {
        s.right = at(q, q->b, l->pc, j);
        s.ldb = q->b.rs;
        s.step = width;
    } else {
        for (int i = 0; i < panels; i++)
            pack(q->with, q->dtype, lesser(width, n - i * width), l->k,
                 at(q, q->b, l->pc, j + i * width), q->b.rs, q->b.cs,
                 q->right + i * s.step * q->size);
        s.right = q->right;
    }
    strips(q, l, s, panels, down, j);
    return n;
}

/* loops -- over k outside of the columns; for a C that does not stay in the second cache, panels
 * packed before and few blocks of k, inside: then what a block adds to is still near. There are
 * fewer rows then, since all of k of them is to stay as well. */
static void loops(const product *q)
{
    int64_t rows = q->with->rows, mc = rows_of_block(q->size);
    int inside = q->panels && !q->pack_a && q->k > KC && q->k <= INSIDE * KC &&
                 q->m * q->n * q->size > SECOND;
    if (inside)
        mc = mc * KC / q->k;
    for (int64_t ic = 0; ic < q->m; ic += mc) {
        block l = {ic, lesser(mc, q->m - ic), 0, 0, 0};
        for (int64_t j = 0; inside && j < q->n; j += l.n)
            for (l.pc = 0; l.pc < q->k; l.pc += KC) {
                l.k = lesser(KC, q->k - l.pc);
                l.n = column(q, &l, j);
            }
        for (int64_t pc = 0; !inside && pc < q->k; pc += KC) {
            l.pc = pc;
            l.k = lesser(KC, q->k - pc);
            if (q->pack_a)
                tl__panel_pack(q->dtype, l.m, l.k, rows, rows, at(q, q->a, ic, pc), q->a.rs,
                               q->a.cs, q->left);
            for (int64_t j = 0; j < q->n;)
                j += column(q, &l, j);
        }
    }
}

/* Whether the left operand is packed into strips: elements of a row of it far apart, read for many
 * panels, or rows that fall on the same lines of the nearest cache. */
static int packs_left(const product *q)
{
    int64_t rs = q->a.rs * q->size, cs = q->a.cs * q->size;
    if (q->a.cs == 1)
        return q->m > 4 && q->n > q->with->width && rs != 0 && rs % PAGE == 0;
    return q->n > 2 * q->with->width && (cs > LINE || cs < -LINE);
}

static void zero(tl_dtype dtype, int64_t m, int64_t n, tl_matrix c)
{
    int64_t size = (int64_t)tl_dtype_size(dtype);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            memset((char *)c.data + (i * c.rs + j * c.cs) * size, 0, (size_t)size);
}

/* prepare -- what is packed, and room for it: on the stack, or in *buf. */
static int prepare(product *q, char *local, tl_buf **buf)
{
    int64_t rows = q->with->rows, width = q->with->width, k = lesser(q->k, KC);
    int64_t mc = rows_of_block(q->size);
    int together = q->with->panels[lesser(q->m, rows)];
    q->pack_a = packs_left(q);
    q->in_place = q->b.cs == 1 &&
                  (q->m <= rows || (q->m <= IN_PLACE * rows && q->b.rs * q->size % PAGE != 0));
    q->down = !q->panels && !q->in_place && q->b.rs == 1 && q->a.cs == 1 && q->m <= TL_STRIP_DOWN;
    if (q->down)
        together = 1;
    if (!q->panels && !q->in_place && together * width * k * q->size > NEAREST)
        together = 1;
    q->together = together;
    q->in_tile = q->c.cs != 1 && q->n > 1;
    int64_t tile = q->in_tile ? rows * width * together * q->size : 0;
    int64_t packed = q->in_place ? 1 : together; /* in place, but for columns that fill no panel */
    int64_t right = q->panels ? 0 : lesser(packed, panels_of(q->with, q->n)) * width * k * q->size;
    int64_t left = q->pack_a ? divide_up(lesser(q->m, mc), rows) * rows * k * q->size : 0;
    if (tile + right + left > LOCAL) {
        *buf = tl__buf_new((size_t)(tile + right + left));
        if (!*buf)
            return TL_ENOMEM;
        local = (*buf)->data;
    }
    q->right = local;
    q->tile = local + right;
    q->left = local + right + tile;
    return TL_OK;
}

static int run(product *q)
{
    _Alignas(LINE) char local[LOCAL];
    tl_buf *buf = NULL;
    int code = prepare(q, local, &buf);
    if (code)
        return code;
    loops(q);
    tl__buf_unref(buf);
    return TL_OK;
}

/* is_done -- a product of nothing: C is as it should be afterwards. */
static int is_done(tl_dtype dtype, int64_t m, int64_t n, int64_t k, int accumulate, tl_matrix c)
{
    if (m > 0 && n > 0 && k <= 0 && !accumulate)
        zero(dtype, m, n, c);
    return m <= 0 || n <= 0 || k <= 0;
}

static tl_matrix turned(tl_matrix x)
{
    return (tl_matrix){x.data, x.cs, x.rs};
}

int tl__gemm(tl_dtype dtype, int64_t m, int64_t n, int64_t k, tl_matrix a, tl_matrix b,
             int accumulate, tl_matrix c)
{
    if (is_done(dtype, m, n, k, accumulate, c))
        return TL_OK;
    const tl_strips *with = tl__strips(dtype);
    if (!with)
        return tl__blis_gemm(dtype, m, n, k, a, b, accumulate, c);
    product q = {.dtype = dtype,
                 .size = (int64_t)tl_dtype_size(dtype),
                 .with = with,
                 .m = m,
                 .n = n,
                 .k = k,
                 .a = a,
                 .b = b,
                 .c = c,
                 .add = accumulate};
    /* C' = B'A' when C lies that way, or has too few columns for a panel. */
    int few = n <= FEW && n < m, few_rows = m <= FEW && m < n;
    if (few || (c.cs != 1 && c.rs == 1 && !few_rows)) {
        q.m = n;
        q.n = m;
        q.a = turned(b);
        q.b = turned(a);
        q.c = turned(c);
    }
    return run(&q);
}

size_t tl__panels_bytes(tl_dtype dtype, int64_t k, int64_t n)
{
    const tl_strips *with = tl__strips(dtype);
    size_t elements, bytes;
    if (!with || k <= 0 || n <= 0)
        return 0;
    if (tl__mul_size((size_t)(panels_of(with, n) * with->width), (size_t)k, &elements) ||
        tl__mul_size(elements + (size_t)with->width, tl_dtype_size(dtype), &bytes))
        return 0;
    return bytes;
}

int64_t tl__panels_count(tl_dtype dtype, int64_t n)
{
    return panels_of(tl__strips(dtype), n);
}

void tl__panels_pack(tl_dtype dtype, int64_t k, int64_t n, tl_matrix b, void *to)
{
    tl__panels_pack_part(dtype, k, n, b, to, 0, tl__panels_count(dtype, n));
}

void tl__panels_pack_part(tl_dtype dtype, int64_t k, int64_t n, tl_matrix b, void *to, int64_t lo,
                          int64_t hi)
{
    const tl_strips *with = tl__strips(dtype);
    int64_t width = with->width, size = (int64_t)tl_dtype_size(dtype);
    int64_t panels = panels_of(with, n), columns = panels * width, end = lesser(hi * width, n);
    for (int64_t pc = 0; pc < k; pc += KC)
        for (int64_t j = lo * width; j < end; j += width) {
            int64_t kp = lesser(KC, k - pc);
            pack(with, dtype, lesser(width, n - j), kp,
                 (const char *)b.data + (pc * b.rs + j * b.cs) * size, b.rs, b.cs,
                 (char *)to + (pc * columns + j * kp) * size);
        }
    if (hi == panels)
        memset((char *)to + k * columns * size, 0, (size_t)(width * size));
}

int tl__gemm_packed(tl_dtype dtype, int64_t all, int64_t m, int64_t first, int64_t n, int64_t k,
                    tl_matrix a, const void *panels, int accumulate, tl_matrix c)
{
    if (is_done(dtype, m, n, k, accumulate, c))
        return TL_OK;
    product q = {.dtype = dtype,
                 .size = (int64_t)tl_dtype_size(dtype),
                 .with = tl__strips(dtype),
                 .m = m,
                 .n = n,
                 .k = k,
                 .a = a,
                 .panels = panels,
                 .first = first,
                 .all = all,
                 .c = c,
                 .add = accumulate};
    return run(&q);
}

const char *tl__gemm_family(void)
{
    tl__machine_init();
    return tl__blis_family();
}

void tl__gemm_init(tl_isa isa)
{
    tl__blis_init(isa);
}
