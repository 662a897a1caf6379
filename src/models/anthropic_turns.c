/* Turns and tools for an Anthropic provider.
 * On this wire a message is a user's or the assistant's, results of tools stand in the user's message
 * that follows the calls, and what the system says stands apart: turns that follow each other with the
 * same side become one message, and empty ones none. */
#include "models/anthropic.h"
#include "models/members.h"
#include "models/tools.h"

struct place { /* of a part, for losses: of a result, where that stands */
    const struct turn *turn;
    const struct part *part;
};

static bool lose(struct anthropic_writing *to, struct place at, const char *member, const char *why,
                 struct err *err)
{
    return part_loss(to->arena, at.turn, at.part, member, why, to->losses, err);
}

static void write_text_member(struct json_writer *w, const char *key, struct str text)
{
    jw_key(w, key);
    jw_str(w, text);
}

static void write_raw_member(struct json_writer *w, const char *key, struct str raw)
{
    if (str_is_empty(raw))
        return;
    jw_key(w, key);
    jw_raw(w, raw);
}

static void block_begin(struct json_writer *w, const char *type)
{
    jw_object(w);
    jw_key(w, "type");
    jw_cstr(w, type);
}

static void block_end(struct anthropic_writing *to, const struct part *part)
{
    write_raw_member(to->w, "cache_control", part->cache_control);
    if (to->same)
        members_write(to->w, part->extra);
    jw_object_end(to->w);
}

static void write_text(struct anthropic_writing *to, const struct part *part, struct str text)
{
    if (to->same && !str_is_empty(part->media_type)) { /* a document of plain text */
        jw_raw(to->w, part->extra);
        return;
    }
    if (str_is_empty(text))
        return; /* refused on this wire */
    block_begin(to->w, "text");
    write_text_member(to->w, "text", text);
    block_end(to, part);
}

static void write_source(struct anthropic_writing *to, const struct part *part,
                         const char *media_type)
{
    struct json_writer *w = to->w;

    jw_key(w, "source");
    if (part->data.ptr) {
        block_begin(w, "base64");
        write_text_member(w, "media_type",
                          str_is_empty(part->media_type) ? str_from(media_type) : part->media_type);
        write_text_member(w, "data", part->data);
    } else if (part->url.ptr) {
        block_begin(w, "url");
        write_text_member(w, "url", part->url);
    } else {
        block_begin(w, "file");
        write_text_member(w, "file_id", part->file_id);
    }
    jw_object_end(w);
}

static bool write_image(struct anthropic_writing *to, const struct part *part, struct place at,
                        struct err *err)
{
    if (at.turn->role == TURN_ASSISTANT)
        return lose(to, at, "", "the provider takes no images from the assistant", err);
    if (part->detail.ptr && !str_eq(part->detail, STR("auto")) &&
        !lose(to, at, "detail", "the provider has no such field", err))
        return false;
    block_begin(to->w, "image");
    write_source(to, part, "image/png");
    block_end(to, part);
    return true;
}

static bool write_file(struct anthropic_writing *to, const struct part *part, struct place at,
                       struct err *err)
{
    if (part->data.ptr && !str_is_empty(part->media_type) &&
        !str_eq(part->media_type, STR("application/pdf")))
        return lose(to, at, "", "the provider takes PDF files only", err);
    if (at.turn->role == TURN_ASSISTANT)
        return lose(to, at, "", "the provider takes no files from the assistant", err);
    block_begin(to->w, "document");
    write_source(to, part, "application/pdf");
    if (!str_is_empty(part->file_name))
        write_text_member(to->w, "title", part->file_name);
    block_end(to, part);
    return true;
}

static bool write_reasoning(struct anthropic_writing *to, const struct part *part, struct place at,
                            struct err *err)
{
    if (part->is_redacted) {
        block_begin(to->w, "redacted_thinking");
        write_text_member(to->w, "data", part->text);
    } else if (part->signature.ptr || to->same) {
        block_begin(to->w, "thinking");
        write_text_member(to->w, "thinking", part->text);
        write_text_member(to->w, "signature", part->signature);
    } else {
        return lose(to, at, "", "the provider takes back signed reasoning only", err);
    }
    jw_object_end(to->w);
    return true;
}

