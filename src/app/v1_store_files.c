/* /v1/vector_stores/{id}/files and /file_batches: what stands in a store, and how it got there. */
#include "app/v1.h"
#include "knowledge/upload.h"
#include "sys/clock.h"

static const struct schema_field add_fields[] = {
    {"file_id", FIELD_TEXT, 0, NULL, 1, 100, NULL, NULL},
    {"attributes", FIELD_ANY, FIELD_OPTIONAL, "Metadata, for filters.", 0, 0, NULL, NULL},
    {"chunking_strategy", FIELD_ANY, FIELD_OPTIONAL, V1_CHUNKING_HELP, 0, 0, NULL, NULL},
    {0},
};
static const struct schema add_schema = {"VectorStoreFileAdd", "A file to put into a store.",
                                         add_fields, NULL};
static const struct schema_field label_fields[] = {
    {"attributes", FIELD_ANY, 0, "Metadata; null: none.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema label_schema = {"VectorStoreFileChange", "What is to be said of it.",
                                           label_fields, NULL};
static const struct schema_field batch_fields[] = {
    {"file_ids", FIELD_TEXT, FIELD_OPTIONAL | FIELD_LIST, NULL, 1, 100, NULL, NULL},
    {"files", FIELD_OBJECT, FIELD_OPTIONAL | FIELD_LIST, NULL, 0, 0, NULL, &add_schema},
    {"attributes", FIELD_ANY, FIELD_OPTIONAL, "Of each of file_ids.", 0, 0, NULL, NULL},
    {"chunking_strategy", FIELD_ANY, FIELD_OPTIONAL, V1_CHUNKING_HELP, 0, 0, NULL, NULL},
    {0},
};
static const struct schema batch_schema = {"VectorStoreBatch", "Files to put into a store.",
                                           batch_fields, NULL};

/* ---- how files stand ---- */

struct standing {
    struct str id, store, code, message, attributes;
    enum attach_state state;
    uint64_t bytes;
    wall_ms created;
    struct chunking chunking;
};
struct standings {
    struct standing *at;
    size_t count;
    bool sees_all; /* who asks may change the store */
};

struct listing {
    const char *base;
    struct arena *arena;
    struct attached *list;
    size_t count;
};

static bool list_now(void *arg, struct err *err)
{
    struct listing *l = arg;

    return attached_list(l->base, l->arena, &l->list, &l->count, err);
}

static struct str id_of(const struct document_info *d)
{
    struct str source = STR(ATTACH_SOURCE);

    return str_starts(d->source, source) ? str_slice(d->source, source.len, d->source.len) : d->id;
}

/* Where a file is on its way again, that is how it stands. */
static bool is_on_its_way(const struct listing *l, struct str id)
{
    for (size_t i = 0; i < l->count; i++)
        if (str_eq(l->list[i].file, id))
            return true;
    return false;
}

static bool is_among(const struct document_info *documents, size_t count, struct str file)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(id_of(&documents[i]), file))
            return true;
    return false;
}

/* A file on its way again, or that failed on it, has the readers of the document that is there: to who may not read
 * that, it is not on its way. */
static SUSPENDS bool drop_hidden(struct admin_call *call, struct base *base, struct listing *l,
                                 const struct document_info *seen, size_t seen_count,
                                 struct err *err)
{
    struct document_info *all;
    size_t all_count, kept = 0;

    if (l->count == 0)
        return true;
    if (!knowledge_list(base_knowledge(base), call->arena, NULL, &all, &all_count, err))
        return false;
    for (size_t i = 0; i < l->count; i++)
        if (is_among(seen, seen_count, l->list[i].file) ||
            !is_among(all, all_count, l->list[i].file))
            l->list[kept++] = l->list[i];
    l->count = kept;
    return true;
}

static SUSPENDS bool stand(struct admin_call *call, struct base *base, struct standings *out,
                           struct err *err)
{
    struct listing l = {.base = base_dir(base), .arena = call->arena};
    struct document_info *documents;
    struct base_info info;
    size_t count;

