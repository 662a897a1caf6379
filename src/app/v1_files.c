/* /v1/files: files that are sent, for the vector stores they will be put into. */
#include "app/receive.h"
#include "app/v1.h"
#include "knowledge/forget.h"
#include "knowledge/upload.h"
#include "sys/clock.h"
#include "sys/file.h"

static const struct schema_field form_fields[] = {
    {"file", FIELD_PROSE, 0, NULL, 0, 0, NULL, NULL},
    {"purpose", FIELD_TEXT, 0, "assistants or user_data.", 0, 0, NULL, NULL},
    {"expires_after[anchor]", FIELD_TEXT, FIELD_OPTIONAL, "created_at.", 0, 0, NULL, NULL},
    {"expires_after[seconds]", FIELD_COUNT, FIELD_OPTIONAL, "Then it goes out of every store too.",
     V1_SECONDS_MIN, V1_SECONDS_MAX, NULL, NULL},
    {0},
};
static const struct schema form_schema = {"FileUpload", "A file that is sent.", form_fields, NULL};

struct shelf_call {
    const char *dir;
    struct arena *arena;
    struct str id, tenant, from;
    uint32_t most;
    struct shelf_file file, *list;
    size_t count;
    struct str bytes;
    size_t bytes_max;
};

static bool put_now(void *arg, struct err *err)
{
    struct shelf_call *c = arg;

    return shelf_put(c->dir, c->arena, &c->file, c->from.ptr, c->most, &c->file, err);
}

static bool find_now(void *arg, struct err *err)
{
    struct shelf_call *c = arg;

    if (!shelf_find(c->dir, c->arena, c->id, c->tenant, &c->file, err))
        return false;
    return !shelf_is_over(&c->file, clock_wall()) || shelf_unknown(c->id, err);
}

static bool list_now(void *arg, struct err *err)
{
    struct shelf_call *c = arg;

    return shelf_list(c->dir, c->arena, c->tenant, &c->list, &c->count, err);
}

static bool load_now(void *arg, struct err *err)
{
    struct shelf_call *c = arg;
    const char *path = shelf_path(c->dir, c->arena, c->id);

    if (!path)
        return err_arena(err, c->arena);
    return file_load(c->arena, path, c->bytes_max, &c->bytes, err);
}

static struct shelf_call shelf_of(struct admin_call *call)
{
    return (struct shelf_call){.dir = v1_shelf(call),
                               .arena = call->arena,
                               .id = call->values[0],
                               .tenant = call->who->tenant};
}

void v1_write_file(struct json_writer *w, const void *what)
{
    const struct shelf_file *file = what;

    jw_object(w);
    reply_text(w, "id", file->id);
    reply_text(w, "object", STR("file"));
    reply_count(w, "bytes", (int64_t)file->bytes);
    reply_count(w, "created_at", file->created / 1000);
    reply_text(w, "filename", file->name);
    reply_text(w, "purpose", file->purpose);
    reply_text(w, "status", STR("processed"));
    if (file->expires)
        reply_count(w, "expires_at", file->expires / 1000);
    jw_object_end(w);
}

/* "expires_after[anchor]" and "expires_after[seconds]", as forms of SDKs say it. */
static bool read_expiry(struct admin_call *call, const struct received *got, wall_ms now,
                        wall_ms *out, struct err *err)
{
    struct str anchor = received_field(got, "expires_after[anchor]"),
               seconds = received_field(got, "expires_after[seconds]");
    uint64_t n = 0;

    *out = 0;
    if (!anchor.ptr && !seconds.ptr)
        return true;
    if (!str_eq(anchor, STR("created_at")))
        return admin_fail(call, 400, "invalid", err,
                          "expires_after.anchor: expected \"created_at\"");
    if (!u64_parse(seconds, &n) || n < V1_SECONDS_MIN || n > V1_SECONDS_MAX)
        return admin_fail(call, 400, "invalid", err,
                          "expires_after.seconds: expected a whole number from %d to %d",
                          V1_SECONDS_MIN, V1_SECONDS_MAX);
    *out = now + (wall_ms)n * 1000;
    return true;
}

