#include "models/conversation.h"

#include <math.h>

#include "base/base64.h"

const struct usage usage_unknown = {.tokens_in = -1,
                                    .tokens_out = -1,
                                    .tokens_cached = -1,
                                    .tokens_cache_write = -1,
                                    .tokens_cache_write_long = -1,
                                    .tokens_reasoning = -1,
                                    .tokens_audio_in = -1,
                                    .tokens_audio_out = -1,
                                    .tokens_image_in = -1};

void conversation_init(struct conversation *c)
{
    *c = (struct conversation){.parallel_tools = -1,
                               .schema_strict = -1,
                               .max_tokens = -1,
                               .n = -1,
                               .seed = SEED_UNSAID,
                               .top_k = -1,
                               .logprobs = -1,
                               .top_logprobs = -1,
                               .reasoning_budget = -1,
                               .dimensions = -1,
                               .top_n = -1,
                               .temperature = (double)NAN,
                               .top_p = (double)NAN,
                               .frequency_penalty = (double)NAN,
                               .presence_penalty = (double)NAN,
                               .min_p = (double)NAN};
}

uint32_t conversation_choices(const struct conversation *c)
{
    uint32_t n = c->n > 1 ? (uint32_t)MIN_OF(c->n, INT32_MAX) : 1;

    return c->prompt_count > 1 ? n * c->prompt_count : n;
}

struct turn *turn_add(struct arena *arena, struct turn ***tail, enum turn_role role)
{
    struct turn *turn = arena_alloc(arena, sizeof *turn);

    if (!turn)
        return NULL;
    turn->role = role;
    **tail = turn;
    *tail = &turn->next;
    return turn;
}

struct part *part_add(struct arena *arena, struct part ***tail, enum part_kind kind)
{
    struct part *part = arena_alloc(arena, sizeof *part);

    if (!part)
        return NULL;
    part->kind = kind;
    **tail = part;
    *tail = &part->next;
    return part;
}

const struct conversation *conversation_rewrite(struct arena *arena, const struct conversation *in,
                                                turn_rewrite *rewrite, void *ctx, struct err *err)
{
    struct conversation *copy = arena_alloc(arena, sizeof *copy);
    struct turn **end;

    if (!copy) {
        (void)err_arena(err, arena);
        return NULL;
    }
    *copy = *in;
    end = &copy->turns;
    for (const struct turn *from = in->turns; from; from = from->next) {
        struct turn *turn = arena_alloc(arena, sizeof *turn);

        if (!turn) {
            (void)err_arena(err, arena);
            return NULL;
        }
        *turn = *from;
        turn->next = NULL;
        if (!rewrite(ctx, from, turn, err))
            return NULL;
        *end = turn;
        end = &turn->next;
    }
    return copy;
}

bool data_url_read(struct str url, struct str *media_type, struct str *data)
{
    const struct str scheme = STR("data:"), base64 = STR(";base64");
    size_t comma = str_find_char(url, ',');
    struct str kind;

    if (!str_eq_nocase(str_slice(url, 0, scheme.len), scheme) || comma == url.len)
        return false;
    kind = str_slice(url, scheme.len, comma);
    if (!str_ends(kind, base64))
        return false;
    kind = str_slice(kind, 0, kind.len - base64.len);
    *media_type =
        str_slice(kind, 0, str_find_char(kind, ';')); /* parameters say nothing to anybody */
    *data = str_slice(url, comma + 1, url.len);
    return true;
}

/* Of either alphabet; how whole it is, is for whoever decodes it. */
static bool is_base64(struct str text)
{
    while (text.len && text.ptr[text.len - 1] == '=')
        text.len--;
    for (size_t i = 0; i < text.len; i++)
        if (base64_digit(text.ptr[i]) < 0)
            return false;
    return true;
}

const char *part_take_url(struct part *part, struct str url)
{
    const struct str scheme = STR("data:");
    struct str type, data;

    if (!str_eq_nocase(str_slice(url, 0, scheme.len), scheme)) {
        part->url = url;
        return NULL;
    }
    if (str_find_char(url, ',') == url.len)
        return "a comma in a data: URL, as data:image/png;base64,iVBORw0K";
    if (!data_url_read(url, &type, &data))
        return "a data: URL in base64, as data:image/png;base64,iVBORw0K";
    if (str_find_char(type, '/') == type.len)
        return "a media type in a data: URL, as data:image/png;base64,iVBORw0K";
    if (str_is_empty(data))
        return "data behind the comma of a data: URL";
    if (!is_base64(data))
        return "base64 behind the comma of a data: URL";
    part->media_type = type;
    part->data = data;
    return NULL;
}

static int64_t sum(int64_t a, int64_t b)
{
    return a < 0 ? b : b < 0 ? a : a + b;
}

struct usage usage_sum(const struct usage *a, const struct usage *b)
{
    return (struct usage){
        .tokens_in = sum(a->tokens_in, b->tokens_in),
        .tokens_out = sum(a->tokens_out, b->tokens_out),
        .tokens_cached = sum(a->tokens_cached, b->tokens_cached),
        .tokens_cache_write = sum(a->tokens_cache_write, b->tokens_cache_write),
        .tokens_cache_write_long = sum(a->tokens_cache_write_long, b->tokens_cache_write_long),
        .tokens_reasoning = sum(a->tokens_reasoning, b->tokens_reasoning),
        .tokens_audio_in = sum(a->tokens_audio_in, b->tokens_audio_in),
        .tokens_audio_out = sum(a->tokens_audio_out, b->tokens_audio_out),
        .tokens_image_in = sum(a->tokens_image_in, b->tokens_image_in),
        .estimated = a->estimated || b->estimated,
    };
}
