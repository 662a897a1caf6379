/* The index object: which segments count, who still reads them, and opening after a crash. */
#include "index/lexical.h"

#include <stdio.h>
#include <string.h>

#include "index/batch.h"
#include "index/lexical_internal.h"
#include "index/vector_file.h"

#define FILES_MAX 100000

/* --- views ------------------------------------------------------------------------------------ */

static void drop_view(struct lexical_view *view)
{
    for (uint32_t i = 0; i < view->count; i++) {
        ASSERT(view->at[i]->holders > 0);
        if (--view->at[i]->holders == 0)
            segment_unmap(&view->at[i]);
    }
    for (uint32_t i = 0; i < view->vector_count; i++) {
        ASSERT(view->vectors[i].vectors->holders > 0);
        if (--view->vectors[i].vectors->holders == 0)
            vectors_unmap(&view->vectors[i].vectors);
    }
    struct arena *arena = view->arena;
    arena_end(&arena);
}

struct lexical_view *lexical_borrow(struct lexical *lexical)
{
    mutex_lock(&lexical->mutex);
    struct lexical_view *view = lexical->newest;
    view->holders++;
    mutex_unlock(&lexical->mutex);
    return view;
}

void lexical_release(struct lexical_view **held)
{
    struct lexical_view *view = *held;

    if (!view)
        return;
    struct lexical *lexical = view->lexical;
    mutex_lock(&lexical->mutex);
    if (--view->holders == 0)
        drop_view(view);
    mutex_unlock(&lexical->mutex);
    *held = NULL;
}

static struct segment *known_segment(const struct lexical *lexical, uint64_t number)
{
    const struct lexical_view *newest = lexical->newest;

    for (uint32_t i = 0; newest && i < newest->count; i++)
        if (newest->at[i]->number == number)
            return newest->at[i];
    for (size_t i = 0; i < lexical->fresh_count; i++)
        if (lexical->fresh[i].segment->number == number)
            return lexical->fresh[i].segment;
    return NULL;
}

static struct vectors *known_vectors(const struct lexical *lexical, uint64_t number)
{
    const struct lexical_view *newest = lexical->newest;

    for (uint32_t i = 0; newest && i < newest->vector_count; i++)
        if (newest->vectors[i].vectors->number == number)
            return newest->vectors[i].vectors;
    for (size_t i = 0; i < lexical->fresh_count; i++)
        for (uint32_t k = 0; k < lexical->fresh[i].vector_count; k++)
            if (lexical->fresh[i].vectors[k]->number == number)
                return lexical->fresh[i].vectors[k];
    return NULL;
}

static void add_up(struct lexical_view *view)
{
    for (uint32_t i = 0; i < view->count; i++) {
        view->documents += view->at[i]->documents;
        view->passages += view->at[i]->passages;
        view->bytes += view->at[i]->bytes;
        for (int f = 0; f < TERM_FIELDS; f++)
            view->lengths[f] += view->at[i]->lengths[f];
    }
    for (uint32_t i = 0; i < view->vector_count; i++)
        view->bytes += view->vectors[i].vectors->bytes;
}

static void close_new(const struct lexical *lexical, struct lexical_view *view)
{
    for (uint32_t i = 0; i < view->count; i++)
        if (!known_segment(lexical, view->at[i]->number))
            segment_unmap(&view->at[i]);
    for (uint32_t i = 0; i < view->vector_count; i++)
        if (!known_vectors(lexical, view->vectors[i].vectors->number))
            vectors_unmap(&view->vectors[i].vectors);
}

/* The vectors' files of the view's i-th segment. */
static bool open_vectors(const struct lexical *lexical, const struct manifest *manifest,
                         struct lexical_view *view, uint32_t i, struct err *err)
{
    uint32_t fields = 0;

