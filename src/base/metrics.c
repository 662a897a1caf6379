#include "base/metrics.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/hash.h"
#include "base/metrics_internal.h"
#include "base/spin.h"
#include "base/table.h"
#include "base/utf8.h"

/* Who owns what:
 *
 *   shard (one a thread)               label_set (one a metric and its label values)
 *     table: key -> series --.           key, values, metric
 *                            |           parts ---> series of thread 1 -> series of thread 2 ...
 *                            '--------------------^
 *
 * A series is written by its thread alone, so adding is a relaxed load and a relaxed store. Label
 * sets and series are only ever added until metrics_done(), so readers follow the lists without a
 * lock; the lock keeps two threads from adding the same label set. */
#define CHAINS  4096 /* label sets by hash; a power of two */
#define KEY_MAX (sizeof(uint32_t) + (size_t)METRIC_LABELS * (1 + METRIC_LABEL_BYTES))

static_assert(METRIC_LABEL_BYTES <= UINT8_MAX, "a value's length is one byte of the key");

struct shard {
    struct shard *next;
    atomic_bool owned; /* by a living thread; else the next thread that begins adopts it */
    struct table series;
};

struct key {
    size_t len;
    char bytes[KEY_MAX];
};

const dur_ns metric_bounds[METRIC_BOUNDS] = {
    10 * MICROSECOND,  25 * MICROSECOND,   50 * MICROSECOND,   100 * MICROSECOND, 250 * MICROSECOND,
    500 * MICROSECOND, 1 * MILLISECOND,    2500 * MICROSECOND, 5 * MILLISECOND,   10 * MILLISECOND,
    25 * MILLISECOND,  50 * MILLISECOND,   100 * MILLISECOND,  250 * MILLISECOND, 500 * MILLISECOND,
    1 * SECOND,        2500 * MILLISECOND, 5 * SECOND,         10 * SECOND,       25 * SECOND,
    50 * SECOND,       100 * SECOND,
};

/* How many bounds are below 2 to the power of i: where to begin with a value of i + 1 bits. */
static const uint8_t bounds_below[64] = {
    0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  1,  2,  3,  4,  5,  6,  7,  7,
    8,  9,  10, 11, 12, 13, 14, 15, 16, 16, 17, 18, 19, 20, 21, 22, 22, 22, 22, 22, 22, 22,
    22, 22, 22, 22, 22, 22, 22, 22, 22, 22, 22, 22, 22, 22, 22, 22, 22, 22, 22, 22};

static struct metric own_rows[] = {
    {.name = "weir_metric_series_dropped",
     .type = METRIC_COUNTER,
     .unit = "",
     .help = "Look-ups that went to the series _other, because a metric had too many or memory was "
             "gone."},
};

static struct metric *registered[METRICS_MAX]; /* by id - 1 */
static size_t registered_count;
static struct label_set *_Atomic chains[CHAINS];
static atomic_uint sets_of[METRICS_MAX + 1]; /* by id */
static struct spin sets_lock = SPIN_INIT;    /* guards adding to chains and sets_of */
static struct shard *_Atomic shards;
static atomic_uint generation; /* moves when metrics_done() makes what threads hold stale */
static _Thread_local struct shard *mine;
static _Thread_local unsigned mine_generation;
/* Counted into and never shown: what a thread gets when there is no memory for a series. */
static _Alignas(
    struct series) char lost[sizeof(struct series) + METRIC_BUCKETS * sizeof(_Atomic uint64_t)];

size_t metric_label_count(const struct metric *metric)
{
    size_t count = 0;

    while (count < METRIC_LABELS && metric->labels[count])
        count++;
    return count;
}

static void register_one(struct metric *row)
{
    ASSERT(row->id == 0);
    ASSERT(registered_count < METRICS_MAX);
    ASSERT(!row->labels[METRIC_LABELS]);
    ASSERT(row->type != METRIC_HISTOGRAM || strcmp(row->unit, "seconds") == 0);
    ASSERT(!str_ends(str_from(row->name), STR("_total"))); /* added when written */
    for (size_t i = 0; i < registered_count; i++)
        ASSERT(strcmp(registered[i]->name, row->name) != 0);
    registered[registered_count++] = row;
    row->id = (uint32_t)registered_count;
}

