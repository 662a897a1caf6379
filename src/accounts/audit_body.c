#include "accounts/audit_body.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

#include "accounts/audit_internal.h"
#include "accounts/calendar.h"
#include "base/table.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/mutex.h"

#define SUBJECTS_MAX  1000000u
#define SEGMENT_BYTES (64 * MIB)
#define KEY_BYTES     32u
#define NONCE_BYTES   12u
#define TAG_BYTES     16u
#define SUBJECT_BYTES 16u
#define OTHERS        077u
#define KEYS_MAGIC    "weirkey1"
#define BODY_MAGIC    "wbd1"
#define FRAME_BYTES   8u /* two lengths in front of question and answer */
#define READ_SLOTS    512u
#define SEGMENT_MS    (30 * DAY_MS) /* a file is of one of these */

struct keys_head {
    char magic[8];
    uint8_t salt[KEY_BYTES];
    uint8_t check[SUBJECT_BYTES]; /* of the master key; zero: none was ever given */
    uint8_t unused[72];
};

/* All zero: free. */
struct slot {
    uint8_t subject[SUBJECT_BYTES];
    uint8_t nonce[NONCE_BYTES];
    uint8_t wrapped[KEY_BYTES];
    uint8_t tag[TAG_BYTES];
    uint8_t used; /* 1 */
    uint8_t unused[51];
};

struct body_head {
    char magic[4];
    uint32_t text_bytes; /* encrypted */
    uint64_t request_id;
    uint8_t subject[SUBJECT_BYTES];
    uint8_t nonce[NONCE_BYTES];
    uint32_t unused;
};

static_assert(sizeof(struct keys_head) == 128 && sizeof(struct slot) == 128, "as in the file");
static_assert(sizeof(struct body_head) == 48, "as in the file");

struct entry {
    struct slot slot;
    uint32_t number; /* of the slot */
    bool unsure;     /* an erasure failed half way: written again before the key is used */
    struct entry *next_free;
};

struct audit_bodies {
    struct arena *arena;
    const char *dir, *key_file;
    struct secret salt, kek; /* kek empty: nothing can be sealed */
    struct secret shared;    /* of all who share the database, or empty */
    uint32_t subjects_max;
    size_t segment_bytes;

    struct mutex lock;
    struct file *keys;
    struct table by_subject; /* 16 bytes to struct entry */
    struct entry *free;
    uint32_t slots; /* in the file */
    struct file *segment;
    uint64_t number; /* of the segment */
    int64_t used;
    wall_ms written; /* when a body was put into it last */
    bool dirty;
};

/* ---- AES-256-GCM ---- */

struct gcm {
    const uint8_t *key, *nonce;
    struct str extra; /* authenticated, not encrypted */
};

static void gcm_seal(const struct gcm *gcm, struct str text, uint8_t *out, uint8_t tag[TAG_BYTES])
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int len = 0;
    bool ok =
        ctx && text.len < INT32_MAX &&
        EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, gcm->key, gcm->nonce) == 1 &&
        EVP_EncryptUpdate(ctx, NULL, &len, (const unsigned char *)gcm->extra.ptr,
                          (int)gcm->extra.len) == 1 &&
        EVP_EncryptUpdate(ctx, out, &len, (const unsigned char *)text.ptr, (int)text.len) == 1 &&
        EVP_EncryptFinal_ex(ctx, out + text.len, &len) == 1 &&
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, (int)TAG_BYTES, tag) == 1;

    EVP_CIPHER_CTX_free(ctx);
    ASSERT(ok); /* only without memory */
}

static bool gcm_open(const struct gcm *gcm, struct str sealed, const uint8_t tag[TAG_BYTES],
                     uint8_t *out)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t want[TAG_BYTES];
    int len = 0;

    memcpy(want, tag, sizeof want);

    bool ok = ctx && sealed.len < INT32_MAX &&
              EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, gcm->key, gcm->nonce) == 1 &&
              EVP_DecryptUpdate(ctx, NULL, &len, (const unsigned char *)gcm->extra.ptr,
                                (int)gcm->extra.len) == 1 &&
              EVP_DecryptUpdate(ctx, out, &len, (const unsigned char *)sealed.ptr,
                                (int)sealed.len) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, (int)TAG_BYTES, want) == 1 &&
              EVP_DecryptFinal_ex(ctx, out + sealed.len, &len) == 1;

    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

