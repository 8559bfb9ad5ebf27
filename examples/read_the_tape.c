/* read_the_tape.c -- backpropagation through time, read off the tape.
 *
 * Three steps of an LSTM, written as a plain loop, and the gradient of a loss at the end. What
 * tl_grad recorded is then printed beside what it goes back over, and drawn:
 *
 *     read_the_tape            the two columns, to the terminal
 *     read_the_tape out        and out/lstm_tape.svg, .dot, .tex (the folder has to be there)
 *
 * How to read it, from the top (the end of time) down:
 *
 *   L, e    the sweep starts with dL/dL = 1 and comes to h3 with e = h3 - y
 *   h3      h = o tanh(c): d goes to o as d tanh(c), and to c as d o (1 - tanh(c)^2)
 *   c3      c = f c' + i g: the same d goes to f, i, g, each times the other factor, and back in
 *           time to c2 as d f. No matrix, no squashing on this way: why an LSTM remembers
 *   i f g o each with its derivative: sigmoid s (1 - s), tanh 1 - g g
 *   z3      the four put side by side: d for the one product. To the weights it goes as d' x and
 *           d' h2, and back in time to h2 as d U
 *   c2      has two lines coming in: add() of what h2 sends and of what c3 sent. That add is BPTT
 *   W U b   used in three steps, so the sweep adds up three contributions
 *
 * In the drawing the lower half is the upper one in a mirror: lines that fan out forward (W to three
 * steps) come together backward, and time runs from right to left. */
#include "tapeloop.h"

#include <stdio.h>

enum { T = 3, I = 2, H = 3 };

/* named -- "h" and 2: the tensor is called "h2". */
static tl_tensor named(tl_tensor t, const char *name, int step)
{
    char text[32];
    snprintf(text, sizeof text, "%s%d", name, step);
    return tl_name(t, text);
}

/* weights -- some numbers; which ones does not matter here. */
static tl_tensor weights(tl_tape *tape, tl_shape shape, const char *name)
{
    double v[4 * H * H];
    for (int k = 0; k < tl_shape_count(shape); k++)
        v[k] = 0.1 * (k % 7 - 3);
    return tl_name(tl_input_f64(tape, shape, v), name);
}

/* record -- the loss after three steps, and its gradient for W, U and b. */
static int record(tl_tape *tape)
{
    tl_tensor W = weights(tape, tl_shape2(4 * H, I), "W"), h = {0}, c = {0};
    tl_tensor U = weights(tape, tl_shape2(4 * H, H), "U"), b = weights(tape, tl_shape1(4 * H), "b");
    for (int t = 1; t <= T; t++) {
        char scope[32];
        snprintf(scope, sizeof scope, "t = %d", t);
        tl_scope_open(tape, scope);
        if (t == 1) {
            h = named(tl_zeros(tape, TL_F64, tl_shape2(1, H)), "h", 0);
            c = named(tl_zeros(tape, TL_F64, tl_shape2(1, H)), "c", 0);
        }
        tl_tensor x = named(weights(tape, tl_shape2(1, I), "x"), "x", t);
        tl_tensor z = named(tl_add(tl_linear(x, W, b), tl_matmul_t(h, 0, U, 1)), "z", t);
        tl_scope_open(tape, "gates");
        tl_tensor i = named(tl_sigmoid(tl_chunk(z, 4, 0)), "i", t);
        tl_tensor f = named(tl_sigmoid(tl_chunk(z, 4, 1)), "f", t);
        tl_tensor g = named(tl_tanh(tl_chunk(z, 4, 2)), "g", t);
        tl_tensor o = named(tl_sigmoid(tl_chunk(z, 4, 3)), "o", t);
        tl_scope_close(tape);
        c = named(tl_add(tl_mul(f, c), tl_mul(i, g)), "c", t);
        h = named(tl_mul(o, tl_tanh(c)), "h", t);
        tl_scope_close(tape);
    }
    tl_tensor e = tl_name(tl_sub(h, weights(tape, tl_shape2(1, H), "y")), "e");
    tl_tensor L = tl_name(tl_scale(tl_sum_all(tl_mul(e, e)), 0.5), "L");
    const tl_tensor in[3] = {W, U, b};
    tl_tensor grad[3];
    return tl_grad(1, &L, NULL, 3, in, grad);
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

int main(int argc, char **argv)
{
    tl_tape *tape = tl_tape_new(NULL);
    if (!tape || record(tape) != TL_OK) {
        fprintf(stderr, "%s\n", tape ? tl_tape_error(tape) : "no memory");
        tl_tape_free(tape);
        return 1;
    }
    tl_print_opts two_columns = tl_print_defaults();
    two_columns.adjoint = 1;
    int bad = tl_tape_print(tape, &two_columns, stdout) != TL_OK;
    if (argc > 1) {
        tl_err err = {0};
        bad |= save(tl_tape_svg(tape, NULL, &err), argv[1], "svg", &err);
        bad |= save(tl_tape_dot(tape, NULL, &err), argv[1], "dot", &err);
        bad |= save(tl_tape_latex(tape, NULL, &err), argv[1], "tex", &err);
    }
    tl_tape_free(tape);
    return bad;
}
