/* peak_memory.c -- reads /proc/self/status. */
#include "tests/bench/peak_memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double field_mb(const char *name)
{
    char line[200];
    double mb = (double)NAN;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, name, strlen(name)))
            mb = (double)strtol(line + strlen(name), NULL, 10) / 1024;
    if (f)
        fclose(f);
    return mb;
}

double resident_mb(void)
{
    return field_mb("VmRSS:");
}

double peak_resident_mb(void)
{
    return field_mb("VmHWM:");
}
