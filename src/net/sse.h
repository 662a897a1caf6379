/* net/sse.h: server-sent events (WHATWG HTML, "Event stream interpretation"), reading and writing.
 * The reader works on bytes as they arrive, cut anywhere, and gives whole events with the bytes they
 * came in, so that a relay can pass those on untouched. CR, LF and CRLF end lines; a BOM at the start
 * is skipped; comments and unknown fields are ignored but kept in the raw bytes.
 * Limits  one event at most event_bytes_max: ERR_TOO_LARGE. */
#ifndef WEIR_NET_SSE_H
#define WEIR_NET_SSE_H

#include "base/buf.h"

struct sse_event {
    struct str raw;   /* all bytes of the event, its blank line included */
    struct str data;  /* joined by LF when there were several lines; has_data tells "" from none */
    struct str event; /* "" means "message" */
    struct str id;
    bool has_data;
};

struct sse_reader {
    struct arena *arena; /* for what is carried over between feeds */
    size_t event_bytes_max;
    struct str now; /* what is being read: the fed bytes themselves, or rest */
    size_t at;      /* in now: where the next event begins */
    size_t scanned; /* from there: known to hold no blank line */
    char *rest;     /* an unfinished event, and what was fed after it */
    size_t rest_cap;
    char *joined; /* data of several lines */
    size_t joined_cap;
    bool started;   /* past the first event: no byte order mark any more */
    bool finished;  /* a CR at the very end is a line end */
    bool no_memory; /* sticky */
};
void sse_reader_init(struct sse_reader *r, struct arena *arena, size_t event_bytes_max);
/* Give the next bytes; views given out before are void from here. Ask sse_next() until it says
 * false before the bytes themselves go: then the reader has kept what it still needs. */
bool sse_feed(struct sse_reader *r, struct str bytes, struct err *err) MUST_CHECK;
/* The next whole event among what was fed; false when there is none (yet), or memory is gone (then
 * the next feed says so). Comments alone and stray blank lines are events without data: a relay
 * passes their raw bytes on. */
bool sse_next(struct sse_reader *r, struct sse_event *out);
/* The stream has ended: nothing more is fed, and sse_next() may give one more event if the stream
 * ended in a bare CR. */
void sse_finish(struct sse_reader *r);
/* At the end of the stream: bytes that belong to no whole event. */
size_t sse_left_over(const struct sse_reader *r);
/* A data-only event: "data: " for each line of data, blank line. */
void sse_write(struct buf *out, struct str event, struct str data);

#endif
