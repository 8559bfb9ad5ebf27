/* tape.c -- life and death of a tape: making, marking, releasing, resetting; scopes and modes.
 *
 * What is recorded is in record.c, what is stored beyond the tape in param.c and effect.c.
 * Releasing bumps the generation of every slot it frees, so that a handle kept too long is
 * recognised and named. */
#include "core/anomaly.h"
#include "core/node.h"
#include "core/plan/tally.h"
#include "core/run.h"

#include <stdio.h>
#include <string.h>

tl_tape_opts tl_tape_defaults(void)
{
    tl_tape_opts o = {.seed = 0, .warn_at = 1000000, .plans = 64};
    return o;
}

/* frame_init -- an empty frame inside parent. */
static void frame_init(tl_frame *f, uint32_t parent, uint32_t depth, const tl_tape *tape)
{
    uint32_t *nodes = f->nodes, nodes_capacity = f->nodes_capacity;
    tl_carry *carries = f->carries;
    uint32_t carries_capacity = f->carries_capacity;
    uint32_t *results = f->results, results_capacity = f->results_capacity;
    memset(f, 0, sizeof *f);
    f->nodes = nodes;
    f->nodes_capacity = nodes_capacity;
    f->carries = carries;
    f->carries_capacity = carries_capacity;
    f->results = results;
    f->results_capacity = results_capacity;
    f->parent = parent;
    f->depth = depth;
    f->loop = f->time = f->mask = TL_NONE;
    f->open = 1;
    f->T = 1;
    f->draw0 = tape->draw;
    f->first_slot = tape->nnodes;
    f->generation = tape->epoch;
    f->scope = tape->scope;
}

tl_tape *tl_tape_new(const tl_tape_opts *opts)
{
    tl_tape *tape = tl__calloc(1, sizeof *tape);
    if (!tape)
        return NULL;
    tl__profile_enter();
    tape->opts = opts ? *opts : tl_tape_defaults();
    tape->seed = tape->opts.seed;
    tape->train = 1;
    tape->of = TL_NONE;
    tape->anomaly = tl__anomaly_wanted();
    tape->frames = tl__calloc(4, sizeof *tape->frames);
    tape->scopes = tl__calloc(16, sizeof *tape->scopes);
    tape->outer_scopes = tl__calloc(16, sizeof *tape->outer_scopes);
    if (!tape->frames || !tape->scopes || !tape->outer_scopes) {
        tl_tape_free(tape);
        return NULL;
    }
    tape->frames_capacity = 4;
    tape->scopes_capacity = tape->outer_scopes_capacity = 16;
    tape->nscopes = 1;
    tape->scopes[0] = tl__arena_alloc(&tape->strings, 1);
    if (!tape->scopes[0]) {
        tl_tape_free(tape);
        return NULL;
    }
    tape->scopes[0][0] = '\0';
    frame_init(&tape->frames[0], TL_NONE, 0, tape);
    tape->nframes = 1;
    return tape;
}

/* drop_nodes -- lets go of everything in slots >= mark. */
static void drop_nodes(tl_tape *tape, uint32_t mark)
{
    if (mark >= tape->nnodes)
        return;
    for (uint32_t s = mark; s < tape->nnodes; s++) {
        tl_node *n = &tape->nodes[s];
        tl__buf_unref(n->buf);
        tape->generations[s]++;
        tape->last[s] = (tl_tenant){n->name ? n->name : n->op->name, tape->steps, n->scope, 0};
    }
    tl__arena_release(&tape->arena, tape->nodes[mark].arena);
    tape->nnodes = mark;

    while (tape->nframes > 1 && tape->frames[tape->nframes - 1].first_slot >= mark)
        tape->nframes--;
    for (uint32_t f = 1; f < tape->nframes; f++) {
        tl_frame *frame = &tape->frames[f];
        while (frame->nnodes > 0 && frame->nodes[frame->nnodes - 1] >= mark)
            frame->nnodes--;
        while (frame->nresults > 0 && frame->results[frame->nresults - 1] >= mark)
            frame->nresults--;
        if (frame->time != TL_NONE && frame->time >= mark)
            frame->time = TL_NONE;
    }
    for (uint32_t i = 0; i < tape->nusages; i++) {
        tl_usage *u = &tape->usages[i];
        if (u->leaf != TL_NONE && u->leaf >= mark)
            u->leaf = TL_NONE;
        if (u->bound != TL_NONE && u->bound >= mark)
            u->bound = TL_NONE;
        if (u->grad != TL_NONE && u->grad >= mark)
            u->grad = TL_NONE;
    }
}

