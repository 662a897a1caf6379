#include "gateway/otlp.h"

#include <math.h>
#include <string.h>

#include "gateway/protobuf.h"
#include "models/upstream.h"

/* Numbers of fields: opentelemetry/proto/trace/v1/trace.proto, common/v1/common.proto. */
enum { REQUEST_RESOURCE_SPANS = 1 };
enum { RESOURCE_SPANS_RESOURCE = 1, RESOURCE_SPANS_SCOPE_SPANS = 2 };
enum { RESOURCE_ATTRIBUTES = 1 };
enum { SCOPE_SPANS_SCOPE = 1, SCOPE_SPANS_SPANS = 2 };
enum { SCOPE_NAME = 1, SCOPE_VERSION = 2 };
enum span_field {
    SPAN_TRACE_ID = 1,
    SPAN_ID = 2,
    SPAN_STATE = 3,
    SPAN_PARENT = 4,
    SPAN_NAME = 5,
    SPAN_KIND = 6,
    SPAN_START = 7,
    SPAN_END = 8,
    SPAN_ATTRIBUTES = 9,
    SPAN_EVENTS = 11,
    SPAN_EVENTS_DROPPED = 12,
    SPAN_STATUS = 15,
    SPAN_FLAGS = 16,
};
enum { EVENT_TIME = 1, EVENT_NAME = 2, EVENT_ATTRIBUTES = 3 };
enum { STATUS_MESSAGE = 2, STATUS_CODE = 3 };
enum { KEY_VALUE_KEY = 1, KEY_VALUE_VALUE = 2 };
enum { ANY_STRING = 1, ANY_BOOL = 2, ANY_INT = 3, ANY_DOUBLE = 4, ANY_ARRAY = 5 };
enum { ARRAY_VALUES = 1 };
enum span_kind { KIND_INTERNAL = 1, KIND_SERVER = 2, KIND_CLIENT = 3 };

#define STATUS_ERROR     2
#define FLAG_SAMPLED     0x01
#define FLAG_KNOWS_IF    0x100 /* whether the parent is remote is said by the next */
#define FLAG_FROM_REMOTE 0x200

/* ---- attributes ---- */

static size_t open_attribute(struct buf *b, uint32_t field, struct str key)
{
    size_t at = pb_open(b, field);

    pb_text(b, KEY_VALUE_KEY, key);
    return at;
}

static void put_text(struct buf *b, uint32_t field, struct str key, struct str value)
{
    if (value.len == 0)
        return;
    size_t at = open_attribute(b, field, key), any = pb_open(b, KEY_VALUE_VALUE);

    pb_text(b, ANY_STRING, value);
    pb_close(b, any);
    pb_close(b, at);
}

/* Zero, too, is a value here: a oneof has presence. */
static void put_int(struct buf *b, uint32_t field, struct str key, int64_t n)
{
    size_t at = open_attribute(b, field, key), any = pb_open(b, KEY_VALUE_VALUE);

    if (n)
        pb_varint(b, ANY_INT, (uint64_t)n);
    else
        buf_put(b, "\x18\x00", 2);
    pb_close(b, any);
    pb_close(b, at);
}

static void put_count(struct buf *b, struct str key, int64_t n)
{
    if (n >= 0)
        put_int(b, SPAN_ATTRIBUTES, key, n);
}

/* For what is a part of another number: 0 is what most have, and left out. */
static void put_part(struct buf *b, struct str key, int64_t n)
{
    if (n > 0)
        put_int(b, SPAN_ATTRIBUTES, key, n);
}

/* NAN: none was given. */
static void put_number(struct buf *b, struct str key, double n)
{
    uint64_t bits;
    char bytes[9] = {ANY_DOUBLE << 3 | 1};

    if (isnan(n))
        return;
    memcpy(&bits, &n, sizeof bits);
    for (size_t i = 0; i < sizeof bits; i++)
        bytes[1 + i] = (char)(bits >> (8 * i));
    size_t at = open_attribute(b, SPAN_ATTRIBUTES, key), any = pb_open(b, KEY_VALUE_VALUE);
    buf_put(b, bytes, sizeof bytes);
    pb_close(b, any);
    pb_close(b, at);
}

