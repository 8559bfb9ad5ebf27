/* curves.h -- learning curves: collected, written as CSV, drawn as SVG. Uses nothing of the
 * library. */
#ifndef TL_EXAMPLES_CURVES_H
#define TL_EXAMPLES_CURVES_H

#include <stdint.h>

/* curve_point -- one measurement. NaN in train or valid: not measured here. */
typedef struct curve_point {
    int64_t step;
    int64_t characters; /* trained on so far */
    double seconds;     /* of training so far */
    double train;       /* bits per character, mean since the point before */
    double valid;       /* bits per character of the held-out text */
} curve_point;

typedef struct curve {
    char name[32];   /* "lstm" */
    char label[120]; /* of the legend: "lstm, 128 units, 118,347 parameters" */
    int count, capacity;
    curve_point *points;
} curve;

/* curve_add -- appends a point; 0, or -1 when memory is short. curve_close frees the points. */
int curve_add(curve *c, curve_point point);
void curve_close(curve *c);

/* curve_last_valid -- the last measured valid value, NaN if there is none. */
double curve_last_valid(const curve *c);

/* curves_csv -- one line for each point: cell,step,characters,seconds,train_bits,valid_bits; a
 * value that was not measured is empty. curves_svg -- train thin, valid with markers, against
 * steps. Both return 0, or -1 with errno set. */
int curves_csv(const char *path, int n, const curve *curves);
int curves_svg(const char *path, const char *title, int n, const curve *curves);

#endif
