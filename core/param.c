/* param.c -- parameter sets and states: what outlives a tape. Their effects are in effect.c. */
#include "core/rows.h"

#include <stdio.h>
#include <string.h>

struct tl_params {
    tl_dtype dtype;
    tl_param **params;
    uint32_t count, capacity;
    char *prefix; /* "encoder.layer." */
    size_t prefix_length;
};

tl_params *tl_params_new(tl_dtype dtype)
{
    if (dtype != TL_F32 && dtype != TL_F64) {
        tl__fail(NULL, TL_EDTYPE, "tl_params_new: got dtype %s, want f32 or f64",
                 tl_dtype_name(dtype));
        return NULL;
    }
    tl_params *set = tl__calloc(1, sizeof *set);
    if (set)
        set->dtype = dtype;
    return set;
}

static void param_free(tl_param *p)
{
    tl__rows_set(&p->store, NULL);
    tl__buf_unref(p->store.value);
    tl__buf_unref(p->grad);
    tl__free(p->name);
    tl__free(p);
}

void tl_params_free(tl_params *set)
{
    if (!set)
        return;
    for (uint32_t i = 0; i < set->count; i++)
        param_free(set->params[i]);
    tl__free(set->params);
    tl__free(set->prefix);
    tl__free(set);
}

/* zeros -- a fresh buffer of count zeros; NULL when memory is short. */
static tl_buf *zeros(tl_dtype dtype, int64_t count)
{
    size_t bytes = (size_t)count * tl_dtype_size(dtype);
    tl_buf *b = tl__buf_new(bytes);
    if (b)
        memset(b->data, 0, bytes);
    return b;
}

tl_param *tl_param_new(tl_params *set, const char *name, tl_shape shape, tl_err *err)
{
    char text[TL_SHAPE_TEXT];
    if (!set) {
        tl__fail(err, TL_EINVAL, "tl_param_new: no parameter set (NULL)");
        return NULL;
    }
    if (!name || !name[0]) {
        tl__fail(err, TL_ENAME, "tl_param_new: a parameter needs a name");
        return NULL;
    }
    int64_t count = tl_shape_count(shape);
    if (count < 0) {
        tl__fail(err, TL_ESHAPE, "tl_param_new: %s has the invalid or too large shape %s", name,
                 tl_shape_text(shape, text, sizeof text));
        return NULL;
    }
    size_t length = strlen(name);
    char *full = tl__alloc(set->prefix_length + length + 1);
    if (!full)
        goto no_memory;
    if (set->prefix_length)
        memcpy(full, set->prefix, set->prefix_length);
    memcpy(full + set->prefix_length, name, length + 1);
    if (tl_params_find(set, full)) {
        tl__fail(err, TL_ENAME, "tl_param_new: the set already has a parameter named %s", full);
        tl__free(full);
        return NULL;
    }
    tl_param *p = tl__calloc(1, sizeof *p);
    if (p)
        p->store.value = zeros(set->dtype, count);
    if (!p || !p->store.value ||
        tl__grow(&set->params, &set->capacity, set->count + 1, sizeof *set->params)) {
        if (p)
            tl__buf_unref(p->store.value);
        tl__free(p);
        tl__free(full);
        goto no_memory;
    }
    p->store.dtype = set->dtype;
    p->store.shape = shape;
    p->store.version = 1;
    static atomic_uint_fast64_t serials;
    p->serial = atomic_fetch_add(&serials, 1);
    p->name = full;
    p->set = set;
    set->params[set->count++] = p;
    return p;
no_memory:
    tl__fail(err, TL_ENOMEM, "tl_param_new: no memory for %s %s", name,
             tl_shape_text(shape, text, sizeof text));
    return NULL;
}

void tl_params_scope_open(tl_params *set, const char *name)
{
    if (!set || !name)
        return;
    size_t length = strlen(name);
    char *prefix = tl__realloc(set->prefix, set->prefix_length + length + 2);
    if (!prefix) {
        tl__fail(NULL, TL_ENOMEM, "tl_params_scope_open: no memory for \"%s\"", name);
        return;
    }
    memcpy(prefix + set->prefix_length, name, length);
    set->prefix = prefix;
    set->prefix_length += length;
    set->prefix[set->prefix_length++] = '.';
    set->prefix[set->prefix_length] = '\0';
}

