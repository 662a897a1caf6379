#include <string.h>

#include "knowledge/pdf_cipher.h"
#include "knowledge/pdf_object.h"

/* The standard security handler, revisions 2 to 6, opened with the empty user password: that is how
 * files are protected against changes and printing. ISO 32000-1 7.6, ISO 32000-2 7.6.4. */

#define KEY_BYTES_MAX 32
enum method { METHOD_NONE, METHOD_RC4, METHOD_AES128, METHOD_AES256 };

struct pdf_cipher {
    uint8_t key[KEY_BYTES_MAX];
    size_t key_len;
    enum method strings, streams;
    bool metadata; /* encrypted, too */
};

static const uint8_t padding[32] = {
    0x28, 0xBF, 0x4E, 0x5E, 0x4E, 0x75, 0x8A, 0x41, 0x64, 0x00, 0x4E, 0x56, 0xFF, 0xFA, 0x01, 0x08,
    0x2E, 0x2E, 0x00, 0xB6, 0xD0, 0x68, 0x3E, 0x80, 0x2F, 0x0C, 0xA9, 0xFE, 0x64, 0x53, 0x69, 0x7A};

struct handler { /* the dictionary, read */
    int64_t version, revision, permissions;
    struct str owner, user, user_key, id;
    bool metadata;
};

static struct str bytes_of(const void *p, size_t len)
{
    return (struct str){p, len};
}

/* --- revisions 2 to 4 ------------------------------------------------------------------------- */

/* Algorithm 2 with an empty password. */
static void key_of(const struct handler *h, struct pdf_cipher *c)
{
    uint8_t message[32 + 64 + 4 + 64 + 4], digest[16];
    size_t len = 0, owner = MIN_OF(h->owner.len, (size_t)32), id = MIN_OF(h->id.len, (size_t)64);

    memcpy(message, padding, 32);
    len = 32;
    if (owner)
        memcpy(message + len, h->owner.ptr, owner);
    len += owner;
    for (int i = 0; i < 4; i++)
        message[len++] = (uint8_t)((uint64_t)h->permissions >> 8 * i);
    if (id)
        memcpy(message + len, h->id.ptr, id);
    len += id;
    if (h->revision >= 4 && !h->metadata) {
        memset(message + len, 0xFF, 4);
        len += 4;
    }
    pdf_md5(bytes_of(message, len), digest);
    for (int i = 0; h->revision >= 3 && i < 50; i++)
        pdf_md5(bytes_of(digest, c->key_len), digest);
    memcpy(c->key, digest, c->key_len);
}

/* Algorithms 4 and 5: what the user entry would be with this key. */
static bool user_agrees(const struct handler *h, const struct pdf_cipher *c)
{
    uint8_t message[32 + 64], digest[32], key[16];
    size_t id = MIN_OF(h->id.len, (size_t)64);

    if (h->revision < 3) {
        pdf_rc4(bytes_of(c->key, c->key_len), padding, digest, 32);
        return h->user.len >= 32 && !memcmp(digest, h->user.ptr, 32);
    }
    memcpy(message, padding, 32);
    if (id)
        memcpy(message + 32, h->id.ptr, id);
    pdf_md5(bytes_of(message, 32 + id), digest);
    for (uint8_t i = 0; i < 20; i++) {
        for (size_t k = 0; k < c->key_len; k++)
            key[k] = c->key[k] ^ i;
        pdf_rc4(bytes_of(key, c->key_len), digest, digest, 16);
    }
    return h->user.len >= 16 && !memcmp(digest, h->user.ptr, 16);
}

/* --- revisions 5 and 6 ------------------------------------------------------------------------ */

/* Algorithm 2.B for the empty user password; revision 5 stops after the first digest. */
static bool harden(struct arena *arena, int64_t revision, struct str salt, uint8_t out[32])
{
    uint8_t k[64], *round = arena_alloc_raw(arena, 64 * sizeof k), last = 0;
    size_t k_len = 32;

    if (!round)
        return false;
    pdf_sha2(256, salt, k);
    for (int i = 0; revision >= 6 && (i < 64 || last > i - 32); i++) {
        unsigned sum = 0;

        for (size_t copy = 0; copy < 64; copy++)
            memcpy(round + copy * k_len, k, k_len);
        pdf_aes_encrypt(k, 16, k + 16, round, round, 64 * k_len);
        for (int b = 0; b < 16; b++)
            sum += round[b];
        last = round[64 * k_len - 1];
        struct str message = bytes_of(round, 64 * k_len);

        k_len = sum % 3 == 0 ? 32 : sum % 3 == 1 ? 48 : 64;
        pdf_sha2((int)k_len * 8, message, k);
    }
    memcpy(out, k, 32);
    return true;
}

