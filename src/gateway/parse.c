#include "gateway/gateway_internal.h"
#include "models/dialect.h"
#include "models/responses.h"
#include "sys/fiber.h"

static SUSPENDS bool receive(struct request *req, struct err *err)
{
    struct err over = {0};

    if (!http_body(req->http, &req->body, err)) {
        if (err->code == ERR_TIMEOUT && fiber_still_wanted(&over))
            req->problem_status = 408; /* the client was late, not a provider */
        return false;
    }
    if (req->body.len > req->config->body_bytes_max)
        return err_set(err, ERR_TOO_LARGE, "the body has %zu bytes, at most %zu are taken",
                       req->body.len, req->config->body_bytes_max);
    return true;
}

/* file_search over knowledge bases is the wish for these documents. */
static bool wish_for_search(struct request *req, struct err *err)
{
    const struct responses_asked *asked =
        req->dialect == &dialect_responses ? req->conversation->own : NULL;
    struct json *made;

    if (!asked || !asked->search)
        return true;
    asked->search->shows = asked->include_results;
    if (!responses_search_wish(req->arena, asked->search, req->chat.json, req->chat.weir, &made,
                               err))
        return false;
    chat_take_json(&req->chat, made);
    return true;
}

static NOINLINE SUSPENDS bool read_conversation(struct request *req, struct err *err)
{
    struct conversation *c = arena_alloc(req->arena, sizeof *c);
    struct json *json;

    if (!c)
        return err_arena(err, req->arena);
    json = json_parse(req->arena, req->body, err);
    if (!json)
        return err_wrap(err, "the body is not JSON");
    if (!req->dialect->read_request(req->arena, json, c, err))
        return false;
    req->conversation = c;
    c->started = req->started;
    if (req->entry && req->entry->prepare && !req->entry->prepare(req, err))
        return false;
    if (str_is_empty(c->model))
        return err_set(err, ERR_INVALID, "model: expected the name of a model");
    chat_from_conversation(c, json, req->body, &req->chat);
    return wish_for_search(req, err);
}

/* A member with a slip of the pen would do nothing, without a word. */
static bool check_options(const struct request *req, struct err *err)
{
    static const char *const known[] = {"tags",        "data_class", "fallback",       "cache",
                                        "knowledge",   "filter",     "search",         "passages",
                                        "unsupported", "ranker",     "score_threshold"};

    for (json_ref v = json_first(req->chat.json, req->chat.weir); v;
         v = json_next(req->chat.json, v)) {
        struct str name = json_key_raw(req->chat.json, v);
        size_t i = 0;

        while (i < ARRAY_LEN(known) && !str_eq(name, str_from(known[i])))
            i++;
        if (i == ARRAY_LEN(known))
            return err_set(err, ERR_INVALID,
                           "weir: unknown member \"" STR_FMT "\"; it knows tags, data_class, "
                           "fallback, cache, knowledge, filter, search, passages, unsupported, "
                           "ranker, score_threshold",
                           STR_ARG(str_slice(name, 0, 40)));
    }
    return true;
}

/* A chat completion that only passes through needs no more than what is read from its index. */
bool parse_body(struct request *req, struct err *err)
{
    bool known;

    if ((req->http && !receive(req, err)) || !known_find(req, &known, err))
        return false;
    if (known)
        return true; /* and nothing was wrong with it */
    if (!(req->dialect == &dialect_openai
              ? chat_read_request(req->arena, req->body, &req->chat, err)
              : read_conversation(req, err)))
        return false;
    return !req->chat.weir || check_options(req, err);
}
