/* What a request is, as far as routes ask: whose it is, how large, what it needs; and who may answer it. */
#include "gateway/gateway_internal.h"
#include "models/route.h"
#include "sys/clock.h"

#include <string.h>

#define TAGS_MAX      32
#define TAG_BYTES_MAX 64

/* ---- what it needs ---- */

static uint32_t parts_needs(const struct part *part)
{
    uint32_t needs = 0;

    for (; part; part = part->next) {
        needs |= part->kind == PART_IMAGE   ? CAN_IMAGES
                 : part->kind == PART_AUDIO ? CAN_AUDIO
                 : part->kind == PART_FILE  ? CAN_FILES
                                            : 0;
        for (const struct part *inner = part->inner; inner; inner = inner->next)
            needs |= inner->kind == PART_IMAGE ? CAN_IMAGES : 0;
    }
    return needs;
}

static uint32_t conversation_needs(const struct conversation *c)
{
    uint32_t needs = c->kind == ASK_EMBEDDING    ? CAN_EMBED
                     : c->kind == ASK_RERANK     ? CAN_RERANK
                     : c->kind == ASK_MODERATION ? CAN_MODERATE
                                                 : CAN_CHAT;

    for (const struct turn *turn = c->turns; turn; turn = turn->next)
        needs |= parts_needs(turn->parts);
    if (c->tools)
        needs |= CAN_TOOLS;
    if (c->format == FORMAT_JSON)
        needs |= CAN_JSON;
    if (c->format == FORMAT_SCHEMA)
        needs |= CAN_SCHEMA;
    return needs | (c->n > 1 ? CAN_CHOICES : 0);
}

/* ---- what it says of itself ---- */

/* "weir": {"fallback": false, "data_class": "secret", "tags": ["batch"]} */
static bool read_options(struct request *req, struct route_ask *ask, struct err *err)
{
    const struct json *j = req->chat.json;
    json_ref weir = req->chat.weir;
    json_ref fallback = weir ? json_get(j, weir, STR("fallback")) : 0;
    json_ref data_class = weir ? json_get(j, weir, STR("data_class")) : 0;
    bool allowed = true;

    if (fallback && !json_bool(j, fallback, &allowed))
        return err_set(err, ERR_INVALID, "weir.fallback: expected true or false");
    if (data_class && !json_str(j, data_class, req->arena, &ask->values[MATCH_CLASS]))
        return err_set(err, ERR_INVALID, "weir.data_class: expected a string");
    req->only_first = !allowed;
    return true;
}

static bool is_tag(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < ' ' || s.ptr[i] == ',' || s.ptr[i] == 0x7f)
            return false;
    return s.len > 0 && s.len <= TAG_BYTES_MAX;
}

/* One of a list that the audit log and usage keep with commas between. */
static bool read_tag(struct request *req, json_ref v, struct str *out, struct err *err)
{
    if (json_str(req->chat.json, v, req->arena, out) && is_tag(*out))
        return true;
    return err_set(err, ERR_INVALID,
                   "weir.tags: expected a list of at most %d strings of 1 to %d bytes, no comma",
                   TAGS_MAX, TAG_BYTES_MAX);
}

/* Each once and in order, so that the same tags are the same kind of usage. */
static uint32_t add_tag(struct str *all, uint32_t count, struct str tag)
{
    uint32_t at = count;

    while (at > 0 && str_cmp(all[at - 1], tag) > 0)
        at--;
    if (at > 0 && str_eq(all[at - 1], tag))
        return count;
    memmove(&all[at + 1], &all[at], (count - at) * sizeof *all);
    all[at] = tag;
    return count + 1;
}

static bool join_tags(struct request *req, const struct str *all, uint32_t count, struct err *err)
{
    struct buf b;

    buf_init(&b, req->arena, AUDIT_LIST_MAX);
    for (uint32_t i = 0; i < count; i++) {
        buf_str(&b, i ? STR(",") : STR(""));
        buf_str(&b, all[i]);
    }
    return buf_finish(&b, &req->tags, err) ||
           err_set(err, ERR_INVALID, "weir.tags: with those of the key more than %d bytes",
                   (int)AUDIT_LIST_MAX);
}

/* Those of the key and those of the request: for routes, usage and the audit log. */
static bool read_tags(struct request *req, struct route_ask *ask, struct err *err)
{
    const struct json *j = req->chat.json;
    json_ref tags = req->chat.weir ? json_get(j, req->chat.weir, STR("tags")) : 0;
    struct str *all, tag;
    uint32_t count = 0;

    ask->tags = req->who->tags;
    ask->tag_count = req->who->tag_count;
    if (!tags)
        return true;
    if (json_kind(j, tags) != JSON_ARRAY || json_count(j, tags) > TAGS_MAX)
        return err_set(err, ERR_INVALID, "weir.tags: expected a list of at most %d strings",
                       TAGS_MAX);
    all = arena_array(req->arena, req->who->tag_count + TAGS_MAX, sizeof *all);
    if (!all)
        return err_arena(err, req->arena);
    for (uint32_t i = 0; i < req->who->tag_count; i++)
        count = add_tag(all, count, req->who->tags[i]);
    for (json_ref v = json_first(j, tags); v; v = json_next(j, v)) {
        if (!read_tag(req, v, &tag, err))
            return false;
        count = add_tag(all, count, tag);
    }
    ask->tags = all;
    ask->tag_count = count;
    return join_tags(req, all, count, err);
}

/* ---- who may answer ---- */

