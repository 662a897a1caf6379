#include "cache/disk.h"

#include <limits.h>
#include <string.h>

#include "base/log.h"
#include "base/pages.h"
#include "cache/disk_internal.h"

/* ---- the index; all with the lock held ---- */

struct str disk_item_key(const struct disk_item *item)
{
    return (struct str){(const char *)item->key.bytes, sizeof item->key.bytes};
}

/* With the first answer, so that a cache that is not used takes no memory for it. */
static bool make_filter(struct disk_filter *filter)
{
    atomic_uchar *counts = atomic_load_explicit(&filter->counts, memory_order_relaxed);

    if (counts)
        return true;
    counts = pages_take(filter->mask + 1, &filter->got);
    if (!counts)
        return false;
    memset(counts, 0, filter->mask + 1);
    atomic_store_explicit(&filter->counts, counts, memory_order_release);
    return true;
}

/* NULL: nobody has any place. */
static atomic_uchar *count_of(struct disk *d, const struct cache_key *key)
{
    atomic_uchar *counts = atomic_load_explicit(&d->filter.counts, memory_order_acquire);
    uint64_t n;

    memcpy(&n, key->bytes + 8, sizeof n);
    return counts ? &counts[n & d->filter.mask] : NULL;
}

static void count_in(struct disk *d, const struct cache_key *key)
{
    atomic_uchar *at = count_of(d, key);
    unsigned char n = atomic_load_explicit(at, memory_order_relaxed);

    if (n < UCHAR_MAX)
        atomic_store_explicit(at, (unsigned char)(n + 1), memory_order_relaxed);
}

static void count_out(struct disk *d, const struct cache_key *key)
{
    atomic_uchar *at = count_of(d, key);
    unsigned char n = atomic_load_explicit(at, memory_order_relaxed);

    ASSERT(n > 0);
    if (n < UCHAR_MAX) /* so many that nobody knows how many there are */
        atomic_store_explicit(at, (unsigned char)(n - 1), memory_order_relaxed);
}

struct disk_item *disk_find(struct disk *d, const struct cache_key *key)
{
    return table_get(&d->by_key, (struct str){(const char *)key->bytes, sizeof key->bytes});
}

static void leave_segment(struct disk *d, struct disk_item *item)
{
    count_out(d, &item->key);
    ring_remove(&item->link);
    item->segment->live -= (int64_t)(sizeof(struct record_head) + item->bytes);
    item->segment->entries--;
    stock_give(&d->items, item);
}

void disk_unindex(struct disk *d, struct disk_item *item)
{
    table_remove(&d->by_key, disk_item_key(item));
    leave_segment(d, item);
}

static bool no_place(struct disk *d, const struct disk_item *from, struct disk_item *old)
{
    struct disk_item *before = disk_find(d, &from->key);

    if (before) {
        *old = *before;
        disk_unindex(d, before);
    }
    return false;
}

/* False: no memory. What stood there under the same key is not in the index any more: *old says where. */
bool disk_index(struct disk *d, const struct disk_item *from, struct disk_item *old)
{
    struct disk_item *item = stock_take(&d->items);
    void *before = NULL;

    *old = (struct disk_item){0};
    if (!item || !make_filter(&d->filter)) {
        stock_give(&d->items, item);
        return no_place(d, from, old);
    }
    *item = *from;
    ring_init(&item->link);
    if (!table_put(&d->by_key, disk_item_key(item), item, &before)) {
        stock_give(&d->items, item);
        return no_place(d, from, old);
    }
    if (before) {
        *old = *(struct disk_item *)before;
        leave_segment(d, before);
    }
    count_in(d, &item->key);
    ring_append(&item->segment->items, &item->link);
    item->segment->live += (int64_t)(sizeof(struct record_head) + item->bytes);
    item->segment->entries++;
    return true;
}

/* ---- segments: whoever reads one holds it ---- */

void disk_release(struct disk *d, struct segment *s)
{
    bool last;

    mutex_lock(&d->lock);
    last = --s->users == 0 && s->gone;
    mutex_unlock(&d->lock);
    if (last) {
        file_close(&s->file);
        pages_give(s, s->got);
    }
}

static bool hold_item(struct disk *d, const struct cache_key *key, struct disk_item *out)
{
    struct disk_item *item;

    mutex_lock(&d->lock);
    item = disk_find(d, key);
    if (item) {
        *out = *item;
        item->segment->users++;
    }
    mutex_unlock(&d->lock);
    return item != NULL;
}

/* The record's text as an entry; NULL when it cannot be read or is not what was written. */
struct entry *disk_read(const struct disk_item *item)
{
    struct record_head head;
    struct entry *e = NULL;
    struct err err = {0};
    size_t got = 0, read = 0;
    char *bytes = pages_take(sizeof head + item->bytes, &got);