    if (!v1_block(call, list_now, &l, err) || !base_info(base, call->arena, &info, err))
        return false;
    const struct principal *reader = call_reader(call, &info);
    if (!knowledge_list(base_knowledge(base), call->arena, reader, &documents, &count, err) ||
        (reader && !drop_hidden(call, base, &l, documents, count, err)))
        return false;
    out->sees_all = !reader;
    out->count = 0;
    out->at = arena_array(call->arena, l.count + count + 1, sizeof *out->at);
    if (!out->at)
        return err_arena(err, call->arena);
    for (size_t i = 0; i < l.count; i++)
        out->at[out->count++] = (struct standing){
            l.list[i].file,  info.id, l.list[i].code,    l.list[i].message, l.list[i].attributes,
            l.list[i].state, 0,       l.list[i].created, l.list[i].chunking};
    for (size_t i = 0; i < count; i++)
        if (!is_on_its_way(&l, id_of(&documents[i])))
            out->at[out->count++] = (struct standing){.id = id_of(&documents[i]),
                                                      .store = info.id,
                                                      .attributes = documents[i].metadata,
                                                      .state = ATTACH_COMPLETED,
                                                      .bytes = documents[i].bytes,
                                                      .created = documents[i].ingested,
                                                      .chunking = documents[i].chunking};
    return true;
}

bool v1_count(struct admin_call *call, struct base *base, struct v1_counts *out, struct err *err)
{
    struct standings all;

    *out = (struct v1_counts){0};
    if (!stand(call, base, &all, err))
        return false;
    for (size_t i = 0; i < all.count; i++) {
        out->states[all.at[i].state]++;
        out->bytes += all.at[i].bytes;
    }
    return true;
}

void v1_write_counts(struct json_writer *w, const struct v1_counts *counts)
{
    uint64_t total = 0;

    jw_key(w, "file_counts");
    jw_object(w);
    for (int i = 0; i < 4; i++) {
        reply_count(w, attach_state_name((enum attach_state)i), (int64_t)counts->states[i]);
        total += counts->states[i];
    }
    reply_count(w, "total", (int64_t)total);
    jw_object_end(w);
}

/* "other" is the dialect's word for one that it has no numbers of: along the structure. */
static void write_chunking(struct json_writer *w, struct chunking chunking)
{
    jw_key(w, "chunking_strategy");
    jw_object(w);
    reply_text(w, "type", chunking.tokens ? STR("static") : STR("other"));
    if (chunking.tokens) {
        jw_key(w, "static");
        jw_object(w);
        reply_count(w, "max_chunk_size_tokens", chunking.tokens);
        reply_count(w, "chunk_overlap_tokens", chunking.overlap);
        jw_object_end(w);
    }
    jw_object_end(w);
}

static void write_standing(struct json_writer *w, const void *what)
{
    const struct standing *s = what;

    jw_object(w);
    reply_text(w, "id", s->id);
    reply_text(w, "object", STR("vector_store.file"));
    reply_count(w, "usage_bytes", (int64_t)s->bytes);
    reply_count(w, "created_at", s->created / 1000);
    reply_text(w, "vector_store_id", s->store);
    reply_text(w, "status", str_from(attach_state_name(s->state)));
    jw_key(w, "last_error");
    if (s->state == ATTACH_FAILED) {
        jw_object(w);
        reply_text(w, "code", s->code);
        reply_text(w, "message", s->message);
        jw_object_end(w);
    } else {
        jw_null(w);
    }
    write_chunking(w, s->chunking);
    jw_key(w, "attributes"), jw_raw(w, s->attributes.len > 0 ? s->attributes : STR("{}"));
    jw_object_end(w);
}

static SUSPENDS bool find_file(struct admin_call *call, struct base *base, struct str id,
                               struct standing *out, struct err *err)
{
    struct standings all;

