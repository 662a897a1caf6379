/* Questions from inside the house: the same steps, hold and record as one from outside, beside the
 * request it is asked for. Who asks pulls the answer, so the record is made when the last bytes are
 * given to them, or at answer_end() when they did not want them all. */
#include "gateway/gateway_internal.h"
#include "gateway/telemetry.h"
#include "models/dialect.h"
#include "sys/fiber.h"

struct asked {
    struct request req;
    struct answer *outer; /* what the caller holds; req.answer is the one behind it */
    struct err failure;   /* that next() gave */
};

static void show_progress(struct asked *asked)
{
    const struct answer *inner = asked->req.answer;

    asked->outer->status = inner->status;
    asked->outer->streaming = inner->streaming;
    asked->outer->content_type = inner->content_type;
    asked->outer->meter = inner->meter;
}

static SUSPENDS bool next_asked(struct answer *answer, struct str *bytes, bool *last,
                                struct err *err)
{
    struct asked *asked = answer->own;
    struct request *req = &asked->req;
    bool ok;

    ok = req->answer->next(req->answer, bytes, last, err);
    show_progress(asked);
    req->status = answer->status;
    if (ok)
        tap_answer(req, *bytes);
    if (ok && *last)
        ok = request_record(req, &(struct err){0}, bytes->len, err);
    if (!ok) {
        blame_the_house(err);
        asked->failure = *err;
        return false;
    }
    if (!req->first_byte)
        req->first_byte = MAX_OF(fiber_now() - req->started, 1);
    req->head_sent = true;
    req->sent_bytes += bytes->len;
    return true;
}

/* No answer, or not all of it. */
static void record_rest(struct request *req, const struct err *why)
{
    struct err err = {0};

    if (!req->head_sent)
        req->status = err_http_status(why->code);
    if (!request_record(req, why, 0, &err))
        request_unrecorded(req, &err);
}

static SUSPENDS void end_asked(struct answer *answer)
{
    struct asked *asked = answer->own;

    if (!asked->req.recorded) {
        if (!asked->failure.code)
            err_set(&asked->failure, ERR_CANCELLED, "the rest of the answer was not wanted");
        record_rest(&asked->req, &asked->failure);
    }
    metrics_end(&asked->req, &asked->failure);
    request_log(&asked->req, &asked->failure);
    request_trace_end(&asked->req, &asked->failure);
}

static struct asked *new_asked(struct request *parent, const struct dialect *dialect,
                               const struct model *model, struct str body)
{
    struct asked *asked = arena_alloc(parent->arena, sizeof *asked);
    struct answer *outer = arena_alloc(parent->arena, sizeof *outer);

    if (!asked || !outer)
        return NULL;
    asked->outer = outer;
    asked->req = (struct request){.magic = REQUEST_MAGIC,
                                  .id = gateway_next_id(parent->gateway),
                                  .parent_id = parent->id,
                                  .arena = parent->arena,
                                  .config = parent->config,
                                  .gateway = parent->gateway,
                                  .dialect = dialect,
                                  .route = STR("ask"),
                                  .label = STR("ask"),
                                  .body = body,
                                  .who = parent->who,
                                  .links = parent->links,
                                  .documents = parent->documents,
                                  .document_count = parent->document_count,
                                  .model = model,
                                  .started = fiber_now()};
    asked->req.trace = trace_new(parent->arena, asked->req.id);
    telemetry_begin_inside(&asked->req, parent);
    return asked;
}

static bool choose_who(struct request *req, const struct request *parent, const struct model *model,
                       struct err *err)
{
    if (parent->writer && parent->writer->model == model) {
        candidates_of_writer(req, parent);
        return true;
    }
    return (model->provider ? candidates_alone : choose_the_house)(req, model, err);
}

/* *at: also when it fails, unless memory is gone. */
static SUSPENDS bool ask(struct request *parent, const struct dialect *dialect,
                         const struct model *model, struct str body, struct asked **at,
                         struct err *err)
{
    struct asked *asked = new_asked(parent, dialect, model, body);

