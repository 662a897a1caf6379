/* The cache's part in a request: three steps and what others ask of them.
 *
 *   look_up   after route, before budget: an answer at hand sets req->answer, so that no money is held for
 *             a call that is not made; the limits of the key are asked by budget all the same.
 *   join      somebody is asking the same just now: his answer is ours too
 *   keep      what the call gives is kept, and passed on to those who joined */
#include <string.h>

#include "cache/cache.h"
#include "gateway/gateway_internal.h"
#include "models/dialect.h"
#include "sys/clock.h"

/* Leaders that failed for a reason of their own, before this request asks alone. */
#define LOSSES_BYTES 190 /* of names that a hit repeats: as much as a flight carries */
#define ROUNDS_MAX   3

static const struct cache_config *settings_of(const struct request *req)
{
    return &req->config->cache;
}

static struct cache_rules rules_of(const struct request *req)
{
    const struct cache_config *c = settings_of(req);
    const struct catalogue *catalogue = req->config->catalogue;
    struct cache_rules rules = c->rules;

    if (c->use && req->model >= catalogue->models &&
        req->model < catalogue->models + catalogue->model_count)
        rules.use = c->use[req->model - catalogue->models];
    return rules;
}

/* A temperature that is said and is 0; what is not said is the provider's to choose, and none chooses 0. */
static bool is_sampled(const struct json *j)
{
    static const struct str names[] = {
        {"temperature", 11}, {"generationConfig", 16}, {"inferenceConfig", 15}};
    json_ref found[ARRAY_LEN(names)];
    double value;

    json_pick(j, json_root(j), names, found, ARRAY_LEN(names));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        json_ref said = i && found[i] ? json_get(j, found[i], names[0]) : found[i];

        if (said && json_f64(j, said, &value) && value <= 0)
            return false;
    }
    return true;
}

bool request_is_sampled(const struct request *req)
{
    return req->facts ? req->facts->sampled : is_sampled(req->chat.json);
}

/* ---- look_up ---- */

static size_t target_bytes(const struct model *m)
{
    return (m->provider ? m->provider->name.len + m->provider->url_text.len : strlen("weir")) +
           m->remote_name.len + 3;
}

static char *put_line(char *at, struct str text)
{
    if (text.len)
        memcpy(at, text.ptr, text.len);
    at[text.len] = '\n';
    return at + text.len + 1;
}

static char *put_target(char *at, const struct model *m)
{
    at = put_line(at, m->provider ? m->provider->name : STR("weir"));
    at = put_line(at, m->provider ? m->provider->url_text : STR(""));
    return put_line(at, m->remote_name);
}

/* Room for all who stand in the row. */
static size_t row_bytes(const struct route *row)
{
    size_t bytes = row->name.len + row->group_count;

    for (size_t g = 0; g < row->group_count; g++)
        for (size_t i = 0; i < row->groups[g].count; i++)
            bytes += target_bytes(row->groups[g].candidates[i].model);
    return bytes;
}

static char *put_row(const struct request *req, char *at)
{
    const struct route *row = req->row;

    memcpy(at, row->name.ptr, row->name.len);
    at += row->name.len;
    for (size_t g = 0; g < row->group_count; g++) {
        *at++ = '>';
        for (size_t i = 0; i < row->groups[g].count; i++) {
            const struct model *model = row->groups[g].candidates[i].model;

            if (request_may_ask(req, model))
                at = put_target(at, model);
        }
    }
    return at;
}

/* Who may answer this key under the name: when another deployment does, the old one's answers are not found, and
 * what a model made is not given to who may not ask it. Written on the way of every hit: room is counted once. */
static bool target_of(const struct request *req, struct str *out, struct err *err)
{
    size_t room = req->row ? row_bytes(req->row) : target_bytes(req->model);
    char *text = arena_alloc_raw(req->arena, room), *end;

    if (!text)
        return err_arena(err, req->arena);
    end = req->row ? put_row(req, text) : put_target(text, req->model);
    *out = (struct str){text, (size_t)(end - text)};
    ASSERT(out->len <= room);
    return true;
}

