/* meta.h -- named strings that travel with weights: step, draw number, position in the data.
 *
 * A checkpoint is parameters and these. Numbers are kept as text that reads back exactly. */
#ifndef TL_CORE_META_H
#define TL_CORE_META_H

#include "core/status.h"

TL_BEGIN_DECLS

typedef struct tl_meta tl_meta;

/* tl_meta_new -- an empty collection; NULL when memory is short. */
TL_API tl_meta *tl_meta_new(void);
TL_API void tl_meta_free(tl_meta *m);

/* tl_meta_set -- copies key and value; replaces what the key had. A double keeps every bit.
 * TL_EINVAL for an empty key or NULL, TL_ENOMEM. */
TL_API int tl_meta_set(tl_meta *m, const char *key, const char *value);
TL_API int tl_meta_set_i64(tl_meta *m, const char *key, int64_t value);
TL_API int tl_meta_set_u64(tl_meta *m, const char *key, uint64_t value);
TL_API int tl_meta_set_f64(tl_meta *m, const char *key, double value);

/* tl_meta_get -- the value, owned by m until it is changed; NULL when the key is not there. */
TL_API const char *tl_meta_get(const tl_meta *m, const char *key);

/* tl_meta_get_i64, _u64, _f64 -- TL_ENAME when the key is not there, TL_EFORMAT when the text is
 * not such a number or has anything behind it; *value is then untouched. */
TL_API int tl_meta_get_i64(const tl_meta *m, const char *key, int64_t *value, tl_err *err);
TL_API int tl_meta_get_u64(const tl_meta *m, const char *key, uint64_t *value, tl_err *err);
TL_API int tl_meta_get_f64(const tl_meta *m, const char *key, double *value, tl_err *err);

/* tl_meta_count, tl_meta_key -- all keys, in the order in which they were first set. */
TL_API int tl_meta_count(const tl_meta *m);
TL_API const char *tl_meta_key(const tl_meta *m, int i);

/* ---- inside the library ---------------------------------------------------------------------- */

/* tl__meta_union -- all of a and b (either may be NULL), b's value where both have a key; NULL when
 * memory is short. tl__meta_swap -- exchanges the contents; cannot fail. Together they add to a
 * collection all at once. */
TL_API tl_meta *tl__meta_union(const tl_meta *a, const tl_meta *b);
TL_API void tl__meta_swap(tl_meta *a, tl_meta *b);

TL_END_DECLS
#endif