/* ---- subjects ---- */

static struct str bytes_of(const void *bytes, size_t len)
{
    return (struct str){bytes, len};
}

static void put_part(struct buf *b, struct str part)
{
    uint32_t len = (uint32_t)part.len;

    buf_put(b, &len, sizeof len);
    buf_str(b, part);
}

/* Of what may be of any length only the hash goes in. */
static void pseudonym_under(const struct secret *salt, struct str tenant, struct str user,
                            struct str key_id, char to[AUDIT_SUBJECT_TEXT])
{
    struct sha256 sums[2] = {sha256(tenant), sha256(user.len ? user : key_id)};
    char text[80];
    struct sha256 sum;
    struct buf b;

    buf_init_fixed(&b, text, sizeof text);
    buf_str(&b, user.len ? STR("user") : STR("key "));
    buf_put(&b, sums, sizeof sums);
    sum = hmac_sha256(salt, buf_view(&b));
    buf_init_fixed(&b, to, AUDIT_SUBJECT_TEXT);
    buf_str(&b, STR("s_"));
    buf_hex(&b, sum.bytes, SUBJECT_BYTES);
    buf_char(&b, 0);
    ASSERT(buf_ok(&b));
}

void audit_subject(const struct audit_bodies *bodies, struct str tenant, struct str user,
                   struct str key_id, char to[AUDIT_SUBJECT_TEXT])
{
    pseudonym_under(secret_is_empty(&bodies->shared) ? &bodies->salt : &bodies->shared, tenant,
                    user, key_id, to);
}

bool audit_former_subject(const struct audit_bodies *bodies, struct str tenant, struct str user,
                          struct str key_id, char to[AUDIT_SUBJECT_TEXT])
{
    pseudonym_under(&bodies->salt, tenant, user, key_id, to);
    return !secret_is_empty(&bodies->shared);
}

bool audit_bodies_share(struct audit_bodies *bodies, struct str secret, struct err *err)
{
    return secret_set(&bodies->shared, secret.ptr, secret.len, err);
}

static bool subject_bytes(struct str subject, uint8_t out[SUBJECT_BYTES])
{
    return str_starts(subject, STR("s_")) &&
           hex_parse(str_slice(subject, 2, subject.len), out, SUBJECT_BYTES);
}

bool audit_subject_read(struct str text, char to[AUDIT_SUBJECT_TEXT])
{
    uint8_t bytes[SUBJECT_BYTES];
    struct buf b;

    if (!subject_bytes(text, bytes))
        return false;
    buf_init_fixed(&b, to, AUDIT_SUBJECT_TEXT);
    buf_str(&b, STR("s_"));
    buf_hex(&b, bytes, sizeof bytes);
    buf_char(&b, '\0');
    return true;
}

static struct entry *find_key(const struct audit_bodies *b, const uint8_t subject[SUBJECT_BYTES])
{
    return table_get(&b->by_subject, bytes_of(subject, SUBJECT_BYTES));
}

static bool write_slot(struct audit_bodies *b, const struct entry *entry, struct err *err)
{
    return file_write_at(b->keys,
                         (int64_t)(sizeof(struct keys_head) + entry->number * sizeof entry->slot),
                         &entry->slot, sizeof entry->slot, err);
}

static const uint8_t *kek_bytes(const struct audit_bodies *b)
{
    return (const uint8_t *)secret_reveal(&b->kek).ptr;
}

static struct entry *new_entry(struct audit_bodies *b)
{
    struct entry *entry = b->free;

    if (entry)
        b->free = entry->next_free;
    else if (b->slots < b->subjects_max && (entry = arena_alloc(b->arena, sizeof *entry)))
        entry->number = b->slots++;
    return entry;
}

/* Under the lock. */
static bool make_key(struct audit_bodies *b, const uint8_t subject[SUBJECT_BYTES],
                     struct entry **out, struct err *err)
{
    struct entry *entry = new_entry(b);
    uint8_t key[KEY_BYTES];

