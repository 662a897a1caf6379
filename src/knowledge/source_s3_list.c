#include <string.h>
#include <zlib.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/hash.h"
#include "knowledge/source_s3.h"
#include "knowledge/xml.h"

bool bucket_location(struct str location, struct str *bucket, struct str *prefix)
{
    if (!str_starts(location, STR("s3://")))
        return false;
    struct str rest = str_slice(location, 5, location.len);
    size_t slash = str_find_char(rest, '/');

    *bucket = str_slice(rest, 0, slash);
    *prefix = str_slice(rest, slash + 1, rest.len);
    for (size_t i = 0; i < bucket->len; i++) {
        char c = bucket->ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '-' || c == '_'))
            return false;
    }
    return bucket->len > 0;
}

static struct str text_of(struct arena *arena, const struct xml_node *node)
{
    struct buf b;

    buf_init(&b, arena, 64 * KIB);
    for (const struct xml_node *n = node ? node->first : NULL; n; n = n->next)
        if (n->name.len == 0)
            buf_str(&b, n->text);
    return buf_ok(&b) ? str_trim(buf_view(&b)) : STR_NONE;
}

/* As encoding-type=url writes it, "+" for a space among it. */
static bool decode(struct arena *arena, struct str text, struct str *out)
{
    struct buf b;

    buf_init(&b, arena, text.len + 1);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte;

        if (text.ptr[i] == '+') {
            buf_char(&b, ' ');
        } else if (text.ptr[i] != '%') {
            buf_char(&b, text.ptr[i]);
        } else if (hex_parse(str_slice(text, i + 1, i + 3), &byte, 1)) {
            buf_char(&b, (char)byte);
            i += 2;
        } else {
            return false;
        }
    }
    *out = buf_view(&b);
    return buf_ok(&b);
}

static struct str unquoted(struct str etag)
{
    if (etag.len >= 2 && etag.ptr[0] == '"' && etag.ptr[etag.len - 1] == '"')
        return str_slice(etag, 1, etag.len - 1);
    return etag;
}

static bool read_object(struct arena *arena, const struct xml_node *node, bool encoded,
                        struct bucket_object *out, struct err *err)
{
    struct str key = text_of(arena, xml_child(node, "Key")),
               size = text_of(arena, xml_child(node, "Size"));

    out->etag = unquoted(text_of(arena, xml_child(node, "ETag")));
    if (!key.ptr || !size.ptr || !out->etag.ptr)
        return err_arena(err, arena);
    if (encoded && !decode(arena, key, &key))
        return err_set(err, ERR_INVALID, "a key of the bucket's list is not well encoded");
    if (key.len == 0 || memchr(key.ptr, 0, key.len) || !u64_parse(size, &out->bytes))
        return err_set(err, ERR_INVALID, "an object of the bucket's list lacks key or size");
    out->key = key;
    return true;
}

bool bucket_page_read(struct arena *arena, struct str xml, struct bucket_page *out, struct err *err)
{
    struct bucket_page page = {.next = STR("")};
    struct xml_node *root;
    size_t count = 0;

    if (!xml_tree(arena, xml, &root, err))
        return false;
    if (!str_eq(root->name, STR("ListBucketResult")))
        return err_set(err, ERR_INVALID, "no list of a bucket: the root is <" STR_FMT ">",
                       STR_ARG(str_slice(root->name, 0, 40)));
    for (const struct xml_node *n = root->first; n; n = n->next)
        count += str_eq(n->name, STR("Contents"));
    page.at = arena_array(arena, count + 1, sizeof *page.at);
    if (!page.at)
        return err_arena(err, arena);
    bool encoded = str_eq(text_of(arena, xml_child(root, "EncodingType")), STR("url"));
    for (const struct xml_node *n = root->first; n; n = n->next)
        if (str_eq(n->name, STR("Contents")) &&
            !read_object(arena, n, encoded, &page.at[page.count++], err))
            return false;
    if (str_eq(text_of(arena, xml_child(root, "IsTruncated")), STR("true"))) {
        page.next = text_of(arena, xml_child(root, "NextContinuationToken"));
        if (page.next.len == 0)
            return err_set(err, ERR_INVALID, "the bucket's list goes on, and does not say where");
    }
    *out = page;
    return true;
}

struct str bucket_error(struct arena *arena, struct str xml)
{
    struct err ignored = {0};
    struct xml_node *root;

    if (!xml_tree(arena, xml, &root, &ignored) || !str_eq(root->name, STR("Error")))
        return STR("");
    struct str text =
        arena_fmt(arena, STR_FMT ": " STR_FMT, STR_ARG(text_of(arena, xml_child(root, "Code"))),
                  STR_ARG(text_of(arena, xml_child(root, "Message"))));
    return text.ptr ? text : STR("");
}

/* --- an object's bytes ------------------------------------------------------------------------ */

static bool is_claimed(struct str claim, const void *found, size_t len)
{
    uint8_t claimed[SHA256_BYTES];
    size_t got = 0;

    return claim.len == 0 || str_find_char(claim, '-') < claim.len ||
           (base64_parse(claim, claimed, sizeof claimed, &got) && got == len &&
            memcmp(claimed, found, len) == 0);
}

static void big_endian(uint32_t value, uint8_t out[4])
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> (24 - 8 * i));
}

bool bucket_bytes_check(const struct bucket_object *listed, const struct bucket_claims *claims,
                        struct str bytes, struct err *err)
{
    struct sha256 sha = {0};
    uint8_t crc[4] = {0}, crc_c[4] = {0};

    if (str_eq(unquoted(claims->etag), listed->etag) && bytes.len != listed->bytes)
        return err_set(err, ERR_UNAVAILABLE,
                       "the bucket gave %zu bytes, and its list says that there are %" PRIu64,
                       bytes.len, listed->bytes);
    if (claims->sha256.len > 0)
        sha = sha256(bytes);
    if (claims->crc32.len > 0)
        big_endian((uint32_t)crc32_z(0, (const Bytef *)bytes.ptr, bytes.len), crc);
    if (claims->crc32c.len > 0)
        big_endian(crc32c(0, bytes.ptr, bytes.len), crc_c);
    return (is_claimed(claims->sha256, sha.bytes, sizeof sha.bytes) &&
            is_claimed(claims->crc32, crc, sizeof crc) &&
            is_claimed(claims->crc32c, crc_c, sizeof crc_c)) ||
           err_set(err, ERR_UNAVAILABLE, "the bucket gave bytes that do not have its checksum");
}
