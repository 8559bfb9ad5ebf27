/* read_the_tape.c -- a lesson: backpropagation through time, read off the tape.
 *
 * Three steps of an LSTM, written as a plain loop, and the gradient of a loss at the end. The
 * lesson walks through what was recorded, with all values: first one step forward, then what
 * tl_grad wrote beside it, from the loss back through the steps to the weights. At the end one
 * number is checked by moving a weight. For who knows what a derivative is, and has never seen how
 * a program gets one.
 *
 *     read_the_tape            the lesson, to the terminal
 *     read_the_tape out        and out/lstm_tape.svg, .dot, .tex, and .txt with the whole tape in
 *                              two columns (the folder has to be there)
 *
 * In the drawing the lower half is the upper one in a mirror: lines that fan out forward (W to
 * three steps) come together backward, and time runs from right to left. */
#include "tapeloop.h"

#include <math.h>
#include <stdio.h>

enum { T = 3, I = 2, H = 3 };

/* lesson -- what is recorded, and where on the tape it begins. */
typedef struct lesson {
    tl_tape *tape;
    uint32_t step[T + 1]; /* of step t = 1 .. T; step[0]: of the weights */
    uint32_t loss, end;
    tl_tensor W, U, b, L;
    tl_tensor dW, dU, db;
} lesson;

/* named -- "h" and 2: the tensor is called "h2". */
static tl_tensor named(tl_tensor t, const char *name, int step)
{
    char text[32];
    snprintf(text, sizeof text, "%s%d", name, step);
    return tl_name(t, text);
}

/* some -- numbers from -0.6 to 0.6; which ones does not matter. `more` is added to the first. */
static tl_tensor some(tl_tape *tape, tl_shape shape, int start, double more)
{
    double v[4 * H * H];
    for (int k = 0; k < tl_shape_count(shape); k++)
        v[k] = 0.2 * ((5 * k + start) % 7 - 3);
    v[0] += more;
    return tl_input_f64(tape, shape, v);
}

/* record_step -- one step of an LSTM: h and c of the step before become those of this one. */
static void record_step(lesson *n, int t, tl_tensor *h, tl_tensor *c)
{
    tl_tensor x = named(some(n->tape, tl_shape2(1, I), t, 0), "x", t);
    tl_tensor z = named(tl_add(tl_linear(x, n->W, n->b), tl_matmul_t(*h, 0, n->U, 1)), "z", t);
    tl_scope_open(n->tape, "gates");
    tl_tensor i = named(tl_sigmoid(tl_chunk(z, 4, 0)), "i", t);
    tl_tensor f = named(tl_sigmoid(tl_chunk(z, 4, 1)), "f", t);
    tl_tensor g = named(tl_tanh(tl_chunk(z, 4, 2)), "g", t);
    tl_tensor o = named(tl_sigmoid(tl_chunk(z, 4, 3)), "o", t);
    tl_scope_close(n->tape);
    *c = named(tl_add(tl_mul(f, *c), tl_mul(i, g)), "c", t);
    *h = named(tl_mul(o, tl_tanh(*c)), "h", t);
}

/* record -- the loss after three steps, and its gradient. `more` is added to one weight, U[0,0]. */
static int record(lesson *n, double more)
{
    tl_tensor h = {0}, c = {0};
    n->W = tl_name(some(n->tape, tl_shape2(4 * H, I), 1, 0), "W");
    n->U = tl_name(some(n->tape, tl_shape2(4 * H, H), 2, more), "U");
    n->b = tl_name(some(n->tape, tl_shape1(4 * H), 3, 0), "b");
    for (int t = 1; t <= T; t++) {
        char scope[32];
        snprintf(scope, sizeof scope, "t = %d", t);
        n->step[t] = tl_tape_mark(n->tape);
        tl_scope_open(n->tape, scope);
        if (t == 1) {
            h = named(tl_zeros(n->tape, TL_F64, tl_shape2(1, H)), "h", 0);
            c = named(tl_zeros(n->tape, TL_F64, tl_shape2(1, H)), "c", 0);
        }
        record_step(n, t, &h, &c);
        tl_scope_close(n->tape);
    }
    n->loss = tl_tape_mark(n->tape);
    tl_tensor y = tl_name(some(n->tape, tl_shape2(1, H), 6, 0), "y");
    tl_tensor e = tl_name(tl_sub(h, y), "e");
    n->L = tl_name(tl_scale(tl_sum_all(tl_mul(e, e)), 0.5), "L");
    n->end = tl_tape_mark(n->tape);
    const tl_tensor in[3] = {n->W, n->U, n->b};
    tl_tensor grad[3];
    const int code = tl_grad(1, &n->L, NULL, 3, in, grad);
    n->dW = tl_name(grad[0], "dW");
    n->dU = tl_name(grad[1], "dU");
    n->db = tl_name(grad[2], "db");
    return code;
}

