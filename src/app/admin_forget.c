/* /api/v1/forget: documents and persons, for good, with a receipt. */
#include "app/admin_forget.h"
#include "app/admin_bases.h"
#include "app/admin_fields.h"
#include "app/forget.h"

static const struct schema_field forget_document_fields[] = {
    {"document", FIELD_TEXT, 0,
     "Its id or path; or a folder, as shown or whole, or the place it came with: then all that lay "
     "in it.",
     1, 4096, NULL, NULL},
    {"knowledge", FIELD_TEXT, FIELD_OPTIONAL, "Of which knowledge base; the default one.", 1,
     BASE_NAME_MAX, NULL, NULL},
    {"dry_run", FIELD_BOOL, FIELD_OPTIONAL, "Tell what would go, and remove nothing.", 0, 0, NULL,
     NULL},
    {"compact", FIELD_BOOL, FIELD_OPTIONAL,
     "Write the whole index anew, so that its bytes are those of one that never had it.", 0, 0,
     NULL, NULL},
    {0},
};
static const struct schema forget_document_schema = {"ForgetDocument", "What to forget.",
                                                     forget_document_fields, NULL};
static const struct schema_field forget_person_fields[] = {
    {"person", FIELD_TEXT, 0,
     "An end user's name, a pseudonym from the audit log, or the id of a key or person.", 1, 512,
     NULL, NULL},
    {"tenant", FIELD_TEXT, FIELD_OPTIONAL, "Whose they are; the caller's when absent.", 1, 100,
     NULL, NULL},
    {"dry_run", FIELD_BOOL, FIELD_OPTIONAL, "Tell what would go, and remove nothing.", 0, 0, NULL,
     NULL},
    {0},
};
static const struct schema forget_person_schema = {"ForgetPerson", "Whom to forget.",
                                                   forget_person_fields, NULL};

