/* From files to the index: walk, compare by hash, read, cut, add; one commit at the end. */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "knowledge/access.h"
#include "knowledge/answer.h"
#include "knowledge/entities.h"
#include "knowledge/knowledge_internal.h"
#include "knowledge/labels.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/path.h"

#define PATH_LEN_MAX    4000
#define DEPTH_MAX       32
#define NAMES_MAX       1000000 /* in one folder */
#define PROBLEMS_MAX    10000
#define LANGUAGE_SAMPLE 4000                /* bytes that tell a document's language */
#define FILE_ARENA      ((size_t)768 * MIB) /* a file, its blocks, passages and records */

struct run_state {
    struct knowledge *knowledge;
    const struct ingest_wish *wish;
    struct arena *arena; /* of the report */
    struct lexical_writer *writer;
    struct lexical_view *before;
    struct str root;           /* absolute; empty for a single file */
    struct str name;           /* last part of the root, or of the file */
    struct table before_by_id; /* id -> struct known */
    struct ingest_report report;
    struct buf problems, notes;
    uint32_t files;
    bool incomplete; /* something could not be looked at: what was there must not count as gone */
};
struct known {
    struct document_record record;
    struct str id;
    bool seen;
};

void document_id(struct str source, char id[DOCUMENT_ID_LEN + 1])
{
    struct sha256 hash = sha256(source);

    (void)snprintf(id, DOCUMENT_ID_LEN + 1, "d_%02x%02x%02x%02x%02x%02x%02x%02x", hash.bytes[0],
                   hash.bytes[1], hash.bytes[2], hash.bytes[3], hash.bytes[4], hash.bytes[5],
                   hash.bytes[6], hash.bytes[7]);
}

/* --- one document ----------------------------------------------------------------------------- */

static struct str last_part(struct str path)
{
    size_t from = path.len;

    while (from > 0 && path.ptr[from - 1] != '/')
        from--;
    return str_slice(path, from, path.len);
}

static bool fill_text(struct arena *arena, const struct document *document,
                      const struct passage *passage, struct lexical_passage *out, struct err *err)
{
    out->header =
        arena_fmt(arena, STR_FMT "\n" STR_FMT, STR_ARG(document->title), STR_ARG(passage->heading));
    return (out->header.ptr || err_arena(err, arena)) &&
           passage_text(arena, passage, &out->text, err);
}

static bool fill_marks(struct arena *arena, const struct passage *passage,
                       const struct mentions *mentions, struct lexical_passage *out,
                       struct err *err)
{
    struct buf record;

    buf_init(&record, arena, FILE_ARENA);
    passage_write(&record, passage);
    mentions_write(&record, mentions);
    out->marks = mentions->names;
    out->mark_count = mentions->count;
    return buf_finish(&record, &out->record, err);
}

/* The first blocks: markup and other encodings say nothing of the language. */
static struct str language_sample(const struct document *document)
{
    static const struct block none;
    const struct block *longest = &none;
    size_t seen = 0;

    for (size_t i = 0; i < document->count && seen < LANGUAGE_SAMPLE; i++) {
        const struct block *b = &document->blocks[i];

        seen += b->text.len;
        if (b->text.len > longest->text.len)
            longest = b;
    }
    return str_slice(longest->text, 0, utf8_boundary(longest->text, LANGUAGE_SAMPLE));
}

static bool fill_record(struct arena *arena, const struct document_source *source,
                        const struct document *document, struct str *out, struct err *err)
{
    struct str sample = language_sample(document);
    struct document_record record = {.path = source->shown,
                                     .source = source->source,
                                     .root = source->root,
                                     .title = document->title,
                                     .language = text_language(sample),
                                     .hash = sha256(source->bytes),
                                     .bytes = source->bytes.len,
                                     .ingested = clock_wall(),
                                     .readers = source->readers,
                                     .metadata = source->metadata,
                                     .version = source->version};
    struct buf b;

    buf_init(&b, arena, MIB);
    document_record_write(&b, &record);
    return buf_finish(&b, out, err);
}

