#include "knowledge/intake.h"

#include <string.h>

#include "base/log.h"
#include "base/table.h"
#include "knowledge/access.h"
#include "knowledge/knowledge_internal.h"
#include "knowledge/stands.h"
#include "knowledge/vectors.h"
#include "sys/clock.h"

#define SEEN_MAX      ((size_t)10 * 1000 * 1000)
#define SMALL_REMOVAL 10 /* so many are never too many at once */
#define OTHERS_LOOKS  200
#define REST_EVERY    256 /* documents gone through */
#define OTHERS_LOOK   (5 * MILLISECOND)

struct intake {
    struct intake_options with;
    struct arena *arena;
    struct lexical_writer *writer; /* NULL: no batch is open */
    struct lexical_view *view; /* what the open batch builds on, else the newest of the last step */
    struct batch_state {
        uint32_t files;
        size_t bytes;
        mono_ns until;
        bool changed; /* a document that was there has other bytes */
    } batch;
    struct table seen;   /* ids of items that are there */
    struct table doomed; /* ids of items whose bytes cannot be read any more */
    struct ingest_report report;
    struct buf problems, notes, vanished;
    struct table
        forgotten; /* id -> struct str, when; asked for with the first document that is new */
    bool knows_forgotten;
    uint32_t returned;
    uint64_t known, done;
    bool incomplete;
};

static char present; /* what the tables of ids point to */

static void tell(struct intake *in, struct str current)
{
    run_tell(in->with.run, &(struct run_progress){.report = &in->report,
                                                  .known = MAX_OF(in->known, in->done),
                                                  .done = in->done,
                                                  .current = current});
}

bool intake_open(struct arena *arena, const struct intake_options *options, struct intake **out,
                 struct err *err)
{
    struct intake *in = arena_alloc(arena, sizeof *in);

    if (!in)
        return err_arena(err, arena);
    if (!index_of(options->knowledge, err))
        return false;
    in->with = *options;
    in->arena = arena;
    table_init(&in->seen, arena, SEEN_MAX);
    table_init(&in->doomed, arena, SEEN_MAX);
    buf_init(&in->problems, arena, PROBLEMS_MAX * sizeof(struct ingest_problem));
    buf_init(&in->notes, arena, PROBLEMS_MAX * sizeof(struct ingest_problem));
    buf_init(&in->vanished, arena, SEEN_MAX * sizeof(struct vanished));
    tell(in, STR(""));
    *out = in;
    return true;
}

void intake_close(struct intake **held)
{
    struct intake *in = *held;

    if (!in)
        return;
    lexical_abandon(&in->writer);
    lexical_release(&in->view);
    *held = NULL;
}

const struct ingest_report *intake_report(struct intake *in)
{
    in->report.problems = (struct ingest_problem *)(void *)in->problems.ptr;
    in->report.notes = (struct ingest_problem *)(void *)in->notes.ptr;
    return &in->report;
}

bool intake_is_stopped(const struct intake *in)
{
    return run_is_stopped(in->with.run);
}

void intake_expect(struct intake *in, uint64_t known)
{
    in->known = known;
}

void intake_is_at(struct intake *in, struct str shown)
{
    tell(in, shown);
}

void intake_is_incomplete(struct intake *in)
{
    in->incomplete = true;
}

/* --- batches ---------------------------------------------------------------------------------- */

static bool commit(struct intake *in, struct err *err)
{
    if (!in->writer)
        return true;
    lexical_release(&in->view);
    bool changed = in->batch.changed, removed = in->report.vanish != NULL;
    in->batch = (struct batch_state){0};
    if (changed && !stands_mark(in->with.knowledge, err))
        return false;
    bool ok = lexical_commit(&in->writer, err); /* one that fails may hold all the same */
    accesses_forget(in->with.knowledge);
    if (changed || removed)
        analysers_drop(in->with.knowledge->analysers); /* they keep words of what was taken out */
    if (changed)
        stands_changed(in->with.knowledge);
    return ok;
}

static bool others_wait(const struct intake *in)
{
    return atomic_load(&in->with.knowledge->writers_waiting) > 0;
}