static void drop_queue(tl_tape *tape)
{
    tape->neffects = 0;
    for (uint32_t i = 0; i < tape->nusages; i++) {
        tape->usages[i].grad = TL_NONE;
        tape->usages[i].queued = 0;
        tape->usages[i].clear = 0;
    }
}

void tl_tape_free(tl_tape *tape)
{
    if (!tape)
        return;
    drop_queue(tape);
    drop_nodes(tape, 0);
    tl__plans_free(tape);
    for (uint32_t f = 0; f < tape->frames_capacity; f++) {
        tl__free(tape->frames[f].nodes);
        tl__free(tape->frames[f].carries);
        tl__free(tape->frames[f].results);
    }
    tl__arena_close(&tape->arena);
    tl__arena_close(&tape->strings);
    tl__free(tape->frames);
    tl__free(tape->interned);
    tl__free(tape->scopes);
    tl__free(tape->outer_scopes);
    tl__free(tape->nodes);
    tl__free(tape->generations);
    tl__free(tape->last);
    tl__marks_free(tape->marks);
    tl__free(tape->effects);
    tl__free(tape->usages);
    tl__free(tape);
    tl__profile_leave();
}

/* queued_after -- name of an effect that needs a slot >= mark, or NULL. */
static const char *queued_after(const tl_tape *tape, uint32_t mark)
{
    for (uint32_t i = 0; i < tape->neffects; i++)
        if (tape->effects[i].slot >= mark ||
            (tape->effects[i].kind == TL_ASSIGN_ROWS && tape->effects[i].idx >= mark))
            return tape->effects[i].kind == TL_KEEP ? "a tl_keep" : "a tl_assign";
    for (uint32_t i = 0; i < tape->nusages; i++)
        if (tape->usages[i].queued && tape->usages[i].grad >= mark)
            return "a gradient of tl_backward";
    return NULL;
}

int tl__release_allowed(const tl_tape *tape, uint32_t mark, const char *what)
{
    if (tape->running)
        return tl__fail(NULL, TL_ESTATE, "%s: the tape is being run", what);
    if (tape->frame != 0)
        return tl__fail(NULL, TL_ESTATE, "%s: inside an open scan; tl_scan_close comes first",
                        what);
    if (tape->no_grad)
        return tl__fail(NULL, TL_ESTATE, "%s: inside tl_no_grad; tl_no_grad_close comes first",
                        what);
    const char *effect = queued_after(tape, mark);
    if (effect)
        return tl__fail(NULL, TL_ESTATE,
                        "%s: %s is queued; tl_commit (or an optimizer step) comes first", what,
                        effect);
    return TL_OK;
}

int tl_tape_reset(tl_tape *tape)
{
    if (!tape)
        return TL_EINVAL;
    if (!tape->code) {
        int code = tl__release_allowed(tape, 0, "tl_tape_reset");
        if (code)
            return code;
    } else {
        tape->frame = 0;
        tape->no_grad = 0;
    }
    drop_queue(tape);
    drop_nodes(tape, 0);
    tape->nusages = 0;
    tape->nframes = 1;
    tape->scope = 0;
    tape->steps++;
    tl__marks_free(tape->marks);
    tape->marks = NULL;
    tape->code = TL_OK;
    tape->message[0] = '\0';
    return TL_OK;
}

uint32_t tl_tape_mark(const tl_tape *tape)
{
    if (!tape)
        return 0;
    tl__marks_add(tape->marks, tape->nnodes);
    return tape->nnodes;
}