    if (!bytes)
        return NULL;
    if (file_read_at(item->segment->file, item->at, bytes, sizeof head + item->bytes, &read,
                     &err) &&
        read == sizeof head + item->bytes) {
        struct str text = {bytes + sizeof head, item->bytes};

        memcpy(&head, bytes, sizeof head);
        if (head.magic == RECORD_LIVE && head.head_crc == record_head_crc(&head) &&
            head.body_crc == crc32c(0, text.ptr, text.len) &&
            memcmp(&head.key, &item->key, sizeof head.key) == 0)
            e = entry_parse(text, &err);
    }
    pages_give(bytes, got);
    if (e && memcmp(&e->facts.key, &item->key, sizeof item->key) != 0)
        entry_unref(&e);
    return e;
}

static bool overwrite(const struct disk_item *item, struct err *err)
{
    static const char zeros[16 * 1024];
    struct record_head head = {.magic = RECORD_DEAD, .bytes = item->bytes};
    int64_t at = item->at + (int64_t)sizeof head;

    head.head_crc = record_head_crc(&head);
    if (!file_write_at(item->segment->file, item->at, &head, sizeof head, err))
        return false;
    for (size_t left = item->bytes; left > 0;) {
        size_t some = MIN_OF(left, sizeof zeros);

        if (!file_write_at(item->segment->file, at, zeros, some, err))
            return false;
        at += (int64_t)some;
        left -= some;
    }
    return true;
}

/* Nothing of the answer is left in the file; the head keeps its length, so that what follows is found. Where that cannot be
 * written the file is looked through by the next purge, whatever the index knows. */
bool disk_wipe(struct disk *d, const struct disk_item *item, struct err *err)
{
    bool ok = overwrite(item, err);

    mutex_lock(&d->lock);
    item->segment->dirty = true;
    item->segment->leftover |= !ok;
    mutex_unlock(&d->lock);
    return ok;
}

/* ---- the door ---- */

void disk_expect(struct disk *d, const struct cache_key *key)
{
    atomic_uchar *count = count_of(d, key);

    if (count)
        __builtin_prefetch(count);
}

/* Who is just being put there is perhaps not seen yet: as if the question had come a moment earlier. */
bool disk_has(struct disk *d, const struct cache_key *key, wall_ms now)
{
    const atomic_uchar *count = count_of(d, key);

    if (!count || !atomic_load_explicit(count, memory_order_relaxed))
        return false;
    mutex_lock(&d->lock);
    const struct disk_item *item = disk_find(d, key);
    bool has = item && !item->purged && now < item->expires;
    mutex_unlock(&d->lock);
    return has;
}

static struct disk_item *find_same(struct disk *d, const struct disk_item *item)
{
    struct disk_item *now = disk_find(d, &item->key);

    return now && now->segment == item->segment && now->at == item->at ? now : NULL;
}

/* It could not be read or has expired: not asked for again. In the index until it is wiped, so that a purge finds it. */
static void drop(struct disk *d, const struct disk_item *item)
{
    struct err err = {0};

    mutex_lock(&d->lock);
    struct disk_item *now = find_same(d, item);
    bool same = now && !now->purged;

    if (same)
        now->purged = true;
    mutex_unlock(&d->lock);
    if (!same)
        return;
    if (!disk_wipe(d, item, &err)) {
        log_warn("an answer in the cache could not be wiped: %s", err.text);
        return;
    }
    mutex_lock(&d->lock);
    now = find_same(d, item);
    if (now)
        disk_unindex(d, now);
    mutex_unlock(&d->lock);
}

static void mark_used(struct disk *d, const struct cache_key *key)
{
    mutex_lock(&d->lock);
    struct disk_item *item = disk_find(d, key);
    if (item)
        item->recent = true;
    mutex_unlock(&d->lock);
}

struct entry *disk_get(struct disk *d, const struct cache_key *key, wall_ms now, dur_ns max_age)
{
    struct disk_item item;
    struct entry *e = NULL;

    if (!hold_item(d, key, &item))
        return NULL;
    if (item.purged) {
        disk_release(d, item.segment);
        return NULL;
    }
    if (now < item.expires)
        e = disk_read(&item);
    if (!e) {
        if (now < item.expires)
            atomic_fetch_add(&d->damaged, 1);
        drop(d, &item);
    } else if (!entry_is_fresh(e, now, max_age)) {
        entry_unref(&e);
    } else {
        mark_used(d, key);
    }
    disk_release(d, item.segment);
    return e;
}

/* ---- purging ---- */

static bool may_match(const struct disk_item *item, const struct cache_selector *what)
{
    return (!what->key || memcmp(what->key, &item->key, sizeof item->key) == 0) &&
           (what->space.len == 0 || item->space == disk_name_hash(what->space)) &&
           (what->model.len == 0 || item->model == disk_name_hash(what->model)) &&
           (what->tag.len == 0 || item->tagged);
}

/* The keys of what may be meant; the entries themselves say. */
static struct cache_key *list_candidates(struct disk *d, const struct cache_selector *what,
                                         struct arena *arena, size_t *count)
{
    struct cache_key *keys;
    struct str name;
    void *value;

