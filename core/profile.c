/* profile.c -- the profile of the process: rows by what an instruction is, filled after each run.
 *
 *     plan A   #0 #1 #2     plan B   #0 #1
 *               |  '--.     .---------'
 *     rows     [0] [1] [2] [3]          same kind, text and scope: same row
 *
 * A run counts into tallies of its own, without a lock; they are added here when it has ended. */
#include "core/profile.h"

#include "core/gemm.h"
#include "core/plan/note.h"
#include "core/plan/tally.h"
#include "core/print.h"
#include "core/prose.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

typedef struct tl_line {
    tl_profile_row row;
    double share; /* seconds, as many threads, half of them with f64: what peak is measured by */
} tl_line;

typedef struct tl_profile {
    uv_once_t once;
    uv_mutex_t lock; /* of everything below */
    tl_line *line;
    uint32_t nlines, capacity;
    uint32_t *table, size; /* hash table of the lines; TL_NONE */
    tl_profile_total total;
    uint64_t start, epoch;
    int prints; /* TL_PROFILE asks for it */
} tl_profile;

static tl_profile profile = {.once = UV_ONCE_INIT};
static atomic_int is_on;
static atomic_int users;

static void init(void)
{
    const char *text = getenv("TL_PROFILE");
    const int good = uv_mutex_init(&profile.lock) == 0;
    profile.prints = good && text && text[0] && strcmp(text, "0") != 0;
    profile.start = uv_hrtime();
    profile.epoch = 1;
    atomic_store(&is_on, good ? profile.prints : -1);
}

/* enter -- to the profile, alone. Returns 0 when there is no lock and so no profile. */
static int enter(void)
{
    uv_once(&profile.once, init);
    if (atomic_load(&is_on) < 0)
        return 0;
    uv_mutex_lock(&profile.lock);
    return 1;
}

static void leave(void)
{
    uv_mutex_unlock(&profile.lock);
}

static void forget(void)
{
    for (uint32_t k = 0; k < profile.nlines; k++) {
        tl__free((char *)(uintptr_t)profile.line[k].row.what);
        tl__free((char *)(uintptr_t)profile.line[k].row.scope);
    }
    tl__free(profile.line);
    tl__free(profile.table);
    profile.line = NULL;
    profile.table = NULL;
    profile.nlines = profile.capacity = profile.size = 0;
    profile.total = (tl_profile_total){0};
    profile.start = uv_hrtime();
    profile.epoch++;
}

void tl_profile_on(int on)
{
    if (!enter())
        return;
    if (on && !atomic_load(&is_on) && profile.nlines == 0)
        profile.start = uv_hrtime();
    atomic_store(&is_on, on != 0);
    leave();
}

int tl_profile_is_on(void)
{
    uv_once(&profile.once, init);
    return atomic_load_explicit(&is_on, memory_order_relaxed) > 0;
}

void tl_profile_reset(void)
{
    if (!enter())
        return;
    forget();
    leave();
}

/* ---- what an instruction is ------------------------------------------------------------------ */

/* operand_text -- its name, or the operation that made it. */
static const char *operand_text(const tl_plan *p, tl_label l)
{
    const char *name = tl__note_name(p, l);
    return name ? name : l.buffer == TL_NONE ? "number" : tl__note_maker(&p->buffer[l.buffer]);
}

static void text_of(const tl_plan *p, const tl_instr *i, char *text, size_t size)
{
    const tl_note *note = i->note;
    char shape[TL_SHAPE_TEXT], list[300] = "";
    if (i->kind == TL_INSTR_LOOP) {
        snprintf(text, size, "%lld steps", (long long)p->block[i->block].T);
        return;
    }
    if (i->kind == TL_INSTR_CONTRACT)
        snprintf(list, sizeof list, "%s x %s", operand_text(p, note->label[0]),
                 operand_text(p, note->label[1]));
    else
        tl__note_operations(note, list, sizeof list);
    if (i->kind == TL_INSTR_CALL && i->noperands > 1) {
        const size_t n = strlen(list);
        snprintf(list + n, sizeof list - n, " of %s", operand_text(p, note->label[0]));
    }
    tl_shape_text(note->shape, shape, sizeof shape);
    const int n = snprintf(text, size, "%s  %s %s", list, tl_dtype_name(note->dtype), shape);
    if (i->kind == TL_INSTR_CONTRACT && n > 0 && (size_t)n < size)
        snprintf(text + n, size - (size_t)n, ", k=%lld%s", (long long)note->summed,
                 i->accumulate ? ", added" : "");
}

static uint32_t hash_text(uint32_t h, const char *text)
{
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 16777619u; /* FNV-1a */
    return h;
}

static uint32_t hash_row(const tl_profile_row *r)
{
    return hash_text(hash_text(hash_text(2166136261u, r->kind), r->what), r->scope);
}

