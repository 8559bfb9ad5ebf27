/* data.h -- all of data/. */
#ifndef TL_DATA_DATA_H
#define TL_DATA_DATA_H

#include "data/array.h"
#include "data/batches.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "data/order.h"
#include "data/text.h"
#include "data/vocab.h"

#endif
