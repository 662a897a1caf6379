/* A bucket that speaks S3: its list first, all of it, then object by object. The ETag says what changed. */
#include "knowledge/source_s3.h"

#include <string.h>

#include "base/buf.h"
#include "base/table.h"
#include "knowledge/knowledge_internal.h"
#include "knowledge/source.h"
#include "knowledge/source_glob.h"
#include "knowledge/source_retry.h"
#include "models/aws_sign.h"
#include "net/http.h"
#include "sys/clock.h"

#define ANSWER_TIME    (60 * SECOND)
#define LIST_BYTES_MAX (16 * MIB)
#define PAGES_MAX      100000u
#define SLEEP_SLICE    (200 * MILLISECOND)

struct s3 {
    struct source_job *job;
    const struct source_spec *spec;
    struct arena *arena;
    struct str bucket, prefix;
    struct http_url origin;
    struct str base;     /* path of the endpoint */
    struct str host;     /* as the Host field has it */
    struct buf objects;  /* struct bucket_object */
    struct table names;  /* keys of the objects that are listed */
    struct table labels; /* key of the labelled object -> struct bucket_object of its labels */
    size_t at;
    struct bucket_object now;
    struct err broken; /* what is said of the one that was given out makes no sense */
    bool listed;
    struct retrying retrying;
};

/* --- asking ----------------------------------------------------------------------------------- */

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

static void put_escaped(struct buf *b, struct str text, bool keep_slash)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (is_plain(c) || (c == '/' && keep_slash))
            buf_char(b, c);
        else
            buf_fmt(b, "%%%02X", (unsigned)(unsigned char)c);
    }
}

struct answer_of {
    int status;
    dur_ns retry_after;
    struct bucket_claims claims;
    struct str body;
};

static struct str claim(struct arena *arena, const struct http_head *head, const char *name)
{
    struct str value = http_field(&head->fields, str_from(name));

    return value.ptr ? arena_str(arena, value) : STR("");
}

static void read_head(struct arena *arena, const struct http_head *head, struct answer_of *out)
{
    out->status = head->status;
    out->retry_after =
        retry_after_read(http_field(&head->fields, STR("retry-after")), clock_wall());
    out->claims = (struct bucket_claims){
        claim(arena, head, "etag"), claim(arena, head, "x-amz-checksum-sha256"),
        claim(arena, head, "x-amz-checksum-crc32"), claim(arena, head, "x-amz-checksum-crc32c")};
}

static SUSPENDS bool ask_signed(struct s3 *s, struct arena *arena, struct str path, size_t max,
                                struct answer_of *out, struct err *err)
{
    struct http_call *call CLEANUP(http_call_end) = NULL;
    struct http_field fields[AWS_FIELDS_MAX];
    struct aws_identity who = {.access_key = s->spec->s3.access_key,
                               .secret_key = s->spec->s3.secret_key,
                               .session_token = s->spec->s3.session_token,
                               .region = s->spec->s3.region,
                               .service = STR("s3")};
    struct aws_request request = {.method = STR("GET"),
                                  .host = s->host,
                                  .path = path,
                                  .path_as_sent = true,
                                  .checksums = true};
    struct http_outgoing send = {.method = STR("GET"), .path = path, .fields = fields};

    if (who.access_key.len > 0 &&
        !aws_sign(arena, &request, &who, clock_wall(), fields, &send.field_count, err))
        return false;
    if (!http_call(arena, &s->origin, &send, &call, err))
        return false;
    read_head(arena, http_call_head(call), out);
    return http_call_body(call, max, &out->body, err);
}

static bool refused(struct arena *arena, const struct answer_of *a, struct err *err)
{
    struct str said = bucket_error(arena, a->body);

    return err_set(err, a->status >= 500 ? ERR_UNAVAILABLE : ERR_DENIED,
                   "the bucket answered %d%s" STR_FMT, a->status, said.len ? ": " : "",
                   STR_ARG(str_slice(said, 0, 150)));
}

/* What is asked for: an object, or a page of the list (NULL). */
struct wanted {
    struct str path;
    size_t max;
    const struct bucket_object *object;
};

static SUSPENDS bool ask_once(struct s3 *s, struct arena *arena, const struct wanted *w,
                              struct answer_of *out, struct err *err)
{
    struct scope within;

