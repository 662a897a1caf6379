/* What can be learnt from an answer on its way through: usage, how much text, whether it is whole. */
#include "models/chat.h"

#include <string.h>

#include "base/utf8.h"
#include "models/habits.h"
#include "models/openai_internal.h"

#define BYTES_PER_TOKEN 4 /* English and code 3.5 to 4.5, Chinese about 4 */

int64_t chat_estimate_tokens(size_t bytes)
{
    return (int64_t)(bytes / BYTES_PER_TOKEN + (bytes % BYTES_PER_TOKEN != 0));
}

void chat_meter_init(struct chat_meter *meter, int64_t choices)
{
    *meter = (struct chat_meter){.usage = usage_unknown, .choices = choices};
}

void chat_meter_finish(struct chat_meter *meter, int64_t choice, enum finish_reason how)
{
    if (choice < 0 || choice >= CHAT_CHOICES_MAX || meter->finish[choice])
        return;
    meter->finish[choice] = (uint8_t)(how ? how : FINISH_STOP);
    meter->finished = ++meter->finished_count >= meter->choices;
}

static uint8_t keep_name(char out[CHAT_NAME_BYTES], struct str name)
{
    size_t len = utf8_boundary(name, MIN_OF(name.len, (size_t)CHAT_NAME_BYTES));

    if (len > 0)
        memcpy(out, name.ptr, len);
    return (uint8_t)len;
}

void chat_meter_name(struct chat_meter *meter, struct str id, struct str model)
{
    meter->id_len = keep_name(meter->id, id);
    meter->model_len = keep_name(meter->model, model);
}

bool chat_meter_is_answer(const struct chat_meter *meter)
{
    if (meter->refused)
        return false;
    for (int64_t i = 0; i < MIN_OF(meter->choices, (int64_t)CHAT_CHOICES_MAX); i++)
        switch ((enum finish_reason)meter->finish[i]) {
        case FINISH_CONTENT_FILTER:
        case FINISH_REFUSAL:
        case FINISH_PAUSE: return false;
        case FINISH_LENGTH:
        case FINISH_CONTEXT:
            if (meter->spoke)
                return false;
            break;
        case FINISH_UNSAID:
        case FINISH_STOP:
        case FINISH_TOOL_CALLS: break;
        }
    return true;
}

void chat_meter_close(struct chat_meter *meter, size_t prompt_bytes)
{
    struct usage *usage = &meter->usage;

    if (usage->tokens_in < 0) {
        usage->tokens_in = chat_estimate_tokens(prompt_bytes);
        usage->estimated = true;
    }
    if (usage->tokens_out < 0) {
        usage->tokens_out = chat_estimate_tokens(meter->content_bytes);
        usage->estimated = true;
    }
}

/* Answers pass untouched, so what we read in them is read kindly: a stream may split a pair of surrogates. */
static const struct json_limits from_provider = {.depth = 128,
                                                 .nodes = 4000000,
                                                 .lone_surrogates = true};

static size_t string_bytes(const struct json *j, json_ref v)
{
    return json_kind(j, v) == JSON_STRING ? json_raw(j, v).len - 2 : 0;
}

/* Text of a message or delta: every string but the role (content, refusal, reasoning under its
 * various names), and the arguments of tool calls. */
static size_t content_bytes(const struct json *j, json_ref message, struct chat_meter *meter)
{
    bool *spoke = &meter->spoke;
    size_t bytes = 0;

    for (json_ref v = json_first(j, message); v; v = json_next(j, v)) {
        struct str key = json_key_raw(j, v);

        *spoke = *spoke || json_first(j, v) != 0; /* a list or an object with something in it */
        if (json_kind(j, v) == JSON_STRING && !str_eq(key, STR("role"))) {
            size_t length = string_bytes(j, v);

            bytes += length;
            if (length > 0 && str_eq(key, STR("refusal")))
                meter->refused = true;
        }
        if (json_kind(j, v) == JSON_ARRAY && str_eq(key, STR("tool_calls")))
            for (json_ref call = json_first(j, v); call; call = json_next(j, call))
                bytes += string_bytes(
                    j, json_get(j, json_get(j, call, STR("function")), STR("arguments")));
    }
    return bytes;
}

/* A string's bytes as they stand in the text: the words that matter here have no escapes. */
static struct str word(const struct json *j, json_ref v)
{
    struct str raw = json_raw(j, v);

