/* ops.h -- all operations: include this one. Each family's header is its manual. */
#ifndef TL_OPS_OPS_H
#define TL_OPS_OPS_H

#include "core/grad.h"
#include "core/space.h"
#include "ops/again.h"
#include "ops/along.h"
#include "ops/check_grad.h"
#include "ops/check_op.h"
#include "ops/custom.h"
#include "ops/elementwise.h"
#include "ops/index.h"
#include "ops/loss.h"
#include "ops/mask.h"
#include "ops/matmul.h"
#include "ops/noise.h"
#include "ops/reduce.h"
#include "ops/running.h"
#include "ops/select.h"
#include "ops/statistics.h"
#include "ops/view.h"
#include "ops/vocab_loss.h"

#endif
