#include "knowledge/knowledge.h"

#include <stdio.h>
#include <string.h>

#include "knowledge/access.h"
#include "knowledge/answer.h"
#include "knowledge/bases.h"
#include "knowledge/knowledge_internal.h"
#include "knowledge/originals.h"
#include "knowledge/rerank.h"
#include "knowledge/rights.h"
#include "knowledge/runs.h"
#include "knowledge/stands.h"
#include "knowledge/vectors.h"
#include "sys/clock.h"

#define FILE_BYTES_DEFAULT     ((size_t)16 * MIB)
#define FILES_DEFAULT          100000u
#define BATCH_FILES            1000u
#define BATCH_BYTES            ((size_t)32 * MIB)
#define BATCH_TIME             (5 * SECOND)
#define WRITING_LOOKS          12000 /* a minute until somebody else's writing is given up on */
#define WRITING_LOOK           (5 * MILLISECOND)
#define EMBED_BATCH_DEFAULT    32u
#define QUESTION_LIMIT_DEFAULT (2 * SECOND)

static bool new_knowledge(const struct knowledge_options *options, struct knowledge **out,
                          struct err *err)
{
    struct arena *arena = arena_new(64 * KIB);
    struct knowledge *k CLEANUP(knowledge_close) = arena ? arena_alloc(arena, sizeof *k) : NULL;

    if (!k) {
        arena_end(&arena);
        return err_no_room(err, "no memory to open the knowledge base");
    }
    k->arena = arena;
    k->pool = options->pool;
    k->ingest = options->ingest ? options->ingest : options->pool;
    k->rows = options->rows ? options->rows : k->ingest;
    k->batch = options->batch;
    k->batch.files = k->batch.files ? k->batch.files : BATCH_FILES;
    k->batch.bytes = k->batch.bytes ? k->batch.bytes : BATCH_BYTES;
    k->batch.time = k->batch.time ? k->batch.time : BATCH_TIME;
    k->file_bytes_max = options->file_bytes_max ? options->file_bytes_max : FILE_BYTES_DEFAULT;
    k->files_max = options->files_max ? options->files_max : FILES_DEFAULT;
    k->index_threads = options->index_threads ? options->index_threads : 1;
    mutex_init(&k->repairing);
    mutex_init(&k->originals);
    k->vanish = options->vanish;
    k->base = arena_str(arena, options->base);
    k->dir = arena_str(arena, str_from(options->dir)).ptr;
    if (!k->dir || !k->base.ptr)
        return err_arena(err, arena);
    k->accesses = accesses_new(k);
    k->runs = runs_new(arena);
    if (!k->accesses || !k->runs)
        return err_no_room(err, "no memory to open the knowledge base");
    k->embedder = options->embedder;
    k->reranker = options->reranker;
    k->embedder.batch = k->embedder.batch ? k->embedder.batch : EMBED_BATCH_DEFAULT;
    k->embedder.question_limit =
        k->embedder.question_limit ? k->embedder.question_limit : QUESTION_LIMIT_DEFAULT;
    k->vectors = vectors_new(k);
    if (!k->vectors)
        return err_no_room(err, "no memory to open the knowledge base");
    k->analysers = options->analysers ? options->analysers : &k->own_analysers;
    k->readers = options->share;
    k->shares_readers = options->share != NULL;
    if (!k->readers && !readers_open(arena, &options->readers, &k->readers, err))
        return false;
    *out = k;
    k = NULL;
    return true;
}

static void set_graphs(const struct knowledge *k, struct lexical *index)
{
    if (k->embedder.graph_from)
        vector_graph_from(index, k->embedder.graph_from);
}

bool knowledge_open(const struct knowledge_options *options, struct knowledge **out,
                    struct err *err)
{
    struct knowledge *k CLEANUP(knowledge_close) = NULL;
    struct lexical *index;

    if (!new_knowledge(options, &k, err))
        return false;
    if (!lexical_open(options->dir, &index, err))
        return err_wrap(err, "open the knowledge base");
    set_graphs(k, index);
    atomic_store(&k->index, index);
    if (!originals_sweep(k, NULL, err))
        return err_wrap(err, "open the knowledge base");
    *out = k;
    k = NULL;
    return true;
}