/* What is said beside the body: in the path, what is done with the model and in which framing; in the head, which
 * version of the dialect and which features are asked for. */
static struct str said_beside(const struct request *req)
{
    const struct http_head *head = req->http ? http_head(req->http) : NULL;
    bool is_plain = !head || !req->entry || !str_ends(str_from(req->entry->path), STR("*"));

    if (is_plain && req->conversation &&
        (req->conversation->beta.len || req->conversation->version.len))
        return arena_fmt(req->arena, "beta=" STR_FMT "\nversion=" STR_FMT,
                         STR_ARG(req->conversation->beta), STR_ARG(req->conversation->version));
    if (is_plain)
        return STR("");
    return arena_fmt(req->arena, STR_FMT "?%s", STR_ARG(head->path),
                     str_find(head->query, STR("alt=sse")) < head->query.len ? "alt=sse" : "");
}

/* ... and whether another than the first may answer: who wants no fallback gets no answer of one, and nobody else its
 * failure. */
static struct str variant_of(const struct request *req)
{
    struct str said = said_beside(req);

    return req->only_first && said.ptr
               ? arena_fmt(req->arena, STR_FMT "\nfallback=false", STR_ARG(said))
               : said;
}

static struct str with_prefix(struct arena *arena, struct str prefix, struct str name)
{
    char *text = arena_alloc_raw(arena, prefix.len + name.len);

    if (!text)
        return STR_NONE;
    memcpy(text, prefix.ptr, prefix.len);
    if (name.len)
        memcpy(text + prefix.len, name.ptr, name.len);
    return (struct str){text, prefix.len + name.len};
}

/* What it goes by when a person or a document is to be forgotten. An answer with more sources than an entry has
 * room for is not kept: nobody could find it again. */
static bool tag_sources(struct request *req, struct cache_ask *ask, struct err *err)
{
    struct str sources[ENTRY_TAGS_MAX];
    size_t count = 0, room = ENTRY_TAGS_MAX - ask->tag_count;

    if (req->document_count + req->subject_count + 2 > room) {
        ask->plan.may_store = false;
        return true;
    }
    sources[count++] = with_prefix(req->arena, STR(CACHE_OF_KEY), req->who->key_id);
    if (req->subject.len)
        sources[count++] = with_prefix(req->arena, STR(CACHE_OF_SUBJECT), req->subject);
    for (size_t i = 0; i < req->subject_count; i++)
        if (!str_eq(req->subjects[i], req->subject))
            sources[count++] = with_prefix(req->arena, STR(CACHE_OF_SUBJECT), req->subjects[i]);
    for (size_t i = 0; i < req->document_count; i++)
        sources[count++] = with_prefix(req->arena, STR(CACHE_OF_DOCUMENT), req->documents[i]);
    for (size_t i = 0; i < count; i++) {
        if (!sources[i].ptr)
            return err_arena(err, req->arena);
        ask->tags[ask->tag_count++] = sources[i];
    }
    return true;
}

static bool identify(const struct request *req, const struct cache_plan *plan,
                     struct cache_identity *out, struct err *err)
{
    struct cache_identity identity = question_asked(req);

    identity.space = plan->shared ? CACHE_SPACE_SHARED : req->who->tenant;
    identity.model = req->chat.model;
    identity.variant = variant_of(req);
    identity.stream = req->chat.stream;
    identity.seen = req->seen;
    if (identity.variant.ptr && req->answerer && !req->config->links.url.len && req->links.len)
        identity.variant = arena_fmt(req->arena, STR_FMT "\nlinks=" STR_FMT,
                                     STR_ARG(identity.variant), STR_ARG(req->links));
    if (!identity.variant.ptr)
        return err_arena(err, req->arena);
    if (!target_of(req, &identity.target, err))
        return false;
    *out = identity;
    return true;
}

