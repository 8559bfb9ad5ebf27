/* weights.h -- parameter sets, states and metadata in one file, and back.
 *
 * The format is safetensors, the names and layouts are PyTorch's: a state dict of nn.LSTM, nn.GRU,
 * nn.RNN, nn.Embedding or nn.Linear saved from Python loads here unchanged, and what is saved here
 * loads there.
 *
 *     tl_weights_part parts[] = {{"", model, NULL}, {"adam.", adam_params, NULL}, {"h", NULL, h}};
 *     tl_meta_set_u64(meta, "draws", tl_draws(tape));
 *     tl_weights_save("run.safetensors", 3, parts, meta, &err);
 *
 * A file is written whole or not at all; it is loaded whole or not at all. */
#ifndef TL_CORE_WEIGHTS_H
#define TL_CORE_WEIGHTS_H

#include "core/meta.h"
#include "core/param.h"

TL_BEGIN_DECLS

/* tl_weights_part -- what a file holds under one prefix: a set (each parameter named prefix + its
 * name) or a state (named prefix). Exactly one of the two is not NULL. */
typedef struct tl_weights_part {
    const char *prefix; /* "" for none; usually ends in '.' */
    tl_params *set;
    tl_state *state;
} tl_weights_part;

/* tl_weights_rename -- a name in the file equal to `from`, or starting with it if `from` ends in
 * '.', has that part replaced by `to`. to NULL: such names are left out and not reported. The first
 * entry that fits counts. */
typedef struct tl_weights_rename {
    const char *from;
    const char *to;
} tl_weights_rename;

typedef struct tl_weights_opts {
    int strict; /* missing and unexpected names are errors, default 1; a wrong shape always is */
    int allow_nonfinite; /* take NaN and infinite values, default 0 */
    int nrenames;
    const tl_weights_rename *renames;
    /* after the table: writes the new name of `name` to out[room] and returns 1; 0 keeps it,
     * negative leaves it out */
    int (*rename)(void *user, const char *name, char *out, size_t room);
    void *user;
} tl_weights_opts;

TL_API tl_weights_opts tl_weights_defaults(void);

/* tl_weights_report -- how a file and the parts fit. */
typedef struct tl_weights_report {
    int loaded;      /* tensors taken (0 when the load failed) */
    int missing;     /* wanted, not in the file */
    int unexpected;  /* in the file under one of the prefixes, not wanted */
    int wrong;       /* of another shape, or of a type that cannot be converted */
    int outside;     /* in the file under none of the prefixes, or left out by a rename */
    char text[2000]; /* a line for each missing, unexpected and wrong name; shortened if too long */
} tl_weights_report;

/* tl_weights_save -- writes all parts and the metadata (NULL: none) to one file.
 *
 * Values are stored in their own type (f32 as F32, f64 as F64, i32 as I32), every bit kept. The new
 * file replaces the old one at once, when it is complete and on the disk; after a failure the old
 * one is untouched.
 * Errors: TL_EIO; TL_ENAME when two tensors would have one name, or a name is not UTF-8; TL_EINVAL;
 * TL_ENOMEM. */
TL_API int tl_weights_save(const char *path, int n, const tl_weights_part *parts,
                           const tl_meta *meta, tl_err *err);

/* tl_weights_load -- reads the tensors of all parts from one file; meta and report may be NULL.
 *
 *   opts    NULL: all defaults
 *   meta    receives the file's metadata, added to what is there
 *   report  filled on failure too
 *
 * F16, BF16, F32 and F64 are converted to the parameter's type, rounding to nearest. Everything is
 * checked and converted first; then all new values (each a new version) appear together. A set must
 * not be committed to meanwhile.
 * Errors: TL_EIO; TL_EFORMAT for a damaged file or one of another kind (for a .pt file the message
 * is the command that converts it); TL_ENAME and TL_ESHAPE as the report says; TL_EDTYPE; TL_ERANGE
 * for NaN, infinity, or a value too large for f32, with name and index; TL_EUNSUPPORTED for a file
 * of a later version; TL_ENOMEM. */
TL_API int tl_weights_load(const char *path, int n, const tl_weights_part *parts,
                           const tl_weights_opts *opts, tl_meta *meta, tl_weights_report *report,
                           tl_err *err);

/* tl_weights_meta -- reads only the metadata of a file (which is checked whole nevertheless), added
 * to what is in meta. */
TL_API int tl_weights_meta(const char *path, tl_meta *meta, tl_err *err);

TL_END_DECLS
#endif