static bool key_of_new(struct arena *arena, const struct handler *h, struct pdf_cipher *c)
{
    static const uint8_t iv[16];
    uint8_t digest[32], between[32];

    if (h->user.len < 48 || h->user_key.len < 32)
        return false;
    if (!harden(arena, h->revision, str_slice(h->user, 32, 40), digest) ||
        memcmp(digest, h->user.ptr, 32) != 0 ||
        !harden(arena, h->revision, str_slice(h->user, 40, 48), between))
        return false;
    pdf_aes_decrypt(between, 32, iv, (const uint8_t *)h->user_key.ptr, c->key, 32);
    c->key_len = 32;
    return true;
}

/* --- opening ---------------------------------------------------------------------------------- */

static bool method_of(struct pdf *pdf, const struct pdf_object *dict, const char *which,
                      enum method *out)
{
    const struct pdf_object *name = pdf_get(pdf, dict, which);
    const struct pdf_object *filters = pdf_get(pdf, dict, "CF"), *how = &pdf_nothing;

    *out = METHOD_NONE;
    if (name->kind != PDF_NAME || str_eq(name->text, STR("Identity")))
        return true;
    for (uint32_t i = 0; filters->kind == PDF_DICT && i < filters->count; i++)
        if (str_eq(filters->entries[i].key, name->text))
            how = pdf_get(pdf, pdf_resolve(pdf, &filters->entries[i].value), "CFM");
    if (pdf_is_name(how, "None"))
        return true;
    *out = pdf_is_name(how, "V2")      ? METHOD_RC4
           : pdf_is_name(how, "AESV2") ? METHOD_AES128
           : pdf_is_name(how, "AESV3") ? METHOD_AES256
                                       : METHOD_NONE;
    return *out != METHOD_NONE;
}

static struct str string_of(struct pdf *pdf, const struct pdf_object *dict, const char *key)
{
    const struct pdf_object *o = pdf_get(pdf, dict, key);

    return o->kind == PDF_STRING ? o->text : STR_NONE;
}

static bool handler_read(struct pdf *pdf, const struct pdf_object *dict, struct handler *h,
                         struct pdf_cipher *c)
{
    const struct pdf_object *id = pdf_at(pdf, pdf_get(pdf, &pdf->trailer, "ID"), 0);
    const struct pdf_object *metadata = pdf_get(pdf, dict, "EncryptMetadata");
    int64_t bits = pdf_integer(pdf_get(pdf, dict, "Length"), 40);

    *h = (struct handler){.version = pdf_integer(pdf_get(pdf, dict, "V"), 0),
                          .revision = pdf_integer(pdf_get(pdf, dict, "R"), 0),
                          .permissions = pdf_integer(pdf_get(pdf, dict, "P"), 0),
                          .owner = string_of(pdf, dict, "O"),
                          .user = string_of(pdf, dict, "U"),
                          .user_key = string_of(pdf, dict, "UE"),
                          .id = id->kind == PDF_STRING ? id->text : STR_NONE,
                          .metadata = metadata->kind != PDF_BOOL || metadata->truth};
    c->metadata = h->metadata;
    if (!pdf_is_name(pdf_get(pdf, dict, "Filter"), "Standard") || h->revision < 2 ||
        h->revision > 6)
        return false;
    c->strings = c->streams = METHOD_RC4;
    if (h->version >= 4) {
        if (!method_of(pdf, dict, "StmF", &c->streams) ||
            !method_of(pdf, dict, "StrF", &c->strings))
            return false;
        bits = 128;
    }
    if (h->version == 1 || h->revision == 2)
        bits = 40;
    else if (bits < 40)
        bits *= 8; /* some writers count bytes */
    if (bits < 40 || bits > 128 || bits % 8)
        return false;
    c->key_len = (size_t)bits / 8;
    return true;
}

