#include <string.h>

#include "knowledge/pdf_object.h"

/* Characters of the syntax, by byte: white space, delimiter, or part of a token. */
bool pdf_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == '\0';
}

bool pdf_is_delimiter(char c)
{
    return c == '(' || c == ')' || c == '<' || c == '>' || c == '[' || c == ']' || c == '{' ||
           c == '}' || c == '/' || c == '%';
}

static bool is_regular(char c)
{
    return !pdf_is_space(c) && !pdf_is_delimiter(c);
}

void pdf_lex_space(struct pdf_lexer *l)
{
    while (l->at < l->bytes.len) {
        char c = l->bytes.ptr[l->at];

        if (c == '%')
            while (l->at < l->bytes.len && l->bytes.ptr[l->at] != '\n' &&
                   l->bytes.ptr[l->at] != '\r')
                l->at++;
        else if (!pdf_is_space(c))
            return;
        else
            l->at++;
    }
}

/* --- the stack of what is being put together -------------------------------------------------- */

static bool push(struct pdf *pdf, const struct pdf_object *o)
{
    if (pdf->stack_len == pdf->stack_cap) {
        size_t cap = MAX_OF((size_t)256, 2 * pdf->stack_cap);
        struct pdf_object *grown =
            arena_grow(pdf->arena, pdf->stack, pdf->stack_cap * sizeof *grown, cap * sizeof *grown);

        if (!grown)
            return pdf_stop(pdf, PDF_NO_MEMORY);
        pdf->stack = grown;
        pdf->stack_cap = cap;
    }
    pdf->stack[pdf->stack_len++] = *o;
    return true;
}

static bool pop_array(struct pdf_lexer *l, size_t from, struct pdf_object *out)
{
    size_t count = l->pdf->stack_len - from;
    struct pdf_object *items = arena_array(l->arena, count, sizeof *items);

    l->pdf->stack_len = from;
    if (!items)
        return pdf_stop(l->pdf, PDF_NO_MEMORY);
    if (count)
        memcpy(items, l->pdf->stack + from, count * sizeof *items);
    *out = (struct pdf_object){.kind = PDF_ARRAY, .count = (uint32_t)count, .items = items};
    return true;
}

/* Keys and values by turns; what has no name for a key is left out with its value. */
static bool pop_dict(struct pdf_lexer *l, size_t from, struct pdf_object *out)
{
    size_t count = l->pdf->stack_len - from, kept = 0;
    struct pdf_entry *entries = arena_array(l->arena, count / 2 + 1, sizeof *entries);

    l->pdf->stack_len = from;
    if (!entries)
        return pdf_stop(l->pdf, PDF_NO_MEMORY);
    for (size_t i = 0; i + 1 < count;) {
        const struct pdf_object *key = &l->pdf->stack[from + i], *value = key + 1;

        if (key->kind != PDF_NAME) {
            i++;
            continue;
        }
        entries[kept++] = (struct pdf_entry){key->text, *value};
        i += 2;
    }
    *out = (struct pdf_object){.kind = PDF_DICT, .count = (uint32_t)kept, .entries = entries};
    return true;
}

/* --- scalars ---------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* As readers take it: signs anywhere in front, one point, anything after it that is no digit ends it. */
static bool number_of(struct str token, double *out)
{
    double n = 0, unit = 1;
    bool minus = false, point = false, digits = false;

    for (size_t i = 0; i < token.len; i++) {
        char c = token.ptr[i];

        if (c >= '0' && c <= '9') {
            n = n * 10 + (c - '0');
            unit = point ? unit * 10 : unit;
            digits = true;
        } else if (c == '.' && !point) {
            point = true;
        } else if (c == '-' && !digits && !point) {
            minus = true;
        } else if (c == '-' && digits) {
            break; /* "12-34", as some writers have it */
        } else if (c != '+' || digits) {
            return false;
        }
        if (i > 300)
            return false;
    }
    if (!digits && !point)
        return false;
    *out = (minus ? -n : n) / unit;
    return true;
}

static struct str take_regular(struct pdf_lexer *l)
{
    size_t from = l->at;

    while (l->at < l->bytes.len && is_regular(l->bytes.ptr[l->at]))
        l->at++;
    return str_slice(l->bytes, from, l->at);
}

