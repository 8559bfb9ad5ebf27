/* sequence.h -- runs any cell over time: layers, directions, lengths, dropout, states carried on.
 *
 *     tl_cell lstm = tl_lstm_cell(NULL);
 *     tl_sequence *seq = tl_sequence_new(params, "lstm", &lstm, I, H, NULL, &err);
 *     tl_sequence_out out = tl_sequence_apply(seq, x, NULL);             x [T,B,I]
 *     out.y          [T,B,D*H]
 *     out.state[0]   [L*D,B,H]   final h; out.state[1] final c
 *
 * Truncated backpropagation: a memory carries the final states of one stretch over to the next.
 *
 *     tl_sequence_args args = tl_sequence_args_defaults();
 *     args.memory = tl_sequence_memory_new(seq, B, &err);
 *     for (...) {
 *         out = tl_sequence_apply(seq, x, &args);
 *         ... loss, tl_backward, tl_optim_step (which commits), tl_tape_reset ...
 *     }
 *
 * L layers; D directions, 1 or 2. Layer 0 reads I values, every other the D*H of the layer below.
 * States of all layers and directions lie one after the other, as in PyTorch: layer 0 forward,
 * layer 0 reverse, layer 1 forward, ... */
#ifndef TL_NN_SEQUENCE_H
#define TL_NN_SEQUENCE_H

#include "nn/cell.h"

TL_BEGIN_DECLS

typedef struct tl_sequence tl_sequence;
typedef struct tl_sequence_memory tl_sequence_memory;

typedef struct tl_sequence_opts {
    int layers;        /* L >= 1, default 1 */
    int bidirectional; /* D = 2: a second cell reads from the last step to the first; default 0 */
    double dropout;    /* rate on the output of every layer but the last, default 0 */
    int locked; /* dropout uses one mask for all time steps (Gal and Ghahramani 2016), default 0 */
    int batch_first; /* x is [B,T,I] and out.y [B,T,D*H] (views, no copies), default 0 */
    uint64_t seed;   /* of the initial values, default 0 */
} tl_sequence_opts;

TL_API tl_sequence_opts tl_sequence_defaults(void);

/* tl_sequence_new -- makes the parameters in set, named "<name>.weight_ih_l0", ..., "..._l1",
 * "..._l0_reverse" (name NULL or "": without the prefix), and initialises them. The cell is copied.
 * NULL, and err filled, on failure; parameters made by then stay in set. */
TL_API tl_sequence *tl_sequence_new(tl_params *set, const char *name, const tl_cell *cell,
                                    int64_t I, int64_t H, const tl_sequence_opts *opts,
                                    tl_err *err);
TL_API void tl_sequence_free(tl_sequence *seq);

/* tl_sequence_param -- parameter k of the cell in a layer and direction (0 forward, 1 reverse);
 * NULL when out of range. */
TL_API tl_param *tl_sequence_param(const tl_sequence *seq, int layer, int direction, int k);
TL_API const tl_cell *tl_sequence_cell(const tl_sequence *seq);
/* tl_sequence_output_size -- D*H. */
TL_API int64_t tl_sequence_output_size(const tl_sequence *seq);

typedef struct tl_sequence_args {
    tl_tensor initial[TL_CELL_STATES]; /* [L*D,B,width] for each state; inert: zeros */
    tl_tensor lengths; /* [B] i32: row b ends after lengths[b] steps; inert: all rows are full */
    tl_sequence_memory
        *memory;     /* initial states from it, final ones kept in it at the next commit; initial[]
                        are inert then */
    int every_state; /* fill out.every, default 0 */
    int recompute;   /* the gradient computes the steps again instead of keeping what it reads of
                        them: memory for states only; default 0 */
    int64_t budget; /* bytes for what the gradient reads of the steps, for each layer and direction;
                        core/scan.h says what that costs; default 0: no limit */
    int unroll;     /* record every step instead of a scan: the reference for tests; default 0 */
} tl_sequence_args;

TL_API tl_sequence_args tl_sequence_args_defaults(void);

typedef struct tl_sequence_out {
    tl_tensor y; /* [T,B,D*H]: outputs of the last layer; zero where t >= lengths[b] */
    tl_tensor state[TL_CELL_STATES]; /* [L*D,B,width]: after the last step (of each row) */
    tl_tensor
        every[TL_CELL_STATES]; /* [L*D,T,B,width]: after every step, if asked for; zero as y */
} tl_sequence_out;

/* tl_sequence_apply -- records the sequence over x [T,B,I] (or [B,T,I]). args NULL: all defaults.
 * Gradient: to x, parameters, initial states.   Errors: TL_ESHAPE, TL_EDTYPE; TL_EINVAL for a
 * memory and an initial state together; TL_ERANGE when run if a length is outside [0,T]. */
TL_API tl_sequence_out tl_sequence_apply(const tl_sequence *seq, tl_tensor x,
                                         const tl_sequence_args *args);

/* tl_sequence_memory_new -- zeros for B rows of every state. It must not outlive the queue of a
 * tape that keeps into it. */
TL_API tl_sequence_memory *tl_sequence_memory_new(const tl_sequence *seq, int64_t B, tl_err *err);
TL_API void tl_sequence_memory_free(tl_sequence_memory *memory);
/* tl_sequence_memory_zero -- all states zero again: the start of a new text. */
TL_API void tl_sequence_memory_zero(tl_sequence_memory *memory);
/* tl_sequence_memory_state -- state k [L*D,B,width], to read or save it; NULL when out of range. */
TL_API tl_state *tl_sequence_memory_state(const tl_sequence_memory *memory, int k);
/* tl_sequence_memory_use -- initial[k] becomes the stored state, a constant for gradients.
 * tl_sequence_memory_keep -- queues the final states to be stored at the next commit. args.memory
 * does both. */
TL_API void tl_sequence_memory_use(const tl_sequence_memory *memory, tl_tape *tape,
                                   tl_tensor *initial);
TL_API void tl_sequence_memory_keep(tl_sequence_memory *memory, const tl_tensor *state);

TL_END_DECLS
#endif
