#include "models/dialect.h"

#include "models/models.h"

/* Read this table first: every dialect, for clients, providers or both. */
/* clang-format off: a row each */
static const struct dialect *const dialects[] = {
    &dialect_openai,    &dialect_completions, &dialect_embeddings,
    &dialect_responses, &dialect_anthropic,   &dialect_gemini,
    &dialect_bedrock,   &dialect_rerank,      &dialect_moderation,
};
/* clang-format on */

const struct dialect *dialect_at(size_t i)
{
    return i < ARRAY_LEN(dialects) ? dialects[i] : NULL;
}

const struct dialect *dialect_find(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(dialects); i++)
        if (str_eq(str_from(dialects[i]->name), name))
            return dialects[i];
    return NULL;
}

static void add_edit(struct splicing *to, const struct json_edit *edit)
{
    ASSERT(to->edit_count < SPLICE_EDITS_MAX);
    to->edits[to->edit_count++] = *edit;
}

bool splice_usual(struct arena *arena, const struct json *json, struct str remote_name,
                  struct splicing *out, struct err *err)
{
    json_ref root = json_root(json), model = json_get(json, root, STR("model"));
    json_ref weir = json_get(json, root, STR("weir"));
    struct json_edit named = {.kind = JSON_REPLACE, .at = model};
    struct buf name;

    if (weir)
        add_edit(out, &(struct json_edit){.kind = JSON_REMOVE, .at = weir});
    if (!model)
        return true;
    buf_init(&name, arena, 6 * remote_name.len + 2);
    buf_json_str(&name, remote_name);
    if (!buf_finish(&name, &named.value, err))
        return false;
    add_edit(out, &named);
    return true;
}

bool dialect_is_openai(const struct dialect *dialect)
{
    static const char *const family[] = {"openai", "completions", "embeddings",
                                         "rerank", "moderation",  "responses"};

    for (size_t i = 0; dialect && i < ARRAY_LEN(family); i++)
        if (str_eq(str_from(dialect->name), str_from(family[i])))
            return true;
    return false;
}

const struct dialect *dialect_of_kind(enum provider_kind kind)
{
    switch (kind) {
    case KIND_ANTHROPIC: return &dialect_anthropic;
    case KIND_GEMINI: return &dialect_gemini;
    case KIND_BEDROCK: return &dialect_bedrock;
    case KIND_OPENAI:
    case KIND_AZURE:
    case KIND_VLLM:
    case KIND_SGLANG:
    case KIND_LLAMA_CPP:
    case KIND_OLLAMA:
    case KIND_DEEPSEEK:
    case KIND_DASHSCOPE:
    case KIND_BAIDU: break;
    }
    return &dialect_openai;
}

enum auth auth_of_kind(enum provider_kind kind)
{
    return kind == KIND_AZURE       ? AUTH_API_KEY
           : kind == KIND_ANTHROPIC ? AUTH_X_API_KEY
           : kind == KIND_GEMINI    ? AUTH_GOOGLE
           : kind == KIND_BEDROCK   ? AUTH_AWS
                                    : AUTH_BEARER;
}

void said_event_begin(struct buf *out, struct json_writer *w, const char *type)
{
    buf_str(out, STR("event: "));
    buf_str(out, str_from(type));
    buf_str(out, STR("\ndata: "));
    jw_init(w, out);
    jw_object(w);
    jw_key(w, "type");
    jw_cstr(w, type);
}
