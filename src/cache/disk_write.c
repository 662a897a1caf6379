/* Opening, writing, making room. */
#include <string.h>

#include "base/log.h"
#include "base/pages.h"
#include "cache/disk_internal.h"
#include "sys/clock.h"

#define OWN_MEMORY    (128 * KIB)
#define SEGMENTS_MAX  100000
#define ITEMS_AT_ONCE 64
#define PATH_BYTES    1024
#define FILTER_MOST   (16 * MIB)

uint32_t record_head_crc(const struct record_head *head)
{
    struct record_head plain = *head;

    plain.head_crc = 0;
    return crc32c(0, &plain, sizeof plain);
}

uint64_t disk_name_hash(struct str name)
{
    static const uint8_t key[16] = "weir cache names";

    return siphash_keyed(key, name);
}

/* ---- segments ---- */

static bool segment_path(const struct disk *d, uint64_t number, char out[PATH_BYTES],
                         struct err *err)
{
    struct buf b;

    buf_init_fixed(&b, out, PATH_BYTES - 1);
    buf_str(&b, str_from(d->options.dir));
    buf_char(&b, '/');
    buf_hex_u64(&b, number);
    buf_str(&b, STR(".seg"));
    out[b.len] = 0;
    return buf_ok(&b) || err_set(err, ERR_INVALID, "the cache's directory has too long a name");
}

static struct segment *open_segment(struct disk *d, uint64_t number, struct err *err)
{
    char path[PATH_BYTES];
    size_t got;
    struct segment *s = pages_take(sizeof *s, &got);

    if (!s) {
        err_no_room(err, "no memory for a file of the cache");
        return NULL;
    }
    *s = (struct segment){.got = got, .number = number, .users = 1};
    ring_init(&s->items);
    if (!segment_path(d, number, path, err) || !file_open(path, FILE_WRITE, 0600, &s->file, err) ||
        !file_size(s->file, &s->bytes, err)) {
        file_close(&s->file);
        pages_give(s, got);
        return NULL;
    }
    mutex_lock(&d->lock);
    if (d->newest)
        d->newest->newer = s;
    else
        d->oldest = s;
    d->newest = s;
    d->segment_count++;
    d->bytes += s->bytes;
    d->next_number = MAX_OF(d->next_number, number + 1);
    mutex_unlock(&d->lock);
    return s;
}

/* ---- writing; with `writing` held ---- */

void record_head_fill(struct record_head *head, const struct entry *e)
{
    *head = (struct record_head){.magic = RECORD_LIVE,
                                 .bytes = (uint32_t)e->text.len,
                                 .body_crc = crc32c(0, e->text.ptr, e->text.len),
                                 .key = e->facts.key,
                                 .expires = e->facts.expires,
                                 .space = disk_name_hash(e->facts.space),
                                 .model = disk_name_hash(e->facts.model),
                                 .tagged = e->facts.tag_count > 0};
    head->head_crc = record_head_crc(head);
}

static struct disk_item item_of(const struct record_head *head, struct segment *s, int64_t at)
{
    return (struct disk_item){.key = head->key,
                              .segment = s,
                              .at = at,
                              .expires = head->expires,
                              .space = head->space,
                              .model = head->model,
                              .bytes = head->bytes,
                              .tagged = head->tagged};
}

/* What was not written whole does not stay behind what was. */
static void cut_segment(struct disk *d, struct segment *s, int64_t at)
{
    struct err lost = {0};

    if (file_cut(s->file, at, &lost))
        return;
    log_warn("a file of the cache could not be cut: %s", lost.text);
    mutex_lock(&d->lock);
    s->leftover = true;
    mutex_unlock(&d->lock);
}

/* The text before its head: a record that was not finished has no head that fits. */
static bool append(struct disk *d, struct segment *s, const struct entry *e, struct err *err)
{
    struct record_head head;
    bool indexed;

    record_head_fill(&head, e);
    struct disk_item old, item = item_of(&head, s, s->bytes);

    if (!file_write_at(s->file, item.at + (int64_t)sizeof head, e->text.ptr, e->text.len, err) ||
        !file_write_at(s->file, item.at, &head, sizeof head, err)) {
        cut_segment(d, s, item.at);
        return false;
    }
    mutex_lock(&d->lock);
    s->bytes += (int64_t)(sizeof head + e->text.len);
    d->bytes += (int64_t)(sizeof head + e->text.len);
    indexed = disk_index(d, &item, &old);
    if (old.segment)
        old.segment->users++;
    mutex_unlock(&d->lock);
    if (old.segment) { /* one record a key: so that a purge finds every copy */
        bool wiped = disk_wipe(d, &old, err);

        disk_release(d, old.segment);
        if (!wiped)
            return false;
    }
    return indexed ||
           (disk_wipe(d, &item, err) && err_no_room(err, "no memory for the index of the cache"));
}

