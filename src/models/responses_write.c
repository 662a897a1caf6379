/* A request for a provider that speaks the Responses dialect.
 * Weir keeps what is to be kept, so the provider is asked to keep nothing and gets all items each time. */
#include <string.h>

#include "models/members.h"
#include "models/models.h"
#include "models/openai_internal.h"
#include "models/responses.h"
#include "models/tools.h"

struct sending {
    struct arena *arena;
    struct json_writer *w;
    const struct conversation *in;
    const struct model *to;
    struct losses *losses;
    bool same; /* the client speaks this dialect too */
    bool message_open;
};

static void write_text_member(struct json_writer *w, const char *key, struct str text)
{
    jw_key(w, key);
    jw_str(w, text);
}

static bool lose(struct sending *s, const struct turn *turn, size_t index, const char *why,
                 struct err *err)
{
    struct str field = arena_fmt(s->arena, STR_FMT ".content.%zu", STR_ARG(turn->path), index);

    return field.ptr ? losses_note(s->losses, field, why, err) : err_arena(err, s->arena);
}

/* ---- content ---- */

static void typed(struct json_writer *w, const char *type)
{
    jw_object(w);
    jw_key(w, "type");
    jw_cstr(w, type);
}

static bool write_data_url(struct sending *s, const char *key, const struct part *part,
                           const char *usual, struct err *err)
{
    struct str type = str_is_empty(part->media_type) ? str_from(usual) : part->media_type;
    struct str url =
        arena_fmt(s->arena, "data:" STR_FMT ";base64," STR_FMT, STR_ARG(type), STR_ARG(part->data));

    if (!url.ptr)
        return err_arena(err, s->arena);
    write_text_member(s->w, key, url);
    return true;
}

/* What Weir does not know of a piece, as it came; but its sources, which may be another house's. */
static bool write_extra(struct sending *s, const struct part *part, struct err *err)
{
    bool same = s->same && part->extra.len;
    struct json *j = same ? said_json(s->arena, part->extra, err) : NULL;

    for (json_ref v = j ? json_first(j, json_root(j)) : 0; v; v = json_next(j, v)) {
        if (str_eq(json_key_raw(j, v), STR("annotations")))
            continue;
        jw_key_raw(s->w, json_key_raw(j, v));
        jw_raw(s->w, json_raw(j, v));
    }
    return j || !same;
}

static bool write_image(struct sending *s, const struct part *part, struct err *err)
{
    typed(s->w, "input_image");
    jw_key(s->w, "detail");
    jw_str(s->w, part->detail.ptr ? part->detail : STR("auto"));
    if (part->file_id.ptr)
        write_text_member(s->w, "file_id", part->file_id);
    else if (part->url.ptr)
        write_text_member(s->w, "image_url", part->url);
    else if (!write_data_url(s, "image_url", part, "image/png", err))
        return false;
    if (!write_extra(s, part, err))
        return false;
    jw_object_end(s->w);
    return true;
}

static bool write_file(struct sending *s, const struct part *part, struct err *err)
{
    typed(s->w, "input_file");
    if (part->file_id.ptr) {
        write_text_member(s->w, "file_id", part->file_id);
    } else if (part->url.ptr) {
        write_text_member(s->w, "file_url", part->url);
    } else {
        write_text_member(s->w, "filename",
                          part->file_name.ptr ? part->file_name : STR("file.pdf"));
        if (!write_data_url(s, "file_data", part, "application/pdf", err))
            return false;
    }
    if (!write_extra(s, part, err))
        return false;
    jw_object_end(s->w);
    return true;
}

static bool write_words(struct sending *s, const struct part *part, bool by_assistant,
                        struct err *err)
{
    bool refusal = part->kind == PART_REFUSAL && by_assistant;

    typed(s->w, refusal ? "refusal" : by_assistant ? "output_text" : "input_text");
    write_text_member(s->w, refusal ? "refusal" : "text", part->text);
    if (by_assistant && !refusal) {
        jw_key(s->w, "annotations");
        jw_array(s->w);
        jw_array_end(s->w);
    }
    if (!write_extra(s, part, err))
        return false;
    jw_object_end(s->w);
    return true;
}

static bool write_content(struct sending *s, const struct turn *turn, const struct part *part,
                          size_t index, struct err *err)
{
    bool by_assistant = turn->role == TURN_ASSISTANT;

    if (part->kind == PART_TEXT || part->kind == PART_REFUSAL)
        return write_words(s, part, by_assistant, err);
    if (by_assistant || part->kind == PART_AUDIO)
        return lose(s, turn, index, "the provider takes no such part here", err);
    return part->kind == PART_IMAGE ? write_image(s, part, err) : write_file(s, part, err);
}

/* ---- items ---- */