static int grow_table(void)
{
    if (2 * (profile.nlines + 1) <= profile.size)
        return TL_OK;
    const uint32_t size = profile.size ? 2 * profile.size : 64;
    uint32_t *table = tl__alloc(size * sizeof *table);
    if (!table)
        return TL_ENOMEM;
    memset(table, 0xff, size * sizeof *table);
    for (uint32_t k = 0; k < profile.nlines; k++) {
        uint32_t at = hash_row(&profile.line[k].row) & (size - 1);
        while (table[at] != TL_NONE)
            at = (at + 1) & (size - 1);
        table[at] = k;
    }
    tl__free(profile.table);
    profile.table = table;
    profile.size = size;
    return TL_OK;
}

/* find_row -- the line of an instruction, added if absent; TL_NONE when memory is short. */
static uint32_t find_row(const tl_plan *p, const tl_instr *i)
{
    static const char *const kinds[] = {"tile", "contract", "call", "iota", "loop", "band"};
    char text[600];
    text_of(p, i, text, sizeof text);
    tl_profile_row row = {.kind = kinds[i->kind], .what = text};
    row.scope = tl__note_scope(p, i->note);
    if (grow_table())
        return TL_NONE;
    uint32_t at = hash_row(&row) & (profile.size - 1);
    for (; profile.table[at] != TL_NONE; at = (at + 1) & (profile.size - 1)) {
        const tl_profile_row *r = &profile.line[profile.table[at]].row;
        if (strcmp(r->kind, row.kind) == 0 && strcmp(r->what, row.what) == 0 &&
            strcmp(r->scope, row.scope) == 0)
            return profile.table[at];
    }
    row.what = tl__strdup(text);
    row.scope = tl__strdup(row.scope);
    if (!row.what || !row.scope ||
        tl__grow(&profile.line, &profile.capacity, profile.nlines + 1, sizeof *profile.line)) {
        tl__free((char *)(uintptr_t)row.what);
        tl__free((char *)(uintptr_t)row.scope);
        return TL_NONE;
    }
    profile.line[profile.nlines] = (tl_line){.row = row};
    profile.table[at] = profile.nlines;
    return profile.nlines++;
}

uint64_t tl__profile_clock(void)
{
    return uv_hrtime();
}

/* ---- runs ------------------------------------------------------------------------------------ */

tl_tally *tl__profile_begin(tl_tallies *t, const tl_plan *p)
{
    if (!tl_profile_is_on())
        return NULL;
    if (!t->at)
        t->at = tl__calloc(p->ninstrs + 1, sizeof *t->at);
    return t->at;
}

void tl__profile_close(tl_tallies *t)
{
    tl__free(t->at);
    *t = (tl_tallies){0};
}

static void add_instr(tl_line *l, const tl_tally *t, uint64_t ns, const tl_note *note, int workers)
{
    const double seconds = 1e-9 * (double)ns;
    l->row.calls += t->calls;
    l->row.seconds += seconds;
    l->row.flops += (double)t->calls * note->flops;
    l->row.bytes += (double)t->calls * note->bytes;
    l->share += seconds * workers * (note->dtype == TL_F64 ? 0.5 : 1);
}

/* add_block -- adds and clears the tallies of block b; returns its nanoseconds. */
static uint64_t add_block(tl_tallies *t, const tl_plan *p, const tl_plan_block *b, int workers)
{
    const int knows = t->epoch == profile.epoch;
    uint64_t sum = 0;
    for (uint32_t k = 0; k < b->ninstrs; k++) {
        const tl_instr *i = &b->instr[k];
        tl_tally *x = &t->at[b->first + k];
        uint64_t inner = 0;
        if (i->kind == TL_INSTR_LOOP)
            inner = add_block(t, p, &p->block[i->block], workers);
        if (!knows)
            x->row = find_row(p, i);
        if (x->row != TL_NONE)
            add_instr(&profile.line[x->row], x, x->ns > inner ? x->ns - inner : 0, i->note,
                      workers);
        sum += x->ns;
        x->calls = x->ns = 0;
    }
    return sum;
}

void tl__profile_end(tl_tallies *t, const tl_plan *p, const tl_run_time *time)
{
    if (!t->at || !enter())
        return;
    if (p->nblocks)
        add_block(t, p, &p->block[0], time->workers);
    t->epoch = profile.epoch;
    profile.total.runs++;
    profile.total.plans += time->planned != 0;
    profile.total.look_up += time->key;
    profile.total.planning += time->plan;
    profile.total.running += time->run;
    leave();
}

void tl__profile_enter(void)
{
    atomic_fetch_add(&users, 1);
}

void tl__profile_leave(void)
{
    enum { MOST = 40 };
    if (atomic_fetch_sub(&users, 1) != 1 || !tl_profile_is_on() || !profile.prints ||
        tl_profile_totals().runs == 0)
        return;
    char *text = tl_profile_text(MOST);
    if (text)
        fputs(text, stderr);
    tl_string_free(text);
    tl_profile_reset();
}