    if (!entry)
        return err_no_room(err, "more than %" PRIu32 " subjects have sealed bodies",
                           b->subjects_max);
    memcpy(entry->slot.subject, subject, SUBJECT_BYTES);
    entry->slot.used = 1;
    clock_random(entry->slot.nonce, sizeof entry->slot.nonce);
    clock_random(key, sizeof key);

    const struct gcm gcm = {kek_bytes(b), entry->slot.nonce, bytes_of(subject, SUBJECT_BYTES)};

    gcm_seal(&gcm, bytes_of(key, sizeof key), entry->slot.wrapped, entry->slot.tag);
    bytes_wipe(key, sizeof key);
    if (write_slot(b, entry, err) &&
        (table_put(&b->by_subject, bytes_of(entry->slot.subject, SUBJECT_BYTES), entry, NULL) ||
         err_no_room(err, "no memory for another subject"))) {
        *out = entry;
        return true;
    }
    entry->slot = (struct slot){0}; /* its key is wrapped: nothing to wipe */
    entry->next_free = b->free;
    b->free = entry;
    return false;
}

static bool unwrap(const struct audit_bodies *b, const struct slot *slot, uint8_t key[KEY_BYTES],
                   struct err *err)
{
    const struct gcm gcm = {kek_bytes(b), slot->nonce, bytes_of(slot->subject, SUBJECT_BYTES)};

    return gcm_open(&gcm, bytes_of(slot->wrapped, sizeof slot->wrapped), slot->tag, key) ||
           err_set(err, ERR_INVALID, "the body key of this subject is damaged");
}

/* A body must not be sealed with a key that a start would not find. */
static bool settle_slot(struct audit_bodies *b, struct entry *entry, struct err *err)
{
    if (entry->unsure && !write_slot(b, entry, err))
        return false;
    entry->unsure = false;
    return true;
}

/* The subject's data key, made when `make`. */
static bool key_of(struct audit_bodies *b, const uint8_t subject[SUBJECT_BYTES], bool make,
                   uint8_t key[KEY_BYTES], struct err *err)
{
    struct entry *entry;
    bool ok = true;

    if (secret_is_empty(&b->kek))
        return err_set(err, ERR_UNAVAILABLE, "there is no master key (audit.master_key)");
    mutex_lock(&b->lock);
    entry = find_key(b, subject);
    if (!entry && make)
        ok = make_key(b, subject, &entry, err);
    else if (!entry)
        ok = err_set(err, ERR_NOT_FOUND, "the subject was erased: no body of it can be opened");
    ok = ok && (!make || settle_slot(b, entry, err)) && unwrap(b, &entry->slot, key, err);
    mutex_unlock(&b->lock);
    return ok;
}

bool audit_body_erase(struct audit_bodies *b, struct str subject, bool *had, struct err *err)
{
    uint8_t bytes[SUBJECT_BYTES];
    struct entry *entry;
    bool ok = true;

    if (!subject_bytes(subject, bytes))
        return err_set(err, ERR_INVALID, "is not a subject: s_ and 32 hex digits expected");
    mutex_lock(&b->lock);
    entry = find_key(b, bytes);
    *had = entry != NULL;
    if (entry) {
        struct slot was = entry->slot;

        /* The table's key is in the slot: out of it first, and back when the disk refuses. */
        (void)table_remove(&b->by_subject, bytes_of(bytes, sizeof bytes));
        bytes_wipe(&entry->slot, sizeof entry->slot);
        ok = write_slot(b, entry, err) && file_sync(b->keys, err);
        if (ok) {
            entry->unsure = false;
            entry->next_free = b->free;
            b->free = entry;
        } else {
            entry->slot = was;
            entry->unsure = true;
            ASSERT(table_put(&b->by_subject, bytes_of(entry->slot.subject, SUBJECT_BYTES), entry,
                             NULL)); /* its room is still there */
        }
        bytes_wipe(&was, sizeof was);
    }
    mutex_unlock(&b->lock);
    return ok || err_wrap(err, "erase a subject");
}

/* ---- bodies ---- */

bool audit_bodies_can_seal(const struct audit_bodies *bodies)
{
    return !secret_is_empty(&bodies->kek);
}

static bool bodies_path(const struct audit_bodies *b, uint64_t number, char to[AUDIT_PATH_MAX],
                        struct err *err)
{
    struct buf path;

