#include "base/fault.h"
#include "base/metrics.h"
#include "test.h"

#include <pthread.h>
#include <string.h>

static struct metric rows[] = {
    {.name = "weir_requests",
     .type = METRIC_COUNTER,
     .unit = "",
     .help = "Requests answered, by \"route\" and status\\class.",
     .labels = {"route", "status"}},
    {.name = "weir_open_streams", .type = METRIC_GAUGE, .unit = "", .help = "Streams open now."},
    {.name = "weir_request",
     .type = METRIC_HISTOGRAM,
     .unit = "seconds",
     .help = "Time from accept to the last byte.",
     .labels = {"route"}},
    {.name = "weir_memory_bytes", .type = METRIC_GAUGE, .unit = "bytes", .help = "Pages out."},
};
enum { REQUESTS, STREAMS, LATENCY, MEMORY };

static const char golden[] =
    "# TYPE weir_memory_bytes gauge\n"
    "# UNIT weir_memory_bytes bytes\n"
    "# HELP weir_memory_bytes Pages out.\n"
    "weir_memory_bytes 4096\n"
    "# TYPE weir_metric_series_dropped counter\n"
    "# HELP weir_metric_series_dropped Look-ups that went to the series _other, because a metric "
    "had "
    "too many or memory was gone.\n"
    "weir_metric_series_dropped_total 0\n"
    "# TYPE weir_open_streams gauge\n"
    "# HELP weir_open_streams Streams open now.\n"
    "weir_open_streams -2\n"
    "# TYPE weir_request_seconds histogram\n"
    "# UNIT weir_request_seconds seconds\n"
    "# HELP weir_request_seconds Time from accept to the last byte.\n"
    "weir_request_seconds_bucket{route=\"chat\",le=\"1e-05\"} 3\n"
    "weir_request_seconds_bucket{route=\"chat\",le=\"2.5e-05\"} 4\n"
    "weir_request_seconds_bucket{route=\"chat\",le=\"5e-05\"} 4\n"
    "weir_request_seconds_bucket{route=\"chat\",le=\"0.0001\"} 4\n"
    "weir_request_seconds_bucket{route=\"chat\",le=\"0.00025\"} 4\n"
    "weir_request_seconds_bucket{route=\"chat\",le=\"0.0005\"} 4\n"
    "weir_request_seconds_bucket{route=\"chat\",le=\"0.001\"} 4\n"
    "weir_request_seconds_bucket{route=\"chat\",le=\"0.0025\"} 4\n"
    "weir_request_seconds_bucket{route=\"chat\",le=\"0.005\"} 4\n"
    "weir_request_seconds_bucket{route=\"chat\",le=\"0.01\"} 4\n"
    "weir_request_seconds_bucket{route=\"chat\",le=\"0.025\"} 4\n"
    "weir_request_seconds_bucket{route=\"chat\",le=\"0.05\"} 4\n"
    "weir_request_seconds_bucket{route=\"chat\",le=\"0.1\"} 4\n"
    "weir_request_seconds_bucket{route=\"chat\",le=\"0.25\"} 4\n"
    "weir_request_seconds_bucket{route=\"chat\",le=\"0.5\"} 4\n"
    "weir_request_seconds_bucket{route=\"chat\",le=\"1.0\"} 4\n"
    "weir_request_seconds_bucket{route=\"chat\",le=\"2.5\"} 5\n"
    "weir_request_seconds_bucket{route=\"chat\",le=\"5.0\"} 5\n"
    "weir_request_seconds_bucket{route=\"chat\",le=\"10.0\"} 5\n"
    "weir_request_seconds_bucket{route=\"chat\",le=\"25.0\"} 5\n"
    "weir_request_seconds_bucket{route=\"chat\",le=\"50.0\"} 5\n"
    "weir_request_seconds_bucket{route=\"chat\",le=\"100.0\"} 6\n"
    "weir_request_seconds_bucket{route=\"chat\",le=\"+Inf\"} 7\n"
    "weir_request_seconds_sum{route=\"chat\"} 202.500020002\n"
    "weir_request_seconds_count{route=\"chat\"} 7\n"
    "# TYPE weir_requests counter\n"
    "# HELP weir_requests Requests answered, by \\\"route\\\" and status\\\\class.\n"
    "weir_requests_total{route=\"a\\\"b\\\\c\\nd\",status=\"\"} 1\n"
    "weir_requests_total{route=\"chat\",status=\"200\"} 7\n"
    "weir_requests_total{route=\"chat\",status=\"500\"} 1\n"
    "# EOF\n";