static bool fill_ask(struct request *req, const struct cache_wish *wish,
                     const struct cache_plan *plan, const struct cache_identity *identity,
                     struct cache_ask *ask, struct err *err)
{
    *ask = (struct cache_ask){.plan = *plan,
                              .space = identity->space,
                              .model = identity->model,
                              .tag_count = wish->tag_count,
                              .prompt_bytes = req->chat.prompt_bytes};
    memcpy(ask->tags, wish->tags, sizeof wish->tags);
    return tag_sources(req, ask, err);
}

/* What the provider of a kept answer could not be told, told again. */
static bool recall_losses(struct request *req, struct err *err)
{
    struct str rest = cache_notes(req->ticket), one;

    if (rest.len == 0)
        return true;
    req->losses = arena_alloc(req->arena, sizeof *req->losses);
    if (!req->losses)
        return err_arena(err, req->arena);
    while (str_split(&rest, '\n', &one) && req->losses->count < LOSSES_MAX)
        if (one.len)
            req->losses->fields[req->losses->count++] = one;
    return true;
}

static bool write_losses(const struct request *req, struct str *out, struct err *err)
{
    struct buf names;

    *out = STR_NONE;
    if (!req->losses || !req->losses->count)
        return true;
    buf_init(&names, req->arena, LOSSES_BYTES);
    for (uint32_t i = 0; i < req->losses->count; i++)
        if (names.len + req->losses->fields[i].len + 1 <= LOSSES_BYTES) {
            buf_str(&names, req->losses->fields[i]);
            buf_char(&names, '\n');
        }
    return buf_finish(&names, out, err);
}

static bool none_kept(struct request *req, struct err *err)
{
    req->problem = "not_in_cache";
    req->problem_status = 504; /* RFC 9111, 5.2.1.7 */
    return err_set(err, ERR_NOT_FOUND,
                   "no answer is kept that fits, and the request said only-if-cached");
}

/* Remembered, or made of the whole body. */
static bool find_key(struct request *req, struct cache_identity *identity, struct cache_recall *out,
                     struct err *err)
{
    cache_recall(settings_of(req)->cache, identity, out);
    if (out->known)
        return true;
    if (!known_forget(req, err))
        return false;
    identity->body = req->chat.json;
    return cache_key_of(req->arena, identity, &out->key, err);
}

static NOINLINE void remember(const struct request *req, const struct cache_identity *identity,
                              const struct cache_recall *recall, bool hit)
{
    struct body_facts facts;

    cache_remember(settings_of(req)->cache, identity, recall, hit,
                   hit ? known_note(req, &facts) : STR_NONE);
}

/* Who gave the answer that is kept or joined, of those who may answer here: a route may have gone another way then. */
static void name_speaker(struct request *req)
{
    for (size_t g = 0; req->row && g < req->group_count; g++)
        for (size_t i = 0; i < req->groups[g].count; i++) {
            const struct model *model = req->groups[g].candidates[i].model;

            if (model->provider && str_eq(model->provider->name, req->answer->provider) &&
                str_eq(model->remote_name, req->answer->remote_model)) {
                req->model = model;
                return;
            }
        }
}

/* Not in memory: further down, or being asked by somebody, or to be asked by us. */
static NOINLINE SUSPENDS bool look_further(struct request *req, const struct cache_wish *wish,
                                           const struct cache_plan *plan,
                                           const struct cache_identity *identity, struct err *err)
{
    struct cache_ask ask;

    if (!fill_ask(req, wish, plan, identity, &ask, err))
        return false;
    ask.key = req->cache_key;
    cache_look_up(req->ticket, &ask);
    return true;
}

static NOINLINE SUSPENDS bool take_part(struct request *req, const struct cache_wish *wish,
                                        const struct cache_plan *plan, struct err *err)
{
    struct cache *cache = settings_of(req)->cache;
    struct cache_identity identity;
    struct cache_recall recall;
    bool hit;

    if (!identify(req, plan, &identity, err) || !find_key(req, &identity, &recall, err))
        return false;
    req->cache_key = recall.key;
    if (!cache_find(cache, req->arena, &recall.key, plan, &req->ticket, err))
        return false;
    if (cache_part(req->ticket) != CACHE_HITS && !look_further(req, wish, plan, &identity, err))
        return false;
    hit = cache_part(req->ticket) == CACHE_HITS;
    if (hit != recall.known)
        remember(req, &identity, &recall, hit);
    if (!hit)
        return true;
    req->answer = cache_answer(req->ticket);
    return req->answer ? recall_losses(req, err) : err_arena(err, req->arena);
}

