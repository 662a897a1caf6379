#include "knowledge/forget.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/table.h"
#include "knowledge/access.h"
#include "knowledge/answer.h"
#include "knowledge/forget_internal.h"
#include "knowledge/knowledge_internal.h"
#include "knowledge/originals.h"
#include "knowledge/passage.h"
#include "knowledge/runs.h"
#include "sys/clock.h"
#include "sys/file.h"

#define PRINTS_EACH_MIN 4u
#define PRINTS_EACH_MAX 256u
#define SCRATCH         ((size_t)64 * MIB) /* one passage, one record's metadata */
#define FILES_MAX       100000
#define FILE_PATH       1024
#define EVERY_USUAL     5 /* one window in 32 */
#define EVERY_FEW       3 /* closer only for a document that has none: looking for them costs more */
#define PRINTS_FEW      8 /* some of so few may stand in other bases too */

/* ---- which ---- */

struct erasure {
    struct knowledge *knowledge;
    const struct forget_wish *wish;
    struct lexical_view *view;
    struct arena *arena, *scratch;
    struct forget_report *report;
    struct table vanished; /* id -> struct vanished of the wish */
    struct table by_id;    /* id -> struct forgotten */
    uint64_t *prints;      /* with room for those of one document more than is kept */
    size_t print_count, print_room, document_first;
    struct sha256 *hashes; /* of their files, in no order */
    size_t *firsts;        /* beside the documents: where theirs begin */
    struct forget_files files;
};

static bool is_wanted(const struct erasure *e, const struct lexical_document_info *info,
                      const struct document_record *r)
{
    const struct forget_wish *wish = e->wish;

    if (wish->person.len)
        return metadata_names(r->metadata, wish->person, e->scratch);
    if (wish->vanished) {
        const struct vanished *v = table_get(&e->vanished, info->key);

        return v && v->version == r->version; /* else it came back meanwhile */
    }
    return wish->all || document_is_meant(wish->document, info->key, r) != MATCH_NONE;
}

static bool know_vanished(struct erasure *e, struct err *err)
{
    const struct forget_wish *wish = e->wish;

    table_init(&e->vanished, e->scratch, 2 * wish->vanished_count + 16);
    for (size_t i = 0; i < wish->vanished_count; i++) {
        struct vanished *v = &wish->vanished[i];

        if (!table_put(&e->vanished, v->id, v, NULL))
            return err_arena(err, e->scratch);
    }
    return true;
}

/* Who wants it gone may not know that it comes back. Only of a file can be said whether it is there. */
static enum forgotten_source source_of(const struct document_record *r)
{
    char path[FILE_PATH];
    struct file_info info;
    struct err gone = {0};
    struct buf b;

    if (!str_starts(r->source, STR("/")))
        return r->root.len ? SOURCE_MAY_HAVE_IT : SOURCE_NONE;
    buf_init_fixed(&b, path, sizeof path - 1);
    buf_str(&b, r->source);
    if (!buf_ok(&b))
        return SOURCE_MAY_HAVE_IT;
    path[b.len] = '\0';
    return file_stat(path, &info, &gone) ? SOURCE_HAS_IT
           : gone.code == ERR_NOT_FOUND  ? SOURCE_NONE
                                         : SOURCE_MAY_HAVE_IT;
}

static bool add(struct erasure *e, const struct lexical_document_info *info,
                const struct document_record *r, struct err *err)
{
    struct forget_report *report = e->report;

    if (report->count == FORGET_DOCUMENTS_MAX && !e->wish->all && !e->wish->vanished)
        return err_set(err, ERR_TOO_LARGE,
                       "more than %d documents at once: name parts of them one after the other",
                       FORGET_DOCUMENTS_MAX);
    e->hashes[report->count] = r->hash;
    struct forgotten *f = &report->documents[report->count++];
    *f = (struct forgotten){
        .id = arena_str(e->arena, info->key),
        .version = r->version,
        .bytes = r->bytes,
        .passages = info->passages,
        .source = source_of(r),
        .hash = sha256_two((struct str){(const char *)report->prints.way.salt, FINGERPRINT_SALT},
                           (struct str){(const char *)r->hash.bytes, sizeof r->hash.bytes})};
    report->passages += info->passages;
    f->path = e->wish->dry_run ? arena_str(e->arena, r->path) : STR("");
    if (e->wish->document.len)
        f->how = document_is_meant(e->wish->document, info->key, r);
    if (!f->id.ptr || !f->path.ptr)
        return err_arena(err, e->arena);
    return forget_files_of(&e->files, r->source, err);
}

