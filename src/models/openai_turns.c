/* POST /v1/chat/completions, written: the turns of a conversation and their parts. */
#include "models/openai_internal.h"

/* "messages.2" + ".content" for losses. */
static bool lose(struct openai_writing *o, const struct turn *turn, const char *what,
                 const char *why, struct err *err)
{
    struct str path =
        arena_fmt(o->arena, STR_FMT "%s%s", STR_ARG(turn->path), turn->path.len ? "." : "", what);

    return path.ptr ? losses_note(o->losses, path, why, err) : err_arena(err, o->arena);
}

/* The members of a raw object, added to the object that is being written. */
static void spread(struct json_writer *w, struct str object)
{
    if (object.len <= 2)
        return;
    buf_char(w->to, ','); /* never the first */
    buf_str(w->to, str_slice(object, 1, object.len - 1));
}

/* ---- parts ---- */

/* Escaped as any text: what calls itself base64 came from outside. */
static bool write_data_url(struct openai_writing *o, const struct part *part, struct err *err)
{
    struct str kind = part->media_type.len ? part->media_type : STR("application/octet-stream");
    struct buf url;
    struct str all;

    buf_init(&url, o->arena, kind.len + part->data.len + 32);
    buf_str(&url, STR("data:"));
    buf_str(&url, kind);
    buf_str(&url, STR(";base64,"));
    buf_str(&url, part->data);
    if (!buf_finish(&url, &all, err))
        return false;
    jw_str(&o->w, all);
    return true;
}

void openai_part_begin(struct json_writer *w, const char *type)
{
    jw_object(w);
    jw_key(w, "type");
    jw_cstr(w, type);
}

static bool write_image(struct openai_writing *o, const struct part *part, struct err *err)
{
    struct json_writer *w = &o->w;

    openai_part_begin(w, "image_url");
    jw_key(w, "image_url");
    jw_object(w);
    jw_key(w, "url");
    if (part->url.ptr)
        jw_str(w, part->url);
    else if (!write_data_url(o, part, err))
        return false;
    openai_member(w, "detail", part->detail);
    jw_object_end(w);
    return true;
}

static void write_audio(struct json_writer *w, const struct part *part)
{
    size_t slash = str_find_char(part->media_type, '/');
    struct str format = str_slice(part->media_type, slash + 1, part->media_type.len);

    openai_part_begin(w, "input_audio");
    jw_key(w, "input_audio");
    jw_object(w);
    openai_member(w, "data", part->data);
    openai_member(w, "format", str_eq(format, STR("mpeg")) ? STR("mp3") : format);
    jw_object_end(w);
}

static bool write_file(struct openai_writing *o, const struct part *part, struct err *err)
{
    struct json_writer *w = &o->w;

    openai_part_begin(w, "file");
    jw_key(w, "file");
    jw_object(w);
    openai_member(w, "filename", part->file_name);
    if (part->file_id.ptr) {
        openai_member(w, "file_id", part->file_id);
    } else {
        jw_key(w, "file_data");
        if (!write_data_url(o, part, err))
            return false;
    }
    jw_object_end(w);
    return true;
}

/* What a part lacks to be said here; NULL: it can be. */
static const char *cannot(const struct openai_writing *o, const struct part *part)
{
    switch (part->kind) {
    case PART_IMAGE:
        return part->url.ptr || part->data.ptr ? NULL : "a picture needs its data or its url here";
    case PART_AUDIO: return part->data.ptr ? NULL : "audio needs its data here";
    case PART_FILE:
        return part->file_id.ptr || part->data.ptr ? NULL : "a file needs its data or its id here";
    case PART_OTHER:
        return o->same_family ? NULL : "only the client's dialect knows this kind of part";
    default: return NULL;
    }
}

static bool write_part(struct openai_writing *o, const struct part *part, struct err *err)
{
    struct json_writer *w = &o->w;
    bool ok = true;

    if (part->kind == PART_OTHER) {
        jw_raw(w, part->extra);
        return true;
    }
    if (part->kind == PART_IMAGE) {
        ok = write_image(o, part, err);
    } else if (part->kind == PART_AUDIO) {
        write_audio(w, part);
    } else if (part->kind == PART_FILE) {
        ok = write_file(o, part, err);
    } else {
        openai_part_begin(w, part->kind == PART_REFUSAL ? "refusal" : "text");
        openai_member(w, part->kind == PART_REFUSAL ? "refusal" : "text", part->text);
    }
    if (!openai_is_original(o->to)) /* a hint about cost: OpenAI's own house caches without it */
        openai_raw_member(w, "cache_control", part->cache_control);
    jw_object_end(w);
    return ok;
}