void metrics_register(struct metric *rows, size_t count)
{
    if (registered_count == 0)
        register_one(&own_rows[0]);
    for (size_t i = 0; i < count; i++)
        register_one(&rows[i]);
}

struct metric *const *metrics_registered(size_t *count)
{
    *count = registered_count;
    return registered;
}

/* The metric's id, then each value behind its length: no two sets share a key. */
static void key_make(struct key *key, const struct metric *metric, const struct str *values)
{
    size_t labels = metric_label_count(metric);
    char *at = key->bytes;

    ASSERT(metric->id);
    memcpy(at, &metric->id, sizeof metric->id);
    at += sizeof metric->id;
    for (size_t i = 0; i < labels; i++) {
        size_t len = utf8_boundary(values[i], METRIC_LABEL_BYTES);

        *at++ = (char)len;
        if (len)
            memcpy(at, values[i].ptr, len);
        at += len;
    }
    key->len = (size_t)(at - key->bytes);
}

static struct str key_view(const struct key *key)
{
    return (struct str){key->bytes, key->len};
}

static struct label_set *find_set(struct str key, uint64_t hash)
{
    struct label_set *set =
        atomic_load_explicit(&chains[hash & (CHAINS - 1)], memory_order_acquire);

    while (set && (set->hash != hash || !str_eq(set->key, key)))
        set = set->next;
    return set;
}

static struct label_set *new_set(const struct metric *metric, struct str key, uint64_t hash)
{
    struct label_set *set = FAULT("metrics.set") ? NULL : malloc(sizeof *set + key.len);
    size_t at = sizeof metric->id, labels = metric_label_count(metric);

    if (!set)
        return NULL;
    char *copy = memcpy(set + 1, key.ptr, key.len);
    *set = (struct label_set){.metric = metric, .key = {copy, key.len}, .hash = hash};
    for (size_t i = 0; i < labels; i++) {
        set->values[i] = (struct str){copy + at + 1, (uint8_t)copy[at]};
        at += 1 + set->values[i].len;
    }
    return set;
}

/* Into the chain, unless another thread was first or the metric has too many; what stands there. */
static struct label_set *publish_set(struct label_set *set, unsigned max)
{
    struct label_set *_Atomic *chain = &chains[set->hash & (CHAINS - 1)];
    atomic_uint *count = &sets_of[set->metric->id];

    spin_lock(&sets_lock);
    struct label_set *there = find_set(set->key, set->hash);
    if (!there && *count < max) {
        set->next = *chain;
        atomic_store_explicit(chain, set, memory_order_release);
        (*count)++;
        there = set;
    }
    spin_unlock(&sets_lock);
    return there;
}

static struct label_set *find_or_add_set(const struct metric *metric, struct str key, unsigned max)
{
    uint64_t hash = siphash(key);
    struct label_set *set = find_set(key, hash), *fresh;

    if (set || sets_of[metric->id] >= max)
        return set;
    fresh = new_set(metric, key, hash);
    if (!fresh)
        return NULL;
    set = publish_set(fresh, max);
    if (set != fresh)
        free(fresh);
    return set;
}

static struct shard *adopt_shard(void)
{
    for (struct shard *shard = shards; shard; shard = shard->next) {
        bool owned = false;

        if (atomic_compare_exchange_strong(&shard->owned, &owned, true))
            return shard;
    }
    return NULL;
}

static struct shard *my_shard(void)
{
    if (mine && mine_generation == generation)
        return mine;
    mine = adopt_shard();
    mine_generation = generation;
    if (mine)
        return mine;
    mine = FAULT("metrics.shard") ? NULL : calloc(1, sizeof *mine);
    if (!mine)
        return NULL;
    mine->owned = true;
    table_init(&mine->series, NULL, SIZE_MAX); /* bounded by what the metrics allow */
    mine->next = shards;
    while (!atomic_compare_exchange_weak(&shards, &mine->next, mine)) {
    }
    return mine;
}

