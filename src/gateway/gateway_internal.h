/* gateway/gateway_internal.h: what the steps and finish() share. Siblings only. */
#ifndef WEIR_GATEWAY_GATEWAY_INTERNAL_H
#define WEIR_GATEWAY_GATEWAY_INTERNAL_H

#include <stdatomic.h>

#include "gateway/gateway.h"
#include "gateway/metrics.h"

#define REQUEST_ID_TEXT 20  /* "req_" and 16 hex digits, everywhere the same */
#define NAME_SHOWN_MAX  128 /* of a model name that a client made up, in log and audit */

struct gateway {
    struct accounts *accounts;
    struct audit_bodies *bodies;
    struct snapshot *config;
    struct responses_store *responses; /* NULL: no answers are kept */
    SUSPENDS bool (*stands)(void *ctx, struct arena *arena, struct str sources,
                            const struct principal *who, enum made_from *out, struct err *err);
    void *stands_ctx;
    _Atomic uint64_t requests; /* ids count on from here, mixed with the seed */
    uint64_t id_seed, trace_seed;
    struct telemetry *telemetry;
    struct traces *traces;
    int64_t started; /* seconds since 1970 */
};

void request_id_write(char out[REQUEST_ID_TEXT], uint64_t id);
struct str request_model_shown(const struct request *req); /* as asked for, cut */
/* Who answered or was asked last; provider "weir": from documents; empty: nobody. */
struct speaker {
    struct str deployment; /* the catalogue's */
    struct str provider;
    struct str remote_model; /* its name for the model */
};
struct speaker request_speaker(const struct request *req);
bool request_is_named_by_routes(const struct request *req);

/* ---- steps, a file each; the table that orders them is in pipeline.c ---- */
SUSPENDS bool authenticate(struct request *req, struct err *err) MUST_CHECK;
SUSPENDS bool parse_body(struct request *req, struct err *err) MUST_CHECK;
bool may_have_subject(const struct request *req); /* else name_subject() has nothing to do */
bool name_subject(struct request *req, struct err *err) MUST_CHECK;
SUSPENDS bool choose_route(struct request *req, struct err *err) MUST_CHECK;
SUSPENDS bool look_up_answer(struct request *req, struct err *err) MUST_CHECK;
struct str request_cache_control(const struct request *req); /* the header; empty: none */
SUSPENDS bool hold_budget(struct request *req, struct err *err) MUST_CHECK;
/* Of another price: the first hold was dropped, and the limits of requests a minute have it already. */
SUSPENDS bool hold_budget_again(struct request *req, struct err *err) MUST_CHECK;
SUSPENDS bool join_answer(struct request *req, struct err *err) MUST_CHECK;
SUSPENDS bool call_model(struct request *req, struct err *err) MUST_CHECK;
SUSPENDS bool keep_answer(struct request *req, struct err *err) MUST_CHECK;
SUSPENDS bool list_models(struct request *req, struct err *err) MUST_CHECK;
SUSPENDS bool deliver_answer(struct request *req, struct err *err) MUST_CHECK;

/* ---- Gemini's ways in (gemini.c) ---- */
SUSPENDS bool prepare_gemini(struct request *req, struct err *err) MUST_CHECK;
bool prepare_converse(struct request *req, struct err *err) MUST_CHECK; /* entry.c */
bool is_gemini_count(const struct request *req);
bool is_message_count(const struct request *req);
SUSPENDS bool count_message(struct request *req, struct err *err) MUST_CHECK;
SUSPENDS bool serve_kept(struct request *req, struct err *err) MUST_CHECK;
SUSPENDS bool count_gemini(struct request *req, struct err *err) MUST_CHECK;
/* The prompt's tokens by its bytes as the answer, under this name and marked as an estimate: no tokenizer of a model
 * that may stand anywhere is at hand. */
bool answer_estimate(struct request *req, struct str name, struct err *err) MUST_CHECK;
void gemini_write_model(struct json_writer *w, const struct request *req,
                        const struct model *model);
bool gemini_write_models(struct json_writer *w, struct request *req, struct err *err) MUST_CHECK;
bool request_may_ask(const struct request *req, const struct model *model); /* list.c */
/* What the key may name: models, and names that routes alone have, as models of the house. */
bool list_offered(struct request *req, const struct model ***out, size_t *count, struct err *err)
    MUST_CHECK;
struct list {
    const struct model **models;
    size_t count;
};
size_t list_find(const struct list *list, struct str name); /* its place; count: not in it */
/* The query's parameter of this name: 1 to 1000, without it 1000. */
bool list_page_size(struct request *req, struct str name, size_t *out, struct err *err) MUST_CHECK;
/* "weir" with lifecycle and successor, of who is not simply active. */
void list_write_lifecycle(struct json_writer *w, const struct catalogue *c,
                          const struct model *model);