    for (size_t k = 0; k < manifest->vector_count; k++) {
        struct vectors *vectors = known_vectors(lexical, manifest->vectors[k].number);

        if (manifest->vectors[k].segment != view->at[i]->number)
            continue;
        if (++fields > VECTOR_FIELDS_MAX)
            return manifest_damaged(err, lexical->dir);
        if (!vectors &&
            !vectors_open(lexical->dir, manifest->vectors[k].number, view->at[i], &vectors, err))
            return false;
        view->vectors[view->vector_count++] = (struct view_vectors){i, vectors};
    }
    return true;
}

/* All segments of the manifest: those of the newest view are shared, the others opened. Only the writer
 * replaces the newest view, and we are it: reading the list needs no lock, so readers need not wait. */
static bool open_segments(const struct lexical *lexical, const struct manifest *manifest,
                          struct lexical_view *view, struct err *err)
{
    view->at = arena_array(view->arena, manifest->count + 1, sizeof(struct segment *));
    view->vectors =
        arena_array(view->arena, manifest->vector_count + 1, sizeof(struct view_vectors));
    if (!view->at || !view->vectors)
        return err_arena(err, view->arena);
    for (uint32_t i = 0; i < manifest->count; i++) {
        struct segment *segment = known_segment(lexical, manifest->numbers[i]);

        if (!segment && !segment_open(lexical->dir, manifest->numbers[i], &segment, err)) {
            close_new(lexical, view);
            return false;
        }
        view->at[view->count++] = segment;
        if (!open_vectors(lexical, manifest, view, i, err)) {
            close_new(lexical, view);
            return false;
        }
    }
    add_up(view);
    return true;
}

bool lexical_publish(struct lexical *lexical, const struct manifest *manifest, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(8 * RECORDS_BYTES_MAX);
    struct lexical_view *view = arena ? arena_alloc(arena, sizeof *view) : NULL;

    if (!view)
        return err_no_room(err, "no memory to open the index");
    *view = (struct lexical_view){
        .arena = arena, .lexical = lexical, .number = ++lexical->views, .holders = 1};
    table_init(&view->records, arena, SEGMENT_PASSAGES_MAX);
    view->records_file = manifest->records;
    if (manifest->records &&
        !records_load(lexical->dir, manifest->records, arena, &view->records, err))
        return false;
    view->latent_file = manifest->latent;
    if (manifest->latent && !latent_load(lexical->dir, manifest->latent, arena, &view->latent, err))
        return false;
    if (!open_segments(lexical, manifest, view, err))
        return false;
    arena = NULL; /* the view's now */
    mutex_lock(&lexical->mutex);
    for (uint32_t i = 0; i < view->count; i++)
        view->at[i]->holders++;
    for (uint32_t i = 0; i < view->vector_count; i++)
        view->vectors[i].vectors->holders++;
    struct lexical_view *old = lexical->newest;
    lexical->newest = view;
    mutex_unlock(&lexical->mutex);
    lexical_release(&old);
    return true;
}

void lexical_rest(const struct lexical_view *view)
{
    for (uint32_t i = 0; i < view->count; i++)
        segment_forget(view->at[i]);
}

uint64_t lexical_view_number(const struct lexical_view *view)
{
    return view->number;
}

struct lexical_stats lexical_stats(const struct lexical_view *view)
{
    return (struct lexical_stats){view->documents, view->passages, view->bytes, view->count};
}

uint32_t lexical_segment_passages(const struct lexical_view *view, uint32_t segment)
{
    ASSERT(segment < view->count);
    return view->at[segment]->passages;
}

struct str newest_record(const struct lexical_view *view, const struct segment *s,
                         const struct document_entry *entry)
{
    const struct str *newer =
        view->records.count ? table_get(&view->records, segment_key(s, entry)) : NULL;

    return newer ? *newer : segment_document_record(s, entry);
}