static void put_true(struct buf *b, struct str key)
{
    size_t at = open_attribute(b, SPAN_ATTRIBUTES, key), any = pb_open(b, KEY_VALUE_VALUE);

    pb_varint(b, ANY_BOOL, 1);
    pb_close(b, any);
    pb_close(b, at);
}

static void put_element(struct buf *b, struct str text)
{
    size_t at = pb_open(b, ARRAY_VALUES);

    pb_text(b, ANY_STRING, text);
    pb_close(b, at);
}

/* What the words of spans' texts are called outside. */
static const struct {
    const char *word, *name;
    bool number;
} words[] = {
    {"provider", "weir.provider", false},
    {"model", "gen_ai.request.model", false},
    {"host", "server.address", false},
    {"port", "server.port", true},
    {"status", "http.response.status_code", true},
    {"error", "error.type", false},
    {"bytes", "http.response.body.size", true},
    {"attempt", "weir.attempt", true},
};

static void put_word(struct buf *b, uint32_t field, struct str key, struct str value)
{
    char own[80];
    struct buf name;
    int64_t n;

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!str_eq(key, str_from(words[i].word)))
            continue;
        if (words[i].number && i64_parse(value, &n))
            put_int(b, field, str_from(words[i].name), n);
        else
            put_text(b, field, str_from(words[i].name), value);
        return;
    }
    buf_init_fixed(&name, own, sizeof own);
    buf_str(&name, STR("weir."));
    buf_str(&name, str_slice(key, 0, 60));
    put_text(b, field, buf_view(&name), value);
}

static bool has_key(struct str word)
{
    size_t equals = str_find_char(word, '=');

    return equals > 0 && equals < word.len;
}

/* The next of "key=value key=value". A value may have blanks and ends before the next key; why something happened is a
 * sentence, and all that follows. A word before the first key is the text of nothing and left out. */
static bool next_word(struct str *rest, struct str *key, struct str *value)
{
    struct str word = STR_NONE, next;
    bool more;

    while ((more = str_split(rest, ' ', &word)) && !has_key(word)) {
    }
    if (!more)
        return false;
    size_t equals = str_find_char(word, '=');
    *key = str_slice(word, 0, equals);
    *value = str_slice(word, equals + 1, word.len);
    bool all = str_eq(*key, STR("why"));
    for (struct str ahead = *rest; str_split(&ahead, ' ', &next) && (all || !has_key(next));) {
        value->len = (size_t)(next.ptr + next.len - value->ptr);
        *rest = ahead;
    }
    return true;
}

static void put_words(struct buf *b, uint32_t field, struct str text)
{
    for (struct str rest = text, key, value; next_word(&rest, &key, &value);)
        put_word(b, field, key, value);
}

static struct str word_of(struct str text, struct str wanted)
{
    for (struct str rest = text, key, value; next_word(&rest, &key, &value);)
        if (str_eq(key, wanted))
            return value;
    return STR_NONE;
}

/* ---- spans ---- */

static void put_id(struct buf *b, uint32_t field, uint64_t id)
{
    char bytes[8];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(id >> (56 - 8 * i));
    if (id)
        pb_bytes(b, field, (struct str){bytes, sizeof bytes});
}

struct placed {
    struct buf *out;
    const struct summary *s;
    const struct trace_context *context;
    uint64_t answering; /* span of the call whose answer the client had; 0: none */
};

static uint64_t unix_ns(const struct placed *p, mono_ns at)
{
    return (uint64_t)(p->s->began * MILLISECOND + (at - p->s->started));
}

static void put_place(const struct placed *p, uint64_t span, uint64_t parent)
{
    pb_bytes(p->out, SPAN_TRACE_ID,
             (struct str){(const char *)p->context->trace_id, sizeof p->context->trace_id});
    put_id(p->out, SPAN_ID, span);
    if (p->context->state.len)
        pb_text(p->out, SPAN_STATE, p->context->state);
    put_id(p->out, SPAN_PARENT, parent);
}

static void put_times(const struct placed *p, mono_ns at, dur_ns dur)
{
    pb_fixed64(p->out, SPAN_START, unix_ns(p, at));
    pb_fixed64(p->out, SPAN_END, unix_ns(p, at + MAX_OF(dur, 0)));
}

