/* What a client's POST /v1/responses says: its input and instructions, into turns; and as it is kept.
 * Items of the assistant that follow each other (its words, calls, reasoning) become one turn, as other
 * dialects know them. */
#include "models/members.h"
#include "models/responses.h"

struct gathering {
    struct field_reader *r;
    struct turn **turns;
    struct turn *turn; /* the last one, while it may still grow */
    struct part **end; /* of its parts */
};

static struct responses_asked *asked_of(const struct field_reader *r)
{
    return r->to->own;
}

static struct part *add_part(struct gathering *g, enum turn_role role, enum part_kind kind,
                             const struct at *at, struct err *err)
{
    if (!g->turn || g->turn->role != role) {
        g->turn = member_turn(g->r, &g->turns, role, at, err);
        if (!g->turn)
            return NULL;
        g->end = &g->turn->parts;
    }
    return member_part(g->r, &g->end, kind, err);
}

static void count(struct gathering *g, size_t bytes)
{
    g->r->to->prompt_bytes += bytes;
}

/* ---- content ---- */

static bool read_words(struct gathering *g, json_ref v, const struct at *at, struct part *part,
                       const char *key, struct err *err)
{
    if (!member_text_needed(g->r, v, &(struct at){at, key, 0}, &part->text, err))
        return false;
    count(g, part->text.len);
    return true;
}

static bool read_image(struct gathering *g, json_ref v, const struct at *at, struct part *part,
                       struct err *err)
{
    struct str url = STR_NONE;
    const char *expected;

    if (!member_text(g->r, v, &(struct at){at, "image_url", 0}, &url, err) ||
        !member_text(g->r, v, &(struct at){at, "file_id", 0}, &part->file_id, err) ||
        !member_text(g->r, v, &(struct at){at, "detail", 0}, &part->detail, err))
        return false;
    if (!url.ptr && !part->file_id.ptr)
        return at_error(&(struct at){at, "image_url", 0}, "expected a string", err);
    count(g, MEDIA_BYTES);
    expected = url.ptr ? part_take_url(part, url) : NULL;
    return !expected || at_expected(&(struct at){at, "image_url", 0}, expected, err);
}

static bool read_file(struct gathering *g, json_ref v, const struct at *at, struct part *part,
                      struct err *err)
{
    struct str data = STR_NONE, url = STR_NONE;
    const char *expected = NULL, *field = "file_data";

    if (!member_text(g->r, v, &(struct at){at, "file_data", 0}, &data, err) ||
        !member_text(g->r, v, &(struct at){at, "file_url", 0}, &url, err) ||
        !member_text(g->r, v, &(struct at){at, "file_id", 0}, &part->file_id, err) ||
        !member_text(g->r, v, &(struct at){at, "filename", 0}, &part->file_name, err))
        return false;
    if (!data.ptr && !url.ptr && !part->file_id.ptr)
        return at_error(at, "expected file_data, file_url or file_id", err);
    if (data.ptr)
        expected = part_take_url(part, data);
    if (part->url.ptr)
        part->data = data; /* bare base64 */
    part->url = STR_NONE;
    if (!expected && url.ptr) {
        field = "file_url";
        expected = part_take_url(part, url);
    }
    count(g, MEDIA_BYTES);
    return !expected || at_expected(&(struct at){at, field, 0}, expected, err);
}

static bool read_audio(struct gathering *g, json_ref v, const struct at *at, struct part *part,
                       struct err *err)
{
    const struct at in = {at, "input_audio", 0};
    json_ref audio = member(g->r->json, v, "input_audio");
    struct str format = STR_NONE;

    if (!member_text_needed(g->r, audio, &(struct at){&in, "data", 0}, &part->data, err) ||
        !member_text(g->r, audio, &(struct at){&in, "format", 0}, &format, err))
        return false;
    part->media_type = arena_fmt(g->r->arena, "audio/" STR_FMT, STR_ARG(format));
    count(g, MEDIA_BYTES);
    return part->media_type.ptr || err_arena(err, g->r->arena);
}

