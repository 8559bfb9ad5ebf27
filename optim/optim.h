/* optim.h -- optimizers, clipping, schedules: all public headers of this folder. */
#ifndef TL_OPTIM_OPTIM_H
#define TL_OPTIM_OPTIM_H

#include "optim/adam.h"
#include "optim/clip.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "optim/sgd.h"
#include "optim/transform.h"

#endif