static struct lexical_document_info document_info(const struct lexical_view *view,
                                                  const struct segment *s, uint32_t i)
{
    struct document_entry entry = segment_document(s, i);
    uint64_t before = 0;

    for (struct segment *const *at = view->at; *at != s; at++)
        before += (*at)->passages;
    return (struct lexical_document_info){segment_key(s, &entry), newest_record(view, s, &entry),
                                          entry.passage_count, before + entry.passage_first};
}

struct lexical_document_info lexical_document_at(const struct lexical_view *view, uint64_t i)
{
    uint32_t segment = 0;

    ASSERT(i < view->documents);
    for (; i >= view->at[segment]->documents; segment++)
        i -= view->at[segment]->documents;
    return document_info(view, view->at[segment], (uint32_t)i);
}

bool lexical_find(const struct lexical_view *view, struct str key,
                  struct lexical_document_info *out)
{
    for (uint32_t i = 0; i < view->count; i++) {
        uint32_t document;

        if (segment_find_document(view->at[i], key, &document)) {
            *out = document_info(view, view->at[i], document);
            return true;
        }
    }
    return false;
}

/* --- opening ---------------------------------------------------------------------------------- */

static bool lists_vectors(const struct manifest *manifest, uint64_t number)
{
    for (size_t i = 0; i < manifest->vector_count; i++)
        if (manifest->vectors[i].number == number)
            return true;
    return false;
}

static bool is_listed(const struct manifest *manifest, struct str name)
{
    uint64_t number;

    if (str_ends(name, STR(".records")))
        return u64_parse(str_slice(name, 0, name.len - 8), &number) && number == manifest->records;
    if (str_ends(name, STR(".latent")))
        return u64_parse(str_slice(name, 0, name.len - 7), &number) && number == manifest->latent;
    if (str_ends(name, STR(".vectors")))
        return u64_parse(str_slice(name, 0, name.len - 8), &number) &&
               lists_vectors(manifest, number);
    if (!str_ends(name, STR(".segment")) || !u64_parse(str_slice(name, 0, name.len - 8), &number))
        return false;
    for (size_t i = 0; i < manifest->count; i++)
        if (manifest->numbers[i] == number)
            return true;
    return false;
}

static bool is_ours(struct str name)
{
    static const char *const endings[] = {".segment", ".part",        ".records",   ".vectors",
                                          ".latent",  ".records.new", ".latent.new"};

    for (size_t i = 0; i < ARRAY_LEN(endings); i++)
        if (str_ends(name, str_from(endings[i])))
            return true;
    return false;
}

bool lexical_sweep(const struct lexical *lexical, struct arena *arena,
                   const struct manifest *manifest, struct err *err)
{
    struct str *names;
    size_t count;
    char path[SEGMENT_PATH_MAX + 256];

    if (!file_list(arena, lexical->dir, FILES_MAX, &names, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!is_ours(names[i]) || is_listed(manifest, names[i]))
            continue;
        (void)snprintf(path, sizeof path, "%s/" STR_FMT, lexical->dir, STR_ARG(names[i]));
        if (!file_remove(path, err))
            return err_wrap(err, "remove what is not listed in \"%s\"", lexical->dir);
    }
    return true;
}

static bool take_lock(struct lexical *lexical, struct err *err)
{
    char path[SEGMENT_PATH_MAX];

    (void)snprintf(path, sizeof path, "%s/lock", lexical->dir);
    if (!file_open(path, FILE_WRITE, 0600, &lexical->lock, err) || !file_lock(lexical->lock, err))
        return err_wrap(err, "lock index in \"%s\"", lexical->dir);
    return true;
}

/* The manifest stands from the first opening on, before any segment: segments without one are not what a
 * crash left but documents whose list was lost, and must not be swept away. */
