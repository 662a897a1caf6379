#include "base/metrics_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/utf8.h"

/* OpenMetrics 1.0: families by name, series by their label values, so that two readings can be
 * compared line by line. */

static const char *const type_names[] = {"counter", "gauge", "histogram"};

/* metric_bounds in seconds, written as OpenMetrics wants its canonical numbers. */
static const char *const bound_names[METRIC_BOUNDS] = {
    "1e-05", "2.5e-05", "5e-05", "0.0001", "0.00025", "0.0005", "0.001", "0.0025",
    "0.005", "0.01",    "0.025", "0.05",   "0.1",     "0.25",   "0.5",   "1.0",
    "2.5",   "5.0",     "10.0",  "25.0",   "50.0",    "100.0",
};

/* The older format has no exemplars, no units, and counters by another name in their head. */
struct text {
    struct buf *out;
    bool plain;
};

static void put_escaped(struct buf *out, struct str s)
{
    uint32_t rune;
    char bytes[4];

    for (size_t at = 0; utf8_next(s, &at, &rune);)
        if (rune == '\n')
            buf_str(out, STR("\\n"));
        else {
            if (rune == '"' || rune == '\\')
                buf_char(out, '\\');
            buf_put(out, bytes, utf8_put(bytes, rune));
        }
}

static void put_family(struct buf *out, const struct metric *metric)
{
    struct str name = str_from(metric->name), unit = str_from(metric->unit);

    buf_str(out, name);
    if (unit.len && !(str_ends(name, unit) && name.ptr[name.len - unit.len - 1] == '_')) {
        buf_char(out, '_');
        buf_str(out, unit);
    }
}

static void put_head(const struct text *t, const struct metric *metric)
{
    const char *suffix = t->plain && metric->type == METRIC_COUNTER ? "_total" : "";
    struct buf *out = t->out;

    buf_str(out, STR("# TYPE "));
    put_family(out, metric);
    buf_fmt(out, "%s %s\n", suffix, type_names[metric->type]);
    if (!t->plain && metric->unit && *metric->unit) {
        buf_str(out, STR("# UNIT "));
        put_family(out, metric);
        buf_fmt(out, " %s\n", metric->unit);
    }
    buf_str(out, STR("# HELP "));
    put_family(out, metric);
    buf_fmt(out, "%s ", suffix);
    put_escaped(out, str_from(metric->help));
    buf_char(out, '\n');
}

/* name_suffix{label="value",le="bound"} and a space. */
static void put_name(struct buf *out, const struct label_set *set, const char *suffix,
                     const char *bound)
{
    size_t labels = metric_label_count(set->metric);
    char before = '{';

    put_family(out, set->metric);
    buf_str(out, str_from(suffix));
    for (size_t i = 0; i < labels; i++, before = ',') {
        buf_fmt(out, "%c%s=\"", before, set->metric->labels[i]);
        put_escaped(out, set->values[i]);
        buf_char(out, '"');
    }
    if (bound) {
        buf_fmt(out, "%cle=\"%s\"", before, bound);
        before = ',';
    }
    if (before == ',')
        buf_char(out, '}');
    buf_char(out, ' ');
}

static void put_seconds(struct buf *out, uint64_t ns)
{
    char decimals[9];
    size_t len = sizeof decimals;
    uint64_t rest = ns % (uint64_t)SECOND;

    for (size_t i = len; i > 0; rest /= 10)
        decimals[--i] = (char)('0' + rest % 10);
    while (len > 1 && decimals[len - 1] == '0')
        len--;
    buf_u64(out, ns / (uint64_t)SECOND);
    buf_char(out, '.');
    buf_put(out, decimals, len);
}

/* " # {trace_id="..."} 0.054 1795262400.123" */
static void put_exemplar(struct buf *out, const struct exemplar *e)
{
    if (!e->when)
        return;
    buf_str(out, STR(" # {trace_id=\""));
    buf_hex(out, e->trace_id, sizeof e->trace_id);
    buf_str(out, STR("\"} "));
    put_seconds(out, (uint64_t)e->value);
    buf_char(out, ' ');
    put_seconds(out, (uint64_t)e->when * (uint64_t)MILLISECOND);
}

static void put_histogram(const struct text *t, const struct label_set *set,
                          const struct metric_sum *sum)
{
    struct exemplar examples[METRIC_BUCKETS];
    struct buf *out = t->out;
    uint64_t below = 0;

    metric_exemplars(set, examples);
    for (size_t i = 0; i < METRIC_BUCKETS; i++) {
        below += sum->buckets[i];
        put_name(out, set, "_bucket", i < METRIC_BOUNDS ? bound_names[i] : "+Inf");
        buf_u64(out, below);
        if (!t->plain)
            put_exemplar(out, &examples[i]);
        buf_char(out, '\n');
    }
    put_name(out, set, "_sum", NULL);
    put_seconds(out, sum->value);
    buf_char(out, '\n');
    put_name(out, set, "_count", NULL);
    buf_u64(out, sum->count);
    buf_char(out, '\n');
}