    if (!asked)
        return err_arena(err, parent->arena);
    *at = asked;
    metrics_begin(&asked->req);
    fiber_carry(asked->req.trace);
    bool ok = choose_who(&asked->req, parent, model, err) && pipeline_ask(&asked->req, err);
    fiber_carry(parent->trace);
    if (!ok) {
        blame_the_house(err);
        record_rest(&asked->req, err);
        metrics_end(&asked->req, err);
        request_log(&asked->req, err);
        request_trace_end(&asked->req, err);
        return false;
    }
    *asked->outer = *asked->req.answer;
    asked->outer->next = next_asked;
    asked->outer->end = end_asked;
    asked->outer->own = asked;
    asked->outer->tell_failure = NULL; /* it speaks of the answer behind it */
    return true;
}

bool gateway_ask(struct request *parent, const struct model *model, struct str body,
                 struct answer **out, struct err *err)
{
    struct asked *asked = NULL;

    ASSERT(parent->magic == REQUEST_MAGIC && parent->who);
    if (!model->provider)
        return err_set(err, ERR_INVALID,
                       "model \"" STR_FMT
                       "\" is answered in the house and cannot be asked from inside",
                       STR_ARG(model->name));
    if (!ask(parent, &dialect_openai, model, body, &asked, err))
        return false;
    *out = asked->outer;
    return true;
}

/* ---- for who has no request ---- */

static SUSPENDS bool read_all(struct answer *answer, const struct gateway_asker *asker,
                              struct gateway_told *out, struct err *err)
{
    struct str bytes;
    bool last = false;
    struct buf all;

    buf_init(&all, asker->arena, asker->answer_bytes_max);
    while (!last) {
        if (!answer->next(answer, &bytes, &last, err))
            return false;
        buf_str(&all, bytes);
    }
    out->status = answer->status;
    out->streaming = answer->streaming;
    return buf_finish(&all, &out->body, err);
}

static SUSPENDS bool ask_and_read(struct request *parent, const struct gateway_asker *asker,
                                  const struct model *model, struct str body,
                                  struct gateway_told *out, struct err *err)
{
    const struct dialect *dialect = asker->kind == ASK_EMBEDDING    ? &dialect_embeddings
                                    : asker->kind == ASK_RERANK     ? &dialect_rerank
                                    : asker->kind == ASK_MODERATION ? &dialect_moderation
                                                                    : &dialect_openai;
    struct asked *asked = NULL;
    bool ok = ask(parent, dialect, model, body, &asked, err);

    if (ok) {
        struct answer *answer = asked->outer;

        ok = read_all(answer, asker, out, err);
        answer_end(&answer);
    }
    if (asked) {
        out->cost = asked->req.cost;
        out->lost = asked->req.losses ? asked->req.losses->fields : NULL;
        out->lost_count = asked->req.losses ? asked->req.losses->count : 0;
    }
    return ok;
}

bool gateway_ask_all(struct gateway *gateway, const struct gateway_asker *asker,
                     const struct model *model, struct str body, struct gateway_told *out,
                     struct err *err)
{
    struct request *parent = arena_alloc(asker->arena, sizeof *parent);
    void *carried = fiber_carried(), *held CLEANUP(snapshot_release) = NULL;

    ASSERT(asker->who);
    if (!parent)
        return err_arena(err, asker->arena);
    *parent = (struct request){.magic = REQUEST_MAGIC,
                               .id = asker->request_id,
                               .arena = asker->arena,
                               .gateway = gateway,
                               .who = asker->who,
                               .links = asker->links,
                               .trace = trace_new(asker->arena, asker->request_id),
                               .started = fiber_now()};
    parent->config = snapshot_borrow(gateway->config, &held);
    bool ok = ask_and_read(parent, asker, model, body, out, err);
    fiber_carry(carried);
    return ok;
}
