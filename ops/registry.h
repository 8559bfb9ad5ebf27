/* registry.h -- all operations of the library, by number and by name. */
#ifndef TL_OPS_REGISTRY_H
#define TL_OPS_REGISTRY_H

#include "core/op.h"
#include "ops/list.h"

TL_BEGIN_DECLS

/* tl_ops_count, tl_ops_at -- core's operations first, in the order of ops/list.h; NULL outside
 * 0 .. count - 1. */
TL_API int tl_ops_count(void);
TL_API const tl_op *tl_ops_at(int i);
/* tl_ops_find -- by name; NULL if there is none. */
TL_API const tl_op *tl_ops_find(const char *name);

/* tl_ops_text -- the table of operations in Markdown, one line each: name, formula, shapes,
 * gradient, kind. Freed with tl_string_free; NULL when memory is short. */
TL_API char *tl_ops_text(void);

TL_END_DECLS

/* The descriptors. Private. */
#define TL_OP_DECLARED(NAME) extern TL_API const tl_op tl_op_##NAME;
TL_CORE_OPS(TL_OP_DECLARED)
TL_OPS(TL_OP_DECLARED)
#undef TL_OP_DECLARED

#endif
