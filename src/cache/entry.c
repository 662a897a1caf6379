#include "cache/entry.h"

#include <string.h>

#include "base/pages.h"

/* The form, in the machine's own byte order (a file that moves to another kind of machine is refused by
 * its magic): a head of fixed size, the lengths of the texts, the texts. */
#define FORM_MAGIC   0x32455743u /* "CWE2" */
#define NOTES_MAX    4096
#define NAME_BYTES   1024
#define TEXTS        (7 + ENTRY_TAGS_MAX)
#define NOTES_NUMBER 6 /* among the texts */

struct form_head {
    uint32_t magic, head_bytes;
    struct cache_key key;
    int64_t stored, expires;
    int64_t usage[9];
    uint64_t content_bytes;
    uint32_t events, citations;
    int32_t status;
    uint8_t streaming, estimated, tag_count, pad;
    uint32_t lengths[TEXTS];
    uint64_t body_bytes;
};
static_assert(sizeof(struct entry) % _Alignof(struct form_head) == 0, "the head stands behind it");
static_assert(sizeof(struct form_head) % 8 == 0, "no hole at the end: it goes to disk as it is");

static_assert(offsetof(struct entry, facts.key) <= 80,
              "the first two lines of the processor's cache");

static void pack_usage(const struct usage *u, int64_t out[9])
{
    out[0] = u->tokens_in, out[1] = u->tokens_out, out[2] = u->tokens_cached;
    out[3] = u->tokens_cache_write, out[4] = u->tokens_cache_write_long;
    out[5] = u->tokens_reasoning, out[6] = u->tokens_audio_in;
    out[7] = u->tokens_audio_out, out[8] = u->tokens_image_in;
}

static void unpack_usage(const int64_t in[9], struct usage *u)
{
    *u = (struct usage){.tokens_in = in[0],
                        .tokens_out = in[1],
                        .tokens_cached = in[2],
                        .tokens_cache_write = in[3],
                        .tokens_cache_write_long = in[4],
                        .tokens_reasoning = in[5],
                        .tokens_audio_in = in[6],
                        .tokens_audio_out = in[7],
                        .tokens_image_in = in[8]};
}

/* The texts in the order of the form. */
static void list_texts(struct entry_facts *f, struct str *at[TEXTS])
{
    struct str *fixed[] = {&f->space,        &f->model,      &f->content_type, &f->provider,
                           &f->remote_model, &f->request_id, &f->notes};
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        at[n++] = fixed[i];
    for (size_t i = 0; i < ENTRY_TAGS_MAX; i++)
        at[n++] = &f->tags[i];
    ASSERT(n == TEXTS);
}

static struct entry *take_block(size_t text_bytes, struct err *err)
{
    size_t got = 0, need;
    struct entry *e = NULL;

    if (size_add(sizeof *e, text_bytes, &need) && need <= PAGE_BYTES_MAX)
        e = pages_take(need, &got);
    if (!e) {
        err_no_room(err, "no memory for an answer of %zu bytes in the cache", text_bytes);
        return NULL;
    }
    memset(e, 0, offsetof(struct entry, facts)); /* facts are the caller's to fill */
    e->block_bytes = got;
    e->text = (struct str){(char *)(e + 1), text_bytes};
    e->writer = NULL;
    e->purges = 0;
    atomic_init(&e->refs, 1);
    return e;
}

static void fill_head(struct form_head *head, const struct entry_facts *f)
{
    memset(head, 0, sizeof *head);
    head->magic = FORM_MAGIC;
    head->head_bytes = sizeof *head;
    head->key = f->key;
    head->stored = f->stored;
    head->expires = f->expires;
    pack_usage(&f->usage, head->usage);
    head->content_bytes = f->content_bytes;
    head->events = f->events;
    head->citations = f->citations;
    head->status = f->status;
    head->streaming = f->streaming;
    head->estimated = f->usage.estimated;
    head->tag_count = (uint8_t)f->tag_count;
    head->body_bytes = f->body.len;
}

static char *put(char *to, struct str s)
{
    if (s.len)
        memcpy(to, s.ptr, s.len);
    return to + s.len;
}

/* A name longer than any is cut: names are for people. */
static size_t cut_at(size_t number)
{
    return number == NOTES_NUMBER ? NOTES_MAX : NAME_BYTES;
}

static size_t cut(struct str s, size_t number)
{
    return MIN_OF(s.len, cut_at(number));
}

static size_t text_bytes_of(const struct entry_facts *f)
{
    size_t bytes = sizeof(struct form_head) + cut(f->space, 0) + cut(f->model, 1) +
                   cut(f->content_type, 2) + cut(f->provider, 3) + cut(f->remote_model, 4) +
                   cut(f->request_id, 5) + cut(f->notes, NOTES_NUMBER) + f->body.len;

    for (uint32_t i = 0; i < f->tag_count; i++)
        bytes += cut(f->tags[i], NOTES_NUMBER + 1 + i);
    return bytes;
}

