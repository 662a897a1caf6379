/* canonical request -> string to sign -> signature. The canonical request is only ever hashed, so it is
 * built once in the arena and forgotten. */
#include "models/aws_sign.h"

#include "base/buf.h"
#include "base/hash.h"

#define QUERY_MAX      32  /* parameters of one request */
#define DATE_LEN       16  /* 20150830T123600Z */
#define DAY_LEN        8   /* 20150830 */
#define SCOPE_MAX      256 /* day/region/service/aws4_request */
#define CANONICAL_MAX  65536
#define SIGNED_MAX     8   /* fields under the signature */
#define SECRET_KEY_MAX 512 /* AWS makes 40 bytes */

/* ---- dates: Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days ---- */

static void write_digits(char *to, int count, int64_t n)
{
    for (int i = count - 1; i >= 0; i--, n /= 10)
        to[i] = (char)('0' + n % 10);
}

static void write_date(char to[DATE_LEN], wall_ms now)
{
    int64_t seconds = now / 1000, days = seconds / 86400, of_day = seconds % 86400;
    int64_t z = days + 719468, era = z / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int64_t month = mp < 10 ? mp + 3 : mp - 9;

    write_digits(to, 4, yoe + era * 400 + (month <= 2));
    write_digits(to + 4, 2, month);
    write_digits(to + 6, 2, doy - (153 * mp + 2) / 5 + 1);
    to[8] = 'T';
    write_digits(to + 9, 2, of_day / 3600);
    write_digits(to + 11, 2, of_day / 60 % 60);
    write_digits(to + 13, 2, of_day % 60);
    to[15] = 'Z';
}

/* ---- the canonical request ---- */

static bool is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

static void put_encoded(struct buf *out, struct str s, bool keep_slash)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (is_unreserved(s.ptr[i]) || (c == '/' && keep_slash)) {
            buf_char(out, s.ptr[i]);
        } else {
            buf_char(out, '%');
            buf_char(out, "0123456789ABCDEF"[c >> 4]);
            buf_char(out, "0123456789ABCDEF"[c & 15]);
        }
    }
}

/* Path segments without "." and "..", empty ones dropped; RFC 3986, 6.2.2.3. */
static void put_path(struct buf *out, struct str path)
{
    struct str segments[64], rest = path, segment;
    size_t count = 0;

    while (str_split(&rest, '/', &segment)) {
        if (str_eq(segment, STR("..")))
            count -= count > 0;
        else if (segment.len && !str_eq(segment, STR(".")) && count < ARRAY_LEN(segments))
            segments[count++] = segment;
    }
    for (size_t i = 0; i < count; i++) {
        buf_char(out, '/');
        put_encoded(out, segments[i], false);
    }
    if (count == 0 || str_ends(path, STR("/")))
        buf_char(out, '/');
}

/* By name, then by value; names and values are encoded on the wire already. */
static int compare_parameters(struct str a, struct str b)
{
    struct str a_name = str_slice(a, 0, str_find_char(a, '='));
    struct str b_name = str_slice(b, 0, str_find_char(b, '='));
    int order = str_cmp(a_name, b_name);

    return order ? order : str_cmp(a, b);
}

static bool put_query(struct buf *out, struct str query, struct err *err)
{
    struct str parameters[QUERY_MAX], rest = query, parameter;
    size_t count = 0;

    while (query.len && str_split(&rest, '&', &parameter)) {
        size_t at = count++;

        if (at == QUERY_MAX)
            return err_set(err, ERR_INTERNAL, "cannot sign more than %d parameters", QUERY_MAX);
        for (; at > 0 && compare_parameters(parameter, parameters[at - 1]) < 0; at--)
            parameters[at] = parameters[at - 1];
        parameters[at] = parameter;
    }
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_char(out, '&');
        buf_str(out, parameters[i]);
        if (str_find_char(parameters[i], '=') == parameters[i].len)
            buf_char(out, '=');
    }
    return true;
}