/* show -- a part of the tape with values: forward, or with the gradient beside it. */
static int show(const lesson *n, uint32_t from, uint32_t to, int adjoint)
{
    tl_print_opts o = tl_print_defaults();
    o.from = from;
    o.to = to;
    o.values = TL_VALUES_EVALUATE;
    o.adjoint = adjoint;
    const int bad = tl_tape_print(n->tape, &o, stdout) != TL_OK;
    printf("\n");
    return bad;
}

static int forward_lesson(const lesson *n)
{
    printf("BACKPROPAGATION THROUGH TIME, READ OFF THE TAPE\n\n"
           "Three steps of an LSTM. From x, and h and c of the step before,\n\n"
           "    z = x W' + h U' + b           one product for all four gates (' turns a matrix)\n"
           "    i, f, g, o                    four pieces of z: sigmoid, sigmoid, tanh, sigmoid\n"
           "    c = f c + i g                 the memory: keep some, write some\n"
           "    h = o tanh(c)                 the output\n\n"
           "and after the third a loss: L = 1/2 sum (h3 - y)^2. The question: how does L change\n"
           "when a weight does?\n\n"
           "1. THE TAPE\n\n"
           "Every call records one line: number, name, what is done to which lines, type and\n"
           "shape, value (live: it is there). This is the first step; the other two look the\n"
           "same, from the h and c of the step before. What has no name goes by its number,\n"
           "%%8. contract is a product of matrices: \"ij,kj->ik\" says which axes meet (j,\n"
           "summed over) and which stay. # is a scope: who recorded it.\n\n");
    return show(n, n->step[1], n->step[2], 0);
}

static int loss_lesson(const lesson *n)
{
    printf("2. THE WAY BACK\n\n"
           "tl_grad goes over the tape from the last line to the first. At each it knows the\n"
           "gradient of L for what the line computed: as many numbers as that has, each saying by\n"
           "how much L grows per unit of this one. From it follows what the operands get, by the\n"
           "chain rule. That is computed by ordinary operations, so tl_grad records them: behind\n"
           "everything else on the same tape. Here they stand beside the line that they are of.\n"
           "An arrow says for which line the result is the gradient, or a part of it; behind a\n"
           "comma stand lines that get it as it is.\n\n");
    if (show(n, n->loss, n->end, 1))
        return 1;
    printf("From the top: dL/dL = 1. L is half of something, which gets 1 * 0.5 (reshape is form\n"
           "only). A sum hands its gradient to every element: broadcast_to. e e has the operand e\n"
           "twice: each gets the other factor, 0.5 e, and at e the two are added. So dL/de = e,\n"
           "as it has to be.\n\n"
           "Remember this add: WHAT IS USED TWICE GETS THE SUM. Everything below is that.\n\n"
           "The last step, t = 3, still from the last line to the first:\n\n");
    if (show(n, n->step[3], n->loss, 1))
        return 1;
    printf(
        "  h3       = o tanh(c): o gets the gradient times tanh(c), tanh(c) gets it times o\n"
        "  tanh(c3) three lines are its derivative, 1 - tanh^2, times what came in\n"
        "  c3       a sum hands on what it gets, to both: nothing to compute, nothing beside it\n"
        "  f3 c2    f gets the gradient times c2. And c2 gets it times f3: \"-> c2\". This line\n"
        "           LEAVES THE STEP, back in time. On its way there is no matrix and no\n"
        "           squashing, only f: with f near 1 it arrives whole. Why an LSTM remembers\n"
        "  i f g o  each with its derivative: sigmoid s (1 - s), tanh 1 - g g\n"
        "  z3       assemble puts the four side by side, as z is cut: the gradient of z\n"
        "  products of x W' and h U': to W it goes as (gradient)' x, to U as (gradient)' h2.\n"
        "           And to h2 as (gradient) U: \"-> h2\", the second line that leaves the "
        "step\n\n");
    return 0;
}

