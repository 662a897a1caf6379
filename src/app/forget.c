#include "app/forget.h"

#include <errno.h>

#include <string.h>

#include "app/house_changes.h"
#include "models/responses_store.h"
#include "sys/clock.h"

#define NAMES_MAX      100000
#define DEPTH_MAX      16
#define FOUND_MAX      1000
#define DOCUMENTS_EACH 32 /* above, the whole cache goes: each document costs a walk over it */
#define PERSON_EVERY   2

/* ---- looking into files ---- */

struct walk {
    struct arena *arena;
    const struct search_where *where;
    struct fingerprints *prints;
    struct file_search *out;
};

static bool search_file(struct walk *w, struct str path, struct err *err)
{
    uint64_t bytes = 0, seen = 0;
    struct err why = {0};

    if (!fingerprints_find(w->prints, path.ptr, &bytes, &seen, &why)) {
        if (why.code == ERR_NOT_FOUND || why.sys == ENXIO || why.sys == EOPNOTSUPP)
            return true; /* gone meanwhile, or a socket */
        *err = why;
        return false;
    }
    w->out->files++;
    w->out->bytes += bytes;
    if (!seen)
        return true;
    if (w->out->found_count == FOUND_MAX)
        return err_set(err, ERR_TOO_LARGE, "it stands in more than %d files", FOUND_MAX);
    w->out->found[w->out->found_count++] =
        (struct found_file){str_slice(path, strlen(w->where->dir) + 1, path.len), seen};
    return true;
}

static bool is_passed_over(const struct walk *w, struct str name)
{
    bool segment = str_ends(name, STR(".segment")) || str_ends(name, STR(".records"));

    return w->where->which != SEARCH_ALL && segment != (w->where->which == SEARCH_SEGMENTS);
}

static bool walk(struct walk *w, struct str dir, int depth, struct err *err)
{
    struct str *names;
    size_t count;

    if (depth > DEPTH_MAX)
        return err_set(err, ERR_TOO_LARGE, "folders below \"%s\" are nested too deep",
                       w->where->dir);
    if (!file_list(w->arena, dir.ptr, NAMES_MAX, &names, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct str path = arena_fmt(w->arena, STR_FMT "/" STR_FMT, STR_ARG(dir), STR_ARG(names[i]));
        struct file_info info;
        struct err gone = {0};

        if (!path.ptr)
            return err_arena(err, w->arena);
        if (!file_stat(path.ptr, &info, &gone) || (!info.is_dir && is_passed_over(w, names[i])))
            continue;
        if (!(info.is_dir ? walk(w, path, depth + 1, err) : search_file(w, path, err)))
            return false;
    }
    return true;
}

bool search_files(struct arena *arena, const struct search_where *where,
                  struct fingerprints *prints, struct file_search *out, struct err *err)
{
    struct walk w = {.arena = arena, .where = where, .prints = prints, .out = out};

    *out = (struct file_search){.found = arena_array(arena, FOUND_MAX, sizeof *out->found)};
    return (out->found || err_arena(err, arena)) &&
           (walk(&w, str_from(where->dir), 0, err) || err_wrap(err, "look for what was forgotten"));
}

/* ---- the order, step by step ---- */

struct list_part {
    void *at;
    size_t count, size; /* size: of one */
};

struct forgetting {
    struct house *house;
    struct arena *arena;
    const struct forget_order *order;
    struct forget_told *told;
    struct str key_id; /* of a person who is a key */
    bool ok;
    struct err err;
};

static bool is_pseudonym(struct str text)
{
    uint8_t bytes[16];

    return str_starts(text, STR("s_")) &&
           hex_parse(str_slice(text, 2, text.len), bytes, sizeof bytes);
}

static bool is_unknown_id(const struct forget_order *o)
{
    struct str text = o->document;
    uint8_t bytes[8];

    return o->unknown_too && text.len == 18 && str_starts(text, STR("d_")) &&
           hex_parse(str_slice(text, 2, text.len), bytes, sizeof bytes);
}

static bool name_person(struct forgetting *f, struct err *err)
{
    struct str person = f->order->person;
    bool is_key = str_starts(person, STR("k_")) || str_starts(person, STR("u_"));
    char *text = arena_alloc(f->arena, AUDIT_SUBJECT_TEXT);

    if (!text)
        return err_arena(err, f->arena);
    f->key_id = is_key ? person : STR("");
    if (!is_pseudonym(person))
        audit_subject(f->house->audit_bodies, f->order->tenant, is_key ? STR("") : person,
                      f->key_id, text);
    f->told->subject = is_pseudonym(person) ? person : str_from(text);
    return true;
}

static void run_bodies(void *arg)
{
    struct forgetting *f = arg;
    struct arena *scratch CLEANUP(arena_end) = arena_new(256 * MIB);
    struct str hold = STR_NONE, subject = f->told->subject;

    f->ok = scratch ? audit_hold_on_subject(f->house->audit_keep, subject, scratch, &hold, &f->err)
                    : err_no_room(&f->err, "no memory");
    if (f->ok && hold.len)
        f->ok = err_set(&f->err, ERR_DENIED,
                        "hold " STR_FMT " is on records of this person: release it first",
                        STR_ARG(hold));
    if (f->ok && !f->order->dry_run)
        f->ok = audit_body_erase(f->house->audit_bodies, subject, &f->told->had_bodies, &f->err);
}

static SUSPENDS bool on_disk_pool(struct forgetting *f, void (*run)(void *arg), struct err *err)
{
    if (!pool_run(f->house->disk, run, f, err))
        return false;
    if (!f->ok)
        *err = f->err;
    return f->ok;
}

static bool join_list(struct arena *arena, const struct list_part *a, const struct list_part *b,
                      struct list_part *out)
{
    char *all = arena_array(arena, a->count + b->count + 1, a->size);

    if (!all)
        return false;
    if (a->count)
        memcpy(all, a->at, a->count * a->size);
    if (b->count)
        memcpy(all + a->count * a->size, b->at, b->count * a->size);
    *out = (struct list_part){all, a->count + b->count, a->size};
    return true;
}

#define JOIN(member, count_member)                                                                \
    (join_list(f->arena, &(struct list_part){to->member, to->count_member, sizeof *to->member},   \
               &(struct list_part){from->member, from->count_member, sizeof *from->member}, &all) \
         ? (to->member = all.at, to->count_member = all.count, true)                              \
         : false)

/* What another base lost, behind what was lost before. */
static bool join_report(struct forgetting *f, const struct forget_report *from, struct err *err)
{
    struct forget_report *to = &f->told->documents;
    struct list_part all;

    to->passages += from->passages;
    to->prints.way = from->prints.way;
    if (!JOIN(documents, count) || !JOIN(before, before_count) || !JOIN(after, after_count) ||
        !JOIN(prints.at, prints.count))
        return err_arena(err, f->arena);
    to->prints.found = arena_array(f->arena, to->prints.count + 1, sizeof *to->prints.found);
    fingerprints_sort(&to->prints);
    return to->prints.found || err_arena(err, f->arena);
}

static bool name_files(struct forgetting *f, struct str base, struct index_file *files,
                       size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        files[i].name =
            arena_fmt(f->arena, STR_FMT "/" STR_FMT, STR_ARG(base), STR_ARG(files[i].name));
        if (!files[i].name.ptr)
            return err_arena(err, f->arena);
    }
    return true;
}

