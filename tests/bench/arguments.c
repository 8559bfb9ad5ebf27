/* arguments.c -- words and numbers out of the text of an option. */
#include "tests/bench/arguments.h"

#include <stdlib.h>
#include <string.h>

unsigned argument_words(struct argp_state *state, const char *option, const char *list, int n,
                        const char *const *names)
{
    unsigned bits = 0;
    while (*list) {
        size_t length = strcspn(list, ",");
        int k = 0;
        while (k < n && (strlen(names[k]) != length || strncmp(names[k], list, length) != 0))
            k++;
        if (k == n) {
            char known[200] = "";
            for (int i = 0; i < n; i++) {
                strncat(known, i ? ", " : "", sizeof known - strlen(known) - 1);
                strncat(known, names[i], sizeof known - strlen(known) - 1);
            }
            argp_error(state, "--%s: got '%.*s', want one of %s", option, (int)length, list, known);
        }
        bits |= 1u << k;
        list += length + (list[length] == ',');
    }
    if (!bits)
        argp_error(state, "--%s: got an empty list", option);
    return bits;
}

double argument_number(struct argp_state *state, const char *option, const char *text, double low,
                       double high)
{
    char *end;
    double value = strtod(text, &end);
    if (*end || end == text || !(value >= low && value <= high))
        argp_error(state, "--%s: got '%s', want a number from %g to %g", option, text, low, high);
    return value;
}