int tl_tape_release(tl_tape *tape, uint32_t mark)
{
    if (!tape)
        return TL_EINVAL;
    if (tape->code)
        return tape->code;
    if (mark > tape->nnodes)
        return tl__fail(NULL, TL_EINVAL, "tl_tape_release: mark %u, but only %u nodes are recorded",
                        mark, tape->nnodes);
    if (!tl__marks_have(tape->marks, mark))
        return tl__fail(
            NULL, TL_EINVAL,
            "tl_tape_release: mark %u was not taken after tl_cut, which moved the nodes "
            "(take it behind the cut; 0 releases all)",
            mark);
    int code = tl__release_allowed(tape, mark, "tl_tape_release");
    if (code)
        return code;
    tl__marks_drop(tape->marks, mark);
    drop_nodes(tape, mark);
    return TL_OK;
}

int tl_tape_status(const tl_tape *tape)
{
    return tape ? tape->code : TL_EINVAL;
}

const char *tl_tape_error(const tl_tape *tape)
{
    return tape ? tape->message : "no tape";
}

uint32_t tl_tape_nodes(const tl_tape *tape)
{
    return tape ? tape->nnodes : 0;
}

tl_tensor tl_tape_at(tl_tape *tape, uint32_t number)
{
    if (number >= tl_tape_nodes(tape) || tape->nodes[number].op->kind == TL_LOOP ||
        !tl__visible(tape, tape->nodes[number].frame, tape->frame))
        return (tl_tensor){0};
    return tl__at(tape, number);
}

static uint32_t text_hash(const char *text)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 16777619u;
    return h;
}

/* interned_grow -- doubles the hash set when it is half full. */
static int interned_grow(tl_tape *tape)
{
    if (2 * (tape->ninterned + 1) <= tape->interned_capacity)
        return TL_OK;
    uint32_t capacity = tape->interned_capacity ? 2 * tape->interned_capacity : 64;
    const char **table = tl__calloc(capacity, sizeof *table);
    if (!table)
        return TL_ENOMEM;
    for (uint32_t i = 0; i < tape->interned_capacity; i++) {
        if (!tape->interned[i])
            continue;
        uint32_t k = text_hash(tape->interned[i]) & (capacity - 1);
        while (table[k])
            k = (k + 1) & (capacity - 1);
        table[k] = tape->interned[i];
    }
    tl__free(tape->interned);
    tape->interned = table;
    tape->interned_capacity = capacity;
    return TL_OK;
}

const char *tl__intern(tl_tape *tape, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = NULL;
    if (interned_grow(tape) == TL_OK) {
        uint32_t k = text_hash(text) & (tape->interned_capacity - 1);
        for (; tape->interned[k]; k = (k + 1) & (tape->interned_capacity - 1))
            if (strcmp(tape->interned[k], text) == 0)
                return tape->interned[k];
        copy = tl__arena_alloc(&tape->strings, size);
        if (copy) {
            tape->interned[k] = memcpy(copy, text, size);
            tape->ninterned++;
        }
    }
    if (!copy)
        tl_tape_fail(tape, TL_ENOMEM, "name", "no memory for \"%.60s\"", text);
    return copy;
}

/* is_scope -- whether scope i is `name` opened inside the one that is open. A name may hold slashes, so
 * the path alone does not say what is around it. */
static int is_scope(const tl_tape *tape, uint32_t i, const char *name)
{
    const char *outer = tape->scopes[tape->scope], *path = tape->scopes[i];
    const size_t length = strlen(outer);
    return tape->outer_scopes[i] == tape->scope && strcmp(path + length + (length != 0), name) == 0;
}

/* A scope's index names its whole path; the same name in the same scope gets the same index, so a
 * training loop does not grow the table. */