static bool begin_manifest(const struct lexical *lexical, struct arena *arena, struct err *err)
{
    const struct manifest empty = {.next_number = 1};
    char path[SEGMENT_PATH_MAX];
    struct file_info info;
    struct err missing = {0};
    struct str *names;
    size_t count;

    manifest_path(path, lexical->dir);
    if (file_stat(path, &info, &missing) || missing.code != ERR_NOT_FOUND)
        return true;
    if (!file_list(arena, lexical->dir, FILES_MAX, &names, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (str_ends(names[i], STR(".segment")))
            return err_set(err, ERR_UNAVAILABLE,
                           "index manifest in \"%s\" is missing, though segments are there",
                           lexical->dir);
    return manifest_store(lexical->dir, &empty, err);
}

static bool open_all(struct lexical *lexical, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct manifest manifest;

    if (!arena)
        return err_no_room(err, "no memory to open the index");
    if (!file_make_dir(lexical->dir, 0700, err) || !take_lock(lexical, err) ||
        !begin_manifest(lexical, arena, err) ||
        !manifest_load(lexical->dir, arena, &manifest, err) ||
        !lexical_sweep(lexical, arena, &manifest, err))
        return false;
    lexical->next_number = manifest.next_number;
    return lexical_publish(lexical, &manifest, err);
}

static bool set_dir(struct lexical *lexical, const char *dir, struct err *err)
{
    if (strlen(dir) >= sizeof lexical->dir)
        return err_set(err, ERR_INVALID, "index directory name is longer than %zu bytes",
                       sizeof lexical->dir - 1);
    memcpy(lexical->dir, dir, strlen(dir) + 1);
    return true;
}

static bool new_lexical(const char *dir, struct lexical **out, struct err *err)
{
    struct arena *arena = arena_new(64 * KIB);
    struct lexical *lexical CLEANUP(lexical_close) =
        arena ? arena_alloc(arena, sizeof *lexical) : NULL;

    if (!lexical) {
        arena_end(&arena);
        return err_no_room(err, "no memory to open the index");
    }
    lexical->arena = arena;
    mutex_init(&lexical->mutex);
    lexical->graph_from = VECTOR_GRAPH_FROM;
    lexical->batch_postings = BATCH_POSTINGS;
    lexical->batch_terms = BATCH_TERMS_MAX;
    if (!set_dir(lexical, dir, err))
        return false;
    *out = lexical;
    lexical = NULL;
    return true;
}

bool lexical_open(const char *dir, struct lexical **out, struct err *err)
{
    struct lexical *lexical CLEANUP(lexical_close) = NULL;

    if (!new_lexical(dir, &lexical, err) || !open_all(lexical, err))
        return false;
    *out = lexical;
    lexical = NULL;
    return true;
}

void vector_graph_from(struct lexical *lexical, uint32_t vectors)
{
    lexical->graph_from = vectors;
}

void lexical_close(struct lexical **held)
{
    struct lexical *lexical = *held;

    if (!lexical)
        return;
    ASSERT(!lexical->newest || lexical->newest->holders == 1);
    lexical_release(&lexical->newest);
    file_close(&lexical->lock);
    mutex_done(&lexical->mutex);
    struct arena *arena = lexical->arena;
    arena_end(&arena);
    *held = NULL;
}

/* --- repairing -------------------------------------------------------------------------------- */

/* What a file's bytes say, and not that they could not be read. */
static bool is_damage(const struct err *why)
{
    return why->code == ERR_NOT_FOUND || why->code == ERR_TOO_LARGE ||
           (why->code == ERR_UNAVAILABLE && !why->sys);
}

/* Those of one segment; none of them when it is gone itself. */
static bool drop_damaged_vectors(const char *dir, struct manifest *manifest, uint64_t number,
                                 const struct segment *segment, uint32_t *dropped, struct err *err)
{
    size_t kept = 0;

    for (size_t i = 0; i < manifest->vector_count; i++) {
        struct manifest_vectors listed = manifest->vectors[i];
        struct vectors *vectors CLEANUP(vectors_unmap) = NULL;
        struct err why = {0};

        if (listed.segment != number) {
            manifest->vectors[kept++] = listed;
        } else if (segment && vectors_open(dir, listed.number, segment, &vectors, &why)) {
            manifest->vectors[kept++] = listed;
        } else if (!segment || is_damage(&why)) {
            *dropped += segment != NULL;
        } else {
            *err = why;
            return false;
        }
    }
    manifest->vector_count = kept;
    return true;
}

/* A model of segments that are gone holds counts of what stood in them. */
static bool drop_damaged_model(const char *dir, struct manifest *manifest, uint32_t dropped,
                               struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(LATENT_BYTES_MAX + MIB);
    struct str bytes;
    struct err why = {0};

    if (!manifest->latent)
        return true;
    if (!arena)
        return err_no_room(err, "no memory to look at the latent model");
    if (!dropped && latent_load(dir, manifest->latent, arena, &bytes, &why))
        return true;
    if (dropped || is_damage(&why)) {
        manifest->latent = 0;
        return true;
    }
    *err = why;
    return false;
}

/* Takes the segments that cannot be used out of the manifest, and vectors that cannot. */
static bool drop_damaged(const char *dir, struct manifest *manifest, uint32_t *dropped,
                         struct err *err)
{
    size_t kept = 0;

    for (size_t i = 0; i < manifest->count; i++) {
        struct segment *segment CLEANUP(segment_unmap) = NULL;
        uint64_t number = manifest->numbers[i];
        struct err why = {0};

        if (segment_open(dir, number, &segment, &why)) {
            manifest->numbers[kept++] = number;
        } else if (is_damage(&why)) {
            ++*dropped;
        } else {
            *err = why;
            return false;
        }
        if (!drop_damaged_vectors(dir, manifest, number, segment, dropped, err))
            return false;
    }
    manifest->count = kept;
    return true;
}

static bool count_segments(const char *dir, struct arena *arena, uint32_t *out, struct err *err)
{
    struct str *names;
    size_t count;

    if (!file_list(arena, dir, FILES_MAX, &names, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        *out += str_ends(names[i], STR(".segment"));
    return true;
}

/* Records that were set anew say who may read what: without them nobody knows which documents of the segments are to be
 * shown to fewer. */
static bool look_at_records(const char *dir, const struct manifest *manifest, struct err *why)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(8 * RECORDS_BYTES_MAX);
    struct table records;

    if (!manifest->records)
        return true;
    if (!arena)
        return err_no_room(why, "no memory to look at index records");
    table_init(&records, arena, SEGMENT_PASSAGES_MAX);
    return records_load(dir, manifest->records, arena, &records, why);
}

static bool repair(const struct lexical *lexical, struct arena *arena, uint32_t *dropped,
                   struct err *err)
{
    struct manifest manifest = {.next_number = 1};
    char path[SEGMENT_PATH_MAX];
    struct file_info info;
    struct err why = {0};
    bool ok;

    manifest_path(path, lexical->dir);
    ok = file_stat(path, &info, &why) && manifest_load(lexical->dir, arena, &manifest, &why) &&
         look_at_records(lexical->dir, &manifest, &why);
    if (!ok && !is_damage(&why)) {
        *err = why;
        return false;
    }
    if (!ok)
        manifest = (struct manifest){.next_number = manifest.next_number};
    if (!(ok ? drop_damaged(lexical->dir, &manifest, dropped, err) &&
                   drop_damaged_model(lexical->dir, &manifest, *dropped, err)
             : count_segments(lexical->dir, arena, dropped, err)))
        return false;
    return manifest_store(lexical->dir, &manifest, err) &&
           lexical_sweep(lexical, arena, &manifest, err);
}

bool lexical_repair(const char *dir, uint32_t *dropped, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct lexical *lexical CLEANUP(lexical_close) = NULL;

    *dropped = 0;
    if (!arena)
        return err_no_room(err, "no memory to repair the index");
    return new_lexical(dir, &lexical, err) && take_lock(lexical, err) &&
           (repair(lexical, arena, dropped, err) || err_wrap(err, "repair the index"));
}