static bool is_content(const struct part *part)
{
    return part->kind != PART_TOOL_CALL && part->kind != PART_TOOL_RESULT &&
           part->kind != PART_REASONING &&
           !(part->kind == PART_OTHER && str_eq(part->name, STR("tool_call")));
}

static bool is_plain(const struct openai_writing *o, const struct part *part)
{
    return part->kind == PART_TEXT &&
           (str_is_empty(part->cache_control) || openai_is_original(o->to));
}

/* "content": one text as a string, anything more as parts. `only_text`: the place takes nothing else;
 * what is left out there has been noted by the caller. */
static bool write_content(struct openai_writing *o, const struct turn *turn,
                          const struct part *parts, bool only_text, struct err *err)
{
    const struct part *first = NULL;
    size_t count = 0;

    for (const struct part *p = parts; p; p = p->next) {
        const char *why = is_content(p) ? cannot(o, p) : NULL;

        if (why && !lose(o, turn, "content", why, err))
            return false;
        if (!is_content(p) || why || (only_text && p->kind != PART_TEXT))
            continue;
        first = first ? first : p;
        count++;
    }
    jw_key(&o->w, "content");
    if (count == 0 && turn->role == TURN_ASSISTANT) {
        jw_null(&o->w);
    } else if (count == 0 || (count == 1 && is_plain(o, first))) {
        jw_str(&o->w, count ? first->text : STR(""));
    } else {
        jw_array(&o->w);
        for (const struct part *p = first; p; p = p->next)
            if (is_content(p) && !cannot(o, p) && !(only_text && p->kind != PART_TEXT) &&
                !write_part(o, p, err))
                return false;
        jw_array_end(&o->w);
    }
    return true;
}

/* ---- turns ---- */

static void begin_message(struct openai_writing *o, const char *role, struct str name)
{
    jw_object(&o->w);
    jw_key(&o->w, "role");
    jw_cstr(&o->w, role);
    openai_member(&o->w, "name", name);
}

static void end_message(struct openai_writing *o, const struct turn *turn)
{
    if (o->same_family)
        spread(&o->w, turn->extra);
    jw_object_end(&o->w);
}

static void write_call(struct openai_writing *o, const struct part *call)
{
    struct json_writer *w = &o->w;

    if (call->kind == PART_OTHER || (o->same_family && call->custom.len)) {
        jw_raw(w, call->kind == PART_OTHER ? call->extra : call->custom);
        return;
    }
    jw_object(w);
    openai_member(w, "id", call->id);
    jw_key(w, "type");
    jw_cstr(w, "function");
    jw_key(w, "function");
    jw_object(w);
    openai_member(w, "name", call->name);
    jw_key(w, "arguments");
    jw_str(w, call->arguments.len ? call->arguments : STR("{}"));
    jw_object_end(w);
    if (call->signature.len && !openai_is_original(o->to)) {
        jw_key(w, "extra_content");
        jw_object(w);
        jw_key(w, "google");
        jw_object(w);
        openai_member(w, "thought_signature", call->signature);
        jw_object_end(w);
        jw_object_end(w);
    }
    jw_object_end(w);
}

static bool is_call(const struct openai_writing *o, const struct part *part)
{
    return part->kind == PART_TOOL_CALL ||
           (part->kind == PART_OTHER && o->same_family && str_eq(part->name, STR("tool_call")));
}

static void write_calls(struct openai_writing *o, const struct turn *turn)
{
    bool open = false;

    for (const struct part *p = turn->parts; p; p = p->next) {
        if (!is_call(o, p))
            continue;
        if (!open) {
            jw_key(&o->w, "tool_calls");
            jw_array(&o->w);
            open = true;
        }
        write_call(o, p);
    }
    if (open)
        jw_array_end(&o->w);
}

/* Open models want to see what they thought between two calls; OpenAI's own refuse the field. */
static bool write_reasoning(struct openai_writing *o, const struct turn *turn, struct err *err)
{
    struct buf text;
    struct str all;
    bool lost = false;

    buf_init(&text, o->arena, OPENAI_BODY_MAX);
    for (const struct part *p = turn->parts; p; p = p->next) {
        if (p->kind != PART_REASONING)
            continue;
        if (p->is_redacted || openai_is_original(o->to))
            lost = true;
        else
            buf_str(&text, p->text);
    }
    if (lost &&
        !lose(o, turn, "reasoning", "the provider takes no reasoning of earlier turns", err))
        return false;
    if (!buf_finish(&text, &all, err))
        return false;
    if (all.len)
        openai_member(&o->w, "reasoning_content", all);
    return true;
}

