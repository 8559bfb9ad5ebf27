/* program.c -- naming the values of a program, and asking for them. freeze.c closes it, session.c
 * runs it. */
#include "core/program.h"

#include "core/frozen.h"

#include <string.h>

tl_program *tl_program_new(tl_tape *tape, const char *name)
{
    tl_program *p = tape ? tl__calloc(1, sizeof *p) : NULL;
    if (!p)
        return NULL;
    atomic_init(&p->refs, 1);
    p->tape = tape;
    p->draw = tape->draw;
    p->name = "";
    if (name && name[0]) {
        const size_t size = strlen(name) + 1;
        char *copy = tl__arena_alloc(&p->arena, size);
        if (!copy) {
            tl__program_unref(p);
            return NULL;
        }
        p->name = memcpy(copy, name, size);
    }
    return p;
}

void tl__program_unref(tl_program *p)
{
    if (!p || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < p->nports; i++)
        tl__buf_unref(p->port[i].initial);
    for (uint32_t k = 0; k < p->nleaves; k++)
        tl__buf_unref(p->leaf[k].constant);
    tl__plan_free(p->plan);
    tl__free(p->port);
    tl__free(p->leaf);
    tl__arena_close(&p->arena);
    tl__free(p);
}

void tl_program_free(tl_program *p)
{
    tl__program_unref(p);
}

/* ---- naming ---------------------------------------------------------------------------------- */

/* allowed -- TL_OK while p can take names; the first mistake, its own or the tape's, otherwise. */
static int allowed(tl_program *p, const char *what)
{
    if (p->err.code)
        return p->err.code;
    if (!p->tape)
        return tl__fail(NULL, TL_ESTATE, "%s: the program is closed", what);
    if (p->tape->code)
        return tl__fail(&p->err, p->tape->code, "%s: the tape has an error: %s", what,
                        p->tape->message);
    return TL_OK;
}

static int check_name(tl_program *p, const char *what, const char *name)
{
    static const char *const kind[] = {"an input", "a state", "an output"};
    if (!name || !name[0])
        return tl__fail(&p->err, TL_ENAME, "%s: a value of a program needs a name", what);
    const int i = tl_program_find(p, name);
    if (i < 0)
        return TL_OK;
    return tl__fail(&p->err, TL_ENAME, "%s: the program already has %s named \"%s\"", what,
                    kind[p->port[i].kind], name);
}

int tl__program_check(tl_program *p, const char *what, const char *name, tl_tensor t)
{
    char text[160];
    if (!t.tape)
        return tl__fail(&p->err, TL_EINVAL, "%s: got the inert tensor for \"%s\"", what, name);
    if (t.tape != p->tape)
        return tl__fail(&p->err, TL_ETAPE, "%s: \"%s\" lives on another tape than the program",
                        what, name);
    const tl_node *n = tl__peek(t);
    if (!n)
        return tl__fail(&p->err, TL_EDEAD,
                        "%s: \"%s\" is gone: its tape was reset or released before the program "
                        "was closed",
                        what, name);
    if (n->frame != 0)
        return tl__fail(&p->err, TL_EFRAME,
                        "%s: got %s for \"%s\", a value of a scan's body; ask tl_scan_last or "
                        "tl_scan_stacked",
                        what, tl__describe(p->tape, t.slot, text, sizeof text), name);
    return TL_OK;
}

/* check_single -- x is not an input or state under another name. */
static int check_single(tl_program *p, const char *what, const char *name, tl_tensor x)
{
    for (uint32_t i = 0; i < p->nports; i++)
        if (p->port[i].kind != TL_PORT_OUTPUT && p->port[i].value.slot == x.slot)
            return tl__fail(&p->err, TL_EINVAL, "%s: got for \"%s\" what is \"%s\" already", what,
                            name, p->port[i].name);
    return TL_OK;
}

static int check_next(tl_program *p, const char *what, const char *name, tl_tensor h, tl_tensor h1)
{
    const tl_node *now = tl__peek(h), *next = tl__peek(h1);
    const int types = now->dtype == next->dtype;
    if (types && tl_shape_equal(now->shape, next->shape))
        return TL_OK;
    char got[TL_SHAPE_TEXT], want[TL_SHAPE_TEXT];
    return tl__fail(&p->err, types ? TL_ESHAPE : TL_EDTYPE,
                    "%s: got %s %s as the next \"%s\", which is %s %s", what,
                    tl_dtype_name(next->dtype), tl_shape_text(next->shape, got, sizeof got), name,
                    tl_dtype_name(now->dtype), tl_shape_text(now->shape, want, sizeof want));
}