/* Some of its items out of the index; false: none is left. */
static bool unindex_some(struct disk *d, struct segment *s)
{
    bool more;

    mutex_lock(&d->lock);
    for (int i = 0; i < ITEMS_AT_ONCE && !ring_is_empty(&s->items); i++) {
        disk_unindex(d, RING_FIRST(&s->items, struct disk_item, link));
        d->evictions++;
    }
    more = !ring_is_empty(&s->items);
    mutex_unlock(&d->lock);
    return more;
}

/* Nobody finds it any more; its file goes now, its memory with the last who reads it. One whose file does not go stays
 * in the index, so that a purge finds what is in it. */
static bool remove_segment(struct disk *d, struct segment *s, struct err *err)
{
    char path[PATH_BYTES];
    struct err why = {0};

    if (!segment_path(d, s->number, path, err))
        return false;
    if (!file_remove(path, &why) && why.code != ERR_NOT_FOUND)
        return err_set(err, why.code, "a file of the cache could not be removed: %s", why.text);
    d->removed = true;
    while (unindex_some(d, s))
        ;
    mutex_lock(&d->lock);
    d->oldest = s->newer;
    if (!d->oldest)
        d->newest = NULL;
    d->segment_count--;
    d->bytes -= s->bytes;
    s->gone = true;
    mutex_unlock(&d->lock);
    disk_release(d, s);
    return true;
}

/* The next of the items that was asked for; *left of them have not been looked at. */
static bool next_used(struct disk *d, struct segment *s, uint32_t *left, struct disk_item *out)
{
    bool found = false;

    mutex_lock(&d->lock);
    for (; *left > 0 && !found && !ring_is_empty(&s->items); --*left) {
        struct disk_item *item = RING_FIRST(&s->items, struct disk_item, link);

        ring_remove(&item->link);
        ring_append(&s->items, &item->link);
        found = item->recent && !item->purged;
        if (found)
            *out = *item;
    }
    mutex_unlock(&d->lock);
    return found;
}

static bool start_segment(struct disk *d, struct err *err)
{
    return open_segment(d, d->next_number, err) != NULL;
}

/* The oldest file goes; the part of it that is in use moves to the newest, up to half a file. */
static bool evict_oldest(struct disk *d, struct err *err)
{
    struct segment *s = d->oldest;
    uint32_t left = s->entries;
    int64_t moved = 0;
    struct disk_item item;

    if (s == d->newest && !start_segment(d, err))
        return false;
    while (moved < d->options.segment_bytes / 2 && next_used(d, s, &left, &item)) {
        struct entry *e CLEANUP(entry_unref) = disk_read(&item);

        if (e && clock_wall() < item.expires && !append(d, d->newest, e, err))
            return false;
        moved += (int64_t)item.bytes;
    }
    return remove_segment(d, s, err);
}

static bool make_room(struct disk *d, int64_t need, struct err *err)
{
    if (d->newest && d->newest->bytes > 0 && d->newest->bytes + need > d->options.segment_bytes &&
        !start_segment(d, err))
        return false;
    while (d->bytes + need > d->options.bytes_max || d->by_key.count >= d->options.entries_max) {
        if (d->segment_count == 1 && d->bytes == 0)
            return err_set(err, ERR_TOO_LARGE, "an answer is larger than the cache on disk");
        if (!evict_oldest(d, err))
            return false;
    }
    return d->newest || start_segment(d, err);
}

/* ---- a batch; with `writing` held ---- */

static size_t record_bytes(const struct disk_batch_item *item)
{
    return sizeof(struct record_head) + item->text_bytes;
}

static struct disk_item item_in(const struct disk_run *run, size_t number, int64_t start)
{
    const struct disk_batch_item *item = &run->batch->items[run->first + number];

    return (struct disk_item){.key = item->key,
                              .segment = run->segment,
                              .at = start + (int64_t)(item->at - run->batch->items[run->first].at),
                              .expires = item->expires,
                              .space = item->space,
                              .model = item->model,
                              .bytes = item->text_bytes,
                              .tagged = item->tagged};
}

