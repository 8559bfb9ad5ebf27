/* schedule.c -- learning rates as functions of the step's number. */
#include "optim/schedule.h"

#include <math.h>

double tl_schedule_constant(int64_t step, double lr, int64_t warmup)
{
    return step < warmup ? lr * (double)(step + 1) / (double)warmup : lr;
}

double tl_schedule_step(int64_t step, double lr, int64_t every, double factor)
{
    return lr * pow(factor, (double)(every > 0 ? step / every : 0));
}

double tl_schedule_cosine(int64_t step, double lr, int64_t warmup, int64_t total, double low)
{
    const double pi = 3.14159265358979323846;
    if (step < warmup)
        return tl_schedule_constant(step, lr, warmup);
    if (step >= total)
        return low;
    double done = (double)(step - warmup) / (double)(total - warmup);
    return low + (lr - low) * (1 + cos(pi * done)) / 2;
}
