/* fuzz/http_message.h: what holds for every head and every chunked body, whoever sent it. */
#ifndef WEIR_FUZZ_HTTP_MESSAGE_H
#define WEIR_FUZZ_HTTP_MESSAGE_H

#include "fuzz.h"

#include "net/http_parse.h"

typedef enum http_parse parse_head(struct str bytes, struct http_head *out, size_t *used,
                                   struct err *err);

static inline void check_field(const struct http_field *f, struct str head)
{
    ASSERT(f->name.len > 0);
    ASSERT(f->name.ptr >= head.ptr && f->value.ptr + f->value.len <= head.ptr + head.len);
    ASSERT(str_eq(f->value, str_trim(f->value)));
    for (size_t i = 0; i < f->name.len; i++)
        ASSERT(f->name.ptr[i] > ' ' && f->name.ptr[i] < 0x7f && f->name.ptr[i] != ':');
    for (size_t i = 0; i < f->value.len; i++)
        ASSERT((uint8_t)f->value.ptr[i] >= ' ' || f->value.ptr[i] == '\t');
}

/* How often a field is there. */
static inline size_t field_count(const struct http_fields *fields, struct str name)
{
    size_t count = 0;

    for (size_t i = 0; i < fields->count; i++)
        count += str_eq_nocase(fields->at[i].name, name);
    return count;
}

/* One way to tell where the body ends, and nothing that another parser could read otherwise. */
static inline void check_head(const struct http_head *h, struct str head)
{
    size_t lengths = field_count(&h->fields, STR("content-length"));
    size_t codings = field_count(&h->fields, STR("transfer-encoding"));

    ASSERT(str_ends(head, STR("\r\n\r\n")));
    ASSERT(str_find(head, STR("\r\n\r\n")) == head.len - 4);
    ASSERT(h->fields.count <= HTTP_FIELDS_MAX);
    for (size_t i = 0; i < h->fields.count; i++)
        check_field(&h->fields.at[i], head);
    ASSERT(lengths + codings <= 1);
    ASSERT(h->framing != HTTP_LENGTH || lengths == 1);
    ASSERT(h->framing != HTTP_CHUNKED || (codings == 1 && h->minor == 1));
    ASSERT(h->framing != HTTP_UNTIL_CLOSE || !h->keep_alive);
}

/* A shorter piece of the same bytes is never read as another whole head, nor taken back once refused. */
static inline void check_prefixes(struct str text, parse_head *parse, enum http_parse whole,
                                  size_t whole_used, size_t step)
{
    static struct http_head head;
    bool refused = false;

    for (size_t len = 0; len < text.len; len += step) {
        struct err err = {0};
        size_t used = 0;
        enum http_parse got = parse(str_slice(text, 0, len), &head, &used, &err);

        ASSERT(!refused || got == HTTP_BAD);
        refused |= got == HTTP_BAD;
        ASSERT(got != HTTP_OK || (whole == HTTP_OK && used == whole_used && len >= used));
        ASSERT(!refused || whole == HTTP_BAD);
    }
}

/* Decode by `step` bytes into out; *used gets the length of the body. */
static inline enum http_parse unchunk(struct str body, size_t step, struct buf *out, size_t *used,
                                      struct err *err)
{
    struct http_chunks c;
    enum http_parse got = HTTP_MORE;
    size_t at = 0;

    http_chunks_init(&c);
    while (got == HTTP_MORE && at < body.len) {
        struct str data, part = str_slice(body, at, at + step);
        size_t taken = 0;

        got = http_chunks_next(&c, part, &taken, &data, err);
        if (got == HTTP_BAD)
            break;
        ASSERT(taken > 0 && taken <= part.len);
        ASSERT(c.done == (got == HTTP_OK));
        buf_str(out, data);
        at += taken;
    }
    *used = at;
    return got;
}

/* The same data and the same end, however the bytes arrive. */
static inline void check_chunks(struct str body, size_t step)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    struct buf whole, cut;
    struct err whole_err = {0}, cut_err = {0};
    size_t whole_used, cut_used;

    buf_init(&whole, arena, 4 * MIB);
    buf_init(&cut, arena, 4 * MIB);
    enum http_parse first = unchunk(body, body.len, &whole, &whole_used, &whole_err);
    enum http_parse second = unchunk(body, step, &cut, &cut_used, &cut_err);
    ASSERT(first == second);
    ASSERT(whole_err.code == cut_err.code);
    ASSERT((first == HTTP_BAD) == (whole_err.code != ERR_NONE));
    if (first == HTTP_BAD)
        return;
    ASSERT(whole_used == cut_used);
    ASSERT(str_eq(buf_view(&whole), buf_view(&cut)));
    ASSERT(whole.len < whole_used || whole_used == 0);
}

#endif