static int time_lesson(const lesson *n)
{
    printf("3. THROUGH TIME\n\n"
           "The step before. Two gradients arrive from step 3: one for h2, one for c2.\n\n");
    if (show(n, n->step[2], n->step[3], 1))
        return 1;
    printf("Every line is as in step 3, but for c2. c2 was used twice: by tanh(c2) on the way to\n"
           "h2, and by c3 = f3 c2 + i3 g3. So it gets a sum, add(), of what its own step sent and\n"
           "what the step after sent. This is all there is to backpropagation through time: the\n"
           "chain rule, and an add where a value was used in more than one place. Nobody wrote a\n"
           "backward loop; it is the forward loop, read from behind.\n\n"
           "Step 1 is the same once more. Then come the weights, used in all three steps:\n\n");
    return show(n, n->step[0], n->step[1], 1);
}

/* check_lesson -- dL/dU[0,0] by moving that weight a little both ways. */
static int check_lesson(const lesson *n)
{
    const double little = 1e-4;
    double dU[4 * H * H], L[2];
    for (int k = 0; k < 2; k++) {
        lesson moved = {.tape = tl_tape_new(NULL)};
        if (!moved.tape)
            return 1;
        record(&moved, k ? -little : little);
        L[k] = tl_item(moved.L);
        tl_tape_free(moved.tape);
    }
    if (tl_read_f64(n->dU, dU, 4 * H * H) != TL_OK)
        return 1;
    const double slope = (L[0] - L[1]) / (2 * little);
    printf("Three contributions, one a step, each a line \"-> U\" like those above; two adds.\n"
           "(That of step 1 is zero for U: h0 is.) Forward, U fans out to three steps; back,\n"
           "three gradients come together. The drawing shows it as a mirror image:\n"
           "\"read_the_tape folder\" writes one.\n\n"
           "4. IS IT TRUE?\n\n"
           "The first number of dU says how L changes with U[0,0]. Move that weight by %g\n"
           "both ways, run the loop again, and look at L:\n\n"
           "    (%.10f - %.10f) / %g = %.8f\n"
           "    from the tape                              %.8f\n\n",
           little, L[0], L[1], 2 * little, slope, dU[0]);
    return !(fabs(slope - dU[0]) < 1e-8);
}

/* save -- text to folder/lstm_tape.ending. */
static int save(char *text, const char *folder, const char *ending, const tl_err *err)
{
    char path[512];
    snprintf(path, sizeof path, "%s/lstm_tape.%s", folder, ending);
    FILE *file = text ? fopen(path, "w") : NULL;
    int bad = !file || fputs(text, file) < 0;
    bad |= file && fclose(file) != 0;
    if (bad)
        fprintf(stderr, "%s: %s\n", path, text ? "cannot be written" : err->message);
    else
        printf("wrote %s\n", path);
    tl_string_free(text);
    return bad;
}

static int save_all(tl_tape *tape, const char *folder)
{
    tl_err err = {0};
    tl_print_opts o = tl_print_defaults();
    o.adjoint = 1;
    o.values = TL_VALUES_EVALUATE;
    int bad = save(tl_tape_text(tape, &o), folder, "txt", &err);
    bad |= save(tl_tape_svg(tape, NULL, &err), folder, "svg", &err);
    bad |= save(tl_tape_dot(tape, NULL, &err), folder, "dot", &err);
    bad |= save(tl_tape_latex(tape, NULL, &err), folder, "tex", &err);
    return bad;
}

int main(int argc, char **argv)
{
    lesson n = {.tape = tl_tape_new(NULL)};
    if (!n.tape || record(&n, 0) != TL_OK) {
        fprintf(stderr, "%s\n", n.tape ? tl_tape_error(n.tape) : "no memory");
        tl_tape_free(n.tape);
        return 1;
    }
    int bad = forward_lesson(&n) || loss_lesson(&n) || time_lesson(&n) || check_lesson(&n);
    printf("%s", bad ? "something went wrong\n" : "");
    if (argc > 1)
        bad |= save_all(n.tape, argv[1]);
    tl_tape_free(n.tape);
    return bad;
}