static void close_message(struct sending *s)
{
    if (s->message_open) {
        jw_array_end(s->w);
        jw_object_end(s->w);
    }
    s->message_open = false;
}

static void open_message(struct sending *s, const struct turn *turn)
{
    static const char *const roles[] = {[TURN_SYSTEM] = "system",
                                        [TURN_DEVELOPER] = "developer",
                                        [TURN_USER] = "user",
                                        [TURN_ASSISTANT] = "assistant",
                                        [TURN_TOOL] = "user"};

    if (s->message_open)
        return;
    s->message_open = true;
    typed(s->w, "message");
    jw_key(s->w, "role");
    jw_cstr(s->w, roles[turn->role]);
    if (s->same)
        members_write(s->w, turn->extra);
    jw_key(s->w, "content");
    jw_array(s->w);
}

static void write_call(struct sending *s, const struct part *part)
{
    typed(s->w, "function_call");
    write_text_member(s->w, "call_id", part->id);
    write_text_member(s->w, "name", part->name);
    write_text_member(s->w, "arguments",
                      str_is_empty(part->arguments) ? STR("{}") : part->arguments);
    if (s->same)
        members_write(s->w, part->extra);
    jw_object_end(s->w);
}

static bool is_words(const struct part *part)
{
    return part->kind == PART_TEXT || part->kind == PART_REFUSAL;
}

/* The dialect has no mark for a call that failed: models read it in the words. What is none follows them. */
static bool write_failure(struct sending *s, const struct turn *turn, const struct part *result,
                          size_t index, struct err *err)
{
    const struct part *inner = result->inner;
    struct part words = {.kind = PART_TEXT};

    if (!parts_text(s->arena, inner, &words.text, err))
        return false;
    words.text = arena_fmt(s->arena, "Error: " STR_FMT, STR_ARG(words.text));
    if (!words.text.ptr)
        return err_arena(err, s->arena);
    while (inner && is_words(inner))
        inner = inner->next;
    if (!inner) {
        jw_str(s->w, words.text);
        return true;
    }
    jw_array(s->w);
    if (!write_words(s, &words, false, err))
        return false;
    for (; inner; inner = inner->next)
        if (!is_words(inner) && inner->kind != PART_OTHER &&
            !write_content(s, turn, inner, index, err))
            return false;
    jw_array_end(s->w);
    return true;
}

static bool write_call_output(struct sending *s, const struct turn *turn, const struct part *part,
                              size_t index, struct err *err)
{
    const struct part *inner = part->inner;

    typed(s->w, "function_call_output");
    write_text_member(s->w, "call_id", part->id);
    jw_key(s->w, "output");
    if (part->is_error) {
        if (!write_failure(s, turn, part, index, err))
            return false;
    } else if (!inner || (!inner->next && inner->kind == PART_TEXT && !inner->extra.len)) {
        jw_str(s->w, inner ? inner->text : STR(""));
    } else {
        jw_array(s->w);
        for (; inner; inner = inner->next)
            if (inner->kind != PART_OTHER && !write_content(s, turn, inner, index, err))
                return false;
        jw_array_end(s->w);
    }
    if (s->same)
        members_write(s->w, part->extra);
    jw_object_end(s->w);
    return true;
}

static bool write_reasoning(struct sending *s, const struct turn *turn, const struct part *part,
                            size_t index, struct err *err)
{
    if (!s->same || !part->id.ptr || part->is_redacted)
        return lose(s, turn, index, "the provider takes back its own reasoning only", err);
    typed(s->w, "reasoning");
    write_text_member(s->w, "id", part->id);
    jw_key(s->w, "summary");
    jw_array(s->w);
    if (part->text.len) {
        typed(s->w, "summary_text");
        write_text_member(s->w, "text", part->text);
        jw_object_end(s->w);
    }
    jw_array_end(s->w);
    if (part->signature.ptr)
        write_text_member(s->w, "encrypted_content", part->signature);
    members_write(s->w, part->extra);
    jw_object_end(s->w);
    return true;
}

static bool write_part(struct sending *s, const struct turn *turn, const struct part *part,
                       size_t index, struct err *err)
{
    switch (part->kind) {
    case PART_TEXT:
    case PART_REFUSAL:
    case PART_IMAGE:
    case PART_AUDIO:
    case PART_FILE: open_message(s, turn); return write_content(s, turn, part, index, err);
    case PART_REASONING: close_message(s); return write_reasoning(s, turn, part, index, err);
    case PART_TOOL_CALL:
        close_message(s);
        write_call(s, part);
        return true;
    case PART_TOOL_RESULT: close_message(s); return write_call_output(s, turn, part, index, err);
    case PART_OTHER:
        close_message(s);
        if (!s->same)
            return lose(s, turn, index, "the provider knows no such part", err);
        jw_raw(s->w, part->extra);
        return true;
    }
    return true;
}

