/* /api/v1/documents: what has been ingested. */
#include <stdlib.h>

#include "app/admin_bases.h"
#include "app/admin_documents.h"
#include "app/forget.h"
#include "base/log.h"
#include "knowledge/metadata.h"
#include "knowledge/rights.h"

static const struct schema_field document_fields[] = {
    {"id", FIELD_TEXT, 0, NULL, 0, 0, NULL, NULL},
    {"path", FIELD_PROSE, 0, "Where it was read.", 0, 0, NULL, NULL},
    {"title", FIELD_PROSE, 0, NULL, 0, 0, NULL, NULL},
    {"language", FIELD_TEXT, 0, NULL, 0, 0, NULL, NULL},
    {"version", FIELD_COUNT, 0, "One more for each change of the file.", 0, 0, NULL, NULL},
    {"readers", FIELD_TEXT, FIELD_LIST, "Who may read it; empty: everyone.", 0, 0, NULL, NULL},
    {"metadata", FIELD_ANY, 0, "What is known of it, or null.", 0, 0, NULL, NULL},
    {"bytes", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"passages", FIELD_COUNT, 0, "Pieces that can be found.", 0, 0, NULL, NULL},
    {"ingested", FIELD_TIME, FIELD_NULL, NULL, 0, 0, NULL, NULL},
    {0},
};
const struct schema document_schema = {"Document", "A document that can be asked.", document_fields,
                                       NULL};

static const struct schema_field label_fields[] = {LABEL_FIELDS, {0}};
static const struct schema label_schema = {
    "DocumentLabels", "Who may read a document, and what is known of it.", label_fields, NULL};
