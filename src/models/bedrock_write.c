/* Conversation -> Converse, and InvokeModel for embeddings and rerankers. */
#include "models/bedrock.h"
#include "models/bedrock_internal.h"

#include "models/members.h"
#include "models/models.h"
#include "models/tools.h"

#include <math.h>

bool bedrock_is_by(struct str remote, const char *maker)
{
    return str_find(remote, str_from(maker)) < remote.len;
}

/* ---- the rest ---- */

static bool write_inference(struct bedrock_writing *k, struct err *err)
{
    const struct conversation *in = k->in;

    jw_key(&k->w, "inferenceConfig");
    jw_object(&k->w);
    fields_write(&k->w, in, bedrock_fields, bedrock_config_count);
    if (!isnan(in->temperature)) {
        jw_key(&k->w, "temperature");
        jw_f64(&k->w, MIN_OF(in->temperature, 1.0));
        if (in->temperature > 1 &&
            !fields_lose(in, "temperature", "bedrock takes 0 to 1", k->losses, err))
            return false;
    }
    if (in->stop_count) {
        jw_key(&k->w, "stopSequences");
        jw_array(&k->w);
        for (uint32_t i = 0; i < in->stop_count; i++)
            jw_str(&k->w, in->stops[i]);
        jw_array_end(&k->w);
    }
    jw_object_end(&k->w);
    return true;
}

/* Inside additionalModelRequestFields. */
static void write_thinking(struct bedrock_writing *k)
{
    const struct claude_thinking *thinking = &k->thinking;

    if (!thinking->on && !thinking->off)
        return;
    jw_key(&k->w, "thinking");
    jw_object(&k->w);
    jw_key(&k->w, "type");
    jw_cstr(&k->w, thinking->off ? "disabled" : thinking->adaptive ? "adaptive" : "enabled");
    if (thinking->on && !thinking->adaptive) {
        jw_key(&k->w, "budget_tokens");
        jw_i64(&k->w, thinking->budget);
    }
    jw_object_end(&k->w);
}

static bool wants_thinking(const struct conversation *in)
{
    return in->reasoning_budget >= 0 || in->reasoning_effort.ptr || in->reasoning_adaptive;
}

static bool write_maker_reasoning(struct bedrock_writing *k, struct err *err)
{
    const struct conversation *in = k->in;

    if (bedrock_is_by(k->remote, "anthropic.")) {
        write_thinking(k);
        return true;
    }
    if (!wants_thinking(in))
        return true;
    if (bedrock_is_by(k->remote, "openai.") && in->reasoning_effort.ptr) {
        bedrock_member(&k->w, "reasoning_effort", in->reasoning_effort);
        return true;
    }
    return fields_lose(in, in->reasoning_effort.ptr ? "reasoning_effort" : "reasoning_budget",
                       "the model's maker takes none", k->losses, err);
}

static bool write_top_k(struct bedrock_writing *k, struct err *err)
{
    bool nova = bedrock_is_by(k->remote, "amazon.nova");

    if (k->in->top_k < 0)
        return true;
    if (!nova && !bedrock_is_by(k->remote, "anthropic.") && !bedrock_is_by(k->remote, "mistral.") &&
        !bedrock_is_by(k->remote, "cohere."))
        return fields_lose(k->in, "top_k", "the model's maker takes none", k->losses, err);
    if (nova) {
        jw_key(&k->w, "inferenceConfig");
        jw_object(&k->w);
    }
    jw_key(&k->w, nova ? "topK" : bedrock_is_by(k->remote, "cohere.") ? "k" : "top_k");
    jw_i64(&k->w, k->in->top_k);
    if (nova)
        jw_object_end(&k->w);
    return true;
}

static const struct extra *find_extra(const struct conversation *in, const char *name)
{
    for (const struct extra *e = in->extras; e; e = e->next)
        if (str_eq(e->name, str_from(name)))
            return e;
    return NULL;
}

