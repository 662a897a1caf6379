/* What of an answer has a place at the client, and what must be said to be missing. */
#include <string.h>

#include "base/table.h"
#include "models/dialect.h"
#include "models/models.h"

#define NAME_MAX   60   /* of what is lost, as the client is told */
#define NAMES_MAX  4096 /* of one answer, told apart */
#define MEMBER_MAX (16 * KIB)

/* ---- names of what was lost ---- */

/* Each name once; past NAMES_MAX, or where memory is gone, each time it comes. */
static bool is_new(struct arena *arena, struct table **names, struct str name)
{
    struct str kept = STR_NONE;

    if (!*names) {
        *names = arena_alloc(arena, sizeof **names);
        if (*names)
            table_init(*names, arena, NAMES_MAX);
    }
    if (*names && table_get(*names, name))
        return false;
    if (*names && (*names)->count < NAMES_MAX)
        kept = arena_str(arena, name);
    if (kept.ptr)
        (void)!table_put(*names, kept, *names, NULL);
    return true;
}

/* Of those past LOSSES_MAX the names are not told: each is counted. */
void said_lost(struct said_writer *w, struct str name)
{
    name = str_slice(name, 0, NAME_MAX);
    if (!w->lost || !is_new(w->arena, &w->lost_names, name))
        return;
    name = w->lost->count < LOSSES_MAX ? arena_str(w->arena, name) : STR_NONE;
    if (name.ptr)
        w->lost->fields[w->lost->count++] = name;
    else
        w->lost->more++;
}

struct json *said_json(struct arena *arena, struct str raw, struct err *err)
{
    static const struct json_limits kindly = {
        .depth = 128, .nodes = 4000000, .lone_surrogates = true};

    struct err bad = {0};
    struct json *j = json_parse_within(arena, raw, &kindly, &bad);

    if (!j)
        err_recast(err, &bad, ERR_UNAVAILABLE, "what the provider said cannot be read");
    return j;
}

/* ---- readers: members that nobody here knows ---- */

static bool holds_nothing(const struct json *j, json_ref v)
{
    enum json_kind kind = json_kind(j, v);

    if (kind == JSON_OBJECT || kind == JSON_ARRAY)
        return !json_first(j, v);
    return kind == JSON_NULL || kind == JSON_FALSE || str_eq(json_raw(j, v), STR("\"\"")) ||
           str_eq(json_raw(j, v), STR("0"));
}

static bool is_in(const char *const *list, struct str name)
{
    for (; *list; list++)
        if (str_is(name, *list))
            return true;
    return false;
}

bool said_other(struct said_reader *r, struct str where, struct str name, struct str raw,
                struct err *err)
{
    struct said said = {.kind = SAID_OTHER, .raw = raw};
    char memory[NAME_MAX];
    struct buf full;

    if (r->passes)
        return true;
    buf_init_fixed(&full, memory, sizeof memory);
    buf_str(&full, str_slice(where, 0, 40));
    buf_str(&full, str_slice(name, 0, NAME_MAX - full.len));
    if (!is_new(r->arena, &r->others, buf_view(&full)))
        return true;
    said.name = arena_str(r->scratch, buf_view(&full));
    return said.name.ptr ? r->take(r->ctx, &said, err) : err_arena(err, r->scratch);
}

bool said_others(struct said_reader *r, const struct json *j, json_ref object,
                 const char *const *known, const char *where, struct err *err)
{
    if (r->passes || json_kind(j, object) != JSON_OBJECT)
        return true;
    for (json_ref v = json_first(j, object); v; v = json_next(j, v)) {
        struct str name = json_key_raw(j, v);

        if (!is_in(known, name) && !holds_nothing(j, v) &&
            !said_other(r, str_from(where), name, json_raw(j, v), err))
            return false;
    }
    return true;
}

bool said_arguments(const struct said_reader *r, const struct json *j, json_ref v, struct str *out,
                    struct err *err)
{
    struct str text = json_raw(j, v);