static void put_status(struct buf *b, struct str message)
{
    size_t at = pb_open(b, SPAN_STATUS);

    pb_text(b, STATUS_MESSAGE, message);
    pb_varint(b, STATUS_CODE, STATUS_ERROR);
    pb_close(b, at);
}

static void put_gen_ai(struct buf *b, const struct summary *s, const char *kind)
{
    put_text(b, SPAN_ATTRIBUTES, STR("gen_ai.operation.name"), s->operation);
    put_text(b, SPAN_ATTRIBUTES, STR("gen_ai.provider.name"), str_from(kind));
}

/* What was asked for beside the text. Stop sequences are the client's own words, and stay out. */
static void put_asked(struct buf *b, const struct summary_asked *a)
{
    if (a->stream)
        put_true(b, STR("gen_ai.request.stream"));
    if (a->choices > 1)
        put_count(b, STR("gen_ai.request.choice.count"), a->choices);
    put_count(b, STR("gen_ai.request.max_tokens"), a->max_tokens);
    put_count(b, STR("gen_ai.request.seed"), a->seed);
    put_count(b, STR("gen_ai.request.top_k"), a->top_k);
    put_number(b, STR("gen_ai.request.temperature"), a->temperature);
    put_number(b, STR("gen_ai.request.top_p"), a->top_p);
    put_number(b, STR("gen_ai.request.frequency_penalty"), a->frequency_penalty);
    put_number(b, STR("gen_ai.request.presence_penalty"), a->presence_penalty);
    put_text(b, SPAN_ATTRIBUTES, STR("gen_ai.request.reasoning.level"), a->effort);
    put_text(b, SPAN_ATTRIBUTES, STR("gen_ai.output.type"), str_from(a->output_type));
    put_count(b, STR("gen_ai.embeddings.dimension.count"), a->dimensions);
    if (a->encoding.len > 0) {
        size_t at = open_attribute(b, SPAN_ATTRIBUTES, STR("gen_ai.request.encoding_formats"));
        size_t any = pb_open(b, KEY_VALUE_VALUE), list = pb_open(b, ANY_ARRAY);

        put_element(b, a->encoding);
        pb_close(b, list);
        pb_close(b, any);
        pb_close(b, at);
    }
}

static struct str finish_name(enum finish_reason how)
{
    switch (how) {
    case FINISH_STOP: return STR("stop");
    case FINISH_LENGTH: return STR("length");
    case FINISH_TOOL_CALLS: return STR("tool_calls");
    case FINISH_CONTENT_FILTER: return STR("content_filter");
    case FINISH_REFUSAL: return STR("refusal");
    case FINISH_PAUSE: return STR("pause");
    case FINISH_CONTEXT: return STR("context");
    case FINISH_UNSAID: break;
    }
    return STR("error"); /* it was to end, and never did */
}

/* One word for each choice, in their order. */
static void put_finish_reasons(struct buf *b, const struct chat_meter *meter)
{
    int64_t choices = MIN_OF(meter->choices, (int64_t)CHAT_CHOICES_MAX);
    size_t at = open_attribute(b, SPAN_ATTRIBUTES, STR("gen_ai.response.finish_reasons"));
    size_t any = pb_open(b, KEY_VALUE_VALUE), list = pb_open(b, ANY_ARRAY);

    for (int64_t i = 0; i < choices; i++)
        put_element(b, finish_name((enum finish_reason)meter->finish[i]));
    pb_close(b, list);
    pb_close(b, any);
    pb_close(b, at);
}

static void put_answer(struct buf *b, const struct summary *s)
{
    const struct chat_meter *meter = s->meter;
    const struct usage *usage = &s->usage;
    bool named = meter && meter->model_len > 0;

    put_text(b, SPAN_ATTRIBUTES, STR("gen_ai.response.model"),
             named ? (struct str){meter->model, meter->model_len} : s->remote_model);
    if (meter)
        put_text(b, SPAN_ATTRIBUTES, STR("gen_ai.response.id"),
                 (struct str){meter->id, meter->id_len});
    if (meter && !str_eq(s->operation, STR("embeddings")) && !str_eq(s->operation, STR("rerank")) &&
        !str_eq(s->operation, STR("moderations")))
        put_finish_reasons(b, meter);
    put_count(b, STR("gen_ai.usage.input_tokens"), usage->tokens_in);
    put_count(b, STR("gen_ai.usage.output_tokens"), usage->tokens_out);
    put_count(b, STR("gen_ai.usage.cache_read.input_tokens"), usage->tokens_cached);
    put_part(b, STR("gen_ai.usage.cache_write.input_tokens"),
             MAX_OF(usage->tokens_cache_write, 0) + MAX_OF(usage->tokens_cache_write_long, 0));
    put_part(b, STR("gen_ai.usage.reasoning.output_tokens"), usage->tokens_reasoning);
    put_part(b, STR("gen_ai.usage.audio.input_tokens"), usage->tokens_audio_in);
    put_part(b, STR("gen_ai.usage.audio.output_tokens"), usage->tokens_audio_out);
    put_part(b, STR("gen_ai.usage.image.input_tokens"), usage->tokens_image_in);
    if (usage->estimated)
        put_text(b, SPAN_ATTRIBUTES, STR("weir.usage"), STR("estimated"));
}

