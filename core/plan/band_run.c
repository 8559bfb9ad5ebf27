/* band_run.c -- runs the parts of a band, rows by rows.
 *
 *     scratch   [ addresses | what lies in scratch | registers of tiles ] */
#include "core/plan/band.h"

#include "core/sum.h"

#include <string.h>

enum { ALIGN = 64, OPERANDS = 4 /* of a call, with its result */ };

static size_t rounded(size_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

size_t tl__band_scratch(const tl_band *b)
{
    return rounded(b->noperands * sizeof(char *)) + b->local_bytes + b->register_bytes;
}

static int call(const tl_band_part *p, char **at, int64_t first, int64_t n, char message[360])
{
    tl_strided array[OPERANDS];
    tl_shape shape[OPERANDS];
    tl_call c = {.op = p->op, .attr = &p->attr, .nin = (int)p->n - 1, .in = array};
    for (uint32_t k = 0; k < p->n; k++) {
        shape[k] = p->shape[k];
        shape[k].dim[0] = n;
        array[k] = (tl_strided){at[k], p->array[k].dtype, &shape[k], p->array[k].stride};
    }
    c.out = array[p->n - 1];
    c.first_row = first;
    c.row_axes = &p->row_axes;
    const int code = p->op->run(&c);
    if (code)
        memcpy(message, c.message, sizeof c.message);
    return code;
}

int tl__band_run(const tl_band *b, char *const *data, void *scratch, int64_t lo, int64_t hi,
                 char message[360], const tl_band_part **failed)
{
    char **at = scratch, *here = (char *)scratch + rounded(b->noperands * sizeof(char *));
    void *registers = here + b->local_bytes;
    for (int64_t row = lo; row < hi; row += b->length) {
        const int64_t n = hi - row < b->length ? hi - row : b->length;
        for (const tl_band_part *p = b->part, *end = p + b->nparts; p < end; p++) {
            for (uint32_t k = 0; k < p->n; k++) {
                const uint32_t o = p->first + k;
                at[k] = b->local[o] >= 0 ? here + b->local[o] : data[o] + row * b->step[o];
            }
            int code = TL_OK;
            if (p->tile)
                tl__tile_run_part(p->tile, at, registers, 0, n);
            else if (p->is_sum)
                tl__sum_partial(p->array[0].dtype, p->q, row, n, at[0], p->row_stride, at[1]);
            else
                code = call(p, at, row, n, message);
            if (code) {
                *failed = p;
                return code;
            }
        }
    }
    return TL_OK;
}

void tl__band_finish(const tl_band *b, char *const *data)
{
    for (const tl_band_part *p = b->part, *end = p + b->nparts; p < end; p++)
        if (p->is_sum)
            tl__sum_finish(p->array[0].dtype, p->q, b->rows, data[p->first + 1],
                           data[p->first + 2]);
}
