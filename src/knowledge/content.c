/* A document as it is known, and its original's bytes. */
#include <string.h>

#include "knowledge/originals.h"
#include "knowledge/rights.h"
#include "knowledge/upload.h"
#include "sys/file.h"

static const struct {
    const char *media;
    bool is_shown;
} kinds[DOCUMENT_TYPES] = {
    [DOCUMENT_TEXT] = {"text/plain; charset=utf-8", true},
    [DOCUMENT_MARKDOWN] = {"text/plain; charset=utf-8", true},
    [DOCUMENT_HTML] = {"text/plain; charset=utf-8", true},
    [DOCUMENT_CSV] = {"text/plain; charset=utf-8", true},
    [DOCUMENT_JSON] = {"text/plain; charset=utf-8", true},
    [DOCUMENT_CODE] = {"text/plain; charset=utf-8", true},
    [DOCUMENT_DOCX] = {"application/vnd.openxmlformats-officedocument.wordprocessingml.document",
                       false},
    [DOCUMENT_XLSX] = {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", false},
    [DOCUMENT_PPTX] = {"application/vnd.openxmlformats-officedocument.presentationml.presentation",
                       false},
    [DOCUMENT_ODF] = {"application/vnd.oasis.opendocument.text", false},
    [DOCUMENT_EPUB] = {"application/epub+zip", false},
    [DOCUMENT_MAIL] = {"message/rfc822", false},
    [DOCUMENT_PDF] = {"application/pdf", true},
};

struct looking {
    struct knowledge *knowledge;
    struct arena *arena;
    struct str id;
    const struct principal *who;
    struct document_content out;
    struct passages_found passages;
    bool wants_bytes, ok;
    struct err *err;
};

/* The file of a folder, if it still is the one that was read. */
static bool load_file(struct looking *l, const struct document_record *record, struct err *err)
{
    struct str path = arena_str(l->arena, record->source);
    struct err why = {0};

    if (!path.ptr)
        return err_arena(err, l->arena);
    if (!str_starts(path, STR("/")))
        return err_set(err, ERR_NOT_FOUND,
                       "the original of document \"" STR_FMT
                       "\" stands where it was read: " STR_FMT,
                       STR_ARG(record->path), STR_ARG(str_slice(path, 0, 120)));
    if (!file_load(l->arena, path.ptr, l->knowledge->file_bytes_max, &l->out.bytes, &why)) {
        if (why.code != ERR_NOT_FOUND && why.code != ERR_TOO_LARGE) {
            *err = why;
            return false;
        }
        return err_set(err, ERR_NOT_FOUND,
                       "the file of document \"" STR_FMT "\" is no longer there",
                       STR_ARG(record->path));
    }
    struct sha256 hash = sha256(l->out.bytes);
    return memcmp(&hash, &record->hash, sizeof hash) == 0 ||
           err_set(err, ERR_NOT_FOUND,
                   "the file of document \"" STR_FMT
                   "\" is no longer the one that was read: ingest it again",
                   STR_ARG(record->path));
}

static bool load(struct looking *l, const struct document_record *record, struct err *err)
{
    enum document_type type = DOCUMENT_TEXT;

    if (!(is_sent(record) ? original_load(l->knowledge, l->arena, &record->hash, &l->out.bytes, err)
                          : load_file(l, record, err)))
        return false;
    if (str_starts(l->out.bytes, STR("%PDF-")))
        type = DOCUMENT_PDF;
    else
        (void)document_type_of(record->path, &type);
    l->out.media = kinds[type].media;
    l->out.is_shown = kinds[type].is_shown;
    return true;
}

static bool look_now(struct looking *l, struct err *err)
{
    struct lexical *index = index_of(l->knowledge, err);
    struct lexical_view *view CLEANUP(lexical_release) = index ? lexical_borrow(index) : NULL;
    struct lexical_document_info info;
    struct document_record record;

    if (!view)
        return false;
    if (!lexical_find(view, l->id, &info) || !document_record_read(info.record, &record) ||
        (l->who && !readers_allow(record.readers, l->who)))
        return err_set(err, ERR_NOT_FOUND, "no document \"" STR_FMT "\"",
                       STR_ARG(str_slice(l->id, 0, 100)));
    return (document_info_copy(l->arena, &info, &l->out.document) || err_arena(err, l->arena)) &&
           (!l->wants_bytes || load(l, &record, err));
}

/* Where the document's passages begin in the view. */
static bool find_passages(const struct lexical_view *view, struct looking *l,
                          struct lexical_document_info *info, uint64_t *first)
{
    *first = 0;
    for (uint64_t i = 0; i < lexical_stats(view).documents; i++) {
        struct document_record record;

        *info = lexical_document_at(view, i);
        if (document_record_read(info->record, &record) &&
            (str_eq(info->key, l->id) || str_eq(record.source, l->id)))
            return !l->who || readers_allow(record.readers, l->who);
        *first += info->passages;
    }
    return false;
}

/* What chunks repeat of the ones before them is told once. `before`: the passage before it, or none. */
static bool add_text(struct looking *l, const struct lexical_hit *hit, struct passage *before,
                     struct err *err)
{
    struct passages_found *to = &l->passages;
    struct found found = {.key = hit->key, .document_record = hit->document_record};
    struct passage whole;

    if (!passage_read(l->arena, hit->record, &whole) || whole.count == 0)
        return err_set(err, ERR_INTERNAL, "could not read a passage of document \"" STR_FMT "\"",
                       STR_ARG(hit->key));
    size_t repeated = before->count ? passage_repeats(before, &whole) : 0;
    found.passage = whole;
    found.passage.blocks += repeated;
    found.passage.count -= repeated;
    *before = whole;
    return found.passage.count == 0 ||
           (cite_passage(l->arena, &found, &to->list[to->count], err) && ++to->count);
}

static bool read_text(struct looking *l, struct err *err)
{
    struct lexical *index = index_of(l->knowledge, err);
    struct lexical_view *view CLEANUP(lexical_release) = index ? lexical_borrow(index) : NULL;
    struct lexical_document_info info;
    struct document_record record;
    struct passage before = {0};
    uint64_t first;

    if (!view)
        return false;
    if (!find_passages(view, l, &info, &first) || !document_record_read(info.record, &record))
        return err_set(err, ERR_NOT_FOUND, "no document \"" STR_FMT "\"",
                       STR_ARG(str_slice(l->id, 0, 100)));
    l->passages.list = arena_array(l->arena, info.passages + 1, sizeof *l->passages.list);
    if (!l->passages.list)
        return err_arena(err, l->arena);
    for (uint32_t i = 0; i < info.passages; i++) {
        struct lexical_hit hit = lexical_hit_at(view, first + i);

        ASSERT(str_eq(hit.key, info.key)); /* documents and their passages are in one order */
        if (!(record.chunking.overlap
                  ? add_text(l, &hit, &before, err)
                  : cite_hit(l->arena, &hit, &l->passages.list[l->passages.count++], err)))
            return false;
    }
    return true;
}

static void run_text(void *arg)
{
    struct looking *l = arg;

    l->ok = read_text(l, l->err);
}

bool knowledge_text(struct knowledge *knowledge, struct arena *arena, struct str id,
                    const struct principal *who, struct passages_found *out, struct err *err)
{
    struct looking l = {.knowledge = knowledge, .arena = arena, .id = id, .who = who, .err = err};

    if (!pool_run(knowledge->pool, run_text, &l, err) || !l.ok)
        return false;
    *out = l.passages;
    return true;
}

static void run_look(void *arg)
{
    struct looking *l = arg;

    l->ok = look_now(l, l->err);
}

bool knowledge_document(struct knowledge *knowledge, struct arena *arena, struct str id,
                        const struct principal *who, struct document_info *out, struct err *err)
{
    struct looking l = {.knowledge = knowledge, .arena = arena, .id = id, .who = who, .err = err};

    if (!pool_run(knowledge->pool, run_look, &l, err) || !l.ok)
        return false;
    *out = l.out.document;
    return true;
}

bool knowledge_content(struct knowledge *knowledge, struct arena *arena, struct str id,
                       const struct principal *who, struct document_content *out, struct err *err)
{
    struct looking l = {.knowledge = knowledge,
                        .arena = arena,
                        .id = id,
                        .who = who,
                        .wants_bytes = true,
                        .err = err};

    if (!pool_run(knowledge->pool, run_look, &l, err) || !l.ok)
        return false;
    *out = l.out;
    return true;
}