static int add_port(tl_program *p, const char *what, tl_port_kind kind, const char *name,
                    tl_tensor value, tl_tensor next)
{
    const size_t size = strlen(name) + 1;
    char *copy = tl__arena_alloc(&p->arena, size);
    if (!copy || tl__grow(&p->port, &p->ports_capacity, p->nports + 1, sizeof *p->port))
        return tl__fail(&p->err, TL_ENOMEM, "%s: no memory for \"%s\"", what, name);
    const tl_node *n = tl__peek(value);
    tl_port *port = &p->port[p->nports++];
    *port = (tl_port){.kind = kind,
                      .name = memcpy(copy, name, size),
                      .shape = n->shape,
                      .dtype = n->dtype,
                      .count = tl_shape_count(n->shape),
                      .value = value,
                      .next = next};
    port->bytes = (size_t)port->count * tl_dtype_size(port->dtype);
    return TL_OK;
}

/* add -- names one value; next is inert but for states. */
static int add(tl_program *p, const char *what, tl_port_kind kind, const char *name, tl_tensor t,
               tl_tensor next)
{
    if (!p)
        return TL_EINVAL;
    int code = allowed(p, what);
    if (code == TL_OK)
        code = check_name(p, what, name);
    if (code == TL_OK)
        code = tl__program_check(p, what, name, t);
    if (code == TL_OK && kind != TL_PORT_OUTPUT)
        code = check_single(p, what, name, t);
    if (code == TL_OK && kind == TL_PORT_STATE) {
        code = tl__program_check(p, what, name, next);
        if (code == TL_OK)
            code = check_next(p, what, name, t, next);
    }
    return code ? code : add_port(p, what, kind, name, t, next);
}

int tl_program_input(tl_program *p, const char *name, tl_tensor x)
{
    return add(p, "tl_program_input", TL_PORT_INPUT, name, x, (tl_tensor){0});
}

int tl_program_state(tl_program *p, const char *name, tl_tensor h, tl_tensor h1)
{
    return add(p, "tl_program_state", TL_PORT_STATE, name, h, h1);
}

int tl_program_output(tl_program *p, const char *name, tl_tensor y)
{
    return add(p, "tl_program_output", TL_PORT_OUTPUT, name, y, (tl_tensor){0});
}

/* ---- closing --------------------------------------------------------------------------------- */

int tl_program_close(tl_program *p, tl_err *err)
{
    static const char what[] = "tl_program_close";
    if (!p)
        return tl__fail(err, TL_EINVAL, "%s: no program (NULL)", what);
    if (!p->tape)
        return tl__fail(err, TL_ESTATE, "%s: the program is closed", what);
    int results = 0;
    for (uint32_t i = 0; i < p->nports; i++)
        results += p->port[i].kind != TL_PORT_INPUT;
    int code = allowed(p, what);
    if (code == TL_OK && p->tape->frame != 0)
        code = tl__fail(&p->err, TL_EFRAME, "%s: inside an open scan; tl_scan_close comes first",
                        what);
    if (code == TL_OK && results == 0)
        code = tl__fail(&p->err, TL_EINVAL,
                        "%s: nothing to compute: the program has neither output nor state", what);
    if (code == TL_OK)
        code = tl__program_freeze(p);
    p->tape = NULL;
    if (code && err)
        *err = p->err;
    return code;
}

/* ---- asking ---------------------------------------------------------------------------------- */

int tl_program_count(const tl_program *p)
{
    return p ? (int)p->nports : 0;
}

int tl_program_find(const tl_program *p, const char *name)
{
    for (uint32_t i = 0; p && name && i < p->nports; i++)
        if (strcmp(p->port[i].name, name) == 0)
            return (int)i;
    return TL_ENAME;
}

static const tl_port *port_at(const tl_program *p, int i)
{
    return p && i >= 0 && (uint32_t)i < p->nports ? &p->port[i] : NULL;
}

const char *tl_program_name(const tl_program *p, int i)
{
    const tl_port *port = port_at(p, i);
    return port ? port->name : NULL;
}

tl_shape tl_program_shape(const tl_program *p, int i)
{
    const tl_port *port = port_at(p, i);
    return port ? port->shape : tl_shape_of_dims(-1, NULL);
}

tl_dtype tl_program_dtype(const tl_program *p, int i)
{
    const tl_port *port = port_at(p, i);
    return port ? port->dtype : TL_F32;
}

char *tl_program_text(const tl_program *p)
{
    return p && p->plan ? tl__plan_text(p->plan) : NULL;
}
