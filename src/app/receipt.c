/* A receipt: what went, and by what anybody can look whether it is back. It names documents by id, version and salted
 * hashes alone: nothing in it is of their content. */
#include <string.h>

#include "app/admin_fields.h"
#include "app/forget.h"

#define RECEIPT_VERSION 1

static void write_hex(struct json_writer *w, const char *key, const void *bytes, size_t len)
{
    char text[2 * SHA256_BYTES];
    struct buf b;

    buf_init_fixed(&b, text, sizeof text);
    buf_hex(&b, bytes, len);
    reply_text(w, key, buf_view(&b));
}

static void write_documents(struct json_writer *w, const struct forget_report *report)
{
    jw_key(w, "documents");
    jw_array(w);
    for (size_t i = 0; i < report->count; i++) {
        const struct forgotten *f = &report->documents[i];

        jw_object(w);
        reply_text(w, "id", f->id);
        reply_count(w, "version", (int64_t)f->version);
        reply_count(w, "bytes", (int64_t)f->bytes);
        reply_count(w, "passages", (int64_t)f->passages);
        write_hex(w, "hash", f->hash.bytes, sizeof f->hash.bytes);
        reply_count(w, "fingerprints", f->prints);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void write_files(struct json_writer *w, const char *key, const struct index_file *list,
                        size_t count)
{
    jw_key(w, key);
    jw_array(w);
    for (size_t i = 0; i < count; i++) {
        jw_object(w);
        reply_text(w, "file", list[i].name);
        reply_count(w, "bytes", (int64_t)list[i].bytes);
        write_hex(w, "sha256", list[i].hash.bytes, sizeof list[i].hash.bytes);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void write_removed(struct json_writer *w, const struct forget_order *order,
                          const struct forget_told *told)
{
    jw_key(w, "removed");
    jw_object(w);
    reply_count(w, "documents", (int64_t)told->documents.count);
    reply_count(w, "passages", (int64_t)told->documents.passages);
    reply_count(w, "kept_answers", told->responses);
    if (!order->dry_run)
        reply_count(w, "cached_answers", (int64_t)told->cached);
    if (order->person.len)
        reply_bool(w, "key_of_sealed_bodies", told->had_bodies);
    jw_object_end(w);
}

static void write_prints(struct json_writer *w, const struct forget_told *told)
{
    const struct fingerprints *prints = &told->documents.prints;

    jw_key(w, "fingerprints");
    jw_object(w);
    write_hex(w, "salt", prints->way.salt, sizeof prints->way.salt);
    reply_count(w, "window", FINGERPRINT_WINDOW);
    reply_count(w, "every", (int64_t)1 << prints->way.every);
    reply_count(w, "shared", (int64_t)told->shared);
    jw_key(w, "hashes");
    jw_array(w);
    for (size_t i = 0; i < prints->count; i++) {
        char text[16];
        struct buf b;

        buf_init_fixed(&b, text, sizeof text);
        buf_hex_u64(&b, prints->at[i]);
        jw_str(w, buf_view(&b));
    }
    jw_array_end(w);
    jw_object_end(w);
}

static void write_search(struct json_writer *w, const struct file_search *search)
{
    jw_key(w, "searched");
    jw_object(w);
    reply_count(w, "files", (int64_t)search->files);
    reply_count(w, "bytes", (int64_t)search->bytes);
    jw_key(w, "found");
    jw_array(w);
    for (size_t i = 0; i < search->found_count; i++) {
        jw_object(w);
        reply_text(w, "file", search->found[i].name);
        reply_count(w, "fingerprints", (int64_t)search->found[i].prints);
        jw_object_end(w);
    }
    jw_array_end(w);
    jw_object_end(w);
}

static void write_stays(struct json_writer *w, const struct forget_order *order,
                        const struct forget_told *told)
{
    jw_key(w, "stays");
    jw_array(w);
    jw_cstr(w, "records of the audit log: who asked when, without content");
    if (!order->person.len)
        jw_cstr(w, "sealed bodies of the audit log, if they are kept: each goes with its subject");
    if (!told->database_scrubbed && !order->dry_run)
        jw_cstr(w, "deleted rows in the files of the PostgreSQL server, until its vacuum");
    jw_cstr(w, "files of /v1/files that it came from, until they are deleted there");
    jw_cstr(w, "the original, backups, and what clients and providers were given");
    jw_array_end(w);
}

void receipt_write(const struct forget_order *order, const struct forget_told *told, wall_ms now,
                   struct buf *to)
{
    const struct forget_report *report = &told->documents;
    struct json_writer w;

    jw_init(&w, to);
    jw_object(&w);
    reply_count(&w, "weir_receipt", RECEIPT_VERSION);
    reply_time(&w, "time", now);
    reply_bool(&w, "dry_run", order->dry_run);
    if (order->person.len)
        reply_text(&w, "person", told->subject);
    write_removed(&w, order, told);
    write_documents(&w, report);
    jw_key(&w, "index");
    jw_object(&w);
    write_files(&w, "before", report->before, report->before_count);
    write_files(&w, "after", report->after, report->after_count);
    jw_object_end(&w);
    write_prints(&w, told);
    if (!order->dry_run)
        write_search(&w, &told->search);
    write_stays(&w, order, told);
    jw_object_end(&w);
}

/* ---- reading ---- */

static bool read_hex(const struct json *j, json_ref v, struct arena *arena, uint8_t *to, size_t len)
{
    struct str text;

    return json_str(j, v, arena, &text) && text.len == 2 * len && hex_parse(text, to, len);
}

static bool read_every(const struct json *j, json_ref v, uint32_t *out)
{
    int64_t every;

    if (!json_i64(j, v, &every))
        return false;
    for (*out = 0; *out <= FINGERPRINT_EVERY_MAX; ++*out)
        if (every == (int64_t)1 << *out)
            return true;
    return false;
}

static bool read_hashes(const struct json *j, json_ref list, struct arena *arena,
                        struct fingerprints *out, struct err *err)
{
    size_t count = json_kind(j, list) == JSON_ARRAY ? json_count(j, list) : 0;
    uint8_t bytes[sizeof *out->at];

    out->at = arena_array(arena, count + 1, sizeof *out->at);
    out->found = arena_array(arena, count + 1, sizeof *out->found);
    if (!out->at || !out->found)
        return err_arena(err, arena);
    for (json_ref v = json_first(j, list); v; v = json_next(j, v)) {
        if (!read_hex(j, v, arena, bytes, sizeof bytes))
            return err_set(err, ERR_INVALID, "fingerprints.hashes[%zu] is none", out->count);
        for (size_t i = 0; i < sizeof bytes; i++)
            out->at[out->count] = out->at[out->count] << 8 | bytes[i];
        out->count++;
    }
    fingerprints_sort(out);
    return true;
}

bool receipt_read(struct arena *arena, struct str text, struct receipt *out, struct err *err)
{
    struct receipt r = {.text = str_trim(text)};
    struct json *j = json_parse(arena, r.text, err);
    int64_t version, window;
    bool dry_run = false;

    if (!j)
        return err_wrap(err, "it is not a receipt");
    if (!json_i64(j, json_path(j, "weir_receipt"), &version) || version != RECEIPT_VERSION)
        return err_set(err, ERR_INVALID, "it is not a receipt that this Weir can read");
    if (json_bool(j, json_path(j, "dry_run"), &dry_run) && dry_run)
        return err_set(err, ERR_INVALID, "it is of a dry run: nothing was removed");
    if (!json_i64(j, json_path(j, "fingerprints.window"), &window) ||
        window != FINGERPRINT_WINDOW ||
        !read_every(j, json_path(j, "fingerprints.every"), &r.prints.way.every) ||
        !read_hex(j, json_path(j, "fingerprints.salt"), arena, r.prints.way.salt,
                  sizeof r.prints.way.salt))
        return err_set(err, ERR_INVALID, "its fingerprints are not ones that this Weir can find");
    if (!read_hashes(j, json_path(j, "fingerprints.hashes"), arena, &r.prints, err))
        return false;
    *out = r;
    return true;
}
