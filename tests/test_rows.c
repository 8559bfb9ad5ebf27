/* test_rows.c -- assigning rows of a table: what it becomes, when it is written in place, what was
 * recorded before, and that a failed commit changes nothing. */
#include "core/rows.h"

#include "core/memory.h"
#include "core/run.h"
#include "core/weights.h"
#include "ops/ops.h"
#include "tests/programtest.h"
#include "tests/scratch.h"

enum { V = 6, E = 2 };

/* table -- [V,E] of 0, 1, 2, ..., and a tape. */
typedef struct table {
    tl_tape *tape;
    tl_params *set;
    tl_param *p;
    double want[V * E];
} table;

static table table_new(void)
{
    table t = {check_tape(1), tl_params_new(TL_F64), NULL, {0}};
    t.p = tl_param_new(t.set, "table", tl_shape2(V, E), NULL);
    cr_assert_not_null(t.p);
    for (int i = 0; i < V * E; i++)
        t.want[i] = i;
    cr_assert_eq(tl_param_set_f64(t.p, t.want, V * E), TL_OK);
    return t;
}

static void table_free(table *t)
{
    tl_tape_free(t->tape);
    tl_params_free(t->set);
}

/* has -- the parameter's elements are want[]. */
static void has(const tl_param *p, const double *want)
{
    double got[V * E];
    cr_assert_eq(tl_param_get_f64(p, got, V * E), TL_OK);
    for (int i = 0; i < V * E; i++)
        cr_assert(!(got[i] < want[i]) && !(got[i] > want[i]), "[%d]: got %g, want %g", i, got[i],
                  want[i]);
}

/* queue_rows -- rows idx[0..n) become 100 idx + position and one more. */
static void queue_rows(const table *t, int n, const int32_t *idx)
{
    double v[8 * E];
    for (int i = 0; i < n * E; i++)
        v[i] = 100.0 * idx[i / E] + i;
    tl_assign_rows(t->p, tl_input_i32(t->tape, tl_shape1(n), idx),
                   tl_input_f64(t->tape, tl_shape2(n, E), v));
}

static void commit_rows(table *t, int n, const int32_t *idx)
{
    queue_rows(t, n, idx);
    cr_assert_eq(tl_commit(t->tape), TL_OK, "%s", tl_tape_error(t->tape));
    for (int i = n - 1; i >= 0; i--)
        for (int e = 0; e < E; e++)
            t->want[idx[i] * E + e] = 100.0 * idx[i] + i * E + e;
}

Test(rows, of_equal_indices_the_first_counts_and_other_rows_stay)
{
    table t = table_new();
    const uint64_t version = tl_param_version(t.p);
    commit_rows(&t, 4, (const int32_t[]){3, 0, 3, 5});
    cr_assert_eq(tl_param_version(t.p), version + 1);
    has(t.p, t.want);
    commit_rows(&t, 0, (const int32_t[]){0});
    has(t.p, t.want);
    table_free(&t);
}

Test(rows, commits_that_nobody_reads_in_between)
{
    table t = table_new();
    commit_rows(&t, 2, (const int32_t[]){3, 0});
    commit_rows(&t, 2, (const int32_t[]){3, 1});
    has(t.p, t.want);
    table_free(&t);
}

/* In place when no tape holds the former value, else in a copy; the former value stays what it
 * was, what was computed of it and dropped can be computed again, and a new use has the new one. */
Test(rows, a_tensor_recorded_before_keeps_its_value)
{
    table t = table_new();
    double first[V * E], was[V * E], twice[V * E];
    memcpy(first, t.want, sizeof first);
    const void *data = tl__store_data(&t.p->store);
    tl_tensor before = tl_use(t.tape, t.p), doubled = tl_add(before, before);
    tl_tensor sum = tl_sum_all(tl_add(doubled, doubled));
    tl_item(sum);
    commit_rows(&t, 2, (const int32_t[]){1, 2});
    tl_tensor after = tl_use(t.tape, t.p);
    cr_assert_neq(after.slot, before.slot);
    cr_assert_neq(tl__store_data(&t.p->store), data);
    cr_assert_eq(tl_read_f64(before, was, V * E), TL_OK);
    cr_assert_eq(tl_read_f64(doubled, twice, V * E), TL_OK);
    for (int i = 0; i < V * E; i++)
        cr_assert(fabs(was[i] - first[i]) + fabs(twice[i] - 2 * first[i]) < 1e-15);
    assert_tensor(after, V * E, t.want, 0, 0);

    data = tl__store_data(&t.p->store);
    commit_rows(&t, 2, (const int32_t[]){4, 4});
    cr_assert_eq(tl_tape_reset(t.tape), TL_OK);
    assert_tensor(tl_use(t.tape, t.p), V * E, t.want, 0, 0);
    cr_assert_eq(tl__store_data(&t.p->store), data);
    table_free(&t);
}