size_t entry_bytes(const struct entry_facts *facts)
{
    size_t need = sizeof(struct entry) + text_bytes_of(facts), bytes = PAGE_BYTES;

    while (bytes < need && bytes < PAGE_BYTES_MAX)
        bytes *= 2;
    return bytes;
}

struct entry *entry_new(const struct entry_facts *facts, struct err *err)
{
    const size_t said = NOTES_NUMBER + 1 + facts->tag_count; /* of the texts; the rest is empty */
    struct str *texts[TEXTS];

    ASSERT(facts->tag_count <= ENTRY_TAGS_MAX);
    struct entry *e = take_block(text_bytes_of(facts), err);
    if (!e)
        return NULL;
    struct form_head *head = (void *)(e + 1);
    char *at = (char *)(head + 1);

    e->facts = *facts;
    for (uint32_t i = facts->tag_count; i < ENTRY_TAGS_MAX; i++)
        e->facts.tags[i] = STR_NONE;
    fill_head(head, facts);
    list_texts(&e->facts, texts);
    for (size_t i = 0; i < said; i++) {
        struct str kept = {at, cut(*texts[i], i)};

        at = put(at, (struct str){texts[i]->ptr, kept.len});
        *texts[i] = kept;
        head->lengths[i] = (uint32_t)kept.len;
    }
    put(at, facts->body);
    e->facts.body.ptr = at;
    return e;
}

/* What the head says must fill the text to its last byte. */
static bool check_head(const struct form_head *head, size_t text_bytes)
{
    uint64_t bytes = sizeof *head;

    if (head->magic != FORM_MAGIC || head->head_bytes != sizeof *head ||
        head->tag_count > ENTRY_TAGS_MAX || head->status < 100 || head->status > 599 ||
        head->streaming > 1 || head->estimated > 1 || head->pad || head->stored < 0 ||
        head->expires < head->stored || head->body_bytes > text_bytes)
        return false;
    for (size_t i = 0; i < TEXTS; i++) {
        if (head->lengths[i] > cut_at(i))
            return false;
        bytes += head->lengths[i];
    }
    return bytes + head->body_bytes == text_bytes;
}

struct entry *entry_parse(struct str text, struct err *err)
{
    struct form_head head;
    struct str *texts[TEXTS];

    if (text.len >= sizeof head)
        memcpy(&head, text.ptr, sizeof head);
    if (text.len < sizeof head || !check_head(&head, text.len)) {
        err_set(err, ERR_INVALID, "a kept answer is damaged or of another version of Weir");
        return NULL;
    }
    struct entry *e = take_block(text.len, err);
    if (!e)
        return NULL;
    char *at = (char *)(e + 1);

    memcpy(at, text.ptr, text.len);
    at += sizeof head;
    memset(&e->facts, 0, sizeof e->facts);
    list_texts(&e->facts, texts);
    for (size_t i = 0; i < TEXTS; at += head.lengths[i++])
        *texts[i] = (struct str){at, head.lengths[i]};
    e->facts.key = head.key;
    e->facts.status = head.status;
    e->facts.streaming = head.streaming;
    e->facts.stored = head.stored;
    e->facts.expires = head.expires;
    unpack_usage(head.usage, &e->facts.usage);
    e->facts.usage.estimated = head.estimated;
    e->facts.content_bytes = head.content_bytes;
    e->facts.events = head.events;
    e->facts.citations = head.citations;
    e->facts.tag_count = head.tag_count;
    e->facts.body = (struct str){at, head.body_bytes};
    return e;
}

size_t entry_cost(const struct entry *e)
{
    return e->block_bytes;
}

struct entry *entry_ref(struct entry *e)
{
    atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
    return e;
}

void entry_unref(struct entry **at)
{
    struct entry *e = *at;

    *at = NULL;
    if (e && atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) == 1)
        pages_give(e, e->block_bytes);
}

bool entry_is_fresh(const struct entry *e, wall_ms now, dur_ns max_age)
{
    wall_ms age = MAX_OF(now - e->facts.stored, 0);

    return now < e->facts.expires && (max_age < 0 || age <= max_age / MILLISECOND);
}

bool entry_has_tag(const struct entry *e, struct str tag)
{
    for (uint32_t i = 0; i < e->facts.tag_count; i++)
        if (str_eq(e->facts.tags[i], tag))
            return true;
    return false;
}

bool entry_matches(const struct entry *e, const struct cache_selector *what)
{
    return (!what->key || memcmp(what->key, &e->facts.key, sizeof *what->key) == 0) &&
           (what->space.len == 0 || str_eq(e->facts.space, what->space)) &&
           (what->model.len == 0 || str_eq(e->facts.model, what->model)) &&
           (what->tag.len == 0 || entry_has_tag(e, what->tag));
}