    if (json_kind(j, v) == JSON_STRING && !json_str(j, v, r->scratch, &text))
        return err_arena(err, r->scratch);
    *out = !v || json_kind(j, v) == JSON_NULL || str_is_empty(str_trim(text)) ? STR("{}") : text;
    return true;
}

/* ---- steps that lose something ---- */

static const struct {
    enum said_kind kind;
    const char *name;
} kind_names[] = {
    {SAID_TEXT, "text"},
    {SAID_REASONING, "reasoning"},
    {SAID_REFUSAL, "refusal"},
    {SAID_TOOL, "tool_calls"},
    {SAID_ARGUMENTS, "tool_calls"},
    {SAID_CITATION, "citations"},
    {SAID_MEDIA, "media"},
    {SAID_LOGPROBS, "logprobs"},
    {SAID_VECTOR, "embedding"},
    {SAID_SCORE, "relevance_score"},
    {SAID_VERDICT, "moderation"},
    {SAID_TIER, "service_tier"},
};

static struct str name_of_kind(const struct said *said)
{
    if (said->kind == SAID_OTHER || said->kind == SAID_SEARCHED || said->kind == SAID_FOUND ||
        said->kind == SAID_RAN || said->kind == SAID_PRINTED)
        return said->name;
    for (size_t i = 0; i < ARRAY_LEN(kind_names); i++)
        if (kind_names[i].kind == said->kind)
            return str_from(kind_names[i].name);
    return STR("something");
}

static void note_signature(uint64_t carries, struct said_writer *w, struct said *said)
{
    uint64_t needed = said->kind == SAID_TEXT        ? CARRIES_SIGNED_TEXT
                      : said->kind == SAID_TOOL      ? CARRIES_SIGNED_CALL
                      : said->kind == SAID_REASONING ? CARRIES_SIGNED_THINK
                                                     : 0;

    if (!said->signature.len || (carries & needed) == needed)
        return;
    said_lost(w, STR("signature"));
    said->signature = STR_NONE;
}

static void note_usage(uint64_t carries, struct said_writer *w, const struct usage *u)
{
    if (!(carries & CARRIES_CACHE_WRITES) &&
        (u->tokens_cache_write > 0 || u->tokens_cache_write_long > 0))
        said_lost(w, STR("usage.cache_write_tokens"));
    if (!(carries & CARRIES_MODALITIES) &&
        (u->tokens_audio_in > 0 || u->tokens_audio_out > 0 || u->tokens_image_in > 0))
        said_lost(w, STR("usage.audio_and_image_tokens"));
    if (!(carries & CARRIES_REASONED) && u->tokens_reasoning > 0)
        said_lost(w, STR("usage.reasoning_tokens"));
}

static void note_finish(uint64_t carries, struct said_writer *w, const struct said *said)
{
    if (!(carries & CARRIES_STOP) && said->text.len)
        said_lost(w, STR("stop_sequence"));
    if (!(carries & CARRIES_PAUSE) && said->finish == FINISH_PAUSE)
        said_lost(w, STR("stop_reason.pause_turn"));
}

/* false: there is no place for the step at all. */
static bool has_place(uint64_t carries, struct said_writer *w, struct said *said)
{
    bool image = str_starts(said->media_type, STR("image/"));

    if (said->choice > 0 && !(carries & CARRIES_CHOICES) && said->kind != SAID_VECTOR &&
        said->kind != SAID_SCORE && said->kind != SAID_VERDICT) {
        said_lost(w, STR("choices"));
        return false;
    }
    if (!(carries & CARRIES(said->kind))) {
        if (said->kind != SAID_FOUND || said->raw.len > strlen("[]")) /* else nobody said */
            said_lost(w, name_of_kind(said));
        return false;
    }
    if (said->kind == SAID_REASONING && said->is_redacted && !(carries & CARRIES_REDACTED)) {
        said_lost(w, STR("reasoning.redacted"));
        return false;
    }
    if (said->kind == SAID_MEDIA && !image && !(carries & CARRIES_SOUND)) {
        said_lost(w, STR("audio"));
        return false;
    }
    return true;
}