bool knowledge_open_damaged(const struct knowledge_options *options, const struct err *why,
                            struct knowledge **out, struct err *err)
{
    if (!new_knowledge(options, out, err))
        return false;
    (*out)->damage = *why;
    return true;
}

void knowledge_close(struct knowledge **knowledge)
{
    struct knowledge *k = *knowledge;

    if (!k)
        return;
    if (!k->shares_readers)
        readers_close(&k->readers);
    runs_free(&k->runs);
    struct lexical *index = atomic_load(&k->index);
    accesses_free(&k->accesses);
    vectors_free(&k->vectors);
    lexical_close(&index);
    analysers_end(&k->own_analysers);
    mutex_done(&k->originals);
    mutex_done(&k->repairing);
    struct arena *arena = k->arena;
    arena_end(&arena);
    *knowledge = NULL;
}

uint64_t knowledge_documents(struct knowledge *k)
{
    struct lexical *index = atomic_load(&k->index);
    struct lexical_view *view CLEANUP(lexical_release) = index ? lexical_borrow(index) : NULL;

    return view ? lexical_stats(view).documents : 0;
}

const char *knowledge_damage(struct knowledge *k)
{
    return atomic_load(&k->index) ? NULL : k->damage.text;
}

struct lexical *index_of(struct knowledge *k, struct err *err)
{
    struct lexical *index = atomic_load(&k->index);

    if (!index) {
        bool is_default = k->base.len == 0 || str_eq(k->base, BASE_DEFAULT);

        err_set(err, ERR_UNAVAILABLE,
                "no documents can be found (`weir ingest %s" STR_FMT "%s"
                "--rebuild PATH` makes the index anew): %s",
                is_default ? "" : "--base ", STR_ARG(is_default ? STR("") : k->base),
                is_default ? "" : " ", k->damage.text);
    }
    return index;
}

static bool wait_to_write(struct lexical *index, struct lexical_writer **out, struct err *err)
{
    struct err busy = {0};

    for (int looks = 0; !lexical_begin(index, out, &busy); looks++) {
        if (busy.code != ERR_UNAVAILABLE || looks == WRITING_LOOKS) {
            *err = busy;
            return false;
        }
        clock_rest(WRITING_LOOK);
    }
    return true;
}

bool begin_change(struct knowledge *k, struct lexical_writer **out, struct err *err)
{
    struct lexical *index = index_of(k, err);

    if (!index)
        return false;
    atomic_fetch_add(&k->writers_waiting, 1);
    bool ok = wait_to_write(index, out, err);
    atomic_fetch_sub(&k->writers_waiting, 1);
    return ok;
}

bool repair_now(struct knowledge *k, uint32_t *dropped, struct err *err)
{
    struct lexical *index = NULL;
    bool ok = true;

    *dropped = 0;
    mutex_lock(&k->repairing);
    if (!atomic_load(&k->index)) {
        ok = lexical_repair(k->dir, dropped, err) && (*dropped == 0 || originals_keep(k, err)) &&
             lexical_open(k->dir, &index, err);
        if (ok) {
            set_graphs(k, index);
            atomic_store(&k->index, index);
        }
    }
    mutex_unlock(&k->repairing);
    return ok;
}

bool knowledge_has_sandbox(const struct knowledge *k, struct err *why)
{
    return readers_have_sandbox(k->readers, why);
}

/* --- blocking bodies -------------------------------------------------------------------------- */

bool document_info_copy(struct arena *arena, const struct lexical_document_info *from,
                        struct document_info *to)
{
    struct document_record record;

    if (!document_record_read(from->record, &record))
        return false;
    *to = (struct document_info){.id = arena_str(arena, from->key),
                                 .path = arena_str(arena, record.path),
                                 .title = arena_str(arena, record.title),
                                 .source = arena_str(arena, record.source),
                                 .language = arena_str(arena, record.language),
                                 .readers = arena_str(arena, record.readers),
                                 .metadata = arena_str(arena, record.metadata),
                                 .chunking = record.chunking,
                                 .version = record.version,
                                 .bytes = record.bytes,
                                 .passages = from->passages,
                                 .ingested = record.ingested};
    return to->id.ptr && to->path.ptr && to->title.ptr && to->language.ptr;
}