    if (!stand(call, base, &all, err))
        return false;
    for (size_t i = 0; i < all.count; i++)
        if (str_eq(all.at[i].id, id)) {
            *out = all.at[i];
            return true;
        }
    return err_set(err, ERR_NOT_FOUND, "the vector store has no file \"" STR_FMT "\"",
                   STR_ARG(str_slice(id, 0, 100)));
}

static bool write_list(struct admin_call *call, struct str store, const struct standings *all,
                       const struct str *only, size_t only_count, struct err *err)
{
    struct v1_item *items = arena_array(call->arena, all->count + 1, sizeof *items);
    int state = query_choice(call, "filter", -1);
    size_t count = 0;

    if (!items)
        return err_arena(err, call->arena);
    for (size_t i = 0; i < all->count; i++) {
        const struct standing *s = &all->at[i];
        bool wanted = only == NULL;

        for (size_t k = 0; k < only_count && !wanted; k++)
            wanted = str_eq(only[k], s->id);
        if (wanted && (state < 0 || (int)s->state == state))
            items[count++] = (struct v1_item){s->id, s->created, s};
    }
    return v1_list(call, store, items, count, write_standing, err);
}

/* ---- files of a store ---- */

/* Of files that say none. */
static bool usual_chunking(struct admin_call *call, struct base *base, struct chunking *out,
                           struct err *err)
{
    struct base_info info;

    if (!base_info(base, call->arena, &info, err))
        return false;
    *out = info.life.chunking;
    return true;
}

static bool add(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct attached one = {.code = STR(""), .message = STR(""), .created = clock_wall()};
    struct standing standing;
    bool said;

    if (!v1_store(call, true, &base, err) || !usual_chunking(call, base, &one.chunking, err) ||
        !v1_chunking(call, call->body, json_root(call->body), &one.chunking, err) ||
        !field_text(call, "file_id", &one.file, err) ||
        !v1_attributes(call, call->body, json_root(call->body), &one.attributes, &said, err) ||
        !v1_attach(call, base, &one, 1, err))
        return false;
    call->note = arena_fmt(call->arena, "file " STR_FMT " into knowledge base " STR_FMT,
                           STR_ARG(one.file), STR_ARG(base_id(base)));
    standing = (struct standing){.id = one.file,
                                 .store = base_id(base),
                                 .attributes = one.attributes,
                                 .created = one.created,
                                 .chunking = one.chunking};
    write_standing(&call->reply, &standing);
    return true;
}

static bool list(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct standings all;

    return v1_store(call, false, &base, err) && stand(call, base, &all, err) &&
           write_list(call, base_id(base), &all, NULL, 0, err);
}

static bool show(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct standing found;

    if (!v1_store(call, false, &base, err) || !find_file(call, base, call->values[1], &found, err))
        return false;
    write_standing(&call->reply, &found);
    return true;
}

static bool label(struct admin_call *call, struct err *err)
{
    struct ingest_wish wish = {.says_metadata = true};
    struct base *base CLEANUP(base_release) = NULL;
    struct standing found;
    uint32_t documents;
    bool said;

    if (!v1_store(call, true, &base, err) || !find_file(call, base, call->values[1], &found, err) ||
        !v1_attributes(call, call->body, json_root(call->body), &wish.metadata, &said, err))
        return false;
    if (found.state != ATTACH_COMPLETED)
        return admin_fail(call, 409, "conflict", err, "the file is not in the store: it is %s",
                          attach_state_name(found.state));
    wish.path = str_starts(found.id, STR("file-"))
                    ? arena_fmt(call->arena, ATTACH_SOURCE STR_FMT, STR_ARG(found.id))
                    : found.id;
    if (!wish.path.ptr)
        return err_arena(err, call->arena);
    if (!knowledge_label(base_knowledge(base), &wish, &documents, err))
        return false;
    call->note = arena_fmt(call->arena, "file " STR_FMT ": attributes set", STR_ARG(found.id));
    found.attributes = wish.metadata;
    write_standing(&call->reply, &found);
    return true;
}

