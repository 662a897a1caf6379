/* The files of an index, changed anywhere: a segment, the manifest, the file of newer records. It is refused with a
 * reason, or opens; then every key, record and term that is given out lies in the files, a search finds only passages
 * there are, in order, within its filter, and a commit that writes everything anew does or says why not.
 * Input: which file and whether its checksums are made right (1 byte), how much is cut off (2 bytes), then changes
 * of 6 bytes: where (2 bytes), and what. */
#include "files.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "index/lexical_internal.h"
#include "index/marks.h"
#include "index/segment_format.h"
#include "sys/file.h"

#define DOCUMENTS 40
#define FILES     3

static char dir[] = FUZZ_DIR;
static struct arena *kept;
static struct kept_file {
    const char *name;
    struct str bytes; /* as it was written */
} files[FILES] = {{"00000001.segment", {0}}, {"manifest", {0}}, {"00000002.records", {0}}};

static const char *path_of(struct arena *arena, const char *name)
{
    return arena_fmt(arena, "%s/%s", dir, name).ptr;
}

static void remove_all(void)
{
    fuzz_remove_all(dir);
}

static bool add(struct lexical_writer *w, uint32_t i, struct err *err)
{
    static const char *const texts[] = {"apples and pears of the harbour", "港口灯笼铜果园",
                                        "a lantern; 1,500 e-mails", "apples apples apples"};
    const struct str marks[] = {STR("m:harbour"), STR("m:lantern")};
    struct lexical_passage passages[3];
    char key[] = {(char)('a' + i % 26), (char)('a' + i / 26)};

    for (uint32_t p = 0; p < ARRAY_LEN(passages); p++)
        passages[p] = (struct lexical_passage){.header = STR("fruit"),
                                               .text = str_from(texts[(i + p) % 4]),
                                               .record = str_from(texts[i % 4]),
                                               .marks = marks,
                                               .mark_count = p % 3};
    struct lexical_document document = {{key, 2}, STR("record"), passages, 1 + i % 3};
    return lexical_add(w, &document, err);
}

/* Enough of one word that its postings have skips. */
static bool fill(struct lexical *index, struct err *err)
{
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;

    if (!lexical_begin(index, &w, err))
        return false;
    for (uint32_t i = 0; i < DOCUMENTS * 4; i++)
        if (!add(w, i, err))
            return false;
    return lexical_commit(&w, err) && lexical_begin(index, &w, err) &&
           lexical_set_record(w, STR("aa"), STR("newer"), err) &&
           lexical_set_record(w, STR("bb"), STR("newer too"), err) && lexical_commit(&w, err);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct lexical *index = NULL;
    struct err err = {0};

    (void)argc, (void)argv;
    kept = arena_new(16 * MIB);
    if (!kept || !mkdtemp(dir) || atexit(remove_all) || !lexical_open(dir, &index, &err) ||
        !fill(index, &err))
        return 1;
    lexical_close(&index);
    for (int i = 0; i < FILES; i++)
        if (!file_load(kept, path_of(kept, files[i].name), 8 * MIB, &files[i].bytes, &err))
            return 1;
    return 0;
}

/* ---- changing ---- */

static void seal_segment(char *bytes, size_t len)
{
    struct segment_header header;

    if (len < sizeof header)
        return;
    memcpy(&header, bytes, sizeof header);
    for (int i = 0; i < SECTIONS; i++)
        if (header.sections[i].at <= len && header.sections[i].len <= len - header.sections[i].at)
            header.sections[i].crc =
                crc32c(0, bytes + header.sections[i].at, header.sections[i].len);
    header.crc = segment_header_crc(&header);
    memcpy(bytes, &header, sizeof header);
}

static void seal(int which, char *bytes, size_t len)
{
    char line[16];

    if (which == 0) {
        seal_segment(bytes, len);
    } else if (which == 1 && len >= 13) {
        (void)snprintf(line, sizeof line, "crc %08x\n", crc32c(0, bytes, len - 13));
        memcpy(bytes + len - 13, line, 13);
    } else if (which == 2 && len >= 4) {
        uint32_t crc = crc32c(0, bytes, len - 4);

        memcpy(bytes + len - 4, &crc, sizeof crc);
    }
}

static void put_files(struct arena *arena, const uint8_t *data, size_t size)
{
    int which = size ? data[0] % FILES : 0;
    struct err err = {0};

    for (int i = 0; i < FILES; i++) {
        struct str bytes = files[i].bytes;

        if (i == which && size > 1)
            bytes = fuzz_change(arena, bytes, bytes.len > UINT16_MAX ? 4 : 1, data + 1, size - 1);
        if (i == which && size && data[0] & 0x80)
            seal(i, (char *)(uintptr_t)bytes.ptr, bytes.len);
        const char *path = path_of(arena, files[i].name);
        struct file *file CLEANUP(file_close) = NULL;

        ASSERT(file_open(path, FILE_REPLACE, 0600, &file, &err));
        ASSERT(bytes.len == 0 || file_write_at(file, 0, bytes.ptr, bytes.len, &err));
    }
}

