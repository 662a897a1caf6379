/* /api/v1/audit/export: any number of records in constant memory. The pool fills a piece, the fiber sends it,
 * in turns; records that come while it runs are not part of it. An export that cannot be finished ends
 * without its last chunk, and goes on elsewhere with "after". */
#include "accounts/audit_export.h"
#include "app/admin_audit.h"
#include "app/admin_fields.h"

#define PIECE_BYTES   ((size_t)512 * KIB) /* and one record more */
#define PIECE_MEMORY  (4 * MIB)
#define PROVER_MEMORY (256 * MIB)

struct export
{
    const char *dir;
    struct audit_query query; /* after: moves on */
    uint64_t first, last;     /* numbers of records */
    struct audit_export as;
    struct arena *arena; /* what an export needs */
    struct arena *piece;
    struct buf out;
    uint64_t seq; /* of the newest record that was written */
    size_t left;  /* of the limit */
    bool begun, full, ended, ok;
    struct err err;
};

static void export_done(struct export *e)
{
    arena_end(&e->piece);
    arena_end(&e->as.scratch);
    arena_end(&e->arena);
}

/* ---- in the pool ---- */

/* A piece that is full, or the end of the range, stops the query; what stopped it is no failure. */
static bool add_record(void *ctx, uint64_t seq, struct str line, struct err *err)
{
    struct export *e = ctx;

    if (seq < e->first || seq > e->last) {
        e->ended = e->query.oldest_first ? seq > e->last : seq < e->first;
        return !e->ended || err_set(err, ERR_CANCELLED, "the range has ended");
    }
    if (!audit_export_record(&e->as, line, &e->out, err))
        return false;
    e->seq = seq;
    e->ended = e->left > 0 && --e->left == 0;
    e->full = e->out.len >= PIECE_BYTES;
    return (!e->full && !e->ended) || err_set(err, ERR_CANCELLED, "the piece is full");
}

static bool begin(struct export *e)
{
    e->begun = true;
    if (!audit_export_begin(&e->as, e->arena, e->dir, &e->out, &e->err))
        return false;
    e->last = MIN_OF(e->last, audit_export_last(&e->as));
    if (!e->query.oldest_first)
        e->query.after = MIN_OF(e->query.after, e->last + 1);
    return true;
}

static void run_piece(void *arg)
{
    struct export *e = arg;
    uint64_t next;

    arena_rewind(e->piece, 0);
    buf_init(&e->out, e->piece, PIECE_MEMORY);
    e->full = false;
    e->ok = e->begun || begin(e);
    if (!e->ok)
        return;
    if (!audit_query(e->dir, &e->query, add_record, e, &next, &e->err)) {
        e->ok = e->full || e->ended;
        if (e->ok)
            e->err = (struct err){0};
    } else {
        e->ended = true;
    }
    if (e->seq)
        e->query.after = e->seq;
}

/* ---- in the fiber ---- */

/* The range and the direction say where the query begins. */
static void read_range(struct admin_call *call, struct export *e)
{
    uint64_t newest = audit_last_seq(call->house->audit);
    uint64_t after = (uint64_t)query_count(call, "after", 0);

    e->first = (uint64_t)query_count(call, "first", 1);
    e->last = MIN_OF((uint64_t)query_count(call, "last", INT64_MAX), newest);
    e->left = (size_t)query_count(call, "limit", 0);
    if (e->query.oldest_first)
        e->query.after = MAX_OF(after, e->first > 0 ? e->first - 1 : 0);
    else
        e->query.after = after ? MIN_OF(after, e->last + 1) : e->last + 1;
}

static bool export_open(struct admin_call *call, struct export *e, struct err *err)
{
    *e = (struct export){.dir = house_path(call->house, "audit"),
                         .as.format =
                             (enum audit_export_format)query_choice(call, "format", EXPORT_JSONL),
                         .as.scratch = arena_new(PIECE_MEMORY),
                         .arena = arena_new(PROVER_MEMORY),
                         .piece = arena_new(PIECE_MEMORY + MIB)};
    if (!e->dir || !e->arena || !e->as.scratch || !e->piece)
        return err_no_room(err, "no memory to export the audit log");
    if (!admin_audit_query(call, &e->query, err))
        return false;
    read_range(call, e);
    return true;
}

static SUSPENDS bool make_piece(struct admin_call *call, struct export *e, struct err *err)
{
    if (!pool_run(call->house->disk, run_piece, e, err))
        return false;
    if (e->ok && buf_ok(&e->out))
        return true;
    if (e->ok)
        return err_set(err, ERR_TOO_LARGE, "a record is larger than a piece of an export");
    *err = e->err;
    return false;
}

bool admin_audit_export(struct admin_call *call, struct err *err)
{
    const struct http_reply reply = {.status = 200, .content_type = str_from(call->route->media)};
    struct export e CLEANUP(export_done);

    if (!export_open(call, &e, err) || !make_piece(call, &e, err))
        return false; /* nothing has been said yet: an error of its own */
    call->note = STR("audit records exported");
    call->answered = true;
    if (!http_begin(call->http, &reply, err))
        return false;
    while (!e.ended)
        if (!http_piece(call->http, buf_view(&e.out), err) || !make_piece(call, &e, err))
            return false;
    return http_end(call->http, buf_view(&e.out), err);
}
