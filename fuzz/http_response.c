/* Any bytes are refused with a reason, or are a response with one end; cut anywhere they are the same
 * response. The first byte chooses the cuts and whether it answers a HEAD. */
#include "http_message.h"

static enum http_parse parse(struct str bytes, struct http_head *out, size_t *used, struct err *err)
{
    return http_parse_response(bytes, false, NULL, out, used, err);
}

static enum http_parse parse_to_head(struct str bytes, struct http_head *out, size_t *used,
                                     struct err *err)
{
    return http_parse_response(bytes, true, NULL, out, used, err);
}

static void check_response(const struct http_head *h, bool to_head)
{
    bool never = to_head || h->status < 200 || h->status == 204 || h->status == 304;

    ASSERT(h->status >= 100 && h->status <= 599);
    ASSERT((h->framing == HTTP_NO_BODY) == never);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = fuzz_text(data, size);
    uint8_t choice = fuzz_choice(&text);
    parse_head *fn = choice & 0x80 ? parse_to_head : parse;
    size_t step = 1 + choice % 16, used = 0;
    static struct http_head head; /* 2 KiB of it: off the stack */
    struct err err = {0};
    enum http_parse got = fn(text, &head, &used, &err);

    ASSERT((got == HTTP_BAD) == (err.code != ERR_NONE));
    check_prefixes(text, fn, got, used, step);
    if (got != HTTP_OK)
        return 0;
    check_head(&head, str_slice(text, 0, used));
    check_response(&head, fn == parse_to_head);
    check_chunks(str_slice(text, used, text.len), step);
    return 0;
}