/* Ids of calls from elsewhere may hold what this wire does not take; the call and its result are
 * changed alike. */
static struct str plain_id(struct arena *arena, struct str id)
{
    struct str copy = arena_str(arena, str_is_empty(id) ? STR("call") : id);

    for (size_t i = 0; copy.ptr && i < copy.len; i++) {
        char c = copy.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-'))
            ((char *)(uintptr_t)copy.ptr)[i] = '_';
    }
    return copy;
}

static bool write_tool_use(struct anthropic_writing *to, const struct part *part, struct err *err)
{
    struct str id = plain_id(to->arena, part->id), input;

    if (!id.ptr)
        return err_arena(err, to->arena);
    if (!arguments_object(to->arena, part->arguments, &input, err))
        return false;
    block_begin(to->w, "tool_use");
    write_text_member(to->w, "id", id);
    write_text_member(to->w, "name", part->name);
    jw_key(to->w, "input");
    jw_raw(to->w, input);
    block_end(to, part);
    return true;
}

static bool write_part(struct anthropic_writing *to, const struct part *part, struct place at,
                       struct err *err);

static bool write_tool_result(struct anthropic_writing *to, const struct part *part,
                              struct place at, struct err *err)
{
    struct str id = plain_id(to->arena, part->id);
    const struct part *inner = part->inner;

    if (!id.ptr)
        return err_arena(err, to->arena);
    block_begin(to->w, "tool_result");
    write_text_member(to->w, "tool_use_id", id);
    if (inner && !inner->next && inner->kind == PART_TEXT && !inner->cache_control.ptr &&
        !inner->extra.ptr) {
        write_text_member(to->w, "content", inner->text);
    } else if (inner) {
        jw_key(to->w, "content");
        jw_array(to->w);
        for (; inner; inner = inner->next)
            if (!write_part(to, inner, at, err))
                return false;
        jw_array_end(to->w);
    }
    if (part->is_error) {
        jw_key(to->w, "is_error");
        jw_bool(to->w, true);
    }
    block_end(to, part);
    return true;
}

static bool write_part(struct anthropic_writing *to, const struct part *part, struct place at,
                       struct err *err)
{
    switch (part->kind) {
    case PART_TEXT:
    case PART_REFUSAL: write_text(to, part, part->text); return true;
    case PART_IMAGE: return write_image(to, part, at, err);
    case PART_AUDIO: return lose(to, at, "", "the provider takes no audio", err);
    case PART_FILE: return write_file(to, part, at, err);
    case PART_REASONING: return write_reasoning(to, part, at, err);
    case PART_TOOL_CALL: return write_tool_use(to, part, err);
    case PART_TOOL_RESULT: return write_tool_result(to, part, at, err);
    case PART_OTHER:
        if (!to->same)
            return lose(to, at, "", "the provider knows no such part", err);
        jw_raw(to->w, part->extra);
        return true;
    }
    return true;
}

/* ---- messages ---- */

static bool is_system(const struct turn *turn)
{
    return turn->role == TURN_SYSTEM || turn->role == TURN_DEVELOPER;
}

static const char *side(const struct turn *turn)
{
    return is_system(turn) ? "system" : turn->role == TURN_ASSISTANT ? "assistant" : "user";
}

/* The assistant's last words may not end in white space here, where it is to go on from them. */
static bool is_last_text(const struct turn *turn, const struct part *part)
{
    return turn->role == TURN_ASSISTANT && !turn->next && !part->next && part->kind == PART_TEXT;
}

static struct str without_end(struct str text)
{
    struct str middle = str_trim(text);

    if (str_is_empty(middle))
        return STR("");
    return str_slice(text, 0, (size_t)(middle.ptr - text.ptr) + middle.len);
}

static bool write_blocks(struct anthropic_writing *to, const struct turn *turn, struct err *err)
{
    for (const struct part *p = turn->parts; p; p = p->next) {
        const struct place at = {turn, p};

        if (is_last_text(turn, p) && !str_is_empty(p->text))
            write_text(to, p, without_end(p->text));
        else if (!write_part(to, p, at, err))
            return false;
    }
    if (!turn->name.ptr)
        return true;
    struct str field = arena_fmt(to->arena, STR_FMT ".name", STR_ARG(turn->path));
    if (!field.ptr)
        return err_arena(err, to->arena);
    return losses_note(to->losses, field, "the provider has no such field", err);
}