struct str request_cache_control(const struct request *req)
{
    return req->http ? http_field(&http_head(req->http)->fields, STR("cache-control")) : STR_NONE;
}

/* Answers of documents change without a request knowing; one that is kept for Responses has an id that is one key's own,
 * and deleting it must be the end of it. */
static bool is_never_cached(const struct request *req)
{
    return !settings_of(req)->cache || req->answerer || response_is_kept(req);
}

static SUSPENDS bool look_up(struct request *req, struct err *err)
{
    struct cache_wish wish;
    struct cache_plan plan;
    struct str control = request_cache_control(req);

    if (is_never_cached(req) && !control.len && !req->chat.weir)
        return true;
    struct cache_rules rules = rules_of(req);
    if (!cache_wish_read(req->arena, req->chat.json, req->chat.weir, control, &wish, err))
        return false;
    if (is_never_cached(req)) /* who wants a kept answer or none gets none */
        return (!wish.only && wish.mode != CACHE_ONLY) || none_kept(req, err);
    if (!cache_decide(&rules, &wish, request_is_sampled(req), &plan, err))
        return false;
    if ((plan.may_read || plan.may_store) && !take_part(req, &wish, &plan, err))
        return false;
    return !plan.only || req->answer || none_kept(req, err);
}

bool look_up_answer(struct request *req, struct err *err)
{
    return look_up(req, err) && (req->answer || known_forget(req, err));
}

/* ---- join ---- */

/* The one that was joined is gone. Whoever looks up first asks; after some rounds everybody does. */
static SUSPENDS bool look_up_again(struct request *req, uint32_t round, struct err *err)
{
    struct err none = {0};

    cache_leave(req->ticket, &none);
    req->ticket = NULL;
    if (round < ROUNDS_MAX && !look_up_answer(req, err))
        return false;
    hold_drop(req->gateway->accounts, &req->hold); /* it was for a part of the price */
    return hold_budget_again(req, err);
}

bool join_answer(struct request *req, struct err *err)
{
    for (uint32_t round = 1; cache_part(req->ticket) == CACHE_JOINS; round++) {
        bool again;

        if (cache_join(req->ticket, &req->answer, &again, err)) {
            name_speaker(req);
            return recall_losses(req, err);
        }
        if (!again)
            return false;
        *err = (struct err){0};
        if (!look_up_again(req, round, err))
            return false;
    }
    return true;
}

/* ---- keep ---- */

bool keep_answer(struct request *req, struct err *err)
{
    struct str notes;

    return write_losses(req, &notes, err) &&
           cache_keep(req->ticket, notes, &req->answer, &req->kept, err);
}

/* ---- what others ask ---- */

bool request_is_cached(const struct request *req)
{
    enum cache_part part = cache_part(req->ticket);

    return part == CACHE_HITS || part == CACHE_JOINS;
}

struct str request_cache_said(const struct request *req)
{
    switch (cache_part(req->ticket)) {
    case CACHE_HITS: return STR("hit");
    case CACHE_JOINS: return STR("joined");
    case CACHE_LEADS: return req->kept ? STR("stored") : STR("miss");
    case CACHE_BYPASSES: break;
    }
    return settings_of(req)->cache && req->model ? STR("bypass") : STR_NONE;
}

usd_micro request_cache_price(const struct request *req, usd_micro price)
{
    return request_is_cached(req) ? price / 100 * settings_of(req)->price_percent +
                                        price % 100 * settings_of(req)->price_percent / 100
                                  : price;
}

int64_t request_cache_age(const struct request *req)
{
    if (cache_part(req->ticket) != CACHE_HITS)
        return -1;
    return MAX_OF(clock_wall() - cache_stored(req->ticket), 0) / 1000;
}