static int by_id(const void *a, const void *b)
{
    return str_cmp(((const struct forgotten *)a)->id, ((const struct forgotten *)b)->id);
}

static bool find_documents(struct erasure *e, struct err *err)
{
    struct forget_report *report = e->report;
    uint64_t all = lexical_stats(e->view).documents;

    uint64_t most =
        e->wish->all || e->wish->vanished ? all : MIN_OF(all, (uint64_t)FORGET_DOCUMENTS_MAX);

    report->documents = arena_array(e->arena, most + 1, sizeof *report->documents);
    e->firsts = arena_array(e->arena, most + 1, sizeof *e->firsts);
    e->hashes = arena_array(e->arena, most + 1, sizeof *e->hashes);
    if (!report->documents || !e->firsts || !e->hashes)
        return err_arena(err, e->arena);
    for (uint64_t i = 0; i < all; i++) {
        struct lexical_document_info info = lexical_document_at(e->view, i);
        struct document_record record;

        if (!document_record_read(info.record, &record))
            return err_set(err, ERR_INTERNAL,
                           "could not read the record of document \"" STR_FMT "\"",
                           STR_ARG(info.key));
        if (is_wanted(e, &info, &record) && !add(e, &info, &record, err))
            return false;
    }
    if (!report->count && e->wish->document.len && !e->files.attached_count)
        return err_set(err, ERR_NOT_FOUND, "no document \"" STR_FMT "\"",
                       STR_ARG(str_slice(e->wish->document, 0, 100)));
    if (report->count)
        qsort(report->documents, report->count, sizeof *report->documents, by_id);
    table_init(&e->by_id, e->arena, 2 * report->count + 16);
    for (size_t i = 0; i < report->count; i++)
        if (!table_put(&e->by_id, report->documents[i].id, &report->documents[i], NULL))
            return err_arena(err, e->arena);
    return true;
}

/* ---- fingerprints ---- */

static uint32_t prints_each(const struct forget_report *report)
{
    size_t count = MIN_OF(report->count, (size_t)FORGET_DOCUMENTS_MAX);
    size_t share = count ? FORGET_PRINTS_MAX / count : PRINTS_EACH_MAX;

    return (uint32_t)MIN_OF(MAX_OF(share, (size_t)PRINTS_EACH_MIN), (size_t)PRINTS_EACH_MAX);
}

static void take_print(void *ctx, uint64_t print)
{
    struct erasure *e = ctx;

    if (e->print_count < e->print_room)
        e->prints[e->print_count++] = print;
}

/* So many of the newest document's as it may have, from all over it. */
static void thin_out(struct erasure *e, struct forgotten *of)
{
    size_t have = e->print_count - e->document_first, most = prints_each(e->report), kept = 0;
    uint64_t *own = e->prints + e->document_first;

    for (size_t i = 0; i < most && i < have; i++)
        own[kept++] = own[have <= most ? i : i * have / most];
    e->print_count = e->document_first + kept;
    of->prints = (uint32_t)kept;
    e->firsts[of - e->report->documents] = e->document_first;
}

/* A base that goes whole may have more documents than a receipt lists: the others have none. */
static bool is_printed(const struct erasure *e, const struct forgotten *of)
{
    return of && of - e->report->documents < FORGET_DOCUMENTS_MAX;
}