    return json_kind(j, v) == JSON_STRING ? str_slice(raw, 1, raw.len - 1) : STR_NONE;
}

static void mark_finished(struct chat_meter *meter, const struct json *j, json_ref number,
                          json_ref reason)
{
    int64_t index = 0;

    if (openai_gave_up(word(j, reason))) {
        meter->failed = true;
        meter->error_text = STR(OPENAI_GAVE_UP);
        return;
    }
    if (!json_i64(j, number, &index))
        index = 0; /* some local servers leave it out */
    chat_meter_finish(meter, index, openai_finish_of(word(j, reason)));
}

static size_t read_choices(const struct json *j, json_ref choices, struct str message_key,
                           struct chat_meter *meter)
{
    const struct str keys[] = {message_key, STR("finish_reason"), STR("index")};
    size_t count = 0;

    for (json_ref c = json_first(j, choices); c; c = json_next(j, c), count++) {
        json_ref found[ARRAY_LEN(keys)];

        json_pick(j, c, keys, found, ARRAY_LEN(keys));
        meter->content_bytes += content_bytes(j, found[0], meter);
        if (string_bytes(j, found[1]) > 0) /* some servers say "" until it has ended */
            mark_finished(meter, j, found[2], found[1]);
    }
    return count;
}

static void read_names(struct chat_meter *meter, const struct json *j,
                       const struct habits_reply *reply)
{
    chat_meter_name(meter, word(j, reply->id), word(j, reply->model));
}

/* An error instead of, or in the middle of, an answer. The text is kept in the arena. */
static bool read_error(struct arena *arena, const struct json *j, const struct habits_reply *reply,
                       struct chat_meter *meter)
{
    struct habits_failure failure;
    struct str text;

    if (!habits_failure_read(j, reply, &failure))
        return false;
    meter->failed = true;
    if (!json_str(j, failure.message, arena, &text))
        text = STR("no reason given");
    meter->error_text = arena_str(arena, text); /* the event's bytes go with the next read */
    return true;
}

static bool read_data(struct arena *scratch, struct str data, bool client_wants_usage,
                      struct chat_meter *meter, bool *drop, struct err *err)
{
    struct err bad = {0};
    struct json *j = json_parse_within(scratch, data, &from_provider, &bad);
    struct habits_reply reply;
    size_t choices;

    if (!j)
        return err_recast(err, &bad, ERR_UNAVAILABLE, "event %" PRIu32, meter->events + 1);
    habits_reply_read(j, json_root(j), &reply);
    meter->events++;
    if (!meter->id_len && !meter->model_len) /* Azure's first event has neither */
        read_names(meter, j, &reply);
    if (read_error(scratch, j, &reply, meter))
        return true;
    /* Later reports replace earlier ones: where a provider sends several they are running totals. */
    habits_usage_read(j, &reply, &meter->usage);
    choices = read_choices(j, reply.choices, STR("delta"), meter);
    *drop = !client_wants_usage && choices == 0 && json_kind(j, reply.usage) == JSON_OBJECT;
    return true;
}

bool chat_read_event(struct arena *scratch, const struct sse_event *event, bool client_wants_usage,
                     struct chat_meter *meter, bool *drop, struct err *err)
{
    size_t mark = arena_mark(scratch);
    bool ok;

    *drop = false;
    if (!event->has_data || str_is_empty(event->data))
        return true; /* comments keep connections alive */
    if (str_eq(event->data, STR("[DONE]"))) {
        meter->done = true;
        return true;
    }
    ok = read_data(scratch, event->data, client_wants_usage, meter, drop, err);
    if (!meter->failed) /* error_text may live behind the mark */
        arena_rewind(scratch, mark);
    return ok;
}

bool chat_read_reply(struct arena *arena, struct str body, struct chat_meter *meter,
                     struct err *err)
{
    struct err bad = {0};
    size_t mark = arena_mark(arena);
    struct json *j = json_parse_within(arena, body, &from_provider, &bad);
    struct habits_reply reply;

    if (!j)
        return err_recast(err, &bad, ERR_UNAVAILABLE, "the answer cannot be read");
    habits_reply_read(j, json_root(j), &reply);
    if (read_error(arena, j, &reply, meter))
        return true;
    read_names(meter, j, &reply);
    habits_usage_read(j, &reply, &meter->usage);
    read_choices(j, reply.choices, STR("message"), meter);
    meter->done = true;
    arena_rewind(arena, mark);
    return true;
}