/* Out of this store, with all that was answered from it; the file itself stays on the shelf, as the dialect has it. */
static bool remove_file(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct forget_order order = {.keep_files = true};
    struct standing found;
    struct str id = call->values[1];

    if (!v1_store(call, true, &base, err) || !find_file(call, base, id, &found, err))
        return false;
    order.base = base_id(base);
    order.document = str_starts(id, STR("file-"))
                         ? arena_fmt(call->arena, ATTACH_SOURCE STR_FMT, STR_ARG(id))
                         : id;
    if (!order.document.ptr)
        return err_arena(err, call->arena);
    return v1_forget(call, &order, id, "vector_store.file.deleted", err);
}

/* ---- batches ---- */

struct batch_call {
    const char *base;
    struct arena *arena;
    struct attach_batch batch;
    const struct attached *all; /* to be cancelled, when in progress */
    size_t count;
};

static bool store_batch_now(void *arg, struct err *err)
{
    struct batch_call *b = arg;

    return batch_store(b->base, b->arena, &b->batch, err);
}

static bool find_batch_now(void *arg, struct err *err)
{
    struct batch_call *b = arg;

    return batch_find(b->base, b->arena, b->batch.id, &b->batch, err);
}

static bool cancel_now(void *arg, struct err *err)
{
    struct batch_call *b = arg;

    for (size_t i = 0; i < b->batch.count; i++) {
        struct attached one, to;
        struct err gone = {0};
        bool ended;

        if (!attached_find(b->base, b->arena, b->batch.files[i], &one, &gone)) {
            if (gone.code != ERR_EXHAUSTED) /* of which nobody can read how it stands has failed */
                continue;
            *err = gone;
            return false;
        }
        if (one.state != ATTACH_IN_PROGRESS)
            continue;
        to = one;
        to.state = ATTACH_CANCELLED;
        if (!attached_end(b->base, &one, &to, &ended, err)) /* or it was done just now */
            return false;
    }
    b->batch.cancelled = true;
    return batch_store(b->base, b->arena, &b->batch, err);
}

/* One taken out since counts as cancelled to who may change the store; to others it is as one they may not read. */
static size_t count_batch(const struct standings *all, const struct attach_batch *batch,
                          struct v1_counts *out)
{
    size_t seen = 0;

    *out = (struct v1_counts){0};
    for (size_t i = 0; i < batch->count; i++) {
        const struct standing *s = NULL;

        for (size_t k = 0; k < all->count && !s; k++)
            if (str_eq(all->at[k].id, batch->files[i]))
                s = &all->at[k];
        if (!s && !all->sees_all)
            continue;
        out->states[s ? s->state : ATTACH_CANCELLED]++;
        seen++;
    }
    return seen;
}

static SUSPENDS bool write_batch(struct admin_call *call, struct base *base,
                                 const struct attach_batch *batch, struct err *err)
{
    struct json_writer *w = &call->reply;
    struct standings all;
    struct v1_counts counts;

    if (!stand(call, base, &all, err))
        return false;
    size_t count = count_batch(&all, batch, &counts);
    if (count == 0 && !all.sees_all)
        return batch_unknown(batch->id, err);
    bool busy = counts.states[ATTACH_IN_PROGRESS] > 0;
    bool failed = count > 0 && counts.states[ATTACH_FAILED] == count;
    jw_object(w);
    reply_text(w, "id", batch->id);
    reply_text(w, "object", STR("vector_store.files_batch"));
    reply_count(w, "created_at", batch->created / 1000);
    reply_text(w, "vector_store_id", base_id(base));
    reply_text(w, "status",
               batch->cancelled ? STR("cancelled")
               : busy           ? STR("in_progress")
               : failed         ? STR("failed")
                                : STR("completed"));
    v1_write_counts(w, &counts);
    jw_object_end(w);
    return true;
}