static bool print_passage(struct erasure *e, struct str record, struct err *err)
{
    struct passage passage;
    size_t mark = arena_mark(e->scratch);

    if (!passage_read(e->scratch, record, &passage))
        return err_set(err, ERR_INTERNAL, "could not read a passage that is to go");
    for (size_t i = 0; i < passage.count; i++)
        fingerprint_text(&e->report->prints.way, passage.blocks[i].text, take_print, e);
    arena_rewind(e->scratch, mark);
    return true;
}

/* Passages of a document stand one behind the other. */
static bool print_documents(struct erasure *e, struct err *err)
{
    struct forgotten *current = NULL;

    e->print_count = 0;
    for (uint64_t p = 0; p < lexical_stats(e->view).passages; p++) {
        struct lexical_hit hit = lexical_hit_at(e->view, p);
        struct forgotten *of = table_get(&e->by_id, hit.key);

        if (!is_printed(e, of))
            of = NULL;
        if (of != current && current)
            thin_out(e, current);
        if (of != current)
            e->document_first = e->print_count;
        current = of;
        if (of && !print_passage(e, hit.record, err))
            return false;
    }
    if (current)
        thin_out(e, current);
    return true;
}

static bool mark_passage(struct erasure *e, struct str record, struct err *err)
{
    struct passage passage;
    size_t mark = arena_mark(e->scratch);

    if (!passage_read(e->scratch, record, &passage))
        return err_set(err, ERR_INTERNAL, "could not read a passage that is to stay");
    for (size_t i = 0; i < passage.count; i++)
        fingerprints_mark(&e->report->prints, passage.blocks[i].text);
    arena_rewind(e->scratch, mark);
    return true;
}

/* What other documents say too proves nothing of this one. Looked at before anything goes, so that closer windows can
 * be taken of a document that has none of its own. */
static bool mark_shared(struct erasure *e, struct err *err)
{
    struct forget_report *report = e->report;

    memcpy(report->prints.at, e->prints, e->print_count * sizeof *e->prints);
    memset(report->prints.found, 0, e->print_count * sizeof *report->prints.found);
    report->prints.count = e->print_count;
    fingerprints_sort(&report->prints);
    for (uint64_t p = 0; report->prints.count && p < lexical_stats(e->view).passages; p++) {
        struct lexical_hit hit = lexical_hit_at(e->view, p);

        if (!table_get(&e->by_id, hit.key) && !mark_passage(e, hit.record, err))
            return false;
    }
    for (size_t i = 0; i < report->count && i < FORGET_DOCUMENTS_MAX; i++) {
        struct forgotten *f = &report->documents[i];

        f->prints =
            (uint32_t)fingerprints_unmarked(&report->prints, e->prints + e->firsts[i], f->prints);
    }
    return true;
}

static bool wants_more(const struct forget_report *report)
{
    uint32_t few = report->prints.way.every > EVERY_FEW ? PRINTS_FEW : 1;

    for (size_t i = 0; i < report->count && i < FORGET_DOCUMENTS_MAX; i++)
        if (report->documents[i].prints < few)
            return true;
    return false;
}

/* Where a document is too short to have a window at the usual rate, they are taken closer together. */
static bool take_prints(struct erasure *e, struct err *err)
{
    struct forget_report *report = e->report;
    size_t kept = MIN_OF(report->count, (size_t)FORGET_DOCUMENTS_MAX) * prints_each(report);

    e->print_room = kept + MIB;
    e->prints = arena_array(e->scratch, e->print_room, sizeof *e->prints);
    report->prints.at = arena_array(e->arena, kept + 1, sizeof *report->prints.at);
    report->prints.found = arena_array(e->arena, kept + 1, sizeof *report->prints.found);
    if (!e->prints || !report->prints.at || !report->prints.found)
        return err_arena(err, e->arena);
    for (;; report->prints.way.every--) {
        if (!print_documents(e, err))
            return false;
        ASSERT(e->print_count <= kept);
        if (!mark_shared(e, err))
            return false;
        if (e->wish->way || !report->prints.way.every || !wants_more(report))
            break;
    }
    size_t taken = report->prints.count;
    fingerprints_drop_found(&report->prints);
    report->shared = taken - report->prints.count;
    return true;
}