    scope_open(&within, fiber_now() + ANSWER_TIME);
    bool ok = ask_signed(s, arena, w->path, w->max, out, err);
    scope_close(&within);
    return ok && (!w->object || out->status != 200 ||
                  bucket_bytes_check(w->object, &out->claims, out->body, err));
}

static SUSPENDS bool rest(struct s3 *s, dur_ns wait, struct err *err)
{
    for (mono_ns until = fiber_now() + wait; fiber_now() < until;) {
        if (run_is_stopped(s->job->run))
            return err_set(err, ERR_CANCELLED, "stopped");
        if (!fiber_sleep(MIN_OF(until - fiber_now(), SLEEP_SLICE), err))
            return false;
    }
    return true;
}

/* Again, while it may yet come. A status that stays is an answer, too. */
static SUSPENDS bool ask(struct s3 *s, struct arena *arena, const struct wanted *w,
                         struct answer_of *out, struct err *err)
{
    struct retry_so_far so_far = {0};
    size_t mark = arena_mark(arena);
    dur_ns wait;

    for (;;) {
        struct err why = {0};

        arena_rewind(arena, mark);
        bool ok = ask_once(s, arena, w, out, &why);
        so_far.times++;
        so_far.asked_for = ok ? out->retry_after : 0;
        if (ok ? !retry_is_status(out->status) : !retry_is_error(&why)) {
            s->retrying.lost = 0;
            return ok || err_set(err, why.code, "%s", why.text);
        }
        if (!retry_again(&s->retrying, &so_far, &wait)) {
            if (ok)
                (void)!refused(arena, out, &why);
            retry_tell(&s->retrying, &so_far, &why);
            *err = why;
            return false;
        }
        if (!rest(s, wait, err))
            return false;
    }
}

static void put_start(const struct s3 *s, struct buf *b)
{
    buf_str(b, s->base);
    buf_char(b, '/');
    if (s->spec->s3.path_style) {
        buf_str(b, s->bucket);
        buf_char(b, '/');
    }
}

/* --- opening ---------------------------------------------------------------------------------- */

static struct str endpoint_of(struct s3 *s)
{
    if (s->spec->s3.endpoint.len > 0)
        return s->spec->s3.endpoint;
    return arena_fmt(s->arena, "https://s3." STR_FMT ".amazonaws.com", STR_ARG(s->spec->s3.region));
}

/* The host of a request: with the bucket before it, unless that stands in the path. */
static bool make_host(struct s3 *s, struct err *err)
{
    bool usual = s->origin.port == (s->origin.tls ? 443 : 80);
    struct str name = s->origin.host;

    if (!s->spec->s3.path_style)
        name = arena_fmt(s->arena, STR_FMT "." STR_FMT, STR_ARG(s->bucket), STR_ARG(name));
    s->origin.host = name;
    s->base = s->origin.path;
    s->origin.path = STR("");
    s->host = usual ? name : arena_fmt(s->arena, STR_FMT ":%u", STR_ARG(name), s->origin.port);
    return (name.ptr && s->host.ptr) || err_arena(err, s->arena);
}

static bool open_s3(struct source_job *job, void **self, struct err *err)
{
    struct s3 *s = arena_alloc(job->arena, sizeof *s);

    if (!s)
        return err_arena(err, job->arena);
    s->job = job;
    s->spec = job->spec;
    s->arena = job->arena;
    s->retrying = (struct retrying){job->spec->retries, job->spec->retry_wait, 0};
    buf_init(&s->objects, job->arena, (size_t)10 * 1000 * 1000 * sizeof(struct bucket_object));
    table_init(&s->names, job->arena, 10 * 1000 * 1000);
    table_init(&s->labels, job->arena, 10 * 1000 * 1000);
    *self = s;
    if (!bucket_location(job->spec->location, &s->bucket, &s->prefix))
        return err_set(err, ERR_INVALID, "expected a location as s3://bucket/prefix");
    struct str endpoint = endpoint_of(s);
    return (endpoint.ptr || err_arena(err, s->arena)) &&
           http_url_parse(endpoint, &s->origin, err) && make_host(s, err);
}

static void close_s3(void **self)
{
    *self = NULL; /* all of it is the job's */
}

/* --- listing ---------------------------------------------------------------------------------- */