/* This thread's part of the set. */
static struct series *add_series(struct shard *shard, struct label_set *set)
{
    size_t buckets = set->metric->type == METRIC_HISTOGRAM ? METRIC_BUCKETS : 0;
    struct series *s =
        FAULT("metrics.series") ? NULL : calloc(1, sizeof *s + buckets * sizeof s->buckets[0]);

    if (!s)
        return NULL;
    if (!table_put(&shard->series, set->key, s, NULL)) {
        free(s);
        return NULL;
    }
    s->next = set->parts;
    while (!atomic_compare_exchange_weak(&set->parts, &s->next, s)) {
    }
    return s;
}

static struct series *find_or_add_series(struct shard *shard, const struct metric *metric,
                                         const struct key *key, unsigned max)
{
    struct series *s = table_get(&shard->series, key_view(key));

    if (s)
        return s;
    struct label_set *set = find_or_add_set(metric, key_view(key), max);
    if (!set)
        return NULL;
    s = table_get(&shard->series, set->key);
    return s ? s : add_series(shard, set);
}

/* The series of what has no series of its own. Its label set may stand above the maximum. */
static struct series *other_series(struct shard *shard, const struct metric *metric)
{
    static const struct str others[METRIC_LABELS] = {
        {"_other", 6}, {"_other", 6}, {"_other", 6}, {"_other", 6}};
    struct series *s;
    struct key key;

    if (metric != &own_rows[0])
        series_add(metrics_series(&own_rows[0], NULL), 1);
    key_make(&key, metric, others);
    s = find_or_add_series(shard, metric, &key, METRIC_SERIES_MAX + 1);
    return s ? s : (struct series *)(void *)lost;
}

struct series *metrics_series(const struct metric *metric, const struct str *values)
{
    struct shard *shard = my_shard();
    struct series *s;
    struct key key;

    if (!shard)
        return (struct series *)(void *)lost;
    key_make(&key, metric, values);
    s = find_or_add_series(shard, metric, &key, METRIC_SERIES_MAX);
    return s ? s : other_series(shard, metric);
}

static void add(_Atomic uint64_t *to, uint64_t n)
{
    uint64_t before = atomic_load_explicit(to, memory_order_relaxed);

    atomic_store_explicit(to, before + n, memory_order_relaxed);
}

void series_add(struct series *s, uint64_t n)
{
    add(&s->value, n);
}

void series_set(struct series *s, int64_t n)
{
    atomic_store_explicit(&s->value, (uint64_t)n, memory_order_relaxed);
    atomic_store_explicit(&s->hidden, false, memory_order_relaxed);
}

void series_hide(struct series *s)
{
    atomic_store_explicit(&s->value, 0, memory_order_relaxed);
    atomic_store_explicit(&s->hidden, true, memory_order_relaxed);
}

void series_shift(struct series *s, int64_t by)
{
    add(&s->value, (uint64_t)by);
}

static size_t bucket_of(dur_ns value)
{
    size_t bucket = bounds_below[63 - __builtin_clzll((uint64_t)value | 1)];

    while (bucket < METRIC_BOUNDS && value > metric_bounds[bucket])
        bucket++;
    return bucket;
}

void series_observe(struct series *s, dur_ns value)
{
    value = MAX_OF(value, 0);
    add(&s->buckets[bucket_of(value)], 1);
    add(&s->value, (uint64_t)value);
}

/* Without memory there is no example, and the observation counts as ever. */
static struct exemplars *exemplars_of(struct series *s)
{
    struct exemplars *own = atomic_load_explicit(&s->exemplars, memory_order_relaxed);

    if (own || s == (struct series *)(void *)lost)
        return own;
    own = FAULT("metrics.exemplars") ? NULL : calloc(1, sizeof *own);
    atomic_store_explicit(&s->exemplars, own, memory_order_release);
    return own;
}

void series_observe_traced(struct series *s, dur_ns value, const uint8_t *trace_id, wall_ms now)
{
    struct exemplars *own = trace_id ? exemplars_of(s) : NULL;

    series_observe(s, value);
    if (!own)
        return;
    struct exemplar *e = &own->at[bucket_of(MAX_OF(value, 0))];
    spin_lock(&own->lock);
    memcpy(e->trace_id, trace_id, sizeof e->trace_id);
    e->value = MAX_OF(value, 0);
    e->when = now;
    spin_unlock(&own->lock);
}