bool candidates_find(struct request *req, struct err *err)
{
    struct route_ask ask = {.minute = hours_minute(clock_wall()),
                            .prompt_tokens = chat_estimate_tokens(req->chat.prompt_bytes)};

    req->needs = req->facts          ? req->facts->needs
                 : req->conversation ? conversation_needs(req->conversation)
                                     : req->chat.needs;
    ask.values[MATCH_MODEL] = req->chat.model;
    ask.values[MATCH_TENANT] = req->who->tenant;
    ask.values[MATCH_TEAM] = req->who->team;
    ask.needs = req->needs;
    if (!read_options(req, &ask, err) || !read_tags(req, &ask, err))
        return false;
    req->row = route_find(req->config->routes, &ask);
    return true;
}

/* The model itself, by its own name. */
bool candidates_alone(struct request *req, const struct model *model, struct err *err)
{
    struct route_candidate *one = arena_alloc(req->arena, sizeof *one);
    struct route_group *group = arena_alloc(req->arena, sizeof *group);

    if (!one || !group)
        return err_arena(err, req->arena);
    *one = (struct route_candidate){.model = model, .weight = 1};
    *group = (struct route_group){.candidates = one, .count = 1};
    req->groups = group;
    req->group_count = 1;
    req->policy = &route_policy_plain;
    return true;
}

void candidates_of_writer(struct request *req, const struct request *parent)
{
    const struct request_writer *writer = parent->writer;

    req->model = writer->model;
    req->row = writer->row;
    req->groups = writer->groups;
    req->group_count = writer->group_count;
    req->policy = writer->policy;
    req->needs = parent->needs;
    req->only_first = parent->only_first;
    req->tags = parent->tags;
}

bool candidates_of_row(struct request *req, struct err *err)
{
    req->groups = req->row->groups;
    req->group_count = req->row->group_count;
    req->policy = &req->row->policy;
    if (!req->group_count || !req->groups[0].count)
        return err_set(err, ERR_INTERNAL, "route \"" STR_FMT "\" has no candidates",
                       STR_ARG(req->row->name));
    return true;
}

/* ---- what it costs at worst ---- */

/* Of those that this key may reach: nothing is held for one that is never asked. */
usd_micro candidates_price_worst(const struct request *req)
{
    usd_micro worst = req->group_count ? 0 : price_worst(req->model, &req->chat, req->who->tenant);

    for (size_t g = 0; g < req->group_count; g++)
        for (size_t i = 0; i < req->groups[g].count; i++) {
            const struct model *model = req->groups[g].candidates[i].model;
            usd_micro one =
                request_may_ask(req, model) ? price_worst(model, &req->chat, req->who->tenant) : 0;

            worst = MAX_OF(worst, one);
        }
    return worst;
}

int64_t candidates_output_tokens_max(const struct request *req)
{
    int64_t most = req->model->output_tokens_max;

    for (size_t g = 0; g < req->group_count; g++)
        for (size_t i = 0; i < req->groups[g].count; i++)
            most = MAX_OF(most, req->groups[g].candidates[i].model->output_tokens_max);
    return most;
}

/* ---- asking them ---- */

/* Failed attempts and hedges cost too: more is set aside before it is spent, or it is not spent. */
static bool afford(void *ctx, usd_micro more)
{
    struct request *req = ctx;
    struct err err = {0};

    return hold_more(req->gateway->accounts, &req->hold, more, clock_wall(), &err);
}

static void give_back(void *ctx, usd_micro less)
{
    struct request *req = ctx;

    hold_less(req->gateway->accounts, &req->hold, less);
}

static bool may_ask_named(void *ctx, const struct model *model)
{
    return principal_may_ask(((struct request *)ctx)->who, model->name);
}

static struct attempt_plan *plan_of(struct request *req, struct model_question *question)
{
    struct attempt_plan *plan = arena_alloc(req->arena, sizeof *plan);

    req->attempts = arena_alloc_raw(req->arena, sizeof *req->attempts);
    if (!plan || !req->attempts)
        return NULL;
    req->attempts->count =
        0; /* what is behind it is written before it is read: two kilobytes less */
    req->attempts->cost_apart = 0;
    req->attempts->carried = (struct usage){0};
    *plan = (struct attempt_plan){.arena = req->arena,
                                  .groups = req->groups,
                                  .group_count = req->group_count,
                                  .policy = req->policy,
                                  .label = request_model_shown(req),
                                  .only_first = req->only_first,
                                  .needs = req->row ? req->needs : 0,
                                  .tokens_in = chat_estimate_tokens(req->chat.prompt_bytes),
                                  .tokens_out = req->chat.max_tokens,
                                  .tenant = req->who->tenant,
                                  .zones = req->who->zones,
                                  .may_ask = may_ask_named,
                                  .chat = &req->chat,
                                  .question = question,
                                  .request_id = req->id,
                                  .afford = afford,
                                  .give_back = give_back,
                                  .ctx = req,
                                  .held = req->hold.amount,
                                  .trace = req->trace,
                                  .log = req->attempts};
    return plan;
}

bool candidates_ask(struct request *req, struct model_question *question, struct refusal *why,
                    struct err *err)
{
    struct attempt_plan *plan = plan_of(req, question);
    bool ok;

    if (!plan)
        return err_arena(err, req->arena);
    ok = attempt_all(plan, &req->answer, &req->model, err);
    *why = plan->why;
    if (!ok && plan->retry_after)
        req->retry_after = plan->retry_after;
    if (!ok && err->code == ERR_EXHAUSTED && !err->sys) /* of deployments as of keys */
        req->problem = "rate_limit_exceeded";
    return ok;
}