static void put_events(const struct placed *p)
{
    for (uint32_t i = 0; i < trace_count(p->s->trace); i++) {
        const struct trace_entry *e = trace_entry(p->s->trace, i);

        if (e->dur >= 0)
            continue;
        size_t at = pb_open(p->out, SPAN_EVENTS);
        pb_fixed64(p->out, EVENT_TIME, unix_ns(p, e->at));
        pb_bytes(p->out, EVENT_NAME, str_from(e->name));
        put_words(p->out, EVENT_ATTRIBUTES, e->text);
        pb_close(p->out, at);
    }
}

/* "POST /v1/chat/completions" is method and path. */
static void put_http(struct buf *b, const struct summary *s)
{
    size_t space = str_find_char(s->route, ' ');

    if (space < s->route.len) {
        put_text(b, SPAN_ATTRIBUTES, STR("http.request.method"), str_slice(s->route, 0, space));
        put_text(b, SPAN_ATTRIBUTES, STR("http.route"),
                 str_slice(s->route, space + 1, s->route.len));
        put_count(b, STR("http.response.status_code"), s->status);
    }
}

/* Our own word, or the status where a provider's failure was passed on; a client's mistake is none of the server's. */
static struct str failure_of_root(const struct summary *s, char memory[12])
{
    struct buf b;

    if (s->error.len > 0 || s->status < 500)
        return s->error;
    buf_init_fixed(&b, memory, 12);
    buf_i64(&b, s->status);
    return buf_view(&b);
}

static void put_root(const struct placed *p)
{
    const struct summary *s = p->s;
    bool inside = s->parent_id != 0;
    struct buf *b = p->out;
    char id[17], status[12];
    struct str error = failure_of_root(s, status);
    uint32_t events_missing = trace_dropped(s->trace) - trace_dropped_spans(s->trace);
    struct buf id_text;

    buf_init_fixed(&id_text, id, sizeof id);
    buf_hex_u64(&id_text, s->id);
    size_t at = pb_open(b, SCOPE_SPANS_SPANS);
    put_place(p, trace_root_span(s->trace), p->context->parent);
    pb_text(b, SPAN_NAME, s->route);
    pb_varint(b, SPAN_KIND, inside ? KIND_INTERNAL : KIND_SERVER);
    put_times(p, s->started, s->took);
    put_http(b, s);
    put_gen_ai(b, s, s->provider_kind);
    put_text(b, SPAN_ATTRIBUTES, STR("gen_ai.request.model"), s->model);
    put_answer(b, s);
    put_text(b, SPAN_ATTRIBUTES, STR("weir.request"), buf_view(&id_text));
    put_text(b, SPAN_ATTRIBUTES, STR("weir.deployment"), s->deployment);
    put_text(b, SPAN_ATTRIBUTES, STR("weir.provider"), s->provider);
    put_text(b, SPAN_ATTRIBUTES, STR("weir.key"), s->key_id);
    put_text(b, SPAN_ATTRIBUTES, STR("weir.tenant"), s->tenant);
    put_text(b, SPAN_ATTRIBUTES, STR("weir.outcome"), s->outcome);
    put_count(b, STR("weir.cost_micro_usd"), s->cost);
    put_count(b, STR("weir.audit_sequence"), (int64_t)s->audit_seq);
    if (s->first_token > 0)
        put_count(b, STR("weir.time_to_first_token_us"), s->first_token / MICROSECOND);
    put_text(b, SPAN_ATTRIBUTES, STR("error.type"), error);
    put_part(b, STR("weir.spans_missing"), trace_dropped_spans(s->trace));
    put_events(p);
    if (events_missing > 0)
        pb_varint(b, SPAN_EVENTS_DROPPED, events_missing);
    if (s->status >= 500 || str_eq(s->outcome, STR("cut")))
        put_status(b, error);
    pb_fixed32(b, SPAN_FLAGS,
               FLAG_SAMPLED | FLAG_KNOWS_IF |
                   (inside || !p->context->parent ? 0 : FLAG_FROM_REMOTE));
    pb_close(b, at);
}

