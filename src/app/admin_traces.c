/* /api/v1/traces: what recent requests did, step by step. */
#include "app/admin_fields.h"

#include <string.h>

#include "gateway/traces.h"

static const struct schema_field step_fields[] = {
    {"name", FIELD_TEXT, 0, "Of the step, call or event.", 0, 0, NULL, NULL},
    {"kind", FIELD_CHOICE, 0, "call: a request to a provider.", 0, 0, "step|call|event", NULL},
    {"depth", FIELD_COUNT, 0, "0: of the request itself; 1: inside the one before with 0.", 0, 0,
     NULL, NULL},
    {"at_ms", FIELD_NUMBER, 0, "From the beginning of the request.", 0, 0, NULL, NULL},
    {"ms", FIELD_NUMBER, FIELD_NULL, "How long it took; null for events.", 0, 0, NULL, NULL},
    {"notes", FIELD_PROSE, 0, "\"key=value key=value\".", 0, 0, NULL, NULL},
    {0},
};
static const struct schema step_schema = {"TraceStep", "One thing that a request did.", step_fields,
                                          NULL};

static const struct schema_field row_fields[] = {
    {"id", FIELD_TEXT, 0, "x-request-id of the reply.", 0, 0, NULL, NULL},
    {"time", FIELD_TIME, FIELD_NULL, "When it began.", 0, 0, NULL, NULL},
    {"route", FIELD_PROSE, 0, NULL, 0, 0, NULL, NULL},
    {"model", FIELD_PROSE, 0, "As asked for.", 0, 0, NULL, NULL},
    {"provider", FIELD_PROSE, 0, "Who answered; empty: nobody was asked.", 0, 0, NULL, NULL},
    {"key", FIELD_TEXT, 0, NULL, 0, 0, NULL, NULL},
    {"status", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"outcome", FIELD_TEXT, 0, "complete, refused, failed, cancelled or cut.", 0, 0, NULL, NULL},
    {"error", FIELD_TEXT, 0, "Kind of the failure; empty: none.", 0, 0, NULL, NULL},
    {"ms", FIELD_NUMBER, 0, "From the head of the request to the end of its answer.", 0, 0, NULL,
     NULL},
    {"cost_usd", FIELD_USD, 0, NULL, 0, 0, NULL, NULL},
    {0},
};
static const struct schema row_schema = {"TraceRow", "A recent request in short.", row_fields,
                                         NULL};