/* "file_ids" with one set of attributes, or "files" with their own. */
static bool read_batch(struct admin_call *call, struct base *base, struct attached **out,
                       size_t *count, struct err *err)
{
    const struct json *j = call->body;
    json_ref files = json_get(j, json_root(j), STR("files"));
    struct str *ids = NULL, common;
    size_t id_count = 0, file_count = json_count(j, files);
    struct chunking usual, chunking;
    bool said;

    if (!usual_chunking(call, base, &usual, err))
        return false;
    chunking = usual;
    if (!field_list(call, "file_ids", &ids, &id_count, err) ||
        !v1_attributes(call, j, json_root(j), &common, &said, err) ||
        !v1_chunking(call, j, json_root(j), &chunking, err))
        return false;
    if (file_count > 0 && (said || !chunking_is(chunking, usual)))
        return err_set(err, ERR_INVALID, "%s: with files, each of them says its own",
                       said ? "attributes" : "chunking_strategy");
    if ((id_count > 0) == (file_count > 0) || id_count + file_count > BATCH_FILES_MAX)
        return err_set(err, ERR_INVALID, "expected file_ids or files, 1 to %u of them",
                       BATCH_FILES_MAX);
    struct attached *list = arena_array(call->arena, id_count + file_count, sizeof *list);
    if (!list)
        return err_arena(err, call->arena);
    *count = 0;
    for (size_t i = 0; i < id_count; i++)
        list[(*count)++] =
            (struct attached){.file = ids[i], .attributes = common, .chunking = chunking};
    for (json_ref v = json_first(j, files); v; v = json_next(j, v), ++*count) {
        list[*count].chunking = usual;
        if (!json_str(j, json_get(j, v, STR("file_id")), call->arena, &list[*count].file) ||
            !v1_attributes(call, j, v, &list[*count].attributes, &said, err) ||
            !v1_chunking(call, j, v, &list[*count].chunking, err))
            return err->code ? false : err_arena(err, call->arena);
    }
    for (size_t i = 0; i < *count; i++) {
        list[i].code = list[i].message = STR("");
        list[i].created = clock_wall();
    }
    *out = list;
    return true;
}

static bool add_batch(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct batch_call b = {.arena = call->arena};
    struct attached *files = NULL;

    if (!v1_store(call, true, &base, err) || !read_batch(call, base, &files, &b.batch.count, err))
        return false;
    b.base = base_dir(base);
    b.batch.created = clock_wall();
    b.batch.files = arena_array(call->arena, b.batch.count, sizeof *b.batch.files);
    if (!b.batch.files)
        return err_arena(err, call->arena);
    for (size_t i = 0; i < b.batch.count; i++)
        b.batch.files[i] = files[i].file;
    if (!v1_attach(call, base, files, b.batch.count, err) ||
        !v1_block(call, store_batch_now, &b, err))
        return false;
    call->note = arena_fmt(call->arena, "%zu files into knowledge base " STR_FMT, b.batch.count,
                           STR_ARG(base_id(base)));
    return write_batch(call, base, &b.batch, err);
}

static SUSPENDS bool find_batch(struct admin_call *call, bool change, struct base **base,
                                struct batch_call *out, struct err *err)
{
    if (!v1_store(call, change, base, err))
        return false;
    *out = (struct batch_call){.base = base_dir(*base), .arena = call->arena};
    out->batch.id = call->values[1];
    return v1_block(call, find_batch_now, out, err);
}

static bool show_batch(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct batch_call b;

    return find_batch(call, false, &base, &b, err) && write_batch(call, base, &b.batch, err);
}

static bool cancel_batch(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct batch_call b;

    if (!find_batch(call, true, &base, &b, err) || !v1_block(call, cancel_now, &b, err))
        return false;
    call->note = arena_fmt(call->arena, "batch " STR_FMT " cancelled", STR_ARG(b.batch.id));
    return write_batch(call, base, &b.batch, err);
}