/* Those who label and forget want a moment, a run has time. */
static bool open_batch(struct intake *in, struct err *err)
{
    struct knowledge *k = in->with.knowledge;

    if (in->writer)
        return true;
    lexical_release(&in->view);
    for (int looks = 0; others_wait(in) && looks < OTHERS_LOOKS; looks++)
        clock_rest(OTHERS_LOOK);
    if (!begin_change(k, &in->writer, err) || !lexical_share(in->writer, k->index_threads, err))
        return false;
    in->view = lexical_borrow(index_of(k, err));
    in->batch.until = clock_mono() + k->batch.time;
    return true;
}

static bool end_step(struct intake *in, size_t bytes, struct err *err)
{
    const struct ingest_batch *most = &in->with.knowledge->batch;

    in->batch.files++;
    in->batch.bytes += bytes;
    if (!in->writer || (in->batch.files < most->files && in->batch.bytes < most->bytes &&
                        !others_wait(in) && clock_mono() < in->batch.until))
        return true;
    return commit(in, err);
}

bool intake_rest(struct intake *in, struct err *err)
{
    return commit(in, err);
}

/* --- what is known ---------------------------------------------------------------------------- */

struct known {
    struct document_record record;
    struct str id;
};

/* The newest there is: a batch that is open keeps others from changing it. */
static const struct lexical_view *now(struct intake *in, struct err *err)
{
    if (in->writer)
        return in->view;
    lexical_release(&in->view);
    struct lexical *index = index_of(in->with.knowledge, err);
    in->view = index ? lexical_borrow(index) : NULL;
    return in->view;
}

/* Between two steps a run may wait for long: what others forget meanwhile must not stay because of it. */
static bool let_go(struct intake *in, bool ok)
{
    if (!in->writer)
        lexical_release(&in->view);
    return ok;
}

/* Views of the index: good until the end of the step, or until a batch is opened. */
static bool find(struct intake *in, struct str id, struct known *out, bool *found, struct err *err)
{
    const struct lexical_view *view = now(in, err);
    struct lexical_document_info info;

    if (!view)
        return false;
    *found = lexical_find(view, id, &info);
    if (!*found)
        return true;
    out->id = info.key;
    return document_record_read(info.record, &out->record) ||
           err_set(err, ERR_INTERNAL, "could not read the record of document \"" STR_FMT "\"",
                   STR_ARG(info.key));
}

static bool remember(struct intake *in, struct table *ids, struct str id, struct err *err)
{
    if (table_get(ids, id))
        return true;
    struct str copy = arena_str(in->arena, id);

    return (copy.ptr && table_put(ids, copy, &present, NULL)) || err_arena(err, in->arena);
}

static bool is_of_this(const struct intake *in, const struct known *known)
{
    return str_eq(known->record.root, in->with.root);
}

static bool look(struct intake *in, struct arena *arena, const struct item *item,
                 struct intake_known *out, struct err *err)
{
    char id[DOCUMENT_ID_LEN + 1];
    struct known known;
    bool found;

    document_id(item->source, id);
    *out = (struct intake_known){0};
    if (!find(in, str_from(id), &known, &found, err))
        return false;
    if (!found)
        return true;
    out->is_known = true;
    out->is_same = item->mark.len > 0 && str_eq(item->mark, known.record.mark) &&
                   is_of_this(in, &known) && str_eq(item->shown, known.record.path);
    out->mark = arena_str(arena, known.record.mark);
    out->root = arena_str(arena, known.record.root);
    return (out->mark.ptr && out->root.ptr) || err_arena(err, arena);
}

bool intake_look(struct intake *in, struct arena *arena, const struct item *item,
                 struct intake_known *out, struct err *err)
{
    return let_go(in, look(in, arena, item, out, err));
}

/* --- the report ------------------------------------------------------------------------------- */

static bool add_problem(struct intake *in, struct str path, const char *reason, struct err *err)
{
    struct ingest_problem problem = {arena_str(in->arena, path),
                                     arena_str(in->arena, str_from(reason))};

    if (in->report.problem_count >= PROBLEMS_MAX)
        return true; /* counted, not listed */
    if (!problem.path.ptr || !problem.reason.ptr)
        return err_arena(err, in->arena);
    buf_put(&in->problems, &problem, sizeof problem);
    in->report.problem_count++;
    return buf_ok(&in->problems) || err_arena(err, in->arena);
}

bool intake_skip(struct intake *in, struct str shown, const char *reason, struct err *err)
{
    in->report.skipped++;
    return add_problem(in, shown, reason, err);
}