static const struct {
    const char *type, *key; /* key: the member that holds its words */
    enum part_kind kind;
    bool (*read)(struct gathering *g, json_ref v, const struct at *at, struct part *part,
                 struct err *err);
} contents[] = {
    {"input_text", "text", PART_TEXT, NULL},
    {"output_text", "text", PART_TEXT, NULL},
    {"text", "text", PART_TEXT, NULL},
    {"refusal", "refusal", PART_REFUSAL, NULL},
    {"input_image", NULL, PART_IMAGE, read_image},
    {"input_file", NULL, PART_FILE, read_file},
    {"input_audio", NULL, PART_AUDIO, read_audio},
};

static bool read_piece(struct gathering *g, json_ref v, const struct at *at, struct part ***end,
                       struct err *err)
{
    static const char *const known[] = {"type",      "text",        "refusal",  "detail",
                                        "image_url", "file_id",     "file_url", "file_data",
                                        "filename",  "input_audio", "logprobs", NULL};
    struct part *part;

    if (json_kind(g->r->json, v) != JSON_OBJECT)
        return at_error(at, "expected an object", err);
    for (size_t i = 0; i < ARRAY_LEN(contents); i++) {
        if (!member_is(g->r->json, v, "type", str_from(contents[i].type)))
            continue;
        part = member_part(g->r, end, contents[i].kind, err);
        if (!part)
            return false;
        return (contents[i].read ? contents[i].read(g, v, at, part, err)
                                 : read_words(g, v, at, part, contents[i].key, err)) &&
               members_unknown(g->r, v, known, &part->extra, err);
    }
    return at_error(&(struct at){at, "type", 0},
                    "expected \"input_text\", \"input_image\", \"input_file\" or another kind of "
                    "content",
                    err);
}

/* A string or an array of content, into a list of parts. */
static bool read_content(struct gathering *g, json_ref v, const struct at *at, struct part ***end,
                         struct err *err)
{
    struct at element = {at, NULL, 0};
    struct part *part;

    if (json_kind(g->r->json, v) == JSON_STRING) {
        part = member_part(g->r, end, PART_TEXT, err);
        if (!part)
            return false;
        if (!json_str(g->r->json, v, g->r->arena, &part->text))
            return err_arena(err, g->r->arena);
        count(g, part->text.len);
        return true;
    }
    if (json_kind(g->r->json, v) != JSON_ARRAY)
        return at_error(at, "expected a string or an array of content", err);
    for (json_ref c = json_first(g->r->json, v); c; c = json_next(g->r->json, c), element.index++)
        if (!read_piece(g, c, &element, end, err))
            return false;
    return true;
}

/* ---- items ---- */

static bool read_message(struct gathering *g, json_ref v, const struct at *at, struct err *err)
{
    static const struct {
        const char *name;
        enum turn_role role;
    } roles[] = {{"user", TURN_USER},
                 {"assistant", TURN_ASSISTANT},
                 {"system", TURN_SYSTEM},
                 {"developer", TURN_DEVELOPER}};
    static const char *const known[] = {"type", "id", "role", "content", "status", NULL};
    const struct at content = {at, "content", 0};
    struct str extra = STR_NONE;

    if (!members_unknown(g->r, v, known, &extra, err))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        if (!member_is(g->r->json, v, "role", str_from(roles[i].name)))
            continue;
        /* Members of its own (a phase) speak of this message alone, as those of the one before do. */
        if (roles[i].role != TURN_ASSISTANT || !g->turn || g->turn->role != TURN_ASSISTANT ||
            extra.len || g->turn->extra.len) {
            g->turn = member_turn(g->r, &g->turns, roles[i].role, at, err);
            if (!g->turn)
                return false;
            g->end = &g->turn->parts;
            g->turn->extra = extra;
        }
        return read_content(g, member(g->r->json, v, "content"), &content, &g->end, err);
    }
    return at_error(&(struct at){at, "role", 0},
                    "expected \"user\", \"assistant\", \"system\" or \"developer\"", err);
}

