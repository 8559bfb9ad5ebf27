/* attr_text.c -- structural attributes in words. */
#include "core/attr_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* add -- appends to text; a text that is full ends in "...". */
TL_PRINTF(3, 4) static void add(char *text, size_t size, const char *format, ...)
{
    const size_t used = strlen(text);
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(text + used, size - used, format, args);
    va_end(args);
    if (n >= 0 && (size_t)n >= size - used && size > 4)
        memcpy(text + size - 4, "...", 4);
}

void tl__text_axes(const tl_attr *a, const tl_shape *in, char *text, size_t size)
{
    const char *between = "";
    add(text, size, "%s ", (a->i[0] & (a->i[0] - 1)) ? "axes" : "axis");
    for (int axis = 0; axis < in->rank; axis++)
        if (a->i[0] >> (in->rank - 1 - axis) & 1) {
            add(text, size, "%s%d", between, axis);
            between = ",";
        }
}

void tl__text_axis(const tl_attr *a, const tl_shape *in, char *text, size_t size)
{
    add(text, size, "axis %d", in->rank - (int)a->i[0]);
}

void tl__text_order(const tl_attr *a, const tl_shape *in, char *text, size_t size)
{
    add(text, size, "axes ");
    for (int axis = 0; axis < in->rank; axis++) {
        const int k = in->rank - axis; /* from the end */
        const int from = k <= a->ni ? (int)a->i[k - 1] : k;
        add(text, size, "%s%d", axis ? "," : "", in->rank - from);
    }
}

void tl__text_range(const tl_attr *a, const tl_shape *in, char *text, size_t size)
{
    add(text, size, "axis %d, %lld:%lld", in->rank - (int)a->i[0], (long long)a->i[1],
        (long long)(a->i[1] + a->i[2]));
}

void tl__text_labels(const tl_attr *a, const tl_shape *in, char *text, size_t size)
{
    static const char letter[] = "ijklmnopqrstuvwxyzabcdefghABCDEFGHIJKLMNOPQRSTUVWXYZ";
    int given[64];
    int letters = 0, at = 0;
    (void)in;
    for (int k = 0; k < 64; k++)
        given[k] = -1;
    for (int k = 0; k < 3 && at < a->ni; k++) {
        const int rank = (int)a->i[at++];
        add(text, size, "%s", k == 1 ? "," : k == 2 ? "->" : "");
        for (int axis = 0; axis < rank && at < a->ni; axis++, at++) {
            int *g = &given[a->i[at] & 63];
            *g = *g < 0 ? letters++ : *g;
            add(text, size, "%c", *g < (int)sizeof letter - 1 ? letter[*g] : '?');
        }
    }
}

void tl__text_offsets(const tl_attr *a, const tl_shape *in, char *text, size_t size)
{
    const int64_t n = a->i[0], rank = a->i[1];
    (void)in;
    add(text, size, "at");
    for (int64_t p = 0; p < n && p < 8; p++) {
        add(text, size, " [");
        for (int64_t k = 0; k < rank; k++)
            add(text, size, "%s%lld", k ? "," : "", (long long)a->i[2 + p * rank + k]);
        add(text, size, "]");
    }
    if (n > 8)
        add(text, size, " ...");
}

void tl__text_limits(const tl_attr *a, const tl_shape *in, char *text, size_t size)
{
    (void)in;
    add(text, size, "%lld .. %lld", (long long)a->i[0], (long long)a->i[1]);
}

void tl__text_dtype(const tl_attr *a, const tl_shape *in, char *text, size_t size)
{
    (void)in;
    add(text, size, "to %s", tl_dtype_name((tl_dtype)a->i[0]));
}

void tl__text_classes(const tl_attr *a, const tl_shape *in, char *text, size_t size)
{
    (void)in;
    add(text, size, "%lld classes", (long long)a->i[0]);
}

void tl__text_rows(const tl_attr *a, const tl_shape *in, char *text, size_t size)
{
    (void)in;
    add(text, size, "%lld rows", (long long)a->i[0]);
}

const char *tl__attr_text(const tl_op *op, const tl_attr *a, const tl_shape *in, char *text,
                          size_t size)
{
    text[0] = '\0';
    if (a->ni > 0 && op->attr_text)
        op->attr_text(a, in, text, size);
    for (int i = 0; !op->attr_text && i < a->ni && i < 6; i++)
        add(text, size, "%s%lld", i ? " " : "", (long long)a->i[i]);
    if (!op->attr_text && a->ni > 6)
        add(text, size, " ...");
    return text;
}