void tl_params_scope_close(tl_params *set)
{
    if (!set || set->prefix_length == 0)
        return;
    set->prefix_length--; /* the dot at the end */
    while (set->prefix_length > 0 && set->prefix[set->prefix_length - 1] != '.')
        set->prefix_length--;
    set->prefix[set->prefix_length] = '\0';
}

int tl_params_count(const tl_params *set)
{
    return set ? (int)set->count : 0;
}

tl_param *tl_params_at(const tl_params *set, int i)
{
    return set && i >= 0 && i < (int)set->count ? set->params[i] : NULL;
}

tl_param *tl_params_find(const tl_params *set, const char *name)
{
    for (uint32_t i = 0; set && name && i < set->count; i++)
        if (strcmp(set->params[i]->name, name) == 0)
            return set->params[i];
    return NULL;
}

tl_dtype tl_params_dtype(const tl_params *set)
{
    return set ? set->dtype : TL_F32;
}

int64_t tl_params_elements(const tl_params *set)
{
    int64_t n = 0;
    for (uint32_t i = 0; set && i < set->count; i++)
        n += tl_shape_count(set->params[i]->store.shape);
    return n;
}

const char *tl_param_name(const tl_param *p)
{
    return p ? p->name : "";
}

tl_shape tl_param_shape(const tl_param *p)
{
    return p ? p->store.shape : tl_shape0();
}

tl_dtype tl_param_dtype(const tl_param *p)
{
    return p ? p->store.dtype : TL_F32;
}

uint64_t tl_param_version(const tl_param *p)
{
    return p ? p->store.version : 0;
}

void tl_param_clear_grad(tl_param *p)
{
    if (!p)
        return;
    tl__buf_unref(p->grad);
    p->grad = NULL;
}

void tl_param_freeze(tl_param *p, int frozen)
{
    if (p)
        p->frozen = frozen != 0;
}

int tl_param_is_frozen(const tl_param *p)
{
    return p ? p->frozen : 0;
}

/* copy_elements -- n elements from one floating type to the other, or the same. */
static void copy_elements(tl_dtype to, void *out, tl_dtype from, const void *in, int64_t n)
{
    if (to == from) {
        memcpy(out, in, (size_t)n * tl_dtype_size(to));
    } else if (to == TL_F32) {
        for (int64_t i = 0; i < n; i++)
            ((float *)out)[i] = (float)((const double *)in)[i];
    } else {
        for (int64_t i = 0; i < n; i++)
            ((double *)out)[i] = (double)((const float *)in)[i];
    }
}

/* check_count -- `what` is the function that was called, name whose elements they are. */
static int check_count(const tl_store *s, const char *what, const char *name, int64_t count,
                       const void *data)
{
    char text[TL_SHAPE_TEXT];
    if (count != tl_shape_count(s->shape))
        return tl__fail(NULL, TL_ESHAPE, "%s: got %lld elements, but %s is %s with %lld", what,
                        (long long)count, name, tl_shape_text(s->shape, text, sizeof text),
                        (long long)tl_shape_count(s->shape));
    if (!data && count > 0)
        return tl__fail(NULL, TL_EINVAL, "%s: no array (NULL) for %s", what, name);
    return TL_OK;
}

static int store_get(const tl_store *s, const char *what, const char *name, const void *value,
                     tl_dtype to, void *out, int64_t count)
{
    int code = check_count(s, what, name, count, out);
    if (code == TL_OK && !value)
        code = tl__fail(NULL, TL_ENOMEM, "%s: no memory for a copy of %s", what, name);
    if (code == TL_OK && count > 0)
        copy_elements(to, out, s->dtype, value, count);
    return code;
}

/* store_set -- a new version made of data; tapes that hold the old one keep it. */
static int store_set(tl_store *s, const char *what, const char *name, tl_dtype from,
                     const void *data, int64_t count)
{
    int code = check_count(s, what, name, count, data);
    if (code)
        return code;
    tl_buf *fresh = tl__buf_new((size_t)count * tl_dtype_size(s->dtype));
    if (!fresh)
        return tl__fail(NULL, TL_ENOMEM, "%s: no memory for %lld elements of %s", what,
                        (long long)count, name);
    if (count > 0)
        copy_elements(s->dtype, fresh->data, from, data, count);
    tl__rows_set(s, NULL);
    tl__buf_unref(s->value);
    s->value = fresh;
    s->version++;
    return TL_OK;
}

