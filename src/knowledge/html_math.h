/* knowledge/html_math.h: a formula of MathML as one line of text: a/b, x^2, x_i, sqrt(x), root(x, 3), [a, b; c, d].
 * What is written stands where it stood; what it means by its place is said by signs put in between.
 * Bounds  elements deeper than MATH_DEEP have no signs. Any order of tags is taken. */
#ifndef WEIR_KNOWLEDGE_HTML_MATH_H
#define WEIR_KNOWLEDGE_HTML_MATH_H

#include "base/str.h"

#define MATH_DEEP 64
#define MATH_SIGN 16

struct math {
    struct {
        uint8_t element; /* html_math.c's */
        uint32_t children;
    } open[MATH_DEEP];
    size_t depth, deeper;
};
/* Of a tag inside of <math>: what is to be put before its content, or where it ends; often nothing. */
struct str math_open(struct math *math, struct str name, char sign[MATH_SIGN]);
struct str math_close(struct math *math, char sign[MATH_SIGN]);
bool math_says_it_again(struct str name); /* annotation: the formula in another language */

#endif
