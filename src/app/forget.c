#include "app/forget_internal.h"

#include <string.h>

#include "app/house_changes.h"
#include "models/responses_store.h"
#include "sys/clock.h"

#define DOCUMENTS_EACH 32 /* above, the whole cache goes: each document costs a walk over it */
#define PERSON_EVERY   2
#define SESSIONS_MOST  1000
#define CLOCKS_APART   ((wall_ms)60 * 1000) /* of instances */

/* ---- whom ---- */

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
    struct str user = is_key ? STR("") : person, tenant = f->order->tenant;
    char *text = arena_alloc(f->arena, AUDIT_SUBJECT_TEXT);
    char *former = arena_alloc(f->arena, AUDIT_SUBJECT_TEXT);

    if (!text || !former)
        return err_arena(err, f->arena);
    f->key_id = is_key ? person : STR("");
    f->former = STR("");
    if (audit_subject_read(person, text)) {
        f->told->subject = str_from(text);
        return true;
    }
    audit_subject(f->house->audit_bodies, tenant, user, f->key_id, text);
    f->told->subject = str_from(text);
    if (audit_former_subject(f->house->audit_bodies, tenant, user, f->key_id, former))
        f->former = str_from(former);
    return true;
}

static SUSPENDS bool on_pool(struct forgetting *f, struct pool *pool, void (*run)(void *arg),
                             struct err *err)
{
    if (!pool_run(pool, run, f, err))
        return false;
    if (!f->ok)
        *err = f->err;
    return f->ok;
}

/* Where the database was not always shared, what was sealed before is under the pseudonym of then. */
static size_t subjects_of(const struct forgetting *f, struct str out[2])
{
    out[0] = f->told->subject;
    out[1] = f->former;
    return f->former.len ? 2 : 1;
}

static void run_hold(void *arg)
{
    struct forgetting *f = arg;
    struct arena *scratch CLEANUP(arena_end) = arena_new(256 * MIB);
    struct str hold = STR_NONE, subjects[2];
    size_t count = subjects_of(f, subjects);

    f->ok = scratch || err_no_room(&f->err, "no memory");
    for (size_t i = 0; i < count && f->ok && !hold.len; i++)
        f->ok = audit_hold_on_subject(f->house->audit_keep, subjects[i], scratch, &hold, &f->err);
    if (f->ok && hold.len)
        f->ok = err_set(&f->err, ERR_DENIED,
                        "hold " STR_FMT " is on records of this person: release it first",
                        STR_ARG(hold));
}

static void run_bodies(void *arg)
{
    struct forgetting *f = arg;
    struct str subjects[2];
    size_t count = subjects_of(f, subjects);
    bool had;

    f->ok = true;
    for (size_t i = 0; i < count && f->ok; i++) {
        f->ok = audit_body_erase(f->house->audit_bodies, subjects[i], &had, &f->err);
        f->told->had_bodies = f->told->had_bodies || (f->ok && had);
    }
}

/* ---- reports of several bases, and of looking and doing, as one ---- */

static bool grow(struct arena *arena, void **at, size_t count, size_t more, size_t size)
{
    char *all = arena_array(arena, count + more + 1, size);

    if (!all)
        return false;
    if (count)
        memcpy(all, *at, count * size);
    *at = all;
    return true;
}

static bool has_document(const struct forget_report *r, const struct forgotten *one)
{
    for (size_t i = 0; i < r->count; i++)
        if (str_eq(r->documents[i].id, one->id) && str_eq(r->documents[i].base, one->base))
            return true;
    return false;
}

static bool has_text(const struct str *list, size_t count, struct str text)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(list[i], text))
            return true;
    return false;
}

/* What was looked at before is what is done now, mostly: then there is nothing new in order. */
static bool same_documents(const struct forget_report *a, const struct forget_report *b)
{
    for (size_t i = 0; i < b->count; i++)
        if (i >= a->count || !str_eq(a->documents[i].id, b->documents[i].id) ||
            !str_eq(a->documents[i].base, b->documents[i].base))
            return false;
    return true;
}

static bool join_documents(struct forgetting *f, const struct forget_report *from)
{
    struct forget_report *to = &f->told->documents;
    void *at = to->documents;

    if (same_documents(to, from))
        return true;
    if (!grow(f->arena, &at, to->count, from->count, sizeof *to->documents))
        return false;
    to->documents = at;
    size_t before = to->count;
    const struct forget_report known = {.documents = at, .count = before};
    for (size_t i = 0; i < from->count; i++)
        if (!has_document(&known, &from->documents[i]))
            to->documents[to->count++] = from->documents[i];
    return true;
}