/* ---- the index's files ---- */

static bool is_index_file(struct str name)
{
    static const char *const endings[] = {".segment", ".records", ".vectors", ".latent"};

    for (size_t i = 0; i < ARRAY_LEN(endings); i++)
        if (str_ends(name, str_from(endings[i])))
            return true;
    return str_eq(name, STR("manifest"));
}

static bool hash_file(const char *path, struct index_file *out, struct err *err)
{
    struct file *file CLEANUP(file_close) = NULL;
    void *map = NULL;
    int64_t size = 0;

    if (!file_open(path, FILE_READ, 0, &file, err) || !file_size(file, &size, err))
        return false;
    out->bytes = (uint64_t)size;
    if (size == 0) {
        out->hash = sha256(STR(""));
        return true;
    }
    if (!file_map(file, (size_t)size, false, &map, err))
        return false;
    out->hash = sha256((struct str){map, (size_t)size});
    file_unmap(map, (size_t)size);
    return true;
}

/* What a run that began meanwhile has replaced is no more: it is passed over. */
static bool hash_index(struct erasure *e, struct index_file **out, size_t *count, struct err *err)
{
    const char *dir = e->knowledge->dir;
    struct str *all;
    size_t found, n = 0;

    if (!file_list(e->arena, dir, FILES_MAX, &all, &found, err))
        return false;
    struct index_file *list = arena_array(e->arena, found + 1, sizeof *list);
    if (!list)
        return err_arena(err, e->arena);
    for (size_t i = 0; i < found; i++) {
        struct str path = arena_fmt(e->arena, "%s/" STR_FMT, dir, STR_ARG(all[i]));
        struct err gone = {0};

        if (!path.ptr)
            return err_arena(err, e->arena);
        if (!is_index_file(all[i]))
            continue;
        list[n].name = all[i];
        if (hash_file(path.ptr, &list[n], &gone)) {
            n++;
        } else if (gone.code != ERR_NOT_FOUND) {
            *err = gone;
            return false;
        }
    }
    *out = list;
    *count = n;
    return true;
}

/* ---- the run ---- */

/* Of what is kept between questions. */
static void forget_in_memory(struct erasure *e)
{
    for (size_t i = 0; i < e->report->count; i++) {
        struct lexical_document_info info;
        struct document_record r;

        if (lexical_find(e->view, e->report->documents[i].id, &info) &&
            document_record_read(info.record, &r))
            runs_forget(e->knowledge->runs, r.path, r.source);
    }
    analysers_drop(e->knowledge->analysers);
}

static bool remove_all(struct erasure *e, struct lexical_writer **writer, struct err *err)
{
    if (!forget_attached(&e->files, err))
        return false;
    if (!e->report->count && !e->wish->compact)
        return true;
    for (size_t i = 0; i < e->report->count; i++)
        if (!lexical_remove(*writer, e->report->documents[i].id, err))
            return false;
    if (e->wish->compact)
        lexical_compact(*writer);
    bool ok = lexical_commit(writer, err); /* one that fails may hold all the same */
    forget_in_memory(e);
    lexical_release(&e->view);
    accesses_forget(e->knowledge);
    if (!ok)
        return err_wrap(err, "forget documents");
    return originals_drop(e->knowledge, e->hashes, e->report->count, &e->report->originals, err);
}

/* One that failed behind its commit finds nothing when it is tried again, and files that it could not remove are still
 * there: they go before anybody is told that nothing is. */
static bool end_earlier(struct erasure *e, struct lexical_writer **writer, struct err *err)
{
    return lexical_commit(writer, err) && originals_sweep(e->knowledge, NULL, err);
}

