#include "knowledge/upload.h"

#include <string.h>

#include "base/utf8.h"
#include "knowledge/access.h"
#include "knowledge/labels.h"
#include "knowledge/originals.h"
#include "knowledge/rights.h"
#include "knowledge/stands.h"
#include "knowledge/vectors.h"
#include "sys/file.h"

#define UPLOAD_LOOK (20 * MILLISECOND)
#define NOTES_MAX   1000
#define TEXT_SAMPLE 8000 /* bytes that tell whether a file without an ending is text */

struct uploading {
    struct knowledge *knowledge;
    struct arena *arena; /* of the report */
    const struct upload *upload;
    struct upload_report report;
    struct buf notes;
    bool replaced; /* a document has other bytes than before */
    bool busy;     /* another run is writing: nothing was done */
    bool ok;
    struct err *err;
};

/* ---- what type it is ---- */

/* By its ending, and by its first bytes where they say something else or there is no ending. */
static bool type_of(struct str name, struct str bytes, enum document_type *out, struct err *err)
{
    struct str head = str_slice(bytes, 0, utf8_boundary(bytes, TEXT_SAMPLE));
    bool named = document_type_of(name, out);

    if (str_starts(bytes, STR("%PDF-"))) {
        *out = DOCUMENT_PDF;
        return true;
    }
    if (named)
        return true;
    if (str_find_char(name, '.') < name.len)
        return err_set(err, ERR_INVALID, "%s", document_endings());
    if (head.len == 0 || !utf8_valid(head) || str_find_char(head, '\0') < head.len)
        return err_set(err, ERR_INVALID, "its name has no ending and its bytes are no text: %s",
                       document_endings());
    *out = str_starts(head, STR("<!")) || str_starts(head, STR("<html")) ? DOCUMENT_HTML
                                                                         : DOCUMENT_TEXT;
    return true;
}

/* ---- into the index ---- */

static void note(void *ctx, struct str text)
{
    struct uploading *u = ctx;
    struct str kept = arena_str(u->arena, text);

    if (kept.ptr && u->notes.len < NOTES_MAX * sizeof kept)
        buf_put(&u->notes, &kept, sizeof kept);
}

struct place_of_upload {
    struct document_source source;
    struct document_record before; /* when `known` */
    char id[DOCUMENT_ID_LEN + 1];
    bool known;
};

static bool find_before(struct uploading *u, struct lexical_view *view, struct place_of_upload *p)
{
    struct lexical_document_info info;

    document_id(p->source.source, p->id);
    p->known =
        lexical_find(view, str_from(p->id), &info) && document_record_read(info.record, &p->before);
    const struct ingest_wish *said = &u->upload->labels;
    p->source.readers = said->says_readers ? said->readers : p->known ? p->before.readers : STR("");
    p->source.metadata = said->says_metadata ? said->metadata
                         : p->known          ? p->before.metadata
                                             : STR("");
    p->source.version = p->known ? p->before.version + 1 : 1;
    return p->known;
}

/* The same bytes under the same name: only what is said of them may be new. */
static bool keep(struct uploading *u, struct place_of_upload *p, struct lexical_writer **writer,
                 struct err *err)
{
    struct labels labels = {p->source.readers, p->source.metadata};
    struct buf b;

    u->report.became = UPLOAD_UNCHANGED;
    if (labels_equal(&labels, &p->before))
        return true;
    if (!vectors_rights(*writer, p->before.readers, labels.readers, err))
        return false;
    p->before.readers = labels.readers;
    p->before.metadata = labels.metadata;
    buf_init(&b, u->arena, MIB);
    document_record_write(&b, &p->before);
    u->report.became = UPLOAD_CHANGED;
    return (buf_ok(&b) || err_arena(err, u->arena)) &&
           lexical_set_record(*writer, str_from(p->id), buf_view(&b), err) &&
           lexical_commit(writer, err);
}

static bool put(struct uploading *u, struct place_of_upload *p, struct lexical_writer **writer,
                struct err *err)
{
    struct knowledge *k = u->knowledge;
    struct document_ingest in = {.writer = *writer, .readers = k->readers, .note = note, .ctx = u};
    struct sha256 hash = sha256(p->source.bytes);

    if (p->known && memcmp(&hash, &p->before.hash, sizeof hash) == 0 &&
        str_eq(p->before.path, p->source.shown) &&
        chunking_is(p->before.chunking, p->source.chunking))
        return keep(u, p, writer, err);
    if (!type_of(u->upload->name, p->source.bytes, &p->source.type, err))
        return false;
    u->report.became = p->known ? UPLOAD_CHANGED : UPLOAD_ADDED;
    if (!add_document(&in, &p->source, err) || !original_put(k, &hash, p->source.bytes, err) ||
        (p->known && !stands_mark(k, err)))
        return false;
    bool ok = lexical_commit(writer, err); /* one that fails may hold all the same */
    if (p->known)
        stands_changed(k);
    u->replaced = p->known;
    return ok;
}

