/* Any bytes are refused with a reason, or are a request that names one host and has one end; cut
 * anywhere they are the same request. The first byte chooses the cuts. */
#include "http_message.h"

static enum http_parse parse(struct str bytes, struct http_head *out, size_t *used, struct err *err)
{
    return http_parse_request(bytes, NULL, out, used, err);
}

static void check_request(const struct http_head *h)
{
    size_t hosts = field_count(&h->fields, STR("host"));

    ASSERT(hosts == 1 || (hosts == 0 && h->minor == 0));
    ASSERT(h->method.len > 0 && h->target.len > 0);
    ASSERT(h->framing != HTTP_UNTIL_CLOSE);
    ASSERT(*h->path.ptr == '/' || (str_eq(h->path, STR("*")) && str_eq(h->method, STR("OPTIONS"))));
    for (size_t i = 0; i < h->target.len; i++)
        ASSERT(h->target.ptr[i] > ' ' && h->target.ptr[i] < 0x7f);
    ASSERT(str_find_char(h->path, '?') == h->path.len);
}

/* Whatever the query, asking it is safe, and a value never grows. */
static void ask_query(struct str query)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct str value = http_query(arena, query, STR("a"));

    ASSERT(value.len <= query.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = fuzz_text(data, size);
    size_t step = 1 + fuzz_choice(&text) % 16, used = 0;
    static struct http_head head; /* 2 KiB of it: off the stack */
    struct err err = {0};
    enum http_parse got = parse(text, &head, &used, &err);

    ASSERT((got == HTTP_BAD) == (err.code != ERR_NONE));
    check_prefixes(text, parse, got, used, step);
    if (got != HTTP_OK)
        return 0;
    check_head(&head, str_slice(text, 0, used));
    check_request(&head);
    ask_query(head.query);
    check_chunks(str_slice(text, used, text.len), step);
    return 0;
}