static const struct schema_field removed_fields[] = {
    {"documents", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"passages", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"kept_answers", FIELD_COUNT, 0, "Of /v1/responses, with what went on from them.", 0, 0, NULL,
     NULL},
    {"cached_answers", FIELD_COUNT, FIELD_OPTIONAL, "Each counted once a level.", 0, 0, NULL, NULL},
    {"key_of_sealed_bodies", FIELD_BOOL, FIELD_OPTIONAL, "Of a person: there was one.", 0, 0, NULL,
     NULL},
    {"sessions", FIELD_COUNT, FIELD_OPTIONAL, "Of a person: of the console, that ended.", 0, 0,
     NULL, NULL},
    {"files", FIELD_COUNT, FIELD_OPTIONAL, "Of a knowledge base: removed with its directory.", 0, 0,
     NULL, NULL},
    {"bytes", FIELD_COUNT, FIELD_OPTIONAL, "Of these files.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema removed_schema = {"ForgetRemoved", "How much went.", removed_fields,
                                             NULL};
static const struct schema_field gone_fields[] = {
    {"id", FIELD_TEXT, 0, NULL, 0, 0, NULL, NULL},
    {"path", FIELD_PROSE, FIELD_OPTIONAL, "Of a dry run alone: a receipt has no names.", 0, 0, NULL,
     NULL},
    {"base", FIELD_TEXT, 0, "The id of its knowledge base.", 0, 0, NULL, NULL},
    {"version", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"bytes", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"passages", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"hash", FIELD_TEXT, 0, "SHA-256 over the salt and the SHA-256 of the file, in hexadecimal.", 0,
     0, NULL, NULL},
    {"fingerprints", FIELD_COUNT, 0, "Taken of it, that no other document of its base has.", 0, 0,
     NULL, NULL},
    {0},
};
static const struct schema gone_schema = {"ForgottenDocument", "A document that went.", gone_fields,
                                          NULL};
static const struct schema_field file_fields[] = {
    {"file", FIELD_TEXT, 0, NULL, 0, 0, NULL, NULL},
    {"bytes", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"sha256", FIELD_TEXT, 0, NULL, 0, 0, NULL, NULL},
    {0},
};
static const struct schema file_schema = {"IndexFile", "A file of the index.", file_fields, NULL};
static const struct schema_field index_fields[] = {
    {"before", FIELD_OBJECT, FIELD_LIST, NULL, 0, 0, NULL, &file_schema},
    {"after", FIELD_OBJECT, FIELD_LIST, NULL, 0, 0, NULL, &file_schema},
    {0},
};
static const struct schema index_schema = {"ForgetIndex", "The index before and after.",
                                           index_fields, NULL};
static const struct schema_field print_fields[] = {
    {"salt", FIELD_TEXT, 0, NULL, 0, 0, NULL, NULL},
    {"window", FIELD_COUNT, 0, "Bytes.", 0, 0, NULL, NULL},
    {"every", FIELD_COUNT, 0, "One window in so many is taken.", 0, 0, NULL, NULL},
    {"shared", FIELD_COUNT, 0, "That other documents have too, and which are left out.", 0, 0, NULL,
     NULL},
    {"hashes", FIELD_TEXT, FIELD_LIST, "Salted hashes of pieces of the text.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema print_schema = {
    "ForgetFingerprints", "By what the text would be found again.", print_fields, NULL};
static const struct schema_field source_fields[] = {
    {"there", FIELD_COUNT, 0, "Documents whose file still lies where it was ingested from.", 0, 0,
     NULL, NULL},
    {"not_known", FIELD_COUNT, 0, "Of a site, a bucket, a query: those may still have them.", 0, 0,
     NULL, NULL},
    {0},
};
static const struct schema source_schema = {
    "ForgetAtSource", "Who brings back, with the next run, what is forgotten.", source_fields,
    NULL};
static const struct schema_field found_fields[] = {
    {"file", FIELD_PROSE, 0, "Below the data directory.", 0, 0, NULL, NULL},
    {"fingerprints", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {0},
};
static const struct schema found_schema = {"ForgetFound", "A file that holds such text.",
                                           found_fields, NULL};
static const struct schema_field search_fields[] = {
    {"files", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"bytes", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"found", FIELD_OBJECT, FIELD_LIST, "Empty: it is nowhere.", 0, 0, NULL, &found_schema},
    {0},
};
static const struct schema search_schema = {"ForgetSearch", "What was looked through afterwards.",
                                            search_fields, NULL};
static const struct schema_field held_fields[] = {
    {"file", FIELD_PROSE, 0, "The name it had below the data directory.", 0, 0, NULL, NULL},
    {"bytes", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {0},
};
static const struct schema held_schema = {"ForgetStillRead", "A file that somebody still reads.",
                                          held_fields, NULL};
static const struct schema_field shelf_fields[] = {
    {"id", FIELD_TEXT, 0, NULL, 0, 0, NULL, NULL},
    {"bytes", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"removed", FIELD_BOOL, 0, NULL, 0, 0, NULL, NULL},
    {"needed_by", FIELD_TEXT, FIELD_LIST, "Knowledge bases that have a document of it, by id.", 0,
     0, NULL, NULL},
    {0},
};
static const struct schema shelf_schema = {
    "ForgottenFile", "A file of /v1/files that something of what went came from.", shelf_fields,
    NULL};
static const struct schema_field store_fields[] = {
    {"store", FIELD_PROSE, 0, NULL, 0, 0, NULL, NULL},
    {"found", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"removed", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {0},
};
static const struct schema store_schema = {"ForgetStore", "A place that was looked at.",
                                           store_fields, NULL};
static const struct schema_field receipt_fields[] = {
    {"weir_receipt", FIELD_COUNT, 0, "Version of this form: 1.", 0, 0, NULL, NULL},
    {"time", FIELD_TIME, FIELD_NULL, NULL, 0, 0, NULL, NULL},
    {"dry_run", FIELD_BOOL, 0, NULL, 0, 0, NULL, NULL},
    {"person", FIELD_TEXT, FIELD_OPTIONAL, "The pseudonym.", 0, 0, NULL, NULL},
    {"base", FIELD_TEXT, FIELD_OPTIONAL, "The id of a knowledge base that went whole.", 0, 0, NULL,
     NULL},
    {"emptied", FIELD_TEXT, FIELD_OPTIONAL,
     "The id of a vector store that expired: all that was in it went, its name stays.", 0, 0, NULL,
     NULL},
    {"gone_from_source", FIELD_BOOL, FIELD_OPTIONAL,
     "Nobody called for it: a run did not find the documents at their source any more.", 0, 0, NULL,
     NULL},
    {"resumed", FIELD_BOOL, FIELD_OPTIONAL, "The process had ended in the middle of it.", 0, 0,
     NULL, NULL},
    {"removed", FIELD_OBJECT, 0, NULL, 0, 0, NULL, &removed_schema},
    {"documents", FIELD_OBJECT, FIELD_LIST, NULL, 0, 0, NULL, &gone_schema},
    {"matched", FIELD_CHOICE, FIELD_OPTIONAL,
     "How the name given was understood: as a document, as what was ingested, or as a folder of "
     "it.",
     0, 0, "document|source|folder", NULL},
    {"at_source", FIELD_OBJECT, FIELD_OPTIONAL, NULL, 0, 0, NULL, &source_schema},
    {"documents_not_listed", FIELD_COUNT, FIELD_OPTIONAL, "More than a receipt lists.", 0, 0, NULL,
     NULL},
    {"files", FIELD_OBJECT, FIELD_LIST, NULL, 0, 0, NULL, &shelf_schema},
    {"stores", FIELD_OBJECT, FIELD_LIST, NULL, 0, 0, NULL, &store_schema},
    {"index", FIELD_OBJECT, 0, NULL, 0, 0, NULL, &index_schema},
    {"fingerprints", FIELD_OBJECT, 0, NULL, 0, 0, NULL, &print_schema},
    {"searched", FIELD_OBJECT, FIELD_OPTIONAL, NULL, 0, 0, NULL, &search_schema},
    {"still_read", FIELD_OBJECT, FIELD_OPTIONAL | FIELD_LIST,
     "Files that went while somebody was reading them, who has not ended: their bytes go with that "
     "reading, and a record of the audit log says so. Empty: nobody reads any of it.",
     0, 0, NULL, &held_schema},
    {"still_read_unknown", FIELD_PROSE, FIELD_OPTIONAL, "Why nobody knows which these are.", 0, 0,
     NULL, NULL},
    {"not_covered", FIELD_TEXT, FIELD_OPTIONAL | FIELD_LIST,
     "Instances that share the database: each has documents, files and logs of its own.", 0, 0,
     NULL, NULL},
    {"stays", FIELD_PROSE, FIELD_LIST, "What is not removed.", 0, 0, NULL, NULL},
    {0},
};
const struct schema receipt_schema = {
    "ForgetReceipt", "What went. Its bytes are hashed in the audit log: keep them as they came.",
    receipt_fields, NULL};

void reply_receipt(struct admin_call *call, const struct forget_order *order,
                   const struct forget_told *told)
{
    jw_raw(&call->reply, told->receipt);
    if (!order->dry_run)
        call->note = forget_note(call->arena, told);
}

static const struct schema_field compact_fields[] = {
    {"knowledge", FIELD_TEXT, FIELD_OPTIONAL, "Which knowledge base; the default one.", 1,
     BASE_NAME_MAX, NULL, NULL},
    {0},
};
static const struct schema compact_schema = {"DocumentsCompact", "What to write anew.",
                                             compact_fields, NULL};
static const struct schema_field compacted_fields[] = {
    {"compacted", FIELD_BOOL, 0, "Always true.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema compacted_schema = {"DocumentsCompacted", "The index is one segment.",
                                               compacted_fields, NULL};

static SUSPENDS bool forget(struct admin_call *call, const struct forget_order *order,
                            struct err *err)
{
    struct forget_told told;

    if (!house_forget(call->house, call->arena, order, &told, err))
        return false;
    reply_receipt(call, order, &told);
    return true;
}

static bool forget_document(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct forget_order order = {0};
    struct str name = BASE_DEFAULT;

    if (!field_text(call, "document", &order.document, err) ||
        !field_text(call, "knowledge", &name, err) || !call_base(call, name, true, &base, err))
        return false;
    order.base = base_id(base);
    order.unknown_too = principal_is_operator(call->who);
    field_bool(call, "dry_run", &order.dry_run);
    field_bool(call, "compact", &order.compact);
    return forget(call, &order, err);
}

/* Documents are all tenants' and so are their answers: a tenant's own erases with `weir audit erase`. */
static bool forget_person(struct admin_call *call, struct err *err)
{
    struct forget_order order = {.tenant = call->who->tenant};

    if (!principal_is_operator(call->who))
        return err_set(err, ERR_DENIED, "only operators of the house may do this");
    if (!field_text(call, "person", &order.person, err) ||
        !field_text(call, "tenant", &order.tenant, err))
        return false;
    field_bool(call, "dry_run", &order.dry_run);
    return forget(call, &order, err);
}

static bool compact(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct str name = BASE_DEFAULT;

    if (!field_text(call, "knowledge", &name, err) || !call_base(call, name, true, &base, err) ||
        !knowledge_compact(base_knowledge(base), err))
        return false;
    call->note = STR("documents compacted");
    jw_object(&call->reply);
    reply_bool(&call->reply, "compacted", true);
    jw_object_end(&call->reply);
    return true;
}

static const struct admin_route routes[] = {
    {"POST", "/api/v1/forget/document", "Remove a document everywhere, with a receipt", RIGHT_BASES,
     forget_document, &forget_document_schema, &receipt_schema, 0, false, NULL, NULL},
    {"POST", "/api/v1/forget/person", "Remove what is kept of a person, with a receipt", RIGHT_OWN,
     forget_person, &forget_person_schema, &receipt_schema, 0, false, NULL, NULL},
    {"POST", "/api/v1/forget/compact",
     "Write the index anew, so that its bytes say nothing but what is in it", RIGHT_BASES, compact,
     &compact_schema, &compacted_schema, 0, false, NULL, NULL},
};
const struct admin_part admin_forget_part = {"forget", "Exact delete, and the proof of it.", routes,
                                             ARRAY_LEN(routes)};
