/* /api/v1/audit: finding, exporting and proving records, checkpoints and keys, holds. What reads files
 * runs in the pool for disks. An auditor sees the records of their tenant, operators see all. */
#include "app/admin_audit.h"

#include <stdlib.h>

#include "accounts/audit_cursor.h"
#include "accounts/audit_keep.h"
#include "accounts/audit_proof.h"
#include "accounts/audit_query.h"
#include "accounts/directory.h"
#include "app/admin_fields.h"
#include "base/log.h"
#include "sys/clock.h"

/* ---- shapes ---- */

#define TEXT(name, help)                                          \
    {                                                             \
        name, FIELD_PROSE, FIELD_OPTIONAL, help, 0, 0, NULL, NULL \
    }
#define COUNT(name, help)                                         \
    {                                                             \
        name, FIELD_COUNT, FIELD_OPTIONAL, help, 0, 0, NULL, NULL \
    }
#define USD(name, help)                                         \
    {                                                           \
        name, FIELD_USD, FIELD_OPTIONAL, help, 0, 0, NULL, NULL \
    }

static const struct schema_field record_fields[] = {
    {"seq", FIELD_COUNT, 0, "Number of the record, without gaps.", 0, 0, NULL, NULL},
    {"time", FIELD_TIME, 0, "When it was written.", 0, 0, NULL, NULL},
    TEXT("request", "x-request-id without req_; absent: the record is of none."),
    TEXT("parent", "The request this one was asked for."),
    TEXT("key", "Whose key; k_local: the command socket."),
    TEXT("tenant", NULL),
    TEXT("team", NULL),
    TEXT("subject", "Pseudonym of the end user."),
    TEXT("tags", "Separated by commas."),
    TEXT("route", "Method and path."),
    TEXT("model", "As asked for."),
    TEXT("route_name", "The row of the routes table that was taken."),
    TEXT("deployment", "Who answered, or was asked last: its name in the catalogue."),
    TEXT("provider", "Whose that is."),
    TEXT("remote_model", "What the provider calls it."),
    COUNT("attempts", "Calls to providers."),
    TEXT("fallback_from", "Who was asked first and did not answer."),
    TEXT("apart", "Who else costs something: deployment, provider, end, US dollars, and tokens of "
                  "one that was"
                  " gone on from; separated by commas."),
    TEXT("cache", "What the cache had."),
    TEXT("dropped", "Fields that the provider could not take."),
    COUNT("status", "HTTP status sent."),
    TEXT("outcome", "complete, refused, failed, cancelled, cut."),
    TEXT("error", "Kind of the failure."),
    {"streamed", FIELD_BOOL, FIELD_OPTIONAL, NULL, 0, 0, NULL, NULL},
    COUNT("tokens_in", NULL),
    COUNT("tokens_out", NULL),
    COUNT("tokens_cached", NULL),
    COUNT("tokens_cache_write", NULL),
    COUNT("tokens_reasoning", NULL),
    COUNT("tokens_audio", NULL),
    {"tokens_estimated", FIELD_BOOL, FIELD_OPTIONAL, "The provider reported none.", 0, 0, NULL,
     NULL},
    USD("cost", "What the key was charged."),
    USD("cost_in", NULL),
    USD("cost_out", NULL),
    USD("cost_cached", NULL),
    USD("cost_cache_write", NULL),
    USD("cost_reasoning", NULL),
    USD("cost_hedge", "Of hedges that lost."),
    USD("cost_attempts", "Of attempts that failed."),
    COUNT("citations", NULL),
    COUNT("bytes_in", NULL),
    COUNT("bytes_out", NULL),
    COUNT("took_us", "Microseconds from the head to the end."),
    COUNT("first_byte_us", NULL),
    TEXT("body", "Where the sealed body lies, or why it does not."),
    TEXT("body_hash", "Hash of the body; see docs/audit.md."),
    {"body_truncated", FIELD_BOOL, FIELD_OPTIONAL, "It was longer than is kept.", 0, 0, NULL, NULL},
    TEXT("note", "Administrative actions: what was done."),
    {"hash", FIELD_TEXT, 0, "Of the chain up to this record.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema record_schema = {"AuditRecord", "A record as it stands in the log.",
                                            record_fields, NULL};

#define FILTERS                                                                                    \
    TEXT("key", "Id of a key."), TEXT("tenant", NULL), TEXT("team", NULL),                         \
        TEXT("subject", "A pseudonym (s_...), or the name of a user of the tenant."),              \
        TEXT("model", NULL), TEXT("provider", NULL), TEXT("route", "Method and path."),            \
        TEXT("outcome", NULL), TEXT("error", NULL), TEXT("cache", NULL), TEXT("route_name", NULL), \
        TEXT("deployment", NULL), TEXT("tag", "One of the tags."),                                 \
        TEXT("request", "An x-request-id."),                                                       \
        {"from", FIELD_TIME, FIELD_OPTIONAL, "Not before.", 0, 0, NULL, NULL},                     \
        {"until", FIELD_TIME, FIELD_OPTIONAL, "Before.", 0, 0, NULL, NULL},                        \
        COUNT("status_min", NULL), COUNT("status_max", NULL), USD("cost_min", NULL),               \
    {                                                                                              \
        "oldest_first", FIELD_BOOL, FIELD_OPTIONAL, "Else the newest first.", 0, 0, NULL, NULL     \
    }

static const struct schema_field record_query[] = {FILTERS, {0}};
static const struct schema_field export_query[] = {
    FILTERS,
    {"format", FIELD_CHOICE, FIELD_OPTIONAL,
     "Lines of JSON as in the log, a table, or a proof of each record.", 0, 0, "jsonl|csv|proof",
     NULL},
    {"first", FIELD_COUNT, FIELD_OPTIONAL, "Records from this number on.", 0, 0, NULL, NULL},
    {"last", FIELD_COUNT, FIELD_OPTIONAL, "Records up to this number.", 0, 0, NULL, NULL},
    {"limit", FIELD_COUNT, FIELD_OPTIONAL, "Records; all when absent.", 1, 0, NULL, NULL},
    {"after", FIELD_COUNT, FIELD_OPTIONAL,
     "Goes on behind the record of this number, as when an export was cut off there.", 0, 0, NULL,
     NULL},
    {0},
};

static const struct schema_field rotated_fields[] = {
    {"key", FIELD_TEXT, 0, "The public key from now on.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema rotated_schema = {"AuditKey", "A key that signs.", rotated_fields, NULL};

static const struct schema_field hold_new_fields[] = {
    {"reason", FIELD_TEXT, 0, "Why.", 1, 200, NULL, NULL},
    TEXT("tenant", NULL),
    TEXT("key", "Id of a key."),
    TEXT("subject", "A pseudonym (s_...), or the name of a user of the tenant."),
    TEXT("request", "An x-request-id."),
    {"from", FIELD_TIME, FIELD_OPTIONAL, "Records not before.", 0, 0, NULL, NULL},
    {"until", FIELD_TIME, FIELD_OPTIONAL, "Records before.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema hold_new_schema = {
    "AuditHoldNew", "Records to be kept: all that is given has to fit.", hold_new_fields, NULL};

static const struct schema_field hold_fields[] = {
    {"id", FIELD_TEXT, 0, NULL, 0, 0, NULL, NULL},
    TEXT("by", "Key of who made it."),
    {"made", FIELD_TIME, FIELD_NULL, NULL, 0, 0, NULL, NULL},
    {0},
};
static const struct schema hold_schema = {"AuditHold", "A hold on records.", hold_fields,
                                          &hold_new_schema};

static const struct schema_field released_fields[] = {
    {"id", FIELD_TEXT, 0, NULL, 0, 0, NULL, NULL},
    {"released", FIELD_BOOL, 0, "Always true.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema released_schema = {"AuditHoldReleased", "A hold that is no more.",
                                              released_fields, NULL};

static const struct schema_field body_fields[] = {
    {"request", FIELD_TEXT, 0, NULL, 0, 0, NULL, NULL},
    {"truncated", FIELD_BOOL, 0, "It was longer than is kept.", 0, 0, NULL, NULL},
    {"question", FIELD_PROSE, 0, "The body of the request.", 0, 0, NULL, NULL},
    {"answer", FIELD_PROSE, 0, "The body of the reply, a stream as it was sent.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema body_schema = {"AuditBody", "A question and its answer.", body_fields,
                                          NULL};

static const struct schema_field erasure_new_fields[] = {
    {"subject", FIELD_TEXT, 0, "A pseudonym (s_...), or the id of a user of the tenant.", 1, 4096,
     NULL, NULL},
    TEXT("tenant", "Whose user; the caller's own when absent."),
    {0},
};
static const struct schema erasure_new_schema = {"AuditErasureNew", "Whom to erase.",
                                                 erasure_new_fields, NULL};

static const struct schema_field erasure_fields[] = {
    {"subject", FIELD_TEXT, 0, "The pseudonym.", 0, 0, NULL, NULL},
    {"had_bodies", FIELD_BOOL, 0, "There was a key, which is gone now.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema erasure_schema = {"AuditErasure", "A subject whose bodies are shut.",
                                             erasure_fields, NULL};

/* ---- queries ---- */

/* Zeros are no request's id: a query has them for "whichever". */
static bool read_id(struct str text, uint64_t *out)
{
    uint8_t bytes[8];
    uint64_t id = 0;

    if (str_starts(text, STR("req_")))
        text = str_slice(text, 4, text.len);
    if (!hex_parse(text, bytes, sizeof bytes))
        return false;
    for (size_t i = 0; i < sizeof bytes; i++)
        id = id << 8 | bytes[i];
    *out = id;
    return id != 0;
}

/* No record has a user's name: what is looked for, or held, by one is her pseudonym. Whose user an operator
 * means is not guessed, for the wrong tenant's would be nobody. */
static bool name_to_pseudonym(struct admin_call *call, struct str tenant, struct str *subject,
                              struct err *err)
{
    const struct audit_bodies *bodies = call->house->audit_bodies;
    char former[AUDIT_SUBJECT_TEXT], *text;

    if (subject->len == 0)
        return true;
    if (audit_subject_read(*subject, former)) {
        *subject = arena_str(call->arena, str_from(former));
        return subject->ptr || err_arena(err, call->arena);
    }
    if (tenant.len == 0)
        return err_set(err, ERR_INVALID,
                       "\"subject\": say whose user this is (tenant), or the pseudonym (s_...)");
    text = arena_alloc(call->arena, AUDIT_SUBJECT_TEXT);
    if (!text)
        return err_arena(err, call->arena);
    audit_subject(bodies, tenant, *subject, STR(""), text);
    if (audit_former_subject(bodies, tenant, *subject, STR(""), former))
        return err_set(err, ERR_INVALID,
                       "\"subject\": this user has two pseudonyms, %s and, from before the "
                       "database was shared, %s: say one of them",
                       text, former);
    *subject = str_from(text);
    return true;
}

bool admin_audit_query(struct admin_call *call, struct audit_query *q, struct err *err)
{
    struct str request = query_text(call, "request"), cost = query_text(call, "cost_min");

    *q = (struct audit_query){.key = query_text(call, "key"),
                              .tenant = query_text(call, "tenant"),
                              .team = query_text(call, "team"),
                              .subject = query_text(call, "subject"),
                              .model = query_text(call, "model"),
                              .provider = query_text(call, "provider"),
                              .route = query_text(call, "route"),
                              .outcome = query_text(call, "outcome"),
                              .error = query_text(call, "error"),
                              .cache = query_text(call, "cache"),
                              .route_name = query_text(call, "route_name"),
                              .deployment = query_text(call, "deployment"),
                              .tag = query_text(call, "tag"),
                              .status_min = query_count(call, "status_min", 0),
                              .status_max = query_count(call, "status_max", 0),
                              .oldest_first = query_bool(call, "oldest_first", false)};
    if (!query_time(call, "from", &q->from, err) || !query_time(call, "until", &q->until, err))
        return false;
    if (query_text(call, "until").ptr && q->until <= q->from)
        return err_set(err, ERR_INVALID, "\"until\": no time is from \"from\" until then");
    if (request.len && !read_id(request, &q->request))
        return err_set(err, ERR_INVALID, "\"request\": expected an x-request-id");
    if (cost.len && !usd_parse(cost, &q->cost_min))
        return err_set(err, ERR_INVALID, "\"cost_min\": expected US dollars");
    if (!principal_is_operator(call->who)) {
        if (q->tenant.len && !str_eq(q->tenant, call->who->tenant))
            return err_set(err, ERR_DENIED, "records of another tenant are not yours to see");
        q->tenant = call->who->tenant;
    }
    return name_to_pseudonym(call, q->tenant, &q->subject, err);
}

/* One piece of work with files, or behind locks that are held while files are synced, away from the loop. */
struct work {
    struct admin_call *call;
    const char *dir;
    struct audit_query query;
    uint64_t seq, next;
    struct str line;
    struct arena *scratch;
    struct audit_prover prover;
    struct audit_body body;
    struct str subjects[2]; /* pseudonyms of who is erased */
    size_t subject_count;
    struct audit_hold *holds; /* all of them, or the one that is made */
    size_t hold_count;
    bool ok, had;
    struct err err;
    void (*fn)(struct work *work);
};

static void run_work(void *arg)
{
    struct work *work = arg;

    work->scratch = arena_new(256 * MIB);
    if (work->scratch)
        work->fn(work);
    else
        work->ok = err_no_room(&work->err, "no memory");
    arena_end(&work->scratch);
}

static SUSPENDS bool do_work(struct work *work, struct err *err)
{
    work->dir = house_path(work->call->house, "audit");
    if (!pool_run(work->call->house->disk, run_work, work, err))
        return false;
    if (!work->ok)
        *err = work->err;
    return work->ok;
}

static struct work *new_work(struct admin_call *call, void (*fn)(struct work *work),
                             struct err *err)
{
    struct work *work = arena_alloc(call->arena, sizeof *work);

    if (!work) {
        err_arena(err, call->arena);
        return NULL;
    }
    work->call = call;
    work->fn = fn;
    return work;
}

static bool add_raw(void *ctx, uint64_t seq, struct str line, struct err *err)
{
    struct work *work = ctx;
    (void)seq, (void)err;

    jw_raw(&work->call->reply, line);
    return true;
}

static void run_list(struct work *work)
{
    work->ok = audit_query(work->dir, &work->query, add_raw, work, &work->next, &work->err);
}

static bool list_records(struct admin_call *call, struct err *err)
{
    struct work *work = new_work(call, run_list, err);
    struct page page;

    if (!work || !admin_audit_query(call, &work->query, err) || !page_begin(call, &page, err))
        return false;
    work->query.limit = page.limit;
    if (page.after.len && (!u64_parse(page.after, &work->query.after) || !work->query.after))
        return err_set(err, ERR_INVALID, "\"cursor\" is not one of these pages");
    if (!do_work(work, err))
        return false;
    page.more = work->next > 0;
    page.last = arena_fmt(call->arena, "%" PRIu64, work->next);
    page_end(call, &page);
    return true;
}

/* ---- one record ---- */

static bool take_line(void *ctx, uint64_t seq, struct str line, struct err *err)
{
    struct work *work = ctx;

    if (work->seq && seq != work->seq)
        return true;
    work->line = arena_str(work->call->arena, line);
    return work->line.ptr || err_arena(err, work->call->arena);
}

/* By its number, or the newest of a request. */
static bool find_line(struct work *work, struct err *err)
{
    struct str id = work->call->values[0];
    struct audit_query query = {.limit = 1};

    if (u64_parse(id, &work->seq) && id.len < 16 && work->seq) {
        query.after = work->seq - 1;
        query.oldest_first = true;
    } else {
        work->seq = 0;
        if (!read_id(id, &query.request))
            return err_set(err, ERR_INVALID, "expected the number of a record or an x-request-id");
    }
    if (!principal_is_operator(work->call->who))
        query.tenant = work->call->who->tenant;
    return audit_query(work->dir, &query, take_line, work, &work->next, err) &&
           (work->line.ptr || err_set(err, ERR_NOT_FOUND, "there is no record \"" STR_FMT "\"",
                                      STR_ARG(str_slice(id, 0, 40))));
}

static void run_show(struct work *work)
{
    work->ok = find_line(work, &work->err);
}

static bool show_record(struct admin_call *call, struct err *err)
{
    struct work *work = new_work(call, run_show, err);

    if (!work || !do_work(work, err))
        return false;
    jw_raw(&call->reply, work->line);
    return true;
}

static void run_prove(struct work *work)
{
    struct buf *out = &work->call->reply_buf;

    work->ok = find_line(work, &work->err) &&
               audit_prover_open(&work->prover, work->scratch, work->dir, &work->err) &&
               audit_prove_head(&work->prover, STR_NONE, out, &work->err) &&
               audit_prove_record(&work->prover, work->line, out, &work->err);
}

static bool prove_record(struct admin_call *call, struct err *err)
{
    struct work *work = new_work(call, run_prove, err);

    return work && do_work(work, err);
}

/* ---- bodies ---- */

static void run_body(struct work *work)
{
    struct house *house = work->call->house;
    struct str place, hash;

    work->ok = find_line(work, &work->err);
    if (!work->ok)
        return;
    place = audit_member_raw(work->line, STR("body"));
    hash = audit_member_raw(work->line, STR("body_hash"));
    if (place.len < 2 || hash.len < 2) {
        work->ok = err_set(&work->err, ERR_NOT_FOUND, "no body was kept with this record");
        return;
    }
    work->ok = audit_body_open(house->audit_bodies, str_slice(place, 1, place.len - 1),
                               str_slice(hash, 1, hash.len - 1), work->call->arena, &work->body,
                               &work->err);
}

/* Looking at what somebody asked is an action of its own, and recorded as one. */
static bool show_body(struct admin_call *call, struct err *err)
{
    struct work *work = new_work(call, run_body, err);
    struct json_writer *w = &call->reply;

    if (!work || !audit_ready(call->house->audit, err) || !do_work(work, err))
        return false;
    call->note =
        arena_fmt(call->arena, "body of request %016" PRIx64 " was read", work->body.request_id);
    jw_object(w);
    reply_text(w, "request", arena_fmt(call->arena, "%016" PRIx64, work->body.request_id));
    reply_bool(w, "truncated", audit_member_raw(work->line, STR("body_truncated")).len > 0);
    reply_text(w, "question", work->body.question);
    reply_text(w, "answer", work->body.answer);
    jw_object_end(w);
    return true;
}

static void run_erase(struct work *work)
{
    struct str hold;

    work->ok =
        audit_erase_bodies(work->call->house->audit_keep, work->subjects, work->subject_count,
                           work->scratch, &hold, &work->had, &work->err);
    if (work->ok && hold.len)
        work->ok = err_set(&work->err, ERR_DENIED,
                           "hold " STR_FMT " is on records of this subject: release it first",
                           STR_ARG(hold));
}

/* A user of the tenant has two where the database was not always shared. */
static bool name_subjects(struct work *work, struct str tenant, struct str who, struct err *err)
{
    const struct audit_bodies *bodies = work->call->house->audit_bodies;
    char *text = arena_alloc(work->call->arena, AUDIT_SUBJECT_TEXT);
    char *former = arena_alloc(work->call->arena, AUDIT_SUBJECT_TEXT);

    if (!text || !former)
        return err_arena(err, work->call->arena);
    work->subject_count = 1;
    bool is_pseudonym = audit_subject_read(who, text);
    if (!is_pseudonym)
        audit_subject(bodies, tenant, who, STR(""), text);
    work->subjects[0] = str_from(text);
    if (!is_pseudonym && audit_former_subject(bodies, tenant, who, STR(""), former))
        work->subjects[work->subject_count++] = str_from(former);
    return true;
}

static bool erase_subject(struct admin_call *call, struct err *err)
{
    struct work *work = new_work(call, run_erase, err);
    struct str who = STR(""), tenant = call->who->tenant;
    char spelled[AUDIT_SUBJECT_TEXT];

    if (!work || !field_text(call, "subject", &who, err) ||
        !field_text(call, "tenant", &tenant, err))
        return false;
    if (!principal_is_operator(call->who) &&
        (audit_subject_read(who, spelled) || !str_eq(tenant, call->who->tenant)))
        return err_set(err, ERR_DENIED,
                       "only operators erase by pseudonym, or users of another tenant");
    if (!name_subjects(work, tenant, who, err) || !do_work(work, err))
        return false;
    call->note = arena_fmt(call->arena, "subject " STR_FMT "%s" STR_FMT " erased: %s",
                           STR_ARG(work->subjects[0]), work->subject_count > 1 ? ", before " : "",
                           STR_ARG(work->subjects[1]),
                           work->had ? "the key of its bodies is gone" : "it had no sealed bodies");
    jw_object(&call->reply);
    reply_text(&call->reply, "subject", work->subjects[0]);
    reply_bool(&call->reply, "had_bodies", work->had);
    jw_object_end(&call->reply);
    return true;
}

/* ---- checkpoints and keys ---- */

static void run_note(struct work *work)
{
    work->ok =
        audit_tree_note(work->call->house->audit_tree, work->call->arena, &work->line, &work->err);
}

static bool show_checkpoint(struct admin_call *call, struct err *err)
{
    struct work *work = new_work(call, run_note, err);

    if (!work || !do_work(work, err))
        return false;
    buf_str(&call->reply_buf, work->line);
    return true;
}

static void run_keys(struct work *work)
{
    work->ok =
        audit_tree_keys(work->call->house->audit_tree, work->call->arena, &work->line, &work->err);
}

static bool show_keys(struct admin_call *call, struct err *err)
{
    struct work *work = new_work(call, run_keys, err);

    if (!work || !do_work(work, err))
        return false;
    buf_str(&call->reply_buf, work->line);
    return true;
}

static void run_rotate(struct work *work)
{
    work->ok = audit_tree_rotate(work->call->house->audit_tree, &work->err);
    if (work->ok)
        run_keys(work);
}

static bool operators_only(const struct admin_call *call, struct err *err)
{
    return principal_is_operator(call->who) ||
           err_set(err, ERR_DENIED, "only operators of the house may do this");
}

static bool rotate_key(struct admin_call *call, struct err *err)
{
    struct work *work = new_work(call, run_rotate, err);
    struct str key;

    if (!operators_only(call, err) || !work || !do_work(work, err))
        return false;
    key = str_slice(work->line, 0, str_find_char(work->line, '\n'));
    call->note = arena_fmt(call->arena, "audit signing key replaced by " STR_FMT, STR_ARG(key));
    jw_object(&call->reply);
    reply_text(&call->reply, "key", key);
    jw_object_end(&call->reply);
    return true;
}

/* ---- holds ---- */

static void reply_some(struct json_writer *w, const char *name, struct str text)
{
    if (text.len)
        reply_text(w, name, text);
}

static void write_hold(struct admin_call *call, const struct audit_hold *hold)
{
    struct json_writer *w = &call->reply;

    jw_object(w);
    reply_text(w, "id", hold->id);
    reply_text(w, "reason", hold->reason);
    reply_some(w, "tenant", hold->tenant);
    reply_some(w, "key", hold->key);
    reply_some(w, "subject", hold->subject);
    if (hold->request)
        reply_text(w, "request", arena_fmt(call->arena, "%016" PRIx64, hold->request));
    if (hold->from)
        reply_time(w, "from", hold->from);
    if (hold->until)
        reply_time(w, "until", hold->until);
    reply_some(w, "by", hold->by);
    reply_time(w, "made", hold->made);
    jw_object_end(w);
}

static int by_making(const void *one, const void *other)
{
    const struct audit_hold *a = one, *b = other;

    if (a->made != b->made)
        return a->made < b->made ? -1 : 1;
    return str_cmp(a->id, b->id);
}

static void run_list_holds(struct work *work)
{
    work->ok = audit_hold_list(work->call->house->audit_keep, work->call->arena, &work->holds,
                               &work->hold_count, &work->err);
}

static bool list_holds(struct admin_call *call, struct err *err)
{
    struct work *work = new_work(call, run_list_holds, err);
    struct page page;

    if (!operators_only(call, err) || !work || !do_work(work, err) || !page_begin(call, &page, err))
        return false;
    if (work->hold_count > 0)
        qsort(work->holds, work->hold_count, sizeof *work->holds, by_making);
    for (size_t i = 0; i < work->hold_count && !page_is_full(&page); i++) {
        const struct audit_hold *hold = &work->holds[i];

        if (page_wants(&page, arena_fmt(call->arena, "%016" PRIx64 STR_FMT, (uint64_t)hold->made,
                                        STR_ARG(hold->id))))
            write_hold(call, hold);
    }
    page_end(call, &page);
    return true;
}

static bool note_one(void *ctx, uint64_t seq, struct str line, struct err *err)
{
    struct work *work = ctx;
    (void)seq, (void)line, (void)err;

    work->had = true;
    return true;
}

static void run_look(struct work *work)
{
    work->ok = audit_query(work->dir, &work->query, note_one, work, &work->next, &work->err);
}

/* A hold on nobody keeps nothing, and would be heard of when the records are gone. Of a tenant or key that was
 * removed records are left. */
static SUSPENDS bool has_records(struct admin_call *call, const char *field,
                                 struct audit_query query, struct err *err)
{
    struct work *work = new_work(call, run_look, err);

    if (!work)
        return false;
    work->query = query;
    work->query.limit = 1;
    if (!do_work(work, err))
        return false;
    return work->had ||
           field_wrong(call, field, err, "there is no such %s, and no record of one", field);
}

static bool is_tenant(struct admin_call *call, struct str id)
{
    struct unit_info unit;
    struct err none = {0};

    return unit_find(call->house->accounts, id, call->arena, &unit, &none) && !unit.is_team;
}

static bool is_key(struct admin_call *call, struct str id)
{
    struct key_info key;
    struct err none = {0};

    return key_find(call->house->accounts, id, call->arena, &key, &none);
}

static SUSPENDS bool is_of_somebody(struct admin_call *call, const struct audit_hold *hold,
                                    struct err *err)
{
    return (!hold->tenant.len || is_tenant(call, hold->tenant) ||
            has_records(call, "tenant", (struct audit_query){.tenant = hold->tenant}, err)) &&
           (!hold->key.len || is_key(call, hold->key) ||
            has_records(call, "key", (struct audit_query){.key = hold->key}, err)) &&
           (!hold->request ||
            has_records(call, "request", (struct audit_query){.request = hold->request}, err));
}

static void run_add_hold(struct work *work)
{
    work->ok =
        audit_hold_add(work->call->house->audit_keep, work->holds, work->call->arena, &work->err);
}

static bool make_hold(struct admin_call *call, struct err *err)
{
    struct work *work = new_work(call, run_add_hold, err);
    struct audit_hold hold = {.by = call->who->key_id, .made = clock_wall()};
    struct str request = STR("");

    if (!operators_only(call, err) || !work || !field_text(call, "reason", &hold.reason, err) ||
        !field_text(call, "tenant", &hold.tenant, err) ||
        !field_text(call, "key", &hold.key, err) ||
        !field_text(call, "subject", &hold.subject, err) ||
        !field_text(call, "request", &request, err) || !field_time(call, "from", &hold.from, err) ||
        !field_time(call, "until", &hold.until, err))
        return false;
    if (request.len && !read_id(request, &hold.request))
        return field_wrong(call, "request", err, "expected an x-request-id");
    if (hold.until && hold.until <= hold.from) /* it would keep nothing */
        return field_wrong(call, "until", err, "expected a time behind \"from\"");
    if (!is_of_somebody(call, &hold, err) ||
        !name_to_pseudonym(call, hold.tenant, &hold.subject, err))
        return false;
    work->holds = &hold;
    if (!do_work(work, err))
        return false;
    call->note = arena_fmt(call->arena, "hold " STR_FMT " on audit records: " STR_FMT,
                           STR_ARG(hold.id), STR_ARG(hold.reason));
    write_hold(call, &hold);
    return true;
}

static void run_release(struct work *work)
{
    work->ok = audit_hold_release(work->call->house->audit_keep, work->call->values[0], &work->err);
}

static bool release_hold(struct admin_call *call, struct err *err)
{
    struct work *work = new_work(call, run_release, err);

    if (!operators_only(call, err) || !work || !do_work(work, err))
        return false;
    call->note = arena_fmt(call->arena, "hold " STR_FMT " released", STR_ARG(call->values[0]));
    jw_object(&call->reply);
    reply_text(&call->reply, "id", call->values[0]);
    reply_bool(&call->reply, "released", true);
    jw_object_end(&call->reply);
    return true;
}

static const struct admin_route routes[] = {
    {"GET", "/api/v1/audit/records", "Find audit records", RIGHT_AUDIT, list_records, NULL,
     &record_schema, 0, true, record_query, NULL},
    {"GET", "/api/v1/audit/records/{id}", "Show an audit record by number or request id",
     RIGHT_AUDIT, show_record, NULL, &record_schema, 0, false, NULL, NULL},
    {"GET", "/api/v1/audit/records/{id}/proof", "Prove an audit record to others", RIGHT_AUDIT,
     prove_record, NULL, NULL, 0, false, NULL, "application/x-ndjson"},
    {"GET", "/api/v1/audit/records/{id}/body", "Read a sealed question and its answer; recorded",
     RIGHT_AUDIT, show_body, NULL, &body_schema, 0, false, NULL, NULL},
    {"POST", "/api/v1/audit/erasures", "Erase a subject: no body of it can be opened any more",
     RIGHT_OWN, erase_subject, &erasure_new_schema, &erasure_schema, 201, false, NULL, NULL},
    {"GET", "/api/v1/audit/export", "Export audit records", RIGHT_AUDIT, admin_audit_export, NULL,
     NULL, 0, false, export_query, "application/octet-stream"},
    {"GET", "/api/v1/audit/checkpoint", "Read the newest signed checkpoint", RIGHT_AUDIT,
     show_checkpoint, NULL, NULL, 0, false, NULL, "text/plain"},
    {"GET", "/api/v1/audit/keys", "Read the public keys of the audit log, the newest first",
     RIGHT_AUDIT, show_keys, NULL, NULL, 0, false, NULL, "text/plain"},
    {"POST", "/api/v1/audit/keys", "Replace the key that signs the audit log", RIGHT_OWN,
     rotate_key, NULL, &rotated_schema, 201, false, NULL, NULL},
    {"GET", "/api/v1/audit/holds", "List holds on audit records", RIGHT_AUDIT, list_holds, NULL,
     &hold_schema, 0, true, NULL, NULL},
    {"POST", "/api/v1/audit/holds", "Hold audit records: they are not removed", RIGHT_OWN,
     make_hold, &hold_new_schema, &hold_schema, 201, false, NULL, NULL},
    {"DELETE", "/api/v1/audit/holds/{id}", "Release a hold", RIGHT_OWN, release_hold, NULL,
     &released_schema, 0, false, NULL, NULL},
};
const struct admin_part admin_audit_part = {"audit", "What happened, and the proof of it.", routes,
                                            ARRAY_LEN(routes)};