bool list_now(struct knowledge *k, struct arena *arena, const struct principal *who,
              struct document_info **out, size_t *count, struct err *err)
{
    size_t seen = 0;
    struct lexical *index = index_of(k, err);
    struct lexical_view *view CLEANUP(lexical_release) = index ? lexical_borrow(index) : NULL;

    if (!view)
        return false;
    size_t documents = lexical_stats(view).documents;
    struct document_info *list = arena_array(arena, documents + 1, sizeof *list);
    if (!list)
        return err_arena(err, arena);
    for (size_t i = 0; i < documents; i++) {
        struct lexical_document_info info = lexical_document_at(view, i);

        if (!document_info_copy(arena, &info, &list[seen]))
            return err_set(err, ERR_INTERNAL,
                           "could not read the record of document \"" STR_FMT "\"",
                           STR_ARG(info.key));
        seen += !who || readers_allow(list[seen].readers, who);
    }
    *out = list;
    *count = seen;
    return true;
}

static bool lies_below(struct str folder, struct str path)
{
    return path.len > folder.len && str_starts(path, folder) && path.ptr[folder.len] == '/';
}

/* Names that were sent have no folders: whoever forgets "upload" does not mean all that ever was. */
enum document_match document_is_meant(struct str wanted, struct str id,
                                      const struct document_record *r)
{
    bool has_folders =
        str_starts(r->source, STR("/")) || str_find(r->source, STR("://")) < r->source.len;

    if (str_eq(wanted, id) || str_eq(wanted, r->path) || str_eq(wanted, r->source))
        return MATCH_DOCUMENT;
    while (str_ends(wanted, STR("/")))
        wanted.len--;
    if (r->root.len && (str_eq(wanted, r->root) || str_eq(wanted, r->path)))
        return MATCH_SOURCE;
    if (wanted.len && ((has_folders && lies_below(wanted, r->source)) ||
                       (r->root.len && lies_below(wanted, r->path))))
        return MATCH_FOLDER;
    return MATCH_NONE;
}

static bool is_meant(struct str wanted, const struct lexical_document_info *info)
{
    struct document_record r;

    if (!document_record_read(info->record, &r))
        return str_eq(wanted, info->key);
    return document_is_meant(wanted, info->key, &r) != MATCH_NONE;
}

bool forget_now(struct knowledge *k, struct str wanted, uint32_t *documents, struct err *err)
{
    struct lexical_writer *writer CLEANUP(lexical_abandon) = NULL;
    uint32_t gone = 0;

    if (!begin_change(k, &writer, err))
        return false;
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index_of(k, err));
    for (uint64_t i = 0; i < lexical_stats(view).documents; i++) {
        struct lexical_document_info info = lexical_document_at(view, i);

        if (!is_meant(wanted, &info))
            continue;
        if (!lexical_remove(writer, info.key, err))
            return false;
        gone++;
    }
    if (!gone)
        return err_set(err, ERR_NOT_FOUND, "no document \"" STR_FMT "\"",
                       STR_ARG(str_slice(wanted, 0, 100)));
    if (!stands_mark(k, err))
        return false;
    bool ok = lexical_commit(&writer, err); /* one that fails may hold all the same */
    stands_changed(k);
    if (!ok)
        return err_wrap(err, "forget documents");
    lexical_release(&view);
    accesses_forget(k);
    analysers_drop(k->analysers);
    *documents = gone;
    return originals_sweep(k, NULL, err);
}

