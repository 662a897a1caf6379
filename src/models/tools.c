#include "models/tools.h"

bool text_is_object(struct arena *arena, struct str text)
{
    const struct json_limits limits = {.depth = 128, .nodes = 4000000, .lone_surrogates = true};
    size_t mark = arena_mark(arena);
    struct err ignored = {0};
    struct str trimmed = str_trim(text);
    struct json *j;
    bool yes;

    if (!trimmed.len || trimmed.ptr[0] != '{')
        return false;
    j = json_parse_within(arena, trimmed, &limits, &ignored);
    yes = j && json_kind(j, json_root(j)) == JSON_OBJECT;
    arena_rewind(arena, mark);
    return yes;
}

bool object_from_text(struct arena *arena, struct str text, const char *key, struct str *out,
                      struct err *err)
{
    struct json_writer w;
    struct buf b;

    if (str_is_empty(str_trim(text))) {
        *out = STR("{}");
        return true;
    }
    if (text_is_object(arena, text)) {
        *out = str_trim(text);
        return true;
    }
    buf_init(&b, arena, 6 * text.len + 128);
    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, key);
    jw_str(&w, text);
    jw_object_end(&w);
    return buf_finish(&b, out, err);
}

bool parts_text(struct arena *arena, const struct part *parts, struct str *out, struct err *err)
{
    size_t len = 0, count = 0;
    struct buf b;

    for (const struct part *p = parts; p; p = p->next) {
        if (p->kind == PART_TEXT || p->kind == PART_REFUSAL) {
            *out = p->text;
            len += p->text.len + 1;
            count++;
        }
    }
    if (count == 1)
        return true;
    buf_init(&b, arena, len + 1);
    for (const struct part *p = parts; p; p = p->next) {
        if (p->kind != PART_TEXT && p->kind != PART_REFUSAL)
            continue;
        if (b.len)
            buf_char(&b, '\n');
        buf_str(&b, p->text);
    }
    return buf_finish(&b, out, err);
}

bool call_names_read(struct arena *arena, const struct conversation *in, struct call_names *out,
                     struct err *err)
{
    table_init(&out->by_id, arena, CALLS_MAX);
    for (struct turn *t = in->turns; t; t = t->next)
        for (struct part *p = t->parts; p; p = p->next)
            if (p->kind == PART_TOOL_CALL && p->id.len &&
                !table_put(&out->by_id, p->id, &p->name, NULL))
                return err_arena(err, arena);
    return true;
}

bool call_name(const struct call_names *names, const struct turn *turn, const struct part *result,
               struct str *out, struct err *err)
{
    const struct str *name = table_get(&names->by_id, result->id);

    if (!name && !result->name.len)
        return err_set(err, ERR_INVALID, STR_FMT ": no call before it has the id \"" STR_FMT "\"",
                       STR_ARG(turn->path), STR_ARG(str_slice(result->id, 0, 64)));
    *out = name ? *name : result->name;
    return true;
}

/* What the client's dialect calls the list of parts: it shows in where the turn stands. */
static const char *list_of(struct str turn)
{
    if (str_starts(turn, STR("contents.")) || str_starts(turn, STR("systemInstruction")) ||
        str_starts(turn, STR("system_instruction")))
        return "parts.";
    return str_eq(turn, STR("system")) || str_ends(turn, STR(".content")) ? "" : "content.";
}

/* Of Responses: what is an item of its own there has no content. */
static bool is_item(const struct turn *turn, const struct part *part)
{
    return str_starts(turn->path, STR("input.")) &&
           (part->kind == PART_REASONING || part->kind == PART_TOOL_CALL ||
            part->kind == PART_TOOL_RESULT || part->kind == PART_OTHER);
}

/* Parts are asked for in their order: from the last one on, else from the first. */
static uint32_t number_in(struct losses *losses, const struct turn *turn, const struct part *part)
{
    bool goes_on = losses->turn == turn;
    const struct part *p = goes_on ? losses->part : turn->parts;
    uint32_t at = goes_on ? losses->part_at : 0;

    for (; p && p != part; p = p->next)
        at++;
    if (!p && goes_on) {
        at = 0;
        for (p = turn->parts; p && p != part; p = p->next)
            at++;
    }
    losses->turn = p ? turn : NULL;
    losses->part = p;
    losses->part_at = at;
    return at;
}

struct str part_path(struct arena *arena, struct losses *losses, const struct turn *turn,
                     const struct part *part)
{
    if (str_eq(turn->path, STR("prompt")) || is_item(turn, part) ||
        (part->kind == PART_TOOL_RESULT && turn->role == TURN_TOOL)) /* the turn is the result */
        return turn->path;
    return arena_fmt(arena, STR_FMT ".%s%" PRIu32, STR_ARG(turn->path), list_of(turn->path),
                     number_in(losses, turn, part));
}

