/* blislib.h -- <blis.h> where the distribution puts it, without the warnings that its header gives.
 * Private to what calls BLIS. */
#ifndef TL_CORE_BLISLIB_H
#define TL_CORE_BLISLIB_H

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-function"
#endif
#if __has_include(<blis/blis.h>)
#include <blis/blis.h>
#else
#include <blis.h>
#endif
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#endif