static bool read_call(struct gathering *g, json_ref v, const struct at *at, struct err *err)
{
    static const char *const known[] = {"type",      "id",     "call_id", "name",
                                        "arguments", "status", NULL};
    struct part *part = add_part(g, TURN_ASSISTANT, PART_TOOL_CALL, at, err);

    if (!part || !members_unknown(g->r, v, known, &part->extra, err) ||
        !member_text_needed(g->r, v, &(struct at){at, "call_id", 0}, &part->id, err) ||
        !member_text_needed(g->r, v, &(struct at){at, "name", 0}, &part->name, err) ||
        !member_text_needed(g->r, v, &(struct at){at, "arguments", 0}, &part->arguments, err))
        return false;
    count(g, part->name.len + part->arguments.len);
    return true;
}

static bool read_call_output(struct gathering *g, json_ref v, const struct at *at, struct err *err)
{
    static const char *const known[] = {"type", "id", "call_id", "output", "status", NULL};
    struct part **inner;
    struct part *part;

    g->turn = NULL; /* a turn of its own */
    part = add_part(g, TURN_TOOL, PART_TOOL_RESULT, at, err);
    g->turn = NULL;
    if (!part || !members_unknown(g->r, v, known, &part->extra, err) ||
        !member_text_needed(g->r, v, &(struct at){at, "call_id", 0}, &part->id, err))
        return false;
    inner = &part->inner;
    return read_content(g, member(g->r->json, v, "output"), &(struct at){at, "output", 0}, &inner,
                        err);
}

/* What was thought in clear: its content, or else its summary. */
static bool join_thoughts(struct gathering *g, json_ref v, const struct at *at, struct str *out,
                          struct err *err)
{
    static const char *const known[] = {"type", "text", NULL};
    json_ref list = member(g->r->json, v, "content");
    bool summary = !json_first(g->r->json, list);
    struct at in = {at, summary ? "summary" : "content", 0}, element = {&in, NULL, 0};
    struct str piece;
    struct buf text;

    if (summary)
        list = member(g->r->json, v, "summary");
    buf_init(&text, g->r->arena, MADE_BYTES_MAX);
    for (json_ref t = json_first(g->r->json, list); t;
         t = json_next(g->r->json, t), element.index++) {
        if (!members_lost(g->r, t, known, &element, err))
            return false;
        if (!json_str(g->r->json, json_get(g->r->json, t, STR("text")), g->r->arena, &piece))
            continue;
        if (text.len)
            buf_str(&text, STR("\n\n"));
        buf_str(&text, piece);
    }
    count(g, text.len);
    return buf_finish(&text, out, err);
}

static bool read_reasoning_item(struct gathering *g, json_ref v, const struct at *at,
                                struct err *err)
{
    static const char *const known[] = {"type",   "id", "summary", "content", "encrypted_content",
                                        "status", NULL};
    struct part *part = add_part(g, TURN_ASSISTANT, PART_REASONING, at, err);
    struct str mark = STR(RESPONSES_REDACTED);

    if (!part || !members_unknown(g->r, v, known, &part->extra, err) ||
        !member_text(g->r, v, &(struct at){at, "id", 0}, &part->id, err) ||
        !member_text(g->r, v, &(struct at){at, "encrypted_content", 0}, &part->signature, err))
        return false;
    if (!str_starts(part->signature, mark))
        return join_thoughts(g, v, at, &part->text, err);
    part->is_redacted = true;
    part->text = str_slice(part->signature, mark.len, part->signature.len);
    part->signature = STR_NONE;
    return true;
}