void tl_scope_open(tl_tape *tape, const char *name)
{
    if (!tape || tape->code)
        return;
    name = name ? name : "";
    for (uint32_t i = 1; i < tape->nscopes; i++)
        if (is_scope(tape, i, name)) {
            tape->scope = i;
            return;
        }
    const char *outer = tape->scopes[tape->scope];
    const size_t size = strlen(outer) + strlen(name) + 2;
    char *path = NULL;
    if (tl__grow(&tape->scopes, &tape->scopes_capacity, tape->nscopes + 1, sizeof *tape->scopes) ==
            TL_OK &&
        tl__grow(&tape->outer_scopes, &tape->outer_scopes_capacity, tape->nscopes + 1,
                 sizeof *tape->outer_scopes) == TL_OK)
        path = tl__arena_alloc(&tape->strings, size);
    if (!path) {
        tl_tape_fail(tape, TL_ENOMEM, "tl_scope_open", "no memory for scope \"%.60s\"", name);
        return;
    }
    snprintf(path, size, "%s%s%s", outer, outer[0] ? "/" : "", name);
    tape->scopes[tape->nscopes] = path;
    tape->outer_scopes[tape->nscopes] = tape->scope;
    tape->scope = tape->nscopes++;
}

void tl_scope_close(tl_tape *tape)
{
    if (!tape || tape->code)
        return;
    if (tape->scope == 0)
        tl_tape_fail(tape, TL_ESTATE, "tl_scope_close", "no scope is open");
    else
        tape->scope = tape->outer_scopes[tape->scope];
}

void tl_no_grad_open(tl_tape *tape)
{
    if (tape)
        tape->no_grad++;
}

void tl_no_grad_close(tl_tape *tape)
{
    if (!tape)
        return;
    if (tape->no_grad == 0) {
        tl_tape_fail(tape, TL_ESTATE, "tl_no_grad_close", "no tl_no_grad_open before it");
        return;
    }
    tape->no_grad--;
}

void tl_train(tl_tape *tape, int on)
{
    if (tape)
        tape->train = on != 0;
}

int tl_is_train(const tl_tape *tape)
{
    return tape ? tape->train : 0;
}

void tl_seed(tl_tape *tape, uint64_t seed)
{
    if (tape)
        tape->seed = seed;
}

uint64_t tl_draws(const tl_tape *tape)
{
    return tape ? tape->draw : 0;
}

void tl_set_draws(tl_tape *tape, uint64_t number)
{
    if (!tape)
        return;
    if (tape->frame != 0) {
        tl_tape_fail(tape, TL_EFRAME, "tl_set_draws", "not allowed inside an open scan");
        return;
    }
    tape->draw = number;
}

uint32_t tl__frame_push(tl_tape *tape)
{
    uint32_t old = tape->frames_capacity;
    if (tl__grow(&tape->frames, &tape->frames_capacity, tape->nframes + 1, sizeof *tape->frames)) {
        tl_tape_fail(tape, TL_ENOMEM, "scan", "no memory for another frame");
        return TL_NONE;
    }
    if (tape->frames_capacity > old)
        memset(tape->frames + old, 0, (tape->frames_capacity - old) * sizeof *tape->frames);
    uint32_t f = tape->nframes++;
    tape->epoch++;
    frame_init(&tape->frames[f], tape->frame, tape->frames[tape->frame].depth + 1, tape);
    tape->frame = f;
    return f;
}

uint32_t tl__frame_enter(tl_tape *tape, uint32_t frame)
{
    uint32_t former = tape->frame;
    tape->frame = frame;
    return former;
}

uint64_t tl__moved(const tl_tape *tape, uint32_t frame)
{
    uint64_t sum = 0;
    for (; frame != TL_NONE; frame = tape->frames[frame].parent)
        sum += tape->frames[frame].moved;
    return sum;
}

uint32_t tl__find_slot(const uint32_t *list, uint32_t n, uint32_t slot)
{
    uint32_t low = 0, high = n;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (list[middle] < slot)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && list[low] == slot ? low : TL_NONE;
}

int tl__visible(const tl_tape *tape, uint32_t f, uint32_t in)
{
    while (in != TL_NONE && in != f)
        in = tape->frames[in].parent;
    return in == f;
}