/* ---- looking ---- */

static bool lies_in(const struct lexical_view *view, struct str s)
{
    for (uint32_t i = 0; i < view->count; i++)
        if (s.ptr >= view->at[i]->map && s.ptr + s.len <= view->at[i]->map + view->at[i]->bytes)
            return true;
    return s.len == 0;
}

static bool is_record(const struct lexical_view *view, struct str s)
{
    struct str key;
    void *value;

    for (size_t at = 0; table_next(&view->records, &at, &key, &value);)
        if (((const struct str *)value)->ptr == s.ptr)
            return true;
    return lies_in(view, s);
}

static void check_document(const struct lexical_view *view,
                           const struct lexical_document_info *info)
{
    struct lexical_document_info found;

    ASSERT(lies_in(view, info->key) && is_record(view, info->record));
    (void)lexical_find(view, info->key, &found);
}

static void check_terms(const struct segment *s)
{
    for (uint32_t i = 0; i < s->terms; i++) {
        struct term_entry entry = segment_term(s, i), same;
        struct str text = segment_term_text(s, &entry);

        ASSERT(text.len == 0 || (text.ptr >= s->map && text.ptr + text.len <= s->map + s->bytes));
        for (struct postings p = segment_postings(s, &entry); postings_next(&p);)
            ASSERT(p.passage < s->passages);
        (void)segment_find_term(s, text, &same);
    }
}

static bool is_even(void *context, uint64_t i, const struct lexical_document_info *document)
{
    (void)context, (void)document;
    return i % 2 == 0;
}

static void ask(const struct lexical_view *view, struct arena *arena, const char *words,
                const struct lexical_filter *filter, size_t limit)
{
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct terms terms;
    struct lexical_query query = {.terms = &terms, .filter = filter, .limit = limit};
    struct lexical_hits hits;
    struct err err = {0};

    ASSERT(analyser_open(&analyser, &err));
    ASSERT(analyser_terms(analyser, arena, str_from(words), &terms, &err));
    ASSERT(lexical_search(view, arena, &query, &hits, &err));
    ASSERT(hits.count <= limit);
    for (size_t i = 0; i < hits.count; i++) {
        ASSERT(hits.at[i].passage < view->passages && isfinite(hits.at[i].score));
        ASSERT(lies_in(view, hits.at[i].key) && lies_in(view, hits.at[i].record));
        ASSERT(is_record(view, hits.at[i].document_record));
        ASSERT(i == 0 || hits.at[i - 1].score >= hits.at[i].score);
        ASSERT(!filter || lexical_filter_allows(filter, hits.at[i].passage));
    }
}

/* Whatever the cuts say: the terms of a text, and no more taken than it has. */
static void recut(struct arena *arena, struct str packed, struct str text)
{
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct word_cuts cuts = word_cuts_of(packed);
    struct terms terms;
    struct err err = {0};

    if (text.len > 4096)
        return;
    ASSERT(analyser_open(&analyser, &err));
    ASSERT(analyser_terms_cut(analyser, arena, text, &cuts, &terms, &err));
    ASSERT(cuts.at <= text.len);
}

static void look(const struct lexical_view *view, struct arena *arena)
{
    struct lexical_filter *filter;
    struct marked marked = {.limit = 0};
    struct err err = {0};

    for (uint64_t i = 0; i < view->documents; i++) {
        struct lexical_document_info info = lexical_document_at(view, i);

        check_document(view, &info);
    }
    for (uint64_t p = 0; p < view->passages; p++) {
        struct lexical_hit hit = lexical_hit_at(view, p);

        ASSERT(lies_in(view, hit.key) && lies_in(view, hit.record));
        ASSERT(!hit.cuts.len || lies_in(view, hit.cuts));
        recut(arena, hit.cuts, hit.record);
    }
    for (uint32_t i = 0; i < view->count; i++)
        check_terms(view->at[i]);
    ASSERT(lexical_filter_make(view, arena, is_even, NULL, &filter, &err));
    for (int f = 0; f < 2; f++) {
        ask(view, arena, "apples pears", f ? filter : NULL, 5);
        ask(view, arena, "港口灯笼 lantern fruit 1,500", f ? filter : NULL, LEXICAL_LIMIT_MAX);
        marks_find(view, f ? filter : NULL, STR("m:harbour"), &marked);
        ASSERT(marked.count <= view->passages);
    }
}

static void write_anew(struct lexical *index)
{
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;
    struct err err = {0};

    ASSERT(lexical_begin(index, &w, &err) && lexical_remove(w, STR("ba"), &err));
    lexical_compact(w);
    ASSERT(lexical_commit(&w, &err) || err.code != ERR_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct lexical *index CLEANUP(lexical_close) = NULL;
    struct err err = {0};

    ASSERT(arena);
    put_files(arena, data, size);
    if (!lexical_open(dir, &index, &err)) {
        ASSERT(err.code != ERR_NONE && err.text[0]);
        return 0;
    }
    struct lexical_view *view = lexical_borrow(index);
    look(view, arena);
    lexical_release(&view);
    write_anew(index);
    return 0;
}
