/* What is to go is on the disk before anything goes, and the receipt afterwards: forgotten/ID.pending becomes
 * forgotten/ID.json. A start finishes what it finds pending: all of it has gone then, or, where the process ended before
 * the file was there, nothing. */
#include <stdio.h>
#include <string.h>

#include "app/admin_fields.h"
#include "app/forget_internal.h"
#include "base/log.h"
#include "sys/clock.h"

#define PENDING       ".pending"
#define RECEIPT       ".json"
#define PENDING_MAX   (256 * MIB)
#define ARENA         (2 * PENDING_MAX)
#define RECEIPTS_KEPT 1000 /* the oldest go: the audit log keeps their hashes */
#define NAMES_MAX     100000
#define LOOK_EVERY    (1 * SECOND)
#define RETRY_EVERY   30 /* looks */

/* ---- written ---- */

static void put_order(struct json_writer *w, const struct forgetting *f)
{
    const struct forget_order *o = f->order;

    jw_key(w, "order");
    jw_object(w);
    reply_text(w, "base", o->base);
    reply_text(w, "document", o->document);
    reply_text(w, "person", o->person);
    reply_text(w, "tenant", o->tenant);
    reply_text(w, "file", o->file);
    reply_bool(w, "whole", o->whole);
    reply_bool(w, "emptied", o->emptied);
    reply_bool(w, "keep_files", o->keep_files);
    reply_bool(w, "compact", o->compact);
    reply_bool(w, "unknown_too", o->unknown_too);
    reply_bool(w, "vanished", o->vanished != NULL);
    reply_text(w, "subject", f->told->subject);
    reply_text(w, "former", f->former);
    reply_text(w, "key_id", f->key_id);
    reply_count(w, "begun", f->begun);
    jw_object_end(w);
}

static void put_list(struct json_writer *w, const char *name, const struct str *list, size_t count)
{
    jw_key(w, name);
    jw_array(w);
    for (size_t i = 0; i < count; i++)
        jw_str(w, list[i]);
    jw_array_end(w);
}

void pending_put(const struct forgetting *f, struct buf *to)
{
    const struct forget_report *r = &f->told->documents;
    struct json_writer w;

    jw_init(&w, to);
    jw_object(&w);
    reply_count(&w, "weir_receipt", 1);
    reply_bool(&w, "pending", true);
    put_order(&w, f);
    put_list(&w, "bases", f->bases, f->base_count);
    put_list(&w, "shelf", r->files, r->file_count);
    receipt_put_documents(&w, r, SIZE_MAX, false);
    receipt_put_prints(&w, f->told);
    jw_object_end(&w);
}

static const char *folder_of(const struct house *house, struct arena *arena)
{
    return arena_fmt(arena, STR_FMT "/" FORGOTTEN_DIR, STR_ARG(house->dir)).ptr;
}

static const char *name_pending(struct forgetting *f, const char *folder)
{
    uint8_t bytes[4];
    struct buf b;

    clock_random(bytes, sizeof bytes);
    buf_init(&b, f->arena, 4 * KIB);
    buf_fmt(&b, "%s/%012" PRIx64 "-", folder, (uint64_t)f->begun);
    buf_hex(&b, bytes, sizeof bytes);
    buf_str(&b, STR(PENDING));
    buf_char(&b, '\0');
    return buf_ok(&b) ? b.ptr : NULL;
}

struct storing {
    const char *folder, *path;
    struct str text;
    bool ok, left; /* left: it failed, and the file is there all the same */
    struct err *err;
};

/* Who is told that it could not be written down must not have it carried out later. */
static void run_store(void *arg)
{
    struct storing *s = arg;
    struct err why = {0};

    s->ok = file_make_dir(s->folder, 0700, s->err) && file_store(s->path, s->text, 0600, s->err);
    s->left = !s->ok && !file_remove(s->path, &why) && why.code != ERR_NOT_FOUND;
}

