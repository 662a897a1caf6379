#include "models/aws_frames.h"

#define PRELUDE     12                   /* two lengths and their checksum */
#define OVERHEAD    16                   /* a frame without headers and payload */
#define HEADERS_MAX ((size_t)128 * 1024) /* the specification's */
#define CAP_FIRST   1024

/* ---- CRC-32 (IEEE 802.3), polynomial 0x04c11db7, reflected; by half bytes ---- */

uint32_t aws_crc32(uint32_t crc, const void *bytes, size_t len)
{
    static const uint32_t half[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    const uint8_t *at = bytes;

    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc ^= at[i];
        crc = crc >> 4 ^ half[crc & 15];
        crc = crc >> 4 ^ half[crc & 15];
    }
    return ~crc;
}

static uint32_t read_u32(const char *at)
{
    const uint8_t *b = (const uint8_t *)at;

    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static size_t read_u16(const char *at)
{
    const uint8_t *b = (const uint8_t *)at;

    return (size_t)(b[0] << 8 | b[1]);
}

/* ---- headers ---- */

enum value_type {
    VALUE_TRUE,
    VALUE_FALSE,
    VALUE_BYTE,
    VALUE_SHORT,
    VALUE_INT,
    VALUE_LONG,
    VALUE_BYTES,
    VALUE_STRING,
    VALUE_TIMESTAMP,
    VALUE_UUID,
    VALUE_TYPES,
};

/* Bytes of a value by its type; -1: two bytes of length stand before it. */
static const int value_sizes[VALUE_TYPES] = {0, 0, 1, 2, 4, 8, -1, -1, 8, 16};

struct header {
    struct str name, value;
    enum value_type type;
};

static bool bad_header(struct err *err, const char *what)
{
    return err_set(err, ERR_UNAVAILABLE, "bad frame: %s", what);
}

/* Cut one header off *rest. */
static bool next_header(struct str *rest, struct header *out, struct err *err)
{
    size_t name_len = (uint8_t)rest->ptr[0], at = 1 + name_len, len;
    unsigned type;

    if (name_len == 0)
        return bad_header(err, "a header without a name");
    if (rest->len < at + 1)
        return bad_header(err, "a header that is cut");
    type = (uint8_t)rest->ptr[at++];
    if (type >= VALUE_TYPES)
        return bad_header(err, "a header of an unknown type");
    len = value_sizes[type] < 0 ? 0 : (size_t)value_sizes[type];
    if (value_sizes[type] < 0) {
        if (rest->len < at + 2)
            return bad_header(err, "a header that is cut");
        len = read_u16(rest->ptr + at);
        at += 2;
    }
    if (rest->len < at + len)
        return bad_header(err, "a header that is cut");
    out->name = str_slice(*rest, 1, 1 + name_len);
    out->type = (enum value_type)type;
    out->value = (struct str){rest->ptr + at, len};
    *rest = (struct str){rest->ptr + at + len, rest->len - at - len};
    return true;
}

/* Where a header of ours goes; NULL: one that nobody reads. */
static struct str *place_of(struct aws_frame *frame, struct str name)
{
    static const struct {
        struct str name;
        size_t at;
    } known[] = {
        {{":message-type", 13}, offsetof(struct aws_frame, message_type)},
        {{":event-type", 11}, offsetof(struct aws_frame, type)},
        {{":exception-type", 15}, offsetof(struct aws_frame, type)},
        {{":error-code", 11}, offsetof(struct aws_frame, type)},
        {{":error-message", 14}, offsetof(struct aws_frame, error_message)},
        {{":content-type", 13}, offsetof(struct aws_frame, content_type)},
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_eq(name, known[i].name))
            return (struct str *)(void *)((char *)frame + known[i].at);
    return NULL;
}

static bool read_headers(struct str rest, struct aws_frame *out, struct err *err)
{
    struct header header;
    struct str *place;

    while (rest.len) {
        if (!next_header(&rest, &header, err))
            return false;
        place = place_of(out, header.name);
        if (!place)
            continue;
        if (header.type != VALUE_STRING)
            return bad_header(err, "a header of the wrong type");
        if (place->ptr)
            return bad_header(err, "a header twice");
        *place = header.value;
    }
    if (!out->message_type.ptr)
        return bad_header(err, "no :message-type");
    return true;
}

/* ---- frames ---- */

void aws_reader_init(struct aws_reader *r, struct arena *arena, size_t frame_bytes_max)
{
    *r = (struct aws_reader){.arena = arena, .frame_bytes_max = frame_bytes_max, .now = STR("")};
}

/* The length by a prelude that has come, checked. */
static bool frame_length(const struct aws_reader *r, const char *prelude, size_t *len,
                         struct err *err)
{
    size_t total = read_u32(prelude), headers = read_u32(prelude + 4);

    if (aws_crc32(0, prelude, 8) != read_u32(prelude + 8))
        return bad_header(err, "the checksum of its lengths is wrong");
    if (total < OVERHEAD || headers > total - OVERHEAD || headers > HEADERS_MAX)
        return bad_header(err, "its lengths contradict each other");
    if (total > r->frame_bytes_max)
        return err_set(err, ERR_TOO_LARGE, "event above %zu bytes", r->frame_bytes_max);
    *len = total;
    return true;
}

static bool read_frame(struct str raw, struct aws_frame *out, struct err *err)
{
    size_t headers = read_u32(raw.ptr + 4), end = raw.len - 4;
    struct aws_frame frame = {.raw = raw};

    if (aws_crc32(0, raw.ptr, end) != read_u32(raw.ptr + end))
        return bad_header(err, "its checksum is wrong");
    frame.payload = str_slice(raw, PRELUDE + headers, end);
    if (!read_headers(str_slice(raw, PRELUDE, PRELUDE + headers), &frame, err))
        return false;
    *out = frame;
    return true;
}

static bool keep(struct aws_reader *r, struct str bytes, struct err *err)
{
    size_t need = r->rest_len + bytes.len, cap = MAX_OF(MAX_OF(need, 2 * r->rest_cap), CAP_FIRST);

    if (need > r->rest_cap) {
        char *rest = arena_grow(r->arena, r->rest, r->rest_cap, cap);

        if (!rest)
            return err_arena(err, r->arena);
        r->rest = rest;
        r->rest_cap = cap;
    }
    memcpy(r->rest + r->rest_len, bytes.ptr, bytes.len);
    r->rest_len = need;
    return true;
}

bool aws_feed(struct aws_reader *r, struct str bytes, struct err *err)
{
    ASSERT(r->at == r->now.len); /* whoever feeds has asked for all there was */
    if (r->failed)
        return bad_header(err, "one before was bad");
    r->now = bytes;
    r->at = 0;
    return true;
}

/* Of an unfinished frame the rest is gathered, no more: frames behind it are read where they are.
 * Gather towards `want` bytes of the frame that was begun. */
static bool gather(struct aws_reader *r, size_t want, bool *whole, struct err *err)
{
    size_t missing = want - MIN_OF(want, r->rest_len), take = MIN_OF(missing, r->now.len - r->at);

    if (take && !keep(r, str_slice(r->now, r->at, r->at + take), err))
        return false;
    r->at += take;
    *whole = r->rest_len >= want;
    return true;
}

/* A frame that a cut went through. */
static bool next_gathered(struct aws_reader *r, struct aws_frame *out, bool *got, struct err *err)
{
    bool whole;
    size_t len;

    if (!gather(r, PRELUDE, &whole, err))
        return false;
    if (!whole)
        return true;
    if (!frame_length(r, r->rest, &len, err) || !gather(r, len, &whole, err))
        return false;
    if (!whole)
        return true;
    if (!read_frame((struct str){r->rest, len}, out, err))
        return false;
    r->rest_len = 0; /* its bytes stay until the next feed gathers again */
    *got = true;
    return true;
}

static bool next_frame(struct aws_reader *r, struct aws_frame *out, bool *got, struct err *err)
{
    struct str left = str_slice(r->now, r->at, r->now.len);
    size_t len;

    if (r->rest_len > 0)
        return next_gathered(r, out, got, err);
    if (left.len == 0)
        return true;
    if (left.len < PRELUDE)
        return next_gathered(r, out, got, err);
    if (!frame_length(r, left.ptr, &len, err))
        return false;
    if (left.len < len)
        return next_gathered(r, out, got, err);
    r->at += len;
    if (!read_frame(str_slice(left, 0, len), out, err))
        return false;
    *got = true;
    return true;
}

bool aws_next(struct aws_reader *r, struct aws_frame *out, bool *got, struct err *err)
{
    *got = false;
    if (r->failed)
        return bad_header(err, "one before was bad");
    r->failed = !next_frame(r, out, got, err);
    return !r->failed;
}

size_t aws_left_over(const struct aws_reader *r)
{
    return r->rest_len + r->now.len - r->at;
}

/* ---- writing ---- */

static void write_u32(uint8_t *to, size_t n)
{
    to[0] = (uint8_t)(n >> 24);
    to[1] = (uint8_t)(n >> 16);
    to[2] = (uint8_t)(n >> 8);
    to[3] = (uint8_t)n;
}

static size_t header_size(struct str name, struct str value)
{
    return 1 + name.len + 1 + 2 + value.len;
}

static void put_header(struct buf *out, struct str name, struct str value)
{
    uint8_t len[2] = {(uint8_t)(value.len >> 8), (uint8_t)value.len};

    buf_char(out, (char)name.len);
    buf_str(out, name);
    buf_char(out, VALUE_STRING);
    buf_put(out, len, sizeof len);
    buf_str(out, value);
}

void aws_write(struct buf *out, struct str message_type, struct str type, struct str payload)
{
    bool is_event = str_eq(message_type, STR("event"));
    struct str type_name = is_event ? STR(":event-type") : STR(":exception-type");
    size_t start = out->len, headers = header_size(STR(":message-type"), message_type) +
                                       header_size(type_name, type) +
                                       header_size(STR(":content-type"), STR("application/json"));
    uint8_t word[PRELUDE];

    ASSERT(message_type.len < 100 && type.len < 100 && payload.len < UINT32_MAX - 1024);
    write_u32(word, OVERHEAD + headers + payload.len);
    write_u32(word + 4, headers);
    write_u32(word + 8, aws_crc32(0, word, 8));
    buf_put(out, word, sizeof word);
    put_header(out, type_name, type);
    put_header(out, STR(":content-type"), STR("application/json"));
    put_header(out, STR(":message-type"), message_type);
    buf_str(out, payload);
    if (!buf_ok(out))
        return;
    write_u32(word, aws_crc32(0, out->ptr + start, out->len - start));
    buf_put(out, word, 4);
}