static bool is_known(struct str field)
{
    return str_eq(field, STR("purpose")) || str_eq(field, STR("expires_after[anchor]")) ||
           str_eq(field, STR("expires_after[seconds]"));
}

bool v1_purpose(struct admin_call *call, struct str purpose, struct err *err)
{
    return str_eq(purpose, STR("assistants")) || str_eq(purpose, STR("user_data")) ||
           admin_fail(call, 400, "invalid", err,
                      "purpose: expected \"assistants\" or \"user_data\"");
}

static bool read_form(struct admin_call *call, const struct received *got, struct shelf_file *out,
                      struct err *err)
{
    wall_ms now = clock_wall(), expires;

    for (size_t i = 0; i < got->field_count; i++)
        if (!is_known(got->fields[i].name))
            return admin_fail(call, 400, "invalid", err,
                              STR_FMT ": Weir knows no other fields than file, purpose and "
                                      "expires_after",
                              STR_ARG(str_slice(got->fields[i].name, 0, 60)));
    struct str purpose = received_field(got, "purpose");

    if (!v1_purpose(call, purpose, err))
        return false;
    if (got->name.len == 0 || got->name.len > UPLOAD_NAME_MAX)
        return admin_fail(call, 400, "invalid", err, "file: expected a name of 1 to %u bytes",
                          UPLOAD_NAME_MAX);
    if (!read_expiry(call, got, now, &expires, err))
        return false;
    *out = (struct shelf_file){.name = got->name,
                               .purpose = purpose,
                               .tenant = call->who->tenant,
                               .bytes = got->bytes,
                               .created = now,
                               .expires = expires};
    return true;
}

static bool create(struct admin_call *call, struct err *err)
{
    struct received got CLEANUP(received_drop) = {0};
    struct shelf_call c = shelf_of(call);

    if (!receive_file(call, &got, err) || !read_form(call, &got, &c.file, err))
        return false;
    c.from = str_from(got.file);
    c.most = (uint32_t)call->house->running->knowledge.uploads;
    if (!v1_block(call, put_now, &c, err))
        return false;
    if (c.file.expires)
        v1_expects(call->house, c.file.expires);
    /* By id: its name may be a person's, and the audit log is never written anew. */
    call->note = arena_fmt(call->arena, "file " STR_FMT " sent", STR_ARG(c.file.id));
    v1_write_file(&call->reply, &c.file);
    return true;
}

static bool list(struct admin_call *call, struct err *err)
{
    struct str purpose = query_text(call, "purpose");
    struct shelf_call c = shelf_of(call);
    wall_ms now = clock_wall();
    size_t count = 0;

    if (!v1_block(call, list_now, &c, err))
        return false;
    struct v1_item *items = arena_array(call->arena, c.count + 1, sizeof *items);
    if (!items)
        return err_arena(err, call->arena);
    for (size_t i = 0; i < c.count; i++)
        if ((purpose.len == 0 || str_eq(purpose, c.list[i].purpose)) &&
            !shelf_is_over(&c.list[i], now))
            items[count++] = (struct v1_item){c.list[i].id, c.list[i].created, &c.list[i]};
    return v1_list(call, STR(""), items, count, v1_write_file, err);
}

static bool show(struct admin_call *call, struct err *err)
{
    struct shelf_call c = shelf_of(call);

    if (!v1_block(call, find_now, &c, err))
        return false;
    v1_write_file(&call->reply, &c.file);
    return true;
}

static SUSPENDS bool lists(struct admin_call *call, struct base *base, const struct principal *who,
                           struct str source, bool *out, struct err *err)
{
    struct document_info *list;
    size_t count;

    if (!knowledge_list(base_knowledge(base), call->arena, who, &list, &count, err))
        return false;
    *out = false;
    for (size_t i = 0; i < count && !*out; i++)
        *out = str_eq(list[i].source, source);
    return true;
}

/* Whether a base has a document of the file that the caller may not read. One that is on its way there, or failed on it,
 * is none. */
static SUSPENDS bool hides(struct admin_call *call, struct base *base, struct str file, bool *out,
                           struct err *err)
{
    struct str source = arena_fmt(call->arena, ATTACH_SOURCE STR_FMT, STR_ARG(file));
    bool is_there = false, is_seen = false;