bool pdf_cipher_open(struct pdf *pdf, struct err *err)
{
    const struct pdf_object *dict = pdf_get(pdf, &pdf->trailer, "Encrypt");
    struct pdf_cipher *c;
    struct handler h;
    bool open;

    if (pdf->cipher || !pdf_is_dict(dict))
        return true;
    c = arena_alloc(pdf->arena, sizeof *c);
    if (!c)
        return err_arena(err, pdf->arena);
    if (!handler_read(pdf, dict, &h, c))
        return err_set(err, ERR_INVALID, "PDF is encrypted in a way that cannot be read");
    if (h.revision >= 5) {
        open = key_of_new(pdf->arena, &h, c);
    } else {
        key_of(&h, c);
        open = user_agrees(&h, c);
    }
    if (!open)
        return err_set(err, ERR_INVALID, "PDF is encrypted: needs a password");
    pdf->cipher = c;
    /* Strings that were read before there was a key. */
    for (uint32_t i = 0; i < pdf->slot_count; i++)
        pdf->slots[i].object = NULL;
    return true;
}

/* --- deciphering ------------------------------------------------------------------------------ */

struct subject {
    enum method method;
    uint32_t number, generation;
};

/* Algorithm 1: the key of one object. */
static size_t object_key(const struct pdf_cipher *c, const struct subject *s, uint8_t key[32])
{
    uint8_t message[KEY_BYTES_MAX + 9];
    size_t len = c->key_len;

    if (s->method == METHOD_AES256) {
        memcpy(key, c->key, 32);
        return 32;
    }
    memcpy(message, c->key, len);
    for (int i = 0; i < 3; i++)
        message[len++] = (uint8_t)(s->number >> 8 * i);
    for (int i = 0; i < 2; i++)
        message[len++] = (uint8_t)(s->generation >> 8 * i);
    if (s->method == METHOD_AES128) {
        memcpy(message + len, "sAlT", 4);
        len += 4;
    }
    pdf_md5(bytes_of(message, len), key);
    return s->method == METHOD_AES128 ? 16 : MIN_OF(c->key_len + 5, (size_t)16);
}

static struct str decipher(struct pdf *pdf, struct arena *arena, struct str bytes,
                           const struct subject *s)
{
    const uint8_t *in = (const uint8_t *)bytes.ptr;
    uint8_t key[32], *out;
    size_t key_len, len;

    if (s->method == METHOD_NONE || !bytes.len || !pdf_spend(pdf, bytes.len / 16))
        return bytes;
    out = arena_alloc_raw(arena, bytes.len);
    if (!out) {
        pdf_stop(pdf, PDF_NO_MEMORY);
        return STR_NONE;
    }
    key_len = object_key(pdf->cipher, s, key);
    if (s->method == METHOD_RC4) {
        pdf_rc4(bytes_of(key, key_len), in, out, bytes.len);
        return bytes_of(out, bytes.len);
    }
    if (bytes.len < 32)
        return STR_NONE; /* no block behind the initial vector */
    len = (bytes.len - 16) & ~(size_t)15;
    pdf_aes_decrypt(key, key_len, in, in + 16, out, len);
    if (out[len - 1] >= 1 && out[len - 1] <= 16)
        len -= out[len - 1];
    return bytes_of(out, len);
}

struct str pdf_decipher_string(struct pdf *pdf, struct arena *arena, struct str bytes,
                               uint32_t number, uint32_t generation)
{
    struct subject s = {METHOD_NONE, number, generation};

    if (!pdf->cipher)
        return bytes;
    s.method = pdf->cipher->strings;
    return decipher(pdf, arena, bytes, &s);
}

struct str pdf_decipher_stream(struct pdf *pdf, struct arena *arena,
                               const struct pdf_stream *stream)
{
    const struct pdf_object *type, dict = stream->dict;
    struct subject s = {METHOD_NONE, stream->number, stream->generation};

    if (!pdf->cipher || stream->in_stream || !stream->number)
        return stream->raw;
    type = pdf_get_raw(pdf, &dict, "Type");
    if (pdf_is_name(type, "XRef") || (pdf_is_name(type, "Metadata") && !pdf->cipher->metadata))
        return stream->raw;
    s.method = pdf->cipher->streams;
    return decipher(pdf, arena, stream->raw, &s);
}