/* The client's own, from any dialect, and ours. */
static bool write_additional(struct bedrock_writing *k, struct err *err)
{
    const struct extra *given = find_extra(k->in, "additionalModelRequestFields");
    size_t before = k->w.to->len;
    struct json_writer saved = k->w;

    jw_key(&k->w, "additionalModelRequestFields");
    jw_object(&k->w);
    size_t start = k->w.to->len;
    if (given) {
        struct json *j = json_parse(k->arena, given->raw, err);

        if (!j || json_kind(j, json_root(j)) != JSON_OBJECT)
            return err_set(err, ERR_INVALID, "additionalModelRequestFields: expected an object");
        for (json_ref v = json_first(j, json_root(j)); v; v = json_next(j, v)) {
            jw_key_raw(&k->w, json_key_raw(j, v));
            jw_raw(&k->w, json_raw(j, v));
        }
    }
    if (!write_maker_reasoning(k, err) || !write_top_k(k, err))
        return false;
    if (k->w.to->len == start && buf_ok(k->w.to)) { /* nothing in it: as if not begun */
        k->w = saved;
        k->w.to->len = before;
        return true;
    }
    jw_object_end(&k->w);
    return true;
}

static bool write_output(struct bedrock_writing *k, struct err *err)
{
    const struct conversation *in = k->in;
    bool schema = in->format == FORMAT_SCHEMA && in->schema.len;
    const char *effort = k->thinking.effort;

    if (in->format == FORMAT_JSON &&
        !fields_lose(in, "response_format", "bedrock takes a schema or nothing", k->losses, err))
        return false;
    if (!schema && !effort)
        return true;
    jw_key(&k->w, "outputConfig");
    jw_object(&k->w);
    if (schema) {
        jw_key(&k->w, "textFormat");
        jw_object(&k->w);
        bedrock_member(&k->w, "type", STR("json_schema"));
        jw_key(&k->w, "structure");
        jw_object(&k->w);
        jw_key(&k->w, "jsonSchema");
        jw_object(&k->w);
        bedrock_member(&k->w, "schema", in->schema);
        bedrock_member(&k->w, "name", in->schema_name);
        bedrock_member(&k->w, "description", in->schema_description);
        jw_object_end(&k->w);
        jw_object_end(&k->w);
        jw_object_end(&k->w);
    }
    if (effort)
        bedrock_member(&k->w, "effort", str_from(effort));
    jw_object_end(&k->w);
    return true;
}

static bool write_tier(struct bedrock_writing *k, struct err *err)
{
    struct str tier = k->in->service_tier;

    if (!tier.ptr || str_eq(tier, STR("auto")))
        return true;
    if (!str_eq(tier, STR("default")) && !str_eq(tier, STR("flex")) &&
        !str_eq(tier, STR("priority")) && !str_eq(tier, STR("reserved")))
        return fields_lose(k->in, "service_tier", "bedrock has no such tier", k->losses, err);
    jw_key(&k->w, "serviceTier");
    jw_object(&k->w);
    bedrock_member(&k->w, "type", tier);
    jw_object_end(&k->w);
    return true;
}

/* Fields of Converse that no other dialect has pass from any client under their own names. */
static bool write_extras(struct bedrock_writing *k, struct err *err)
{
    static const char *const known[] = {"guardrailConfig", "performanceConfig", "promptVariables",
                                        "additionalModelResponseFieldPaths"};

    for (const struct extra *e = k->in->extras; e; e = e->next) {
        bool ours = false;

        for (size_t i = 0; i < ARRAY_LEN(known); i++)
            ours = ours || str_eq(e->name, str_from(known[i]));
        if (ours) {
            jw_key_raw(&k->w, e->name);
            jw_raw(&k->w, e->raw);
        } else if (!str_eq(e->name, STR("additionalModelRequestFields")) &&
                   !losses_note(k->losses, e->name, "bedrock has no such field", err)) {
            return false;
        }
    }
    return true;
}

/* What Claude can be told of it, beside what else is asked. */
static bool fit_claude(struct bedrock_writing *k, struct err *err)
{
    struct conversation *fitted;

    if (!bedrock_is_by(k->remote, "anthropic."))
        return true;
    fitted = arena_alloc(k->arena, sizeof *fitted);
    if (!fitted)
        return err_arena(err, k->arena);
    *fitted = *k->in;
    if (!claude_thinking_choose(k->in, k->remote, MAX_OF(k->in->max_tokens, 0), k->losses,
                                &k->thinking, err) ||
        !claude_sampling_fit(fitted, k->remote, k->thinking.on, k->losses, err))
        return false;
    k->in = fitted;
    return true;
}