static bool set_labels(struct lexical_writer *writer, const struct lexical_document_info *info,
                       const struct ingest_wish *wish, struct err *err)
{
    struct arena *scratch CLEANUP(arena_end) = arena_new(4 * MIB);
    struct document_record record;
    struct buf b;

    if (!scratch)
        return err_no_room(err, "no memory to label a document");
    if (!document_record_read(info->record, &record))
        return err_set(err, ERR_INTERNAL, "could not read the record of document \"" STR_FMT "\"",
                       STR_ARG(info->key));
    if (wish->says_readers && !vectors_rights(writer, record.readers, wish->readers, err))
        return false;
    if (wish->says_readers)
        record.readers = wish->readers;
    if (wish->says_metadata)
        record.metadata = wish->metadata;
    buf_init(&b, scratch, MIB);
    document_record_write(&b, &record);
    return (buf_ok(&b) || err_arena(err, scratch)) &&
           lexical_set_record(writer, info->key, buf_view(&b), err);
}

bool label_now(struct knowledge *k, const struct ingest_wish *wish, uint32_t *documents,
               struct err *err)
{
    struct lexical_writer *writer CLEANUP(lexical_abandon) = NULL;

    *documents = 0;
    if (!begin_change(k, &writer, err))
        return false;
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index_of(k, err));
    for (uint64_t i = 0; i < lexical_stats(view).documents; i++) {
        struct lexical_document_info info = lexical_document_at(view, i);

        if (!is_meant(wish->path, &info))
            continue;
        if (!set_labels(writer, &info, wish, err))
            return false;
        ++*documents;
    }
    if (!*documents)
        return err_set(err, ERR_NOT_FOUND, "no document \"" STR_FMT "\"",
                       STR_ARG(str_slice(wish->path, 0, 100)));
    if (!lexical_commit(&writer, err))
        return err_wrap(err, "label documents");
    lexical_release(&view);
    accesses_forget(k);
    return true;
}

void note_long_question(const struct knowledge_question *question)
{
    static_assert(QUESTION_MAX == 4000, "as the note says");
    if (str_trim(question->text).len > QUESTION_MAX)
        search_note(question->notes, "only the first 4,000 bytes of the question were looked at");
}

bool answer_now(struct knowledge *k, struct arena *arena, const struct knowledge_question *question,
                struct grounded *out, struct err *err)
{
    struct access *access CLEANUP(access_release) = NULL;
    struct question_parts parts;
    enum way way;
    struct grounded each = {0};
    struct inquiry inquiry;

    note_long_question(question);
    if (!access_borrow(k, question, &access, err) ||
        !parts_of(access, arena, question->text, &way, &parts, err))
        return false;
    /* A comparison of rows is answered by them, whatever else it may be cut into. */
    if (parts.count > 1 && parts.compares) {
        if (!inquire_of(k, access, arena, question, &inquiry, err))
            return false;
        if (inquiry.pick.compares)
            return ground(access, arena, &inquiry, out, err);
    }
    if ((way == WAY_OVERVIEW && !question->scored &&
         !ground_overview(access, arena, question->text, &each, err)) ||
        (way != WAY_OVERVIEW && parts.count > 1 &&
         !ground_parts(&(struct parts_request){k, access, question}, arena, &parts, &each, err)))
        return false;
    if (each.answered) {
        *out = each;
        return true;
    }
    return inquire_of(k, access, arena, question, &inquiry, err) &&
           ground(access, arena, &inquiry, out, err);
}

bool brief_now(struct knowledge *k, struct arena *arena, const struct knowledge_question *question,
               struct briefing *out, struct err *err)
{
    struct access *access CLEANUP(access_release) = NULL;
    struct inquiry inquiry;

    note_long_question(question);
    return access_borrow(k, question, &access, err) &&
           inquire_of(k, access, arena, question, &inquiry, err) &&
           brief(arena, &inquiry, out, err);
}

/* --- on the pool ------------------------------------------------------------------------------ */

struct call {
    struct knowledge *knowledge;
    struct arena *arena;
    struct str text;
    const struct ingest_wish *wish;
    const struct knowledge_question *question;
    const struct principal *who;
    size_t limit;
    bool ok;
    struct err *err;
    union {
        struct grounded *grounded;
        struct briefing *briefing;
        struct passages_found *found;
        uint32_t *documents, *dropped;
        struct {
            struct document_info **at;
            size_t *count;
        } list;
    } out;
};