/* What products keep beside a buffer, packed, is that of the rows before: it goes. */
Test(rows, products_read_the_new_rows)
{
    enum { K = 64, ROWS = 16 };
    tl_tape *tape = check_tape(1);
    tl_params *set = tl_params_new(TL_F32);
    tl_param *w = tl_param_new(set, "w", tl_shape2(K, K), NULL);
    const tl_buf *value = w->store.value;
    for (int k = 0; k < 4; k++) {
        const int32_t at = 5 * k;
        float y[ROWS * K];
        for (int twice = 0; twice < 2; twice++) { /* once packed, once found */
            tl_tensor x = tl_ones(tape, TL_F32, tl_shape2(ROWS, K));
            tl_scan s = tl_scan_open(tape, 3, NULL);
            tl_tensor h = tl_scan_carry(s, x);
            tl_tensor z = tl_linear(h, tl_use(tape, w), (tl_tensor){0});
            tl_scan_next(s, h, tl_add(h, tl_scale(z, 0)));
            tl_scan_close(s);
            tl_tensor last = tl_scan_stacked(s, z);
            cr_assert_eq(
                tl_read_f32(tl_reshape(tl_slice(last, 0, 2, 1), tl_shape2(ROWS, K)), y, ROWS * K),
                TL_OK, "%s", tl_tape_error(tape));
            for (int i = 0; i < ROWS * K; i++) {
                const int row = i % K, done = row % 5 == 0 && row / 5 < k;
                cr_assert((int)y[i] == (done ? K : 0), "step %d, [%d]: %g", k, i, (double)y[i]);
            }
        }
        tl_assign_rows(w, tl_input_i32(tape, tl_shape1(1), &at),
                       tl_ones(tape, TL_F32, tl_shape2(1, K)));
        cr_assert_eq(tl_commit(tape), TL_OK);
        tl_tape_reset(tape);
        tl_use(tape, w);
        cr_assert_eq(w->store.value, value, "written in place");
        tl_tape_reset(tape);
    }
    tl_tape_free(tape);
    tl_params_free(set);
}

Test(rows, another_value_takes_the_place_of_rows_that_are_noted)
{
    table t = table_new();
    double v[V * E] = {7, 8};
    commit_rows(&t, 2, (const int32_t[]){1, 2});
    cr_assert_eq(tl_param_set_f64(t.p, v, V * E), TL_OK);
    has(t.p, v);
    commit_rows(&t, 2, (const int32_t[]){1, 2});
    tl_assign(t.p, tl_input_f64(t.tape, tl_shape2(V, E), v));
    cr_assert_eq(tl_commit(t.tape), TL_OK);
    has(t.p, v);
    /* before one commit: the later call counts */
    queue_rows(&t, 1, (const int32_t[]){3});
    tl_assign(t.p, tl_scale(tl_input_f64(t.tape, tl_shape2(V, E), v), 2));
    cr_assert_eq(tl_commit(t.tape), TL_OK);
    v[0] = 14, v[1] = 16;
    has(t.p, v);
    tl_assign(t.p, tl_zeros(t.tape, TL_F64, tl_shape2(V, E)));
    memcpy(t.want, v, sizeof v);
    commit_rows(&t, 1, (const int32_t[]){3});
    has(t.p, t.want);
    table_free(&t);
}

Test(rows, a_failed_commit_changes_nothing)
{
    table t = table_new();
    tl_param *other = tl_param_new(t.set, "other", tl_shape1(1), NULL);
    const int32_t wrong[2][2] = {{0, V}, {-1, 2}};
    for (int k = 0; k < 2; k++) {
        const uint64_t version = tl_param_version(t.p);
        tl_assign(other, tl_ones(t.tape, TL_F64, tl_shape1(1)));
        queue_rows(&t, 2, wrong[k]);
        cr_assert_eq(tl_commit(t.tape), TL_ERANGE);
        assert_fails(t.tape, TL_ERANGE, "tl_assign_rows: got index");
        cr_assert_eq(tl_param_version(t.p), version);
        cr_assert_eq(tl_param_version(other), 1);
        has(t.p, t.want);
        tl_tape_reset(t.tape);
    }
    commit_rows(&t, 2, (const int32_t[]){5, 0});
    has(t.p, t.want);
    table_free(&t);
}