static void close_message(struct json_writer *w, const char **open)
{
    if (*open) {
        jw_array_end(w);
        jw_object_end(w);
    }
    *open = NULL;
}

static bool has_blocks(const struct turn *turn)
{
    for (const struct part *p = turn->parts; p; p = p->next)
        if (p->kind != PART_TEXT ||
            !str_is_empty(is_last_text(turn, p) ? str_trim(p->text) : p->text))
            return true;
    return false;
}

static bool write_messages(struct anthropic_writing *to, const struct turn *first, struct err *err)
{
    struct json_writer *w = to->w;
    const char *open = NULL;

    jw_key(w, "messages");
    jw_array(w);
    for (const struct turn *t = first; t; t = t->next) {
        if ((is_system(t) && !to->same) || !has_blocks(t))
            continue;
        if (!open || !str_eq(str_from(open), str_from(side(t)))) {
            close_message(w, &open);
            open = side(t);
            jw_object(w);
            jw_key(w, "role");
            jw_cstr(w, open);
            jw_key(w, "content");
            jw_array(w);
        }
        if (!write_blocks(to, t, err))
            return false;
    }
    close_message(w, &open);
    jw_array_end(w);
    return true;
}

/* ---- system ---- */

/* What the system says later moves to the front, as there is no other place for it. */
static bool note_moved(struct anthropic_writing *to, const struct turn *turn, struct err *err)
{
    return to->losses->refuse || losses_note(to->losses, turn->path, "moved to the front", err);
}

static bool write_system(struct anthropic_writing *to, const struct turn **first, struct err *err)
{
    const struct turn *t = to->in->turns;
    bool any = false, leading = true;

    for (; t; t = t->next) {
        leading = leading && is_system(t);
        if (to->same && !leading)
            break;
        if (!is_system(t) || !has_blocks(t))
            continue;
        if (!leading && !note_moved(to, t, err))
            return false;
        if (!any) {
            jw_key(to->w, "system");
            jw_array(to->w);
        }
        any = true;
        if (!write_blocks(to, t, err))
            return false;
    }
    if (any)
        jw_array_end(to->w);
    for (t = to->in->turns; t && is_system(t);)
        t = t->next;
    *first = t;
    return true;
}

bool anthropic_write_turns(struct anthropic_writing *to, struct err *err)
{
    const struct turn *first;

    return write_system(to, &first, err) && write_messages(to, first, err);
}

/* ---- tools ---- */

static void write_tool(struct anthropic_writing *to, const struct tool *tool)
{
    struct json_writer *w = to->w;

    jw_object(w);
    write_text_member(w, "name", tool->name);
    if (tool->description.ptr)
        write_text_member(w, "description", tool->description);
    jw_key(w, "input_schema");
    jw_raw(w, str_is_empty(tool->parameters) ? STR("{\"type\":\"object\",\"properties\":{}}")
                                             : tool->parameters);
    if (tool->strict > 0) {
        jw_key(w, "strict");
        jw_bool(w, true);
    }
    write_raw_member(w, "cache_control", tool->cache_control);
    if (to->same)
        members_write(w, tool->extra);
    jw_object_end(w);
}

bool anthropic_write_tools(struct anthropic_writing *to, struct err *err)
{
    size_t i = 0;
    bool any = false;

    for (const struct tool *tool = to->in->tools; tool; tool = tool->next, i++) {
        struct str own = tool->builtin;

        if (own.ptr && !to->same &&
            !builtin_tool(to->arena, tool, i, &dialect_anthropic, to->losses, &own, err))
            return false;
        if (tool->builtin.ptr && !own.ptr)
            continue;
        if (!any) {
            jw_key(to->w, "tools");
            jw_array(to->w);
        }
        any = true;
        if (own.ptr)
            jw_raw(to->w, own);
        else
            write_tool(to, tool);
    }
    if (any)
        jw_array_end(to->w);
    to->has_tools = any;
    return true;
}