static bool write_input(struct sending *s, struct err *err)
{
    jw_key(s->w, "input");
    jw_array(s->w);
    for (const struct turn *t = s->in->turns; t; t = t->next) {
        size_t index = 0;

        for (const struct part *p = t->parts; p; p = p->next, index++)
            if (!write_part(s, t, p, index, err))
                return false;
        close_message(s);
    }
    jw_array_end(s->w);
    return true;
}

/* ---- tools ---- */

static void write_tool(struct sending *s, const struct tool *tool)
{
    struct json_writer *w = s->w;

    typed(w, "function");
    write_text_member(w, "name", tool->name);
    if (tool->description.ptr)
        write_text_member(w, "description", tool->description);
    jw_key(w, "parameters");
    jw_raw(w, str_is_empty(tool->parameters) ? STR("{\"type\":\"object\",\"properties\":{}}")
                                             : tool->parameters);
    jw_key(w, "strict"); /* unsaid it would be true here, elsewhere it is false */
    jw_bool(w, s->same ? tool->strict != 0 : tool->strict > 0);
    if (s->same)
        members_write(w, tool->extra);
    jw_object_end(w);
}

static void open_tools(struct sending *s, bool *any)
{
    if (*any)
        return;
    *any = true;
    jw_key(s->w, "tools");
    jw_array(s->w);
}

/* *any: there are some. */
static bool write_tools(struct sending *s, bool *any, struct err *err)
{
    size_t i = 0;

    *any = false;
    for (const struct tool *tool = s->in->tools; tool; tool = tool->next, i++) {
        struct str own = tool->builtin;

        if (own.ptr && !s->same &&
            !builtin_tool(s->arena, tool, i, &dialect_responses, s->losses, &own, err))
            return false;
        if (!own.ptr && tool->builtin.ptr)
            continue;
        open_tools(s, any);
        if (own.ptr)
            jw_raw(s->w, own);
        else
            write_tool(s, tool);
    }
    if (*any)
        jw_array_end(s->w);
    return true;
}

static void write_tool_choice(struct json_writer *w, const struct conversation *in)
{
    static const char *const names[] = {
        [CHOOSE_AUTO] = "auto", [CHOOSE_NONE] = "none", [CHOOSE_ANY] = "required"};

    if (in->tool_choice == CHOOSE_UNSAID)
        return;
    jw_key(w, "tool_choice");
    if (in->tool_choice != CHOOSE_NAMED) {
        jw_cstr(w, names[in->tool_choice]);
        return;
    }
    typed(w, "function");
    write_text_member(w, "name", in->tool_name);
    jw_object_end(w);
}

/* ---- the rest ---- */

static void write_format(struct json_writer *w, const struct conversation *in)
{
    jw_key(w, "format");
    typed(w, in->format == FORMAT_SCHEMA ? "json_schema"
             : in->format == FORMAT_JSON ? "json_object"
                                         : "text");
    if (in->format == FORMAT_SCHEMA) {
        write_text_member(w, "name", in->schema_name.ptr ? in->schema_name : STR("answer"));
        if (in->schema_description.ptr)
            write_text_member(w, "description", in->schema_description);
        jw_key(w, "schema");
        jw_raw(w, str_is_empty(in->schema) ? STR("{}") : in->schema);
        jw_key(w, "strict");
        jw_bool(w, in->schema_strict > 0);
    }
    jw_object_end(w);
}

static void write_text(struct json_writer *w, const struct conversation *in)
{
    if (in->format == FORMAT_UNSAID && !in->verbosity.ptr)
        return;
    jw_key(w, "text");
    jw_object(w);
    if (in->format != FORMAT_UNSAID)
        write_format(w, in);
    if (in->verbosity.ptr)
        write_text_member(w, "verbosity", in->verbosity);
    jw_object_end(w);
}

static bool write_reasoning_config(const struct sending *s, struct err *err)
{
    struct json_writer *w = s->w;
    struct str effort;

    if (!openai_effort(s->in, s->to, s->losses, &effort, err))
        return false;
    if (!effort.ptr && !s->in->reasoning_summary.ptr)
        return true;
    jw_key(w, "reasoning");
    jw_object(w);
    if (effort.ptr)
        write_text_member(w, "effort", effort);
    if (s->in->reasoning_summary.ptr)
        write_text_member(w, "summary", s->in->reasoning_summary);
    jw_object_end(w);
    return true;
}

static bool write_extras(struct sending *s, struct err *err)
{
    for (const struct extra *e = s->same ? s->in->extras : NULL; e; e = e->next)
        if (!str_eq(e->name, STR("include"))) /* write_include() has it */
            extras_write(s->w, &(struct extra){.name = e->name, .raw = e->raw});
    return s->same || extras_losses(s->in, s->losses, err);
}