Test(rows, what_does_not_fit)
{
    for (int k = 0; k < 6; k++) {
        table t = table_new();
        tl_tensor idx = tl_zeros(t.tape, k == 0 ? TL_F64 : TL_I32, tl_shape1(k == 1 ? 2 : 3)),
                  rows = tl_zeros(t.tape, k == 2 ? TL_F32 : TL_F64, tl_shape2(3, k == 3 ? 1 : E));
        if (k == 4)
            idx = tl_reshape(idx, tl_shape2(3, 1));
        if (k == 5)
            tl_scan_open(t.tape, 3, NULL);
        tl_assign_rows(t.p, idx, rows);
        assert_fails(t.tape,
                     k == 0 || k == 2 ? TL_EDTYPE
                     : k == 5         ? TL_EFRAME
                                      : TL_ESHAPE,
                     k == 5 ? "not allowed inside an open scan" : "tl_assign_rows: got");
        table_free(&t);
    }
    tl_assign_rows(NULL, (tl_tensor){0}, (tl_tensor){0});
}

Test(rows, what_is_queued_is_not_released)
{
    table t = table_new();
    tl_tensor rows = tl_zeros(t.tape, TL_F64, tl_shape2(1, E));
    const uint32_t mark = tl_tape_mark(t.tape);
    tl_assign_rows(t.p, tl_zeros(t.tape, TL_I32, tl_shape1(1)), rows);
    cr_assert_neq(tl_tape_release(t.tape, mark), TL_OK);
    cr_assert_eq(tl_commit(t.tape), TL_OK, "%s", tl_tape_error(t.tape));
    cr_assert_eq(tl_tape_release(t.tape, mark), TL_OK);
    table_free(&t);
}

Test(rows, files_and_programs_have_them)
{
    table t = table_new();
    tl_err err = {0};
    scratch_open();
    const char *path = scratch_path("rows.safetensors");
    const int32_t zero = 0;
    tl_tensor i = tl_input_i32(t.tape, tl_shape1(1), &zero);
    tl_program *program = tl_program_new(t.tape, "look up");
    tl_program_input(program, "i", i);
    tl_program_output(program, "row", tl_gather(tl_use(t.tape, t.p), i));
    tl_session *s = session_of(program);
    cr_assert_eq(tl_tape_reset(t.tape), TL_OK);
    commit_rows(&t, 2, (const int32_t[]){0, 4});
    step(s);
    holds(s, "row", E, t.want);
    commit_rows(&t, 1, (const int32_t[]){5});
    const tl_weights_part part = {.prefix = "", .set = t.set};
    cr_assert_eq(tl_weights_save(path, 1, &part, NULL, &err), TL_OK, "%s", err.message);
    commit_rows(&t, 1, (const int32_t[]){5});
    double zeros[V * E] = {0};
    tl_param_set_f64(t.p, zeros, V * E);
    cr_assert_eq(tl_weights_load(path, 1, &part, NULL, NULL, NULL, &err), TL_OK, "%s", err.message);
    has(t.p, t.want);
    tl_session_free(s);
    table_free(&t);
    scratch_close();
}

/* Every allocation of a commit fails once: the table and its version are as they were. Then that of
 * the copy, which a use asks for. */
Test(rows, without_memory)
{
    int code = TL_ENOMEM;
    for (int k = 1; code == TL_ENOMEM; k++) {
        table t = table_new();
        tl_use(t.tape, t.p);
        queue_rows(&t, 2, (const int32_t[]){1, 2});
        tl__memory_trim();
        tl__fail_after(k);
        code = tl_commit(t.tape);
        tl__fail_after(0);
        cr_assert_eq(tl_param_version(t.p), code ? 2 : 3);
        if (code)
            has(t.p, t.want);
        table_free(&t);
    }
    cr_assert_eq(code, TL_OK);
    table t = table_new();
    tl_tensor before = tl_use(t.tape, t.p);
    commit_rows(&t, 2, (const int32_t[]){1, 2});
    tl_tape *tape = check_tape(1);
    double got[V * E];
    tl__memory_trim();
    tl__fail_after(1);
    cr_assert_null(tl_use(tape, t.p).tape);
    cr_assert_eq(tl_param_get_f64(t.p, got, V * E), TL_ENOMEM);
    tl__fail_after(0);
    assert_fails(tape, TL_ENOMEM, "no memory");
    has(t.p, t.want);
    cr_assert_not_null(before.tape);
    tl_tape_free(tape);
    table_free(&t);
}