static bool describe(struct uploading *u, const char *id, struct err *err)
{
    struct lexical *index = index_of(u->knowledge, err);
    struct lexical_view *view CLEANUP(lexical_release) = index ? lexical_borrow(index) : NULL;
    struct lexical_document_info info;

    if (!view)
        return false;
    if (!lexical_find(view, str_from(id), &info) ||
        !document_info_copy(u->arena, &info, &u->report.document))
        return err_set(err, ERR_UNAVAILABLE, "the document was removed while it came");
    u->report.notes = (struct str *)(void *)u->notes.ptr;
    u->report.note_count = u->notes.len / sizeof(struct str);
    return true;
}

static bool write_upload(struct uploading *u, struct str bytes, struct err *err)
{
    struct lexical_writer *writer CLEANUP(lexical_abandon) = NULL;
    struct lexical_view *view CLEANUP(lexical_release) = NULL;
    struct place_of_upload p = {.source = {.bytes = bytes,
                                           .shown = u->upload->name,
                                           .since = u->upload->since,
                                           .chunking = u->upload->chunking}};
    struct lexical *index = index_of(u->knowledge, err);

    p.source.source = u->upload->source.len > 0
                          ? u->upload->source
                          : arena_fmt(u->arena, "upload/" STR_FMT, STR_ARG(u->upload->name));
    if (!index)
        return false;
    if (!lexical_begin(index, &writer, err)) {
        u->busy = err->code == ERR_UNAVAILABLE;
        return false;
    }
    if (!p.source.source.ptr)
        return err_arena(err, u->arena);
    if (u->upload->wanted && !u->upload->wanted(u->upload->ctx, err))
        return false;
    view = lexical_borrow(index);
    (void)find_before(u, view, &p);
    bool ok = put(u, &p, &writer, err);
    mutex_lock(&u->knowledge->originals);
    u->knowledge->is_pending = false;
    mutex_unlock(&u->knowledge->originals);
    lexical_abandon(&writer);
    lexical_release(&view);
    accesses_forget(u->knowledge);
    if (u->replaced)
        analysers_drop(u->knowledge->analysers); /* they keep words of what was there before */
    /* Also of what was refused: its original may be there. */
    struct err swept = {0};
    if (!originals_sweep(u->knowledge, NULL, &swept) && ok) {
        *err = swept;
        return false;
    }
    return ok && describe(u, p.id, err);
}

static void run_upload(void *arg)
{
    struct uploading *u = arg;
    size_t most = u->knowledge->file_bytes_max;
    struct arena *arena CLEANUP(arena_end) = arena_new(most + MIB);
    struct str bytes;

    u->ok = false;
    u->busy = false;
    if (!arena)
        (void)err_no_room(u->err, "no memory to read an upload");
    else if (file_load(arena, u->upload->file, most, &bytes, u->err))
        u->ok = write_upload(u, bytes, u->err);
    else if (u->err->code == ERR_TOO_LARGE)
        (void)err_set(u->err, ERR_TOO_LARGE,
                      "the file has more than %zu bytes (knowledge.file_bytes)", most);
}

static bool check_name(struct str name, struct err *err)
{
    bool ok = name.len > 0 && name.len <= UPLOAD_NAME_MAX && utf8_valid(name) &&
              name.ptr[0] != '/' && !str_eq(name, STR(".")) && !str_eq(name, STR(".."));

    for (size_t i = 0; ok && i < name.len; i++)
        ok = (unsigned char)name.ptr[i] >= ' ' && name.ptr[i] != 0x7f;
    return ok || err_set(err, ERR_INVALID,
                         "file name: expected 1 to %u bytes of text without control characters",
                         UPLOAD_NAME_MAX);
}

/* While another run writes, nobody waits on a thread for it. */
static SUSPENDS bool run_when_free(struct uploading *u, struct err *err)
{
    mono_ns until = fiber_now() + UPLOAD_WAIT;

    for (;;) {
        buf_init(&u->notes, u->arena, NOTES_MAX * sizeof(struct str));
        if (!pool_run(u->knowledge->pool, run_upload, u, err))
            return false;
        if (!u->busy || fiber_now() > until)
            return true;
        *err = (struct err){0};
        if (!fiber_sleep(UPLOAD_LOOK, err))
            return false;
    }
}

bool knowledge_upload(struct knowledge *knowledge, struct arena *arena, const struct upload *upload,
                      struct upload_report *out, struct err *err)
{
    struct uploading u = {.knowledge = knowledge, .arena = arena, .upload = upload, .err = err};

    if (!check_name(upload->name, err))
        return false;
    atomic_fetch_add(&knowledge->writers_waiting, 1); /* a run lets us in between two batches */
    bool ran = run_when_free(&u, err);
    atomic_fetch_sub(&knowledge->writers_waiting, 1);
    if (!ran || !u.ok)
        return false;
    *out = u.report;
    return true;
}