static bool join_files(struct forgetting *f, const struct forget_report *from)
{
    struct forget_report *to = &f->told->documents;
    void *at = to->files;

    if (!grow(f->arena, &at, to->file_count, from->file_count, sizeof *to->files))
        return false;
    to->files = at;
    for (size_t i = 0; i < from->file_count; i++)
        if (!has_text(to->files, to->file_count, from->files[i]))
            to->files[to->file_count++] = from->files[i];
    to->attached += from->attached;
    to->originals += from->originals;
    return true;
}

static bool join_prints(struct forgetting *f, const struct forget_report *from)
{
    struct fingerprints *to = &f->told->documents.prints;
    void *at = to->at;

    if (!grow(f->arena, &at, to->count, from->prints.count, sizeof *to->at))
        return false;
    to->at = at;
    if (from->prints.count)
        memcpy(to->at + to->count, from->prints.at, from->prints.count * sizeof *to->at);
    to->count += from->prints.count;
    to->way = from->prints.way;
    to->found = arena_array(f->arena, to->count + 1, sizeof *to->found);
    fingerprints_sort(to);
    return to->found != NULL;
}

static bool join_index(struct forgetting *f, struct index_file **to, size_t *count,
                       const struct index_file *from, size_t more, struct str base)
{
    void *at = *to;

    if (!grow(f->arena, &at, *count, more, sizeof *from))
        return false;
    *to = at;
    for (size_t i = 0; i < more; i++) {
        struct index_file *file = &(*to)[(*count)++];

        *file = from[i];
        if (base.len)
            file->name =
                arena_fmt(f->arena, STR_FMT "/" STR_FMT, STR_ARG(base), STR_ARG(from[i].name));
        if (!file->name.ptr)
            return false;
    }
    return true;
}

static bool join_report(struct forgetting *f, struct str base, const struct forget_report *from,
                        struct err *err)
{
    struct forget_report *to = &f->told->documents;
    struct str shown = str_eq(base, BASE_DEFAULT) ? STR("") : base;

    for (size_t i = 0; i < from->count; i++)
        from->documents[i].base = base;
    if (!join_documents(f, from) || !join_files(f, from) || !join_prints(f, from) ||
        !join_index(f, &to->before, &to->before_count, from->before, from->before_count, shown) ||
        !join_index(f, &to->after, &to->after_count, from->after, from->after_count, shown))
        return err_arena(err, f->arena);
    to->shared += from->shared;
    to->passages = 0;
    for (size_t i = 0; i < to->count; i++)
        to->passages += to->documents[i].passages;
    return true;
}

/* ---- documents ---- */

/* Fingerprints of all bases are of one kind, so that one search finds them, and those of doing the ones of looking. */
static const struct fingerprint_way *way_of(const struct forgetting *f)
{
    return f->told->documents.prints.way.every || f->told->documents.prints.count
               ? &f->told->documents.prints.way
               : NULL;
}

static struct forget_wish wish_of(const struct forgetting *f, bool look)
{
    const struct forget_order *o = f->order;
    struct forget_wish wish = {.document = o->document,
                               .person = o->person,
                               .all = o->whole || o->emptied,
                               .way = way_of(f),
                               .dry_run = look,
                               .compact = o->compact && !look};

    if (o->file.len)
        wish.document = arena_fmt(f->arena, "file/" STR_FMT, STR_ARG(o->file));
    return wish;
}

/* A base that is not there any more, a document that is gone: fine where it was known before. An id that the index does not
 * know may be one whose forgetting was cut off behind the index. */
static bool may_be_gone(const struct forgetting *f, bool look, const struct err *why)
{
    return why->code == ERR_NOT_FOUND &&
           (f->order->file.len || is_unknown_id(f->order) ||
            (!look && (f->resumed || f->told->documents.count || f->told->documents.file_count)));
}

/* Who deletes a base meanwhile sees to what is in it: one of several that a person's documents may be in is left to that. */
static bool has_gone(struct forgetting *f, const struct err *why)
{
    if (why->code != ERR_NOT_FOUND)
        return false;
    f->nothing = !f->order->person.len;
    return !f->nothing;
}