    buf_init_fixed(&path, to, AUDIT_PATH_MAX);
    buf_fmt(&path, "%s/%0*" PRIu64, b->dir, AUDIT_NAME_DIGITS, number);
    buf_char(&path, 0);
    return buf_ok(&path) || err_set(err, ERR_INVALID, "path of bodies is too long");
}

/* Under the lock. */
static bool begin_segment(struct audit_bodies *b, uint64_t number, struct err *err)
{
    char path[AUDIT_PATH_MAX];
    struct file_info info;
    struct file *file;

    if (!bodies_path(b, number, path, err) || !file_open(path, FILE_WRITE, 0600, &file, err))
        return false;
    if (!file_stat(path, &info, err)) {
        file_close(&file);
        return false;
    }
    file_close(&b->segment);
    b->segment = file;
    b->number = number;
    b->used = info.bytes;
    b->written = info.changed;
    return true;
}

static bool next_segment(struct audit_bodies *b, struct err *err)
{
    return file_sync(b->segment, err) && begin_segment(b, b->number + 1, err);
}

static bool put_body(struct audit_bodies *b, struct str bytes, uint64_t *number, int64_t *at,
                     struct err *err)
{
    wall_ms now = clock_wall();
    bool ok = true;

    mutex_lock(&b->lock);
    if (b->used > 0 && ((size_t)b->used + bytes.len > b->segment_bytes ||
                        b->written / SEGMENT_MS != now / SEGMENT_MS))
        ok = next_segment(b, err);
    ok = ok && file_write_at(b->segment, b->used, bytes.ptr, bytes.len, err);
    if (ok) {
        *number = b->number;
        *at = b->used;
        b->used += (int64_t)bytes.len;
        b->written = now;
        b->dirty = true;
    }
    mutex_unlock(&b->lock);
    return ok;
}

static void hex_text(const struct sha256 *sum, char to[2 * SHA256_BYTES + 1])
{
    struct buf b;

    buf_init_fixed(&b, to, 2 * SHA256_BYTES + 1);
    buf_hex(&b, sum->bytes, sizeof sum->bytes);
    buf_char(&b, 0);
}

/* What is authenticated with a body: all of its head. */
static struct str head_text(const struct body_head *head)
{
    return bytes_of(head, sizeof *head);
}

bool audit_body_seal(struct audit_bodies *b, const struct audit_body *body, struct arena *scratch,
                     struct audit_place *out, struct err *err)
{
    size_t text_bytes = FRAME_BYTES + body->question.len + body->answer.len;
    struct body_head head = {.text_bytes = (uint32_t)text_bytes, .request_id = body->request_id};
    size_t all = sizeof head + text_bytes + TAG_BYTES, mark = arena_mark(scratch);
    uint8_t *sealed = arena_alloc_raw(scratch, all), *plain = arena_alloc_raw(scratch, text_bytes);
    uint8_t key[KEY_BYTES];
    struct buf text;

    if (!sealed || !plain)
        return err_arena(err, scratch);
    if (!subject_bytes(body->subject, head.subject))
        return err_set(err, ERR_INTERNAL, "a body without a subject");
    if (!key_of(b, head.subject, true, key, err))
        return false;
    memcpy(head.magic, BODY_MAGIC, sizeof head.magic);
    clock_random(head.nonce, sizeof head.nonce);
    buf_init_fixed(&text, (char *)plain, text_bytes);
    put_part(&text, body->question);
    put_part(&text, body->answer);
    ASSERT(text.len == text_bytes);

    const struct gcm gcm = {key, head.nonce, head_text(&head)};

    memcpy(sealed, &head, sizeof head);
    gcm_seal(&gcm, buf_view(&text), sealed + sizeof head, sealed + all - TAG_BYTES);
    bytes_wipe(key, sizeof key);
    bytes_wipe(plain, text_bytes);

    struct sha256 sum = sha256(bytes_of(sealed, all));
    uint64_t number;
    int64_t at;
    bool ok = put_body(b, bytes_of(sealed, all), &number, &at, err);

    if (ok) {
        hex_text(&sum, out->hash);
        buf_init_fixed(&text, out->place, sizeof out->place);
        buf_fmt(&text, "%" PRIu64 ":%" PRId64 ":%zu", number, at, all);
    }
    arena_rewind(scratch, mark);
    return ok;
}

