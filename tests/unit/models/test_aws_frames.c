#include "base/pages.h"
#include "models/aws_frames.h"
#include "test.h"

/* A frame as the specification's examples have it, byte for byte: no headers, payload {'foo':'bar'}. */
static const char bare[] =
    "\x00\x00\x00\x1d\x00\x00\x00\x00\xfd\x52\x8c\x5a{'foo':'bar'}\xc3\x65\x39\x36";

TEST(aws_crc32)
{
    EXPECT(aws_crc32(0, "123456789", 9) == 0xcbf43926u);
    EXPECT(aws_crc32(0, "", 0) == 0);
    EXPECT(aws_crc32(aws_crc32(0, "1234", 4), "56789", 5) == 0xcbf43926u);
}

static bool read_one(struct arena *arena, struct str bytes, size_t max, struct aws_frame *out,
                     bool *got, struct err *err)
{
    struct aws_reader r;

    aws_reader_init(&r, arena, max);
    return aws_feed(&r, bytes, err) && aws_next(&r, out, got, err);
}

TEST(aws_frame_checksums_hold)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct str text = {bare, sizeof bare - 1};
    struct aws_frame frame;
    struct err err = {0};
    bool got;

    /* Sound by both checksums, but it says not what it is. */
    EXPECT(!read_one(arena, text, MIB, &frame, &got, &err));
    EXPECT(str_eq(str_from(err.text), STR("bad frame: no :message-type")), "%s", err.text);
}

static struct str one_frame(struct arena *arena, const char *kind, const char *type,
                            const char *payload)
{
    struct buf b;

    buf_init(&b, arena, MIB);
    aws_write(&b, str_from(kind), str_from(type), str_from(payload));
    return buf_view(&b);
}

TEST(aws_frames_survive_writing_and_every_cut)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    static const char *const types[] = {"messageStart", "contentBlockDelta", "messageStop"};
    struct buf all;

    buf_init(&all, arena, MIB);
    aws_write(&all, STR("event"), STR("messageStart"), STR("{\"role\":\"assistant\"}"));
    aws_write(&all, STR("event"), STR("contentBlockDelta"),
              STR("{\"delta\":{\"text\":\"h\xc3\xa9\"}}"));
    aws_write(&all, STR("event"), STR("messageStop"), STR(""));
    for (size_t step = 1; step <= all.len; step++) {
        struct str text = buf_view(&all);
        struct aws_reader r;
        size_t seen = 0;

        aws_reader_init(&r, arena, 1024);
        for (size_t at = 0; at < text.len; at += step) {
            struct aws_frame frame;
            struct err err = {0};
            bool got;

            REQUIRE(aws_feed(&r, str_slice(text, at, at + step), &err));
            for (;;) {
                REQUIRE(aws_next(&r, &frame, &got, &err), "step %zu: %s", step, err.text);
                if (!got)
                    break;
                REQUIRE(seen < 3);
                EXPECT(str_eq(frame.type, str_from(types[seen])) &&
                           str_eq(frame.message_type, STR("event")) &&
                           str_eq(frame.content_type, STR("application/json")),
                       "step %zu frame %zu", step, seen);
                EXPECT(seen != 1 || str_ends(frame.payload, STR("h\xc3\xa9\"}}")));
                seen++;
            }
        }
        EXPECT(seen == 3 && aws_left_over(&r) == 0, "step %zu: %zu", step, seen);
    }
}

TEST(aws_exceptions_are_frames)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct str text =
        one_frame(arena, "exception", "throttlingException", "{\"message\":\"slow\"}");
    struct aws_frame frame;
    struct err err = {0};
    bool got;

    REQUIRE(read_one(arena, text, MIB, &frame, &got, &err) && got);
    EXPECT(str_eq(frame.message_type, STR("exception")));
    EXPECT(str_eq(frame.type, STR("throttlingException")));
}

/* Every byte of a sound frame changed, one at a time, is refused: both checksums cover all. */
TEST(aws_frame_with_any_byte_changed)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    struct str sound = one_frame(arena, "event", "metadata", "{\"usage\":{}}");

    for (size_t i = 0; i < sound.len; i++) {
        struct str changed = arena_str(arena, sound);
        struct aws_frame frame;
        struct err err = {0};
        bool got = false, ok;

        ((char *)(uintptr_t)changed.ptr)[i] ^= 0x20;
        ok = read_one(arena, changed, MIB, &frame, &got, &err);
        EXPECT(!ok && err.code == ERR_UNAVAILABLE, "byte %zu: %s", i, err.text);
    }
}

TEST(aws_frame_bounds)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct str sound = one_frame(arena, "event", "metadata", "{\"usage\":{}}");
    struct aws_frame frame;
    struct err err = {0};
    bool got;

    EXPECT(!read_one(arena, str_slice(sound, 0, 12), sound.len - 1, &frame, &got, &err));
    EXPECT(err.code == ERR_TOO_LARGE, "its length is known from the first bytes: %s", err.text);
    err = (struct err){0};
    EXPECT(read_one(arena, sound, sound.len, &frame, &got, &err) && got, "%s", err.text);
}

/* Bytes of headers inside a frame that is sound otherwise. */
static const struct {
    const char *name, *bytes;
    size_t len;
    const char *want;
} headers[] = {
    {"no name", "\0\7\0\1x", 5, "bad frame: a header without a name"},
    {"cut in the name", "\5abc", 4, "bad frame: a header that is cut"},
    {"cut before its type", "\3abc", 4, "bad frame: a header that is cut"},
    {"unknown type", "\3abc\12", 5, "bad frame: a header of an unknown type"},
    {"cut in the length", "\3abc\7\0", 6, "bad frame: a header that is cut"},
    {"cut in the value", "\3abc\7\0\5xy", 9, "bad frame: a header that is cut"},
    {"our name, another type", "\15:message-type\0", 15, "bad frame: a header of the wrong type"},
    {"twice", "\15:message-type\7\0\1e\15:message-type\7\0\1e", 36, "bad frame: a header twice"},
    {"every type that nobody reads",
     "\1a\0\1b\1\1c\2x\1d\3xx\1e\4xxxx\1f\5xxxxxxxx\1g\6\0\1x\1h\10xxxxxxxx\1i\11xxxxxxxxxxxxxxxx"
     "\15:message-type\7\0\5event",
     91, NULL},
};

static void write_u32(char *to, uint32_t n)
{
    for (int i = 0; i < 4; i++)
        to[i] = (char)(n >> (24 - 8 * i));
}

TEST(aws_frame_headers)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);

    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        char bytes[256];
        uint32_t len = (uint32_t)headers[i].len;
        struct aws_frame frame;
        struct err err = {0};
        bool got, ok;

        write_u32(bytes, len + 16);
        write_u32(bytes + 4, len);
        write_u32(bytes + 8, aws_crc32(0, bytes, 8));
        memcpy(bytes + 12, headers[i].bytes, len);
        write_u32(bytes + 12 + len, aws_crc32(0, bytes, 12 + len));
        ok = read_one(arena, (struct str){bytes, len + 16}, MIB, &frame, &got, &err);
        if (headers[i].want)
            EXPECT(!ok && str_eq(str_from(err.text), str_from(headers[i].want)), "%s: %s",
                   headers[i].name, err.text);
        else
            EXPECT(ok && got && str_eq(frame.message_type, STR("event")), "%s: %s", headers[i].name,
                   err.text);
    }
}