static void put_names(struct buf *out, const struct http_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_char(out, ';');
        buf_str(out, fields[i].name);
    }
}

/* Runs of spaces inside a value count as one. */
static void put_value(struct buf *out, struct str value)
{
    value = str_trim(value);
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] != ' ' || value.ptr[i - 1] != ' ')
            buf_char(out, value.ptr[i]);
}

static struct sha256 hash_body(struct arena *arena, const struct aws_request *request, bool *ok)
{
    struct buf whole;
    size_t len = 0;

    *ok = true;
    if (request->body_count == 0)
        return sha256(STR(""));
    if (request->body_count == 1)
        return sha256(request->body[0]);
    for (size_t i = 0; i < request->body_count; i++)
        len += request->body[i].len;
    buf_init(&whole, arena, len);
    for (size_t i = 0; i < request->body_count; i++)
        buf_str(&whole, request->body[i]);
    *ok = buf_ok(&whole);
    return sha256(buf_view(&whole));
}

/* The body's hash is the one in X-Amz-Content-Sha256 where it is signed, else made here. */
static bool put_body_hash(struct buf *out, struct arena *arena, const struct aws_request *request,
                          const struct http_field *fields, size_t count, struct err *err)
{
    struct sha256 hash;
    bool ok;

    for (size_t i = 0; i < count; i++) {
        if (str_eq(fields[i].name, STR("x-amz-content-sha256"))) {
            buf_str(out, fields[i].value);
            return true;
        }
    }
    hash = hash_body(arena, request, &ok);
    if (!ok)
        return err_arena(err, arena);
    buf_hex(out, hash.bytes, sizeof hash.bytes);
    return true;
}

static bool hash_canonical(struct arena *arena, const struct aws_request *request,
                           const struct http_field *fields, size_t count, struct sha256 *out,
                           struct err *err)
{
    size_t question = str_find_char(request->path, '?');
    struct str text;
    struct buf b;

    buf_init(&b, arena, CANONICAL_MAX);
    buf_str(&b, request->method);
    buf_char(&b, '\n');
    if (request->path_as_sent)
        buf_str(&b, str_slice(request->path, 0, question));
    else
        put_path(&b, str_slice(request->path, 0, question));
    buf_char(&b, '\n');
    if (!put_query(&b, str_slice(request->path, question + 1, request->path.len), err))
        return false;
    buf_char(&b, '\n');
    for (size_t i = 0; i < count; i++) {
        buf_str(&b, fields[i].name);
        buf_char(&b, ':');
        put_value(&b, fields[i].value);
        buf_char(&b, '\n');
    }
    buf_char(&b, '\n');
    put_names(&b, fields, count);
    buf_char(&b, '\n');
    if (!put_body_hash(&b, arena, request, fields, count, err) || !buf_finish(&b, &text, err))
        return false;
    *out = sha256(text);
    return true;
}

/* ---- the signature ---- */

/* A digest as the key of the next: a view, never wiped by its owner's rules. */
static struct sha256 chain(const struct sha256 *key, struct str text)
{
    struct sha256 copy = *key, made;
    struct secret view = {copy.bytes, sizeof copy.bytes};

    made = hmac_sha256(&view, text);
    bytes_wipe(&copy, sizeof copy);
    return made;
}

static bool signing_key(const struct aws_identity *who, struct str day, struct sha256 *out,
                        struct err *err)
{
    struct str key = secret_reveal(who->secret_key);
    uint8_t first[4 + SECRET_KEY_MAX];
    struct secret view = {first, 4 + key.len};

    if (key.len > SECRET_KEY_MAX)
        return err_set(err, ERR_INVALID, "the secret key is longer than %d bytes", SECRET_KEY_MAX);
    memcpy(first, "AWS4", 4);
    memcpy(first + 4, key.ptr, key.len);
    *out = hmac_sha256(&view, day);
    bytes_wipe(first, 4 + key.len);
    *out = chain(out, who->region);
    *out = chain(out, who->service);
    *out = chain(out, STR("aws4_request"));
    return true;
}