/* "chat gpt-4o", as the conventions name it. */
static void put_client_name(struct buf *b, const struct summary *s, struct str model)
{
    char text[200];
    struct buf name;

    buf_init_fixed(&name, text, sizeof text);
    buf_str(&name, s->operation);
    if (model.len > 0)
        buf_char(&name, ' ');
    buf_str(&name, str_slice(model, 0, 128));
    pb_text(b, SPAN_NAME, buf_view(&name));
}

/* Who was asked in this span, which need not be who answered in the end. */
static const char *kind_of(const struct summary *s, struct str provider)
{
    for (size_t i = 0; i < s->catalogue->provider_count; i++)
        if (str_eq(str_slice(s->catalogue->providers[i].name, 0, UPSTREAM_NAME_SHOWN), provider))
            return summary_kind_name(s->catalogue->providers[i].kind);
    return s->provider_kind;
}

static bool has_answered(const struct summary *s, const struct trace_entry *e)
{
    return e->leaf && e->dur >= 0 && str_eq(word_of(e->text, STR("status")), STR("200")) &&
           str_eq(word_of(e->text, STR("provider")),
                  str_slice(s->provider, 0, UPSTREAM_NAME_SHOWN)) &&
           str_eq(word_of(e->text, STR("model")),
                  str_slice(s->remote_model, 0, UPSTREAM_MODEL_SHOWN));
}

/* The call whose answer the client had: the last one that went well, or the last one that began to. */
static uint64_t answering_span(const struct summary *s)
{
    uint64_t found = 0;
    bool is_whole = false;

    for (uint32_t i = 0; i < trace_count(s->trace); i++) {
        const struct trace_entry *e = trace_entry(s->trace, i);
        bool whole = word_of(e->text, STR("error")).len == 0;

        if (!has_answered(s, e) || (is_whole && !whole))
            continue;
        is_whole = whole;
        found = e->span;
    }
    return found;
}

static void put_call(const struct placed *p, const struct trace_entry *e)
{
    const struct summary *s = p->s;
    struct buf *b = p->out;

    put_gen_ai(b, s, kind_of(s, word_of(e->text, STR("provider"))));
    put_asked(b, &s->asked);
    if (e->span != p->answering)
        return;
    put_answer(b, s);
    if (s->streaming && s->first_token > 0 && s->started + s->first_token > e->at)
        put_number(b, STR("gen_ai.response.time_to_first_chunk"),
                   (double)(s->started + s->first_token - e->at) / (double)SECOND);
}

/* The kind of failure of a call: our own word, or the status that the provider refused with. */
static struct str failure_of(const struct trace_entry *e)
{
    struct str error = word_of(e->text, STR("error")), status = word_of(e->text, STR("status"));

    return error.len == 0 && status.len == 3 && status.ptr[0] >= '4' ? status : error;
}

static void put_span(const struct placed *p, const struct trace_entry *e)
{
    struct str error = failure_of(e);
    struct buf *b = p->out;
    size_t at = pb_open(b, SCOPE_SPANS_SPANS);

    put_place(p, e->span, e->parent);
    if (e->leaf)
        put_client_name(b, p->s, word_of(e->text, STR("model")));
    else
        pb_text(b, SPAN_NAME, str_from(e->name));
    pb_varint(b, SPAN_KIND, e->leaf ? KIND_CLIENT : KIND_INTERNAL);
    put_times(p, e->at, e->dur);
    if (e->leaf)
        put_call(p, e);
    put_words(b, SPAN_ATTRIBUTES, e->text);
    if (error.len > 0 && word_of(e->text, STR("error")).len == 0)
        put_text(b, SPAN_ATTRIBUTES, STR("error.type"), error);
    if (error.len > 0)
        put_status(b, error);
    pb_fixed32(b, SPAN_FLAGS, FLAG_SAMPLED | FLAG_KNOWS_IF);
    pb_close(b, at);
}