/* The lines of the index that will be asked for are fetched together. */
static void index_run(struct disk *d, struct disk_run *run, int64_t start)
{
    const struct disk_batch_item *items = run->batch->items + run->first;

    mutex_lock(&d->lock);
    for (size_t i = 0; i < run->count; i++)
        table_expect(&d->by_key,
                     (struct str){(const char *)items[i].key.bytes, sizeof items[i].key.bytes});
    run->segment->bytes += (int64_t)run->len;
    d->bytes += (int64_t)run->len;
    for (size_t i = 0; i < run->count; i++) {
        struct disk_item item = item_in(run, i, start);

        run->lost[i] = !disk_index(d, &item, &run->old[i]);
        if (run->old[i].segment)
            run->old[i].segment->users++;
    }
    mutex_unlock(&d->lock);
}

/* One record a key: so that a purge finds every copy. */
static size_t wipe_run(struct disk *d, struct disk_run *run, int64_t start, struct err *err)
{
    size_t kept = 0;

    for (size_t i = 0; i < run->count; i++) {
        struct disk_item *old = &run->old[i], item = item_in(run, i, start);
        bool ok = !old->segment || disk_wipe(d, old, err);

        if (old->segment)
            disk_release(d, old->segment);
        if (run->lost[i] && disk_wipe(d, &item, err))
            err_no_room(err, "no memory for the index of the cache");
        kept += ok && !run->lost[i];
    }
    return kept;
}

/* How many of what it has are kept. */
static size_t write_run(struct disk *d, struct disk_run *run, struct err *err)
{
    struct segment *s = run->segment;
    int64_t start = run->count ? s->bytes : 0;
    size_t kept = 0;

    if (run->count == 0)
        return 0;
    if (file_write_at(s->file, start, run->batch->bytes + run->batch->items[run->first].at,
                      run->len, err)) {
        index_run(d, run, start);
        kept = wipe_run(d, run, start, err);
    } else {
        cut_segment(d, s, start);
    }
    run->len = run->count = 0;
    return kept;
}

/* Without a new file and without making room, which writes, too. */
static bool fits_run(const struct disk *d, const struct disk_run *run, size_t need)
{
    int64_t all = (int64_t)(run->len + need);

    return run->segment == d->newest && run->segment->bytes + all <= d->options.segment_bytes &&
           d->bytes + all <= d->options.bytes_max &&
           d->by_key.count + run->count < d->options.entries_max;
}

/* How many are kept now: of those that the run had before. */
static size_t put_one(struct disk *d, struct disk_run *run, size_t number, struct err *err)
{
    size_t need = record_bytes(&run->batch->items[number]), kept = 0;
    bool is_small = (int64_t)need <= d->options.bytes_max / 2;

    if (run->count > 0 && (!is_small || !fits_run(d, run, need)))
        kept = write_run(d, run, err);
    if (!is_small) {
        err_set(err, ERR_TOO_LARGE, "an answer is larger than half the cache on disk");
        return kept;
    }
    if (run->count == 0) {
        if (!make_room(d, (int64_t)need, err))
            return kept;
        run->segment = d->newest;
        run->first = number;
    }
    run->count++;
    run->len += need;
    return kept;
}

size_t disk_put(struct disk *d, const struct disk_batch *batch, const atomic_uint_fast64_t *mark,
                size_t *of, struct err *err)
{
    struct disk_run *run = &d->run;
    size_t wanted = 0, kept = 0;
    uint64_t now;

    mutex_lock(&d->writing);
    /* A purge counts before it has its turn: what it is about is not written behind it. */
    now = atomic_load(mark);
    run->batch = batch;
    run->count = run->len = 0;
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->items[i].mark != now) {
            kept += write_run(d, run, err);
            continue;
        }
        wanted++;
        kept += put_one(d, run, i, err);
    }
    kept += write_run(d, run, err);
    mutex_unlock(&d->writing);
    if (kept < wanted)
        err_wrap(err, "keep an answer on disk");
    *of = wanted;
    return kept;
}

/* ---- opening ---- */

static bool body_is_whole(struct segment *s, const struct record_head *head, int64_t at)
{
    struct err err = {0};
    size_t got, read = 0;
    char *bytes = pages_take(MAX_OF(head->bytes, 1u), &got);
    bool whole;

    if (!bytes)
        return false;
    whole = file_read_at(s->file, at + (int64_t)sizeof *head, bytes, head->bytes, &read, &err) &&
            read == head->bytes && crc32c(0, bytes, read) == head->body_crc;
    pages_give(bytes, got);
    return whole;
}