static void include(const struct sending *s, struct str asked, const char *what)
{
    if (str_find(asked, str_from(what)) == asked.len)
        jw_cstr(s->w, what);
}

/* Others tell without being asked what their own tools found and printed. */
static void write_include_tools(const struct sending *s)
{
    bool search = false, code = false;

    for (const struct tool *t = s->same ? NULL : s->in->tools; t; t = t->next) {
        search = search || (t->builtin.len && builtin_may_search(t));
        code = code || (t->builtin.len && builtin_may_run_code(t));
    }
    if (search)
        jw_cstr(s->w, "web_search_call.action.sources");
    if (code)
        jw_cstr(s->w, "code_interpreter_call.outputs");
}

/* What the client asked for, as it came, and what must come back as the provider keeps nothing. */
static void write_include(const struct sending *s)
{
    const struct responses_asked *asked = s->same ? s->in->own : NULL;
    struct str given = asked ? asked->include : STR_NONE;
    struct json_writer *w = s->w;

    given = str_trim(str_slice(given, 1, MAX_OF(given.len, 1u) - 1));
    jw_key(w, "include");
    jw_array(w);
    if (given.len)
        jw_raw(w, given);
    include(s, given, "reasoning.encrypted_content");
    if (s->in->logprobs > 0)
        include(s, given, "message.output_text.logprobs");
    write_include_tools(s);
    jw_array_end(w);
}

/* A field with members that Weir does not know goes to its own dialect as it came. */
static bool write_as_asked(const struct sending *s, const char *field, struct str raw)
{
    size_t len = strlen(field);

    for (const struct extra *e = s->in->inside; raw.len && e; e = e->next)
        if (str_starts(e->name, str_from(field)) && e->name.ptr[len] == '.') {
            jw_key(s->w, field);
            jw_raw(s->w, raw);
            return true;
        }
    return false;
}

static bool write_body(struct sending *s, const struct model *to, struct err *err)
{
    const struct responses_asked *asked = s->same ? s->in->own : NULL;
    struct json_writer *w = s->w;
    bool any;

    jw_object(w);
    write_text_member(w, "model", to->remote_name);
    if (!write_input(s, err))
        return false;
    fields_write(w, s->in, responses_fields, responses_field_count);
    if (!write_tools(s, &any, err))
        return false;
    bool is_lost = !any || (s->in->tool_choice == CHOOSE_NAMED && !s->same &&
                            !tool_choice_is_a_function(s->in));
    if (is_lost && !tool_choice_is_lost(s->in, s->losses, err))
        return false;
    if (!is_lost && !write_as_asked(s, "tool_choice", asked ? asked->tool_choice : STR_NONE))
        write_tool_choice(w, s->in);
    if (!write_as_asked(s, "text", asked ? asked->text : STR_NONE))
        write_text(w, s->in);
    if (!write_as_asked(s, "reasoning", asked ? asked->reasoning : STR_NONE) &&
        !write_reasoning_config(s, err))
        return false;
    write_include(s);
    if (s->in->metadata.ptr) {
        jw_key(w, "metadata");
        jw_raw(w, s->in->metadata);
    }
    jw_key(w, "store");
    jw_bool(w, false);
    if (!fields_losses(s->in, responses_fields, responses_field_count, s->losses, err) ||
        !write_extras(s, err))
        return false;
    jw_object_end(w);
    return true;
}

bool responses_write_request(struct arena *arena, const struct conversation *in,
                             const struct model *to, struct losses *losses, struct outgoing *out,
                             struct err *err)
{
    struct json_writer w;
    struct sending s = {.arena = arena,
                        .w = &w,
                        .in = in,
                        .to = to,
                        .losses = losses,
                        .same = in->spoken == &dialect_responses};
    struct buf body;

    if (in->kind != ASK_CHAT)
        return err_set(err, ERR_INVALID, "model: its provider only chats");
    s.in = openai_fitted(arena, in, to, losses, err);
    if (!s.in)
        return false;
    buf_init(&body, arena, MADE_BYTES_MAX);
    jw_init(&w, &body);
    if (!write_body(&s, to, err) || !buf_finish(&body, &out->body, err))
        return false;
    out->method = STR("POST");
    out->path = STR("/responses");
    return true;
}

/* What is kept here or goes on from what is kept is this house's to write. */
bool responses_splice_request(struct arena *arena, const struct model_question *question,
                              const struct model *to, struct losses *losses,
                              struct splicing *splicing, struct outgoing *out, bool *fits,
                              struct err *err)
{
    const struct responses_asked *asked = question->conversation->own;

    (void)losses;
    *fits = asked && !asked->store && !asked->previous_response_id.ptr && !asked->references;
    if (!*fits)
        return true;
    out->method = STR("POST");
    out->path = STR("/responses");
    return splice_usual(arena, question->json, to->remote_name, splicing, err);
}