static bool write_with(struct forgetting *f, struct pool *pool, struct err *err)
{
    struct storing s = {.folder = folder_of(f->house, f->arena), .err = err};
    struct buf b;

    s.path = s.folder ? name_pending(f, s.folder) : NULL;
    if (!s.path)
        return err_arena(err, f->arena);
    buf_init(&b, f->arena, PENDING_MAX);
    pending_put(f, &b);
    if (!buf_finish(&b, &s.text, err))
        return false;
    if (!pool)
        run_store(&s);
    else if (!pool_run(pool, run_store, &s, err))
        return false;
    if (s.ok || s.left)
        f->pending = s.path;
    return s.ok || err_wrap(err, "write down what is to be forgotten");
}

bool pending_write(struct forgetting *f, struct err *err)
{
    return write_with(f, f->house->documents, err);
}

bool pending_write_now(struct forgetting *f, struct err *err)
{
    return write_with(f, NULL, err);
}

/* ---- ended ---- */

struct ending {
    const char *folder, *pending, *receipt; /* receipt NULL: there was nothing */
    const char *reading;                    /* NULL: nobody reads what went */
    struct str text, held;
    bool ok;
    struct err err;
};

/* Names begin with the time: the oldest stand first once they are sorted, and few are ever too many. */
static bool remove_oldest(struct ending *e, struct arena *arena, struct err *err)
{
    struct str *names, oldest = STR_NONE;
    size_t count, receipts = 0;

    if (!file_list(arena, e->folder, NAMES_MAX, &names, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!str_ends(names[i], STR(RECEIPT)))
            continue;
        receipts++;
        if (!oldest.ptr || str_cmp(names[i], oldest) < 0)
            oldest = names[i];
    }
    if (receipts <= RECEIPTS_KEPT)
        return true;
    struct str path = arena_fmt(arena, "%s/" STR_FMT, e->folder, STR_ARG(oldest));
    return path.ptr ? file_remove(path.ptr, err) : err_arena(err, arena);
}

static bool end_now(struct ending *e, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);

    if (!arena)
        return err_no_room(err, "no memory for a receipt");
    if (e->receipt &&
        (!file_store(e->receipt, e->text, 0600, err) || !remove_oldest(e, arena, err)))
        return false;
    if (e->reading && !file_store(e->reading, e->held, 0600, err))
        return false;
    return file_remove(e->pending, err) && file_sync_dir(e->folder, err);
}

static void run_end(void *arg)
{
    struct ending *e = arg;

    e->ok = end_now(e, &e->err);
}

/* Whoever finds it looks until the reading has ended, and says so in the log. */
static bool name_reading(struct forgetting *f, size_t stem, struct ending *e, struct err *err)
{
    struct sha256 hash = sha256(f->told->receipt);
    struct held held = {.list = f->told->held, .count = f->told->held_count};
    struct buf hex, text;

    if (!held.count)
        return true;
    buf_init(&hex, f->arena, 2 * SHA256_BYTES + 1);
    buf_hex(&hex, hash.bytes, sizeof hash.bytes);
    held.receipt = buf_view(&hex);
    buf_init(&text, f->arena, RECEIPT_MAX);
    held_put(&held, &text);
    e->reading = arena_fmt(f->arena, "%.*s" READING_END, (int)stem, f->pending).ptr;
    return (e->reading || err_arena(err, f->arena)) && buf_finish(&text, &e->held, err);
}

bool pending_end(struct forgetting *f, struct err *err)
{
    size_t stem = strlen(f->pending) - strlen(PENDING);
    struct ending e = {.folder = folder_of(f->house, f->arena), .pending = f->pending};

    e.receipt = arena_fmt(f->arena, "%.*s" RECEIPT, (int)stem, f->pending).ptr;
    e.text = arena_fmt(f->arena, STR_FMT "\n", STR_ARG(f->told->receipt));
    if (!e.folder || !e.receipt || !e.text.ptr)
        return err_arena(err, f->arena);
    if (!name_reading(f, stem, &e, err) || !pool_run(f->house->documents, run_end, &e, err))
        return false;
    if (e.reading)
        atomic_store(&f->house->reading, true);
    if (!e.ok)
        *err = e.err;
    return e.ok || err_wrap(err, "all is gone, but the receipt could not be kept");
}