static const struct schema_field trace_fields[] = {
    {"parent", FIELD_TEXT, FIELD_NULL, "The request that this one was asked for.", 0, 0, NULL,
     NULL},
    {"trace_id", FIELD_TEXT, FIELD_NULL, "Of the trace it belongs to.", 0, 0, NULL, NULL},
    {"exported", FIELD_BOOL, 0, "Its spans went to the collector.", 0, 0, NULL, NULL},
    {"deployment", FIELD_TEXT, 0,
     "Who answered: its name in the catalogue; empty: nobody was asked.", 0, 0, NULL, NULL},
    {"remote_model", FIELD_PROSE, 0, "What the provider calls the model.", 0, 0, NULL, NULL},
    {"tenant", FIELD_TEXT, 0, NULL, 0, 0, NULL, NULL},
    {"why", FIELD_PROSE, 0, "The failure in words; empty: none.", 0, 0, NULL, NULL},
    {"stream", FIELD_BOOL, 0, NULL, 0, 0, NULL, NULL},
    {"tokens_in", FIELD_COUNT, FIELD_NULL, "null: not known.", 0, 0, NULL, NULL},
    {"tokens_out", FIELD_COUNT, FIELD_NULL, "null: not known.", 0, 0, NULL, NULL},
    {"tokens_cached", FIELD_COUNT, FIELD_NULL, "null: not known.", 0, 0, NULL, NULL},
    {"estimated", FIELD_BOOL, 0, "The provider did not count the tokens.", 0, 0, NULL, NULL},
    {"audit_sequence", FIELD_COUNT, FIELD_NULL, "Its audit record.", 0, 0, NULL, NULL},
    {"ms_first_byte", FIELD_NUMBER, FIELD_NULL, "Until the answer began.", 0, 0, NULL, NULL},
    {"ms_first_token", FIELD_NUMBER, FIELD_NULL, "Until its first text.", 0, 0, NULL, NULL},
    {"bytes_in", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"bytes_out", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"steps", FIELD_OBJECT, FIELD_LIST, "In the order they began, inner ones behind their outer.",
     0, 0, NULL, &step_schema},
    {"steps_missing", FIELD_COUNT, 0, "Steps there was no room for.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema trace_schema = {"Trace", "A recent request, step by step.", trace_fields,
                                           &row_schema};

/* ---- writing ---- */

static void reply_ms(struct json_writer *w, const char *name, dur_ns d)
{
    int64_t us = MAX_OF(d, 0) / MICROSECOND; /* finer is noise */

    jw_key(w, name);
    jw_f64(w, (double)us / 1000);
}

static void reply_ms_or_null(struct json_writer *w, const char *name, dur_ns d)
{
    if (d > 0)
        reply_ms(w, name, d);
    else
        jw_key(w, name), jw_null(w);
}

static void reply_count_or_null(struct json_writer *w, const char *name, int64_t n, bool known)
{
    if (known)
        reply_count(w, name, n);
    else
        jw_key(w, name), jw_null(w);
}

static struct str id_text(struct arena *arena, uint64_t id)
{
    return arena_fmt(arena, "req_%016" PRIx64, id);
}

static void write_row(struct admin_call *call, const struct kept_trace *k)
{
    struct json_writer *w = &call->reply;

    reply_text(w, "id", id_text(call->arena, k->id));
    reply_time(w, "time", k->began);
    reply_text(w, "route", k->route);
    reply_text(w, "model", k->model);
    reply_text(w, "provider", k->provider);
    reply_text(w, "key", k->key_id);
    reply_count(w, "status", k->status);
    reply_text(w, "outcome", k->outcome);
    reply_text(w, "error", k->error);
    reply_ms(w, "ms", k->took);
    reply_usd(w, "cost_usd", k->cost);
}

static void write_step(struct json_writer *w, const struct trace_entry *e, int depth)
{
    jw_object(w);
    reply_text(w, "name", str_from(e->name));
    reply_text(w, "kind", e->dur < 0 ? STR("event") : e->leaf ? STR("call") : STR("step"));
    reply_count(w, "depth", depth);
    reply_ms(w, "at_ms", e->at);
    if (e->dur >= 0)
        reply_ms(w, "ms", e->dur);
    else
        jw_key(w, "ms"), jw_null(w);
    reply_text(w, "notes", e->text);
    jw_object_end(w);
}

/* The next child of `parent` by beginning, behind the one at `before` (-1: from the start). */
static int next_child(const struct kept_trace *k, uint64_t parent, const bool *done)
{
    int found = -1;

    for (int i = 0; i < (int)k->entry_count; i++)
        if (!done[i] && k->entries[i].parent == parent &&
            (found < 0 || k->entries[i].at < k->entries[found].at))
            found = i;
    return found;
}

/* Depth first; what the ring has lost the outer span of stands at the end. */
static void write_steps(struct json_writer *w, const struct kept_trace *k)
{
    bool done[KEPT_ENTRIES_MAX] = {false};
    uint64_t path[KEPT_ENTRIES_MAX + 1] = {k->root};
    int depth = 0;

    while (depth >= 0) {
        int child = next_child(k, path[depth], done);

        if (child < 0) {
            depth--;
            continue;
        }
        done[child] = true;
        write_step(w, &k->entries[child], depth);
        if (k->entries[child].dur >= 0)
            path[++depth] = k->entries[child].span;
    }
    for (uint32_t i = 0; i < k->entry_count; i++)
        if (!done[i])
            write_step(w, &k->entries[i], 0);
}

static void write_trace(struct admin_call *call, const struct kept_trace *k)
{
    struct json_writer *w = &call->reply;
    char hex[32];
    struct buf b;

    if (k->parent_id)
        reply_text(w, "parent", id_text(call->arena, k->parent_id));
    else
        jw_key(w, "parent"), jw_null(w);
    buf_init_fixed(&b, hex, sizeof hex);
    buf_hex(&b, k->trace_id, sizeof k->trace_id);
    jw_key(w, "trace_id");
    if (k->joined)
        jw_str(w, buf_view(&b));
    else
        jw_null(w);
    reply_bool(w, "exported", k->sampled);
    reply_text(w, "deployment", k->deployment);
    reply_text(w, "remote_model", k->remote_model);
    reply_text(w, "tenant", k->tenant);
    reply_text(w, "why", k->why);
    reply_bool(w, "stream", k->streaming);
    reply_count_or_null(w, "tokens_in", k->tokens_in, k->tokens_in >= 0);
    reply_count_or_null(w, "tokens_out", k->tokens_out, k->tokens_out >= 0);
    reply_count_or_null(w, "tokens_cached", k->tokens_cached, k->tokens_cached >= 0);
    reply_bool(w, "estimated", k->estimated);
    reply_count_or_null(w, "audit_sequence", (int64_t)k->audit_seq, k->audit_seq > 0);
    reply_ms_or_null(w, "ms_first_byte", k->first_byte);
    reply_ms_or_null(w, "ms_first_token", k->first_token);
    reply_count(w, "bytes_in", (int64_t)k->bytes_in);
    reply_count(w, "bytes_out", (int64_t)k->bytes_out);
    jw_key(w, "steps");
    jw_array(w);
    write_steps(w, k);
    jw_array_end(w);
    reply_count(w, "steps_missing", k->entries_missing);
}

/* ---- endpoints ---- */

/* Who is no operator sees what their own tenant did. */
static bool may_see(const struct admin_call *call, const struct kept_trace *k)
{
    return principal_is_operator(call->who) || str_eq(call->who->tenant, k->tenant);
}

/* "req_" and 16 digits, or the digits alone. */
static bool read_id(struct str text, uint64_t *out)
{
    uint8_t bytes[8];

    if (str_starts(text, STR("req_")))
        text = str_slice(text, 4, text.len);
    if (!hex_parse(text, bytes, sizeof bytes))
        return false;
    *out = 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        *out = *out << 8 | bytes[i];
    return *out != 0;
}

static bool show(struct admin_call *call, struct err *err)
{
    struct kept_trace *k;
    uint64_t id;

    if (!read_id(call->values[0], &id))
        return err_set(err, ERR_NOT_FOUND,
                       "\"" STR_FMT "\" is no id of a request: expected req_ and 16 digits",
                       STR_ARG(str_slice(call->values[0], 0, 60)));
    k = traces_find(call->house->traces, id, call->arena);
    if (!k || !may_see(call, k))
        return err_set(err, ERR_NOT_FOUND,
                       "this request's trace is not in memory (telemetry.traces); its audit record "
                       "and its line in the log remain");
    jw_object(&call->reply);
    write_row(call, k);
    write_trace(call, k);
    jw_object_end(&call->reply);
    return true;
}

struct wanted {
    bool failed;
    dur_ns least;
};

static bool is_wanted(const struct admin_call *call, const struct kept_trace *k,
                      const struct wanted *wanted)
{
    return may_see(call, k) && (!wanted->failed || k->status >= 400 || k->error.len > 0) &&
           k->took >= wanted->least;
}

/* The one at that place, if it is wanted: copied, and its memory given back if it is not. */
static bool put_row(struct admin_call *call, const struct trace_place *at,
                    const struct wanted *wanted, struct page *page, struct err *err)
{
    size_t mark = arena_mark(call->arena);
    struct kept_trace *k;
    struct str place = arena_fmt(call->arena, "%016" PRIx64 "%016" PRIx64,
                                 UINT64_MAX - (uint64_t)at->began, at->id);

    if (!place.ptr)
        return err_arena(err, call->arena);
    if (!traces_take(call->house->traces, at, call->arena, &k, err))
        return false;
    if (k && is_wanted(call, k, wanted) && page_wants(page, place)) {
        jw_object(&call->reply);
        write_row(call, k);
        jw_object_end(&call->reply);
    } else {
        arena_rewind(call->arena, mark); /* nothing of the reply was written meanwhile */
    }
    return true;
}

static bool list(struct admin_call *call, struct err *err)
{
    struct wanted wanted = {.failed = query_bool(call, "failed", false),
                            .least = query_count(call, "ms_min", 0) * MILLISECOND};
    struct trace_place *places;
    struct page page;
    size_t count;

    if (!traces_list(call->house->traces, call->arena, &places, &count, err) ||
        !page_begin(call, &page, err))
        return false;
    for (size_t i = 0; i < count && !page_is_full(&page); i++)
        if (!put_row(call, &places[i], &wanted, &page, err))
            return false;
    page_end(call, &page);
    return true;
}

static const struct schema_field list_query[] = {
    {"failed", FIELD_BOOL, FIELD_OPTIONAL, "Only those that failed.", 0, 0, NULL, NULL},
    {"ms_min", FIELD_COUNT, FIELD_OPTIONAL, "Only those that took so long.", 0, 86400000, NULL,
     NULL},
    {0},
};

static const struct admin_route routes[] = {
    {"GET", "/api/v1/traces", "List recent requests, newest first", RIGHT_AUDIT, list, NULL,
     &row_schema, 0, true, list_query, NULL},
    {"GET", "/api/v1/traces/{id}", "Show what a recent request did, step by step", RIGHT_AUDIT,
     show, NULL, &trace_schema, 0, false, NULL, NULL},
};
const struct admin_part admin_traces_part = {"traces", "What recent requests did.", routes,
                                             ARRAY_LEN(routes)};
