#include "knowledge/html_math.h"

#include "base/buf.h"

enum element { PLAIN, ROW };

/* between: before the second, third ... child, the last of them for all that follow. */
static const struct {
    const char *name, *before, *between[2], *behind;
    bool groups; /* a child of several parts is put in brackets */
} elements[] = {
    [PLAIN] = {NULL, "", {"", ""}, "", false},    [ROW] = {"mrow", "", {"", ""}, "", false},
    {"mfrac", "", {"/", "/"}, "", true},          {"msup", "", {"^", "^"}, "", true},
    {"msub", "", {"_", "_"}, "", true},           {"msubsup", "", {"_", "^"}, "", true},
    {"mover", "", {"^", "^"}, "", true},          {"munder", "", {"_", "_"}, "", true},
    {"munderover", "", {"_", "^"}, "", true},     {"msqrt", "sqrt(", {"", ""}, ")", false},
    {"mroot", "root(", {", ", ", "}, ")", false}, {"mfenced", "(", {", ", ", "}, ")", false},
    {"mtable", "[", {"; ", "; "}, "]", false},    {"mtr", "", {", ", ", "}, "", false},
};

static uint8_t element_of(struct str name)
{
    for (size_t i = ROW; i < ARRAY_LEN(elements); i++)
        if (str_eq_nocase(name, str_from(elements[i].name)))
            return (uint8_t)i;
    return PLAIN;
}

bool math_says_it_again(struct str name)
{
    return str_eq_nocase(name, STR("annotation")) || str_eq_nocase(name, STR("annotation-xml"));
}

static bool is_grouped(const struct math *m, size_t depth)
{
    return depth > 0 && m->open[depth].element == ROW &&
           elements[m->open[depth - 1].element].groups;
}

struct str math_open(struct math *m, struct str name, char sign[MATH_SIGN])
{
    uint8_t element = element_of(name);
    struct buf b;

    buf_init_fixed(&b, sign, MATH_SIGN);
    if (m->depth == MATH_DEEP) {
        m->deeper++;
        return STR("");
    }
    if (m->depth > 0) {
        uint32_t before = m->open[m->depth - 1].children++;

        if (before > 0)
            buf_str(&b, str_from(elements[m->open[m->depth - 1].element].between[before > 1]));
    }
    m->open[m->depth].element = element;
    m->open[m->depth].children = 0;
    buf_str(&b, str_from(elements[element].before));
    if (is_grouped(m, m->depth++))
        buf_char(&b, '(');
    return buf_view(&b);
}

struct str math_close(struct math *m, char sign[MATH_SIGN])
{
    struct buf b;

    buf_init_fixed(&b, sign, MATH_SIGN);
    if (m->deeper > 0) {
        m->deeper--;
        return STR("");
    }
    if (m->depth == 0)
        return STR("");
    m->depth--;
    if (is_grouped(m, m->depth))
        buf_char(&b, ')');
    buf_str(&b, str_from(elements[m->open[m->depth].element].behind));
    return buf_view(&b);
}
