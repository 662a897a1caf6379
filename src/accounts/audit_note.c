#include "accounts/audit_note.h"

#include <openssl/evp.h>
#include <string.h>

#include "accounts/calendar.h"
#include "base/base64.h"
#include "base/log.h"
#include "sys/clock.h"

#define SEED_BYTES      32u
#define SIGNATURE_BYTES 64u
#define ED25519_KIND    1u /* of C2SP signed-note */
#define SIGNATURE_MARK  STR("\xe2\x80\x94 ")
#define PRIVATE_PREFIX  STR("PRIVATE+KEY+")
#define TIME_PREFIX     STR("time ")
#define KEY_PREFIX      STR("next-key ")
#define NAME_RANDOM     4u /* bytes: two logs that meet have different names */
#define SIGNATURES_MAX  16

struct note_signer {
    struct arena *arena;
    struct note_key key;
    struct secret seed;
    EVP_PKEY *pkey;
};

/* ---- keys ---- */

/* SHA-256(name || \n || kind || key), its first four bytes. */
static void set_id(struct note_key *key)
{
    char text[NOTE_NAME_MAX + 2 + sizeof key->bytes];
    struct buf b;

    buf_init_fixed(&b, text, sizeof text);
    buf_str(&b, str_from(key->name));
    buf_char(&b, '\n');
    buf_char(&b, ED25519_KIND);
    buf_put(&b, key->bytes, sizeof key->bytes);
    ASSERT(buf_ok(&b));

    struct sha256 sum = sha256(buf_view(&b));

    memcpy(key->id, sum.bytes, sizeof key->id);
}

static bool name_is_good(struct str name)
{
    if (!name.len || name.len >= NOTE_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] <= ' ' || name.ptr[i] == '+' || name.ptr[i] == 0x7f)
            return false;
    return true;
}

/* NAME+HEX8+base64(kind || 32 bytes), the frame that vkeys and private keys share. */
static bool read_parts(struct str text, struct note_key *out, uint8_t bytes[SEED_BYTES])
{
    struct str rest = text, name, id;
    uint8_t key[1 + SEED_BYTES];
    size_t got;

    if (!str_split(&rest, '+', &name) || !str_split(&rest, '+', &id) || !name_is_good(name) ||
        !hex_parse(id, out->id, sizeof out->id) || !rest.ptr ||
        !base64_parse(rest, key, sizeof key, &got) || got != sizeof key || key[0] != ED25519_KIND)
        return false;
    memcpy(out->name, name.ptr, name.len);
    out->name[name.len] = 0;
    memcpy(bytes, key + 1, SEED_BYTES);
    bytes_wipe(key, sizeof key);
    return true;
}

bool note_key_read(struct str vkey, struct note_key *out, struct err *err)
{
    struct note_key key = {0};
    uint8_t claimed[sizeof key.id];

    if (!read_parts(vkey, &key, key.bytes))
        return err_set(err, ERR_INVALID,
                       "is not a public key of the form NAME+8 hex digits+base64");
    memcpy(claimed, key.id, sizeof claimed);
    set_id(&key);
    if (memcmp(claimed, key.id, sizeof claimed) != 0)
        return err_set(err, ERR_INVALID, "the public key \"%s\" does not fit its number", key.name);
    *out = key;
    return true;
}

static void write_parts(const struct note_key *key, const uint8_t bytes[SEED_BYTES], struct buf *to)
{
    uint8_t kinded[1 + SEED_BYTES] = {ED25519_KIND};

    memcpy(kinded + 1, bytes, SEED_BYTES);
    buf_str(to, str_from(key->name));
    buf_char(to, '+');
    buf_hex(to, key->id, sizeof key->id);
    buf_char(to, '+');
    buf_base64(to, kinded, sizeof kinded);
    bytes_wipe(kinded, sizeof kinded);
}

struct str note_key_text(const struct note_key *key, char to[NOTE_KEY_TEXT])
{
    struct buf b;

    buf_init_fixed(&b, to, NOTE_KEY_TEXT);
    write_parts(key, key->bytes, &b);
    ASSERT(buf_ok(&b));
    return buf_view(&b);
}

bool note_keys_read(struct str text, struct note_key *out, size_t *count, struct err *err)
{
    size_t have = *count, line_number = 0;

    for (struct str rest = text, line; str_split(&rest, '\n', &line);) {
        line = str_trim(line);
        line_number++;
        if (!line.len || line.ptr[0] == '#')
            continue;
        if (have == NOTE_KEYS_MAX)
            return err_set(err, ERR_TOO_LARGE, "more than %d public keys", NOTE_KEYS_MAX);
        if (!note_key_read(line, &out[have], err))
            return err_wrap(err, "line %zu", line_number);
        have++;
    }
    *count = have;
    return true;
}