static SUSPENDS bool forget_in(struct forgetting *f, struct str id, bool look, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct forget_wish wish = wish_of(f, look);
    struct forget_report report;
    struct err why = {0};

    if (f->order->file.len && !wish.document.ptr)
        return err_arena(err, f->arena);
    if (bases_borrow(f->house->bases, id, NULL, &base, &why) &&
        knowledge_erase(base_knowledge(base), f->arena, &wish, &report, &why))
        return join_report(f, id, &report, err);
    if (may_be_gone(f, look, &why) || (!base && has_gone(f, &why)))
        return true;
    *err = why;
    return f->base_count < 2 ? false : err_wrap(err, "knowledge base " STR_FMT, STR_ARG(id));
}

static SUSPENDS bool delete_base(struct forgetting *f, struct err *err)
{
    const struct base_report_wish wish = {f->arena, way_of(f)};
    struct base *base CLEANUP(base_release) = NULL;
    struct base_removed removed = {0};
    struct err why = {0};

    if (!bases_borrow(f->house->bases, f->bases[0], NULL, &base, &why)) {
        if (may_be_gone(f, false, &why)) /* its files may not all be: the last try failed at them */
            return bases_sweep(f->house->bases, f->bases[0], err);
        f->nothing = why.code == ERR_NOT_FOUND;
        *err = why;
        return false;
    }
    if (!base_delete(&base, &wish, &removed, err))
        return false;
    f->told->base_removed = removed;
    if (!removed.report)
        return true;
    removed.report->after_count = 0; /* nothing is there any more */
    return join_report(f, f->bases[0], removed.report, err);
}

/* An index that cannot be read says nothing of its documents; it goes all the same. */
static SUSPENDS bool look_into_whole(struct forgetting *f, struct err *err)
{
    struct err why = {0};

    f->told->base = f->bases[0];
    if (forget_in(f, f->bases[0], true, &why))
        return true;
    if (why.code == ERR_EXHAUSTED || why.code == ERR_CANCELLED || why.code == ERR_NOT_FOUND) {
        *err = why;
        return false;
    }
    return true;
}

static SUSPENDS bool look(struct forgetting *f, struct err *err)
{
    if (f->order->whole)
        return look_into_whole(f, err);
    if (f->order->emptied)
        f->told->emptied = f->bases[0];
    for (size_t i = 0; i < f->base_count; i++)
        if (!forget_in(f, f->bases[i], true, err))
            return false;
    return true;
}

static SUSPENDS bool forget_documents(struct forgetting *f, struct err *err)
{
    struct forget_report *r = &f->told->documents;

    if (f->order->vanished)
        return true; /* the run has removed them, or will */
    /* What looking found of these is done, and told, now. */
    r->before_count = r->after_count = r->shared = 0;
    r->attached = r->originals = 0;
    if (f->order->whole)
        return delete_base(f, err);
    for (size_t i = 0; i < f->base_count; i++)
        if (!forget_in(f, f->bases[i], false, err))
            return false;
    return true;
}

/* In which bases: ids. */
static SUSPENDS bool choose_bases(struct forgetting *f, struct err *err)
{
    const struct forget_order *o = f->order;
    struct base *base CLEANUP(base_release) = NULL;
    struct base_info *all;
    size_t count;

    if (o->document.len || o->whole || o->emptied) {
        f->bases = arena_array(f->arena, 1, sizeof *f->bases);
        if (!f->bases)
            return err_arena(err, f->arena);
        if (!bases_borrow(f->house->bases, o->base.len ? o->base : BASE_DEFAULT, NULL, &base, err))
            return false;
        f->bases[0] = arena_str(f->arena, base_id(base));
        f->base_count = 1;
        return f->bases[0].ptr || err_arena(err, f->arena);
    }
    if (!bases_list(f->house->bases, f->arena, o->who, &all, &count, err))
        return false;
    f->bases = arena_array(f->arena, count + 1, sizeof *f->bases);
    for (size_t i = 0; f->bases && i < count; i++)
        if (!o->who || base_may_change(&all[i], o->who))
            f->bases[f->base_count++] = all[i].id;
    return f->bases || err_arena(err, f->arena);
}

/* ---- answers ---- */

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

static SUSPENDS bool purge_document(struct forgetting *f, struct str id, struct str base,
                                    struct err *err)
{
    struct str one = arena_fmt(f->arena, STR_FMT "@" STR_FMT, STR_ARG(id), STR_ARG(base));

    return one.ptr ? purge_tag(f, CACHE_OF_DOCUMENT, one, err) : err_arena(err, f->arena);
}