/* Under the writer: what is looked at is what the commit changes. */
static bool erase(struct erasure *e, struct err *err)
{
    struct lexical_writer *writer CLEANUP(lexical_abandon) = NULL;
    struct forget_report *report = e->report;

    struct lexical *index = index_of(e->knowledge, err);

    if (!index || (!e->wish->dry_run && !begin_change(e->knowledge, &writer, err)))
        return false;
    e->view = lexical_borrow(index);
    if (!forget_files_find(&e->files, err) || !know_vanished(e, err))
        return false;
    if (!find_documents(e, err)) {
        struct err why = {0};

        if (err->code == ERR_NOT_FOUND && !e->wish->dry_run && !end_earlier(e, &writer, &why))
            *err = why;
        return false;
    }
    if (!take_prints(e, err) ||
        (!e->wish->vanished && !hash_index(e, &report->before, &report->before_count, err)))
        return false;
    report->after = report->before;
    report->after_count = report->before_count;
    report->files = e->files.ids;
    report->file_count = e->files.count;
    report->attached = (uint32_t)e->files.attached_count;
    if (e->wish->dry_run)
        return true;
    if (!report->count && !e->wish->compact && !e->files.attached_count)
        return end_earlier(e, &writer, err);
    return remove_all(e, &writer, err) && hash_index(e, &report->after, &report->after_count, err);
}

bool erase_now(struct knowledge *k, struct arena *arena, const struct forget_wish *wish,
               struct forget_report *out, struct err *err)
{
    struct arena *scratch CLEANUP(arena_end) = arena_new(SCRATCH);
    struct forget_report report = {0};
    struct erasure e = {
        .knowledge = k, .wish = wish, .arena = arena, .scratch = scratch, .report = &report};

    e.files =
        (struct forget_files){.dir = k->dir, .wish = wish, .arena = arena, .scratch = scratch};

    ASSERT(wish->document.len || wish->person.len || wish->vanished || wish->all);
    if (!scratch)
        return err_no_room(err, "no memory to forget documents");
    report.prints.way.every = EVERY_USUAL;
    clock_random(report.prints.way.salt, sizeof report.prints.way.salt);
    if (wish->way)
        report.prints.way = *wish->way;
    bool ok = erase(&e, err);
    lexical_release(&e.view);
    if (ok)
        *out = report;
    return ok;
}

static bool compact_marked(struct knowledge *k, const char *mark, struct err *err)
{
    struct lexical_writer *writer CLEANUP(lexical_abandon) = NULL;

    if (!begin_change(k, &writer, err) || !file_store(mark, STR("\n"), 0600, err))
        return false;
    lexical_compact(writer);
    if (!lexical_commit(&writer, err))
        return false;
    accesses_forget(k);
    return file_remove(mark, err) && file_sync_dir(k->dir, err);
}

bool compact_now(struct knowledge *k, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * KIB);
    struct str mark = arena ? arena_fmt(arena, "%s/" COMPACTING, k->dir) : STR_NONE;

    if (!mark.ptr)
        return err_no_room(err, "no memory to compact the index");
    return compact_marked(k, mark.ptr, err) || err_wrap(err, "compact the index");
}

/* ---- on the pool ---- */

struct erase_call {
    struct knowledge *knowledge;
    struct arena *arena;
    const struct forget_wish *wish;
    struct forget_report *report;
    bool ok;
    struct err *err;
};

static void run_erase(void *arg)
{
    struct erase_call *c = arg;

    c->ok = erase_now(c->knowledge, c->arena, c->wish, c->report, c->err);
}

static void run_compact(void *arg)
{
    struct erase_call *c = arg;

    c->ok = compact_now(c->knowledge, c->err);
}

bool knowledge_erase(struct knowledge *knowledge, struct arena *arena,
                     const struct forget_wish *wish, struct forget_report *out, struct err *err)
{
    struct erase_call call = {
        .knowledge = knowledge, .arena = arena, .wish = wish, .report = out, .err = err};

    return pool_run(knowledge->pool, run_erase, &call, err) && call.ok;
}

bool knowledge_compact(struct knowledge *knowledge, struct err *err)
{
    struct erase_call call = {.knowledge = knowledge, .err = err};

    return pool_run(knowledge->pool, run_compact, &call, err) && call.ok;
}