    if (!source.ptr)
        return err_arena(err, call->arena);
    if (!knowledge_needs(base_knowledge(base), &file, 1, &is_there, err) ||
        (is_there && !lists(call, base, NULL, source, &is_there, err)) ||
        (is_there && !lists(call, base, call->who, source, &is_seen, err)))
        return false;
    *out = is_there && !is_seen;
    return true;
}

static SUSPENDS bool may_read_in(struct admin_call *call, struct str id, const struct str *files,
                                 size_t count, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct err gone = {0};

    if (!bases_borrow(call->house->bases, id, NULL, &base, &gone))
        return gone.code == ERR_NOT_FOUND || err_set(err, gone.code, "%s", gone.text);
    for (size_t i = 0; i < count; i++) {
        bool hidden = false;

        if (!hides(call, base, files[i], &hidden, err) || (hidden && !shelf_unknown(files[i], err)))
            return false;
    }
    return true;
}

/* Its bytes have the readers of every document that was made from it. */
static SUSPENDS bool may_read(struct admin_call *call, struct str file, struct err *err)
{
    struct base_info *all;
    size_t count;

    if (!bases_list(call->house->bases, call->arena, NULL, &all, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!may_read_in(call, all[i].id, &file, 1, err))
            return false;
    return true;
}

bool v1_may_attach(struct admin_call *call, const struct str *files, size_t count, struct err *err)
{
    struct base_info *all;
    size_t base_count;

    if (!bases_list(call->house->bases, call->arena, NULL, &all, &base_count, err))
        return false;
    for (size_t i = 0; i < base_count; i++)
        if (str_is_empty(all[i].tenant) && !base_may_change(&all[i], call->who) &&
            !may_read_in(call, all[i].id, files, count, err))
            return false;
    return true;
}

static bool content(struct admin_call *call, struct err *err)
{
    struct shelf_call c = shelf_of(call);

    c.bytes_max = (size_t)call->house->running->knowledge.file_bytes;
    if (!v1_block(call, find_now, &c, err) || !may_read(call, c.file.id, err) ||
        !v1_block(call, load_now, &c, err))
        return false;
    struct http_field fields[] = {{STR("x-content-type-options"), STR("nosniff")},
                                  {STR("content-disposition"), STR("attachment")}};
    struct http_reply reply = {.status = 200,
                               .content_type = STR("application/octet-stream"),
                               .fields = fields,
                               .field_count = ARRAY_LEN(fields)};

    call->answered = true;
    return http_send(call->http, &reply, c.bytes, err);
}

/* Out of every store of the tenant, as the dialect has it, and then itself, with all that was answered from it. */
static bool delete_file(struct admin_call *call, struct err *err)
{
    struct shelf_call c = shelf_of(call);
    struct forget_order order = {.who = call->who};

    if (!v1_block(call, find_now, &c, err))
        return false;
    order.file = c.file.id;
    return v1_forget(call, &order, c.file.id, "file", err);
}

#define JSON_REPLY "application/json"

static const struct admin_route routes[] = {
    {"POST", "/v1/files", "Send a file", RIGHT_BASES, create, &form_schema, NULL, 0, false, NULL,
     JSON_REPLY, true},
    {"GET", "/v1/files", "List files", RIGHT_BASES, list, NULL, NULL, 0, false, v1_files_query,
     JSON_REPLY, false},
    {"GET", "/v1/files/{id}", "Show a file", RIGHT_BASES, show, NULL, NULL, 0, false, NULL,
     JSON_REPLY, false},
    {"DELETE", "/v1/files/{id}", "Delete a file, in all vector stores too", RIGHT_BASES,
     delete_file, NULL, NULL, 0, false, NULL, JSON_REPLY, false},
    {"GET", "/v1/files/{id}/content", "Read a file", RIGHT_BASES, content, NULL, NULL, 0, false,
     NULL, "application/octet-stream", false},
};
const struct admin_part v1_files_part = {"files", "Files, as OpenAI's SDKs send them.", routes,
                                         ARRAY_LEN(routes)};