static bool list_batch(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct standings all;
    struct v1_counts counts;
    struct batch_call b;

    if (!find_batch(call, false, &base, &b, err) || !stand(call, base, &all, err))
        return false;
    if (!all.sees_all && count_batch(&all, &b.batch, &counts) == 0)
        return batch_unknown(b.batch.id, err);
    return write_list(call, base_id(base), &all, b.batch.files, b.batch.count, err);
}

/* ---- the text of a file ---- */

static bool content(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct json_writer *w = &call->reply;
    struct passages_found found;
    struct str id = call->values[1];

    if (!call_base_read(call, call->values[0], true, &base, err) || !base_alive(base, err))
        return false;
    if (str_starts(id, STR("file-"))) {
        id = arena_fmt(call->arena, ATTACH_SOURCE STR_FMT, STR_ARG(id));
        if (!id.ptr)
            return err_arena(err, call->arena);
    }
    if (!knowledge_text(base_knowledge(base), call->arena, id, call->who, &found, err))
        return false;
    jw_object(w);
    reply_text(w, "object", STR("vector_store.file_content.page"));
    jw_key(w, "data");
    jw_array(w);
    for (size_t i = 0; i < found.count; i++) {
        jw_object(w);
        reply_text(w, "type", STR("text"));
        reply_text(w, "text", found.list[i].quote);
        jw_object_end(w);
    }
    jw_array_end(w);
    reply_bool(w, "has_more", false);
    jw_key(w, "next_page"), jw_null(w);
    jw_object_end(w);
    return true;
}

#define JSON_REPLY "application/json"

static const struct admin_route routes[] = {
    {"POST", "/v1/vector_stores/{id}/files", "Put a file into a vector store", RIGHT_BASES, add,
     &add_schema, NULL, 0, false, NULL, JSON_REPLY, false},
    {"GET", "/v1/vector_stores/{id}/files", "List the files of a vector store", RIGHT_ASK, list,
     NULL, NULL, 0, false, v1_store_files_query, JSON_REPLY, false},
    {"GET", "/v1/vector_stores/{id}/files/{file}", "Show a file of a vector store", RIGHT_ASK, show,
     NULL, NULL, 0, false, NULL, JSON_REPLY, false},
    {"POST", "/v1/vector_stores/{id}/files/{file}", "Set a file's attributes", RIGHT_BASES, label,
     &label_schema, NULL, 0, false, NULL, JSON_REPLY, false},
    {"DELETE", "/v1/vector_stores/{id}/files/{file}", "Take a file out of a vector store",
     RIGHT_BASES, remove_file, NULL, NULL, 0, false, NULL, JSON_REPLY, false},
    {"GET", "/v1/vector_stores/{id}/files/{file}/content", "Read a file's text", RIGHT_ASK, content,
     NULL, NULL, 0, false, NULL, JSON_REPLY, false},
    {"POST", "/v1/vector_stores/{id}/file_batches", "Put files into a vector store", RIGHT_BASES,
     add_batch, &batch_schema, NULL, 0, false, NULL, JSON_REPLY, false},
    {"GET", "/v1/vector_stores/{id}/file_batches/{batch}", "Show a batch", RIGHT_ASK, show_batch,
     NULL, NULL, 0, false, NULL, JSON_REPLY, false},
    {"POST", "/v1/vector_stores/{id}/file_batches/{batch}/cancel", "Cancel a batch", RIGHT_BASES,
     cancel_batch, NULL, NULL, 0, false, NULL, JSON_REPLY, false},
    {"GET", "/v1/vector_stores/{id}/file_batches/{batch}/files", "List a batch's files", RIGHT_ASK,
     list_batch, NULL, NULL, 0, false, v1_store_files_query, JSON_REPLY, false},
};
const struct admin_part v1_store_files_part = {"vector_store_files",
                                               "Files of vector stores, alone and in batches.",
                                               routes, ARRAY_LEN(routes)};
