/* /api/v1/knowledge/{base}/documents: documents that are sent, one document, and its original. */
#include "app/admin_bases.h"
#include "app/admin_fields.h"
#include "app/receive.h"
#include "knowledge/metadata.h"
#include "knowledge/rights.h"
#include "knowledge/upload.h"

static const struct schema_field form_fields[] = {
    {"file", FIELD_PROSE, 0, "The document; its file name's ending says the type.", 0, 0, NULL,
     NULL},
    {"name", FIELD_TEXT, FIELD_OPTIONAL, "Instead of the file's name.", 1, UPLOAD_NAME_MAX, NULL,
     NULL},
    {"readers", FIELD_PROSE, FIELD_OPTIONAL, "Who may read it, by commas; empty: everyone.", 0, 0,
     NULL, NULL},
    {"metadata", FIELD_PROSE, FIELD_OPTIONAL, "What is known of it: JSON text.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema form_schema = {"DocumentUpload", "A document that is sent.", form_fields,
                                          NULL};
/* Of a body that is the file itself. */
static const struct schema_field plain_query[] = {
    {"name", FIELD_TEXT, FIELD_OPTIONAL, "The file's name, when the body is the file itself.", 1,
     UPLOAD_NAME_MAX, NULL, NULL},
    {"readers", FIELD_TEXT, FIELD_OPTIONAL, "Who may read it, by commas.", 0, 8192, NULL, NULL},
    {"metadata", FIELD_PROSE, FIELD_OPTIONAL, "What is known of it: JSON text.", 0,
     METADATA_BYTES_MAX, NULL, NULL},
    {0},
};
static const struct schema_field uploaded_fields[] = {
    {"became", FIELD_CHOICE, 0, "Unchanged: the same bytes under the same name.", 0, 0,
     "added|changed|unchanged", NULL},
    {"document", FIELD_OBJECT, 0, NULL, 0, 0, NULL, &document_schema},
    {"notes", FIELD_PROSE, FIELD_LIST, "What was left out, or guessed.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema uploaded_schema = {"DocumentUploaded", "What became of it.",
                                              uploaded_fields, NULL};

/* ---- what is said of it ---- */

bool form_readers(struct admin_call *call, struct str text, struct str *out, struct err *err)
{
    struct str list[READERS_MAX], reader;
    size_t count = 0;

    for (struct str rest = text; rest.len > 0 && str_split(&rest, ',', &reader);) {
        if (count == READERS_MAX)
            return err_set(err, ERR_INVALID, "more than %u readers", READERS_MAX);
        list[count++] = str_trim(reader);
    }
    *out = STR("");
    return count == 0 || readers_join(call->arena, list, count, out, err);
}

bool form_metadata(struct admin_call *call, struct str text, struct str *out, struct err *err)
{
    struct json *j;

    *out = STR("");
    if (str_trim(text).len == 0)
        return true;
    j = json_parse(call->arena, text, err);
    return j && metadata_read(call->arena, j, json_root(j), out, err);
}

static bool wrong(struct admin_call *call, const char *field, struct err *err)
{
    return err->code == ERR_INVALID && field_wrong(call, field, err, "%s", err->text);
}

static bool check_fields(struct admin_call *call, const struct received *got, struct err *err)
{
    for (size_t i = 0; i < got->field_count; i++) {
        bool known = false;

        for (const struct schema_field *f = form_fields; f->name; f++)
            known |= str_eq(got->fields[i].name, str_from(f->name));
        if (!known)
            return admin_fail(call, 422, "wrong_fields", err,
                              "the form's field \"" STR_FMT "\" is not known",
                              STR_ARG(str_slice(got->fields[i].name, 0, 60)));
    }
    return true;
}

/* A field of the form, else of the query. */
static struct str said(struct admin_call *call, const struct received *got, const char *name)
{
    struct str value = received_field(got, name);

    return value.ptr ? value : query_text(call, name);
}

static bool read_wish(struct admin_call *call, const struct received *got, struct upload *out,
                      struct err *err)
{
    struct str name = said(call, got, "name"), readers = said(call, got, "readers");
    struct str metadata = said(call, got, "metadata");

    *out = (struct upload){.name = name.ptr ? name : got->name, .file = got->file};
    out->labels.says_readers = readers.ptr != NULL;
    out->labels.says_metadata = metadata.ptr != NULL;
    if (!check_fields(call, got, err))
        return false;
    if (out->name.len == 0)
        return admin_fail(call, 422, "wrong_fields", err,
                          "the file has no name: say it as ?name= or in the form");
    if (!form_readers(call, readers, &out->labels.readers, err))
        return wrong(call, "readers", err);
    return form_metadata(call, metadata, &out->labels.metadata, err) ||
           wrong(call, "metadata", err);
}

/* ---- handlers ---- */

static void write_uploaded(struct admin_call *call, const struct upload_report *report)
{
    static const char *const became[] = {"added", "changed", "unchanged"};
    struct json_writer *w = &call->reply;

    jw_object(w);
    reply_text(w, "became", str_from(became[report->became]));
    jw_key(w, "document");
    reply_document(w, &report->document);
    jw_key(w, "notes");
    jw_array(w);
    for (size_t i = 0; i < report->note_count; i++)
        jw_str(w, report->notes[i]);
    jw_array_end(w);
    jw_object_end(w);
}

static bool upload(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct received got CLEANUP(received_drop) = {0};
    struct upload_report report;
    struct upload wish;

    /* Before a byte of it is read. */
    if (!call_base(call, call->values[0], true, &base, err) || !base_use(base, err) ||
        !receive_file(call, &got, err) || !read_wish(call, &got, &wish, err))
        return false;
    if (!knowledge_upload(base_knowledge(base), call->arena, &wish, &report, err))
        return err->code == ERR_INVALID &&
               admin_fail(call, 422, "unreadable_document", err, "%s", err->text);
    call->status = report.became == UPLOAD_ADDED ? 201 : 200;
    if (report.became != UPLOAD_UNCHANGED)
        call->note = arena_fmt(
            call->arena, "document " STR_FMT " sent, version %" PRIu64, /* by id: its name */
            STR_ARG(report.document.id), report.document.version);      /* may be a person's */
    write_uploaded(call, &report);
    return true;
}

static SUSPENDS bool reader_of(struct admin_call *call, struct base *base,
                               const struct principal **out, struct err *err)
{
    struct base_info info;

    if (!base_info(base, call->arena, &info, err))
        return false;
    *out = call_reader(call, &info);
    return true;
}

static bool show(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    const struct principal *who;
    struct document_info document;

    if (!call_base(call, call->values[0], false, &base, err) || !reader_of(call, base, &who, err) ||
        !knowledge_document(base_knowledge(base), call->arena, call->values[1], who, &document,
                            err))
        return false;
    reply_document(&call->reply, &document);
    return true;
}

/* Only what who asks may read, whoever may change it: the bytes are more than a line in a list. */
static bool content(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct document_content found;

    if (!call_base_read(call, call->values[0], true, &base, err) ||
        !knowledge_content(base_knowledge(base), call->arena, call->values[1],
                           http_peer_is_local(call->http) ? NULL : call->who, &found, err))
        return false;
    struct http_field fields[] = {
        {STR("x-content-type-options"), STR("nosniff")},
        {STR("content-security-policy"), STR("sandbox; default-src 'none'")},
        {STR("content-disposition"), found.is_shown ? STR("inline") : STR("attachment")},
        {STR("cache-control"), STR("private, no-cache")},
    };
    struct http_reply reply = {.status = 200,
                               .content_type = str_from(found.media),
                               .fields = fields,
                               .field_count = ARRAY_LEN(fields)};

    call->answered = true;
    return http_send(call->http, &reply, found.bytes, err);
}

static const struct admin_route routes[] = {
    {"POST", "/api/v1/knowledge/{base}/documents", "Send a document", RIGHT_BASES, upload,
     &form_schema, &uploaded_schema, 201, false, plain_query, NULL, true, 200},
    {"GET", "/api/v1/knowledge/{base}/documents/{id}", "Show a document", RIGHT_LOOK, show, NULL,
     &document_schema, 0, false, NULL, NULL, false},
    {"GET", "/api/v1/knowledge/{base}/documents/{id}/content",
     "Read a document's original, as citations count in it", RIGHT_ASK, content, NULL, NULL, 0,
     false, NULL, "application/octet-stream", false},
};
const struct admin_part admin_upload_part = {"upload", "Documents that are sent.", routes,
                                             ARRAY_LEN(routes)};