static struct series *requests(const char *route, const char *status)
{
    return metrics_series(&rows[REQUESTS], (struct str[]){str_from(route), str_from(status)});
}

static void begin(void)
{
    metrics_register(rows, ARRAY_LEN(rows));
}

TEST(metrics_are_written_as_open_metrics)
{
    static const dur_ns seen[] = {
        0, 10 * MICROSECOND, 10 * MICROSECOND + 1, 2500 * MILLISECOND, 100 * SECOND, 100 * SECOND,
    };
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct err err = {0};
    struct str text;
    struct buf out;

    begin();
    series_add(requests("chat", "500"), 1);
    series_add(requests("a\"b\\c\nd", ""), 1);
    series_add(requests("chat", "200"), 5);
    series_add(requests("chat", "200"), 2);
    series_set(metrics_series(&rows[MEMORY], NULL), 1);
    series_set(metrics_series(&rows[MEMORY], NULL), 4096);
    series_shift(metrics_series(&rows[STREAMS], NULL), 1);
    series_shift(metrics_series(&rows[STREAMS], NULL), -3);
    for (size_t i = 0; i < ARRAY_LEN(seen); i++)
        series_observe(metrics_series(&rows[LATENCY], (struct str[]){STR("chat")}),
                       seen[i] + (i == ARRAY_LEN(seen) - 1));
    series_observe(metrics_series(&rows[LATENCY], (struct str[]){STR("chat")}), -5);
    buf_init(&out, arena, MIB);
    metrics_write(&out);
    REQUIRE(buf_finish(&out, &text, &err), "%s", err.text);
    EXPECT(str_eq(text, str_from(golden)), STR_FMT, STR_ARG(text));
    EXPECT(metrics_read(&rows[LATENCY], (struct str[]){STR("chat")}) == 7);
    EXPECT(metrics_read(&rows[STREAMS], NULL) == -2);
    EXPECT(metrics_read(&rows[REQUESTS], (struct str[]){STR("chat"), STR("404")}) == 0);
    metrics_done();
}

TEST(a_series_is_found_again_by_its_values)
{
    begin();
    EXPECT(requests("a", "b") == requests("a", "b"));
    EXPECT(requests("a", "b") != requests("ab", ""), "values do not run into each other");
    EXPECT(requests("a", "b") != requests("", "ab"));
    metrics_done();
    begin();
    EXPECT(metrics_read(&rows[REQUESTS], (struct str[]){STR("a"), STR("b")}) == 0);
    series_add(requests("a", "b"), 1);
    EXPECT(metrics_read(&rows[REQUESTS], (struct str[]){STR("a"), STR("b")}) == 1);
    metrics_done();
}

TEST(a_gauge_of_what_is_gone_is_not_shown_until_it_is_set_again)
{
    static struct metric row = {
        .name = "weir_state", .type = METRIC_GAUGE, .unit = "", .help = "h", .labels = {"model"}};
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    const struct str gone = STR("gone"), there = STR("there");

    begin();
    metrics_register(&row, 1);
    for (int i = 0; i < 4; i++) {
        struct buf out;

        series_set(metrics_series(&row, &there), 1);
        if (i % 2)
            series_hide(metrics_series(&row, &gone));
        else
            series_set(metrics_series(&row, &gone), 2);
        buf_init(&out, arena, MIB);
        metrics_write(&out);
        EXPECT(str_find(buf_view(&out), STR("weir_state{model=\"there\"} 1\n")) < out.len);
        EXPECT((str_find(buf_view(&out), STR("weir_state{model=\"gone\"} 2\n")) < out.len) ==
               (i % 2 == 0));
        EXPECT((str_find(buf_view(&out), STR("\"gone\"")) < out.len) == (i % 2 == 0));
    }
    metrics_done();
}