static bool lex_name(struct pdf_lexer *l, struct pdf_object *out)
{
    struct str raw, name;
    char *to;
    size_t len = 0;

    l->at++;
    raw = name = take_regular(l);
    if (memchr(raw.ptr, '#', raw.len)) {
        to = arena_alloc_raw(l->arena, raw.len);
        if (!to)
            return pdf_stop(l->pdf, PDF_NO_MEMORY);
        for (size_t i = 0; i < raw.len; i++) {
            int high = i + 2 < raw.len ? hex_digit(raw.ptr[i + 1]) : -1;
            int low = i + 2 < raw.len ? hex_digit(raw.ptr[i + 2]) : -1;

            if (raw.ptr[i] == '#' && high >= 0 && low >= 0) {
                to[len++] = (char)(high << 4 | low);
                i += 2;
            } else {
                to[len++] = raw.ptr[i];
            }
        }
        name = (struct str){to, len};
    }
    *out = (struct pdf_object){.kind = PDF_NAME, .text = name};
    return true;
}

static bool finish_string(struct pdf_lexer *l, struct str bytes, struct pdf_object *out)
{
    if (l->number)
        bytes = pdf_decipher_string(l->pdf, l->arena, bytes, l->number, l->generation);
    *out = (struct pdf_object){.kind = PDF_STRING, .text = bytes};
    return l->pdf->stopped == PDF_GOES_ON;
}

/* The end of "(...)": behind its closing bracket; *plain when nothing in it needs changing. */
static size_t string_end(struct str s, size_t at, bool *plain)
{
    int depth = 1;

    *plain = true;
    for (; at < s.len; at++) {
        char c = s.ptr[at];

        if (c == '\\') {
            *plain = false;
            at++;
        } else if (c == '\r') {
            *plain = false;
        } else if (c == '(') {
            depth++;
        } else if (c == ')' && --depth == 0) {
            return at;
        }
    }
    return s.len;
}

/* One escape behind the backslash; the number of bytes it took. */
static size_t unescape(struct str s, char **to)
{
    static const char from_to[] = "n\nr\rt\tb\bf\f";
    char c = s.ptr[0];
    unsigned octal = 0;
    size_t i = 0;

    for (size_t k = 0; k + 1 < sizeof from_to; k += 2)
        if (c == from_to[k]) {
            *(*to)++ = from_to[k + 1];
            return 1;
        }
    if (c == '\r')
        return s.len > 1 && s.ptr[1] == '\n' ? 2 : 1; /* a line that goes on */
    if (c == '\n')
        return 1;
    for (; i < 3 && i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '7'; i++)
        octal = octal * 8 + (unsigned)(s.ptr[i] - '0');
    *(*to)++ = i ? (char)octal : c;
    return i ? i : 1;
}

static bool lex_string(struct pdf_lexer *l, struct pdf_object *out)
{
    bool plain;
    size_t from = l->at + 1, end = string_end(l->bytes, from, &plain);
    struct str raw = str_slice(l->bytes, from, end);
    char *bytes, *to;

    l->at = MIN_OF(end + 1, l->bytes.len);
    if (plain)
        return finish_string(l, raw, out);
    bytes = to = arena_alloc_raw(l->arena, raw.len + 1);
    if (!bytes)
        return pdf_stop(l->pdf, PDF_NO_MEMORY);
    for (size_t i = 0; i < raw.len;) {
        char c = raw.ptr[i++];

        if (c == '\\' && i < raw.len) {
            i += unescape(str_slice(raw, i, raw.len), &to);
        } else if (c == '\r') {
            *to++ = '\n';
            i += i < raw.len && raw.ptr[i] == '\n';
        } else if (c != '\\') {
            *to++ = c;
        }
    }
    return finish_string(l, (struct str){bytes, (size_t)(to - bytes)}, out);
}

static bool lex_hex(struct pdf_lexer *l, struct pdf_object *out)
{
    size_t from = l->at + 1, end = from, len = 0;
    char *bytes;
    int half = -1;

    while (end < l->bytes.len && l->bytes.ptr[end] != '>')
        end++;
    l->at = MIN_OF(end + 1, l->bytes.len);
    bytes = arena_alloc_raw(l->arena, (end - from) / 2 + 1);
    if (!bytes)
        return pdf_stop(l->pdf, PDF_NO_MEMORY);
    for (size_t i = from; i < end; i++) {
        int digit = hex_digit(l->bytes.ptr[i]);

        if (digit < 0)
            continue;
        if (half < 0) {
            half = digit;
        } else {
            bytes[len++] = (char)(half << 4 | digit);
            half = -1;
        }
    }
    if (half >= 0)
        bytes[len++] = (char)(half << 4);
    return finish_string(l, (struct str){bytes, len}, out);
}

/* --- objects ---------------------------------------------------------------------------------- */

