/* /api/v1/knowledge: search and answers for programs that want them as data. Both are questions to the
 * model that answers from documents, asked through the gateway: allowed, counted and recorded as any. */
#include "app/admin_bases.h"
#include "app/admin_fields.h"
#include "sys/snapshot.h"

#define QUERY_BYTES_MAX  4000
#define SEARCH_RESULTS   5
#define ANSWER_BYTES_MAX (8 * MIB)

static const struct schema_field search_fields[] = {
    {"query", FIELD_PROSE, 0, NULL, 1, QUERY_BYTES_MAX, NULL, NULL},
    {"limit", FIELD_COUNT, FIELD_OPTIONAL, "Passages; 5 when not said.", 1, SEARCH_LIMIT_MAX, NULL,
     NULL},
    {"filter", FIELD_ANY, FIELD_OPTIONAL,
     "A condition on metadata, as {\"equals\": {\"key\": \"year\", \"value\": 2026}}.", 0, 0, NULL,
     NULL},
    {0},
};
static const struct schema search_schema = {"KnowledgeSearch", "What to look for.", search_fields,
                                            NULL};
static const struct schema_field answer_fields[] = {
    {"question", FIELD_PROSE, 0, NULL, 1, QUERY_BYTES_MAX, NULL, NULL},
    {"filter", FIELD_ANY, FIELD_OPTIONAL, "A condition on metadata.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema answer_schema = {"KnowledgeQuestion", "What to answer.", answer_fields,
                                            NULL};

static const struct schema_field step_fields[] = {
    {"name", FIELD_PROSE, 0, "A name, in lower case.", 0, 0, NULL, NULL},
    {"document", FIELD_TEXT, 0, NULL, 0, 0, NULL, NULL},
    {"path", FIELD_PROSE, 0, NULL, 0, 0, NULL, NULL},
    {"lines", FIELD_COUNT, FIELD_OPTIONAL | FIELD_LIST,
     "Not where a title or heading has the name.", 0, 0, NULL, NULL},
    {"bytes", FIELD_COUNT, FIELD_OPTIONAL | FIELD_LIST, NULL, 0, 0, NULL, NULL},
    {"page", FIELD_COUNT, FIELD_OPTIONAL, NULL, 0, 0, NULL, NULL},
    {"label", FIELD_PROSE, FIELD_OPTIONAL, NULL, 0, 0, NULL, NULL},
    {"box", FIELD_NUMBER, FIELD_OPTIONAL | FIELD_LIST, NULL, 0, 0, NULL, NULL},
    {"quote", FIELD_PROSE, 0, "The sentence that has it.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema step_schema = {"CitationStep", "A step of a path through the graph.",
                                          step_fields, NULL};
static const struct schema_field part_fields[] = {
    {"question", FIELD_PROSE, 0, NULL, 0, 0, NULL, NULL},
    {"answered", FIELD_BOOL, 0, NULL, 0, 0, NULL, NULL},
    {"citations", FIELD_COUNT, FIELD_LIST, "Their numbers.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema part_schema = {
    "AnsweredPart", "A part of a question that asks several things.", part_fields, NULL};
static const struct schema_field citation_fields[] = {
    {"number", FIELD_COUNT, 0, "As the text marks it: [1].", 0, 0, NULL, NULL},
    {"knowledge", FIELD_TEXT, FIELD_OPTIONAL, "The knowledge base it is from.", 0, 0, NULL, NULL},
    {"document", FIELD_TEXT, 0, NULL, 0, 0, NULL, NULL},
    {"file", FIELD_TEXT, FIELD_OPTIONAL, "Of /v1/files, that it was sent by.", 0, 0, NULL, NULL},
    {"version", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"path", FIELD_PROSE, 0, NULL, 0, 0, NULL, NULL},
    {"title", FIELD_PROSE, 0, NULL, 0, 0, NULL, NULL},
    {"heading", FIELD_PROSE, 0, "Path of headings.", 0, 0, NULL, NULL},
    {"url", FIELD_TEXT, 0, "A page of it at the passage, for people.", 0, 0, NULL, NULL},
    {"lines", FIELD_COUNT, FIELD_LIST, "First and last.", 0, 0, NULL, NULL},
    {"bytes", FIELD_COUNT, FIELD_LIST, "Begin and end.", 0, 0, NULL, NULL},
    {"page", FIELD_COUNT, FIELD_OPTIONAL, "In files that have pages.", 0, 0, NULL, NULL},
    {"label", FIELD_PROSE, FIELD_OPTIONAL, "As Fees!A4:D4.", 0, 0, NULL, NULL},
    {"box", FIELD_NUMBER, FIELD_OPTIONAL | FIELD_LIST, "Left, top, right, bottom in points.", 0, 0,
     NULL, NULL},
    {"quote", FIELD_PROSE, 0, "The text there.", 0, 0, NULL, NULL},
    {"steps", FIELD_OBJECT, FIELD_OPTIONAL | FIELD_LIST,
     "How the graph came from the question to the passage.", 0, 0, NULL, &step_schema},
    {"score", FIELD_NUMBER, 0, NULL, 0, 0, NULL, NULL},
    {"likely", FIELD_NUMBER, FIELD_OPTIONAL, "How likely it answers, from 0 to 1.", 0, 0, NULL,
     NULL},
    {"metadata", FIELD_ANY, FIELD_OPTIONAL, NULL, 0, 0, NULL, NULL},
    {"answer", FIELD_ANY, FIELD_OPTIONAL, "Where in the quote the words that answer stand.", 0, 0,
     NULL, NULL},
    {0},
};
static const struct schema citation_schema = {"Citation", "A place in a document.", citation_fields,
                                              NULL};
static const struct schema_field found_fields[] = {
    {"retrieval", FIELD_TEXT, 0, "words or graph: how it was looked for.", 0, 0, NULL, NULL},
    {"passages", FIELD_OBJECT, FIELD_LIST, "Best first.", 0, 0, NULL, &citation_schema},
    {"warnings", FIELD_PROSE, FIELD_OPTIONAL | FIELD_LIST, "What was not done as it should.", 0, 0,
     NULL, NULL},
    {0},
};
static const struct schema found_schema = {"KnowledgeFound", "Passages.", found_fields, NULL};
static const struct schema_field unsupported_fields[] = {
    {"text", FIELD_PROSE, 0, "The sentence.", 0, 0, NULL, NULL},
    {"lack", FIELD_TEXT, 0, "What has no support: docs/documents.md lists them.", 0, 0, NULL, NULL},
    {"what", FIELD_PROSE, FIELD_OPTIONAL, "Of the sentence: what was not found.", 0, 0, NULL, NULL},
    {"passage", FIELD_COUNT, FIELD_OPTIONAL, "The passage that comes nearest.", 0, 0, NULL, NULL},
    {"characters", FIELD_COUNT, FIELD_OPTIONAL | FIELD_LIST, "First and end in the text.", 0, 0,
     NULL, NULL},
    {"dropped", FIELD_BOOL, FIELD_OPTIONAL, "It is not in the text.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema unsupported_schema = {
    "UnsupportedSentence", "A sentence that the passages do not say.", unsupported_fields, NULL};
static const struct schema_field support_fields[] = {
    {"policy", FIELD_CHOICE, 0, "What becomes of such a sentence.", 0, 0, "mark|drop|refuse", NULL},
    {"sentences", FIELD_COUNT, 0, "So many were checked.", 0, 0, NULL, NULL},
    {"only_numbers", FIELD_COUNT, FIELD_OPTIONAL,
     "Of them by their numbers alone: the passages are in another language.", 0, 0, NULL, NULL},
    {"unsupported", FIELD_OBJECT, FIELD_LIST, NULL, 0, 0, NULL, &unsupported_schema},
    {"unsupported_more", FIELD_COUNT, FIELD_OPTIONAL, "More than are told.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema support_schema = {
    "AnswerSupport", "What of a model's text the passages say.", support_fields, NULL};
static const struct schema_field answered_fields[] = {
    {"answered", FIELD_BOOL, 0, "False: the documents do not answer this; the nearest are cited.",
     0, 0, NULL, NULL},
    {"confidence", FIELD_NUMBER, 0, "From 0 to 1.", 0, 0, NULL, NULL},
    {"verdict", FIELD_CHOICE, FIELD_OPTIONAL, "Of a question that wants one.", 0, 0, "yes|no",
     NULL},
    {"question", FIELD_PROSE, FIELD_OPTIONAL, "As it was understood, where that is another.", 0, 0,
     NULL, NULL},
    {"through", FIELD_TEXT, FIELD_OPTIONAL, "The model that wrote the text.", 0, 0, NULL, NULL},
    {"text", FIELD_PROSE, 0, NULL, 0, 0, NULL, NULL},
    {"citations", FIELD_OBJECT, FIELD_LIST, NULL, 0, 0, NULL, &citation_schema},
    {"support", FIELD_OBJECT, FIELD_OPTIONAL, "Of a text that a model wrote.", 0, 0, NULL,
     &support_schema},
    {"retrieval", FIELD_TEXT, FIELD_OPTIONAL, "words, graph or overview.", 0, 0, NULL, NULL},
    {"parts", FIELD_OBJECT, FIELD_OPTIONAL | FIELD_LIST, "Of a question that asks several things.",
     0, 0, NULL, &part_schema},
    {"warnings", FIELD_PROSE, FIELD_OPTIONAL | FIELD_LIST, NULL, 0, 0, NULL, NULL},
    {0},
};
static const struct schema answered_schema = {"KnowledgeAnswer", "An answer from documents.",
                                              answered_fields, NULL};

static const struct schema_field vectors_fields[] = {
    {"embedder", FIELD_PROSE, 0, "As in the settings: none, hashed, latent or model.", 0, 0, NULL,
     NULL},
    {"model", FIELD_PROSE, FIELD_OPTIONAL, "The embedding model that is asked.", 0, 0, NULL, NULL},
    {"passages", FIELD_COUNT, 0, "All of them; each is found by its words.", 0, 0, NULL, NULL},
    {"vectors", FIELD_COUNT, 0, "Those that are found by vectors too.", 0, 0, NULL, NULL},
    {"graphed", FIELD_COUNT, 0, "Of these: found by a graph instead of comparing all.", 0, 0, NULL,
     NULL},
    {"recall", FIELD_NUMBER, FIELD_OPTIONAL,
     "Of the ten nearest, how many the graphs find, measured on vectors of their own.", 0, 0, NULL,
     NULL},
    {"learned_from", FIELD_COUNT, FIELD_OPTIONAL,
     "Passages that the latent model was learned from; absent while there is none.", 0, 0, NULL,
     NULL},
    {"refused", FIELD_COUNT, 0, "Documents that the model would not take.", 0, 0, NULL, NULL},
    {"problem", FIELD_PROSE, FIELD_OPTIONAL,
     "Why vectors could not be made; tried again by itself.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema vectors_schema = {"KnowledgeVectors", "What is found by vectors.",
                                             vectors_fields, NULL};

/* model: the one that answers; base empty: the default one. */
static bool write_body(struct admin_call *call, const struct asking *asking, struct str model,
                       struct str base, struct str *out, struct err *err)
{
    struct json_writer w;
    struct buf b;

    buf_init(&b, call->arena, MIB);
    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, "model"), jw_str(&w, model);
    jw_key(&w, "messages");
    jw_array(&w);
    jw_object(&w);
    jw_key(&w, "role"), jw_cstr(&w, "user");
    jw_key(&w, "content"), jw_str(&w, asking->text);
    jw_object_end(&w);
    jw_array_end(&w);
    jw_key(&w, "weir");
    jw_object(&w);
    if (asking->search > 0)
        jw_key(&w, "search"), jw_i64(&w, asking->search);
    if (asking->scored)
        jw_key(&w, "score_threshold"), jw_f64(&w, asking->least);
    if (asking->unranked)
        jw_key(&w, "ranker"), jw_cstr(&w, "none");
    if (base.len > 0) {
        jw_key(&w, "knowledge");
        jw_array(&w);
        jw_str(&w, base);
        jw_array_end(&w);
    }
    if (asking->filter.len > 0)
        jw_key(&w, "filter"), jw_raw(&w, asking->filter);
    jw_object_end(&w);
    jw_object_end(&w);
    return buf_finish(&b, out, err);
}

/* Whoever asks a base asks the model that answers from documents, for that base. */
static SUSPENDS const struct model *model_of(struct admin_call *call, const struct config *config,
                                             const struct asking *asking, struct str *id,
                                             struct err *err)
{
    /* Of the snapshot: settings are loop 0's, and may be others by now. */
    const struct model *model = catalogue_find(config->catalogue, config->answerers[0].model);
    struct base *base CLEANUP(base_release) = NULL;
    struct base_info info;

    ASSERT(model && !model->provider);
    if (!call_base(call, asking->base, false, &base, err) ||
        !base_info(base, call->arena, &info, err))
        return NULL;
    if (info.is_default && !principal_may_ask(call->who, model->name)) {
        err_set(err, ERR_DENIED, "this key may not ask model \"" STR_FMT "\"",
                STR_ARG(model->name));
        return NULL;
    }
    *id = info.is_default ? STR("") : info.id;
    return model;
}

bool call_ask(struct admin_call *call, const struct asking *asking, struct json **out,
              struct err *err)
{
    void *held CLEANUP(snapshot_release) = NULL;
    const struct config *config = snapshot_borrow(call->house->config, &held);
    struct str base = STR(""), body;
    const struct model *model = model_of(call, config, asking, &base, err);
    struct gateway_asker asker = {.arena = call->arena,
                                  .who = call->who,
                                  .request_id = http_request_id(call->http),
                                  .links = gateway_links(config, call->http),
                                  .answer_bytes_max = ANSWER_BYTES_MAX};
    struct gateway_told told = {0};

    if (!model || !write_body(call, asking, model->name, base, &body, err) ||
        !gateway_ask_all(call->house->gateway, &asker, model, body, &told, err))
        return false;
    *out = json_parse(call->arena, told.body, err);
    if (!*out)
        return err_wrap(err, "the answer could not be read");
    if (told.status == 200)
        return true;
    struct str message = STR("it was refused");
    (void)!json_str(*out, json_path(*out, "error.message"), call->arena, &message);
    return admin_fail(call, told.status, "refused", err, STR_FMT, STR_ARG(message));
}

static SUSPENDS bool ask(struct admin_call *call, const char *field, int64_t search,
                         struct json **out, struct err *err)
{
    struct asking asking = {.base = call->values[0], .text = STR(""), .search = search};
    json_ref filter = json_get(call->body, json_root(call->body), STR("filter"));

    if (filter && json_kind(call->body, filter) != JSON_NULL)
        asking.filter = json_raw(call->body, filter);
    return field_text(call, field, &asking.text, err) && call_ask(call, &asking, out, err);
}

static bool search(struct admin_call *call, struct err *err)
{
    int64_t limit = SEARCH_RESULTS;
    struct json *told;

    field_count(call, "limit", &limit);
    if (!ask(call, "query", limit, &told, err))
        return false;
    jw_object(&call->reply);
    jw_key(&call->reply, "retrieval");
    jw_raw(&call->reply, json_raw(told, json_path(told, "weir.retrieval")));
    jw_key(&call->reply, "passages");
    jw_raw(&call->reply, json_raw(told, json_path(told, "weir.citations")));
    if (json_path(told, "weir.warnings")) {
        jw_key(&call->reply, "warnings");
        jw_raw(&call->reply, json_raw(told, json_path(told, "weir.warnings")));
    }
    jw_object_end(&call->reply);
    return true;
}

static bool vectors(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct json_writer *w = &call->reply;
    struct vectors_status s;

    if (!call_base(call, call->values[0], true, &base, err))
        return false;
    knowledge_vectors(base_knowledge(base), &s);
    jw_object(w);
    jw_key(w, "embedder"), jw_cstr(w, s.embedder);
    if (s.model.len > 0)
        reply_text(w, "model", s.model);
    reply_count(w, "passages", (int64_t)s.passages);
    reply_count(w, "vectors", (int64_t)s.vectors);
    reply_count(w, "graphed", (int64_t)s.graphed);
    if (s.graphed > 0)
        jw_key(w, "recall"), jw_f64(w, (double)s.recall);
    if (s.learned_from > 0)
        reply_count(w, "learned_from", (int64_t)s.learned_from);
    reply_count(w, "refused", (int64_t)s.failed);
    if (s.problem[0])
        reply_text(w, "problem", arena_str(call->arena, str_from(s.problem)));
    jw_object_end(w);
    return true;
}

/* 200 of a provider, and no text in it: it refuses in a field of its own, or says nothing. */
static bool no_words(struct admin_call *call, const struct json *told, struct err *err)
{
    struct str why = STR("the model gave no answer in words");

    (void)!json_str(told, json_path(told, "choices.0.message.refusal"), call->arena, &why);
    return admin_fail(call, 503, "refused", err, STR_FMT, STR_ARG(why));
}

static bool answer(struct admin_call *call, struct err *err)
{
    struct json_writer *w = &call->reply;
    struct json *told;

    if (!ask(call, "question", 0, &told, err))
        return false;
    json_ref weir = json_path(told, "weir"), text = json_path(told, "choices.0.message.content");
    if (!weir || json_kind(told, text) != JSON_STRING)
        return no_words(call, told, err);
    jw_object(w);
    for (json_ref v = json_first(told, weir); v; v = json_next(told, v)) {
        jw_key_raw(w, json_key_raw(told, v));
        jw_raw(w, json_raw(told, v));
    }
    jw_key(w, "text");
    jw_raw(w, json_raw(told, text));
    jw_object_end(w);
    return true;
}

static const struct admin_route routes[] = {
    {"POST", "/api/v1/knowledge/{base}/search", "Find passages of documents", RIGHT_ASK, search,
     &search_schema, &found_schema, 0, false, NULL, NULL},
    {"POST", "/api/v1/knowledge/{base}/answer", "Answer from documents, with citations", RIGHT_ASK,
     answer, &answer_schema, &answered_schema, 0, false, NULL, NULL},
    {"GET", "/api/v1/knowledge/{base}/vectors", "How many passages have vectors", RIGHT_BASES,
     vectors, NULL, &vectors_schema, 0, false, NULL, NULL},
};
const struct admin_part admin_knowledge_part = {
    "knowledge", "Documents searched and answered from, within what the key may read.", routes,
    ARRAY_LEN(routes)};
