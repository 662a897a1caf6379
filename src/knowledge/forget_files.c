#include "base/json.h"
#include "knowledge/forget_internal.h"
#include "knowledge/knowledge_internal.h"

/* ---- whose ---- */

/* "anna", or a list that has "anna". */
static bool names(const struct json *j, json_ref value, struct str person, struct arena *scratch)
{
    struct str text;

    if (json_kind(j, value) == JSON_STRING)
        return json_str(j, value, scratch, &text) && str_eq(text, person);
    if (json_kind(j, value) != JSON_ARRAY)
        return false;
    for (json_ref v = json_first(j, value); v; v = json_next(j, v))
        if (json_kind(j, v) == JSON_STRING && json_str(j, v, scratch, &text) &&
            str_eq(text, person))
            return true;
    return false;
}

bool metadata_names(struct str metadata, struct str person, struct arena *scratch)
{
    static const char *const keys[] = {"owner", "subject", "person"};
    size_t mark = arena_mark(scratch);
    struct err ignored = {0};
    struct json *j = metadata.len ? json_parse(scratch, metadata, &ignored) : NULL;
    bool is = false;

    for (size_t i = 0; j && i < ARRAY_LEN(keys) && !is; i++)
        is = names(j, json_get(j, json_root(j), str_from(keys[i])), person, scratch);
    arena_rewind(scratch, mark);
    return is;
}

/* ---- files of the shelf ---- */

static bool add_file(struct forget_files *f, struct str id, struct err *err)
{
    for (size_t i = 0; i < f->count; i++)
        if (str_eq(f->ids[i], id))
            return true;
    if (f->count == f->room) {
        size_t more = f->room ? 2 * f->room : 16;
        struct str *ids = arena_grow(f->arena, f->ids, f->room * sizeof *ids, more * sizeof *ids);

        if (!ids)
            return err_arena(err, f->arena);
        f->ids = ids;
        f->room = more;
    }
    f->ids[f->count] = arena_str(f->arena, id);
    return f->ids[f->count++].ptr || err_arena(err, f->arena);
}

static struct str file_of(struct str source)
{
    struct str mark = STR(ATTACH_SOURCE);

    return str_starts(source, mark) ? str_slice(source, mark.len, source.len) : STR("");
}

bool forget_files_of(struct forget_files *f, struct str source, struct err *err)
{
    struct str id = file_of(source);

    return !id.len || add_file(f, id, err);
}

/* Nobody can say whom the attributes of one that cannot be read name. */
static bool is_meant(const struct forget_files *f, const struct attached *a, bool *out,
                     struct err *err)
{
    const struct forget_wish *wish = f->wish;

    if (wish->person.len && a->unreadable)
        return err_set(err, ERR_UNAVAILABLE,
                       "what is known of file \"" STR_FMT
                       "\" on its way cannot be read, it may name "
                       "the person: remove that file",
                       STR_ARG(a->file));
    *out = wish->all || (wish->person.len ? metadata_names(a->attributes, wish->person, f->scratch)
                                          : str_eq(file_of(wish->document), a->file));
    return true;
}

bool forget_files_find(struct forget_files *f, struct err *err)
{
    struct attached *list;
    size_t count;

    if (!attached_list(f->dir, f->arena, &list, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        bool meant;

        if (!is_meant(f, &list[i], &meant, err))
            return false;
        if (!meant)
            continue;
        f->attached_count++;
        if (!add_file(f, list[i].file, err))
            return false;
    }
    return true;
}

bool forget_attached(const struct forget_files *f, struct err *err)
{
    for (size_t i = 0; i < f->count; i++)
        if (!attached_remove(f->dir, f->ids[i], err))
            return false;
    return true;
}

/* ---- who needs them ---- */

struct needing {
    struct knowledge *knowledge;
    const struct str *files;
    size_t count;
    bool *needed;
    bool ok;
    struct err *err;
};

static bool is_needed(struct needing *n, struct lexical_view *view, struct str file, bool *out,
                      struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct lexical_document_info info;
    char id[DOCUMENT_ID_LEN + 1];
    struct attached attached;
    struct err why = {0};

    if (!arena)
        return err_no_room(err, "no memory to look who needs a file");
    struct str source = arena_fmt(arena, ATTACH_SOURCE STR_FMT, STR_ARG(file));
    if (!source.ptr)
        return err_arena(err, arena);
    document_id(source, id);
    *out = lexical_find(view, str_from(id), &info) ||
           attached_find(n->knowledge->dir, arena, file, &attached, &why);
    if (*out || why.code == ERR_NOT_FOUND)
        return true;
    *out = why.code != ERR_EXHAUSTED; /* it stands there, and nobody can read how */
    return *out || err_set(err, why.code, "%s", why.text);
}

static void run_needs(void *arg)
{
    struct needing *n = arg;
    struct lexical *index = index_of(n->knowledge, n->err);
    struct lexical_view *view CLEANUP(lexical_release) = index ? lexical_borrow(index) : NULL;

    n->ok = view != NULL;
    for (size_t i = 0; n->ok && i < n->count; i++)
        n->ok = is_needed(n, view, n->files[i], &n->needed[i], n->err);
}

bool knowledge_needs(struct knowledge *knowledge, const struct str *files, size_t count,
                     bool *needed, struct err *err)
{
    struct needing n = {
        .knowledge = knowledge, .files = files, .count = count, .needed = needed, .err = err};

    return pool_run(knowledge->pool, run_needs, &n, err) && n.ok;
}