/* ---- the member "weir" ---- */

static void write_lost(struct json_writer *w, const struct losses *lost)
{
    jw_key(w, "reply_dropped");
    jw_array(w);
    for (uint32_t i = 0; i < lost->count; i++)
        jw_str(w, lost->fields[i]);
    jw_array_end(w);
    if (lost->more) {
        jw_key(w, "reply_dropped_more");
        jw_u64(w, lost->more);
    }
}

/* Behind what is in it already. */
static bool finish_weir(struct said_writer *w, struct err *err)
{
    bool has_lost = w->lost && (w->lost->count || w->lost->more);
    struct str was = w->weir;
    struct json_writer jw;
    struct buf out;

    if (!has_lost && !w->usage_estimated)
        return true;
    buf_init(&out, w->arena, was.len + MEMBER_MAX);
    jw_init(&jw, &out);
    jw_object(&jw);
    if (has_lost)
        write_lost(&jw, w->lost);
    if (w->usage_estimated) {
        jw_key(&jw, "usage_estimated");
        jw_bool(&jw, true);
    }
    if (was.len > 2) {
        buf_char(&out, ',');
        buf_str(&out, str_slice(was, 1, was.len - 1));
    }
    jw_object_end(&jw);
    return buf_finish(&out, &w->weir, err);
}

/* Code that was run and what it printed, for who has no place for either but is to see them. */
static bool show_code(struct said_writer *w, struct said *said, struct err *err)
{
    bool ran = said->kind == SAID_RAN;

    said->kind = SAID_TEXT;
    said->text = arena_fmt(w->arena, "\n```" STR_FMT "\n" STR_FMT "\n```\n",
                           STR_ARG(ran ? said->language : STR("")), STR_ARG(said->text));
    return said->text.ptr || err_arena(err, w->arena);
}

bool said_tell(const struct dialect *client, struct said_writer *w, const struct said *said,
               struct buf *out, struct err *err)
{
    uint64_t carries = client->carries | CARRIES_ALWAYS;
    struct said told = *said;

    if ((said->kind == SAID_RAN || said->kind == SAID_PRINTED) && !said->name.len &&
        !(carries & CARRIES(said->kind)) && !show_code(w, &told, err))
        return false;
    if (!has_place(carries, w, &told))
        return true;
    if (told.signature.len) {
        note_signature(carries, w, &told);
        if (!signature_mark(w->arena, w->heard, client, told.kind == SAID_TOOL, &told.signature,
                            err))
            return false;
    }
    if (told.kind == SAID_USAGE)
        note_usage(carries, w, &told.usage);
    else if (told.kind == SAID_FINISH)
        note_finish(carries, w, &told);
    else if (told.kind == SAID_END && !finish_weir(w, err))
        return false;
    return client->write_said(w, &told, out, err);
}

/* ---- what has passed ---- */

void said_measure(struct chat_meter *meter, const struct said *said)
{
    switch (said->kind) {
    case SAID_TEXT:
    case SAID_REASONING:
    case SAID_RAN:
    case SAID_PRINTED:
    case SAID_ARGUMENTS: meter->content_bytes += said->text.len; break;
    case SAID_REFUSAL:
        meter->content_bytes += said->text.len;
        meter->refused = meter->refused || said->text.len > 0;
        break;
    case SAID_TOOL:
    case SAID_MEDIA:
    case SAID_VECTOR:
    case SAID_SCORE:
    case SAID_VERDICT: meter->spoke = true; break;
    case SAID_USAGE: meter->usage = said->usage; break;
    case SAID_BEGIN: chat_meter_name(meter, said->id, said->model); break;
    case SAID_FINISH: chat_meter_finish(meter, said->choice, said->finish); break;
    case SAID_END: meter->done = meter->finished = true; break;
    default: break;
    }
}