static bool take_record(struct disk *d, struct segment *s, const struct record_head *head,
                        int64_t at, struct err *err)
{
    struct disk_item old, item = item_of(head, s, at);

    if (head->magic == RECORD_DEAD || head->expires <= clock_wall()) /* wiped, or wiped half-way */
        return disk_wipe(d, &item, err);
    if (d->by_key.count >= d->options.entries_max)
        return disk_wipe(d, &item, err);
    if (!disk_index(d, &item, &old))
        return err_no_room(err, "no memory for the index of the cache");
    return !old.segment || disk_wipe(d, &old, err);
}

/* Record after record; what is behind the last that is whole is cut off. */
static bool scan(struct disk *d, struct segment *s, struct err *err)
{
    struct record_head head;
    int64_t at = 0;

    while (at < s->bytes) {
        size_t read = 0;
        bool fits;

        if (!file_read_at(s->file, at, &head, sizeof head, &read, err))
            return false;
        fits = read == sizeof head && (head.magic == RECORD_LIVE || head.magic == RECORD_DEAD) &&
               head.head_crc == record_head_crc(&head) &&
               at + (int64_t)sizeof head + head.bytes <= s->bytes;
        bool is_last = fits && at + (int64_t)sizeof head + head.bytes == s->bytes;
        if (!fits || (is_last && head.magic == RECORD_LIVE && !body_is_whole(s, &head, at))) {
            log_warn("the cache's file %016" PRIx64 ".seg ends in %" PRId64
                     " bytes of no whole record: cut off",
                     s->number, s->bytes - at);
            d->bytes -= s->bytes - at;
            s->bytes = at;
            return file_cut(s->file, at, err);
        }
        if (!take_record(d, s, &head, at, err))
            return false;
        at += (int64_t)sizeof head + head.bytes;
    }
    return true;
}

/* Four places for each key: most that are not there find a place that nobody has. */
static size_t filter_mask(uint32_t entries_max)
{
    size_t places = PAGE_BYTES;

    while (places / 4 < entries_max && places < FILTER_MOST)
        places *= 2;
    return places - 1;
}

static bool open_all(struct disk *d, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    struct str *names;
    size_t count;

    if (!arena)
        return err_no_room(err, "no memory to read the cache");
    if (!file_list(arena, d->options.dir, SEGMENTS_MAX, &names, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) { /* sorted: the oldest first */
        uint8_t bytes[8];
        uint64_t number = 0;

        if (!str_ends(names[i], STR(".seg")) ||
            !hex_parse(str_slice(names[i], 0, names[i].len - 4), bytes, sizeof bytes))
            continue; /* not ours */
        for (size_t b = 0; b < sizeof bytes; b++)
            number = number << 8 | bytes[b];
        struct segment *s = open_segment(d, number, err);
        if (!s || !scan(d, s, err))
            return false;
    }
    while (d->bytes > d->options.bytes_max) /* the setting was lowered */
        if (!evict_oldest(d, err))
            return false;
    return true;
}

bool disk_open(const struct disk_options *options, struct disk **out, struct err *err)
{
    struct arena *arena = arena_new(OWN_MEMORY);
    struct disk *d = arena ? arena_alloc(arena, sizeof *d) : NULL;
    struct str dir = d ? arena_str(arena, str_from(options->dir)) : STR_NONE;

    if (!dir.ptr) {
        arena_end(&arena);
        return err_no_room(err, "no memory for the cache on disk");
    }
    d->arena = arena;
    d->options = *options;
    d->options.dir = dir.ptr;
    d->options.segment_bytes = MIN_OF(options->segment_bytes, options->bytes_max / 4);
    d->items.size = sizeof(struct disk_item);
    mutex_init(&d->lock);
    mutex_init(&d->writing);
    table_init(&d->by_key, NULL, options->entries_max + 1);
    d->filter.mask = filter_mask(options->entries_max);
    if (!file_make_dir(d->options.dir, 0700, err) || !open_all(d, err)) {
        disk_close(&d);
        return err_wrap(err, "the cache on disk");
    }
    *out = d;
    return true;
}

void disk_close(struct disk **at)
{
    struct disk *d = *at;
    struct str name;
    void *value;

    *at = NULL;
    if (!d)
        return;
    for (size_t slot = 0; table_next(&d->by_key, &slot, &name, &value);)
        stock_give(&d->items, value);
    table_done(&d->by_key);
    if (atomic_load(&d->filter.counts))
        pages_give(atomic_load(&d->filter.counts), d->filter.got);
    for (struct segment *s = d->oldest, *newer; s; s = newer) {
        newer = s->newer;
        ASSERT(s->users == 1); /* the list's */
        file_close(&s->file);
        pages_give(s, s->got);
    }
    mutex_done(&d->writing);
    mutex_done(&d->lock);
    struct arena *arena = d->arena;
    arena_end(&arena);
}
