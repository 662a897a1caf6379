/* POST /api/v1/models/{name}/test: what a model can do is found out by asking it, small questions through
 * the ordinary gateway, paid by and recorded under whoever asks. Read the table `trials` first. */
#include <string.h>

#include "app/admin_fields.h"
#include "app/admin_models.h"
#include "app/house_models.h"
#include "models/reported.h"
#include "sys/clock.h"

enum verdict { DOES, DOES_NOT, NOT_KNOWN };
static const char *const verdicts[] = {"yes", "no", "unknown"};

/* One answer, as the judge of a trial sees it. */
struct told {
    struct arena *arena;
    const struct gateway_told *raw;
    struct json *json;        /* NULL: a stream */
    json_ref message;         /* of the first choice; 0: none */
    struct str text;          /* its content; may be empty */
    const struct told *first; /* of a question that is asked twice */
};

struct trial {
    uint32_t ability;
    const char
        *field; /* when the provider cannot be told it, it cannot do it; NULL: any way is fine */
    const char *rest;                       /* of the body, behind the model's name */
    bool (*judge)(const struct told *told); /* did the answer do what was asked? */
    bool twice;
};

/* ---- judges ---- */

static bool has_text(const struct told *told)
{
    json_ref thought = json_get(told->json, told->message, STR("reasoning_content"));

    return told->text.len > 0 || json_kind(told->json, thought) == JSON_STRING;
}

static bool is_stream(const struct told *told)
{
    return told->raw->streaming && str_find(told->raw->body, STR("data: ")) < told->raw->body.len;
}

static size_t calls(const struct told *told)
{
    json_ref all = json_get(told->json, told->message, STR("tool_calls"));

    return json_kind(told->json, all) == JSON_ARRAY ? json_count(told->json, all) : 0;
}

static bool calls_one(const struct told *told)
{
    return calls(told) >= 1;
}

static bool calls_two(const struct told *told)
{
    return calls(told) >= 2;
}

static struct json *object_of(const struct told *told)
{
    struct err err = {0};
    struct json *j = told->text.len ? json_parse(told->arena, told->text, &err) : NULL;

    return j && json_kind(j, json_root(j)) == JSON_OBJECT ? j : NULL;
}

static bool is_object(const struct told *told)
{
    return object_of(told) != NULL;
}

static bool keeps_schema(const struct told *told)
{
    struct json *j = object_of(told);
    int64_t n;

    return j && json_count(j, json_root(j)) == 2 &&
           json_kind(j, json_get(j, json_root(j), STR("town"))) == JSON_STRING &&
           json_i64(j, json_get(j, json_root(j), STR("letters")), &n);
}

static bool sees_red(const struct told *told)
{
    for (size_t i = 0; i + 3 <= told->text.len; i++)
        if (str_eq_nocase(str_slice(told->text, i, i + 3), STR("red")))
            return true;
    return false;
}

static bool has_logprobs(const struct told *told)
{
    json_ref choice =
        json_at(told->json, json_get(told->json, json_root(told->json), STR("choices")), 0);
    json_ref all = json_get(told->json, choice, STR("logprobs"));

    return json_first(told->json, json_get(told->json, all, STR("content"))) != 0;
}

static bool says_the_same(const struct told *told)
{
    return told->text.len > 0 && (!told->first || str_eq(told->first->text, told->text));
}

static bool has_two_choices(const struct told *told)
{
    json_ref all = json_get(told->json, json_root(told->json), STR("choices"));

    return json_kind(told->json, all) == JSON_ARRAY && json_count(told->json, all) == 2;
}

static bool goes_on(const struct told *told)
{
    struct str text = str_trim(told->text);

    return str_starts(text, STR("4")) || str_starts(text, STR(", 4")) ||
           str_starts(text, STR(",4"));
}

static bool has_vector(const struct told *told)
{
    json_ref data = json_get(told->json, json_root(told->json), STR("data"));
    json_ref vector = json_get(told->json, json_at(told->json, data, 0), STR("embedding"));

    return json_kind(told->json, vector) == JSON_STRING || json_first(told->json, vector) != 0;
}

