/* Who a question is asked for, and what is kept of it beside its audit record: nothing, a keyed hash, or
 * question and answer sealed. By the tenant's policy; see accounts/audit_body.h. */
#include <string.h>

#include "base/log.h"
#include "gateway/gateway_internal.h"

#define SUBJECT_FIELD STR("x-weir-subject")
#define SCRATCH_BYTES ((size_t)64 * KIB)

/* What is gathered of an answer while it goes by. */
struct body_tap {
    enum audit_body_policy policy;
    struct arena *arena; /* its own: what requests may use is counted apart */
    size_t max;          /* of question and of answer */
    struct buf answer;
    bool truncated;
};

static enum audit_body_policy policy_of(const struct request *req)
{
    const struct config *config = req->config;

    for (size_t i = 0; i < config->body_tenant_count; i++)
        if (str_eq(config->body_tenants[i].tenant, req->who->tenant))
            return config->body_tenants[i].policy;
    return config->bodies;
}

struct str body_user(const struct request *req)
{
    const struct chat_request *chat = &req->chat;
    struct str user = STR_NONE;

    if (req->facts)
        return known_text(req, req->facts->user);
    return chat->user && json_str(chat->json, chat->user, req->arena, &user) ? user : STR_NONE;
}

/* OpenAI's "user", Anthropic's metadata.user_id, or our own header, which decides. */
static struct str user_of(const struct request *req)
{
    struct str user = STR_NONE;

    if (req->http)
        user = http_field(&http_head(req->http)->fields, SUBJECT_FIELD);
    return user.len ? user : body_user(req);
}

static void end_arena(void *arena)
{
    struct arena *a = arena;

    arena_end(&a);
}

static bool open_tap(struct request *req, enum audit_body_policy policy, struct err *err)
{
    size_t max = req->config->body_kept_max;
    struct body_tap *tap = arena_alloc(req->arena, sizeof *tap);
    struct arena *arena = arena_new(8 * max + SCRATCH_BYTES);

    if (!tap || !arena || !arena_defer(req->arena, end_arena, arena)) {
        arena_end(&arena);
        return err_no_room(err, "no memory to keep the body for the audit log");
    }
    *tap = (struct body_tap){.policy = policy, .arena = arena, .max = max};
    buf_init(&tap->answer, arena, max);
    req->tap = tap;
    return true;
}

bool may_have_subject(const struct request *req)
{
    const struct config *config = req->config;
    bool by_body = req->facts ? req->facts->user.len > 0 : req->chat.user != 0;

    return req->gateway->bodies &&
           (by_body || config->body_tenant_count > 0 || config->bodies != BODIES_NONE ||
            (req->http && http_field(&http_head(req->http)->fields, SUBJECT_FIELD).len > 0));
}

bool name_subject(struct request *req, struct err *err)
{
    struct audit_bodies *bodies = req->gateway->bodies;
    enum audit_body_policy policy = bodies ? policy_of(req) : BODIES_NONE;
    struct str user = bodies ? user_of(req) : STR_NONE;

    if (!user.len && policy == BODIES_NONE)
        return true;

    char *text = arena_alloc(req->arena, AUDIT_SUBJECT_TEXT);

    if (!text)
        return err_arena(err, req->arena);
    audit_subject(bodies, req->who->tenant, user, req->who->key_id, text);
    req->subject = str_from(text);
    return policy == BODIES_NONE || open_tap(req, policy, err);
}

void tap_answer(struct request *req, struct str bytes)
{
    struct body_tap *tap = req->tap;

    if (!tap || !bytes.len)
        return;

    struct str kept = str_slice(bytes, 0, tap->max - tap->answer.len);

    buf_str(&tap->answer, kept);
    if (kept.len < bytes.len || !buf_ok(&tap->answer))
        tap->truncated = true;
}

/* A body that cannot be kept is no reason to refuse an answer that was paid for; the record says so. */
static void seal(struct request *req, const struct audit_body *body, struct audit_record *record)
{
    struct audit_place *place = arena_alloc(req->tap->arena, sizeof *place);
    struct err err = {0};

    if (place && audit_body_seal(req->gateway->bodies, body, req->tap->arena, place, &err)) {
        record->body = str_from(place->place);
        record->body_hash = str_from(place->hash);
        return;
    }
    record->body = STR("lost");
    log_line(LOG_ERROR, req->id, "the body was not kept: %s", err.code ? err.text : "no memory");
}

void record_body(struct request *req, struct audit_record *record)
{
    struct body_tap *tap = req->tap;

    record->subject = req->subject;
    if (!tap)
        return;

    struct audit_body body = {.subject = req->subject,
                              .request_id = req->id,
                              .question = str_slice(req->body, 0, tap->max),
                              .answer = buf_ok(&tap->answer) ? buf_view(&tap->answer) : STR("")};

    record->body_truncated = tap->truncated || body.question.len < req->body.len;
    if (tap->policy == BODIES_SEALED) {
        seal(req, &body, record);
        return;
    }

    char *hash = arena_alloc(tap->arena, 2 * SHA256_BYTES + 1);

    if (hash) {
        audit_body_hash(req->gateway->bodies, &body, hash);
        record->body_hash = str_from(hash);
    }
    record->body = hash ? STR("hash") : STR("lost");
}
