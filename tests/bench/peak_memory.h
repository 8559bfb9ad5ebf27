/* peak_memory.h -- what this process holds of the machine's memory, MiB, from /proc/self/status;
 * NaN where that is not to be had. */
#ifndef TL_TESTS_BENCH_PEAK_MEMORY_H
#define TL_TESTS_BENCH_PEAK_MEMORY_H

/* resident_mb -- now. peak_resident_mb -- the most so far. */
double resident_mb(void);
double peak_resident_mb(void);

#endif
