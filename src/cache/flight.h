/* cache/flight.h: one answer on its way that several wait for. Who comes first leads and asks; who comes
 * while it is on its way joins: gets what was said so far and then each piece as it comes.
 *
 *   LEADING --flight_begin--> TALKING --flight_finish--> DONE
 *      |  '---------------flight_finish (a whole answer)---^
 *      '--flight_fail--> FAILED <--flight_fail-- TALKING
 *
 * LEADING  nobody knows whether there will be an answer
 * TALKING  the head is known; pieces are appended by the fiber that fetches
 * DONE     nothing follows; FAILED  nothing follows, and what was said is not all
 *
 * Bytes    kept in blocks while somebody reads; up to `bytes_max` anybody may still join. Past it the
 *          flight is closed to newcomers, keeps only what its readers have not read, and its fetch waits
 *          for the slowest.
 * Threads  any; a lock inside, never held across a suspension. Readers belong to their loops; who waits
 *          on another loop than the fetch is woken by the loops' mail, one letter a loop at a time. */
#ifndef WEIR_CACHE_FLIGHT_H
#define WEIR_CACHE_FLIGHT_H

#include "cache/entry.h"
#include "net/ring.h"
#include "sys/fiber.h"
#include "sys/loop.h"

struct flights; /* all that are on their way, by key */
struct flight;

struct flights *flights_new(struct arena *arena, size_t bytes_max) MUST_CHECK;
void flights_free(struct flights *all); /* asserts that none is left */
uint32_t flights_count(struct flights *all);
/* Who reads one reads on; who comes from here on leads anew. */
void flights_close(struct flights *all);

enum flight_part { FLIGHT_LEADS, FLIGHT_JOINS, FLIGHT_NONE /* no memory, or too many loops */ };
/* alone: lead only, do not join. The reference is the caller's: flight_unref(). */
enum flight_part flight_board(struct flights *all, const struct cache_key *key, bool alone,
                              struct flight **out) MUST_CHECK;
void flight_unref(struct flight **f);

/* ---- who leads ---- */
struct flight_head {
    int status;
    bool streaming;
    uint32_t citations;
    struct str content_type, provider, remote_model, request_id,
        notes;              /* copied by flight_begin() */
    struct str retry_after; /* of a refusal: by flight_say_when() */
    wall_ms stored;         /* of an answer that is kept; else 0 */
};
bool flight_begin(struct flight *f, const struct flight_head *head, struct err *err) MUST_CHECK;
/* A piece of whole events. SUSPENDS while the slowest reader is too far behind. */
SUSPENDS bool flight_append(struct flight *f, struct str bytes, const struct chat_meter *meter,
                            struct err *err) MUST_CHECK;
/* Of a refusal that is about to be finished: when to ask again. No entry has it, for none is kept. */
void flight_say_when(struct flight *f, struct str retry_after);
/* entry: the whole answer, where it never talked; the flight takes a reference. */
void flight_finish(struct flight *f, struct entry *entry, const struct chat_meter *meter);
void flight_fail(struct flight *f, const struct err *why, const struct chat_meter *meter);
/* How much was said; false: it is not kept any more. */
bool flight_bytes(struct flight *f, size_t *total);
void flight_copy(struct flight *f, char *to); /* flight_bytes() many */
uint32_t flight_readers(struct flight *f);
struct chat_meter flight_meter(struct flight *f);
bool flight_is_over(struct flight *f); /* DONE or FAILED */
/* The leader is gone and only wants to know when nobody reads any more: then fn(arg) runs in a fiber of
 * this loop, or at once, and nobody joins any more. Given up when the flight is over. */
void flight_when_alone(struct flight *f, void (*fn)(void *arg), void *arg);

/* ---- who reads, the leader's own client included ---- */
struct flight_reader {
    struct ring link; /* in its port, under the flight's lock */
    struct flight *flight;
    struct flight_port *port;
    struct flight_block *block;
    size_t at; /* in the block */
    struct event news;
    bool waiting;
};
bool flight_attach(struct flight *f, struct flight_reader *r)
    MUST_CHECK;                                       /* false: too many loops, closed, given up */
SUSPENDS void flight_detach(struct flight_reader *r); /* twice is fine */
/* Until the head is known. False: cancelled, or the flight failed before it (then *failed). */
SUSPENDS bool flight_wait_head(struct flight_reader *r, struct flight_head *out,
                               struct chat_meter *meter, bool *failed, struct err *err) MUST_CHECK;
/* The next bytes, as many as are there; views until the next call. */
SUSPENDS bool flight_read(struct flight_reader *r, struct str *bytes, bool *last,
                          struct chat_meter *meter, struct err *err) MUST_CHECK;

#endif
