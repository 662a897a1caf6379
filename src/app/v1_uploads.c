/* /v1/uploads: files that come in parts, for clients that would not send them at once. When all of it is there it is a
 * file of /v1/files like any other. */
#include "app/receive.h"
#include "app/v1.h"
#include "base/log.h"
#include "knowledge/pieces.h"
#include "knowledge/upload.h"
#include "sys/clock.h"
#include "sys/file.h"

static const struct schema_field expiry_fields[] = {
    {"anchor", FIELD_CHOICE, 0, NULL, 0, 0, "created_at", NULL},
    {"seconds", FIELD_COUNT, 0, "From when the file is whole.", V1_SECONDS_MIN, V1_SECONDS_MAX,
     NULL, NULL},
    {0},
};
static const struct schema expiry_schema = {"FileExpiry", "How long a file stays.", expiry_fields,
                                            NULL};
static const struct schema_field create_fields[] = {
    {"bytes", FIELD_COUNT, 0, "Of the whole file.", 1, INT64_MAX, NULL, NULL},
    {"filename", FIELD_TEXT, 0, "Its ending says the type.", 1, UPLOAD_NAME_MAX, NULL, NULL},
    {"mime_type", FIELD_TEXT, 0, "The name's ending and the bytes say the type.", 1, 255, NULL,
     NULL},
    {"purpose", FIELD_TEXT, 0, "assistants or user_data.", 0, 0, NULL, NULL},
    {"expires_after", FIELD_OBJECT, FIELD_OPTIONAL | FIELD_NULL, NULL, 0, 0, NULL, &expiry_schema},
    {0},
};
static const struct schema create_schema = {"UploadCreate", "A file that is to come in parts.",
                                            create_fields, NULL};
static const struct schema_field part_fields[] = {
    {"data", FIELD_PROSE, 0, NULL, 0, 0, NULL, NULL},
    {0},
};
static const struct schema part_schema = {"UploadPart", "A piece of the file.", part_fields, NULL};
static const struct schema_field complete_fields[] = {
    {"part_ids", FIELD_TEXT, FIELD_LIST, "In the order of the file.", 1, 100, NULL, NULL},
    {"md5", FIELD_TEXT, FIELD_OPTIONAL | FIELD_NULL, "Of the whole file, 32 hexadecimal digits.", 0,
     0, NULL, NULL},
    {0},
};
static const struct schema complete_schema = {"UploadComplete", "The parts, put together.",
                                              complete_fields, NULL};

/* ---- on the pool ---- */

struct work {
    const char *dir, *shelf;
    struct arena *arena;
    struct str id, tenant, part, md5, *parts;
    size_t part_count;
    struct pieces_wish wish;
    const char *from; /* a part that came, or where the whole is put together */
    struct shelf_file file;
    uint32_t most;
};

static bool begin_now(void *arg, struct err *err)
{
    struct work *w = arg;

    return pieces_begin(w->dir, w->arena, &w->wish, err);
}

static bool find_now(void *arg, struct err *err)
{
    struct work *w = arg;

    return pieces_find(w->dir, w->arena, w->id, w->tenant, clock_wall(), &w->wish, err);
}

static bool add_now(void *arg, struct err *err)
{
    struct work *w = arg;

    return pieces_add(w->dir, w->arena, &w->wish, w->from, &w->part, err);
}

static bool drop_now(void *arg, struct err *err)
{
    struct work *w = arg;

    if (!find_now(w, err) || !pieces_take(w->dir, w->arena, w->id, err) ||
        !pieces_end(w->dir, w->arena, w->id, err))
        return false;
    return pieces_sweep(w->dir, w->arena, err) ||
           err_wrap(err, "it is cancelled, and not yet all of it gone, which is tried again");
}

