/* Any bytes are refused with a reason, or are a request whose way to the provider keeps every member:
 * the model is the remote one, our own options are gone, a stream reports its usage, all else is equal. */
#include "fuzz.h"

#include "models/chat.h"

#define MEMORY (64 * MIB)

static struct str join(struct arena *arena, const struct str *pieces, size_t count)
{
    struct err err = {0};
    struct buf text;
    struct str out;

    buf_init(&text, arena, MEMORY);
    for (size_t i = 0; i < count; i++)
        buf_str(&text, pieces[i]);
    ASSERT(buf_finish(&text, &out, &err));
    return out;
}

static bool is_ours(struct arena *arena, struct str key_raw)
{
    static const char *const ours[] = {"model", "weir", "stream_options"};
    struct str text = arena_fmt(arena, "\"" STR_FMT "\"", STR_ARG(key_raw)), key;
    struct err err = {0};
    struct json *j = json_parse(arena, text, &err);

    ASSERT(j && json_str(j, json_root(j), arena, &key));
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (str_eq(key, str_from(ours[i])))
            return true;
    return false;
}

static void check_members(struct arena *arena, const struct json *in, const struct json *out)
{
    json_ref theirs = json_first(out, json_root(out));

    for (json_ref v = json_first(in, json_root(in)); v; v = json_next(in, v)) {
        struct str key = json_key_raw(in, v);

        if (is_ours(arena, key))
            continue;
        while (theirs && is_ours(arena, json_key_raw(out, theirs)))
            theirs = json_next(out, theirs);
        ASSERT(theirs && str_eq(json_key_raw(out, theirs), key));
        ASSERT(str_eq(json_raw(out, theirs), json_raw(in, v)));
        theirs = json_next(out, theirs);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MEMORY);
    struct str body = fuzz_text(data, size), pieces[CHAT_PIECES_MAX], sent;
    struct chat_request chat, again;
    struct err err = {0};
    size_t count;

    if (!chat_read_request(arena, body, &chat, &err)) {
        ASSERT(err.code != ERR_NONE && err.text[0]);
        return 0;
    }
    ASSERT(chat.n >= 1 && chat.n <= CHAT_CHOICES_MAX && chat.max_tokens >= -1);
    ASSERT(chat_write_request(arena, &chat, STR("remote"), pieces, &count, &err));
    ASSERT(count >= 1 && count <= CHAT_PIECES_MAX);
    sent = join(arena, pieces, count);
    ASSERT(chat_read_request(arena, sent, &again, &err));
    ASSERT(str_eq(again.model, STR("remote")) && !again.weir);
    ASSERT(again.stream == chat.stream && (!chat.stream || again.include_usage));
    ASSERT(again.prompt_bytes == chat.prompt_bytes);
    check_members(arena, chat.json, again.json);
    (void)!chat_read_question(arena, &chat, &err);
    return 0;
}