TEST(a_long_label_value_is_cut_between_characters)
{
    char value[METRIC_LABEL_BYTES + 3];
    struct str cut = {value, METRIC_LABEL_BYTES - 1};

    memset(value, 'x', sizeof value);
    memcpy(value + METRIC_LABEL_BYTES - 1, "\xc3\xa4\xc3\xa4", 4);
    begin();
    series_add(metrics_series(&rows[LATENCY], &(struct str){value, sizeof value}), 0);
    series_observe(metrics_series(&rows[LATENCY], &(struct str){value, sizeof value}), 1);
    EXPECT(metrics_read(&rows[LATENCY], &cut) == 1);
    metrics_done();
}

TEST(too_many_series_go_to_other_and_are_counted)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct str others[] = {STR("_other"), STR("_other")};
    char name[32];
    struct buf out;

    begin();
    for (int i = 0; i < METRIC_SERIES_MAX + 5; i++) {
        struct buf text;

        buf_init_fixed(&text, name, sizeof name);
        buf_u64(&text, (uint64_t)i);
        series_add(metrics_series(&rows[REQUESTS], (struct str[]){buf_view(&text), STR("200")}), 1);
    }
    EXPECT(metrics_read(&rows[REQUESTS], others) == 5);
    EXPECT(metrics_read(&rows[REQUESTS], (struct str[]){STR("1999"), STR("200")}) == 1);
    series_add(requests("1999", "200"), 1);
    EXPECT(metrics_read(&rows[REQUESTS], (struct str[]){STR("1999"), STR("200")}) == 2);
    buf_init(&out, arena, MIB);
    metrics_write(&out);
    EXPECT(buf_ok(&out));
    EXPECT(str_find(buf_view(&out), STR("weir_metric_series_dropped_total 5\n")) < out.len);
    metrics_done();
}

static void *count_a_thousand(void *arg)
{
    const char *route = arg;

    for (int i = 0; i < 1000; i++) {
        series_add(requests("all", "200"), 1);
        series_add(requests(route, "200"), 1);
        series_observe(metrics_series(&rows[LATENCY], (struct str[]){STR("all")}), i * MICROSECOND);
    }
    metrics_thread_done();
    return NULL;
}

TEST(the_parts_of_threads_are_summed_while_they_write)
{
    static char *const routes[] = {"one", "two", "three", "four"};
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    pthread_t threads[ARRAY_LEN(routes)];

    begin();
    for (int round = 0; round < 2; round++) { /* the second round adopts what the first left */
        for (size_t i = 0; i < ARRAY_LEN(routes); i++)
            REQUIRE(pthread_create(&threads[i], NULL, count_a_thousand, routes[i]) == 0);
        for (int i = 0; i < 20; i++) {
            size_t mark = arena_mark(arena);
            struct buf out;

            buf_init(&out, arena, MIB);
            metrics_write(&out);
            EXPECT(buf_ok(&out));
            arena_rewind(arena, mark);
        }
        for (size_t i = 0; i < ARRAY_LEN(routes); i++)
            pthread_join(threads[i], NULL);
    }
    EXPECT(metrics_read(&rows[REQUESTS], (struct str[]){STR("all"), STR("200")}) == 8000);
    EXPECT(metrics_read(&rows[REQUESTS], (struct str[]){STR("three"), STR("200")}) == 2000);
    EXPECT(metrics_read(&rows[LATENCY], (struct str[]){STR("all")}) == 8000);
    metrics_done();
}

TEST(without_memory_counting_goes_on_unseen)
{
    for (uint64_t nth = 1; fault_arm(nth); nth++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
        struct buf out;

        begin();
        series_observe(metrics_series(&rows[LATENCY], (struct str[]){STR("chat")}), 1);
        series_add(requests("a", "b"), 1);
        if (arena) {
            buf_init(&out, arena, MIB);
            metrics_write(&out);
        }
        metrics_done();
    }
    EXPECT(!fault_arm(2));
}