void audit_body_hash(const struct audit_bodies *b, const struct audit_body *body,
                     char to[2 * SHA256_BYTES + 1])
{
    struct sha256 sums[2] = {sha256(body->question), sha256(body->answer)};
    struct sha256 sum = hmac_sha256(&b->salt, bytes_of(sums, sizeof sums));

    hex_text(&sum, to);
}

/* ---- opening a body ---- */

static bool read_place(struct str place, uint64_t *number, uint64_t *at, uint64_t *len)
{
    struct str part[3];
    struct str rest = place;

    return str_split(&rest, ':', &part[0]) && str_split(&rest, ':', &part[1]) &&
           str_split(&rest, ':', &part[2]) && !rest.ptr && u64_parse(part[0], number) &&
           u64_parse(part[1], at) && u64_parse(part[2], len) && *at < INT64_MAX / 2 &&
           *len > sizeof(struct body_head) + FRAME_BYTES + TAG_BYTES && *len < GIB;
}

static bool load_body(const struct audit_bodies *b, struct str place, struct arena *arena,
                      struct str *out, struct err *err)
{
    char path[AUDIT_PATH_MAX];
    struct file *file CLEANUP(file_close) = NULL;
    uint64_t number, at, len;
    size_t got = 0;
    char *bytes;

    if (!read_place(place, &number, &at, &len))
        return err_set(err, ERR_NOT_FOUND, "the record has no sealed body: \"" STR_FMT "\"",
                       STR_ARG(str_slice(place, 0, 40)));
    bytes = arena_alloc_raw(arena, len);
    if (!bytes)
        return err_arena(err, arena);
    if (!bodies_path(b, number, path, err) || !file_open(path, FILE_READ, 0, &file, err))
        return false;
    for (size_t have = 0; have < len; have += got)
        if (!file_read_at(file, (int64_t)(at + have), bytes + have, len - have, &got, err))
            return false;
        else if (!got)
            return err_set(err, ERR_INVALID, "the body is cut off");
    *out = (struct str){bytes, len};
    return true;
}

static bool take_part(struct str *rest, struct str *out)
{
    uint32_t len;

    if (rest->len < sizeof len)
        return false;
    memcpy(&len, rest->ptr, sizeof len);
    *out = str_slice(*rest, sizeof len, sizeof len + (size_t)len);
    *rest = str_slice(*rest, sizeof len + (size_t)len, rest->len);
    return out->len == len;
}

bool audit_body_open(struct audit_bodies *b, struct str place, struct str hash, struct arena *arena,
                     struct audit_body *out, struct err *err)
{
    char digits[2 * SHA256_BYTES + 1];
    uint8_t key[KEY_BYTES], *plain;
    struct body_head head;
    struct str bytes, text;
    struct sha256 sum;

    if (!load_body(b, place, arena, &bytes, err))
        return false;
    sum = sha256(bytes);
    hex_text(&sum, digits);
    memcpy(&head, bytes.ptr, sizeof head);
    if (!str_eq(hash, str_from(digits)) || memcmp(head.magic, BODY_MAGIC, sizeof head.magic) != 0 ||
        bytes.len != sizeof head + head.text_bytes + TAG_BYTES)
        return err_set(err, ERR_INVALID, "the body is not the one that was recorded");
    plain = arena_alloc_raw(arena, head.text_bytes + 1);
    if (!plain)
        return err_arena(err, arena);
    if (!key_of(b, head.subject, false, key, err))
        return false;

    const struct gcm gcm = {key, head.nonce, head_text(&head)};
    bool ok = gcm_open(&gcm, str_slice(bytes, sizeof head, bytes.len - TAG_BYTES),
                       (const uint8_t *)bytes.ptr + bytes.len - TAG_BYTES, plain);

    bytes_wipe(key, sizeof key);
    text = bytes_of(plain, head.text_bytes);
    if (!ok)
        return err_set(err, ERR_NOT_FOUND,
                       "the subject was erased since: the key of this body is gone");
    if (!take_part(&text, &out->question) || !take_part(&text, &out->answer) || text.len)
        return err_set(err, ERR_INVALID, "the body does not hold a question and an answer");
    out->request_id = head.request_id;
    return true;
}

