/* counting.h -- how much memory the library takes: an allocator of the program's own that counts
 * bytes (tl_set_allocator). */
#ifndef COUNTING_H
#define COUNTING_H

#include <stddef.h>

/* counting_start -- from now on; before anything else of the library is called. */
void counting_start(void);

/* counting_now -- bytes allocated. counting_most -- at most since counting_reset. */
size_t counting_now(void);
size_t counting_most(void);
void counting_reset(void);

#endif