static void put_scope(struct buf *out, const struct aws_identity *who, struct str day)
{
    buf_str(out, day);
    buf_char(out, '/');
    buf_str(out, who->region);
    buf_char(out, '/');
    buf_str(out, who->service);
    buf_str(out, STR("/aws4_request"));
}

static void write_hex(char *to, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        to[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        to[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
}

bool aws_signature(struct arena *arena, const struct aws_request *request,
                   const struct aws_identity *who, wall_ms now, const struct http_field *fields,
                   size_t field_count, char hex[64], struct err *err)
{
    char date[DATE_LEN], memory[DATE_LEN + SCOPE_MAX + 128];
    struct str day = {date, DAY_LEN}, text;
    struct sha256 canonical, key, made;
    struct buf b;

    ASSERT(field_count <= SIGNED_MAX);
    write_date(date, now);
    if (!hash_canonical(arena, request, fields, field_count, &canonical, err) ||
        !signing_key(who, day, &key, err))
        return false;
    buf_init_fixed(&b, memory, sizeof memory);
    buf_str(&b, STR("AWS4-HMAC-SHA256\n"));
    buf_put(&b, date, DATE_LEN);
    buf_char(&b, '\n');
    put_scope(&b, who, day);
    buf_char(&b, '\n');
    buf_hex(&b, canonical.bytes, sizeof canonical.bytes);
    if (!buf_finish(&b, &text, err))
        return false;
    made = chain(&key, text);
    bytes_wipe(&key, sizeof key);
    write_hex(hex, made.bytes, sizeof made.bytes);
    return true;
}

static bool authorization(struct arena *arena, const struct aws_identity *who, struct str date,
                          const struct http_field *fields, size_t count, const char hex[64],
                          struct str *out, struct err *err)
{
    struct buf b;

    buf_init(&b, arena, 1024);
    buf_str(&b, STR("AWS4-HMAC-SHA256 Credential="));
    buf_str(&b, who->access_key);
    buf_char(&b, '/');
    put_scope(&b, who, str_slice(date, 0, DAY_LEN));
    buf_str(&b, STR(", SignedHeaders="));
    put_names(&b, fields, count);
    buf_str(&b, STR(", Signature="));
    buf_put(&b, hex, 64);
    return buf_finish(&b, out, err);
}

bool aws_sign(struct arena *arena, const struct aws_request *request,
              const struct aws_identity *who, wall_ms now, struct http_field fields[AWS_FIELDS_MAX],
              size_t *count, struct err *err)
{
    struct str token = who->session_token ? secret_reveal(who->session_token) : STR_NONE;
    char *text = arena_alloc_raw(arena, DATE_LEN + 2 * SHA256_BYTES), hex[64];
    struct http_field under[AWS_FIELDS_MAX];
    struct sha256 hash;
    struct str date, value;
    size_t n = 0;
    bool ok = text != NULL;

    if (ok)
        hash = hash_body(arena, request, &ok);
    if (!ok)
        return err_arena(err, arena);
    write_date(text, now);
    write_hex(text + DATE_LEN, hash.bytes, sizeof hash.bytes);
    date = (struct str){text, DATE_LEN};
    under[n++] = (struct http_field){STR("host"), request->host};
    if (request->checksums)
        under[n++] = (struct http_field){STR("x-amz-checksum-mode"), STR("ENABLED")};
    under[n++] =
        (struct http_field){STR("x-amz-content-sha256"), {text + DATE_LEN, 2 * SHA256_BYTES}};
    under[n++] = (struct http_field){STR("x-amz-date"), date};
    if (token.len)
        under[n++] = (struct http_field){STR("x-amz-security-token"), token};
    if (!aws_signature(arena, request, who, now, under, n, hex, err) ||
        !authorization(arena, who, date, under, n, hex, &value, err))
        return false;
    *count = 0;
    for (size_t i = 1; i < n; i++)
        fields[(*count)++] = under[i];
    fields[(*count)++] = (struct http_field){STR("authorization"), value};
    return true;
}