static bool has_verdict(const struct told *told)
{
    json_ref results = json_get(told->json, json_root(told->json), STR("results"));

    return json_get(told->json, json_at(told->json, results, 0), STR("flagged")) != 0;
}

static bool ranks_right(const struct told *told)
{
    json_ref results = json_get(told->json, json_root(told->json), STR("results"));
    int64_t first;

    return json_count(told->json, results) == 2 &&
           json_i64(told->json, json_get(told->json, json_at(told->json, results, 0), STR("index")),
                    &first) &&
           first == 1;
}

/* ---- what is asked ---- */

#define SAY(text) "\"max_tokens\":256,\"messages\":[{\"role\":\"user\",\"content\":\"" text "\"}]"
#define WEATHER                                                                                   \
    ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"weather\",\"description\":"      \
    "\"The weather in a town now\",\"parameters\":{\"type\":\"object\",\"properties\":{\"town\":" \
    "{\"type\":\"string\"}},\"required\":[\"town\"]}}}]"
#define SCHEMA                                                                             \
    ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"town\","   \
    "\"strict\":"                                                                          \
    "true,\"schema\":{\"type\":\"object\",\"properties\":{\"town\":{\"type\":\"string\"}," \
    "\"letters\":{\"type\":\"integer\"}},\"required\":[\"town\",\"letters\"],"             \
    "\"additionalProperties\":false}}}"
/* 32 by 32 pixels, all of them red. */
#define RED                                                                               \
    "data:image/"                                                                         \
    "png;base64,iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAIAAAD8GO2jAAAAJ0lEQVR42u3NsQkAAAjAsP7/" \
    "tF7hIASyp6lTCQQCgUAgEAgEgi/BAjLD/C5w/SM9AAAAAElFTkSuQmCC"

static const struct trial trials[] = {
    {CAN_CHAT, NULL, SAY("Say the word ready."), has_text, false},
    {CAN_STREAM, NULL, SAY("Say the word ready.") ",\"stream\":true", is_stream, false},
    {CAN_TOOLS, "tools", SAY("What is the weather in Paris now? Use the tool.") WEATHER, calls_one,
     false},
    {CAN_PARALLEL_TOOLS, "tools",
     SAY("What is the weather in Paris and in Rome now? Call the tool for both at once.") WEATHER,
     calls_two, false},
    {CAN_JSON, "response_format",
     SAY("Answer as a JSON object with the member ready, which is true.") ",\"response_format\":{"
                                                                          "\"type\":\"json_"
                                                                          "object\"}",
     is_object, false},
    {CAN_SCHEMA, "response_format", SAY("Name a town of your choice and count its letters.") SCHEMA,
     keeps_schema, false},
    {CAN_IMAGES, NULL,
     "\"max_tokens\":256,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
     "\"Which colour is this? One word.\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"" RED
     "\"}}]}]",
     sees_red, false},
    {CAN_LOGPROBS, "logprobs", SAY("Say the word ready.") ",\"logprobs\":true", has_logprobs,
     false},
    {CAN_SEED, "seed", SAY("Say a random number of five digits.") ",\"seed\":7", says_the_same,
     true},
    {CAN_CHOICES, "n", SAY("Say the word ready.") ",\"n\":2", has_two_choices, false},
    {CAN_CONTINUE, NULL,
     "\"max_tokens\":256,\"messages\":[{\"role\":\"user\",\"content\":\"Write the numbers from 1 "
     "to 6 "
     "in one line: 1, 2 and so on.\"},{\"role\":\"assistant\",\"content\":\"1, 2, 3,\"}]",
     goes_on, false},
    {CAN_EMBED, NULL, "\"input\":\"ready\"", has_vector, false},
    {CAN_RERANK, NULL,
     "\"query\":\"What is the capital of France?\",\"documents\":[\"Bread is baked.\",\"Paris is "
     "the "
     "capital of France.\"]",
     ranks_right, false},
    {CAN_MODERATE, NULL, "\"input\":\"ready\"", has_verdict, false},
};