static bool put_together(struct work *w, struct err *err)
{
    if (!pieces_join(w->dir, &w->wish, w->parts, w->part_count, w->md5, w->from, err))
        return false;
    w->file = (struct shelf_file){.name = w->wish.name,
                                  .purpose = w->wish.purpose,
                                  .tenant = w->wish.tenant,
                                  .bytes = w->wish.bytes,
                                  .created = clock_wall(),
                                  .upload = w->wish.id};
    w->file.expires = w->wish.stays ? w->file.created + w->wish.stays : 0;
    return shelf_put(w->shelf, w->arena, &w->file, w->from, w->most, &w->file, err);
}

/* With the file on the shelf the pieces have ended, or there is neither. */
static bool become_file(struct work *w, struct err *err)
{
    struct err lost = {0};

    if (!put_together(w, err)) {
        (void)!file_remove(w->from, &lost); /* what is left of it the next start removes, */
        (void)!pieces_give_back(w->dir, w->arena, w->id, &lost); /* ... and gives this back */
        return false;
    }
    if (pieces_end(w->dir, w->arena, w->id, err))
        return true;
    if (!shelf_remove(w->shelf, w->arena, w->file.id, &lost))
        return err_wrap(err, "it is file " STR_FMT " and still an upload, too",
                        STR_ARG(w->file.id));
    return false;
}

static bool complete_now(void *arg, struct err *err)
{
    struct work *w = arg;
    struct err left = {0};

    if (!pieces_take(w->dir, w->arena, w->id, err) || !become_file(w, err))
        return false;
    if (!pieces_sweep(w->dir, w->arena, &left))
        log_warn("upload " STR_FMT " is a file, and its parts are not yet all gone, which is tried "
                 "again: %s",
                 STR_ARG(w->id), left.text);
    return true;
}

static bool begin_work(struct admin_call *call, struct work *out, struct err *err)
{
    *out = (struct work){.shelf = v1_shelf(call),
                         .arena = call->arena,
                         .id = call->values[0],
                         .tenant = call->who->tenant,
                         .most = (uint32_t)call->house->running->knowledge.uploads};
    out->dir = arena_fmt(call->arena, STR_FMT "/pieces", STR_ARG(call->house->dir)).ptr;
    return (out->dir && out->shelf) || err_arena(err, call->arena);
}

/* ---- handlers ---- */

static void write_upload(struct admin_call *call, const struct work *w, const char *status)
{
    struct json_writer *out = &call->reply;
    const struct pieces_wish *wish = &w->wish;

    jw_object(out);
    reply_text(out, "id", wish->id);
    reply_text(out, "object", STR("upload"));
    reply_count(out, "bytes", (int64_t)wish->bytes);
    reply_count(out, "created_at", wish->created / 1000);
    reply_count(out, "expires_at", (wish->created + PIECES_TIME) / 1000);
    reply_text(out, "filename", wish->name);
    reply_text(out, "purpose", wish->purpose);
    reply_text(out, "status", str_from(status));
    jw_key(out, "file");
    if (w->file.id.len)
        v1_write_file(out, &w->file);
    else
        jw_null(out);
    jw_object_end(out);
}

static bool read_wish(struct admin_call *call, struct pieces_wish *out, struct err *err)
{
    const struct json *j = call->body;
    json_ref expiry = json_get(j, json_root(j), STR("expires_after"));
    int64_t bytes = 0, seconds = 0, most = (int64_t)call->house->running->knowledge.file_bytes;

    field_count(call, "bytes", &bytes);
    if (!field_text(call, "filename", &out->name, err) ||
        !field_text(call, "purpose", &out->purpose, err) || !v1_purpose(call, out->purpose, err))
        return false;
    if (bytes > most)
        return err_set(err, ERR_TOO_LARGE,
                       "bytes: a file has at most %" PRId64 " (knowledge.file_bytes)", most);
    if (expiry && json_kind(j, expiry) == JSON_OBJECT)
        (void)!json_i64(j, json_get(j, expiry, STR("seconds")), &seconds);
    out->bytes = (uint64_t)bytes;
    out->stays = seconds * 1000;
    out->tenant = call->who->tenant;
    return true;
}

