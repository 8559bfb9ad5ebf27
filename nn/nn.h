/* nn.h -- cells, sequences, layers, initialisers: all public headers of this folder. */
#ifndef TL_NN_NN_H
#define TL_NN_NN_H

#include "nn/attention.h"
#include "nn/cell.h"
#include "nn/cells.h"
#include "nn/embedding_layer.h"
#include "nn/init.h"
#include "nn/layer_norm.h"
#include "nn/linear_layer.h"
#include "nn/locked_dropout.h"
#include "nn/microscope.h"
#include "nn/sequence.h"
#include "nn/verify.h"

#endif
