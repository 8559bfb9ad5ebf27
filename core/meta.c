/* meta.c -- a small ordered table of strings, and numbers in it as exact text. */
#include "core/meta.h"

#include "core/memory.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct entry {
    char *key, *value;
} entry;

struct tl_meta {
    entry *entries;
    uint32_t count, capacity;
};

tl_meta *tl_meta_new(void)
{
    return tl__calloc(1, sizeof(tl_meta));
}

void tl_meta_free(tl_meta *m)
{
    if (!m)
        return;
    for (uint32_t i = 0; i < m->count; i++) {
        tl__free(m->entries[i].key);
        tl__free(m->entries[i].value);
    }
    tl__free(m->entries);
    tl__free(m);
}

static entry *find(const tl_meta *m, const char *key)
{
    for (uint32_t i = 0; m && key && i < m->count; i++)
        if (strcmp(m->entries[i].key, key) == 0)
            return &m->entries[i];
    return NULL;
}

int tl_meta_set(tl_meta *m, const char *key, const char *value)
{
    if (!m || !key || !key[0] || !value)
        return tl__fail(NULL, TL_EINVAL, "tl_meta_set: needs a key and a value");
    char *text = tl__strdup(value);
    if (!text)
        return tl__fail(NULL, TL_ENOMEM, "tl_meta_set: no memory for %s", key);
    entry *e = find(m, key);
    if (e) {
        tl__free(e->value);
        e->value = text;
        return TL_OK;
    }
    char *name = tl__strdup(key);
    if (!name || tl__grow(&m->entries, &m->capacity, m->count + 1, sizeof *m->entries)) {
        tl__free(name);
        tl__free(text);
        return tl__fail(NULL, TL_ENOMEM, "tl_meta_set: no memory for %s", key);
    }
    m->entries[m->count++] = (entry){name, text};
    return TL_OK;
}

int tl_meta_set_i64(tl_meta *m, const char *key, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    return tl_meta_set(m, key, text);
}

int tl_meta_set_u64(tl_meta *m, const char *key, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return tl_meta_set(m, key, text);
}

/* A double is written as integer times a power of two, "6004799503160661p-54": exact, and the same
 * in every locale. */
int tl_meta_set_f64(tl_meta *m, const char *key, double value)
{
    char text[48];
    int exponent = 0;
    const char *sign = signbit(value) ? "-" : "";
    if (isnan(value))
        snprintf(text, sizeof text, "nan");
    else if (isinf(value))
        snprintf(text, sizeof text, "%sinf", sign);
    else {
        long long mantissa = (long long)ldexp(frexp(fabs(value), &exponent), 53);
        snprintf(text, sizeof text, "%s%lldp%d", sign, mantissa, mantissa ? exponent - 53 : 0);
    }
    return tl_meta_set(m, key, text);
}

const char *tl_meta_get(const tl_meta *m, const char *key)
{
    const entry *e = find(m, key);
    return e ? e->value : NULL;
}

static int not_there(const char *key, tl_err *err)
{
    return tl__fail(err, TL_ENAME, "the metadata have no \"%s\"", key ? key : "");
}

static int not_a_number(const char *key, const char *text, const char *kind, tl_err *err)
{
    return tl__fail(err, TL_EFORMAT, "metadata \"%s\" is \"%.60s\", want %s", key, text, kind);
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

int tl_meta_get_i64(const tl_meta *m, const char *key, int64_t *value, tl_err *err)
{
    const char *text = tl_meta_get(m, key);
    if (!text)
        return not_there(key, err);
    char *end = NULL;
    errno = 0;
    long long x = is_digit(text[text[0] == '-']) ? strtoll(text, &end, 10) : 0;
    if (!end || *end || errno)
        return not_a_number(key, text, "an integer of 64 bits", err);
    *value = x;
    return TL_OK;
}

int tl_meta_get_u64(const tl_meta *m, const char *key, uint64_t *value, tl_err *err)
{
    const char *text = tl_meta_get(m, key);
    if (!text)
        return not_there(key, err);
    char *end = NULL;
    errno = 0;
    unsigned long long x = is_digit(text[0]) ? strtoull(text, &end, 10) : 0;
    if (!end || *end || errno)
        return not_a_number(key, text, "an unsigned integer of 64 bits", err);
    *value = x;
    return TL_OK;
}

int tl_meta_get_f64(const tl_meta *m, const char *key, double *value, tl_err *err)
{
    const char *text = tl_meta_get(m, key);
    if (!text)
        return not_there(key, err);
    int negative = text[0] == '-';
    const char *digits = text + negative;
    double x = 0;
    if (strcmp(digits, "nan") == 0) {
        x = (double)NAN;
    } else if (strcmp(digits, "inf") == 0) {
        x = (double)INFINITY;
    } else {
        char *end = NULL;
        errno = 0;
        long long mantissa = is_digit(digits[0]) ? strtoll(digits, &end, 10) : 0;
        int has_power = end && end[0] == 'p' && is_digit(end[1 + (end[1] == '-')]);
        long exponent = has_power ? strtol(end + 1, &end, 10) : 0;
        if (!has_power || *end || errno || mantissa > 1ll << 53 || exponent < -4000 ||
            exponent > 4000)
            return not_a_number(key, text, "a number written by tl_meta_set_f64", err);
        x = ldexp((double)mantissa, (int)exponent);
    }
    *value = negative ? -x : x;
    return TL_OK;
}

int tl_meta_count(const tl_meta *m)
{
    return m ? (int)m->count : 0;
}

const char *tl_meta_key(const tl_meta *m, int i)
{
    return i >= 0 && i < tl_meta_count(m) ? m->entries[i].key : NULL;
}

tl_meta *tl__meta_union(const tl_meta *a, const tl_meta *b)
{
    const tl_meta *both[2] = {a, b};
    tl_meta *m = tl_meta_new();
    for (int k = 0; k < 2; k++)
        for (int i = 0; m && i < tl_meta_count(both[k]); i++)
            if (tl_meta_set(m, both[k]->entries[i].key, both[k]->entries[i].value)) {
                tl_meta_free(m);
                m = NULL;
            }
    return m;
}

void tl__meta_swap(tl_meta *a, tl_meta *b)
{
    tl_meta t = *a;
    *a = *b;
    *b = t;
}