struct str inner_path(struct arena *arena, struct str result, size_t at)
{
    return arena_fmt(arena, STR_FMT ".%s.%zu", STR_ARG(result),
                     str_starts(result, STR("input.")) ? "output" : "content", at);
}

bool part_loss(struct arena *arena, const struct turn *turn, const struct part *part,
               const char *member, const char *why, struct losses *losses, struct err *err)
{
    struct str path = part_path(arena, losses, turn, part);

    if (path.ptr && member[0])
        path = arena_fmt(arena, STR_FMT ".%s", STR_ARG(path), member);
    if (!path.ptr)
        return err_arena(err, arena);
    return losses_note(losses, path, why, err);
}

/* ---- what is chosen among them ---- */

bool tool_choice_is_lost(const struct conversation *in, struct losses *losses, struct err *err)
{
    if (in->tool_choice != CHOOSE_ANY && in->tool_choice != CHOOSE_NAMED)
        return true;
    return fields_lose(in, "tool_choice", "what it chooses was left out", losses, err);
}

bool tool_choice_is_a_function(const struct conversation *in)
{
    bool others = false;

    for (const struct tool *t = in->tools; t; t = t->next) {
        if (!t->builtin.ptr && str_eq(t->name, in->tool_name))
            return true;
        others = others || t->builtin.ptr;
    }
    return !others; /* a slip of the client's, which the provider names */
}

/* ---- embeddings ---- */

static bool no_text(struct err *err)
{
    return err_set(
        err, ERR_INVALID,
        "input: expected a string or an array of strings: this provider takes no tokens");
}

bool inputs_read(struct arena *arena, const struct conversation *asked, struct str **texts,
                 size_t *count, struct err *err)
{
    struct json *j = json_parse(arena, asked->inputs, err);
    bool is_array;
    size_t n = 0;
    json_ref v;

    if (!j)
        return err_wrap(err, "input");
    is_array = json_kind(j, json_root(j)) == JSON_ARRAY;
    *count = is_array ? json_count(j, json_root(j)) : 1;
    *texts = arena_array(arena, *count + 1, sizeof **texts);
    if (!*texts)
        return err_arena(err, arena);
    for (v = is_array ? json_first(j, json_root(j)) : json_root(j); v;
         v = is_array ? json_next(j, v) : 0) {
        if (json_kind(j, v) != JSON_STRING)
            return no_text(err);
        if (!json_str(j, v, arena, &(*texts)[n++]))
            return err_arena(err, arena);
    }
    return n > 0 || no_text(err);
}

/* ---- media types ---- */

struct str media_type_guess(struct str name)
{
    static const struct {
        struct str ending, type;
    } known[] = {
        {{".png", 4}, {"image/png", 9}},
        {{".jpg", 4}, {"image/jpeg", 10}},
        {{".jpeg", 5}, {"image/jpeg", 10}},
        {{".gif", 4}, {"image/gif", 9}},
        {{".webp", 5}, {"image/webp", 10}},
        {{".heic", 5}, {"image/heic", 10}},
        {{".pdf", 4}, {"application/pdf", 15}},
        {{".csv", 4}, {"text/csv", 8}},
        {{".txt", 4}, {"text/plain", 10}},
        {{".md", 3}, {"text/markdown", 13}},
        {{".html", 5}, {"text/html", 9}},
        {{".doc", 4}, {"application/msword", 18}},
        {{".docx", 5},
         {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", 71}},
        {{".xls", 4}, {"application/vnd.ms-excel", 24}},
        {{".xlsx", 5}, {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", 65}},
        {{".mp3", 4}, {"audio/mpeg", 10}},
        {{".wav", 4}, {"audio/wav", 9}},
        {{".mp4", 4}, {"video/mp4", 9}},
    };
    struct str path = str_slice(name, 0, str_find_char(name, '?'));

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (path.len > known[i].ending.len &&
            str_eq_nocase(str_slice(path, path.len - known[i].ending.len, path.len),
                          known[i].ending))
            return known[i].type;
    return STR_NONE;
}

/* ---- names in paths ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        return (c | 0x20) - 'a' + 10;
    return -1;
}

bool path_decode(struct arena *arena, struct str s, struct str *out, struct err *err)
{
    struct buf b;

    buf_init(&b, arena, s.len + 1);
    for (size_t i = 0; i < s.len; i++) {
        int high = s.ptr[i] == '%' && i + 2 < s.len ? hex_digit(s.ptr[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(s.ptr[i + 2]) : -1;

        if (s.ptr[i] == '%' && low < 0)
            return err_set(err, ERR_INVALID, "the path holds a broken escape");
        char byte = (char)(low < 0 ? s.ptr[i] : 16 * high + low);

        buf_char(&b, byte);
        i += low < 0 ? 0 : 2;
    }
    return buf_finish(&b, out, err);
}