static bool write_converse(struct bedrock_writing *k, struct err *err)
{
    if (!fit_claude(k, err))
        return false;
    jw_object(&k->w);
    bedrock_write_system(k);
    if (!bedrock_write_messages(k, err) || !bedrock_write_tools(k, err) ||
        !write_inference(k, err) || !write_additional(k, err) || !write_output(k, err) ||
        !write_tier(k, err) || !write_extras(k, err))
        return false;
    if (k->in->metadata.ptr && !str_eq(k->in->metadata, STR("{}"))) {
        jw_key(&k->w, "requestMetadata");
        jw_raw(&k->w, k->in->metadata);
    }
    jw_object_end(&k->w);
    return true;
}

/* ---- embeddings: InvokeModel with the maker's own body ---- */

bool bedrock_takes_one_text(struct str remote)
{
    return bedrock_is_by(remote, "titan-embed");
}

static bool write_titan(struct bedrock_writing *k, const struct str *texts, size_t count,
                        struct err *err)
{
    if (count != 1)
        return err_set(err, ERR_INVALID, "input: Titan takes one text at a time");
    jw_object(&k->w);
    bedrock_member(&k->w, "inputText", texts[0]);
    if (k->in->dimensions > 0) {
        jw_key(&k->w, "dimensions");
        jw_i64(&k->w, k->in->dimensions);
    }
    jw_object_end(&k->w);
    return true;
}

static void write_cohere(struct bedrock_writing *k, const struct str *texts, size_t count)
{
    const struct extra *type = find_extra(k->in, "input_type");

    jw_object(&k->w);
    jw_key(&k->w, "texts");
    jw_array(&k->w);
    for (size_t i = 0; i < count; i++)
        jw_str(&k->w, texts[i]);
    jw_array_end(&k->w);
    jw_key(&k->w, "input_type");
    jw_raw(&k->w, type ? type->raw : STR("\"search_document\""));
    jw_key(&k->w, "embedding_types");
    jw_raw(&k->w, STR("[\"float\"]"));
    if (k->in->dimensions > 0) {
        jw_key(&k->w, "output_dimension");
        jw_i64(&k->w, k->in->dimensions);
    }
    jw_object_end(&k->w);
}

static bool write_embeds(struct bedrock_writing *k, struct err *err)
{
    bool cohere = bedrock_is_by(k->remote, "cohere.");
    struct str *texts;
    size_t count;

    if (!cohere && !bedrock_is_by(k->remote, "titan-embed"))
        return err_set(err, ERR_INVALID,
                       "model: of Bedrock's embeddings those of Titan and Cohere are known");
    if (!inputs_read(k->arena, k->in, &texts, &count, err))
        return false;
    for (const struct extra *e = k->in->extras; e; e = e->next)
        if (!(cohere && str_eq(e->name, STR("input_type"))) &&
            !losses_note(k->losses, e->name, "bedrock has no such field", err))
            return false;
    if (!cohere)
        return write_titan(k, texts, count, err);
    write_cohere(k, texts, count);
    return true;
}

/* ---- reranking: InvokeModel, one body for both makers but for Cohere's version ---- */

static bool write_texts(struct bedrock_writing *k, struct err *err)
{
    struct json *j = json_parse(k->arena, k->in->inputs, err);
    size_t i = 0;

    if (!j)
        return err_wrap(err, "documents");
    jw_key(&k->w, "documents");
    jw_array(&k->w);
    for (json_ref d = json_first(j, json_root(j)); d; d = json_next(j, d), i++) {
        bool object = json_kind(j, d) == JSON_OBJECT;
        json_ref text = object ? json_get(j, d, STR("text")) : d;

        if (json_kind(j, text) != JSON_STRING || (object && json_get(j, d, STR("image"))))
            return err_set(
                err, ERR_INVALID,
                "documents.%zu: Bedrock's rerankers read texts: expected a string, or an "
                "object with `text`",
                i);
        jw_raw(&k->w, json_raw(j, text));
    }
    jw_array_end(&k->w);
    return true;
}