/* Names as long as they may be, all of them escaped, and an example in each bucket of a histogram. */
TEST(parts_are_bounded_and_make_the_whole)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    char name[METRIC_LABEL_BYTES + 1];
    struct buf whole, parts;
    struct err err = {0};
    bool more = true;

    begin();
    memset(name, '"', sizeof name);
    for (int i = 0; i < 300; i++) {
        name[0] = (char)('a' + i / 26);
        name[1] = (char)('a' + i % 26);
        struct series *s =
            metrics_series(&rows[LATENCY], (struct str[]){{name, METRIC_LABEL_BYTES}});

        for (dur_ns took = 1; took < 200 * SECOND; took *= 2)
            series_observe_traced(s, took, (const uint8_t *)"0123456789abcdef", 1795262400123);
    }
    buf_init(&whole, arena, 32 * MIB);
    metrics_write(&whole);
    buf_init(&parts, arena, 32 * MIB);
    char *memory = arena_alloc(arena, METRICS_PART);
    struct metrics_reading r CLEANUP(metrics_reading_done) = {0};
    REQUIRE(memory && metrics_reading_begin(&r, false, &err), "%s", err.text);
    while (more) {
        struct buf part;

        buf_init_fixed(&part, memory, METRICS_PART);
        more = metrics_reading_next(&r, &part);
        EXPECT(buf_ok(&part));
        buf_str(&parts, buf_view(&part));
    }
    EXPECT(whole.len > MIB && str_eq(buf_view(&whole), buf_view(&parts)), "%zu, %zu", whole.len,
           parts.len);
    metrics_reading_done(&r);
    metrics_done();
}

/* ---- examples ---- */

static struct metric traced_rows[] = {
    {"weir_wait", METRIC_HISTOGRAM, "seconds", "how \"long\"", {NULL}, 0},
    {"weir_calls", METRIC_COUNTER, "", "calls", {NULL}, 0},
};

static struct str written(struct arena *arena, void (*write)(struct buf *out))
{
    struct buf out;

    buf_init(&out, arena, MIB);
    write(&out);
    return buf_view(&out);
}

static bool holds(struct str text, const char *part)
{
    return str_find(text, str_from(part)) < text.len;
}

TEST(a_bucket_shows_the_last_observation_that_was_traced)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    const uint8_t first[16] = {1}, second[16] = {0xab, [15] = 0xcd};

    metrics_register(traced_rows, ARRAY_LEN(traced_rows));
    struct series *s = metrics_series(&traced_rows[0], NULL);
    series_observe_traced(s, 30 * MILLISECOND, NULL, 0);
    EXPECT(!holds(written(arena, metrics_write), "trace_id"), "nothing was traced");
    series_observe_traced(s, 30 * MILLISECOND, first, 1000);
    series_observe_traced(s, 40 * MILLISECOND, second, 1795262400123);
    series_observe_traced(s, 200 * SECOND, first, 1500);
    series_observe(s, 31 * MILLISECOND);
    struct str text = written(arena, metrics_write);
    EXPECT(holds(text,
                 "weir_wait_seconds_bucket{le=\"0.05\"} 4 # {trace_id=\"ab0000000000000000000000"
                 "000000cd\"} 0.04 1795262400.123\n"),
           STR_FMT, STR_ARG(text));
    EXPECT(
        holds(text, "le=\"+Inf\"} 5 # {trace_id=\"01000000000000000000000000000000\"} 200.0 1.5\n"),
        STR_FMT, STR_ARG(text));
    EXPECT(holds(text, "le=\"0.1\"} 4\n"), "no example of another bucket");
    metrics_done();
}

TEST(the_older_format_has_no_examples)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    const uint8_t trace[16] = {1};

    metrics_register(traced_rows, ARRAY_LEN(traced_rows));
    series_observe_traced(metrics_series(&traced_rows[0], NULL), SECOND, trace, 1000);
    series_add(metrics_series(&traced_rows[1], NULL), 2);
    struct str text = written(arena, metrics_write_plain);
    EXPECT(!holds(text, "trace_id") && !holds(text, "# EOF") && !holds(text, "# UNIT"), STR_FMT,
           STR_ARG(text));
    EXPECT(holds(text, "# TYPE weir_calls_total counter\n# HELP weir_calls_total calls\n"
                       "weir_calls_total 2\n"),
           STR_FMT, STR_ARG(text));
    EXPECT(holds(text, "# TYPE weir_wait_seconds histogram\n"), STR_FMT, STR_ARG(text));
    metrics_done();
}
