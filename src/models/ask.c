/* One question to one deployment: spliced where client and provider speak the same, else translated. */
#include "models/prompts.h"
#include "models/speech.h"
#include "models/upstream.h"

#define WEIR_MEMBER_MAX (16 * KIB)

bool question_conversation(struct arena *arena, struct model_question *question, struct err *err)
{
    struct conversation *c;

    if (question->conversation)
        return true;
    c = arena_alloc(arena, sizeof *c);
    if (!c)
        return err_arena(err, arena);
    if (!question->client->read_request(arena, question->json, c, err))
        return false;
    question->conversation = c;
    return true;
}

/* ---- spliced ---- */

static const struct dialect *provider_dialect(const struct model *model)
{
    return model->provider->dialect ? model->provider->dialect : &dialect_openai;
}

/* The body of a status that is no answer. */
static SUSPENDS bool read_refusal(struct arena *arena, const struct model *model,
                                  struct answer *answer, struct refusal *why, struct err *err)
{
    bool last = false;
    uint64_t seconds;
    struct str body;

    *why = (struct refusal){.status = answer->status,
                            .content_type = answer->content_type,
                            .request_id = answer->request_id,
                            .retry_text = answer->retry_after};
    if (u64_parse(str_trim(answer->retry_after), &seconds) && seconds <= 86400)
        why->retry_after = (dur_ns)seconds * SECOND;
    if (!answer->next(answer, &body, &last, err))
        return false;
    why->body = arena_str(arena, body);
    if (!why->body.ptr)
        return err_arena(err, arena);
    return refusal_read(arena, provider_dialect(model), model->provider, why, err);
}

static SUSPENDS bool pass_on(struct arena *arena, const struct model *model, struct answer *answer,
                             struct answer **out, struct refusal *why, struct err *err)
{
    if (answer->status < 400) {
        *out = answer;
        return true;
    }
    (void)read_refusal(arena, model, answer, why, err);
    answer_end(&answer);
    return false;
}

static SUSPENDS bool splice(struct arena *arena, const struct model *model,
                            const struct model_question *question, struct answer **out,
                            struct refusal *why, struct err *err)
{
    struct answer *answer;

    return provider_ask(arena, model, question, &answer, why, err) &&
           pass_on(arena, model, answer, out, why, err);
}

/* ---- spliced in any other dialect that both sides speak ---- */

static bool needs_losses(struct arena *arena, const struct model *model,
                         struct model_question *question, struct err *err)
{
    if (!question->losses)
        question->losses = arena_alloc(arena, sizeof *question->losses);
    if (!question->losses)
        return err_arena(err, arena);
    losses_clear(question->losses, model->provider->refuse_unsupported);
    return true;
}

/* Unless another house has signed something in it: that must be taken out. */
static bool may_splice(const struct model *model, const struct model_question *question)
{
    const struct dialect *provider = provider_dialect(model);
    struct str body;

    if (!question->json || !question->conversation || question->client != provider ||
        !provider->splice_request || question->conversation->spoken != provider)
        return false;
    body = json_raw(question->json, json_root(question->json));
    return str_find(body, STR(SIGNED_MARK)) == body.len;
}

static SUSPENDS bool splice_same(struct arena *arena, const struct model *model,
                                 struct model_question *question, bool *fits, struct answer **out,
                                 struct refusal *why, struct err *err)
{
    struct splicing splicing = {.edit_count = 0};
    struct outgoing outgoing = {0};
    struct answer *answer;

    if (!needs_losses(arena, model, question, err) ||
        !question->client->splice_request(arena, question, model, question->losses, &splicing,
                                          &outgoing, fits, err))
        return false;
    return !*fits ||
           (provider_ask_same(arena, model, question, &splicing, &outgoing, &answer, why, err) &&
            pass_on(arena, model, answer, out, why, err));
}

/* ---- translated ---- */

static bool tell_losses(struct arena *arena, const struct losses *losses, struct str *out,
                        struct err *err)
{
    struct json_writer w;
    struct buf b;

    if (!losses->count && !losses->max_tokens_assumed)
        return true;
    buf_init(&b, arena, WEIR_MEMBER_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    losses_tell(&w, losses);
    jw_object_end(&w);
    return buf_finish(&b, out, err);
}

static SUSPENDS bool open_speech(struct arena *arena, const struct model *model,
                                 struct model_question *question, struct speech **out,
                                 struct refusal *why, struct err *err)
{
    if (prompts_are_apart(model, question->conversation))
        return prompts_open(arena, model, question, out, why, err);
    return speech_open(arena, model, question->conversation, question->losses, question->request_id,
                       out, why, err);
}

static SUSPENDS bool translate(struct arena *arena, const struct model *model,
                               struct model_question *question, struct answer **out,
                               struct refusal *why, struct err *err)
{
    struct speech *speech CLEANUP(speech_end) = NULL;
    struct buf digits;
    struct str id;

    buf_init(&digits, arena, 16);
    buf_hex_u64(&digits, question->request_id);
    if (!buf_finish(&digits, &id, err))
        return false;
    if (!needs_losses(arena, model, question, err))
        return false;
    if (!question_conversation(arena, question, err) ||
        !open_speech(arena, model, question, &speech, why, err) ||
        !tell_losses(arena, question->losses, &speech->weir, err))
        return false;
    *out = answer_from_speech(arena, question->client, question->conversation, speech, id, err);
    if (!*out)
        return false;
    speech = NULL; /* the answer's, until its end */
    return true;
}

bool model_ask(struct arena *arena, const struct model *model, struct model_question *question,
               struct answer **out, struct refusal *why, struct err *err)
{
    const struct dialect *provider = model->provider->dialect;

    if (question->losses)
        losses_clear(question->losses, question->losses->refuse);
    if (question->chat && (!provider || provider == &dialect_openai))
        return splice(arena, model, question, out, why, err);
    if (may_splice(model, question)) {
        bool fits = true;

        if (!splice_same(arena, model, question, &fits, out, why, err))
            return false;
        if (fits)
            return true;
    }
    return translate(arena, model, question, out, why, err);
}