/* ---- opening and closing ---- */

static bool make_keys(struct audit_bodies *b, struct err *err)
{
    struct keys_head head = {{0}, {0}, {0}, {0}};

    memcpy(head.magic, KEYS_MAGIC, sizeof head.magic);
    clock_random(head.salt, sizeof head.salt);
    return file_store(b->key_file, bytes_of(&head, sizeof head), 0600, err);
}

/* The master key under which data keys are wrapped; another one is refused, not used. */
static bool use_master(struct audit_bodies *b, struct keys_head *head, const struct secret *master,
                       struct err *err)
{
    static const uint8_t none[SUBJECT_BYTES];
    struct sha256 kek, check;
    bool first = memcmp(head->check, none, sizeof none) == 0;

    if (secret_is_empty(master))
        return true;
    if (master->len < AUDIT_MASTER_KEY_MIN)
        return err_set(err, ERR_INVALID, "the master key has %zu bytes, at least %u are needed",
                       master->len, AUDIT_MASTER_KEY_MIN);
    kek = hmac_sha256(master, bytes_of(head->salt, sizeof head->salt));

    bool ok = secret_set(&b->kek, kek.bytes, sizeof kek.bytes, err);

    bytes_wipe(&kek, sizeof kek);
    if (!ok)
        return false;
    check = hmac_sha256(&b->kek, STR("weir body keys"));
    if (first) {
        memcpy(head->check, check.bytes, sizeof head->check);
        return file_write_at(b->keys, 0, head, sizeof *head, err) && file_sync(b->keys, err);
    }
    return memcmp(head->check, check.bytes, sizeof head->check) == 0 ||
           err_set(err, ERR_INVALID, "the master key is not the one that body keys were made with");
}

static bool load_slot(struct audit_bodies *b, const struct slot *slot, struct err *err)
{
    struct entry *entry = arena_alloc(b->arena, sizeof *entry);

    if (!entry)
        return err_arena(err, b->arena);
    entry->number = b->slots++;
    entry->slot = *slot;
    if (slot->used)
        return table_put(&b->by_subject, bytes_of(entry->slot.subject, SUBJECT_BYTES), entry,
                         NULL) ||
               err_no_room(err, "no memory for body keys");
    entry->next_free = b->free;
    b->free = entry;
    return true;
}

static bool load_slots(struct audit_bodies *b, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct slot *slots = arena ? arena_array(arena, READ_SLOTS, sizeof *slots) : NULL;
    int64_t at = sizeof(struct keys_head);
    size_t got = 1;

    if (!slots)
        return err_no_room(err, "no memory for body keys");
    while (got) {
        if (!file_read_at(b->keys, at, slots, READ_SLOTS * sizeof *slots, &got, err))
            return false;
        got -= got % sizeof *slots; /* a slot whose writing was cut off: its bodies are lost */
        for (size_t i = 0; i < got / sizeof *slots; i++)
            if (b->slots == b->subjects_max)
                return err_no_room(err, "more than %" PRIu32 " subjects", b->subjects_max);
            else if (!load_slot(b, &slots[i], err))
                return false;
        at += (int64_t)got;
    }
    bytes_wipe(slots, READ_SLOTS * sizeof *slots);
    return true;
}

static bool open_keys(struct audit_bodies *b, const struct secret *master, struct err *err)
{
    struct keys_head head;
    struct file_info info;
    struct err missing = {0};
    size_t got = 0;

    if (!file_stat(b->key_file, &info, &missing)) {
        if (missing.code != ERR_NOT_FOUND)
            return err_set(err, missing.code, "%s", missing.text);
        if (!make_keys(b, err) || !file_stat(b->key_file, &info, err))
            return false;
    }
    if (info.mode & OTHERS)
        return err_set(err, ERR_DENIED, "may be read by others (mode %03o): chmod 600 it",
                       info.mode & 0777u);
    if (!file_open(b->key_file, FILE_WRITE, 0600, &b->keys, err) ||
        !file_read_at(b->keys, 0, &head, sizeof head, &got, err))
        return false;
    if (got != sizeof head || memcmp(head.magic, KEYS_MAGIC, sizeof head.magic) != 0)
        return err_set(err, ERR_INVALID, "is not a file of body keys");
    return secret_set(&b->salt, head.salt, sizeof head.salt, err) &&
           use_master(b, &head, master, err) && load_slots(b, err);
}