/* Whoever keeps answers puts the item here: responses_replace_input(). */
static bool read_reference(struct gathering *g, json_ref v, const struct at *at, struct err *err)
{
    struct str id = STR_NONE;

    asked_of(g->r)->references++;
    return member_text_needed(g->r, v, &(struct at){at, "id", 0}, &id, err);
}

/* Calls of the provider's own tools, and what is new: only a provider of this dialect knows them. */
static bool read_other(struct gathering *g, json_ref v, const struct at *at, struct err *err)
{
    struct str type = STR_NONE;
    struct part *part;

    if (!member_text_needed(g->r, v, &(struct at){at, "type", 0}, &type, err))
        return false;
    part = add_part(g, str_ends(type, STR("_output")) ? TURN_USER : TURN_ASSISTANT, PART_OTHER, at,
                    err);
    if (!part)
        return false;
    part->extra = json_raw(g->r->json, v);
    count(g, part->extra.len);
    return true;
}

static bool read_item(struct gathering *g, json_ref v, const struct at *at, struct err *err)
{
    static const struct {
        const char *type;
        bool (*read)(struct gathering *g, json_ref v, const struct at *at, struct err *err);
    } items[] = {
        {"message", read_message},
        {"function_call", read_call},
        {"function_call_output", read_call_output},
        {"reasoning", read_reasoning_item},
        {"item_reference", read_reference},
    };

    if (json_kind(g->r->json, v) != JSON_OBJECT)
        return at_error(at, "expected an object", err);
    if (!member(g->r->json, v, "type"))
        return read_message(g, v, at, err);
    for (size_t i = 0; i < ARRAY_LEN(items); i++)
        if (member_is(g->r->json, v, "type", str_from(items[i].type)))
            return items[i].read(g, v, at, err);
    return read_other(g, v, at, err);
}

static bool read_items(struct field_reader *r, json_ref v, struct err *err)
{
    const struct at at = {NULL, "input", 0};
    struct gathering g = {.r = r, .turns = &r->to->turns};
    struct at element = {&at, NULL, 0};

    while (*g.turns) /* behind instructions that stood in front */
        g.turns = &(*g.turns)->next;
    if (json_kind(r->json, v) == JSON_STRING) {
        g.turn = member_turn(r, &g.turns, TURN_USER, &at, err);
        if (!g.turn)
            return false;
        g.end = &g.turn->parts;
        return read_content(&g, v, &at, &g.end, err);
    }
    if (json_kind(r->json, v) != JSON_ARRAY)
        return at_error(&at, "expected a string or an array of items", err);
    for (json_ref i = json_first(r->json, v); i; i = json_next(r->json, i), element.index++)
        if (!read_item(&g, i, &element, err))
            return false;
    return true;
}

bool responses_read_input(struct field_reader *r, json_ref v, struct err *err)
{
    size_t before = r->to->prompt_bytes;

    asked_of(r)->input = json_raw(r->json, v);
    if (!read_items(r, v, err))
        return false;
    asked_of(r)->input_bytes = r->to->prompt_bytes - before;
    return true;
}

bool responses_read_instructions(struct field_reader *r, json_ref v, struct err *err)
{
    const struct at at = {NULL, "instructions", 0};
    struct turn *first = NULL, **end = &first;
    struct gathering g = {.r = r, .turns = end};

    asked_of(r)->instructions = json_raw(r->json, v);
    first = member_turn(r, &g.turns, TURN_SYSTEM, &at, err);
    if (!first)
        return false;
    g.end = &first->parts;
    if (!read_content(&g, v, &at, &g.end, err))
        return false;
    first->next = r->to->turns; /* in front, wherever the field stands */
    r->to->turns = first;
    return true;
}

bool responses_replace_input(struct arena *arena, struct conversation *c, struct str items,
                             struct err *err)
{
    struct responses_asked *asked = c->own;
    struct json *j = said_json(arena, items, err); /* among them answers of providers */
    struct field_reader r = {.arena = arena, .json = j, .to = c};