void otlp_write_spans(struct buf *out, const struct summary *s, uint32_t *count)
{
    struct placed p = {.out = out, .s = s, .context = trace_joined(s->trace)};

    ASSERT(p.context);
    p.answering = answering_span(s);
    put_root(&p);
    *count = 1;
    for (uint32_t i = 0; i < trace_count(s->trace); i++) {
        const struct trace_entry *e = trace_entry(s->trace, i);

        if (e->dur < 0)
            continue;
        put_span(&p, e);
        (*count)++;
    }
}

/* ---- what stands around ---- */

static void put_resource(struct buf *b, const struct otlp_resource *r)
{
    size_t at = pb_open(b, RESOURCE_SPANS_RESOURCE);

    put_text(b, RESOURCE_ATTRIBUTES, STR("service.name"), r->service);
    put_text(b, RESOURCE_ATTRIBUTES, STR("service.version"), STR(WEIR_VERSION));
    put_text(b, RESOURCE_ATTRIBUTES, STR("service.instance.id"), r->instance);
    put_text(b, RESOURCE_ATTRIBUTES, STR("telemetry.sdk.name"), STR("weir"));
    put_text(b, RESOURCE_ATTRIBUTES, STR("telemetry.sdk.language"), STR("c"));
    put_text(b, RESOURCE_ATTRIBUTES, STR("telemetry.sdk.version"), STR(WEIR_VERSION));
    for (struct str rest = r->attributes, one; str_split(&rest, ',', &one);) {
        size_t equals = str_find_char(one, '=');

        put_text(b, RESOURCE_ATTRIBUTES, str_trim(str_slice(one, 0, equals)),
                 str_trim(str_slice(one, equals + 1, one.len)));
    }
    pb_close(b, at);
}

void otlp_write_frame(struct buf *out, const struct otlp_resource *resource, size_t spans_bytes)
{
    static _Thread_local char
        resource_memory[8 * OTLP_RESOURCE_BYTES]; /* not the stack's: that is one page */
    char scope_memory[64];
    struct buf scope, described;

    buf_init_fixed(&scope, scope_memory, sizeof scope_memory);
    size_t at = pb_open(&scope, SCOPE_SPANS_SCOPE);
    pb_bytes(&scope, SCOPE_NAME, STR("weir"));
    pb_bytes(&scope, SCOPE_VERSION, STR(WEIR_VERSION));
    pb_close(&scope, at);
    buf_init_fixed(&described, resource_memory, sizeof resource_memory);
    put_resource(&described, resource);
    ASSERT(buf_ok(&scope) && buf_ok(&described)); /* OTLP_RESOURCE_BYTES is checked at start */
    size_t inner = scope.len + spans_bytes;
    size_t middle = described.len + pb_head_bytes(RESOURCE_SPANS_SCOPE_SPANS, inner) + inner;

    pb_head(out, REQUEST_RESOURCE_SPANS, middle);
    buf_str(out, buf_view(&described));
    pb_head(out, RESOURCE_SPANS_SCOPE_SPANS, inner);
    buf_str(out, buf_view(&scope));
}

/* ---- the collector's reply: ExportTraceServiceResponse ---- */

enum { RESPONSE_PARTIAL_SUCCESS = 1 };
enum { PARTIAL_REJECTED = 1, PARTIAL_MESSAGE = 2 };

bool otlp_read_rejected(struct str reply, uint64_t *rejected, struct str *message)
{
    struct pb_field field, part;
    uint64_t count = 0;
    struct str text = STR("");
    bool bad = false;

    while (pb_next(&reply, &field, &bad)) {
        if (field.number != RESPONSE_PARTIAL_SUCCESS)
            continue;
        struct str inside = field.bytes;
        while (pb_next(&inside, &part, &bad)) {
            if (part.number == PARTIAL_REJECTED)
                count = part.n;
            else if (part.number == PARTIAL_MESSAGE)
                text = part.bytes;
        }
    }
    if (bad)
        return false;
    *rejected = count;
    *message = text;
    return true;
}
