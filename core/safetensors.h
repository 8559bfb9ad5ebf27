/* safetensors.h -- the file format: header parsed and checked, header written. Private; weights.h
 * is the way in.
 *
 *     8 bytes          N bytes                      the rest
 *     [ N, u64 LE ]    [ {"name": {...}, ...}   ]   [ data of the tensors, back to back ]
 *
 * A reader trusts nothing: every number is checked before it is used, and a file is refused whole.
 * Source: huggingface/safetensors, README, "Format". */
#ifndef TL_CORE_SAFETENSORS_H
#define TL_CORE_SAFETENSORS_H

#include "core/file.h"
#include "core/meta.h"
#include "core/shape.h"

/* tl_stored -- the element types of the format that we tell apart. */
typedef enum tl_stored {
    TL_STORED_F16,
    TL_STORED_BF16,
    TL_STORED_F32,
    TL_STORED_F64,
    TL_STORED_I32,
    TL_STORED_I64,
    TL_STORED_OTHER
} tl_stored;

typedef struct tl_stored_tensor {
    char *name;
    tl_stored type;
    char type_name[12]; /* "BF16" */
    tl_shape shape;     /* rank -1 when the file has more than TL_MAX_RANK axes */
    int64_t count;      /* elements */
    uint64_t at;        /* of its first byte, from the file's start */
    uint64_t bytes;
} tl_stored_tensor;

/* tl_safetensors -- the contents of a file's header, sorted by position. */
typedef struct tl_safetensors {
    int64_t n;
    tl_stored_tensor *tensor;
} tl_safetensors;

/* tl__safetensors_read -- parses and checks the header; metadata goes to meta unless that is NULL.
 * TL_EFORMAT names the file and what is wrong with it. On failure s is empty. */
TL_API int tl__safetensors_read(const tl_reader *r, tl_safetensors *s, tl_meta *meta, tl_err *err);
TL_API void tl__safetensors_close(tl_safetensors *s);

/* tl_stored_value -- one tensor to be written. */
typedef struct tl_stored_value {
    const char *name;
    tl_dtype dtype;
    tl_shape shape;
    const void *data;
} tl_stored_value;

/* tl__safetensors_write -- a whole file: f64 values first, so that all are aligned. path is for
 * messages. */
TL_API int tl__safetensors_write(tl_writer *w, const char *path, int64_t n,
                                 const tl_stored_value *values, const tl_meta *meta, tl_err *err);

#endif