    ASSERT(c->spoken == &dialect_responses);
    if (!j)
        return err_wrap(err, "input");
    if (asked->instructions.ptr)
        c->turns->next = NULL;
    else
        c->turns = NULL;
    c->prompt_bytes -= asked->input_bytes;
    asked->references = 0;
    return read_items(&r, json_root(j), err);
}

/* ---- items as they are kept ---- */

static void keep_content(struct json_writer *w, const struct json *j, json_ref item, json_ref v)
{
    bool by_assistant = member_is(j, item, "role", STR("assistant"));

    if (json_kind(j, v) != JSON_STRING) {
        jw_raw(w, json_raw(j, v));
        return;
    }
    jw_array(w);
    jw_object(w);
    jw_key(w, "type");
    jw_cstr(w, by_assistant ? "output_text" : "input_text");
    jw_key(w, "text");
    jw_raw(w, json_raw(j, v));
    jw_object_end(w);
    jw_array_end(w);
}

static void keep_item(struct json_writer *w, const struct json *j, json_ref item, struct str id)
{
    static const char *const written[] = {"id", "type", "content"};
    json_ref type = member(j, item, "type"), content = member(j, item, "content");

    jw_object(w);
    jw_key(w, "id");
    if (json_kind(j, member(j, item, "id")) == JSON_STRING)
        jw_raw(w, json_raw(j, member(j, item, "id")));
    else
        jw_str(w, id);
    jw_key(w, "type");
    jw_raw(w, type ? json_raw(j, type) : STR("\"message\""));
    if (content) {
        jw_key(w, "content");
        keep_content(w, j, item, content);
    }
    for (json_ref v = json_first(j, item); v; v = json_next(j, v)) {
        size_t i = 0;

        while (i < ARRAY_LEN(written) && !str_eq(json_key_raw(j, v), str_from(written[i])))
            i++;
        if (i < ARRAY_LEN(written))
            continue;
        extras_write(w, &(struct extra){.name = json_key_raw(j, v), .raw = json_raw(j, v)});
    }
    jw_object_end(w);
}

static void keep_text(struct json_writer *w, struct str raw, struct str id)
{
    jw_object(w);
    jw_key(w, "id");
    jw_str(w, id);
    jw_key(w, "type");
    jw_cstr(w, "message");
    jw_key(w, "role");
    jw_cstr(w, "user");
    jw_key(w, "content");
    jw_array(w);
    jw_object(w);
    jw_key(w, "type");
    jw_cstr(w, "input_text");
    jw_key(w, "text");
    jw_raw(w, raw);
    jw_object_end(w);
    jw_array_end(w);
    jw_object_end(w);
}

bool responses_own_items(struct arena *arena, const struct responses_asked *asked, struct str id,
                         struct str *out, struct err *err)
{
    struct json *j = json_parse(arena, asked->input.ptr ? asked->input : STR("[]"), err);
    struct json_writer w;
    struct buf text;
    uint32_t n = 0;

    if (!j)
        return false;
    buf_init(&text, arena, MADE_BYTES_MAX);
    jw_init(&w, &text);
    jw_array(&w);
    if (json_kind(j, json_root(j)) == JSON_STRING) {
        struct str own = arena_fmt(arena, "in_" STR_FMT "_0", STR_ARG(id));

        if (!own.ptr)
            return err_arena(err, arena);
        keep_text(&w, asked->input, own);
    } else {
        for (json_ref i = json_first(j, json_root(j)); i; i = json_next(j, i), n++) {
            struct str own = arena_fmt(arena, "in_" STR_FMT "_%" PRIu32, STR_ARG(id), n);

            if (!own.ptr)
                return err_arena(err, arena);
            keep_item(&w, j, i, own);
        }
    }
    jw_array_end(&w);
    return buf_finish(&text, out, err);
}