static SUSPENDS bool forget_in(struct forgetting *f, struct str name,
                               const struct forget_wish *wish, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct forget_report report;

    if (!bases_borrow(f->house->bases, name, NULL, &base, err) ||
        !knowledge_erase(base_knowledge(base), f->arena, wish, &report, err))
        return false;
    if (!str_eq(base_id(base), BASE_DEFAULT)) {
        bool same = report.before == report.after;

        if (!name_files(f, base_id(base), report.before, report.before_count, err) ||
            (!same && !name_files(f, base_id(base), report.after, report.after_count, err)))
            return false;
    }
    return join_report(f, &report, err);
}

/* An id that the index does not know may be one whose forgetting was cut off behind the index. */
static SUSPENDS bool forget_document(struct forgetting *f, struct err *err)
{
    const struct forget_order *o = f->order;
    const struct forget_wish wish = {
        .document = o->document, .dry_run = o->dry_run, .compact = o->compact};

    if (forget_in(f, o->base.len ? o->base : BASE_DEFAULT, &wish, err))
        return true;
    if (err->code != ERR_NOT_FOUND || !is_unknown_id(o))
        return false;
    *err = (struct err){0};
    return true;
}

/* A person's documents stand in any base: with fingerprints of one kind, so that one search finds them. */
static SUSPENDS bool forget_documents_of(struct forgetting *f, struct err *err)
{
    struct fingerprint_way way = {.every = PERSON_EVERY};
    const struct forget_wish wish = {
        .person = f->order->person, .dry_run = f->order->dry_run, .way = &way};
    struct base_info *bases;
    size_t count;

    clock_random(way.salt, sizeof way.salt);
    if (!bases_list(f->house->bases, f->arena, NULL, &bases, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!forget_in(f, bases[i].id, &wish, err))
            return err_wrap(err, "knowledge base \"" STR_FMT "\"", STR_ARG(bases[i].name));
    return true;
}

static SUSPENDS bool forget_documents(struct forgetting *f, struct err *err)
{
    return f->order->person.len ? forget_documents_of(f, err) : forget_document(f, err);
}

static SUSPENDS bool purge_tag(struct forgetting *f, const char *kind, struct str of,
                               struct err *err)
{
    struct cache_selector what = {.tag = arena_fmt(f->arena, "%s" STR_FMT, kind, STR_ARG(of))};
    uint64_t gone = 0;

    if (!what.tag.ptr)
        return err_arena(err, f->arena);
    if (!house_purge(f->house, f->arena, &what, &gone, err))
        return false;
    f->told->cached += gone;
    return true;
}

static SUSPENDS bool purge_cache(struct forgetting *f, struct err *err)
{
    const struct forget_report *report = &f->told->documents;
    const struct cache_selector all = {0};

    if (report->count > DOCUMENTS_EACH)
        return house_purge(f->house, f->arena, &all, &f->told->cached, err);
    for (size_t i = 0; i < report->count; i++)
        if (!purge_tag(f, CACHE_OF_DOCUMENT, report->documents[i].id, err))
            return false;
    if (!report->count && is_unknown_id(f->order) &&
        !purge_tag(f, CACHE_OF_DOCUMENT, f->order->document, err))
        return false;
    if (f->key_id.len && !purge_tag(f, CACHE_OF_KEY, f->key_id, err))
        return false;
    return !f->order->person.len || purge_tag(f, CACHE_OF_SUBJECT, f->told->subject, err);
}

static SUSPENDS bool forget_responses_of(struct forgetting *f,
                                         const struct responses_selector *what, struct err *err)
{
    int64_t gone = 0;

    if (!(f->order->dry_run ? responses_count : responses_forget)(f->house->responses, what, &gone,
                                                                  err))
        return false;
    f->told->responses += gone;
    return true;
}

static SUSPENDS bool forget_responses(struct forgetting *f, struct err *err)
{
    const struct forget_report *report = &f->told->documents;
    struct responses_selector person = {
        .tenant = f->order->tenant, .key_id = f->key_id, .subject = f->told->subject};
    bool by_id = !report->count && is_unknown_id(f->order);

    if (!f->house->responses)
        return true;
    for (size_t i = 0; i < report->count + by_id; i++) {
        struct responses_selector document = {.document = by_id ? f->order->document
                                                                : report->documents[i].id};

        if (!forget_responses_of(f, &document, err))
            return false;
    }
    return !f->order->person.len || forget_responses_of(f, &person, err);
}

/* First what other documents say too, then everything else. */
static void run_search(void *arg)
{
    struct forgetting *f = arg;
    struct fingerprints *prints = &f->told->documents.prints;
    struct arena *scratch CLEANUP(arena_end) = arena_new(64 * MIB);
    struct search_where where = {.dir = f->house->dir.ptr, .which = SEARCH_SEGMENTS};
    size_t taken = prints->count;
    struct file_search index;

    f->ok = scratch ? search_files(scratch, &where, prints, &index, &f->err)
                    : err_no_room(&f->err, "no memory");
    if (!f->ok)
        return;
    fingerprints_drop_found(prints);
    f->told->shared = taken - prints->count;
    where.which = SEARCH_OTHERS;
    f->ok = search_files(f->arena, &where, prints, &f->told->search, &f->err);
    f->told->search.files += index.files;
    f->told->search.bytes += index.bytes;
}

static SUSPENDS bool forget_all(struct forgetting *f, struct err *err)
{
    const struct forget_order *o = f->order;

    if (o->person.len && (!name_person(f, err) || !on_disk_pool(f, run_bodies, err)))
        return false;
    if (!forget_documents(f, err) || (!o->dry_run && !purge_cache(f, err)) ||
        !forget_responses(f, err))
        return false;
    if (is_unknown_id(o) && !f->told->documents.count && !f->told->cached && !f->told->responses)
        return err_set(err, ERR_NOT_FOUND, "no document \"" STR_FMT "\"", STR_ARG(o->document));
    return o->dry_run || (store_scrub(f->house->store, &f->told->database_scrubbed, err) &&
                          on_disk_pool(f, run_search, err));
}

bool house_forget(struct house *house, struct arena *arena, const struct forget_order *order,
                  struct forget_told *out, struct err *err)
{
    struct forget_told told = {0};
    struct forgetting f = {.house = house, .arena = arena, .order = order, .told = &told};

    ASSERT(!order->document.len != !order->person.len);
    if (!forget_all(&f, err))
        return err_wrap(err, order->dry_run ? "look what would be forgotten" : "forget");
    *out = told;
    return true;
}
