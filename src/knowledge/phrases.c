#include "knowledge/phrases.h"

#include "base/buf.h"

#define TEXT_MAX ((size_t)64 * MIB)

static const struct {
    struct str open, close;
} quotes[] = {{STR("\""), STR("\"")},
              {STR("“"), STR("”")},
              {STR("「"), STR("」")},
              {STR("『"), STR("』")}};

static const struct {
    struct str name;
    enum phrase_field field;
} names[] = {{STR("title:"), PHRASE_TITLE},
             {STR("heading:"), PHRASE_HEADING},
             {STR("path:"), PHRASE_PATH}};

static bool is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Lower case, white space once, quotation marks of one kind. */
static bool fold(struct arena *arena, struct str text, struct str *out, struct err *err)
{
    char *folded;
    size_t len = 0;
    bool white = false;

    if (text.len >= TEXT_MAX)
        return err_set(err, ERR_TOO_LARGE, "a text of %zu bytes is above %zu", text.len, TEXT_MAX);
    folded = arena_alloc_raw(arena, text.len + 1);
    if (!folded)
        return err_arena(err, arena);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (is_white(c)) {
            white = true;
            continue;
        }
        if (white && len > 0)
            folded[len++] = ' ';
        white = false;
        folded[len++] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    *out = (struct str){folded, len};
    return true;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* A quotation that begins at text[at] and is closed; *inside and the place behind it. */
static bool quotation(struct str text, size_t at, struct str *inside, size_t *end)
{
    struct str rest = str_slice(text, at, text.len);

    for (size_t q = 0; q < ARRAY_LEN(quotes); q++) {
        if (!str_starts(rest, quotes[q].open))
            continue;
        struct str behind = str_slice(rest, quotes[q].open.len, rest.len);
        size_t close = str_find(behind, quotes[q].close);

        if (close == behind.len)
            return false;
        *inside = str_trim(str_slice(behind, 0, close)); /* empty: it insists on nothing */
        *end = at + quotes[q].open.len + close + quotes[q].close.len;
        return true;
    }
    return false;
}

/* "title:" at text[at], where a word begins. */
static size_t field_at(struct str text, size_t at, enum phrase_field *field)
{
    struct str rest = str_slice(text, at, text.len);

    if (at > 0 && !is_white(text.ptr[at - 1]))
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_starts(rest, names[i].name)) {
            *field = names[i].field;
            return names[i].name.len;
        }
    return 0;
}

static size_t word_end(struct str text, size_t at)
{
    while (at < text.len && !is_white(text.ptr[at]))
        at++;
    return at;
}

static bool add(struct arena *arena, struct phrases *p, enum phrase_field field, struct str words,
                struct err *err)
{
    if (p->count == PHRASES_MAX)
        return err_set(err, ERR_INVALID, "more than %u phrases and fields in a question",
                       PHRASES_MAX);
    p->at[p->count].field = field;
    return fold(arena, words, &p->at[p->count++].words, err);
}

bool phrases_read(struct arena *arena, struct str text, struct phrases *out, struct err *err)
{
    struct phrases p = {.count = 0};
    struct buf rest;

    buf_init(&rest, arena, TEXT_MAX);
    for (size_t at = 0; at < text.len;) {
        enum phrase_field field = PHRASE_ANYWHERE;
        size_t name = field_at(text, at, &field), end = 0;
        struct str words = STR_NONE;

        if (!quotation(text, at + name, &words, &end) && name > 0) {
            end = word_end(text, at + name);
            words = str_slice(text, at + name, end);
        }
        if (words.len == 0) { /* nothing is insisted on here */
            end = MAX_OF(end, at + 1);
            buf_str(&rest, str_slice(text, at, end));
            at = end;
            continue;
        }
        if (!add(arena, &p, field, words, err))
            return false;
        buf_char(&rest, ' ');
        buf_str(&rest, words);
        buf_char(&rest, ' ');
        at = end;
    }
    if (!buf_finish(&rest, &p.text, err))
        return false;
    *out = p;
    return true;
}

/* --- holding ---------------------------------------------------------------------------------- */

static bool is_whole(struct str text, size_t at, struct str words)
{
    size_t end = at + words.len;
    bool cut_before = at > 0 && is_word_char(words.ptr[0]) && is_word_char(text.ptr[at - 1]);
    bool cut_behind =
        end < text.len && is_word_char(words.ptr[words.len - 1]) && is_word_char(text.ptr[end]);

    return !cut_before && !cut_behind;
}

static bool stands_in(struct str text, struct str words)
{
    for (size_t from = 0; from + words.len <= text.len;) {
        size_t at = from + str_find(str_slice(text, from, text.len), words);

        if (at >= text.len)
            return false;
        if (is_whole(text, at, words))
            return true;
        from = at + 1;
    }
    return false;
}

bool phrases_hold(struct arena *arena, const struct phrases *p,
                  const struct str fields[PHRASE_FIELDS], bool *hold, struct err *err)
{
    struct str folded[PHRASE_FIELDS] = {{0}};

    *hold = true;
    for (size_t i = 0; i < p->count && *hold; i++) {
        struct str *text = &folded[p->at[i].field];

        if (!text->ptr && !fold(arena, fields[p->at[i].field], text, err))
            return false;
        *hold = stands_in(*text, p->at[i].words);
    }
    return true;
}