static const struct schema_field labelled_fields[] = {
    {"changed", FIELD_COUNT, 0, "Documents.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema labelled_schema = {"DocumentsLabelled", "What was changed.",
                                              labelled_fields, NULL};

static const struct schema_field ingest_fields[] = {
    {"path", FIELD_TEXT, 0, "Absolute path of a file or folder on Weir's machine.", 1, 4096, NULL,
     NULL},
    {"knowledge", FIELD_TEXT, FIELD_OPTIONAL, "Into which base; the default one when not said.", 1,
     BASE_NAME_MAX, NULL, NULL},
    {"rebuild", FIELD_BOOL, FIELD_OPTIONAL,
     "First remove what is damaged of the index; what is whole stays.", 0, 0, NULL, NULL},
    LABEL_FIELDS,
    {0},
};
static const struct schema ingest_schema = {"DocumentsIngest", "What to ingest.", ingest_fields,
                                            NULL};

static const struct schema_field trouble_fields[] = {
    {"path", FIELD_PROSE, 0, NULL, 0, 0, NULL, NULL},
    {"reason", FIELD_PROSE, 0, NULL, 0, 0, NULL, NULL},
    {0},
};
const struct schema trouble_schema = {"DocumentProblem", "A file that could not be used.",
                                      trouble_fields, NULL};

static const struct schema_field report_fields[] = {
    {"added", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"changed", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"unchanged", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"removed", FIELD_COUNT, 0, "Gone from the folder since.", 0, 0, NULL, NULL},
    {"held", FIELD_COUNT, 0, "Gone too, but kept: they were too many at once.", 0, 0, NULL, NULL},
    {"stopped", FIELD_BOOL, 0, "It was ended before its end: what it had done stays.", 0, 0, NULL,
     NULL},
    {"failed", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"skipped", FIELD_COUNT, 0, "Of a kind that is not read.", 0, 0, NULL, NULL},
    {"passages", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"bytes", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"dropped", FIELD_COUNT, FIELD_OPTIONAL,
     "With rebuild: damaged files of the index that are gone, with all that stood in them.", 0, 0,
     NULL, NULL},
    {"problems", FIELD_OBJECT, FIELD_LIST, "The first files that could not be used.", 0, 0, NULL,
     &trouble_schema},
    {"notes", FIELD_OBJECT, FIELD_LIST, "What was left out of files that were read, or guessed.", 0,
     0, NULL, &trouble_schema},
    {0},
};
static const struct schema report_schema = {"DocumentsIngested", "What became of the files.",
                                            report_fields, NULL};

static const struct schema_field forgotten_fields[] = {
    {"forgotten", FIELD_COUNT, 0, "Documents.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema forgotten_schema = {"DocumentsForgotten", "What was removed.",
                                               forgotten_fields, NULL};

static void write_readers(struct json_writer *w, struct str readers)
{
    struct str rest = readers, reader;

    jw_key(w, "readers");
    jw_array(w);
    while (readers.len > 0 && str_split(&rest, '\n', &reader))
        jw_str(w, reader);
    jw_array_end(w);
}

void reply_document(struct json_writer *w, const struct document_info *d)
{
    jw_object(w);
    reply_text(w, "id", d->id);
    reply_text(w, "path", d->path);
    reply_text(w, "title", d->title);
    reply_text(w, "language", d->language);
    reply_count(w, "version", (int64_t)d->version);
    write_readers(w, d->readers);
    jw_key(w, "metadata");
    jw_raw(w, d->metadata.len > 0 ? d->metadata : STR("null"));
    reply_count(w, "bytes", (int64_t)d->bytes);
    reply_count(w, "passages", (int64_t)d->passages);
    reply_time(w, "ingested", d->ingested);
    jw_object_end(w);
}

static int by_path(const void *one, const void *other)
{
    const struct document_info *a = one, *b = other;
    int order = str_cmp(a->path, b->path);

    return order ? order : str_cmp(a->id, b->id);
}

/* A path may be that of several, ingested from different places: they go by id then, as above. */
static struct str place_of(struct arena *arena, const struct document_info *d)
{
    struct buf b;

    buf_init(&b, arena, d->path.len + 1 + d->id.len);
    buf_str(&b, d->path);
    buf_char(&b, 0); /* in no path, and below all that is */
    buf_str(&b, d->id);
    return buf_ok(&b) ? buf_view(&b) : STR_NONE;
}

/* Of the path, /api/v1/knowledge/{base}/documents/{id}, or /api/v1/documents/{id} of the default one. */
static SUSPENDS bool borrow(struct admin_call *call, bool change, struct base **out, struct str *id,
                            struct err *err)
{
    bool named = str_starts(str_from(call->route->path), STR("/api/v1/knowledge/"));

    *id = call->values[named ? 1 : 0];
    return call_base(call, named ? call->values[0] : BASE_DEFAULT, change, out, err);
}

static bool list(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct document_info *documents;
    struct base_info info;
    struct page page;
    struct str none;
    size_t count;

    /* Who may change them sees them all; others what they may read. */
    if (!borrow(call, false, &base, &none, err) || !base_info(base, call->arena, &info, err) ||
        !knowledge_list(base_knowledge(base), call->arena, call_reader(call, &info), &documents,
                        &count, err) ||
        !page_begin(call, &page, err))
        return false;
    if (count > 0)
        qsort(documents, count, sizeof *documents, by_path);
    for (size_t i = 0; i < count && !page_is_full(&page); i++) {
        struct str place = place_of(call->arena, &documents[i]);

        if (!place.ptr)
            return err_arena(err, call->arena);
        if (page_wants(&page, place))
            reply_document(&call->reply, &documents[i]);
    }
    page_end(call, &page);
    return true;
}

static void write_troubles(struct json_writer *w, const char *name,
                           const struct ingest_problem *list, size_t count)
{
    jw_key(w, name);
    jw_array(w);
    for (size_t i = 0; i < count; i++) {
        jw_object(w);
        reply_text(w, "path", list[i].path);
        reply_text(w, "reason", list[i].reason);
        jw_object_end(w);
    }
    jw_array_end(w);
}

void reply_ingest_report(struct json_writer *w, const struct ingest_report *r)
{
    reply_count(w, "added", r->added);
    reply_count(w, "changed", r->changed);
    reply_count(w, "unchanged", r->unchanged);
    reply_count(w, "removed", r->removed);
    reply_count(w, "held", r->held);
    reply_bool(w, "stopped", r->stopped);
    reply_count(w, "failed", r->failed);
    reply_count(w, "skipped", r->skipped);
    reply_count(w, "passages", (int64_t)r->passages);
    reply_count(w, "bytes", (int64_t)r->bytes);
    write_troubles(w, "problems", r->problems, r->problem_count);
    write_troubles(w, "notes", r->notes, r->note_count);
}

bool read_labels(struct admin_call *call, struct ingest_wish *wish, struct err *err)
{
    json_ref metadata = json_get(call->body, json_root(call->body), STR("metadata"));
    struct str *readers = NULL;
    size_t count = 0;

    wish->says_readers = field_given(call, "readers");
    wish->says_metadata = field_given(call, "metadata");
    if (!field_list(call, "readers", &readers, &count, err))
        return false;
    if (count > 0 && !readers_join(call->arena, readers, count, &wish->readers, err))
        return err->code == ERR_INVALID && field_wrong(call, "readers", err, "%s", err->text);
    if (json_kind(call->body, metadata) == JSON_NULL || !metadata)
        return true;
    return metadata_read(call->arena, call->body, metadata, &wish->metadata, err) ||
           (err->code == ERR_INVALID && field_wrong(call, "metadata", err, "%s", err->text));
}

static bool label(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct ingest_wish wish = {0};
    uint32_t documents;

    if (!borrow(call, true, &base, &wish.path, err) || !read_labels(call, &wish, err) ||
        !knowledge_label(base_knowledge(base), &wish, &documents, err))
        return false;
    call->note = arena_fmt(
        call->arena, "document " STR_FMT ":%s%s of %u set", STR_ARG(str_slice(wish.path, 0, 300)),
        wish.says_readers ? " readers" : "", wish.says_metadata ? " metadata" : "", documents);
    jw_object(&call->reply);
    reply_count(&call->reply, "changed", documents);
    jw_object_end(&call->reply);
    return true;
}

bool read_ingest(struct admin_call *call, struct base *base, struct ingest_wish *wish,
                 int64_t *dropped, struct err *err)
{
    struct str path = STR("");
    uint32_t count = 0;
    bool rebuild = false;

    *dropped = -1;
    if (!field_text(call, "path", &path, err))
        return false;
    if (!str_starts(path, STR("/")))
        return field_wrong(call, "path", err,
                           "expected the absolute path of a file or folder on Weir's machine");
    wish->path = path;
    if (!read_labels(call, wish, err) || !base_use(base, err))
        return false;
    field_bool(call, "rebuild", &rebuild);
    if (!rebuild)
        return true;
    if (!knowledge_repair(base_knowledge(base), &count, err))
        return false;
    if (count > 0)
        log_warn("%u damaged files of the index are gone: ingest what stood in them again", count);
    *dropped = count;
    return true;
}

static bool ingest(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct str into = BASE_DEFAULT;
    struct ingest_wish wish = {0};
    struct ingest_report report;
    int64_t dropped;

    if (!field_text(call, "knowledge", &into, err) || !call_base(call, into, true, &base, err) ||
        !read_ingest(call, base, &wish, &dropped, err) ||
        !knowledge_ingest(base_knowledge(base), call->arena, &wish, &report, err))
        return false;
    call->note = arena_fmt(
        call->arena, "ingested " STR_FMT ": %u added, %u changed, %u removed, %u failed%s%s",
        STR_ARG(str_slice(wish.path, 0, 300)), report.added, report.changed, report.removed,
        report.failed, report.stopped ? "; stopped before its end" : "",
        dropped > 0 ? "; damaged parts of the index dropped" : "");
    jw_object(&call->reply);
    reply_ingest_report(&call->reply, &report);
    if (dropped >= 0)
        reply_count(&call->reply, "dropped", dropped);
    jw_object_end(&call->reply);
    return true;
}

static bool forget(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct json_writer *w = &call->reply;
    struct forget_order order = {0};
    struct forget_told told;

    if (!borrow(call, true, &base, &order.document, err))
        return false;
    order.base = base_id(base);
    if (!house_forget(call->house, call->arena, &order, &told, err))
        return false;
    call->note = forget_note(call->arena, &told);
    jw_object(w);
    reply_count(w, "forgotten", (int64_t)told.documents.count);
    jw_object_end(w);
    return true;
}

static const struct admin_route routes[] = {
    {"GET", "/api/v1/documents", "List what has been ingested", RIGHT_LOOK, list, NULL,
     &document_schema, 0, true, NULL, NULL},
    {"POST", "/api/v1/documents", "Ingest a file or folder of Weir's machine", RIGHT_CHANGE, ingest,
     &ingest_schema, &report_schema, 0, false, NULL, NULL},
    {"PATCH", "/api/v1/documents/{id}", "Say who may read a document and what is known of it",
     RIGHT_CHANGE, label, &label_schema, &labelled_schema, 0, false, NULL, NULL},
    {"DELETE", "/api/v1/documents/{id}", "Remove a document everywhere", RIGHT_CHANGE, forget, NULL,
     &forgotten_schema, 0, false, NULL, NULL},
    {"GET", "/api/v1/knowledge/{base}/documents", "List the documents of a base", RIGHT_LOOK, list,
     NULL, &document_schema, 0, true, NULL, NULL},
    {"PATCH", "/api/v1/knowledge/{base}/documents/{id}", "Label a document of a base", RIGHT_BASES,
     label, &label_schema, &labelled_schema, 0, false, NULL, NULL},
    {"DELETE", "/api/v1/knowledge/{base}/documents/{id}", "Remove a document of a base",
     RIGHT_BASES, forget, NULL, &forgotten_schema, 0, false, NULL, NULL},
};
const struct admin_part admin_documents_part = {"documents", "What answers are made from.", routes,
                                                ARRAY_LEN(routes)};