static void put_series(const struct text *t, const struct label_set *set)
{
    struct metric_sum sum;
    struct buf *out = t->out;

    if (metric_is_hidden(set))
        return;
    metric_sum(set, &sum);
    switch (set->metric->type) {
    case METRIC_COUNTER:
        put_name(out, set, "_total", NULL);
        buf_u64(out, sum.value);
        buf_char(out, '\n');
        break;
    case METRIC_GAUGE:
        put_name(out, set, "", NULL);
        buf_i64(out, (int64_t)sum.value);
        buf_char(out, '\n');
        break;
    case METRIC_HISTOGRAM: put_histogram(t, set, &sum); break;
    }
}

static int by_name(const void *one, const void *other)
{
    const struct metric *a = *(const struct metric *const *)one;
    const struct metric *b = *(const struct metric *const *)other;

    return strcmp(a->name, b->name);
}

static int by_name_and_values(const void *one, const void *other)
{
    const struct label_set *a = *(const struct label_set *const *)one;
    const struct label_set *b = *(const struct label_set *const *)other;
    int order = a->metric == b->metric ? 0 : strcmp(a->metric->name, b->metric->name);

    for (size_t i = 0; order == 0 && i < METRIC_LABELS; i++)
        order = str_cmp(a->values[i], b->values[i]);
    return order;
}

#define PART_ENOUGH (8 * KIB)

/* A series has a line for each bucket at most, a line its names and values, each of which escaping may double. */
static_assert(PART_ENOUGH + (METRIC_BUCKETS + 2) * (2 * METRIC_LABELS * METRIC_LABEL_BYTES + 250) <=
                  METRICS_PART,
              "a part holds the series that makes it enough");

bool metrics_reading_begin(struct metrics_reading *r, bool plain, struct err *err)
{
    size_t max = metrics_sets_max();
    struct metric *const *rows = metrics_registered(&r->row_count);
    bool fault = FAULT("metrics.write");

    r->plain = plain;
    r->sets = fault ? NULL : malloc(sizeof(void *) * (max + 1));
    r->rows = fault ? NULL : malloc(sizeof(void *) * (r->row_count + 1));
    if (!r->sets || !r->rows)
        return err_no_room(err, "no memory to tell the metrics");
    r->set_count = metrics_sets(r->sets, max);
    memcpy(r->rows, rows, r->row_count * sizeof(void *));
    qsort(r->rows, r->row_count, sizeof(void *), by_name);
    qsort(r->sets, r->set_count, sizeof(void *), by_name_and_values);
    return true;
}

void metrics_reading_done(struct metrics_reading *r)
{
    free(r->sets);
    free(r->rows);
    *r = (struct metrics_reading){0};
}

/* A head, a series, or neither where a metric has no more. */
static void write_next(struct metrics_reading *r, const struct text *t)
{
    const struct metric *row = r->rows[r->row];

    if (!r->headed) {
        put_head(t, row);
        r->headed = true;
    } else if (r->set < r->set_count && r->sets[r->set]->metric == row) {
        put_series(t, r->sets[r->set++]);
    } else {
        r->row++;
        r->headed = false;
    }
}

bool metrics_reading_next(struct metrics_reading *r, struct buf *out)
{
    const struct text t = {.out = out, .plain = r->plain};
    size_t before = out->len;

    while (r->row < r->row_count && buf_ok(out)) {
        if (out->len - before >= PART_ENOUGH)
            return true;
        write_next(r, &t);
    }
    if (!t.plain)
        buf_str(out, STR("# EOF\n"));
    return false;
}

static void write_text(struct buf *out, bool plain)
{
    struct metrics_reading r CLEANUP(metrics_reading_done) = {0};
    struct err err = {0};

    if (metrics_reading_begin(&r, plain, &err))
        while (metrics_reading_next(&r, out)) {
        }
    else
        out->no_memory = true;
}

void metrics_write(struct buf *out)
{
    write_text(out, false);
}

void metrics_write_plain(struct buf *out)
{
    write_text(out, true);
}

static void put_doc(struct buf *out, const struct metric *metric)
{
    static const char *const suffixes[] = {"_total", "", "_bucket, _sum, _count"};

    buf_str(out, STR("| `"));
    put_family(out, metric);
    buf_fmt(out, "` %s | %s | ", suffixes[metric->type], type_names[metric->type]);
    for (size_t i = 0; i < metric_label_count(metric); i++)
        buf_fmt(out, "%s`%s`", i ? ", " : "", metric->labels[i]);
    buf_fmt(out, " | %s |\n", metric->help);
}

void metrics_docs(struct buf *out)
{
    const struct metric *sorted[METRICS_MAX];
    size_t count;
    struct metric *const *rows = metrics_registered(&count);

    for (size_t i = 0; i < count; i++)
        sorted[i] = rows[i];
    qsort(sorted, count, sizeof(void *), by_name);
    buf_str(out, STR("| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n"));
    for (size_t i = 0; i < count; i++)
        put_doc(out, sorted[i]);
}