static bool whole_number(struct str token, uint32_t *out)
{
    uint64_t n;

    if (token.len > 10 || !u64_parse(token, &n) || n > UINT32_MAX)
        return false;
    *out = (uint32_t)n;
    return true;
}

/* "G R" behind a number that may be a reference. */
static bool lex_reference(struct pdf_lexer *l, struct str token, struct pdf_object *out)
{
    struct pdf_lexer ahead = *l;
    uint32_t number, generation;

    if (!l->references || !whole_number(token, &number))
        return false;
    pdf_lex_space(&ahead);
    if (!whole_number(take_regular(&ahead), &generation))
        return false;
    pdf_lex_space(&ahead);
    if (!str_eq(take_regular(&ahead), STR("R")))
        return false;
    l->at = ahead.at;
    *out = (struct pdf_object){.kind = PDF_REF, .count = generation, .ref = number};
    return true;
}

static void lex_regular(struct pdf_lexer *l, struct pdf_object *out)
{
    struct str token = take_regular(l);
    double n;

    if ((token.ptr[0] >= '0' && token.ptr[0] <= '9' && lex_reference(l, token, out)))
        return;
    if (number_of(token, &n))
        *out = (struct pdf_object){.kind = PDF_NUMBER, .number = n};
    else if (str_eq(token, STR("true")) || str_eq(token, STR("false")))
        *out = (struct pdf_object){.kind = PDF_BOOL, .truth = token.ptr[0] == 't'};
    else if (str_eq(token, STR("null")))
        *out = pdf_nothing;
    else
        *out = (struct pdf_object){.kind = PDF_KEYWORD, .text = token};
}

enum piece { PIECE_OBJECT, PIECE_OPEN, PIECE_CLOSE, PIECE_END };

/* The next token: an object that is whole, or a bracket ('[', ']', '<' or '>' in *bracket). */
static enum piece lex_piece(struct pdf_lexer *l, struct pdf_object *out, char *bracket)
{
    bool ok = true;

    pdf_lex_space(l);
    if (l->at >= l->bytes.len || !pdf_spend(l->pdf, 1))
        return PIECE_END;
    char c = l->bytes.ptr[l->at];
    bool twice = l->at + 1 < l->bytes.len && l->bytes.ptr[l->at + 1] == c;

    *bracket = c;
    if (c == '/')
        ok = lex_name(l, out);
    else if (c == '(')
        ok = lex_string(l, out);
    else if (c == '<' && !twice)
        ok = lex_hex(l, out);
    else if (is_regular(c))
        lex_regular(l, out);
    else {
        l->at += c == '<' || (c == '>' && twice) ? 2 : 1;
        if (c == '[' || c == '<')
            return PIECE_OPEN;
        if (c == ']' || (c == '>' && twice))
            return PIECE_CLOSE;
        *out =
            (struct pdf_object){.kind = PDF_KEYWORD, .text = str_slice(l->bytes, l->at - 1, l->at)};
    }
    return ok ? PIECE_OBJECT : PIECE_END;
}

/* What was opened by `bracket`, to its end. A keyword inside ends it: the file forgot to. */
static bool lex_rest(struct pdf_lexer *l, char bracket, unsigned depth, struct pdf_object *out)
{
    size_t from = l->pdf->stack_len;
    struct pdf_object inner;
    bool ok = true;
    char next;

    while (ok) {
        size_t before = l->at;
        enum piece piece = lex_piece(l, &inner, &next);

        if (piece == PIECE_CLOSE || piece == PIECE_END)
            break;
        if (piece == PIECE_OBJECT && inner.kind == PDF_KEYWORD) {
            if (str_eq(inner.text, STR("endobj")) || str_eq(inner.text, STR("stream"))) {
                l->at = before;
                break;
            }
            continue;
        }
        if (piece == PIECE_OPEN && depth >= PDF_DEPTH_MAX)
            continue; /* its contents become ours: a hostile file's loss */
        ok =
            (piece == PIECE_OBJECT || lex_rest(l, next, depth + 1, &inner)) && push(l->pdf, &inner);
    }
    if (!ok || l->pdf->stopped) {
        l->pdf->stack_len = from;
        return false;
    }
    return bracket == '[' ? pop_array(l, from, out) : pop_dict(l, from, out);
}

bool pdf_lex(struct pdf_lexer *l, struct pdf_object *out)
{
    char bracket;

    for (;;) {
        switch (lex_piece(l, out, &bracket)) {
        case PIECE_OBJECT: return true;
        case PIECE_OPEN: return lex_rest(l, bracket, 1, out);
        case PIECE_CLOSE: continue; /* closes what nobody opened */
        case PIECE_END: return false;
        }
    }
}
