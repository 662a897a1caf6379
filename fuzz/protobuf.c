/* What a collector answers, and what is written for it. Reading: every field lies inside the bytes, behind the
 * one before, and the end is reached unless they are no message. Writing: what is written reads as the same. The first byte
 * chooses. */
#include "gateway/protobuf.h"

#include "fuzz.h"
#include "gateway/otlp.h"

static void check_read(struct str text)
{
    struct str rest = text;
    struct pb_field field;
    bool bad = false;
    size_t fields = 0;

    for (const char *before = rest.ptr; pb_next(&rest, &field, &bad); before = rest.ptr, fields++) {
        ASSERT(rest.ptr > before && rest.ptr + rest.len == text.ptr + text.len);
        ASSERT(field.number > 0);
        ASSERT(!field.bytes.len ||
               (field.bytes.ptr > before && field.bytes.ptr + field.bytes.len <= rest.ptr));
    }
    ASSERT(bad || rest.len == 0);
    ASSERT(fields <= text.len);

    struct str message = STR("?");
    uint64_t rejected = 7;
    if (!otlp_read_rejected(text, &rejected, &message))
        ASSERT(rejected == 7 && message.len == 1); /* left alone */
}

static uint64_t take(struct str *text, size_t bytes)
{
    uint64_t n = 0;

    for (size_t i = 0; i < bytes && text->len; i++)
        n = n << 8 | fuzz_choice(text);
    return n;
}

#define FIELDS_MAX 64

/* The input as a list of fields: number, kind, value. Zeros and empty texts are left out, as proto3 does. */
static void check_write(struct str text)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct pb_field want[FIELDS_MAX], got;
    size_t count = 0, seen = 0;
    bool bad = false;
    struct buf b;

    buf_init(&b, arena, 64 * KIB);
    while (text.len && count < FIELDS_MAX) {
        uint8_t kind = fuzz_choice(&text) % 5;
        struct pb_field f = {.number = 1 + (uint32_t)(take(&text, 2) & 0x3fff)};

        if (kind < 3) {
            f.n = take(&text, kind == 2 ? 4 : 8);
            kind == 0   ? pb_varint(&b, f.number, f.n)
            : kind == 1 ? pb_fixed64(&b, f.number, f.n)
                        : pb_fixed32(&b, f.number, (uint32_t)f.n);
        } else {
            f.bytes = str_slice(text, 0, take(&text, 1));
            text = str_slice(text, f.bytes.len, text.len);
            if (kind == 3)
                pb_bytes(&b, f.number, f.bytes);
            else {
                size_t at = pb_open(&b, f.number);
                buf_str(&b, f.bytes);
                pb_close(&b, at);
            }
        }
        if (f.n || f.bytes.len || kind == 4)
            want[count++] = f;
    }
    ASSERT(buf_ok(&b));
    for (struct str rest = buf_view(&b); pb_next(&rest, &got, &bad); seen++) {
        ASSERT(seen < count && got.number == want[seen].number && got.n == want[seen].n);
        ASSERT(str_eq(got.bytes, want[seen].bytes));
    }
    ASSERT(!bad && seen == count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = fuzz_text(data, size);

    if (fuzz_choice(&text) % 2)
        check_write(text);
    else
        check_read(text);
    return 0;
}