/* ---- peak ------------------------------------------------------------------------------------ */

static uv_once_t peak_once = UV_ONCE_INIT;
static double peak;

static void measure_peak(void)
{
    enum { N = 512, TIMES = 10 };
    float *x = tl__aligned_alloc(3 * N * N * sizeof *x);
    if (!x)
        return;
    for (int64_t k = 0; k < 3 * N * N; k++)
        x[k] = 1;
    for (int k = 0; k < TIMES; k++) {
        const uint64_t start = uv_hrtime();
        tl__gemm(TL_F32, N, N, N, (tl_matrix){x, N, 1}, (tl_matrix){x + N * N, N, 1}, 0,
                 (tl_matrix){x + 2 * N * N, N, 1});
        const double speed = 2e9 * N * N * N / (double)(uv_hrtime() - start + 1);
        peak = speed > peak ? speed : peak;
    }
    tl__aligned_free(x);
}

double tl_profile_peak(void)
{
    tl__machine_init();
    uv_once(&peak_once, measure_peak);
    return peak;
}

/* ---- showing --------------------------------------------------------------------------------- */

static int slower(const void *a, const void *b)
{
    const tl_line *x = *(const tl_line *const *)a, *y = *(const tl_line *const *)b;
    if (x->row.seconds > y->row.seconds || x->row.seconds < y->row.seconds)
        return x->row.seconds > y->row.seconds ? -1 : 1;
    return x < y ? -1 : x > y;
}

int tl_profile_rows(tl_profile_row *rows, int most)
{
    const double per_second = tl_profile_peak();
    if (!enter())
        return 0;
    const tl_line **order = tl__alloc((profile.nlines + 1) * sizeof *order);
    const int n = order ? (int)profile.nlines : 0;
    for (int k = 0; k < n; k++)
        order[k] = &profile.line[k];
    if (order)
        qsort(order, (size_t)n, sizeof *order, slower);
    for (int k = 0; k < n && k < most; k++) {
        const double could = order[k]->share * per_second;
        rows[k] = order[k]->row;
        rows[k].peak = could > 0 ? rows[k].flops / could : 0;
    }
    leave();
    tl__free(order);
    return n;
}

tl_profile_total tl_profile_totals(void)
{
    tl_profile_total total = {0};
    if (!enter())
        return total;
    total = profile.total;
    total.elapsed = 1e-9 * (double)(uv_hrtime() - profile.start);
    leave();
    return total;
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

static void put_row(tl_text *t, const tl_profile_row *r, double running)
{
    tl__put(t, "%9.4f %5.1f %9llu %10.2f %7.1f %4.0f%% %7.1f  %-16.40s %-8s %s\n", r->seconds,
            100 * ratio(r->seconds, running), (unsigned long long)r->calls,
            1e6 * ratio(r->seconds, (double)r->calls), 1e-9 * ratio(r->flops, r->seconds),
            100 * r->peak, 1e-9 * ratio(r->bytes, r->seconds), r->scope, r->kind, r->what);
}

char *tl_profile_text(int most)
{
    tl_text t = {0};
    const tl_profile_total total = tl_profile_totals();
    most = most < 0 ? 0 : most;
    tl_profile_row *row = tl__alloc(((size_t)most + 1) * sizeof *row);
    if (!row)
        return NULL;
    const int n = tl_profile_rows(row, most), shown = n < most ? n : most;
    const double others = total.elapsed - total.running - total.look_up - total.planning;
    double rows = 0;
    tl__put(&t,
            "profile: %.3f s, of them %.3f running plans (%llu times), %.3f looking them up, "
            "%.3f making %llu;\n  the other %.3f are recording and the program's own. Peak of one "
            "thread: %.1f GF/s (f32)\n",
            total.elapsed, total.running, (unsigned long long)total.runs, total.look_up,
            total.planning, (unsigned long long)total.plans,
            others > 0 ? others : 0, /* clocks are read one after the other */
            1e-9 * tl_profile_peak());
    tl__put(&t, "%9s %5s %9s %10s %7s %5s %7s  %-16s %s\n", "seconds", "%", "calls", "us/call",
            "GF/s", "peak", "GB/s", "scope", "what");
    for (int k = 0; k < shown; k++) {
        put_row(&t, &row[k], total.running);
        rows += row[k].seconds;
    }
    if (shown < n)
        tl__put(&t, "%9.4f %5.1f  in %d rows more and between instructions\n", total.running - rows,
                100 * ratio(total.running - rows, total.running), n - shown);
    else
        tl__put(&t, "%9.4f %5.1f  between instructions\n", total.running - rows,
                100 * ratio(total.running - rows, total.running));
    tl__free(row);
    return tl__text_end(&t);
}
