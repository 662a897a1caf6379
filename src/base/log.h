/* base/log.h: log lines as JSON objects, one a line, to a sink given by sys or app.
 * error = someone must act; warn = degraded but going; info = state changed; debug = off.
 * Whoever stops an error logs it once. Requests are logged by one wide record (log_record), not
 * here. Never a secret or a prompt.
 * Threads  any; the sink must be too.  Lines are at most LOG_LINE_MAX bytes; a longer one is cut and
 * says so ("cut":true). */
#ifndef WEIR_BASE_LOG_H
#define WEIR_BASE_LOG_H

#include "base/err.h"
#include "base/str.h"

#define LOG_LINE_MAX 8192

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Takes one line without the line end; may not block for long, suspend the fiber or log. */
typedef void log_sink(void *ctx, enum log_level level, struct str line);

void log_to(log_sink *sink, void *ctx); /* before threads; NULL: standard error */
void log_set_level(enum log_level at_most);
bool log_wants(enum log_level level);
void log_set_clock(wall_ms (*now)(void)); /* sys hands it in; lines carry "ts" in RFC 3339 */

COLD void log_line(enum log_level level, uint64_t request_id, const char *fmt, ...) PRINTF(3, 4);
#define log_error(...) log_line(LOG_ERROR, 0, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, 0, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, 0, __VA_ARGS__)
#define log_debug(...)                           \
    do {                                         \
        if (log_wants(LOG_DEBUG))                \
            log_line(LOG_DEBUG, 0, __VA_ARGS__); \
    } while (0)
/* A record that is JSON already, on one line; one above LOG_LINE_MAX is dropped and an error says so. */
void log_record(enum log_level level, struct str json);
/* RFC 3339 with milliseconds, UTC: 24 characters and a NUL. */
void wall_format(wall_ms t, char out[25]);

#endif