/* ---- the schemas ---- */

static const struct schema_field test_fields[] = {
    {"dry_run", FIELD_BOOL, FIELD_OPTIONAL, "Nothing is pinned.", 0, 0, NULL, NULL},
    {"only", FIELD_TEXT, FIELD_OPTIONAL | FIELD_LIST,
     "Abilities to try: chat, stream, tools, parallel_tools, json, schema, images, logprobs, seed, "
     "choices, continue, embeddings, rerank, moderation; default: all.",
     1, 40, NULL, NULL},
    {0},
};
const struct schema model_test_schema = {"ModelTest", "What of a model is to be tried.",
                                         test_fields, NULL};

static const struct schema_field trial_fields[] = {
    {"ability", FIELD_TEXT, 0, "What was tried.", 0, 0, NULL, NULL},
    {"works", FIELD_CHOICE, 0, "unknown: nobody answered, or not in time.", 0, 0, "yes|no|unknown",
     NULL},
    {"detail", FIELD_TEXT, 0, "Why it does not; may be empty.", 0, 0, NULL, NULL},
    {"cost_usd", FIELD_USD, 0, "What the questions cost.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema trial_schema = {"ModelTrial", "One ability, tried.", trial_fields, NULL};

static const struct schema_field tested_fields[] = {
    {"name", FIELD_TEXT, 0, "The model.", 0, 0, NULL, NULL},
    {"trials", FIELD_OBJECT, FIELD_LIST, "In the order they were made.", 0, 0, NULL, &trial_schema},
    {"abilities", FIELD_TEXT, 0, "What works.", 0, 0, NULL, NULL},
    {"window_reported", FIELD_COUNT, 0, "Tokens, as the provider's list says; 0: it does not.", 0,
     0, NULL, NULL},
    {"cost_usd", FIELD_USD, 0, "What all of it cost.", 0, 0, NULL, NULL},
    {"pinned", FIELD_BOOL, 0, "Routes go by it from now on.", 0, 0, NULL, NULL},
    {0},
};
const struct schema model_tested_schema = {"ModelTested", "What a model can do.", tested_fields,
                                           NULL};

/* ---- asking ---- */

struct test {
    struct admin_call *call;
    const struct model *model;
    uint32_t only;            /* abilities to try */
    uint32_t measured, works; /* so far */
    usd_micro cost;
    struct told told[2];
    struct gateway_told raw[2];
};

struct finding {
    enum verdict verdict;
    struct str detail;
    usd_micro cost;
};

static struct str body_of(const struct test *t, const struct trial *trial)
{
    struct buf b;
    struct str body;
    struct err err = {0};

    buf_init(&b, t->call->arena, 64 * KIB);
    buf_str(&b, STR("{\"model\":"));
    buf_json_str(&b, t->model->name);
    buf_str(&b, STR(","));
    buf_str(&b, str_from(trial->rest));
    buf_str(&b, STR("}"));
    return buf_finish(&b, &body, &err) ? body : STR_NONE;
}

static bool read_told(struct test *t, const struct gateway_told *raw, struct told *told)
{
    struct err err = {0};
    json_ref choices;

    *told = (struct told){.arena = t->call->arena, .raw = raw, .text = STR("")};
    if (raw->streaming)
        return true;
    told->json = json_parse(t->call->arena, raw->body, &err);
    if (!told->json)
        return false;
    choices = json_get(told->json, json_root(told->json), STR("choices"));
    told->message = json_get(told->json, json_at(told->json, choices, 0), STR("message"));
    if (!json_str(told->json, json_get(told->json, told->message, STR("content")), t->call->arena,
                  &told->text))
        told->text = STR("");
    return true;
}

/* 429 and what speaks of the provider's health say nothing about the model. */
static bool speaks_of_the_model(int status)
{
    return status == 400 || status == 404 || status == 405 || status == 422 || status == 500 ||
           status == 501;
}

static bool is_lost(const struct gateway_told *raw, const char *field)
{
    for (size_t i = 0; field && i < raw->lost_count; i++)
        if (str_starts(raw->lost[i], str_from(field)))
            return true;
    return false;
}

static struct str message_of(struct test *t, const struct gateway_told *raw)
{
    struct err err = {0};
    struct str text;
    struct json *j = raw->body.len ? json_parse(t->call->arena, raw->body, &err) : NULL;
    json_ref error = j ? json_get(j, json_root(j), STR("error")) : 0;

    if (!error || !json_str(j, json_get(j, error, STR("message")), t->call->arena, &text))
        text = arena_fmt(t->call->arena, "status %d", raw->status);
    return str_slice(text, 0, 300);
}

/* One question. */
static SUSPENDS struct finding ask(struct test *t, const struct trial *trial, size_t turn)
{
    struct gateway_told *raw = &t->raw[turn];
    struct gateway_asker asker = {.arena = t->call->arena,
                                  .who = t->call->who,
                                  .request_id = http_request_id(t->call->http),
                                  .kind = trial->ability == CAN_EMBED      ? ASK_EMBEDDING
                                          : trial->ability == CAN_RERANK   ? ASK_RERANK
                                          : trial->ability == CAN_MODERATE ? ASK_MODERATION
                                                                           : ASK_CHAT,
                                  .answer_bytes_max = 4 * MIB};
    struct str body = body_of(t, trial);
    struct err err = {0};

    *raw = (struct gateway_told){0};
    if (!body.ptr || !gateway_ask_all(t->call->house->gateway, &asker, t->model, body, raw, &err))
        return (struct finding){NOT_KNOWN, arena_fmt(t->call->arena, "%s", err.text), raw->cost};
    if (raw->status != 200)
        return (struct finding){speaks_of_the_model(raw->status) ? DOES_NOT : NOT_KNOWN,
                                message_of(t, raw), raw->cost};
    if (is_lost(raw, trial->field))
        return (struct finding){DOES_NOT, STR("its provider cannot be told"), raw->cost};
    if (!read_told(t, raw, &t->told[turn]))
        return (struct finding){DOES_NOT, STR("the answer is not JSON"), raw->cost};
    t->told[turn].first = turn ? &t->told[0] : NULL;
    if (!t->told[turn].json && !raw->streaming)
        return (struct finding){DOES_NOT, STR("no answer"), raw->cost};
    if ((trial->ability != CAN_STREAM && !t->told[turn].json) || !trial->judge(&t->told[turn]))
        return (struct finding){DOES_NOT, STR("it was asked, and the answer does not show it"),
                                raw->cost};
    return (struct finding){DOES, STR(""), raw->cost};
}

static SUSPENDS struct finding try(struct test *t, const struct trial *trial)
{
    struct finding found = ask(t, trial, 0);

    if (trial->twice && found.verdict == DOES) {
        usd_micro first = found.cost;

        found = ask(t, trial, 1);
        found.cost += first;
    }
    return found;
}

static void write_trial(struct json_writer *w, const struct trial *trial,
                        const struct finding *found)
{
    char memory[64];
    struct buf name;

    buf_init_fixed(&name, memory, sizeof memory);
    abilities_write(&name, trial->ability);
    jw_object(w);
    reply_text(w, "ability", buf_view(&name));
    reply_text(w, "works", str_from(verdicts[found->verdict]));
    reply_text(w, "detail", found->detail.ptr ? found->detail : STR(""));
    reply_usd(w, "cost_usd", found->cost);
    jw_object_end(w);
}

static SUSPENDS bool try_all(struct test *t, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(trials); i++) {
        const struct trial *trial = &trials[i];

        if (!(t->only & trial->ability))
            continue;
        if (!fiber_still_wanted(err))
            return false;
        struct finding found = try(t, trial);

        t->cost += found.cost;
        if (found.verdict != NOT_KNOWN)
            t->measured |= trial->ability;
        if (found.verdict == DOES)
            t->works |= trial->ability;
        write_trial(&t->call->reply, trial, &found);
        if (trial->ability == CAN_CHAT && found.verdict == NOT_KNOWN)
            return err_set(err, ERR_UNAVAILABLE, "nothing can be measured: " STR_FMT,
                           STR_ARG(found.detail));
    }
    return true;
}

/* ---- what follows ---- */

static SUSPENDS bool pin(struct test *t, struct err *err)
{
    struct model_change change CLEANUP(model_change_end) = {0};
    struct admin_call *call = t->call;

    if (!model_change_begin(call->house, call->arena, t->model->name, &change, err))
        return false;
    struct str of = model_measured_of(t->model, call->arena);
    bool same = str_eq(change.row.measured_of, of);

    if (!of.ptr)
        return err_arena(err, call->arena);
    if (change.in_settings && change.row.added)
        change.row =
            (struct kept_model){.name = t->model->name, .prices = PRICES_UNSAID, .lifecycle = -1};
    /* What was found earlier stays where this test did not look. */
    change.row.works = ((same ? change.row.works : 0) & ~t->measured) | t->works;
    change.row.measured = (same ? change.row.measured : 0) | t->measured;
    change.row.measured_at = clock_wall();
    change.row.measured_of = of;
    return model_change_commit(&change, err);
}

static bool read_only(struct admin_call *call, uint32_t *out, struct err *err)
{
    struct str *words = NULL;
    size_t count = 0;
    uint32_t all = 0;

    for (size_t i = 0; i < ARRAY_LEN(trials); i++)
        all |= trials[i].ability;
    *out = all;
    if (!field_given(call, "only"))
        return true;
    if (!field_list(call, "only", &words, &count, err))
        return false;
    *out = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t bit = ability_parse(words[i]) & all;

        if (!bit)
            return field_wrong(call, "only", err, "\"" STR_FMT "\" is nothing that can be tried",
                               STR_ARG(str_slice(words[i], 0, 40)));
        *out |= bit;
    }
    return true;
}

