/* accounts/audit.h: the append-only record, one line of JSON a request, chained by hash.
 * Files     audit/NNNNNNNNNNNNNNNN.log, numbered by the first sequence in them; each starts with a
 *           header line that carries the hash of the last record of the file before. A record's "hash"
 *           is SHA-256(0x00 || the line up to and without ,"hash":...} || previous hash bytes); in segments of before,
 *           which say so, SHA-256(previous hash bytes || the line ...). Segments are
 *           reserved with real blocks and mapped: an append is a copy, survives kill -9, and a full
 *           disk is an error before the request costs anything, never a signal. Zero bytes after the
 *           last record are reservation that is not used yet.
 * Durable   against power loss after audit_sync (each second by the flush fiber).
 * Opening   cuts a torn last record (and says so), refuses a broken chain. What power loss took back
 *           of the records since the last audit_sync is set aside in a file ".torn", with a warning.
 * Text      longer than 200 bytes (tags, dropped: AUDIT_LIST_MAX; note, apart: 600) is cut. Fields that are empty, 0 or
 *           unknown are left out; fields that later versions add do not disturb older readers.
 * Threads   any; one lock inside, held for about a microsecond. */
#ifndef WEIR_ACCOUNTS_AUDIT_H
#define WEIR_ACCOUNTS_AUDIT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"

struct audit;

struct audit_options {
    const char *dir;
    size_t segment_bytes; /* default 16 MiB */
};

#define AUDIT_LIST_MAX  300u /* bytes of tags, of what was dropped */
#define AUDIT_APART_MAX 600u /* bytes of apart */

/* Fill what is known and leave the rest zero: it is left out of the line. */
struct audit_record {
    uint64_t seq; /* filled by the append, from 1 without gaps */
    wall_ms time;
    uint64_t request_id, parent_id;           /* parent: the request this one was asked for, or 0 */
    struct str key_id, tenant, team, route;   /* route: "POST /v1/chat/completions" */
    struct str subject;                       /* audit_subject(): a pseudonym, never a user's id */
    struct str tags;                          /* names separated by commas */
    struct str model, provider, remote_model; /* as asked for; who answered, under which name */
    struct str route_name;                    /* the row of the routes table that was taken */
    struct str deployment;    /* the catalogue's name of who answered, or was asked last */
    struct str fallback_from; /* who was asked first and did not answer */
    /* Who else costs something: audit_apart_add() makes it. Parts of cost_hedge and cost_attempts. */
    struct str apart;
    uint32_t attempts;  /* calls to providers, hedges included; 0: none */
    struct str cache;   /* hit, miss, follow, bypass, ... */
    struct str dropped; /* fields the provider cannot take, by commas */
    int status;         /* HTTP status sent */
    struct str outcome; /* complete, refused, failed, cancelled, cut */
    struct str error;   /* err_code_name, or "" */
    bool streamed;
    int64_t tokens_in, tokens_out, tokens_cached;               /* -1: not known */
    int64_t tokens_cache_write, tokens_reasoning, tokens_audio; /* parts of the above; <= 0: none */
    bool tokens_estimated;
    usd_micro cost; /* what the key is charged: all of it, the lost parts too */
    /* Where the cost comes from, as far as it is known apart; parts of `cost`. */
    usd_micro cost_in, cost_out, cost_cached, cost_cache_write, cost_reasoning;
    usd_micro cost_hedge;    /* of hedges that lost */
    usd_micro cost_attempts; /* of attempts that failed */
    uint32_t citations;
    uint64_t bytes_in, bytes_out;
    dur_ns took, first_byte; /* first_byte: until the answer began, or 0 */
    struct str body;         /* audit_bodies: where the sealed body lies, or why it does not */
    struct str
        body_hash;       /* of the sealed bytes, or the keyed hash of the text; see docs/audit.md */
    bool body_truncated; /* the body was longer than is kept */
    struct str note;     /* admin actions: what was done to what; never a secret or a prompt */
};

/* What one deployment costs that did not end the answer: an entry of `apart`, "b there lost 0.000012". One that
 * broke off and was gone on from has tokens, " 7 2" behind it: they are parts of the record's. */
struct audit_apart {
    struct str deployment, provider, end; /* names of the catalogue; attempt_end_name() */
    usd_micro cost;
    int64_t tokens_in, tokens_out; /* 0: the record's do not have them */
};
/* Whole entries, separated by commas. One that has no room any more is left out, and the list ends with "…":
 * its cost then stands with who answered. */
void audit_apart_add(struct buf *to, const struct audit_apart *one);
/* The next entry; false: there are no more that can be read. */
bool audit_apart_next(struct str *rest, struct audit_apart *out);

bool audit_open(const struct audit_options *options, struct audit **out, struct err *err)
    MUST_CHECK;
/* Room for one more record, before anything costs money: ERR_UNAVAILABLE when the disk is full. */
bool audit_ready(struct audit *audit, struct err *err) MUST_CHECK;
bool audit_append(struct audit *audit, struct audit_record *record, struct err *err) MUST_CHECK;
bool audit_sync(struct audit *audit, struct err *err) MUST_CHECK; /* blocks: in a pool */
uint64_t audit_last_seq(struct audit *audit);
void audit_close(struct audit **audit);

/* ---- offline, from the files alone; also beside a running daemon ---- */
typedef bool audit_reader(void *ctx, uint64_t seq, struct str line,
                          struct err *err); /* false stops */
/* Records with seq >= from, in order, each checked against the chain. */
bool audit_read(struct arena *arena, const char *dir, uint64_t from, audit_reader *fn, void *ctx,
                struct err *err) MUST_CHECK;
struct audit_report {
    uint64_t records, segments, first_seq, last_seq;
    struct sha256 head;
    bool torn_tail; /* bytes of an unfinished record at the very end: not an error */
};
/* Every record of every segment; the first damage is the error: file, line, what does not fit.
 * Records cut off the end as a whole leave no trace in the files: compare last_seq and head with
 * what was noted elsewhere. */
bool audit_verify(const char *dir, struct audit_report *out, struct err *err) MUST_CHECK;
/* One segment's bytes: what the fuzz target calls. *prev and *seq are those of the record before it;
 * they move with each record that fits. */
bool audit_check_segment(struct str bytes, const char *name, bool is_last, struct sha256 *prev,
                         uint64_t *seq, audit_reader *fn, void *ctx, bool *torn, struct err *err)
    MUST_CHECK;

#endif