static SUSPENDS bool purge_cache(struct forgetting *f, struct err *err)
{
    const struct forget_report *report = &f->told->documents;
    const struct cache_selector all = {0};

    if (report->count > DOCUMENTS_EACH)
        return house_purge(f->house, f->arena, &all, &f->told->cached, err);
    for (size_t i = 0; i < report->count; i++)
        if (!purge_document(f, report->documents[i].id, report->documents[i].base, err))
            return false;
    if (!report->count && is_unknown_id(f->order) &&
        !purge_document(f, f->order->document, f->bases[0], err))
        return false;
    if (f->key_id.len && !purge_tag(f, CACHE_OF_KEY, f->key_id, err))
        return false;
    return (!f->order->person.len || purge_tag(f, CACHE_OF_SUBJECT, f->told->subject, err)) &&
           (!f->former.len || purge_tag(f, CACHE_OF_SUBJECT, f->former, err));
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

static SUSPENDS bool forget_responses_from(struct forgetting *f, wall_ms since, struct err *err)
{
    const struct forget_report *report = &f->told->documents;
    struct responses_document some[RESPONSES_DOCUMENTS_MAX];
    struct responses_selector what = {.documents = some, .since = since};

    for (size_t i = 0; i < report->count; i++) {
        const struct forgotten *d = &report->documents[i];

        some[what.document_count++] = (struct responses_document){d->id, d->base};
        if (what.document_count < RESPONSES_DOCUMENTS_MAX && i + 1 < report->count)
            continue;
        if (!forget_responses_of(f, &what, err))
            return false;
        what.document_count = 0;
    }
    if (report->count || !is_unknown_id(f->order))
        return true;
    some[what.document_count++] = (struct responses_document){f->order->document, f->bases[0]};
    return forget_responses_of(f, &what, err);
}

static SUSPENDS bool forget_responses_since(struct forgetting *f, wall_ms since, struct err *err)
{
    const struct responses_selector person = {.tenant = f->order->tenant,
                                              .key_id = f->key_id,
                                              .subject = f->told->subject,
                                              .since = since};
    const struct responses_selector former = {.subject = f->former, .since = since};

    return forget_responses_from(f, since, err) &&
           (!f->order->person.len || forget_responses_of(f, &person, err)) &&
           (!f->former.len || forget_responses_of(f, &former, err));
}

/* Others over the same database must not keep what they had begun. Who began after that, and went on from an answer that was
 * just going, has read it: what was kept of those goes behind a second time. */
static SUSPENDS bool forget_responses(struct forgetting *f, struct err *err)
{
    if (!f->house->responses)
        return true;
    if (f->order->dry_run)
        return forget_responses_since(f, 0, err);
    return house_overtake(f->house, f->arena, err) && forget_responses_since(f, 0, err) &&
           house_overtake(f->house, f->arena, err) &&
           forget_responses_since(f, f->begun - CLOCKS_APART, err);
}

static SUSPENDS bool end_sessions(struct forgetting *f, struct err *err)
{
    const struct session_filter filter = {.person = f->key_id, .most = SESSIONS_MOST};
    struct session_info *list;
    size_t count;

    if (!f->key_id.len || !f->house->sessions)
        return true;
    if (!f->order->dry_run)
        return session_end_person(f->house->sessions, f->key_id, NULL, &f->told->sessions, err);
    if (!session_list(f->house->sessions, &filter, f->arena, &list, &count, err))
        return false;
    f->told->sessions = (int64_t)count;
    return true;
}

/* ---- afterwards ---- */

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
    f->told->shared = f->told->documents.shared + taken - prints->count;
    where.which = SEARCH_OTHERS;
    f->ok = search_files(f->arena, &where, prints, &f->told->search, &f->err);
    f->told->search.files += index.files;
    f->told->search.bytes += index.bytes;
}

/* Each has documents, sealed bodies and keys of its own. */
static SUSPENDS bool name_others(struct forgetting *f, struct err *err)
{
    struct instance_info *list;
    size_t count;

    if (!store_is_shared(f->house->store))
        return true;
    if (!instance_list(f->house->store, f->arena, &list, &count, err))
        return false;
    f->told->others = arena_array(f->arena, count + 1, sizeof *f->told->others);
    if (!f->told->others)
        return err_arena(err, f->arena);
    for (size_t i = 0; i < count; i++)
        if (!list[i].self)
            f->told->others[f->told->other_count++] = list[i].id;
    return true;
}

/* ---- the order, step by step ---- */

static bool found_nothing(const struct forgetting *f)
{
    const struct forget_told *t = f->told;

    return is_unknown_id(f->order) && !t->documents.count && !t->documents.file_count &&
           !t->cached && !t->responses;
}