/* ---- signing ---- */

static bool use_seed(struct note_signer *signer, const uint8_t seed[SEED_BYTES], struct err *err)
{
    size_t len = sizeof signer->key.bytes;

    signer->pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, SEED_BYTES);
    if (!signer->pkey || EVP_PKEY_get_raw_public_key(signer->pkey, signer->key.bytes, &len) != 1)
        return err_set(err, ERR_INTERNAL, "could not make an Ed25519 key");
    return secret_set(&signer->seed, seed, SEED_BYTES, err);
}

static struct note_signer *signer_alloc(struct err *err)
{
    struct arena *arena = arena_new((size_t)64 * KIB);
    struct note_signer *signer = arena ? arena_alloc(arena, sizeof *signer) : NULL;

    if (!signer) {
        arena_end(&arena);
        err_no_room(err, "no memory for a key");
        return NULL;
    }
    signer->arena = arena;
    return signer;
}

bool note_signer_new(struct note_signer **out, struct err *err)
{
    struct note_signer *signer CLEANUP(note_signer_free) = signer_alloc(err);
    uint8_t seed[SEED_BYTES], name[NAME_RANDOM];
    struct buf b;

    if (!signer)
        return false;
    clock_random(seed, sizeof seed);
    clock_random(name, sizeof name);
    buf_init_fixed(&b, signer->key.name, sizeof signer->key.name - 1);
    buf_str(&b, STR("weir-audit-"));
    buf_hex(&b, name, sizeof name);

    bool ok = use_seed(signer, seed, err);

    bytes_wipe(seed, sizeof seed);
    if (!ok)
        return false;
    set_id(&signer->key);
    *out = signer;
    signer = NULL;
    return true;
}

bool note_signer_read(struct str text, struct note_signer **out, struct err *err)
{
    struct note_signer *signer CLEANUP(note_signer_free) = signer_alloc(err);
    struct str rest = str_trim(text);
    uint8_t seed[SEED_BYTES], claimed[sizeof signer->key.id];

    if (!signer)
        return false;
    if (!str_starts(rest, PRIVATE_PREFIX) ||
        !read_parts(str_slice(rest, PRIVATE_PREFIX.len, rest.len), &signer->key, seed))
        return err_set(err, ERR_INVALID, "is not a signing key");
    memcpy(claimed, signer->key.id, sizeof claimed);

    bool ok = use_seed(signer, seed, err);

    bytes_wipe(seed, sizeof seed);
    if (!ok)
        return false;
    set_id(&signer->key);
    if (memcmp(claimed, signer->key.id, sizeof claimed) != 0)
        return err_set(err, ERR_INVALID, "the signing key does not fit its number");
    *out = signer;
    signer = NULL;
    return true;
}

void note_signer_text(const struct note_signer *signer, struct buf *to)
{
    buf_str(to, PRIVATE_PREFIX);
    write_parts(&signer->key, (const uint8_t *)secret_reveal(&signer->seed).ptr, to);
    buf_char(to, '\n');
}

const struct note_key *note_signer_key(const struct note_signer *signer)
{
    return &signer->key;
}

void note_signer_free(struct note_signer **signer)
{
    struct note_signer *s = *signer;

    if (!s)
        return;
    EVP_PKEY_free(s->pkey);
    secret_wipe(&s->seed);
    *signer = NULL;

    struct arena *arena = s->arena;
    arena_end(&arena);
}

void note_sign(const struct note_signer *signer, struct str text, struct buf *note)
{
    uint8_t bytes[sizeof signer->key.id + SIGNATURE_BYTES];
    size_t len = SIGNATURE_BYTES;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, signer->pkey) == 1 &&
              EVP_DigestSign(ctx, bytes + sizeof signer->key.id, &len,
                             (const unsigned char *)text.ptr, text.len) == 1;

    EVP_MD_CTX_free(ctx);
    ASSERT(ok && len == SIGNATURE_BYTES); /* only without memory */
    memcpy(bytes, signer->key.id, sizeof signer->key.id);
    buf_str(note, SIGNATURE_MARK);
    buf_str(note, str_from(signer->key.name));
    buf_char(note, ' ');
    buf_base64(note, bytes, sizeof bytes);
    buf_char(note, '\n');
}

/* ---- opening ---- */

