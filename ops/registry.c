/* registry.c -- the list of names as an array of descriptors. */
#include "ops/registry.h"

#include "core/memory.h"

#include <string.h>

#define ENTRY(NAME) &tl_op_##NAME,
static const tl_op *const ops[] = {TL_CORE_OPS(ENTRY) TL_OPS(ENTRY)};
enum { COUNT = sizeof ops / sizeof ops[0] };

int tl_ops_count(void)
{
    return COUNT;
}

const tl_op *tl_ops_at(int i)
{
    return i >= 0 && i < COUNT ? ops[i] : NULL;
}

const tl_op *tl_ops_find(const char *name)
{
    for (int i = 0; name && i < COUNT; i++)
        if (strcmp(ops[i]->name, name) == 0)
            return ops[i];
    return NULL;
}

static const char *kind_text(tl_kind kind)
{
    static const char *const text[] = {
        [TL_POINTWISE] = "pointwise", [TL_VIEW] = "view",     [TL_CONTRACTION] = "contraction",
        [TL_REDUCTION] = "reduction", [TL_GATHER] = "gather", [TL_RANDOM] = "random",
        [TL_ASSEMBLE] = "assemble",   [TL_LEAF] = "leaf",     [TL_LOOP] = "loop",
        [TL_RESULT] = "result",       [TL_OTHER] = "other",
    };
    return text[kind];
}

/* put -- text behind what is in out at *used, a bar as \|; with out NULL only counts. */
static void put(char *out, size_t *used, const char *text, int escape)
{
    for (; *text; text++) {
        if (escape && *text == '|') {
            if (out)
                out[*used] = '\\';
            ++*used;
        }
        if (out)
            out[*used] = *text;
        ++*used;
    }
}

static size_t table(char *out)
{
    size_t used = 0;
    put(out, &used, "| operation | value | shapes | gradient | kind |\n|---|---|---|---|---|\n", 0);
    for (int i = 0; i < COUNT; i++) {
        put(out, &used, "| ", 0);
        put(out, &used, ops[i]->name, 1);
        put(out, &used, " | ", 0);
        put(out, &used, ops[i]->doc, 1);
        put(out, &used, " | ", 0);
        put(out, &used, ops[i]->shape_doc ? ops[i]->shape_doc : "", 1);
        put(out, &used, " | ", 0);
        put(out, &used, ops[i]->grad_doc, 1);
        put(out, &used, " | ", 0);
        put(out, &used, kind_text(ops[i]->kind), 1);
        put(out, &used, " |\n", 0);
    }
    if (out)
        out[used] = '\0';
    return used;
}

char *tl_ops_text(void)
{
    char *text = tl__alloc(table(NULL) + 1);
    if (text)
        table(text);
    return text;
}