bool intake_pass(struct intake *in, struct str shown, const char *reason, struct err *err)
{
    in->done++;
    tell(in, shown);
    return intake_skip(in, shown, reason, err);
}

/* A bad file stops nothing; what stops the run is the index or memory failing. */
static bool fail(struct intake *in, struct str shown, const struct err *why, struct err *err)
{
    in->report.failed++;
    in->done++;
    tell(in, shown);
    return add_problem(in, shown, why->text, err);
}

bool intake_fail(struct intake *in, struct str source, struct str shown, const struct err *why,
                 struct err *err)
{
    char id[DOCUMENT_ID_LEN + 1];

    document_id(source, id);
    return remember(in, &in->seen, str_from(id), err) && fail(in, shown, why, err);
}

void intake_note(struct intake *in, struct str shown, struct str text)
{
    struct ingest_problem n = {arena_str(in->arena, shown), arena_str(in->arena, text)};

    if (in->report.note_count >= PROBLEMS_MAX || !n.reason.ptr || !n.path.ptr)
        return; /* when memory is gone the run ends soon, and says so */
    buf_put(&in->notes, &n, sizeof n);
    in->report.note_count = in->notes.len / sizeof n;
}

struct noted {
    struct intake *intake;
    struct str shown;
};

static void note(void *ctx, struct str text)
{
    const struct noted *noted = ctx;

    intake_note(noted->intake, noted->shown, text);
}

/* --- an item ---------------------------------------------------------------------------------- */

/* The record stays as it is but for its labels and its mark. */
static bool settle_record(struct intake *in, const struct known *known, const struct item *item,
                          const struct labels *labels, struct err *err)
{
    struct arena *scratch CLEANUP(arena_end) = arena_new(4 * MIB);
    struct document_record record = known->record;
    struct buf b;

    if (!scratch)
        return err_no_room(err, "no memory to note what is known of a document");
    if (!vectors_rights(in->writer, record.readers, labels->readers, err))
        return false;
    record.readers = labels->readers;
    record.metadata = labels->metadata;
    record.mark = item->mark;
    buf_init(&b, scratch, MIB);
    document_record_write(&b, &record);
    return (buf_ok(&b) || err_arena(err, scratch)) &&
           lexical_set_record(in->writer, known->id, buf_view(&b), err);
}

/* The same bytes: what is said of them may have changed all the same. */
static bool keep(struct intake *in, const struct item *item, const struct beside *beside,
                 struct known *known, struct err *err)
{
    char id[DOCUMENT_ID_LEN + 1];
    struct labels labels;
    bool found = true;

    labels_settle(beside, in->with.wish, &known->record, &labels);
    bool same = labels_equal(&labels, &known->record);
    if (same && str_eq(item->mark, known->record.mark)) {
        in->report.unchanged++;
        return true;
    }
    document_id(item->source, id);
    if (!open_batch(in, err) || !find(in, str_from(id), known, &found, err))
        return false;
    *(same ? &in->report.unchanged : &in->report.changed) += 1;
    if (!found) /* forgotten a moment ago */
        return true;
    labels_settle(beside, in->with.wish, &known->record, &labels);
    return settle_record(in, known, item, &labels, err);
}

static bool keep_known(struct intake *in, const struct item *item, const struct beside *beside,
                       struct err *err)
{
    char id[DOCUMENT_ID_LEN + 1];
    struct known known;
    bool found;

    document_id(item->source, id);
    if (!remember(in, &in->seen, str_from(id), err) || !find(in, str_from(id), &known, &found, err))
        return false;
    in->done++;
    tell(in, item->shown);
    if (!found) {
        in->report.unchanged++;
        return true;
    }
    return keep(in, item, beside, &known, err) && end_step(in, 0, err);
}

bool intake_keep(struct intake *in, const struct item *item, const struct beside *beside,
                 struct err *err)
{
    return let_go(in, keep_known(in, item, beside, err));
}

static bool is_unchanged(const struct intake *in, const struct known *known,
                         const struct item *item, struct str bytes)
{
    struct sha256 hash = sha256(bytes);

    return memcmp(&hash, &known->record.hash, sizeof hash) == 0 &&
           str_eq(known->record.path, item->shown) && is_of_this(in, known);
}