void pending_drop(struct forgetting *f)
{
    struct ending e = {.folder = folder_of(f->house, f->arena), .pending = f->pending};

    /* Never refused: an order that stayed would be tried again, and might find what came in meanwhile. */
    if (e.folder)
        pool_run_always(f->house->documents, run_end, &e);
    if (e.folder && !e.ok)
        log_error("forget: an order that found nothing stays in \"%s\" and would be tried again: "
                  "remove it: %s",
                  f->pending, e.err.text);
}

/* ---- read again ---- */

static bool read_text(const struct json *j, struct arena *arena, const char *name, struct str *out)
{
    return json_str(j, json_get(j, json_path(j, "order"), str_from(name)), arena, out);
}

static bool read_bool(const struct json *j, const char *name, bool *out)
{
    return json_bool(j, json_get(j, json_path(j, "order"), str_from(name)), out);
}

static bool read_list(const struct json *j, struct arena *arena, const char *name, struct str **out,
                      size_t *count)
{
    json_ref list = json_path(j, name);

    *out = arena_array(arena, json_count(j, list) + 1, sizeof **out);
    *count = 0;
    for (json_ref v = json_first(j, list); v; v = json_next(j, v))
        if (!*out || !json_str(j, v, arena, &(*out)[(*count)++]))
            return false;
    return *out != NULL && json_kind(j, list) == JSON_ARRAY;
}

static bool read_order(const struct json *j, struct arena *arena, struct pending_order *p)
{
    struct forget_order *o = &p->order;

    return read_text(j, arena, "base", &o->base) && read_text(j, arena, "document", &o->document) &&
           read_text(j, arena, "person", &o->person) && read_text(j, arena, "tenant", &o->tenant) &&
           read_text(j, arena, "file", &o->file) && read_bool(j, "whole", &o->whole) &&
           read_bool(j, "keep_files", &o->keep_files) && read_bool(j, "compact", &o->compact) &&
           read_bool(j, "unknown_too", &o->unknown_too) &&
           read_text(j, arena, "subject", &p->told.subject) &&
           read_text(j, arena, "former", &p->f.former) &&
           read_text(j, arena, "key_id", &p->f.key_id) &&
           json_i64(j, json_path(j, "order.begun"), &p->f.begun);
}

static bool is_one_order(const struct forget_order *o)
{
    return !!o->document.len + !!o->person.len + !!o->file.len + !!o->vanished + o->whole +
               o->emptied ==
           1;
}

/* An order of before this could be said does not say it. */
static bool read_emptied(const struct json *j, struct forget_order *o)
{
    return !json_path(j, "order.emptied") || read_bool(j, "emptied", &o->emptied);
}

/* They are the documents that were found. An order of before this could be said does not say it. */
static bool read_vanished(const struct json *j, struct arena *arena, struct pending_order *p)
{
    const struct forget_report *r = &p->told.documents;
    struct forget_order *o = &p->order;
    bool vanished = false;

    if (!json_path(j, "order.vanished"))
        return true;
    if (!read_bool(j, "vanished", &vanished) || !vanished)
        return !vanished;
    o->vanished = arena_array(arena, r->count + 1, sizeof *o->vanished);
    for (size_t i = 0; o->vanished && i < r->count; i++)
        o->vanished[o->vanished_count++] =
            (struct vanished){r->documents[i].id, r->documents[i].version};
    return o->vanished != NULL;
}

