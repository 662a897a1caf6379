#include "gateway/gateway_internal.h"
#include "models/dialect.h"
#include "models/speech.h"

/* Several prompts of one request are asked at once as far as its key has room. */
static bool widen(void *room)
{
    struct request *req = room;

    return hold_widen(req->gateway->accounts, &req->hold);
}

static void narrow(void *room)
{
    struct request *req = room;

    hold_narrow(req->gateway->accounts, &req->hold);
}

struct model_question question_of(struct request *req)
{
    return (struct model_question){.client = req->dialect,
                                   .chat = req->dialect == &dialect_openai ? &req->chat : NULL,
                                   .conversation = req->conversation,
                                   .json = req->chat.json,
                                   .losses = req->losses,
                                   .request_id = req->id,
                                   .prompts_at_once = req->config->prompts_at_once,
                                   .widen = widen,
                                   .narrow = narrow,
                                   .room = req};
}

void question_is_asked(struct request *req, const struct model_question *question)
{
    req->conversation = question->conversation;
    req->losses = question->losses;
}

/* ---- models that are answered in the house: they speak the chat dialect ---- */

/* Who writes a question for the house: nobody's habits apply. */
static const struct provider in_the_house = {.kind = KIND_OPENAI, .dialect = &dialect_openai};

/* What the client wishes of Weir itself is no part of a conversation: it goes along as it was said. */
static bool add_wishes(struct request *req, struct str *body, struct err *err)
{
    struct str weir = json_raw(req->chat.json, req->chat.weir);

    ASSERT(str_ends(*body, STR("}")));
    *body = arena_fmt(req->arena, STR_FMT ",\"weir\":" STR_FMT "}",
                      STR_ARG(str_slice(*body, 0, body->len - 1)), STR_ARG(weir));
    return body->ptr || err_arena(err, req->arena);
}

static bool write_for_the_house(struct request *req, struct str *body, struct err *err)
{
    const struct model to = {
        .name = req->model->name, .remote_name = req->chat.model, .provider = &in_the_house};
    struct losses none = {0};
    struct outgoing out = {0};

    if (req->conversation->kind != ASK_CHAT && !req->conversation->turns)
        return err_set(err, ERR_INVALID, "model \"" STR_FMT "\" answers questions, nothing else",
                       STR_ARG(req->model->name));
    if (!dialect_openai.write_request(req->arena, req->conversation, &to, &none, &out, err))
        return false;
    *body = out.body;
    return !req->chat.weir || add_wishes(req, body, err);
}

/* The answer in the client's dialect, from the one the house gives. */
static bool translate(struct request *req, struct answer *made, struct err *err)
{
    struct speech *speech CLEANUP(speech_end) = NULL;
    struct str id = arena_fmt(req->arena, "%016" PRIx64, req->id);

    if (!id.ptr) {
        answer_end(&made);
        return err_arena(err, req->arena);
    }
    if (!speech_from_answer(req->arena, &dialect_openai, req->conversation, made, &speech, err)) {
        answer_end(&made);
        return false;
    }
    req->answer = answer_from_speech(req->arena, req->dialect, req->conversation, speech, id, err);
    if (!req->answer)
        return false;
    speech = NULL; /* the answer's, until its end */
    return true;
}

static NOINLINE SUSPENDS bool ask_house_in_chat(struct request *req, struct err *err)
{
    struct answer *made = NULL;
    struct str body;

    if (!write_for_the_house(req, &body, err) ||
        !chat_read_request(req->arena, body, &req->chat, err) ||
        !chat_read_question(req->arena, &req->chat, err) ||
        !req->answerer->ask(req->answerer->ctx, req, &made, err))
        return false;
    req->paid_inside = made->provider.len > 0;
    return translate(req, made, err);
}

/* An order of documents is no chat: who answers writes it in the client's own dialect. */
static SUSPENDS bool ask_house(struct request *req, struct err *err)
{
    if (req->conversation && req->conversation->kind == ASK_RERANK)
        return req->answerer->ask(req->answerer->ctx, req, &req->answer, err);
    if (req->dialect != &dialect_openai)
        return ask_house_in_chat(req, err);
    if (!chat_read_question(req->arena, &req->chat, err) ||
        !req->answerer->ask(req->answerer->ctx, req, &req->answer, err))
        return false;
    req->paid_inside = req->answer->provider.len > 0;
    return true;
}

/* ---- models that a provider answers ---- */

static NOINLINE SUSPENDS bool ask_provider(struct request *req, struct refusal *why,
                                           struct err *err)
{
    struct model_question *question = arena_alloc(req->arena, sizeof *question);
    bool ok;

    if (!question)
        return err_arena(err, req->arena);
    *question = question_of(req);
    ok = candidates_ask(req, question, why, err);
    question_is_asked(req, question);
    return ok;
}

bool call_model(struct request *req, struct err *err)
{
    struct refusal why = {0};

    ASSERT(!req->answer && req->hold.open);
    if (req->answerer)
        return ask_house(req, err);
    req->asked = true;
    return ask_provider(req, &why, err) || (why.status && answer_refusal(req, &why, err));
}