    mutex_lock(&d->lock);
    keys = arena_array(arena, d->by_key.count + 1, sizeof *keys);
    *count = 0;
    for (size_t at = 0; keys && table_next(&d->by_key, &at, &name, &value);)
        if (may_match(value, what))
            keys[(*count)++] = ((struct disk_item *)value)->key;
    mutex_unlock(&d->lock);
    return keys;
}

static bool purge_item(struct disk *d, struct disk_item *item, const struct cache_selector *what,
                       uint64_t *gone, struct err *err)
{
    struct entry *e CLEANUP(entry_unref) = disk_read(item);
    bool ok = true;

    if (e && !entry_matches(e, what))
        return true;
    /* What cannot be read is not kept either: it may be what is meant. */
    mutex_lock(&d->lock);
    struct disk_item *now = disk_find(d, &item->key);
    if (now)
        now->purged = true;
    mutex_unlock(&d->lock);
    ok = disk_wipe(d, item, err);
    mutex_lock(&d->lock);
    now = ok ? disk_find(d, &item->key) : NULL;
    if (now)
        disk_unindex(d, now);
    mutex_unlock(&d->lock);
    *gone += ok;
    return ok;
}

/* In a file where something could not be wiped, or that could not be cut, all goes that the index does not have: nobody
 * is given it, and a start would take it for an answer that is kept. */
static bool wipe_leftover(struct disk *d, struct segment *s, struct err *err)
{
    struct record_head head;

    if (!file_cut(s->file, s->bytes, err))
        return false;
    for (int64_t at = 0; at < s->bytes; at += (int64_t)(sizeof head + head.bytes)) {
        size_t read = 0;

        if (!file_read_at(s->file, at, &head, sizeof head, &read, err))
            return false;
        if (read != sizeof head || head.head_crc != record_head_crc(&head))
            return err_set(err, ERR_UNAVAILABLE, "file %016" PRIx64 ".seg is damaged", s->number);
        struct disk_item item = {.segment = s, .at = at, .key = head.key, .bytes = head.bytes};
        mutex_lock(&d->lock);
        bool known = find_same(d, &item) != NULL;
        mutex_unlock(&d->lock);
        if (!known && !disk_wipe(d, &item, err))
            return false;
    }
    mutex_lock(&d->lock);
    s->leftover = false;
    mutex_unlock(&d->lock);
    return true;
}

static bool wipe_leftovers(struct disk *d, struct err *err)
{
    for (struct segment *s = d->oldest; s; s = s->newer) {
        mutex_lock(&d->lock);
        bool leftover = s->leftover;
        mutex_unlock(&d->lock);
        if (leftover && !wipe_leftover(d, s, err))
            return false;
    }
    return true;
}

static bool sync_segment(struct disk *d, struct segment *s, struct err *err)
{
    mutex_lock(&d->lock);
    bool dirty = s->dirty;
    s->dirty = false;
    mutex_unlock(&d->lock);
    if (!dirty || file_sync(s->file, err))
        return true;
    mutex_lock(&d->lock);
    s->dirty = true;
    mutex_unlock(&d->lock);
    return false;
}

/* Also what others wiped before, and files that went to make room: power loss would bring them back. */
static bool sync_dirty(struct disk *d, struct err *err)
{
    bool ok = true;

    for (struct segment *s = d->oldest; s; s = s->newer)
        ok = sync_segment(d, s, err) && ok;
    if (d->removed && file_sync_dir(d->options.dir, err))
        d->removed = false;
    return ok && !d->removed;
}

bool disk_purge(struct disk *d, const struct cache_selector *what, uint64_t *gone, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) =
        arena_new((d->options.entries_max + 1) * sizeof(struct cache_key) + 64 * KIB);
    struct cache_key *keys;
    size_t count;
    bool ok = true;

    if (!arena)
        return err_no_room(err, "no memory to purge the cache");
    mutex_lock(&d->writing); /* nothing moves meanwhile */
    keys = list_candidates(d, what, arena, &count);
    if (!keys)
        ok = err_arena(err, arena);
    for (size_t i = 0; ok && i < count; i++) {
        struct disk_item item;

        if (!hold_item(d, &keys[i], &item))
            continue;
        ok = purge_item(d, &item, what, gone, err);
        disk_release(d, item.segment);
    }
    ok = ok && wipe_leftovers(d, err);
    ok = sync_dirty(d, err) && ok;
    mutex_unlock(&d->writing);
    return ok || err_wrap(err, "purge the cache on disk");
}

struct disk_stats disk_stats(struct disk *d)
{
    mutex_lock(&d->lock);
    struct disk_stats stats = {.bytes = (uint64_t)d->bytes,
                               .entries = d->by_key.count,
                               .evictions = d->evictions,
                               .damaged = atomic_load(&d->damaged),
                               .segments = d->segment_count};
    mutex_unlock(&d->lock);
    return stats;
}