int tl_param_get_f32(const tl_param *p, float *out, int64_t count)
{
    return p ? store_get(&p->store, "tl_param_get_f32", p->name, tl__store_data(&p->store), TL_F32,
                         out, count)
             : TL_EINVAL;
}

int tl_param_get_f64(const tl_param *p, double *out, int64_t count)
{
    return p ? store_get(&p->store, "tl_param_get_f64", p->name, tl__store_data(&p->store), TL_F64,
                         out, count)
             : TL_EINVAL;
}

int tl_param_set_f32(tl_param *p, const float *data, int64_t count)
{
    return p ? store_set(&p->store, "tl_param_set_f32", p->name, TL_F32, data, count) : TL_EINVAL;
}

int tl_param_set_f64(tl_param *p, const double *data, int64_t count)
{
    return p ? store_set(&p->store, "tl_param_set_f64", p->name, TL_F64, data, count) : TL_EINVAL;
}

int tl_param_grad_f64(const tl_param *p, double *out, int64_t count)
{
    if (!p)
        return TL_EINVAL;
    if (!p->grad)
        return tl__fail(
            NULL, TL_ESTATE,
            "tl_param_grad_f64: %s has no stored gradient; tl_backward and tl_commit come first",
            p->name);
    return store_get(&p->store, "tl_param_grad_f64", p->name, p->grad->data, TL_F64, out, count);
}

tl_state *tl_state_new(tl_dtype dtype, tl_shape shape)
{
    int64_t count = tl_shape_count(shape);
    char text[TL_SHAPE_TEXT];
    if (count < 0) {
        tl__fail(NULL, TL_ESHAPE, "tl_state_new: invalid or too large shape %s",
                 tl_shape_text(shape, text, sizeof text));
        return NULL;
    }
    if ((unsigned)dtype > TL_I32) {
        tl__fail(NULL, TL_EDTYPE,
                 "tl_state_new: got element type %d, want TL_F32, TL_F64 or TL_I32", (int)dtype);
        return NULL;
    }
    tl_state *s = tl__calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->store.dtype = dtype;
    s->store.shape = shape;
    s->store.version = 1;
    s->store.value = zeros(dtype, count);
    if (!s->store.value) {
        tl__free(s);
        return NULL;
    }
    return s;
}

void tl_state_free(tl_state *s)
{
    if (!s)
        return;
    tl__buf_unref(s->store.value);
    tl__free(s);
}

int tl_state_zero(tl_state *s)
{
    if (!s)
        return TL_EINVAL;
    tl_buf *fresh = zeros(s->store.dtype, tl_shape_count(s->store.shape));
    if (!fresh)
        return tl__fail(NULL, TL_ENOMEM, "tl_state_zero: no memory");
    tl__buf_unref(s->store.value);
    s->store.value = fresh;
    s->store.version++;
    return TL_OK;
}

tl_shape tl_state_shape(const tl_state *s)
{
    return s ? s->store.shape : tl_shape0();
}

tl_dtype tl_state_dtype(const tl_state *s)
{
    return s ? s->store.dtype : TL_F32;
}

int tl_state_get_f64(const tl_state *s, double *out, int64_t count)
{
    if (!s || s->store.dtype == TL_I32)
        return s ? tl__fail(NULL, TL_EDTYPE, "tl_state_get_f64: the state is i32, want f32 or f64")
                 : TL_EINVAL;
    return store_get(&s->store, "tl_state_get_f64", "the state", s->store.value->data, TL_F64, out,
                     count);
}

int tl_state_set_f64(tl_state *s, const double *data, int64_t count)
{
    if (!s || s->store.dtype == TL_I32)
        return s ? tl__fail(NULL, TL_EDTYPE, "tl_state_set_f64: the state is i32, want f32 or f64")
                 : TL_EINVAL;
    return store_set(&s->store, "tl_state_set_f64", "the state", TL_F64, data, count);
}