/* Its bytes are no document, or hurt their reader: what was known of it must not stay. */
static bool put_bad(struct intake *in, const struct item *item, const struct known *known,
                    const struct err *why, struct err *err)
{
    if (known && !remember(in, &in->doomed, known->id, err))
        return false;
    in->report.failed++;
    return add_problem(in, item->shown, why->text, err);
}

/* A document that somebody had forgotten comes back because its source still has it: not without a word. */
static bool tell_returned(struct intake *in, const struct item *item, struct err *err)
{
    const struct vanish_options *with = &in->with.knowledge->vanish;
    char id[DOCUMENT_ID_LEN + 1];

    if (!with->forgotten)
        return true;
    if (!in->knows_forgotten) {
        table_init(&in->forgotten, in->arena, SEEN_MAX);
        if (!with->forgotten(with->ctx, in->arena, in->with.knowledge->base, &in->forgotten, err))
            return err_wrap(err, "look what was forgotten");
        in->knows_forgotten = true;
    }
    document_id(item->source, id);
    const struct str *when = table_get(&in->forgotten, str_from(id));
    if (!when)
        return true;
    in->returned++;
    struct str text = arena_fmt(in->arena,
                                "it was forgotten at " STR_FMT
                                " and is back, for its source still has it: remove it there too",
                                STR_ARG(*when));
    if (!text.ptr)
        return err_arena(err, in->arena);
    intake_note(in, item->shown, text);
    return true;
}

/* Who may read it is known before a byte of it is indexed. */
static bool put_new(struct intake *in, const struct item *item, const struct beside *beside,
                    struct str bytes, const struct known *known, struct err *err)
{
    struct noted noted = {in, item->shown};
    struct document_ingest to = {
        .writer = in->writer, .readers = in->with.knowledge->readers, .note = note, .ctx = &noted};
    struct labels labels;
    struct err why = {0};

    labels_settle(beside, in->with.wish, known ? &known->record : NULL, &labels);
    struct document_source source = {.bytes = bytes,
                                     .shown = item->shown,
                                     .source = item->source,
                                     .root = in->with.root,
                                     .readers = labels.readers,
                                     .metadata = labels.metadata,
                                     .title = item->title,
                                     .mark = item->mark,
                                     .version = known ? known->record.version + 1 : 1,
                                     .type = item->type};
    if (add_document(&to, &source, &why)) {
        in->report.passages += to.passages;
        *(known ? &in->report.changed : &in->report.added) += 1;
        in->batch.changed |= known != NULL;
        in->report.bytes += bytes.len;
        return known || tell_returned(in, item, err);
    }
    if (!to.no_reader && (why.code == ERR_INVALID || why.code == ERR_TOO_LARGE))
        return put_bad(in, item, known, &why, err);
    if (to.no_reader) {
        in->report.failed++;
        return add_problem(in, item->shown, why.text, err);
    }
    *err = why;
    return err_wrap(err, "ingest \"" STR_FMT "\"", STR_ARG(item->shown));
}

static bool put(struct intake *in, const struct item *item, const struct beside *beside,
                struct str bytes, struct err *err)
{
    char text[DOCUMENT_ID_LEN + 1];
    struct str id = {text, DOCUMENT_ID_LEN};
    struct known known;
    bool found;

    document_id(item->source, text);
    if (!remember(in, &in->seen, id, err) || !find(in, id, &known, &found, err))
        return false;
    in->done++;
    tell(in, item->shown);
    if (found && is_unchanged(in, &known, item, bytes))
        return keep(in, item, beside, &known, err) && end_step(in, bytes.len, err);
    if (!open_batch(in, err) || !find(in, id, &known, &found, err))
        return false;
    return put_new(in, item, beside, bytes, found ? &known : NULL, err) &&
           end_step(in, bytes.len, err);
}

bool intake_put(struct intake *in, const struct item *item, const struct beside *beside,
                struct str bytes, struct err *err)
{
    return let_go(in, put(in, item, beside, bytes, err));
}

/* --- the end ---------------------------------------------------------------------------------- */

static bool is_missing(struct intake *in, const struct known *known)
{
    return !in->incomplete && in->with.root.len > 0 && is_of_this(in, known) &&
           !table_get(&in->seen, known->id);
}

static bool add_vanished(struct intake *in, const struct known *known, struct err *err)
{
    struct vanished v = {arena_str(in->arena, known->id), known->record.version};

    if (v.id.ptr)
        buf_put(&in->vanished, &v, sizeof v);
    return (v.id.ptr && buf_ok(&in->vanished)) || err_arena(err, in->arena);
}