void metric_exemplars(const struct label_set *set, struct exemplar out[METRIC_BUCKETS])
{
    struct series *s = atomic_load_explicit(&set->parts, memory_order_acquire);

    memset(out, 0, METRIC_BUCKETS * sizeof *out);
    for (; s; s = s->next) {
        struct exemplars *own = atomic_load_explicit(&s->exemplars, memory_order_acquire);

        if (!own)
            continue;
        spin_lock(&own->lock);
        for (size_t i = 0; i < METRIC_BUCKETS; i++)
            if (own->at[i].when > out[i].when)
                out[i] = own->at[i];
        spin_unlock(&own->lock);
    }
}

void metric_sum(const struct label_set *set, struct metric_sum *sum)
{
    bool histogram = set->metric->type == METRIC_HISTOGRAM;
    struct series *s = atomic_load_explicit(&set->parts, memory_order_acquire);

    *sum = (struct metric_sum){0};
    for (; s; s = s->next) {
        sum->value += atomic_load_explicit(&s->value, memory_order_relaxed);
        for (size_t i = 0; histogram && i < METRIC_BUCKETS; i++)
            sum->buckets[i] += atomic_load_explicit(&s->buckets[i], memory_order_relaxed);
    }
    for (size_t i = 0; i < METRIC_BUCKETS; i++)
        sum->count += sum->buckets[i];
}

bool metric_is_hidden(const struct label_set *set)
{
    const struct series *s = atomic_load_explicit(&set->parts, memory_order_acquire);
    bool hidden = s != NULL;

    for (; hidden && s; s = s->next)
        hidden = atomic_load_explicit(&s->hidden, memory_order_relaxed);
    return hidden;
}

int64_t metrics_read(const struct metric *metric, const struct str *values)
{
    struct metric_sum sum;
    struct key key;

    key_make(&key, metric, values);
    const struct label_set *set = find_set(key_view(&key), siphash(key_view(&key)));
    if (!set)
        return 0;
    metric_sum(set, &sum);
    return (int64_t)(metric->type == METRIC_HISTOGRAM ? sum.count : sum.value);
}

size_t metrics_sets(const struct label_set **out, size_t max)
{
    struct str none[METRIC_LABELS] = {STR_NONE};
    size_t count = 0;

    for (size_t i = 0; i < registered_count; i++)
        if (!registered[i]->labels[0]) { /* shown as zero before it first counts */
            struct key key;

            key_make(&key, registered[i], none);
            (void)find_or_add_set(registered[i], key_view(&key), METRIC_SERIES_MAX);
        }
    for (size_t i = 0; i < CHAINS; i++) {
        const struct label_set *set = atomic_load_explicit(&chains[i], memory_order_acquire);

        for (; set && count < max; set = set->next)
            out[count++] = set;
    }
    return count;
}

size_t metrics_sets_max(void)
{
    size_t count = registered_count + 64; /* what metrics_sets() and other threads may add */

    for (size_t id = 1; id <= registered_count; id++)
        count += sets_of[id];
    return count;
}

void metrics_thread_done(void)
{
    if (mine && mine_generation == generation)
        mine->owned = false;
    mine = NULL;
}

static void free_set(struct label_set *set)
{
    for (struct series *s = set->parts, *next; s; s = next) {
        next = s->next;
        free(s->exemplars);
        free(s);
    }
    free(set);
}

void metrics_done(void)
{
    for (struct shard *shard = shards, *next; shard; shard = next) {
        next = shard->next;
        table_done(&shard->series);
        free(shard);
    }
    shards = NULL;
    for (size_t i = 0; i < CHAINS; i++) {
        for (struct label_set *set = chains[i], *next; set; set = next) {
            next = set->next;
            free_set(set);
        }
        chains[i] = NULL;
    }
    for (size_t i = 0; i < registered_count; i++) {
        sets_of[registered[i]->id] = 0;
        registered[i]->id = 0;
    }
    registered_count = 0;
    generation++;
}
