/* tapeloop.h -- the whole public interface.
 *
 * Order of reading: core/tensor.h, core/tape.h, core/param.h, core/grad.h, core/scan.h; ops/ops.h
 * and what it includes; nn/cell.h, nn/sequence.h; optim/optimizer.h; data/batches.h, data/loader.h;
 * core/program.h, core/session.h.
 * core/op.h is for who adds an operation. */
#ifndef TAPELOOP_H
#define TAPELOOP_H

#include "core/forward.h"
#include "core/anomaly.h"
#include "core/function.h"
#include "core/cut.h"
#include "core/draw.h"
#include "core/grad.h"
#include "core/meta.h"
#include "core/op.h"
#include "core/param.h"
#include "core/print.h"
#include "core/profile.h"
#include "core/program.h"
#include "core/scan.h"
#include "core/session.h"
#include "core/space.h"
#include "core/status.h"
#include "core/tape.h"
#include "core/threads.h"
#include "core/weights.h"
#include "data/data.h"
#include "nn/nn.h"
#include "ops/ops.h"
#include "optim/optim.h"

#endif
