#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"

/* Lines are built in memory of the thread, because a fiber's stack has no room for them; a line is
 * handed over before anything can switch fibers. */
#define MESSAGE_MAX LOG_LINE_MAX /* what a caller may format; escaping can only make it longer */
#define CUT_ROOM    24           /* kept free for the end of a line that is cut */

static const char *const level_names[] = {"error", "warn", "info", "debug"};

static void to_standard_error(void *ctx, enum log_level level, struct str line)
{
    (void)ctx, (void)level;
    fprintf(stderr, STR_FMT "\n", STR_ARG(line));
}

static log_sink *sink = to_standard_error;
static void *sink_ctx;
static wall_ms (*clock_now)(void);
static atomic_int most = LOG_INFO;
static _Thread_local bool writing;

void log_to(log_sink *to, void *ctx)
{
    sink = to ? to : to_standard_error;
    sink_ctx = ctx;
}

void log_set_level(enum log_level at_most)
{
    atomic_store_explicit(&most, (int)at_most, memory_order_relaxed);
}

bool log_wants(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&most, memory_order_relaxed);
}

void log_set_clock(wall_ms (*now)(void))
{
    clock_now = now;
}

/* Year, month and day of a day since 1970-01-01.
 * Source: Hinnant 2013, "chrono-compatible low-level date algorithms", civil_from_days. Eras are 400
 * years from a March 1st, so that the leap day comes last. */
static void civil_from_days(int64_t days, int *year, int *month, int *day)
{
    int64_t shifted = days + 719468, era = shifted / 146097, of_era = shifted % 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t from_march = (5 * of_year + 2) / 153;

    *day = (int)(of_year - (153 * from_march + 2) / 5 + 1);
    *month = (int)(from_march < 10 ? from_march + 3 : from_march - 9);
    *year = (int)(year_of_era + era * 400 + (*month <= 2));
}

static void put_digits(char *at, int count, int64_t n)
{
    for (; count > 0; n /= 10)
        at[--count] = (char)('0' + n % 10);
}

static void format_second(int64_t second, char out[25])
{
    int year, month, day;

    civil_from_days(second / 86400, &year, &month, &day);
    memcpy(out, "0000-00-00T00:00:00.000Z", 25);
    put_digits(out, 4, year);
    put_digits(out + 5, 2, month);
    put_digits(out + 8, 2, day);
    put_digits(out + 11, 2, second / 3600 % 24);
    put_digits(out + 14, 2, second / 60 % 60);
    put_digits(out + 17, 2, second % 60);
}

/* Each request asks twice for a time, mostly in the second of the last one. */
void wall_format(wall_ms t, char out[25])
{
    static _Thread_local struct {
        int64_t second;
        char text[25];
    } last = {.second = -1};
    const wall_ms max = 253402300799999; /* the end of year 9999: RFC 3339 has four digits */

    t = t < 0 ? 0 : MIN_OF(t, max);
    if (t / 1000 != last.second) {
        last.second = t / 1000;
        format_second(last.second, last.text);
    }
    memcpy(out, last.text, sizeof last.text);
    put_digits(out + 20, 3, t % 1000);
}

/* One character as JSON has it, in at most six bytes. */
static size_t escape(char out[6], uint32_t rune)
{
    static const char short_forms[] = "\"\"\\\\\nn\rr\tt";

    if (rune >= 0x20 && rune != '"' && rune != '\\' && rune != 0x7f)
        return utf8_put(out, rune);
    for (size_t i = 0; i + 1 < sizeof short_forms; i += 2)
        if (rune == (unsigned char)short_forms[i]) {
            out[0] = '\\';
            out[1] = short_forms[i + 1];
            return 2;
        }
    memcpy(out, "\\u00", 4);
    out[4] = "0123456789abcdef"[rune >> 4];
    out[5] = "0123456789abcdef"[rune & 15];
    return 6;
}

/* As much of the text as leaves `keep` bytes free; false when it was cut. Bad bytes of clients
 * become U+FFFD: a log line is always valid JSON. */
static bool put_escaped(struct buf *line, struct str text, size_t keep)
{
    uint32_t rune;
    char out[6];

    for (size_t at = 0; utf8_next(text, &at, &rune);) {
        size_t len = escape(out, rune);

        if (line->max - line->len < keep + len)
            return false;
        buf_put(line, out, len);
    }
    return true;
}

static void write_line(enum log_level level, uint64_t request_id, struct str message, bool cut)
{
    static _Thread_local char memory[LOG_LINE_MAX];
    struct buf line;
    char ts[25];

    buf_init_fixed(&line, memory, sizeof memory);
    wall_format(clock_now ? clock_now() : 0, ts);
    buf_fmt(&line, "{\"ts\":\"%s\",\"level\":\"%s\"", ts, level_names[level]);
    if (request_id)
        buf_fmt(&line, ",\"request\":\"%016" PRIx64 "\"", request_id);
    buf_str(&line, STR(",\"msg\":\""));
    cut = !put_escaped(&line, message, CUT_ROOM) || cut;
    buf_str(&line, cut ? STR("\",\"cut\":true}") : STR("\"}"));
    ASSERT(buf_ok(&line));
    sink(sink_ctx, level, buf_view(&line));
}

void log_line(enum log_level level, uint64_t request_id, const char *fmt, ...)
{
    static _Thread_local char message[MESSAGE_MAX];
    va_list args;

    if (!log_wants(level))
        return;
    ASSERT(!writing); /* a sink that logs would overwrite the line it was given */
    writing = true;
    va_start(args, fmt);
    int len = vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    ASSERT(len >= 0);
    size_t kept = MIN_OF((size_t)len, sizeof message - 1);
    if (kept < (size_t)len)
        kept = utf8_boundary((struct str){message, kept}, kept - 1); /* the last may be half */
    write_line(level, request_id, (struct str){message, kept}, kept < (size_t)len);
    writing = false;
}

void log_record(enum log_level level, struct str json)
{
    if (!log_wants(level))
        return;
    if (json.len > LOG_LINE_MAX) { /* half a record would be no JSON */
        log_line(LOG_ERROR, 0, "dropped a record of %zu bytes: a log line has at most %d", json.len,
                 LOG_LINE_MAX);
        return;
    }
    sink(sink_ctx, level, json);
}