static bool keep_object(struct s3 *s, const struct bucket_object *from, struct err *err)
{
    struct bucket_object *o = arena_alloc(s->arena, sizeof *o);

    if (!o)
        return err_arena(err, s->arena);
    *o = (struct bucket_object){arena_str(s->arena, from->key), arena_str(s->arena, from->etag),
                                from->bytes};
    if (!o->key.ptr || !o->etag.ptr)
        return err_arena(err, s->arena);
    if (str_ends(o->key, STR(LABELS_ENDING))) {
        struct str of = str_slice(o->key, 0, o->key.len - sizeof LABELS_ENDING + 1);

        return table_put(&s->labels, of, o, NULL) || err_arena(err, s->arena);
    }
    if (!table_put(&s->names, o->key, o, NULL))
        return err_arena(err, s->arena);
    if (str_ends(o->key, STR("/")) || /* what consoles make for folders */
        !globs_want(s->spec->include, s->spec->exclude,
                    str_slice(o->key, s->prefix.len, o->key.len)))
        return true;
    if (s->objects.len / sizeof *o >= s->job->knowledge->files_max)
        return err_set(err, ERR_TOO_LARGE, "more than %u objects in one run",
                       s->job->knowledge->files_max);
    buf_put(&s->objects, o, sizeof *o);
    return buf_ok(&s->objects) || err_arena(err, s->arena);
}

static SUSPENDS bool list_page(struct s3 *s, struct arena *scratch, struct str *token,
                               struct err *err)
{
    struct bucket_page page;
    struct answer_of answer;
    struct str path;
    struct buf b;

    buf_init(&b, scratch, 64 * KIB);
    put_start(s, &b);
    buf_str(&b, STR("?"));
    if (token->len > 0) {
        buf_str(&b, STR("continuation-token="));
        put_escaped(&b, *token, false);
        buf_char(&b, '&');
    }
    buf_str(&b, STR("encoding-type=url&list-type=2&prefix="));
    put_escaped(&b, s->prefix, false);
    if (!buf_finish(&b, &path, err) ||
        !ask(s, scratch, &(struct wanted){path, LIST_BYTES_MAX, NULL}, &answer, err))
        return false;
    if (answer.status != 200)
        return refused(scratch, &answer, err);
    if (!bucket_page_read(scratch, answer.body, &page, err))
        return false;
    for (size_t i = 0; i < page.count; i++)
        if (!keep_object(s, &page.at[i], err))
            return false;
    *token = arena_str(s->arena, page.next);
    return token->ptr || err_arena(err, s->arena);
}

/* What is said of an object that is not there would be lost in silence: it is told as an item of its own. */
static bool add_lost_labels(struct s3 *s, struct err *err)
{
    struct str of;
    void *labels;

    for (size_t at = 0; table_next(&s->labels, &at, &of, &labels);)
        if (!table_get(&s->names, of))
            buf_put(&s->objects, labels, sizeof(struct bucket_object));
    return buf_ok(&s->objects) || err_arena(err, s->arena);
}

static SUSPENDS bool list_all(struct s3 *s, struct err *err)
{
    struct str token = STR("");

    for (unsigned pages = 0; pages == 0 || token.len > 0; pages++) {
        struct arena *scratch CLEANUP(arena_end) = arena_new(8 * LIST_BYTES_MAX);

        if (!scratch)
            return err_no_room(err, "no memory to list a bucket");
        if (pages == PAGES_MAX)
            return err_set(err, ERR_TOO_LARGE, "the bucket's list has more than %u pages",
                           PAGES_MAX);
        if (run_is_stopped(s->job->run))
            return err_set(err, ERR_CANCELLED, "stopped");
        if (!list_page(s, scratch, &token, err))
            return err_wrap(err, "list bucket \"" STR_FMT "\"", STR_ARG(s->bucket));
    }
    if (!add_lost_labels(s, err))
        return false;
    s->job->known = s->objects.len / sizeof(struct bucket_object);
    s->listed = true;
    return true;
}

/* --- objects ---------------------------------------------------------------------------------- */

