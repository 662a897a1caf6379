/* A question that was asked before, byte for byte, and has an answer in the cache: what was read in its body then stands
 * beside the key (cache/recall.h), and the body is not read as JSON again. What stands there follows from the bytes
 * alone, whoever sends them and whatever the settings say, so all that is decided from it is decided anew for each request,
 * by the same steps. Where there is no answer after all, the body is read as ever.
 *
 * Of chat completions only: of other dialects a request has more than fits here (struct conversation). */
#include <assert.h>
#include <string.h>

#include "cache/cache.h"
#include "cache/recall.h"
#include "gateway/gateway_internal.h"
#include "models/dialect.h"

static_assert(sizeof(struct body_facts) <= RECALL_NOTES, "they stand in the notes of a question");

static bool may_be_known(const struct request *req)
{
    const struct trace_context *context = trace_joined(req->trace);

    /* Whose spans are exported tells more of its body than is noted. */
    return req->http && req->config->cache.cache && req->dialect == &dialect_openai &&
           !(context && context->recorded);
}

struct cache_identity question_asked(const struct request *req)
{
    struct json *json = req->conversation ? req->chat.json : NULL;

    return (struct cache_identity){.tenant = req->who->tenant,
                                   .dialect = req->label,
                                   .text = json ? json_raw(json, json_root(json)) : req->body};
}

struct str known_text(const struct request *req, struct body_place place)
{
    return (struct str){req->body.ptr + place.at, place.len};
}

/* Of our own options alone an index is made: steps read them as they do in the whole body's. */
static bool read_options_of(struct request *req, struct str weir, struct err *err)
{
    req->chat.json = json_parse(req->arena, weir, err);
    if (!req->chat.json)
        return false;
    req->chat.weir = json_root(req->chat.json);
    return true;
}

bool known_find(struct request *req, bool *found, struct err *err)
{
    struct body_facts facts;
    struct cache_identity asked;

    *found = false;
    if (!may_be_known(req))
        return true;
    asked = question_asked(req);
    if (!cache_recall_notes(req->config->cache.cache, &asked, &facts, sizeof facts))
        return true;
    req->facts = arena_alloc_raw(req->arena, sizeof *req->facts);
    if (!req->facts)
        return err_arena(err, req->arena);
    *req->facts = facts;
    req->seen = asked.seen;
    req->chat = (struct chat_request){.body = req->body,
                                      .model = known_text(req, facts.model),
                                      .stream = facts.stream,
                                      .include_usage = facts.include_usage,
                                      .max_tokens = facts.max_tokens,
                                      .n = facts.n,
                                      .prompt_bytes = facts.prompt_bytes,
                                      .prompt_extra = facts.prompt_extra};
    *found = true;
    return !facts.weir.len || read_options_of(req, known_text(req, facts.weir), err);
}

bool known_forget(struct request *req, struct err *err)
{
    if (!req->facts)
        return true;
    req->facts = NULL;
    return chat_read_request(req->arena, req->body, &req->chat, err);
}

/* False: it does not stand in the body as it is meant, or too far behind. */
static bool place_of(const struct request *req, struct str text, struct body_place *out)
{
    uintptr_t at = (uintptr_t)text.ptr - (uintptr_t)req->body.ptr;

    *out = (struct body_place){0};
    if (!text.len)
        return true;
    if (at > UINT32_MAX || text.len > UINT32_MAX || at + text.len > req->body.len)
        return false;
    *out = (struct body_place){(uint32_t)at, (uint32_t)text.len};
    return true;
}

struct str known_note(const struct request *req, struct body_facts *out)
{
    const struct chat_request *chat = &req->chat;

    if (req->facts || !chat->json || req->conversation || req->dialect != &dialect_openai)
        return STR_NONE;
    memset(out, 0, sizeof *out); /* its holes too: it is kept as bytes */
    out->prompt_bytes = chat->prompt_bytes;
    out->prompt_extra = chat->prompt_extra;
    out->max_tokens = chat->max_tokens;
    out->n = chat->n;
    out->needs = req->needs;
    out->stream = chat->stream;
    out->include_usage = chat->include_usage;
    out->sampled = request_is_sampled(req);
    if (!place_of(req, chat->model, &out->model) || !place_of(req, body_user(req), &out->user) ||
        !place_of(req, json_raw(chat->json, chat->weir), &out->weir))
        return STR_NONE;
    return (struct str){(const char *)out, sizeof *out};
}
