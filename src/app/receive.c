#include "app/receive.h"

#include <stdatomic.h>
#include <stdio.h>

#include "app/admin.h"
#include "net/multipart.h"
#include "sys/file.h"

#define UPLOADS   "uploads"
#define NAMES_MAX 100000

struct receiving {
    struct admin_call *call;
    const char *field; /* of the form, that is the file */
    struct received got;
    struct file *file;
    uint64_t bytes_max;
    struct buf value; /* of the field that is being read */
    bool in_file, in_field;
};

static bool open_file(struct receiving *r, struct err *err)
{
    static _Atomic uint64_t count;
    struct house *house = r->call->house;
    struct str dir = arena_fmt(r->call->arena, STR_FMT "/" UPLOADS, STR_ARG(house->dir));
    struct str path = arena_fmt(r->call->arena, STR_FMT "/%016" PRIx64 "-%" PRIu64, STR_ARG(dir),
                                http_request_id(r->call->http), atomic_fetch_add(&count, 1));

    if (!dir.ptr || !path.ptr)
        return err_arena(err, r->call->arena);
    if (!file_make_dir(dir.ptr, 0700, err) ||
        !file_open(path.ptr, FILE_REPLACE, 0600, &r->file, err))
        return err_wrap(err, "take an upload");
    r->got.file = path.ptr;
    return true;
}

static bool take(struct receiving *r, struct str bytes, struct err *err)
{
    r->got.bytes += bytes.len;
    if (r->got.bytes > r->bytes_max)
        return err_set(err, ERR_TOO_LARGE,
                       "the file has more than %" PRIu64 " bytes (knowledge.file_bytes)",
                       r->bytes_max);
    return file_append(r->file, bytes.ptr, bytes.len, err) || err_wrap(err, "take an upload");
}

/* ---- a form ---- */

static bool begin_part(struct receiving *r, const struct multipart_part *part, struct err *err)
{
    struct form_field *field = &r->got.fields[r->got.field_count];

    if (part->filename.ptr) {
        if (!str_eq(part->name, str_from(r->field)) || r->got.file)
            return err_set(err, ERR_INVALID, "the form: expected one file, in the field \"%s\"",
                           r->field);
        r->got.name = part->filename;
        r->in_file = true;
        return open_file(r, err);
    }
    if (r->got.field_count == FORM_FIELDS_MAX)
        return err_set(err, ERR_INVALID, "the form has more than %d fields", FORM_FIELDS_MAX);
    buf_init(&r->value, r->call->arena, FORM_VALUE_MAX);
    field->name = part->name;
    r->in_field = true;
    return true;
}

static bool end_part(struct receiving *r, struct err *err)
{
    if (r->in_field && !buf_finish(&r->value, &r->got.fields[r->got.field_count++].value, err))
        return err_wrap(err, "a field of the form");
    r->in_field = r->in_file = false;
    return true;
}

static bool take_event(struct receiving *r, enum multipart_event event,
                       const struct multipart_part *part, struct str data, struct err *err)
{
    switch (event) {
    case MULTIPART_PART: return begin_part(r, part, err);
    case MULTIPART_DATA:
        if (r->in_file)
            return take(r, data, err);
        buf_str(&r->value, data);
        return true;
    case MULTIPART_PART_END: return end_part(r, err);
    case MULTIPART_MORE:
    case MULTIPART_END: break;
    }
    return true;
}

/* All that can be read of what was fed. */
static bool read_events(struct receiving *r, struct multipart *m, bool *over, struct err *err)
{
    enum multipart_event event = MULTIPART_PART;

    while (event != MULTIPART_MORE && event != MULTIPART_END) {
        struct multipart_part part;
        struct str data = STR_NONE;

        if (!multipart_next(m, &event, &part, &data, err) ||
            !take_event(r, event, &part, data, err))
            return false;
    }
    *over = event == MULTIPART_END;
    return true;
}

static SUSPENDS bool receive_form(struct receiving *r, struct str type, struct err *err)
{
    struct multipart m;
    struct str piece;
    bool over = false;

    if (!multipart_init(&m, r->call->arena, type, err))
        return false;
    do {
        if (!http_body_next(r->call->http, &piece, err))
            return false;
        for (size_t at = 0; at < piece.len; at += MULTIPART_FEED_MAX) {
            multipart_feed(&m, str_slice(piece, at, at + MULTIPART_FEED_MAX));
            if (!read_events(r, &m, &over, err))
                return false;
        }
    } while (piece.len > 0);
    return over || err_set(err, ERR_INVALID, "the form ends in the middle of a part");
}

/* ---- a body of its own ---- */

static SUSPENDS bool receive_plain(struct receiving *r, struct err *err)
{
    struct str piece;

    if (!open_file(r, err))
        return false;
    for (;;) {
        if (!http_body_next(r->call->http, &piece, err))
            return false;
        if (piece.len == 0)
            return true;
        if (!take(r, piece, err))
            return false;
    }
}

bool receive_file(struct admin_call *call, struct received *out, struct err *err)
{
    return receive_named(call, "file", out, err);
}

bool receive_named(struct admin_call *call, const char *field, struct received *out,
                   struct err *err)
{
    struct str type = http_field(&http_head(call->http)->fields, STR("content-type"));
    struct receiving r = {.call = call,
                          .field = field,
                          .bytes_max = (uint64_t)call->house->running->knowledge.file_bytes};
    bool is_form = str_eq_nocase(str_trim(str_slice(type, 0, str_find_char(type, ';'))),
                                 STR("multipart/form-data"));
    bool ok = is_form ? receive_form(&r, type, err) : receive_plain(&r, err);

    file_close(&r.file);
    if (!ok && err->code == ERR_TIMEOUT)
        call->status = 408;
    if (ok && !r.got.file)
        ok = err_set(err, ERR_INVALID, "the form: expected a file in the field \"%s\"", field);
    if (ok && r.got.bytes == 0)
        ok = err_set(err, ERR_INVALID, "the file is empty");
    if (!ok) {
        received_drop(&r.got);
        return false;
    }
    *out = r.got;
    return true;
}

void received_drop(struct received *received)
{
    struct err lost = {0};

    if (received->file)
        (void)!file_remove(received->file, &lost);
    received->file = NULL;
}

struct str received_field(const struct received *received, const char *name)
{
    for (size_t i = 0; i < received->field_count; i++)
        if (str_eq(received->fields[i].name, str_from(name)))
            return received->fields[i].value;
    return STR_NONE;
}

bool receive_clean(const struct house *house, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct err missing = {0};
    struct str *names, dir, path;
    size_t count;

    if (!arena)
        return err_no_room(err, "no memory to look for unfinished uploads");
    dir = arena_fmt(arena, STR_FMT "/" UPLOADS, STR_ARG(house->dir));
    if (!dir.ptr)
        return err_arena(err, arena);
    if (!file_list(arena, dir.ptr, NAMES_MAX, &names, &count, &missing))
        return missing.code == ERR_NOT_FOUND || err_set(err, missing.code, "%s", missing.text);
    for (size_t i = 0; i < count; i++) {
        path = arena_fmt(arena, STR_FMT "/" STR_FMT, STR_ARG(dir), STR_ARG(names[i]));
        if (!path.ptr)
            return err_arena(err, arena);
        if (!file_remove(path.ptr, err))
            return err_wrap(err, "remove an unfinished upload");
    }
    return true;
}