bool pending_read(struct arena *arena, struct str text, struct pending_order *p, struct err *err)
{
    struct json *j = json_parse(arena, text, err);
    struct forget_report *r = &p->told.documents;

    if (!j)
        return false;
    p->f.arena = arena;
    p->f.order = &p->order;
    p->f.told = &p->told;
    if (!receipt_read_documents(j, arena, r, err) ||
        !receipt_read_prints(j, arena, &r->prints, err))
        return false;
    if (!read_order(j, arena, p) || !read_emptied(j, &p->order) || !read_vanished(j, arena, p) ||
        !is_one_order(&p->order) || !read_list(j, arena, "bases", &p->f.bases, &p->f.base_count) ||
        !read_list(j, arena, "shelf", &r->files, &r->file_count) ||
        ((p->order.whole || p->order.emptied || p->order.vanished) && p->f.base_count != 1))
        return err_set(err, ERR_INVALID, "it does not say what is to be forgotten");
    if (p->order.whole)
        p->told.base = p->f.bases[0];
    if (p->order.emptied)
        p->told.emptied = p->f.bases[0];
    return true;
}

/* ---- written in part ---- */

bool house_forget_clean(const struct house *house, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    const char *folder = arena ? folder_of(house, arena) : NULL;
    struct str *names;
    size_t count;

    if (!folder)
        return err_no_room(err, "no memory to look what is to be forgotten");
    if (!file_list_any(arena, folder, NAMES_MAX, &names, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        const char *path = arena_fmt(arena, "%s/" STR_FMT, folder, STR_ARG(names[i])).ptr;

        if (!path)
            return err_arena(err, arena);
        if (str_ends(names[i], STR(FILE_UNFINISHED)) && !file_remove(path, err))
            return err_wrap(err, "remove an unfinished order to forget");
    }
    return true;
}

/* ---- finished ---- */

struct leftovers {
    const char *folder;
    struct arena *arena;
    struct str *names, text;
    size_t count;
    const char *path;
    bool ok;
    struct err err;
};

static void run_list(void *arg)
{
    struct leftovers *l = arg;

    l->ok = file_list(l->arena, l->folder, NAMES_MAX, &l->names, &l->count, &l->err);
}

static void run_load(void *arg)
{
    struct leftovers *l = arg;

    l->ok = file_load(l->arena, l->path, PENDING_MAX, &l->text, &l->err);
}

bool forget_note_down(struct house *house, struct str route, struct str note, struct err *err)
{
    const struct principal *who CLEANUP(principal_release) = accounts_local_admin(house->accounts);
    struct audit_record record = {.time = clock_wall(),
                                  .key_id = who->key_id,
                                  .tenant = who->tenant,
                                  .route = route,
                                  .outcome = STR("complete"),
                                  .tokens_in = -1,
                                  .tokens_out = -1,
                                  .tokens_cached = -1,
                                  .note = note};
    struct hold none = {0};

    return accounts_record(house->accounts, &none, &record, err);
}

bool forget_record(struct forgetting *f, struct err *err)
{
    return forget_note_down(f->house, STR("forget"), forget_note(f->arena, f->told), err);
}

/* A run had written down what it was about to remove and did not: then nothing is to go. */
static SUSPENDS bool was_not_removed(struct forgetting *f, bool *out, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct forget_wish wish = {.vanished = f->order->vanished,
                               .vanished_count = f->order->vanished_count,
                               .dry_run = true};
    struct forget_report there = {0};
    struct err gone = {0};

    *out = false;
    if (!f->order->vanished)
        return true;
    if (!bases_borrow(f->house->bases, f->bases[0], NULL, &base, &gone)) {
        *err = gone;
        return gone.code == ERR_NOT_FOUND && (*err = (struct err){0}, true);
    }
    if (!knowledge_erase(base_knowledge(base), f->arena, &wish, &there, err))
        return false;
    *out = there.count > 0;
    return true;
}

static SUSPENDS bool finish_one(struct house *house, struct leftovers *l, struct err *err)
{
    struct pending_order *p = arena_alloc(l->arena, sizeof *p);

    if (!p)
        return err_arena(err, l->arena);
    if (!pool_run(house->documents, run_load, l, err))
        return false;
    if (!l->ok) {
        *err = l->err;
        return err->code == ERR_NOT_FOUND && (*err = (struct err){0}, true); /* done meanwhile */
    }
    p->f = (struct forgetting){.house = house,
                               .arena = l->arena,
                               .order = &p->order,
                               .told = &p->told,
                               .resumed = true,
                               .pending = l->path};
    if (!pending_read(l->arena, l->text, p, err))
        return err_wrap(err, "\"%s\"", l->path);
    p->told.resumed = true;
    p->told.vanished = p->order.vanished != NULL;
    bool untouched;
    if (!was_not_removed(&p->f, &untouched, err))
        return false;
    if (untouched) {
        pending_drop(&p->f);
        return true;
    }
    if (!forget_carry_out(&p->f, err) || !forget_receipt(&p->f, err) ||
        !forget_record(&p->f, err) || !pending_end(&p->f, err))
        return false;
    log_info("forgetting that had been cut off is finished: %zu documents; its receipt is in "
             "\"%s\"",
             p->told.documents.count, l->folder);
    return true;
}

static SUSPENDS bool finish_all(struct house *house, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(ARENA);
    struct leftovers l = {.arena = arena};

    if (!arena)
        return err_no_room(err, "no memory to look what is to be forgotten");
    l.folder = folder_of(house, arena);
    if (!l.folder)
        return err_arena(err, arena);
    if (!pool_run(house->documents, run_list, &l, err))
        return false;
    if (!l.ok) {
        *err = l.err;
        return err->code == ERR_NOT_FOUND && (*err = (struct err){0}, true);
    }
    for (size_t i = 0; i < l.count; i++) {
        if (!str_ends(l.names[i], STR(PENDING)))
            continue;
        if (atomic_load(&house->forgetting) > 0)
            return true; /* whose it may be; the next look finds what is left then */
        l.path = arena_fmt(arena, "%s/" STR_FMT, l.folder, STR_ARG(l.names[i])).ptr;
        if (!l.path)
            return err_arena(err, arena);
        if (!finish_one(house, &l, err))
            return err_wrap(err, "forgetting that had been cut off is not finished");
    }
    return true;
}

void house_finish_forgetting(struct house *house)
{
    struct err err = {0};

    if (!finish_all(house, &err) && err.code != ERR_CANCELLED)
        log_error("%s; it is tried again every 30 s", err.text);
}

/* ---- indexes that were being written anew ---- */

static SUSPENDS bool compact_again(struct house *house, struct str id, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;

    return bases_borrow(house->bases, id, NULL, &base, err) &&
           knowledge_compact(base_knowledge(base), err);
}

static SUSPENDS void finish_compacting(struct house *house)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    struct base_info *all;
    size_t count = 0;
    struct err err = {0};

    if (!arena || !bases_list(house->bases, arena, NULL, &all, &count, &err)) {
        log_error("could not look whether an index was being written anew: %s",
                  arena ? err.text : "no memory");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (!bases_has_file(house->bases, all[i].id, COMPACTING))
            continue;
        if (compact_again(house, all[i].id, &err))
            log_info("knowledge base " STR_FMT
                     ": its index is written anew, which had been cut off",
                     STR_ARG(all[i].id));
        else if (err.code != ERR_CANCELLED)
            log_error("knowledge base " STR_FMT
                      ": its index was being written anew and is not: %s; `weir document compact` "
                      "does it, as does the next start",
                      STR_ARG(all[i].id), err.text);
    }
}

void house_forget_loop(void *arg)
{
    struct err err = {0};

    struct house *house = arg;

    atomic_store(&house->reading, true); /* what the last process left */
    finish_compacting(house);
    for (unsigned look = 1; fiber_sleep(LOOK_EVERY, &err); look++) {
        house_held_look(house);
        if (look % RETRY_EVERY == 0)
            house_finish_forgetting(house);
    }
}
