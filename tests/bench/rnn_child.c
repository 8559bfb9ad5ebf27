/* rnn_child.c -- starts this program again and reads what it prints. */
#include "tests/bench/rnn_child.h"

#include "tests/bench/peak_memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MEMORY_STEPS = 3 };

void rnn_child_setenv(int threads)
{
    char n[16];
    snprintf(n, sizeof n, "%d", threads);
    setenv("OMP_NUM_THREADS", n, 1);
    setenv("OMP_WAIT_POLICY", "passive", 1);
    setenv("TL_THREADS", n, 1);
}

/* spawn -- this program as a child; its line of numbers goes to out[n]. */
static int spawn(const rnn_bench *b, const char *what, const char *impls, double seconds, int n,
                 double *out)
{
    int ends[2];
    fflush(stdout);
    if (pipe(ends))
        return 1;
    pid_t pid = fork();
    if (pid == 0) {
        char threads[16], time[32];
        snprintf(threads, sizeof threads, "%d", b->threads);
        snprintf(time, sizeof time, "%g", seconds);
        const char *const argv[] = {"bench_rnn",
                                    "--child",
                                    what,
                                    "--case",
                                    b->d->shape->name,
                                    "--cell",
                                    rnn_cell_name(b->d->cell),
                                    "--pass",
                                    rnn_pass_name(b->pass),
                                    "--threads",
                                    threads,
                                    "--seconds",
                                    time,
                                    "--impl",
                                    impls,
                                    NULL};
        char *args[sizeof argv / sizeof *argv];
        memcpy(args, argv, sizeof args);
        rnn_child_setenv(b->threads);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execv("/proc/self/exe", args);
        _exit(127);
    }
    close(ends[1]);
    char line[200] = "";
    FILE *f = fdopen(ends[0], "r");
    if (!f || !fgets(line, sizeof line, f))
        line[0] = '\0';
    if (f)
        fclose(f);
    else
        close(ends[0]);
    int status = 1, bad = pid < 0 || waitpid(pid, &status, 0) != pid || status != 0;
    char *at = line;
    for (int k = 0; k < n && !bad; k++) {
        char *end;
        out[k] = strtod(at, &end);
        bad = end == at;
        at = end;
    }
    if (bad)
        fprintf(stderr, "%s: the process for '%s' of %s failed\n", b->d->shape->name, what, impls);
    return bad;
}

int rnn_child_time(rnn_bench *b, int k, double seconds)
{
    double ms[2];
    if (spawn(b, "time", rnn_impls[k]->name, seconds, 2, ms))
        return 1;
    series_add(&b->best[k], ms[0]);
    series_add(&b->median[k], ms[1]);
    b->measured[k] = 1;
    return 0;
}

int rnn_child_memory(rnn_bench *b, int k)
{
    return spawn(b, "memory", rnn_impls[k]->name, 0, 1, &b->peak_mb[k]);
}

int rnn_child_verify(rnn_bench *b)
{
    char list[100] = "";
    for (int k = 0; k < IMPLS; k++)
        if (rnn_bench_wants(b, k)) {
            strcat(list, *list ? "," : "");
            strcat(list, rnn_impls[k]->name);
        }
    return spawn(b, "verify", list, 0, 0, NULL);
}

static int time_it(rnn_bench *b, int k)
{
    static series s;
    int least = 3, warm = 1; /* the block that makes the plan */
    double end = 0;
    while (s.n < least || now_ms() < end) {
        double ms = rnn_bench_block(b, k);
        if (ms < 0)
            return 1;
        if (warm > 0)
            warm--;
        else
            series_add(&s, ms);
        if (warm == 0 && end <= 0)
            end = now_ms() + 1e3 * b->o->seconds;
    }
    printf("%.9g %.9g\n", series_best(&s), series_median(&s));
    return 0;
}

/* warm_up -- a step of the same kind but very small: code pages and tables of the libraries are no
 * memory of the step. */
static int warm_up(const rnn_bench *b, int k)
{
    rnn_case small = *b->d->shape;
    small.T = small.B = 2;
    small.H = 8;
    small.I = small.L == 2 ? small.D * small.H : 8;
    static rnn_bench w;
    const char *why = "";
    int bad = rnn_bench_open_data(&w, b->o, &small, b->d->cell, b->pass, b->threads) ||
              rnn_bench_start(&w, k) || rnn_impls[k]->step(w.run[k], &why);
    rnn_bench_close(&w);
    return bad;
}

static int memory_of_it(rnn_bench *b, int k)
{
    if (warm_up(b, k) || rnn_bench_start(b, k))
        return 1;
    double before = resident_mb();
    for (int i = 0; i < MEMORY_STEPS; i++) {
        const char *why = "";
        rnn_impls[k]->prepare(b->run[k]);
        if (rnn_impls[k]->step(b->run[k], &why))
            return 1;
    }
    printf("%.9g\n", peak_resident_mb() - before);
    return 0;
}

int rnn_child_main(rnn_bench *b)
{
    const char *what = b->o->child;
    int k = 0;
    while (k < IMPLS - 1 && !(b->o->impls & 1u << k))
        k++;
    if (!strcmp(what, "memory"))
        return memory_of_it(b, k);
    if (!strcmp(what, "time"))
        return rnn_bench_start(b, k) || time_it(b, k);
    int bad = 0;
    for (k = 0; k < IMPLS && !bad; k++)
        bad = rnn_bench_wants(b, k) && rnn_bench_start(b, k);
    return bad || rnn_bench_verify(b);
}
