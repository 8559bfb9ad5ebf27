/* checkpoint.c -- a training as one safetensors file: tensors by name, the rest as its metadata. */
#include "checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PARTS = 2 + TL_CELL_STATES };

/* fill_parts -- what the file's tensors belong to; returns how many. */
static int fill_parts(const checkpoint *c, tl_weights_part *parts)
{
    const tl_cell *cell = tl_sequence_cell(c->model->sequence);
    int n = 0;
    parts[n++] = (tl_weights_part){"", c->model->params, NULL};
    parts[n++] = (tl_weights_part){"adam.", tl_optim_state(c->optim), NULL};
    for (int k = 0; k < cell->nstates; k++)
        parts[n++] =
            (tl_weights_part){cell->state[k].name, NULL, tl_sequence_memory_state(c->memory, k)};
    return n;
}

/* vocab_line -- the vocabulary as one line of text, to be freed. */
static char *vocab_line(const tl_vocab *vocab)
{
    int64_t size = tl_vocab_text(vocab, NULL, 0) + 1;
    char *line = malloc((size_t)size);
    if (line)
        tl_vocab_text(vocab, line, (size_t)size);
    return line;
}

static int out_of_memory(tl_err *err)
{
    snprintf(err->message, sizeof err->message, "%s", tl_strerror(TL_ENOMEM));
    return err->code = TL_ENOMEM;
}

int checkpoint_save(const checkpoint *c, const char *path, tl_err *err)
{
    tl_weights_part parts[MAX_PARTS];
    int n = fill_parts(c, parts);
    tl_meta *meta = tl_meta_new();
    char *line = vocab_line(c->vocab);
    int code = TL_OK;
    if (!meta || !line || tl_meta_set(meta, "vocabulary", line) != TL_OK ||
        tl_meta_set_i64(meta, "steps", c->steps) != TL_OK ||
        tl_place_save(c->place, meta, "place") != TL_OK)
        code = out_of_memory(err);
    if (code == TL_OK)
        code = tl_weights_save(path, n, parts, meta, err);
    free(line);
    tl_meta_free(meta);
    return code;
}

int checkpoint_load(checkpoint *c, const char *path, tl_err *err)
{
    tl_weights_part parts[MAX_PARTS];
    int n = fill_parts(c, parts);
    tl_meta *meta = tl_meta_new();
    char *line = vocab_line(c->vocab);
    int code = meta && line ? tl_weights_meta(path, meta, err) : out_of_memory(err);
    if (code == TL_OK) {
        const char *saved = tl_meta_get(meta, "vocabulary");
        if (!saved || strcmp(saved, line) != 0) {
            snprintf(err->message, sizeof err->message,
                     "%s: was trained on a text with other characters", path);
            code = err->code = TL_ENAME;
        }
    }
    if (code == TL_OK)
        code = tl_meta_get_i64(meta, "steps", &c->steps, err);
    if (code == TL_OK)
        code = tl_place_load(&c->place, meta, "place", err);
    if (code == TL_OK)
        code = tl_weights_load(path, n, parts, NULL, NULL, NULL, err);
    free(line);
    tl_meta_free(meta);
    return code;
}
