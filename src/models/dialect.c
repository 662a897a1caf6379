#include "models/dialect.h"

#include "models/models.h"

/* Read this table first: every dialect, for clients, providers or both. */
/* clang-format off: a row each */
static const struct dialect *const dialects[] = {
    &dialect_openai,    &dialect_completions, &dialect_embeddings, &dialect_responses,
    &dialect_anthropic, &dialect_gemini,      &dialect_bedrock,
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

bool dialect_is_openai(const struct dialect *dialect)
{
    static const char *const family[] = {"openai", "completions", "embeddings", "responses"};

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
