/* What of a request no writer of the target's dialect looks at: members that the client's reader did not know,
 * names of speakers, names of files, parts of system turns that are no text. Each is named, or refused. */
#include "models/members.h"
#include "models/responses.h"
#include "models/tools.h"

#define NO_FIELD "the provider has no such field"

struct looking {
    struct arena *arena;
    const struct conversation *in;
    const struct dialect *to;
    struct losses *losses;
    bool writes_extras; /* the target's writer gives back what its own reader kept */
    bool is_cloud;      /* system turns stand apart there, as text alone */
};

/* Empty, or what is meant by leaving it out: clients send answers back as they were given. */
static bool says_nothing(const struct json *j, json_ref v, struct str key)
{
    enum json_kind kind = json_kind(j, v);

    if (kind == JSON_NULL)
        return true;
    if (kind == JSON_OBJECT && str_eq(key, STR("caller")))
        return member_is(j, v, "type", STR("direct"));
    return (kind == JSON_ARRAY || kind == JSON_OBJECT) && !json_first(j, v);
}

static bool note_members(struct looking *l, struct str path, struct str extra, struct err *err)
{
    struct json *j = extra.len ? json_parse(l->arena, extra, err) : NULL;

    if (!extra.len)
        return true;
    if (!j)
        return err_wrap(err, STR_FMT, STR_ARG(path));
    for (json_ref v = json_first(j, json_root(j)); v; v = json_next(j, v)) {
        struct str key = json_key_raw(j, v), field;

        if (says_nothing(j, v, key))
            continue;
        field =
            arena_fmt(l->arena, STR_FMT "." STR_FMT, STR_ARG(path), STR_ARG(str_slice(key, 0, 60)));
        if (!field.ptr)
            return err_arena(err, l->arena);
        if (!losses_note(l->losses, field, NO_FIELD, err))
            return false;
    }
    return true;
}

static bool note_file_name(struct looking *l, const struct part *part, struct str path,
                           struct err *err)
{
    struct str field;

    if (part->kind != PART_FILE || !part->file_name.len || l->to != &dialect_gemini)
        return true;
    field = arena_fmt(l->arena, STR_FMT ".filename", STR_ARG(path));
    return field.ptr ? losses_note(l->losses, field, NO_FIELD, err) : err_arena(err, l->arena);
}

/* Parts of a tool's result. Writers of chat and Bedrock name what they do not know themselves. */
static bool note_inner(struct looking *l, const struct part *result, struct str path,
                       struct err *err)
{
    bool is_own = l->in->spoken == l->to;
    bool unknown_here = !is_own && (l->to == &dialect_gemini || l->to == &dialect_responses);
    size_t i = 0;

    for (const struct part *p = result->inner; p; p = p->next, i++) {
        struct str inside = inner_path(l->arena, path, i);

        if (!inside.ptr)
            return err_arena(err, l->arena);
        if (p->kind == PART_OTHER && unknown_here &&
            !losses_note(l->losses, inside, "the provider has no such part in a result", err))
            return false;
        if (!note_file_name(l, p, inside, err))
            return false;
        if (p->kind != PART_OTHER && !l->writes_extras && !note_members(l, inside, p->extra, err))
            return false;
    }
    return true;
}

static bool note_part(struct looking *l, const struct turn *turn, const struct part *part,
                      bool is_system, struct err *err)
{
    bool barred = is_system && l->is_cloud && part->kind != PART_TEXT;
    bool extra = part->extra.len > 0 && !l->writes_extras && part->kind != PART_OTHER;

    if (!barred && !extra && !part->file_name.len && !part->inner)
        return true; /* as nearly always: then nobody needs to know where it stands */
    struct str path = part_path(l->arena, l->losses, turn, part);

    if (!path.ptr)
        return err_arena(err, l->arena);
    if (barred)
        return losses_note(l->losses, path, "a system turn is text alone there", err);
    if (!note_file_name(l, part, path, err))
        return false;
    if (!note_inner(l, part, path, err))
        return false;
    return !extra || note_members(l, path, part->extra, err);
}

static bool note_turn(struct looking *l, const struct turn *turn, struct err *err)
{
    bool is_system = turn->role == TURN_SYSTEM || turn->role == TURN_DEVELOPER;
    bool own = l->in->spoken == l->to && (l->to == &dialect_openai || l->to == &dialect_responses);

    if (turn->name.len && (l->to == &dialect_responses || (is_system && l->is_cloud))) {
        struct str field = arena_fmt(l->arena, STR_FMT ".name", STR_ARG(turn->path));

        if (!field.ptr)
            return err_arena(err, l->arena);
        if (!losses_note(l->losses, field, NO_FIELD, err))
            return false;
    }
    for (const struct part *p = turn->parts; p; p = p->next)
        if (!note_part(l, turn, p, is_system, err))
            return false;
    return own || note_members(l, turn->path, turn->extra, err);
}

/* What a schema is about is told where there is a place for it. Its name is a label that OpenAI demands: it says
 * nothing to others. */
static bool note_format(struct looking *l, struct err *err)
{
    bool is_chat = l->in->spoken != &dialect_responses;

    if (!l->in->schema_description.len || (l->to != &dialect_anthropic && l->to != &dialect_gemini))
        return true;
    return losses_note(l->losses,
                       is_chat ? STR("response_format.json_schema.description")
                               : STR("text.format.description"),
                       NO_FIELD, err);
}

/* What is to be told of the provider's own tools, where nobody there tells it. */
static bool note_include(struct looking *l, struct err *err)
{
    const struct responses_asked *asked = l->in->spoken == &dialect_responses ? l->in->own : NULL;
    bool sources = l->to == &dialect_responses || l->to == &dialect_anthropic;
    bool outputs = sources || l->to == &dialect_gemini;

    if (!asked || ((!asked->include_sources || sources) && (!asked->include_outputs || outputs)))
        return true;
    return losses_note(l->losses, STR("include"), NO_FIELD, err);
}

bool leftovers_note(struct arena *arena, const struct conversation *in, const struct dialect *to,
                    struct losses *losses, struct err *err)
{
    struct looking l = {.arena = arena, .in = in, .to = to, .losses = losses};
    size_t i = 0;

    l.is_cloud = to == &dialect_gemini || to == &dialect_bedrock;
    l.writes_extras = to == in->spoken && to != &dialect_openai;
    for (const struct turn *t = in->turns; t; t = t->next)
        if (!note_turn(&l, t, err))
            return false;
    if (!note_format(&l, err) || !note_include(&l, err))
        return false;
    /* Bedrock's own clients' bodies pass whole. */
    for (const struct extra *e = in->inside; e; e = e->next)
        if ((to != in->spoken || to == &dialect_openai || (e->is_lost && to != &dialect_bedrock)) &&
            !losses_note(losses, e->name, NO_FIELD, err))
            return false;
    if (in->pad_events && in->stream && to != &dialect_openai &&
        !losses_note(losses, STR("stream_options.include_obfuscation"), "events are not padded",
                     err))
        return false;
    for (const struct tool *t = in->tools; t && !l.writes_extras; t = t->next, i++) {
        struct str path = t->extra.len ? arena_fmt(arena, "tools.%zu", i) : STR("");

        if (!path.ptr)
            return err_arena(err, arena);
        if (!note_members(&l, path, t->extra, err))
            return false;
    }
    return true;
}