/* Lists what is to go; counts of that what cannot be read, and all of this source. */
static bool find_gone(struct intake *in, uint32_t *unreadable, uint64_t *all, struct err *err)
{
    uint64_t count = lexical_stats(in->view).documents;

    for (uint64_t i = 0; i < count; i++) {
        if (i % REST_EVERY == 0)
            lexical_rest(in->view);
        struct lexical_document_info info = lexical_document_at(in->view, i);
        struct known known = {.id = info.key};

        if (!document_record_read(info.record, &known.record))
            return err_set(err, ERR_INTERNAL,
                           "could not read the record of document \"" STR_FMT "\"",
                           STR_ARG(info.key));
        *all += is_of_this(in, &known);
        bool doomed = table_get(&in->doomed, known.id) != NULL;
        *unreadable += doomed;
        if ((doomed || is_missing(in, &known)) && !add_vanished(in, &known, err))
            return false;
    }
    return true;
}

static bool is_too_much(const struct intake *in, uint64_t gone, uint64_t all)
{
    return in->with.root.len > 0 && gone > SMALL_REMOVAL &&
           gone * 100 > all * in->with.delete_percent;
}

static bool hold_back(struct intake *in, uint64_t gone, uint64_t all, struct err *err)
{
    char text[200];
    struct buf b;

    buf_init_fixed(&b, text, sizeof text - 1);
    buf_fmt(&b,
            "%" PRIu64 " of its %" PRIu64 " documents would go at once, more than %u per cent: "
            "nothing was removed; forced, the next run removes them",
            gone, all, in->with.delete_percent);
    text[b.len] = 0;
    in->report.held = (uint32_t)gone;
    return add_problem(in, in->with.root, text, err);
}

/* What was made from them goes behind the commit, but is written down before it. */
static bool remove_listed(struct intake *in, struct err *err)
{
    const struct vanish_options *with = &in->with.knowledge->vanish;
    struct vanished *list = (struct vanished *)(void *)in->vanished.ptr;
    size_t count = in->vanished.len / sizeof *list;

    if (count && with->begin &&
        !with->begin(with->ctx, in->with.knowledge, in->with.knowledge->base, list, count,
                     &in->report.vanish, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!lexical_remove(in->writer, list[i].id, err))
            return false;
    return true;
}

static bool remove_gone(struct intake *in, struct err *err)
{
    uint32_t unreadable = 0;
    uint64_t all = 0;

    if (!now(in, err) || !find_gone(in, &unreadable, &all, err))
        return false;
    size_t gone = in->vanished.len / sizeof(struct vanished);
    if (gone == 0)
        return true;
    if (is_too_much(in, gone, all))
        return hold_back(in, gone, all, err);
    /* The batch may have been opened on a newer index than was counted: it is looked at anew. */
    in->vanished.len = 0;
    unreadable = 0;
    if (!open_batch(in, err) || !find_gone(in, &unreadable, &all, err) || !remove_listed(in, err))
        return false;
    in->report.removed += (uint32_t)(in->vanished.len / sizeof(struct vanished)) - unreadable;
    return true;
}

/* A commit may fail behind the place from which it holds: then what went with it is gone all the same. They went with one
 * commit: one of them stands for all. */
static bool are_gone(struct intake *in)
{
    const struct vanished *first = (const struct vanished *)(const void *)in->vanished.ptr;
    struct err ignored = {0};
    struct known known;
    bool found = true;

    lexical_abandon(&in->writer);
    return find(in, first->id, &known, &found, &ignored) &&
           (!found || known.record.version != first->version);
}

bool intake_finish(struct intake *in, struct err *err)
{
    in->report.stopped = intake_is_stopped(in);
    /* The last batch and what goes are one commit: a small run is seen as a whole. */
    bool ok = (in->report.stopped || remove_gone(in, err)) && commit(in, err);

    in->report.vanished = in->report.vanish && (ok || are_gone(in));
    if (!ok)
        return let_go(in, false);
    tell(in, STR(""));
    if (in->returned)
        log_warn("knowledge base " STR_FMT ": %u documents that were forgotten are back: \"" STR_FMT
                 "\" still has them",
                 STR_ARG(in->with.knowledge->base), in->returned, STR_ARG(in->with.root));
    return let_go(in, true);
}