static bool write_document(struct lexical_writer *writer, struct arena *arena,
                           const struct document_source *source, const struct document *document,
                           uint64_t *passages, struct err *err)
{
    struct lexical_document added = {0};
    struct mentions *mentions;
    struct passage *cut;
    char id[DOCUMENT_ID_LEN + 1];
    size_t count;

    if (!passages_cut(arena, document, &cut, &count, err))
        return false;
    if (!count)
        return err_set(err, ERR_INVALID, "no text in it");
    struct lexical_passage *list = arena_array(arena, count, sizeof *list);
    if (!list)
        return err_arena(err, arena);
    if (!entities_find(arena, document, cut, count, &mentions, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!fill_text(arena, document, &cut[i], &list[i], err) ||
            !fill_marks(arena, &cut[i], &mentions[i], &list[i], err))
            return false;
    document_id(source->source, id);
    added.key = str_from(id);
    added.passages = list;
    added.passage_count = count;
    *passages += count;
    return fill_record(arena, source, document, &added.record, err) &&
           lexical_add(writer, &added, err);
}

static bool read_apart(struct document_ingest *in, struct arena *arena,
                       const struct document_source *source, struct document *out, struct err *err)
{
    struct rendition rendition;

    ASSERT(in->readers);
    if (!readers_read(in->readers, arena, source->type, source->bytes, &rendition, err)) {
        in->no_reader = err->code == ERR_UNAVAILABLE;
        return false;
    }
    if (!rendition_document(arena, &rendition, out, err))
        return false;
    for (size_t i = 0; in->note && i < rendition.note_count; i++)
        in->note(in->ctx, rendition.notes[i]);
    return true;
}

bool add_document(struct document_ingest *in, const struct document_source *source, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(FILE_ARENA);
    struct document document;

    if (!arena)
        return err_no_room(err, "no memory to read a document");
    if (!(document_type_is_apart(source->type)
              ? read_apart(in, arena, source, &document, err)
              : document_read(arena, source->bytes, source->type, &document, err)))
        return false;
    if (document.encoding_guessed && in->note) {
        struct str text = arena_fmt(arena, "read as %s, which is a guess", document.encoding);
        in->note(in->ctx, text);
    }
    if (!document.title.len)
        document.title = last_part(source->shown);
    return write_document(in->writer, arena, source, &document, &in->passages, err);
}

/* --- the report ------------------------------------------------------------------------------- */

static bool add_problem(struct run_state *run, struct str path, const char *reason, struct err *err)
{
    struct ingest_problem problem = {arena_str(run->arena, path),
                                     arena_str(run->arena, str_from(reason))};

    if (run->report.problem_count >= PROBLEMS_MAX)
        return true; /* counted, not listed */
    if (!problem.path.ptr || !problem.reason.ptr)
        return err_arena(err, run->arena);
    buf_put(&run->problems, &problem, sizeof problem);
    run->report.problem_count++;
    return buf_ok(&run->problems) || err_arena(err, run->arena);
}

static bool skip(struct run_state *run, struct str path, const char *reason, struct err *err)
{
    run->report.skipped++;
    return add_problem(run, path, reason, err);
}

/* A bad file stops nothing; what stops the run is the index or memory failing. */
static bool fail_file(struct run_state *run, struct str path, const struct err *why,
                      struct err *err)
{
    run->report.failed++;
    return add_problem(run, path, why->text, err);
}

struct noted {
    struct run_state *run;
    struct str path;
};

/* What a reader left out or guessed. When memory is gone the run ends soon, and says so. */
static void note(void *ctx, struct str text)
{
    struct noted *noted = ctx;
    struct run_state *run = noted->run;
    struct ingest_problem n = {noted->path, arena_str(run->arena, text)};

    if (run->report.note_count >= PROBLEMS_MAX || !n.reason.ptr)
        return;
    buf_put(&run->notes, &n, sizeof n);
    run->report.note_count = run->notes.len / sizeof n;
}

/* --- a file ----------------------------------------------------------------------------------- */

/* The name people see: the folder's own name and the way below it. */
static struct str shown_path(struct run_state *run, struct str source)
{
    if (!run->root.len)
        return arena_str(run->arena, run->name);
    return arena_fmt(run->arena, STR_FMT STR_FMT, STR_ARG(run->name),
                     STR_ARG(str_slice(source, run->root.len, source.len)));
}

static bool is_unchanged(const struct known *known, const struct document_source *source)
{
    struct sha256 hash = sha256(source->bytes);

    return known && memcmp(&hash, &known->record.hash, sizeof hash) == 0 &&
           str_eq(known->record.path, source->shown) && str_eq(known->record.root, source->root);
}

/* The same bytes: what is said of them may have changed all the same. */
static bool keep_file(struct run_state *run, const struct document_source *source,
                      const struct known *known, struct err *err)
{
    struct labels labels = {source->readers, source->metadata};
    struct document_record record = known->record;
    struct buf b;

    if (labels_equal(&labels, &known->record)) {
        run->report.unchanged++;
        return true;
    }
    record.readers = source->readers;
    record.metadata = source->metadata;
    buf_init(&b, run->arena, MIB);
    document_record_write(&b, &record);
    if (!buf_ok(&b))
        return err_arena(err, run->arena);
    run->report.changed++;
    return lexical_set_record(run->writer, known->id, buf_view(&b), err);
}

/* Who may read it is known before a byte of it is indexed. */
static bool label_file(struct run_state *run, struct document_source *source,
                       const struct known *known, struct err *err)
{
    struct labels labels;

    if (!labels_of(run->arena, source->source, run->wish, known ? &known->record : NULL, &labels,
                   err))
        return false;
    source->readers = labels.readers;
    source->metadata = labels.metadata;
    source->version = known ? known->record.version + 1 : 1;
    return true;
}

static bool ingest_bytes(struct run_state *run, const struct document_source *source,
                         struct known *known, struct err *err)
{
    struct noted noted = {run, source->shown};
    struct document_ingest in = {
        .writer = run->writer, .readers = run->knowledge->readers, .note = note, .ctx = &noted};
    struct err why = {0};

    if (is_unchanged(known, source))
        return keep_file(run, source, known, err);
    if (add_document(&in, source, &why)) {
        run->report.passages += in.passages;
        *(known ? &run->report.changed : &run->report.added) += 1;
        run->report.bytes += source->bytes.len;
        return true;
    }
    if (in.no_reader)
        return fail_file(run, source->shown, &why, err);
    if (why.code != ERR_INVALID && why.code != ERR_TOO_LARGE) {
        *err = why;
        return err_wrap(err, "ingest \"" STR_FMT "\"", STR_ARG(source->shown));
    }
    if (known && !lexical_remove(run->writer, known->id, err))
        return false;
    return fail_file(run, source->shown, &why, err);
}

static bool ingest_file(struct run_state *run, struct str path, struct err *err)
{
    struct arena *scratch CLEANUP(arena_end) = arena_new(run->knowledge->file_bytes_max + MIB);
    struct document_source source = {
        .source = path, .root = run->root, .shown = shown_path(run, path)};
    char id[DOCUMENT_ID_LEN + 1];
    struct err why = {0};

    if (!scratch || !source.shown.ptr)
        return err_no_room(err, "no memory to read a file");
    if (!document_type_of(last_part(path), &source.type))
        return skip(run, source.shown, document_endings(), err);
    if (++run->files > run->knowledge->files_max)
        return err_set(err, ERR_TOO_LARGE, "more than %u files in one run",
                       run->knowledge->files_max);
    document_id(path, id);
    struct known *known = table_get(&run->before_by_id, str_from(id));
    if (known)
        known->seen = true;
    if (!file_load(scratch, path.ptr, run->knowledge->file_bytes_max, &source.bytes, &why))
        return fail_file(run, source.shown, &why, err);
    if (!label_file(run, &source, known, &why)) {
        if (why.code != ERR_EXHAUSTED)
            return fail_file(run, source.shown, &why, err);
        *err = why;
        return false;
    }
    return ingest_bytes(run, &source, known, err);
}

/* --- the walk --------------------------------------------------------------------------------- */

static bool walk(struct run_state *run, struct str dir, int depth, struct err *err);

/* A name whose real path is another is a link; what it points to is read by its own name, if it is
 * inside the folder at all. */
static bool is_link(struct arena *arena, struct str path)
{
    struct str real;
    struct err missing = {0};

    return path_absolute(arena, path.ptr, &real, &missing) && !str_eq(real, path);
}

/* What is said beside a document is read with it; beside nothing it would be lost in silence. */
static bool check_labels(struct run_state *run, struct str path, struct err *err)
{
    struct str of = arena_str(run->arena, str_slice(path, 0, path.len - sizeof LABELS_ENDING + 1));
    struct str shown = shown_path(run, path);
    struct file_info info;
    struct err why = {0};

    if (!of.ptr || !shown.ptr)
        return err_arena(err, run->arena);
    return file_stat(of.ptr, &info, &why) ||
           skip(run, shown, "says something of a file that is not there", err);
}

static bool visit(struct run_state *run, struct str path, int depth, struct err *err)
{
    struct file_info info;
    struct err why = {0};
    struct str name = last_part(path), shown = shown_path(run, path);

    if (!shown.ptr)
        return err_arena(err, run->arena);
    if (name.ptr[0] == '.')
        return skip(run, shown, "hidden", err);
    if (path.len > PATH_LEN_MAX)
        return skip(run, shown, "path too long", err);
    if (is_link(run->arena, path))
        return skip(run, shown, "a link", err);
    if (!file_stat(path.ptr, &info, &why)) {
        run->incomplete = true;
        return fail_file(run, shown, &why, err);
    }
    if (!info.is_dir && str_ends(name, STR(LABELS_ENDING)))
        return check_labels(run, path, err);
    if (!info.is_dir)
        return ingest_file(run, path, err);
    if (depth >= DEPTH_MAX)
        return skip(run, shown, "folders nested too deep", err);
    return walk(run, path, depth + 1, err);
}

static bool walk(struct run_state *run, struct str dir, int depth, struct err *err)
{
    struct str *names;
    size_t count;
    struct err why = {0};

    if (!file_list(run->arena, dir.ptr, NAMES_MAX, &names, &count, &why)) {
        run->incomplete = true;
        return fail_file(run, dir, &why, err);
    }
    for (size_t i = 0; i < count; i++) {
        struct str path =
            arena_fmt(run->arena, STR_FMT "/" STR_FMT, STR_ARG(dir), STR_ARG(names[i]));

        if (!path.ptr)
            return err_arena(err, run->arena);
        if (!visit(run, path, depth, err))
            return false;
    }
    return true;
}

/* --- the run ---------------------------------------------------------------------------------- */

static bool know_what_was(struct run_state *run, struct err *err)
{
    uint64_t count = lexical_stats(run->before).documents;
    struct known *known = arena_array(run->arena, count + 1, sizeof *known);

    if (!known)
        return err_arena(err, run->arena);
    table_init(&run->before_by_id, run->arena, 2 * count + 16);
    for (uint64_t i = 0; i < count; i++) {
        struct lexical_document_info info = lexical_document_at(run->before, i);

        known[i].id = info.key;
        if (!document_record_read(info.record, &known[i].record))
            return err_set(err, ERR_INTERNAL,
                           "could not read the record of document \"" STR_FMT "\"",
                           STR_ARG(info.key));
        if (!table_put(&run->before_by_id, info.key, &known[i], NULL))
            return err_arena(err, run->arena);
    }
    return true;
}

/* Documents that came with this folder and are no longer in it. */
static bool remove_missing(struct run_state *run, struct err *err)
{
    struct str id;
    void *value;

    if (!run->root.len || run->incomplete)
        return true;
    for (size_t at = 0; table_next(&run->before_by_id, &at, &id, &value);) {
        const struct known *known = value;

        if (known->seen || !str_eq(known->record.root, run->root))
            continue;
        if (!lexical_remove(run->writer, id, err))
            return false;
        run->report.removed++;
    }
    return true;
}

static bool begin_run(struct run_state *run, struct str path, bool *is_dir, struct str *absolute,
                      struct err *err)
{
    struct file_info info;
    struct str terminated = arena_str(run->arena, path);

    if (!terminated.ptr)
        return err_arena(err, run->arena);
    if (!path_absolute(run->arena, terminated.ptr, absolute, err) ||
        !file_stat(absolute->ptr, &info, err))
        return false;
    *is_dir = info.is_dir;
    run->name = last_part(*absolute);
    if (info.is_dir)
        run->root = *absolute;
    return know_what_was(run, err);
}

bool ingest_now(struct knowledge *k, struct arena *arena, const struct ingest_wish *wish,
                struct ingest_report *out, struct err *err)
{
    struct lexical_writer *writer CLEANUP(lexical_abandon) = NULL;
    struct lexical_view *before CLEANUP(lexical_release) = NULL;
    struct run_state run = {.knowledge = k, .wish = wish, .arena = arena};
    struct str absolute;
    struct lexical *index = index_of(k, err);
    bool is_dir = false;

    if (!index || !lexical_begin(index, &writer, err))
        return false;
    run.writer = writer;
    run.before = before = lexical_borrow(index);
    buf_init(&run.problems, arena, PROBLEMS_MAX * sizeof(struct ingest_problem));
    buf_init(&run.notes, arena, PROBLEMS_MAX * sizeof(struct ingest_problem));
    if (!begin_run(&run, wish->path, &is_dir, &absolute, err) ||
        !(is_dir ? walk(&run, absolute, 0, err) : ingest_file(&run, absolute, err)) ||
        !remove_missing(&run, err) || !lexical_commit(&writer, err))
        return err_wrap(err, "ingest");
    run.report.problems = (struct ingest_problem *)(void *)run.problems.ptr;
    run.report.notes = (struct ingest_problem *)(void *)run.notes.ptr;
    *out = run.report;
    lexical_release(&before);
    accesses_forget(k);
    return true;
}
