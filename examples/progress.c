/* progress.c -- the progress bar of the examples. */
#include "progress.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

double now_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double progress_seconds(const progress *p)
{
    return now_seconds() - p->start;
}

void progress_pause(progress *p)
{
    p->paused = now_seconds();
}

void progress_resume(progress *p)
{
    p->start += now_seconds() - p->paused;
}

void progress_open(progress *p, const char *name, int64_t first, int64_t steps, double seconds)
{
    *p = (progress){
        .name = name, .steps = steps, .first = first, .seconds = seconds, .start = now_seconds()};
    p->terminal = isatty(STDOUT_FILENO);
    p->drawn = p->start;
}

/* share_done -- of the way from open to the limit that is met first: steps or seconds. */
static double share_done(const progress *p, int64_t step, double elapsed)
{
    int64_t way = p->steps - p->first;
    double share = way > 0 ? (double)(step - p->first) / (double)way : 0;
    if (p->seconds > 0)
        share = fmax(share, elapsed / p->seconds);
    return fmin(share, 1);
}

static int columns(void)
{
    struct winsize w;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= 40 ? w.ws_col : 80;
}

/* state_text -- "412/1000  2.313 bits/char  51,204 chars/s  0:24 left" */
static void state_text(const progress *p, int64_t step, double bits, int64_t characters,
                       double elapsed, char *text, size_t size)
{
    double share = share_done(p, step, elapsed);
    double rate = elapsed > 0 ? (double)characters / elapsed : 0;
    char left[32] = "-:--";
    if (share > 0) {
        long rest = lround(elapsed * (1 - share) / share);
        snprintf(left, sizeof left, "%ld:%02ld", rest / 60, rest % 60);
    }
    snprintf(text, size, "%lld/%lld  %.3f bits/char  %.1fk chars/s  %s left", (long long)step,
             (long long)p->steps, bits, rate / 1000, left);
}

static void draw_bar(const progress *p, int64_t step, double elapsed, const char *text)
{
    char bar[64];
    int room = columns() - (int)strlen(p->name) - (int)strlen(text) - 8;
    int width = room < 0 ? 0 : room > 40 ? 40 : room;
    int full = (int)(share_done(p, step, elapsed) * width);
    memset(bar, '=', (size_t)full);
    memset(bar + full, ' ', (size_t)(width - full));
    bar[width] = 0;
    printf("\r\033[K%-5s [%s] %s", p->name, bar, text);
    fflush(stdout);
}

void progress_show(progress *p, int64_t step, double bits, int64_t characters)
{
    double now = now_seconds(), elapsed = progress_seconds(p);
    char text[120];
    if (p->terminal) {
        if (now - p->drawn < 0.1)
            return;
        state_text(p, step, bits, characters, elapsed, text, sizeof text);
        draw_bar(p, step, elapsed, text);
    } else {
        int tenths = (int)(10 * share_done(p, step, elapsed));
        if (tenths <= p->tenths)
            return;
        p->tenths = tenths;
        state_text(p, step, bits, characters, elapsed, text, sizeof text);
        printf("%-5s %s\n", p->name, text);
        fflush(stdout);
    }
    p->drawn = now;
}

void progress_close(progress *p, int64_t step, double bits, int64_t characters)
{
    if (p->terminal) {
        char text[120];
        double elapsed = progress_seconds(p);
        state_text(p, step, bits, characters, elapsed, text, sizeof text);
        draw_bar(p, step, elapsed, text);
        putchar('\n');
    }
    fflush(stdout);
}

void progress_line(progress *p, const char *format, ...)
{
    va_list args;
    if (p->terminal)
        fputs("\r\033[K", stdout);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
    p->drawn = 0;
}
