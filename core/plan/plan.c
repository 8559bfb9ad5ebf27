/* plan.c -- makes a plan: from the stretch to the graph, through the passes, to instructions.
 *
 *     stretch --> graph --> same --> recompute --> simplify --> join
 *                 hoist --> lift --> sink --> narrow                 what is computed
 *                 settle --> period --> lower --> address --> budget --> pack   where
 *                 fuse --> band --> arrange --> share --> layout, emit --> plan   when and how */
#include "core/plan/plan.h"
#include "core/plan/note.h"

#include <string.h>

void tl__plan_free(tl_plan *p)
{
    if (!p)
        return;
    tl__arena_close(&p->arena);
    tl__free(p);
}

static void run_passes(tl_graph *g, tl_plan *p)
{
    const unsigned on = g->passes;
    tl__pass_same(g);
    if (on & TL_PASS_RECOMPUTE)
        tl__pass_recompute(g);
    if (on & TL_PASS_SIMPLIFY)
        tl__pass_simplify(g);
    if (on & TL_PASS_JOIN)
        tl__pass_join(g);
    if (on & TL_PASS_HOIST) {
        tl__pass_hoist(g);
        tl__pass_lift(g);
    }
    if (on & TL_PASS_SINK)
        tl__pass_sink(g);
    if (on & TL_PASS_FUSE)
        tl__pass_narrow(g);
    if (on & TL_PASS_SINK)
        tl__pass_settle(g);
    if (on & TL_PASS_PERIOD)
        tl__pass_period(g);
    tl__pass_lower(g);
    tl__graph_mark(g);
    tl__graph_order(g);
    tl__pass_address(g);
    tl__pass_budget(g);
    if (on & TL_PASS_PACK)
        tl__pass_pack(g);
    tl__graph_order(g); /* addresses may have asked for copies */
    tl__pass_fuse(g);
    if (on & TL_PASS_REDUCE)
        tl__pass_band(g);
    tl__pass_arrange(g);
    p->workers = tl__pass_share(g);
    if (!g->code)
        tl__emit(p, g);
}

tl_plan *tl__plan_make(tl_tape *tape, const tl_stretch *s)
{
    tl_plan *p = tl__calloc(1, sizeof *p);
    if (!p) {
        tl_tape_fail(tape, TL_ENOMEM, "run", "no memory for a plan");
        return NULL;
    }
    tl_graph g = {0};
    tl__graph_build(&g, tape, s);
    g.passes = tl__passes_of(tape);
    tl__note_members(p, &g, tape, s);
    if (!g.code)
        run_passes(&g, p);
    if (g.code) {
        tl_tape_fail(tape, g.code, "run", "%s", g.message);
        tl__plan_free(p);
        p = NULL;
    }
    tl__graph_close(&g);
    return p;
}
