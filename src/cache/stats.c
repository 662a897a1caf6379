/* What the cache did and holds, as metrics: set from its own counters by one loop, each second. */
#include "base/metrics.h"
#include "cache/cache_internal.h"

enum { HITS, MISSES, JOINS, STORED, DROPPED, BYTES, ENTRIES, EVICTIONS, FLIGHTS, AWAY };

static struct metric rows[] = {
    [HITS] = {"weir_cache_hits",
              METRIC_GAUGE,
              "",
              "Answers given from this level since the start.",
              {"level", NULL},
              0},
    [MISSES] = {"weir_cache_misses",
                METRIC_GAUGE,
                "",
                "Requests of the cache that had to be asked since the start.",
                {NULL},
                0},
    [JOINS] = {"weir_cache_joins",
               METRIC_GAUGE,
               "",
               "Requests that read another one's answer since the start.",
               {NULL},
               0},
    [STORED] = {"weir_cache_stored", METRIC_GAUGE, "", "Answers kept since the start.", {NULL}, 0},
    [DROPPED] = {"weir_cache_dropped",
                 METRIC_GAUGE,
                 "",
                 "Answers that were too large or that a level could not take.",
                 {NULL},
                 0},
    [BYTES] =
        {"weir_cache_held", METRIC_GAUGE, "bytes", "What this level holds.", {"level", NULL}, 0},
    [ENTRIES] = {"weir_cache_entries",
                 METRIC_GAUGE,
                 "",
                 "Answers that this level holds.",
                 {"level", NULL},
                 0},
    [EVICTIONS] = {"weir_cache_evictions",
                   METRIC_GAUGE,
                   "",
                   "Answers thrown out for room since the start.",
                   {"level", NULL},
                   0},
    [FLIGHTS] = {"weir_cache_flights",
                 METRIC_GAUGE,
                 "",
                 "Answers on their way that can be joined.",
                 {NULL},
                 0},
    [AWAY] = {"weir_cache_shared_away",
              METRIC_GAUGE,
              "",
              "1 while Redis fails and is not asked.",
              {NULL},
              0},
};

void cache_metrics_register(void)
{
    metrics_register(rows, ARRAY_LEN(rows));
}

static void set(int row, struct str level, uint64_t n)
{
    series_set(metrics_series(&rows[row], level.len ? &level : NULL), (int64_t)n);
}

void cache_metrics_update(struct cache *cache)
{
    struct cache_stats s = cache_stats(cache);

    set(HITS, STR("memory"), s.hits_memory);
    set(HITS, STR("disk"), s.hits_disk);
    set(HITS, STR("shared"), s.hits_shared);
    set(MISSES, STR_NONE, s.misses);
    set(JOINS, STR_NONE, s.joins);
    set(STORED, STR_NONE, s.stored);
    set(DROPPED, STR_NONE, s.dropped + s.too_large);
    set(BYTES, STR("memory"), s.memory_bytes);
    set(BYTES, STR("disk"), s.disk_bytes);
    set(ENTRIES, STR("memory"), s.memory_entries);
    set(ENTRIES, STR("disk"), s.disk_entries);
    set(EVICTIONS, STR("memory"), s.memory_evictions);
    set(EVICTIONS, STR("disk"), s.disk_evictions);
    set(FLIGHTS, STR_NONE, s.flights);
    set(AWAY, STR_NONE, cache->options.redis && redis_stats(cache->options.redis).open);
}