static bool write_rank(struct bedrock_writing *k, struct err *err)
{
    bool cohere = bedrock_is_by(k->remote, "cohere.rerank");

    if (!cohere && !bedrock_is_by(k->remote, "amazon.rerank"))
        return err_set(err, ERR_INVALID,
                       "model: of Bedrock's rerankers those of Amazon and Cohere are known");
    if (k->in->rank_fields.ptr)
        return err_set(err, ERR_INVALID, "rank_fields: Bedrock's rerankers read texts alone");
    for (const struct extra *e = k->in->extras; e; e = e->next)
        if (!losses_note(k->losses, e->name, "bedrock has no such field", err))
            return false;
    jw_object(&k->w);
    if (cohere) {
        jw_key(&k->w, "api_version");
        jw_i64(&k->w, 2);
    }
    bedrock_member(&k->w, "query", k->in->query);
    if (k->in->top_n > 0) {
        jw_key(&k->w, "top_n");
        jw_i64(&k->w, k->in->top_n);
    }
    if (!write_texts(k, err))
        return false;
    jw_object_end(&k->w);
    return true;
}

static bool write_body(struct bedrock_writing *k, struct err *err)
{
    switch (k->in->kind) {
    case ASK_EMBEDDING: return write_embeds(k, err);
    case ASK_RERANK: return write_rank(k, err);
    case ASK_MODERATION: return err_set(err, ERR_INVALID, "input: bedrock has no moderation");
    case ASK_CHAT:
    case ASK_COMPLETION: break;
    }
    return write_converse(k, err);
}

/* ---- the request ---- */

/* model/{id}/converse: an id may be an ARN with colons and slashes. */
static bool write_path(struct bedrock_writing *k, struct outgoing *out, struct err *err)
{
    struct buf b;

    buf_init(&b, k->arena, 3 * k->remote.len + 64);
    buf_str(&b, STR("/model/"));
    for (size_t i = 0; i < k->remote.len; i++) {
        unsigned char c = (unsigned char)k->remote.ptr[i];

        if (bedrock_is_id_char((char)c) && c != ':')
            buf_char(&b, (char)c);
        else
            buf_fmt(&b, "%%%02X", c);
    }
    bool invoked = k->in->kind == ASK_EMBEDDING || k->in->kind == ASK_RERANK;
    buf_str(&b, invoked         ? STR("/invoke")
                : k->in->stream ? STR("/converse-stream")
                                : STR("/converse"));
    return buf_finish(&b, &out->path, err);
}

/* The client speaks it too: its body as it came. Unless another house has signed something in it. */
static bool passes_whole(const struct conversation *in)
{
    const struct bedrock_asked *own = in->spoken == &dialect_bedrock ? in->own : NULL;
    struct str body = own ? json_raw(own->json, json_root(own->json)) : STR_NONE;

    return own && str_find(body, STR(SIGNED_MARK)) == body.len;
}

static bool splice_body(struct arena *arena, const struct conversation *in, const struct model *to,
                        struct str *out, struct err *err)
{
    const struct bedrock_asked *own = in->own;
    struct splicing splicing = {.edit_count = 0};

    return splice_usual(arena, own->json, to->remote_name, &splicing, err) &&
           json_splice(arena, own->json, splicing.edits, splicing.edit_count, out, err);
}

bool bedrock_write_request(struct arena *arena, const struct conversation *in,
                           const struct model *to, struct losses *losses, struct outgoing *out,
                           struct err *err)
{
    struct bedrock_writing k = {
        .arena = arena, .in = in, .losses = losses, .remote = to->remote_name};
    struct buf b;

    if (passes_whole(in)) {
        out->method = STR("POST");
        out->field_count = 0;
        return splice_body(arena, in, to, &out->body, err) && write_path(&k, out, err);
    }
    if (in->kind == ASK_COMPLETION)
        return err_set(err, ERR_INVALID,
                       "model: Converse completes no bare prompt; ask it by chat");
    if (in->n > 1 && !fields_lose(in, "n", "bedrock makes one answer", losses, err))
        return false;
    if (!fields_losses(in, bedrock_fields, bedrock_field_count, losses, err))
        return false;
    buf_init(&b, arena, MADE_BYTES_MAX);
    jw_init(&k.w, &b);
    if (!write_body(&k, err) || !write_path(&k, out, err))
        return false;
    out->method = STR("POST");
    out->field_count = 0;
    return buf_finish(&b, &out->body, err);
}