static bool create(struct admin_call *call, struct err *err)
{
    struct work w;

    if (!begin_work(call, &w, err) || !read_wish(call, &w.wish, err) ||
        !v1_block(call, begin_now, &w, err))
        return false;
    call->note = arena_fmt(call->arena, "upload " STR_FMT " begun", STR_ARG(w.wish.id));
    write_upload(call, &w, "pending");
    return true;
}

static bool add(struct admin_call *call, struct err *err)
{
    struct received got CLEANUP(received_drop) = {0};
    struct json_writer *out = &call->reply;
    struct work w;

    if (!begin_work(call, &w, err) || !v1_block(call, find_now, &w, err) ||
        !receive_named(call, "data", &got, err))
        return false;
    if (got.field_count > 0)
        return admin_fail(call, 400, "invalid", err,
                          STR_FMT ": a part has no other field than data",
                          STR_ARG(str_slice(got.fields[0].name, 0, 60)));
    w.from = got.file;
    if (!v1_block(call, add_now, &w, err))
        return false;
    call->note = arena_fmt(call->arena, "upload " STR_FMT ": a part", STR_ARG(w.id));
    jw_object(out);
    reply_text(out, "id", w.part);
    reply_text(out, "object", STR("upload.part"));
    reply_count(out, "created_at", clock_wall() / 1000);
    reply_text(out, "upload_id", w.id);
    jw_object_end(out);
    return true;
}

static bool complete(struct admin_call *call, struct err *err)
{
    struct work w;

    if (!begin_work(call, &w, err) || !v1_block(call, find_now, &w, err) ||
        !field_list(call, "part_ids", &w.parts, &w.part_count, err) ||
        !field_text(call, "md5", &w.md5, err))
        return false;
    w.from = arena_fmt(call->arena, STR_FMT "/uploads/" STR_FMT, STR_ARG(call->house->dir),
                       STR_ARG(w.id))
                 .ptr;
    if (!w.from)
        return err_arena(err, call->arena);
    if (!v1_block(call, complete_now, &w, err))
        return false;
    if (w.file.expires)
        v1_expects(call->house, w.file.expires);
    call->note = arena_fmt(call->arena, "upload " STR_FMT " is file " STR_FMT, STR_ARG(w.id),
                           STR_ARG(w.file.id));
    write_upload(call, &w, "completed");
    return true;
}

static bool cancel(struct admin_call *call, struct err *err)
{
    struct work w;

    if (!begin_work(call, &w, err) || !v1_block(call, drop_now, &w, err))
        return false;
    call->note = arena_fmt(call->arena, "upload " STR_FMT " cancelled", STR_ARG(w.id));
    write_upload(call, &w, "cancelled");
    return true;
}

#define JSON_REPLY "application/json"

static const struct admin_route routes[] = {
    {"POST", "/v1/uploads", "Begin a file that comes in parts", RIGHT_BASES, create, &create_schema,
     NULL, 0, false, NULL, JSON_REPLY, false},
    {"POST", "/v1/uploads/{id}/parts", "Send a part", RIGHT_BASES, add, &part_schema, NULL, 0,
     false, NULL, JSON_REPLY, true},
    {"POST", "/v1/uploads/{id}/complete", "Put the parts together", RIGHT_BASES, complete,
     &complete_schema, NULL, 0, false, NULL, JSON_REPLY, false},
    {"POST", "/v1/uploads/{id}/cancel", "Give it up", RIGHT_BASES, cancel, NULL, NULL, 0, false,
     NULL, JSON_REPLY, false},
};
const struct admin_part v1_uploads_part = {
    "uploads", "Files that come in parts, as OpenAI's SDKs send them.", routes, ARRAY_LEN(routes)};
