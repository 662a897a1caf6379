/* A receipt: what went, and by what anybody can look whether it is back. It names documents by id, version and salted
 * hashes alone: nothing in it is of their content. */
#include <string.h>

#include "app/admin_fields.h"
#include "app/forget_internal.h"

#define RECEIPT_VERSION 1

static void write_hex(struct json_writer *w, const char *key, const void *bytes, size_t len)
{
    char text[2 * SHA256_BYTES];
    struct buf b;

    buf_init_fixed(&b, text, sizeof text);
    buf_hex(&b, bytes, len);
    reply_text(w, key, buf_view(&b));
}

void receipt_put_documents(struct json_writer *w, const struct forget_report *report, size_t most,
                           bool paths)
{
    jw_key(w, "documents");
    jw_array(w);
    for (size_t i = 0; i < report->count && i < most; i++) {
        const struct forgotten *f = &report->documents[i];

        jw_object(w);
        reply_text(w, "id", f->id);
        if (paths)
            reply_text(w, "path", f->path);
        reply_text(w, "base", f->base);
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
    if (order->person.len) {
        reply_bool(w, "key_of_sealed_bodies", told->had_bodies);
        reply_count(w, "sessions", told->sessions);
    }
    if (order->whole && !order->dry_run) {
        reply_count(w, "files", (int64_t)told->base_removed.files);
        reply_count(w, "bytes", (int64_t)told->base_removed.bytes);
    }
    jw_object_end(w);
}

void receipt_put_prints(struct json_writer *w, const struct forget_told *told)
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

static void write_shelf(struct json_writer *w, const struct forget_told *told)
{
    jw_key(w, "files");
    jw_array(w);
    for (size_t i = 0; i < told->file_count; i++) {
        const struct forgotten_file *f = &told->files[i];

        if (!f->there && !f->removed)
            continue;
        jw_object(w);
        reply_text(w, "id", f->id);
        reply_count(w, "bytes", (int64_t)f->bytes);
        reply_bool(w, "removed", f->removed);
        jw_key(w, "needed_by");
        jw_array(w);
        for (size_t k = 0; k < f->needed_count; k++)
            jw_str(w, f->needed_by[k]);
        jw_array_end(w);
        jw_object_end(w);
    }
    jw_array_end(w);
}

/* ---- where was looked ---- */

static void write_store(struct json_writer *w, const char *store, uint64_t found, uint64_t removed)
{
    jw_object(w);
    reply_text(w, "store", str_from(store));
    reply_count(w, "found", (int64_t)found);
    reply_count(w, "removed", (int64_t)removed);
    jw_object_end(w);
}

static void write_stores(struct json_writer *w, const struct forget_order *order,
                         const struct forget_told *told)
{
    const struct forget_report *d = &told->documents;
    uint64_t there = 0, gone = 0, all = !order->dry_run;

    for (size_t i = 0; i < told->file_count; i++) {
        there += told->files[i].there || told->files[i].removed;
        gone += told->files[i].removed;
    }
    jw_key(w, "stores");
    jw_array(w);
    write_store(w, "documents", d->count, all * d->count);
    write_store(w, "passages, with words, vectors and names", d->passages, all * d->passages);
    if (all)
        write_store(w, "originals of documents that were sent", d->originals, d->originals);
    write_store(w, "files of /v1/files", there, all * gone);
    write_store(w, "files on their way into a knowledge base", d->attached, all * d->attached);
    write_store(w, "kept answers of /v1/responses", (uint64_t)told->responses,
                all * (uint64_t)told->responses);
    if (all)
        write_store(w, "answers of the cache: memory, files, Redis", told->cached, told->cached);
    if (order->person.len) {
        if (all)
            write_store(w, "keys of sealed bodies", told->had_bodies, told->had_bodies);
        write_store(w, "sessions of the console", (uint64_t)told->sessions,
                    all * (uint64_t)told->sessions);
    }
    jw_array_end(w);
}

/* How the name that was given was understood, and who brings back what it named. */
static void write_match(struct json_writer *w, const struct forget_order *order,
                        const struct forget_report *report)
{
    static const char *const names[] = {[MATCH_NONE] = "document", "document", "source", "folder"};
    enum document_match match = MATCH_NONE;
    int64_t there = 0, unknown = 0;

    for (size_t i = 0; i < report->count; i++) {
        match = MAX_OF(match, report->documents[i].how);
        there += report->documents[i].source == SOURCE_HAS_IT;
        unknown += report->documents[i].source == SOURCE_MAY_HAVE_IT;
    }
    if (order->document.len)
        reply_text(w, "matched", str_from(names[match]));
    if (!there && !unknown)
        return;
    jw_key(w, "at_source");
    jw_object(w);
    reply_count(w, "there", there);
    reply_count(w, "not_known", unknown);
    jw_object_end(w);
}

static void write_others(struct json_writer *w, const struct forget_told *told)
{
    if (!told->other_count)
        return;
    jw_key(w, "not_covered");
    jw_array(w);
    for (size_t i = 0; i < told->other_count; i++)
        jw_str(w, told->others[i]);
    jw_array_end(w);
}

static bool some_file_stays(const struct forget_told *told)
{
    for (size_t i = 0; i < told->file_count; i++)
        if (told->files[i].there && !told->files[i].removed)
            return true;
    return false;
}

static void write_stays(struct json_writer *w, const struct forget_order *order,
                        const struct forget_told *told)
{
    bool is_key = str_starts(order->person, STR("k_")) || str_starts(order->person, STR("u_"));

    jw_key(w, "stays");
    jw_array(w);
    jw_cstr(w, "records of the audit log: who asked when, without content; what administrators "
               "named in calls, as a path, stands in theirs");
    jw_cstr(w, "sums of usage and spend: by key, without end users and without content");
    if (!order->person.len)
        jw_cstr(w, "sealed bodies of the audit log, if they are kept: each goes with its subject");
    if (is_key)
        jw_cstr(w, "the key or person itself, with its name: revoke it, or remove its tenant or "
                   "team; bodies of end users whom its requests named go with them");
    if (told->held_count)
        jw_cstr(w, "the files of still_read, which have no name any more: somebody is reading "
                   "them, and their bytes go when that reading ends; the audit log will say so");
    if (told->held_unknown.len)
        jw_cstr(w, "what was being read while it went, if anything, until that reading ends: it "
                   "could not be looked at, see still_read_unknown");
    if (told->other_count)
        jw_cstr(w, "documents, uploads, files, sealed bodies and logs of the instances in "
                   "not_covered: each has its own; ask each of them too");
    if (!told->database_scrubbed && !order->dry_run)
        jw_cstr(w, "deleted rows in the files of the PostgreSQL server, until its vacuum");
    if (some_file_stays(told))
        jw_cstr(w, "the files of /v1/files that files names as not removed");
    if (told->base_removed.unread)
        jw_cstr(w, "answers that were made from the knowledge base: its index could not be read, "
                   "so nobody knows which these are");
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
    if (order->whole)
        reply_text(&w, "base", told->base);
    if (order->emptied)
        reply_text(&w, "emptied", told->emptied);
    if (told->vanished)
        reply_bool(&w, "gone_from_source", true);
    if (told->resumed)
        reply_bool(&w, "resumed", true);
    write_removed(&w, order, told);
    receipt_put_documents(&w, report, FORGET_DOCUMENTS_MAX, order->dry_run);
    write_match(&w, order, report);
    if (report->count > FORGET_DOCUMENTS_MAX)
        reply_count(&w, "documents_not_listed", (int64_t)(report->count - FORGET_DOCUMENTS_MAX));
    write_shelf(&w, told);
    write_stores(&w, order, told);
    jw_key(&w, "index");
    jw_object(&w);
    write_files(&w, "before", report->before, report->before_count);
    write_files(&w, "after", report->after, report->after_count);
    jw_object_end(&w);
    receipt_put_prints(&w, told);
    if (!order->dry_run) {
        write_search(&w, &told->search);
        jw_key(&w, "still_read");
        held_put_files(&w, told->held, told->held_count);
    }
    if (told->held_unknown.len)
        reply_text(&w, "still_read_unknown", told->held_unknown);
    write_others(&w, told);
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

static bool read_count(const struct json *j, json_ref of, const char *name, uint64_t *out)
{
    int64_t n;

    if (!json_i64(j, json_get(j, of, str_from(name)), &n) || n < 0)
        return false;
    *out = (uint64_t)n;
    return true;
}

static bool read_document(const struct json *j, json_ref v, struct arena *arena,
                          struct forgotten *out)
{
    uint64_t prints;

    if (!json_str(j, json_get(j, v, STR("id")), arena, &out->id) ||
        !json_str(j, json_get(j, v, STR("base")), arena, &out->base) ||
        !read_count(j, v, "version", &out->version) || !read_count(j, v, "bytes", &out->bytes) ||
        !read_count(j, v, "passages", &out->passages) ||
        !read_count(j, v, "fingerprints", &prints) ||
        !read_hex(j, json_get(j, v, STR("hash")), arena, out->hash.bytes, sizeof out->hash.bytes))
        return false;
    out->prints = (uint32_t)prints;
    return true;
}

bool receipt_read_documents(const struct json *j, struct arena *arena, struct forget_report *out,
                            struct err *err)
{
    json_ref list = json_path(j, "documents");

    out->documents = arena_array(arena, json_count(j, list) + 1, sizeof *out->documents);
    if (!out->documents)
        return err_arena(err, arena);
    for (json_ref v = json_first(j, list); v; v = json_next(j, v)) {
        if (!read_document(j, v, arena, &out->documents[out->count]))
            return err_set(err, ERR_INVALID, "documents[%zu] is none", out->count);
        out->passages += out->documents[out->count++].passages;
    }
    return true;
}

bool receipt_read_prints(const struct json *j, struct arena *arena, struct fingerprints *out,
                         struct err *err)
{
    int64_t window;

    if (!json_i64(j, json_path(j, "fingerprints.window"), &window) ||
        window != FINGERPRINT_WINDOW ||
        !read_every(j, json_path(j, "fingerprints.every"), &out->way.every) ||
        !read_hex(j, json_path(j, "fingerprints.salt"), arena, out->way.salt, sizeof out->way.salt))
        return err_set(err, ERR_INVALID, "its fingerprints are not ones that this Weir can find");
    return read_hashes(j, json_path(j, "fingerprints.hashes"), arena, out, err);
}

bool receipt_read(struct arena *arena, struct str text, struct receipt *out, struct err *err)
{
    struct receipt r = {.text = str_trim(text)};
    struct json *j = json_parse(arena, r.text, err);
    bool dry_run = false;
    int64_t version;

    if (!j)
        return err_wrap(err, "it is not a receipt");
    if (!json_i64(j, json_path(j, "weir_receipt"), &version) || version != RECEIPT_VERSION)
        return err_set(err, ERR_INVALID, "it is not a receipt that this Weir can read");
    if (json_bool(j, json_path(j, "dry_run"), &dry_run) && dry_run)
        return err_set(err, ERR_INVALID, "it is of a dry run: nothing was removed");
    r.held = json_count(j, json_path(j, "still_read"));
    if (json_path(j, "still_read_unknown") &&
        !json_str(j, json_path(j, "still_read_unknown"), arena, &r.held_unknown))
        return err_set(err, ERR_INVALID, "it is not a receipt that this Weir can read");
    if (json_bool(j, json_path(j, "pending"), &r.pending) && !r.pending)
        return err_set(err, ERR_INVALID, "it is not a receipt that this Weir can read");
    if (!receipt_read_prints(j, arena, &r.prints, err))
        return false;
    *out = r;
    return true;
}