bool forget_carry_out(struct forgetting *f, struct err *err)
{
    bool person = f->order->person.len > 0;

    return forget_file_first(f, err) && forget_documents(f, err) &&
           (!person || on_pool(f, f->house->disk, run_bodies, err)) && purge_cache(f, err) &&
           forget_responses(f, err) && (!person || end_sessions(f, err)) && forget_files(f, err) &&
           store_scrub(f->house->store, &f->told->database_scrubbed, err) && forget_wait(f, err) &&
           on_pool(f, f->house->documents, run_search, err) && name_others(f, err);
}

bool forget_receipt(struct forgetting *f, struct err *err)
{
    struct buf b;

    buf_init(&b, f->arena, RECEIPT_MAX);
    receipt_write(f->order, f->told, clock_wall(), &b);
    return buf_finish(&b, &f->told->receipt, err) || err_wrap(err, "write the receipt");
}

static SUSPENDS bool only_look(struct forgetting *f, struct err *err)
{
    return forget_responses(f, err) && (!f->order->person.len || end_sessions(f, err)) &&
           forget_files(f, err) && name_others(f, err);
}

static SUSPENDS bool forget_all(struct forgetting *f, struct err *err)
{
    const struct forget_order *o = f->order;

    if (o->person.len && (!name_person(f, err) || !on_pool(f, f->house->disk, run_hold, err)))
        return false;
    if (o->person.len || o->file.len) {
        f->told->documents.prints.way.every = PERSON_EVERY;
        clock_random(f->told->documents.prints.way.salt, FINGERPRINT_SALT);
    }
    if (!choose_bases(f, err) || !look(f, err))
        return false;
    if (o->dry_run)
        return only_look(f, err) && forget_receipt(f, err);
    if (!pending_write(f, err) || !forget_carry_out(f, err))
        return false;
    f->nothing = found_nothing(f);
    if (f->nothing)
        return err_set(err, ERR_NOT_FOUND, "no document \"" STR_FMT "\"", STR_ARG(o->document));
    return forget_receipt(f, err) && pending_end(f, err);
}

bool house_forget(struct house *house, struct arena *arena, const struct forget_order *order,
                  struct forget_told *out, struct err *err)
{
    struct forget_told told = {0};
    struct forgetting f = {
        .house = house, .arena = arena, .order = order, .told = &told, .begun = clock_wall()};

    ASSERT(!!order->document.len + !!order->person.len + !!order->file.len + order->whole +
               order->emptied ==
           1);
    atomic_fetch_add(&house->forgetting, 1);
    bool ok = forget_all(&f, err);
    bool stays = !ok && f.pending && !f.nothing; /* whatever else went wrong is tried again */
    if (!ok && f.pending && f.nothing)
        pending_drop(&f);
    atomic_fetch_sub(&house->forgetting, 1);
    if (stays && err->code == ERR_NOT_FOUND)
        err->code = ERR_UNAVAILABLE; /* not what was asked for is missing */
    if (!ok)
        return err_wrap(err, "%s%s",
                        stays ? "not all is gone yet, the rest is tried again by itself: " : "",
                        order->dry_run ? "look what would be forgotten" : "forget");
    *out = told;
    return true;
}

struct str forget_note(struct arena *arena, const struct forget_told *told)
{
    struct sha256 hash = sha256(told->receipt);
    struct buf b;

    buf_init(&b, arena, 4 * KIB);
    buf_str(&b, told->resumed ? STR("forgot, after the process had ended in the middle,")
                              : STR("forgot"));
    if (told->vanished)
        buf_str(&b, STR(" what its source no longer has,"));
    if (told->subject.len)
        buf_fmt(&b, " person " STR_FMT ",", STR_ARG(told->subject));
    if (told->base.len)
        buf_fmt(&b, " knowledge base " STR_FMT ",", STR_ARG(told->base));
    if (told->emptied.len)
        buf_fmt(&b, " what was in vector store " STR_FMT ", which expired,",
                STR_ARG(told->emptied));
    buf_fmt(&b, " %zu document%s, %" PRId64 " kept and %" PRIu64 " cached answer%s",
            told->documents.count, told->documents.count == 1 ? "" : "s", told->responses,
            told->cached, told->cached == 1 ? "" : "s");
    if (told->held_count)
        buf_fmt(&b, ", %zu file%s still being read", told->held_count,
                told->held_count == 1 ? "" : "s");
    buf_str(&b, STR("; receipt "));
    buf_hex(&b, hash.bytes, sizeof hash.bytes);
    for (size_t i = 0; i < told->documents.count && i < 8; i++)
        buf_fmt(&b, " " STR_FMT, STR_ARG(told->documents.documents[i].id));
    return buf_view(&b);
}