static void run_repair(void *arg)
{
    struct call *c = arg;

    c->ok = repair_now(c->knowledge, c->out.dropped, c->err);
}

static void run_list(void *arg)
{
    struct call *c = arg;

    c->ok = list_now(c->knowledge, c->arena, c->who, c->out.list.at, c->out.list.count, c->err);
}

static void run_forget(void *arg)
{
    struct call *c = arg;

    c->ok = forget_now(c->knowledge, c->text, c->out.documents, c->err);
}

static void run_answer(void *arg)
{
    struct call *c = arg;

    c->ok = answer_now(c->knowledge, c->arena, c->question, c->out.grounded, c->err);
}

static void run_brief(void *arg)
{
    struct call *c = arg;

    c->ok = brief_now(c->knowledge, c->arena, c->question, c->out.briefing, c->err);
}

static void run_search(void *arg)
{
    struct call *c = arg;

    c->ok = search_now(c->knowledge, c->arena, c->question, c->limit, c->out.found, c->err);
}

static void run_label(void *arg)
{
    struct call *c = arg;

    c->ok = label_now(c->knowledge, c->wish, c->out.documents, c->err);
}

/* The question as it is asked of the index, with its vectors and the order of a reranker's: what suspends is done
 * before the job. */
static SUSPENDS bool run_asked(struct call *call, void (*job)(void *))
{
    struct knowledge_question asked = *call->question;

    vectors_question(call->knowledge, call->arena, &asked);
    if (!asked.unranked)
        rerank_question(call->knowledge, call->arena, &asked);
    call->question = &asked;
    return pool_run(call->knowledge->pool, job, call, call->err) && call->ok;
}

bool knowledge_brief(struct knowledge *knowledge, struct arena *arena,
                     const struct knowledge_question *question, struct briefing *out,
                     struct err *err)
{
    struct call call = {.knowledge = knowledge,
                        .arena = arena,
                        .question = question,
                        .err = err,
                        .out.briefing = out};

    return run_asked(&call, run_brief);
}

bool knowledge_repair(struct knowledge *knowledge, uint32_t *dropped, struct err *err)
{
    struct call call = {.knowledge = knowledge, .err = err, .out.dropped = dropped};

    return pool_run(knowledge->pool, run_repair, &call, err) && call.ok;
}

bool knowledge_label(struct knowledge *knowledge, const struct ingest_wish *wish,
                     uint32_t *documents, struct err *err)
{
    struct call call = {
        .knowledge = knowledge, .wish = wish, .err = err, .out.documents = documents};

    return pool_run(knowledge->pool, run_label, &call, err) && call.ok;
}

bool knowledge_search(struct knowledge *knowledge, struct arena *arena,
                      const struct knowledge_question *question, size_t limit,
                      struct passages_found *out, struct err *err)
{
    struct call call = {.knowledge = knowledge,
                        .arena = arena,
                        .question = question,
                        .limit = limit,
                        .err = err,
                        .out.found = out};

    return run_asked(&call, run_search);
}

bool knowledge_list(struct knowledge *knowledge, struct arena *arena, const struct principal *who,
                    struct document_info **out, size_t *count, struct err *err)
{
    struct call call = {
        .knowledge = knowledge, .arena = arena, .who = who, .err = err, .out.list = {out, count}};

    return pool_run(knowledge->pool, run_list, &call, err) && call.ok;
}

bool knowledge_forget(struct knowledge *knowledge, struct str id_or_path, uint32_t *documents,
                      struct err *err)
{
    struct call call = {
        .knowledge = knowledge, .text = id_or_path, .err = err, .out.documents = documents};

    return pool_run(knowledge->pool, run_forget, &call, err) && call.ok;
}

bool knowledge_answer(struct knowledge *knowledge, struct arena *arena,
                      const struct knowledge_question *question, struct grounded *out,
                      struct err *err)
{
    struct call call = {.knowledge = knowledge,
                        .arena = arena,
                        .question = question,
                        .err = err,
                        .out.grounded = out};

    return run_asked(&call, run_answer);
}