static bool open_last(struct audit_bodies *b, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);
    uint64_t number = 1;
    struct str *names;
    size_t count;

    if (!arena)
        return err_no_room(err, "no memory for bodies");
    if (!file_make_dir(b->dir, 0700, err) ||
        !file_list(arena, b->dir, AUDIT_FILES_MAX, &names, &count, err))
        return false;
    if (count && !u64_parse(names[count - 1], &number))
        number = 1;
    return begin_segment(b, number, err);
}

bool audit_bodies_open(const struct audit_bodies_options *options, struct audit_bodies **out,
                       struct err *err)
{
    uint32_t most = options->subjects_max ? options->subjects_max : SUBJECTS_MAX;
    struct arena *arena = arena_new(most * (sizeof(struct entry) + 16) + MIB);
    struct audit_bodies *b CLEANUP(audit_bodies_close) =
        arena ? arena_alloc(arena, sizeof *b) : NULL;

    if (!b) {
        arena_end(&arena);
        return err_no_room(err, "no memory for bodies");
    }
    b->arena = arena;
    b->dir = arena_str(arena, str_from(options->dir)).ptr;
    b->key_file = arena_str(arena, str_from(options->key_file)).ptr;
    b->subjects_max = most;
    b->segment_bytes = options->segment_bytes ? options->segment_bytes : SEGMENT_BYTES;
    mutex_init(&b->lock);
    table_init(&b->by_subject, NULL, most);
    if (!b->dir || !b->key_file)
        return err_arena(err, arena);
    if (!open_keys(b, options->master, err))
        return err_wrap(err, "body keys \"%s\"", options->key_file);
    if (!open_last(b, err))
        return err_wrap(err, "audit bodies");
    *out = b;
    b = NULL;
    return true;
}

bool audit_bodies_sync(struct audit_bodies *b, struct err *err)
{
    mutex_lock(&b->lock);
    bool ok = !b->dirty || (file_sync(b->keys, err) && file_sync(b->segment, err));
    b->dirty = b->dirty && !ok;
    mutex_unlock(&b->lock);
    return ok || err_wrap(err, "sync audit bodies");
}

static bool remove_old(const struct audit_bodies *b, struct arena *arena, uint64_t in_use,
                       wall_ms before, struct err *err)
{
    struct file_info info;
    struct str *names;
    size_t count;

    if (!file_list(arena, b->dir, AUDIT_FILES_MAX, &names, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct str path = arena_fmt(arena, "%s/" STR_FMT, b->dir, STR_ARG(names[i]));
        uint64_t number;

        if (!u64_parse(names[i], &number) || number >= in_use) /* not ours, or in use */
            continue;
        if (!path.ptr)
            return err_arena(err, arena);
        if (!file_stat(path.ptr, &info, err))
            return false;
        if (info.changed < before && !file_remove(path.ptr, err))
            return false;
    }
    return true;
}

bool audit_bodies_prune(struct audit_bodies *b, wall_ms before, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new((size_t)64 * MIB);

    if (!arena)
        return err_no_room(err, "no memory to look at old bodies");
    mutex_lock(&b->lock);
    bool ok = b->used == 0 || b->written >= before || next_segment(b, err);
    uint64_t in_use = b->number;
    mutex_unlock(&b->lock);
    return (ok && remove_old(b, arena, in_use, before, err)) ||
           err_wrap(err, "remove old audit bodies");
}

void audit_bodies_close(struct audit_bodies **bodies)
{
    struct audit_bodies *b = *bodies;
    struct err ignored = {0};

    if (!b)
        return;
    if (b->keys && b->segment)
        (void)!audit_bodies_sync(b, &ignored);
    file_close(&b->keys);
    file_close(&b->segment);
    secret_wipe(&b->salt);
    secret_wipe(&b->shared);
    secret_wipe(&b->kek);
    table_done(&b->by_subject);
    mutex_done(&b->lock);
    *bodies = NULL;

    struct arena *arena = b->arena;
    arena_end(&arena);
}
