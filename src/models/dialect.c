#include "models/dialect.h"

/* Read this table first: every dialect, for clients, providers or both. */
static const struct dialect *const dialects[] = {
    &dialect_openai,
    &dialect_completions,
    &dialect_embeddings,
    &dialect_gemini,
    &dialect_responses,
    &dialect_anthropic,
    &dialect_bedrock,
};

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