void anthropic_write_model(struct json_writer *w, const struct request *req,
                           const struct model *model);
bool anthropic_write_models(struct json_writer *w, struct request *req, struct err *err) MUST_CHECK;

/* ---- for whoever calls models (call.c) ---- */
struct model_question question_of(struct request *req);
/* What was found out while asking goes back to the request. */
void question_is_asked(struct request *req, const struct model_question *question);
/* No candidate is left: the provider's own refusal becomes the answer, and *err is none. */
bool answer_refusal(struct request *req, const struct refusal *why, struct err *err) MUST_CHECK;

/* Steps for a question from inside: all of the above that make sense there. */
SUSPENDS bool pipeline_ask(struct request *req, struct err *err) MUST_CHECK;

/* ---- who may answer (candidates.c) ---- */

/* The row of the routes that holds for the request, or none; what it needs; its options. */
bool candidates_find(struct request *req, struct err *err) MUST_CHECK;
bool candidates_of_row(struct request *req, struct err *err) MUST_CHECK;
/* A model that Weir answers itself. */
bool choose_the_house(struct request *req, const struct model *model, struct err *err) MUST_CHECK;
/* As who is to write the answer of `parent` was chosen. */
void candidates_of_writer(struct request *req, const struct request *parent);
bool candidates_alone(struct request *req, const struct model *model, struct err *err) MUST_CHECK;
usd_micro candidates_price_worst(const struct request *req); /* of the dearest */
int64_t candidates_output_tokens_max(const struct request *req);
/* One after the other. On success req->answer has begun; req->model is who was asked last. */
SUSPENDS bool candidates_ask(struct request *req, struct model_question *question,
                             struct refusal *why, struct err *err) MUST_CHECK;

/* ---- bodies that were read before (known.c) ---- */

/* *found: req->chat and req->facts stand; else the body is to be read. */
bool known_find(struct request *req, bool *found, struct err *err) MUST_CHECK;
/* No answer is at hand: the body is read after all, if it was not. */
bool known_forget(struct request *req, struct err *err) MUST_CHECK;
/* For whoever sends the same bytes again; empty: nothing that may be kept. */
struct str known_note(const struct request *req, struct body_facts *out);
struct str known_text(const struct request *req, struct body_place place);
/* Tenant, dialect and bytes of what is asked: an identity of the cache as far as it stands before the body is read. */
struct cache_identity question_asked(const struct request *req);
struct str body_user(const struct request *req); /* sealed.c: whom it is asked for, by the body */
bool request_is_sampled(const struct request *req); /* look_up.c */

/* ---- look_up.c: what the cache did ---- */
bool request_is_cached(const struct request *req);        /* the answer is another request's */
struct str request_cache_said(const struct request *req); /* x-weir-cache; empty: no cache here */
int64_t request_cache_age(const struct request *req);     /* seconds, or -1 */
/* Of what the tokens cost: all of it, or what an answer from the cache costs. */
usd_micro request_cache_price(const struct request *req, usd_micro price);
/* ---- answers that are kept (kept.c) ---- */
/* What the question goes on from takes its place before it. */
SUSPENDS bool prepare_response(struct request *req, struct err *err) MUST_CHECK;
bool response_is_kept(const struct request *req); /* or will be, when it is whole */
/* The answer is whole and its last bytes have not left. */
SUSPENDS void keep_response(struct request *req);
bool prepare_message(struct request *req, struct err *err) MUST_CHECK; /* count.c */

/* ---- the end of every path ---- */

/* Settle the hold and append the audit record, once. `why` is the error that ended the request, or has
 * ERR_NONE; last_bytes are about to leave and counted as sent. */
bool request_record(struct request *req, const struct err *why, size_t last_bytes, struct err *err)
    MUST_CHECK;
/* What is kept of a question and its answer, by the tenant's policy (sealed.c). */
void tap_answer(struct request *req, struct str bytes); /* before they leave */
void record_body(struct request *req, struct audit_record *record);
/* No record can be written, the disk is full or failing: say so and give the money back. */
void request_unrecorded(struct request *req, const struct err *err);
void request_log(const struct request *req, const struct err *why);
void blame_the_house(struct err *err); /* memory that is used up is no limit of the client */
/* Ends the answer, keeps and exports what the request did. */
SUSPENDS void request_trace_end(struct request *req, const struct err *why);

/* ---- replies ---- */

/* The fields of our replies; values live in `text` or longer than the reply. */
struct reply_head {
    struct http_reply reply;
    struct http_field fields[28];
    char text[512]; /* id, numbers, times, a price */
    struct buf values;
};
void reply_head_init(struct reply_head *head, const struct request *req, bool cost_known);
SUSPENDS void reply_error(struct request *req, const struct err *err);

#endif