static SUSPENDS bool run(struct test *t, bool dry, struct err *err)
{
    struct json_writer *w = &t->call->reply;
    char memory[256];
    struct buf works;
    bool pinned = !dry;

    jw_object(w);
    reply_text(w, "name", t->model->name);
    jw_key(w, "trials");
    jw_array(w);
    if (!try_all(t, err))
        return false;
    jw_array_end(w);
    buf_init_fixed(&works, memory, sizeof memory);
    abilities_write(&works, t->works);
    reply_text(w, "abilities", buf_view(&works));
    reply_count(w, "window_reported",
                reported_window(t->call->arena, t->model, http_request_id(t->call->http)));
    reply_usd(w, "cost_usd", t->cost);
    pinned = pinned && t->measured;
    if (pinned && !pin(t, err))
        return false;
    reply_bool(w, "pinned", pinned);
    jw_object_end(w);
    t->call->note =
        arena_fmt(t->call->arena, "model \"" STR_FMT "\" tested%s; works: " STR_FMT,
                  STR_ARG(t->model->name), pinned ? " and pinned" : "", STR_ARG(buf_view(&works)));
    return true;
}

bool model_test(struct admin_call *call, struct err *err)
{
    void *held CLEANUP(snapshot_release) = NULL;
    const struct config *config = snapshot_borrow(call->house->config, &held);
    struct test *t = arena_alloc(call->arena, sizeof *t);
    bool dry = false;

    if (!t)
        return err_arena(err, call->arena);
    *t = (struct test){.call = call, .model = catalogue_find(config->catalogue, call->values[0])};
    if (!t->model)
        return err_set(err, ERR_NOT_FOUND, "no model is called \"" STR_FMT "\"",
                       STR_ARG(str_slice(call->values[0], 0, 100)));
    if (!t->model->provider)
        return admin_fail(call, 409, "conflict", err,
                          "model \"" STR_FMT "\" is Weir itself: it has no provider to try",
                          STR_ARG(t->model->name));
    if (!principal_may_ask(call->who, t->model->name))
        return err_set(err, ERR_DENIED, "this key may not ask model \"" STR_FMT "\"",
                       STR_ARG(t->model->name));
    field_bool(call, "dry_run", &dry);
    return read_only(call, &t->only, err) && run(t, dry, err);
}
