/* progress.h -- how far a long job is: a bar that redraws itself on a terminal, plain lines
 * elsewhere. */
#ifndef TL_EXAMPLES_PROGRESS_H
#define TL_EXAMPLES_PROGRESS_H

#include <stdint.h>

typedef struct progress {
    const char *name;
    int64_t steps;  /* in all */
    int64_t first;  /* step at open; not 0 when a training is gone on with */
    double seconds; /* limit; 0: none */
    int terminal;   /* stdout is one */
    double start;   /* clock at open, moved on by what pauses took */
    double paused;  /* clock at pause */
    double drawn;   /* clock when last shown */
    int tenths;     /* plain lines printed so far */
} progress;

/* now_seconds -- a clock that only goes forward. */
double now_seconds(void);

/* progress_seconds -- since open, without the time spent between pause and resume. */
double progress_seconds(const progress *p);
void progress_pause(progress *p);
void progress_resume(progress *p);

void progress_open(progress *p, const char *name, int64_t first, int64_t steps, double seconds);

/* progress_show -- after `step` steps: loss of late in bits per character, characters done since
 * open. On a terminal redraws at most ten times a second, elsewhere prints one line for every tenth
 * of the way. */
void progress_show(progress *p, int64_t step, double bits, int64_t characters);

/* progress_close -- shows the last state and leaves the cursor on a fresh line. */
void progress_close(progress *p, int64_t step, double bits, int64_t characters);

/* progress_line -- prints a finished line without disturbing the bar. */
void progress_line(progress *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