static SUSPENDS bool get(struct s3 *s, struct arena *scratch, const struct bucket_object *object,
                         size_t max, struct answer_of *out, struct err *err)
{
    struct str path;
    struct buf b;

    buf_init(&b, scratch, 16 * KIB);
    put_start(s, &b);
    put_escaped(&b, object->key, true);
    return buf_finish(&b, &path, err) &&
           ask(s, scratch, &(struct wanted){path, max, object}, out, err);
}

/* What is said of an object is asked each time: it comes before what the settings say. */
static SUSPENDS bool get_labels(struct s3 *s, struct arena *scratch, struct beside *out,
                                struct err *err)
{
    const struct bucket_object *labels = table_get(&s->labels, s->now.key);
    struct answer_of answer;

    s->broken = (struct err){0};
    if (!labels)
        return true;
    if (!get(s, scratch, labels, LABELS_BYTES_MAX, &answer, &s->broken) ||
        (answer.status == 200 ? !beside_read(scratch, answer.body, out, &s->broken)
                              : !refused(scratch, &answer, &s->broken))) {
        *out = (struct beside){0};
        if (s->broken.code == ERR_CANCELLED || (s->broken.code == ERR_EXHAUSTED && s->broken.sys)) {
            *err = s->broken;
            return false;
        }
        (void)err_wrap(&s->broken, "labels");
    }
    return true;
}

static SUSPENDS bool next(void *self, struct arena *scratch, struct source_item *out, bool *more,
                          struct err *err)
{
    struct s3 *s = self;

    if (!s->listed && !list_all(s, err))
        return false;
    *more = s->at < s->objects.len / sizeof s->now;
    if (!*more)
        return true;
    memcpy(&s->now, s->objects.ptr + s->at++ * sizeof s->now, sizeof s->now);
    out->item = (struct item){.source = arena_fmt(scratch, "s3://" STR_FMT "/" STR_FMT,
                                                  STR_ARG(s->bucket), STR_ARG(s->now.key)),
                              .shown = arena_fmt(scratch, STR_FMT "/" STR_FMT,
                                                 STR_ARG(s->spec->name), STR_ARG(s->now.key)),
                              .title = STR("")};
    if (!out->item.source.ptr || !out->item.shown.ptr)
        return err_arena(err, scratch);
    if (!get_labels(s, scratch, &out->beside, err))
        return false;
    out->item.mark = s->broken.code ? STR("") : s->now.etag;
    return true;
}

static bool can_be_read(struct s3 *s, struct source_item *item, struct content *out)
{
    size_t own = s->spec->item_bytes, most = s->job->knowledge->file_bytes_max;

    most = own ? MIN_OF(own, most) : most;
    if (s->broken.code) {
        out->outcome = OUTCOME_FAIL;
        out->why = s->broken;
        return false;
    }
    out->outcome = OUTCOME_SKIP;
    if (str_ends(s->now.key, STR(LABELS_ENDING))) {
        err_set(&out->why, ERR_INVALID, "says something of an object that is not there");
        return false;
    }
    if (!document_type_of(s->now.key, &item->item.type)) {
        err_set(&out->why, ERR_INVALID, "%s", document_endings());
        return false;
    }
    if (s->now.bytes > most) {
        err_set(&out->why, ERR_TOO_LARGE, "larger than %zu bytes", most);
        return false;
    }
    return true;
}

static SUSPENDS bool fetch_object(void *self, struct arena *scratch, struct source_item *item,
                                  struct content *out, struct err *err)
{
    struct s3 *s = self;
    struct answer_of answer;

    if (!can_be_read(s, item, out))
        return true;
    if (!get(s, scratch, &s->now, s->job->knowledge->file_bytes_max, &answer, &out->why)) {
        if (out->why.code == ERR_CANCELLED || (out->why.code == ERR_EXHAUSTED && out->why.sys)) {
            *err = out->why;
            return false;
        }
        out->outcome = OUTCOME_FAIL;
        return true;
    }
    if (answer.status == 200) {
        out->outcome = OUTCOME_BYTES;
        out->bytes = answer.body;
        return true;
    }
    (void)!refused(scratch, &answer, &out->why);
    out->outcome = answer.status == 404 ? OUTCOME_GONE : OUTCOME_FAIL;
    return true;
}

const struct source_kind source_s3 = {.blocks = false,
                                      .begin = open_s3,
                                      .next = next,
                                      .fetch = fetch_object,
                                      .close = close_s3};