static bool signature_fits(const struct note_key *key, struct str text,
                           const uint8_t signature[SIGNATURE_BYTES])
{
    EVP_PKEY *pkey =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->bytes, sizeof key->bytes);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = pkey && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
              EVP_DigestVerify(ctx, signature, SIGNATURE_BYTES, (const unsigned char *)text.ptr,
                               text.len) == 1;

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return ok;
}

static bool read_signature(struct str line, struct str *name, uint8_t *bytes, size_t max,
                           size_t *len)
{
    struct str rest;
    size_t space;

    if (!str_starts(line, SIGNATURE_MARK))
        return false;
    rest = str_slice(line, SIGNATURE_MARK.len, line.len);
    space = str_find_char(rest, ' ');
    *name = str_slice(rest, 0, space);
    return name_is_good(*name) && space < rest.len &&
           base64_parse(str_slice(rest, space + 1, rest.len), bytes, max, len) && *len > 4;
}

/* The text ends with the newline in front of the last empty line. */
static bool split_note(struct str note, struct str *text, struct str *signatures)
{
    for (size_t at = note.len; at >= 2; at--)
        if (note.ptr[at - 1] == '\n' && note.ptr[at - 2] == '\n') {
            *text = str_slice(note, 0, at - 1);
            *signatures = str_slice(note, at, note.len);
            return signatures->len > 0 && str_ends(note, STR("\n"));
        }
    return false;
}

bool note_open(struct str note, const struct note_key *keys, size_t count, struct str *text,
               uint64_t *by, struct err *err)
{
    struct str signatures, line, name;
    uint64_t signers = 0;
    int lines = 0;

    ASSERT(count <= NOTE_KEYS_MAX);
    if (note.len > NOTE_MAX || !split_note(note, text, &signatures))
        return err_set(err, ERR_INVALID, "is not a signed note");
    signatures.len--; /* the last newline ends a line and begins none */
    while (str_split(&signatures, '\n', &line)) {
        uint8_t bytes[256];
        size_t len = 0;

        if (++lines > SIGNATURES_MAX || !read_signature(line, &name, bytes, sizeof bytes, &len))
            return err_set(err, ERR_INVALID, "line %d of the signatures is not a signature", lines);
        for (size_t i = 0; i < count; i++) {
            if (!str_eq(name, str_from(keys[i].name)) || memcmp(bytes, keys[i].id, 4) != 0)
                continue; /* of somebody we do not know */
            if (len != 4 + SIGNATURE_BYTES || !signature_fits(&keys[i], *text, bytes + 4))
                return err_set(err, ERR_INVALID, "the signature of \"%s\" does not fit",
                               keys[i].name);
            signers |= (uint64_t)1 << i;
        }
    }
    if (!signers)
        return err_set(err, ERR_NOT_FOUND, "is signed by \"" STR_FMT "\", whose key is not known",
                       STR_ARG(name));
    *by = signers;
    return true;
}

/* ---- checkpoints ---- */

void checkpoint_write(const struct checkpoint *c, struct buf *to)
{
    char time[25];

    buf_str(to, c->origin);
    buf_char(to, '\n');
    buf_u64(to, c->size);
    buf_char(to, '\n');
    buf_base64(to, c->root.bytes, sizeof c->root.bytes);
    buf_char(to, '\n');
    if (c->time) {
        wall_format(c->time, time);
        buf_str(to, TIME_PREFIX);
        buf_put(to, time, sizeof time - 1);
        buf_char(to, '\n');
    }
    if (c->next_key.len) {
        buf_str(to, KEY_PREFIX);
        buf_str(to, c->next_key);
        buf_char(to, '\n');
    }
}

bool checkpoint_read(struct str text, struct checkpoint *out, struct err *err)
{
    struct checkpoint c = {0};
    struct str rest = text, size, root, line;
    size_t got;

    if (!str_split(&rest, '\n', &c.origin) || !c.origin.len || !str_split(&rest, '\n', &size) ||
        !str_split(&rest, '\n', &root) || !rest.ptr || (size.len > 1 && size.ptr[0] == '0') ||
        !u64_parse(size, &c.size) || !base64_parse(root, c.root.bytes, sizeof c.root.bytes, &got) ||
        got != sizeof c.root.bytes)
        return err_set(err, ERR_INVALID, "is not a checkpoint: origin, size and root expected");
    while (str_split(&rest, '\n', &line))
        if (str_starts(line, TIME_PREFIX)) {
            if (!wall_parse(str_slice(line, TIME_PREFIX.len, line.len), &c.time))
                return err_set(err, ERR_INVALID, "the time of the checkpoint is not one");
        } else if (str_starts(line, KEY_PREFIX)) {
            c.next_key = str_slice(line, KEY_PREFIX.len, line.len);
        }
    *out = c;
    return true;
}