static bool write_assistant(struct openai_writing *o, const struct turn *turn, struct err *err)
{
    begin_message(o, "assistant", turn->name);
    if (!write_content(o, turn, turn->parts, false, err) || !write_reasoning(o, turn, err))
        return false;
    write_calls(o, turn);
    end_message(o, turn);
    return true;
}

static bool has_media(const struct part *result)
{
    for (const struct part *p = result->inner; p; p = p->next)
        if (p->kind != PART_TEXT)
            return true;
    return false;
}

/* The dialect has no mark for a call that failed: models read it in the words. */
static bool write_failed_result(struct openai_writing *o, const struct part *result,
                                struct err *err)
{
    struct buf text;
    struct str all;

    buf_init(&text, o->arena, OPENAI_BODY_MAX);
    buf_str(&text, STR("Error: "));
    for (const struct part *p = result->inner; p; p = p->next)
        if (p->kind == PART_TEXT)
            buf_str(&text, p->text);
    if (!buf_finish(&text, &all, err))
        return false;
    openai_member(&o->w, "content", all);
    return true;
}

static bool write_result(struct openai_writing *o, const struct turn *turn,
                         const struct part *result, struct err *err)
{
    begin_message(o, "tool", STR_NONE);
    openai_member(&o->w, "tool_call_id", result->id);
    if (result->is_error) {
        if (!write_failed_result(o, result, err))
            return false;
    } else if (!write_content(o, turn, result->inner, true, err)) {
        return false;
    }
    end_message(o, turn);
    return true;
}

/* A tool's message takes text only: its pictures and files follow in a message of the user's. */
static bool write_result_media(struct openai_writing *o, const struct turn *turn, struct err *err)
{
    bool open = false;

    for (const struct part *result = turn->parts; result; result = result->next) {
        if (result->kind != PART_TOOL_RESULT || !has_media(result))
            continue;
        if (!open) {
            begin_message(o, "user", STR_NONE);
            jw_key(&o->w, "content");
            jw_array(&o->w);
            open = true;
        }
        openai_part_begin(&o->w, "text");
        jw_key(&o->w, "text");
        jw_str(&o->w,
               arena_fmt(o->arena, "Result of the tool call " STR_FMT ":", STR_ARG(result->id)));
        jw_object_end(&o->w);
        for (const struct part *p = result->inner; p; p = p->next) {
            const char *why = p->kind == PART_TEXT ? NULL : cannot(o, p);

            if (why && !lose(o, turn, "content", why, err))
                return false;
            if (p->kind != PART_TEXT && !why && !write_part(o, p, err))
                return false;
        }
    }
    if (open) {
        jw_array_end(&o->w);
        jw_object_end(&o->w);
    }
    return true;
}

/* Results stand right behind the calls they answer, so they come before what else the turn says. */
static bool write_user(struct openai_writing *o, const struct turn *turn, struct err *err)
{
    bool has_results = false, has_content = false;

    for (const struct part *p = turn->parts; p; p = p->next) {
        if (p->kind == PART_TOOL_RESULT) {
            has_results = true;
            if (!write_result(o, turn, p, err))
                return false;
        }
        has_content = has_content || is_content(p);
    }
    if (has_results && !write_result_media(o, turn, err))
        return false;
    if (has_results && !has_content)
        return true;
    begin_message(o, "user", turn->name);
    if (!write_content(o, turn, turn->parts, false, err))
        return false;
    end_message(o, turn);
    return true;
}

bool openai_write_turn(struct openai_writing *o, const struct turn *turn, struct err *err)
{
    switch (turn->role) {
    case TURN_ASSISTANT: return write_assistant(o, turn, err);
    case TURN_USER:
    case TURN_TOOL: return write_user(o, turn, err);
    case TURN_SYSTEM:
    case TURN_DEVELOPER: break;
    }
    /* Only OpenAI's own house tells a developer from the system; elsewhere templates know no such role. */
    begin_message(
        o, turn->role == TURN_DEVELOPER && openai_is_original(o->to) ? "developer" : "system",
        turn->name);
    if (!write_content(o, turn, turn->parts, false, err))
        return false;
    end_message(o, turn);
    return true;
}
