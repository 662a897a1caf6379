/* What was forgotten by an order, from the receipts that are kept: a run that brings such a document in again says so. */
#include "app/forget_internal.h"
#include "base/json.h"
#include "base/log.h"
#include "base/table.h"

#define NAMES_MAX 100000
#define SCRATCH   ((size_t)256 * MIB) /* one receipt, read */

struct knowing {
    struct arena *arena, *scratch;
    struct str base;
    struct table *out;
};

static bool add(struct knowing *k, struct str id, const struct str *when, struct err *err)
{
    struct str copy = arena_str(k->arena, id);

    return (copy.ptr && table_put(k->out, copy, (void *)(uintptr_t)when, NULL)) ||
           err_arena(err, k->arena);
}

/* Nobody ordered what its source had lost: that it has it again is no surprise. */
static bool is_an_order(const struct json *j)
{
    bool lost = false;

    return !json_bool(j, json_path(j, "gone_from_source"), &lost) || !lost;
}

static bool add_documents(struct knowing *k, const struct json *j, struct err *err)
{
    struct str *when = arena_alloc(k->arena, sizeof *when), text, id, base;

    if (!when)
        return err_arena(err, k->arena);
    if (!is_an_order(j) || !json_str(j, json_path(j, "time"), k->scratch, &text))
        return true;
    *when = arena_str(k->arena, text);
    if (!when->ptr)
        return err_arena(err, k->arena);
    json_ref list = json_path(j, "documents");
    for (json_ref d = json_first(j, list); d; d = json_next(j, d))
        if (json_str(j, json_get(j, d, STR("id")), k->scratch, &id) &&
            json_str(j, json_get(j, d, STR("base")), k->scratch, &base) && str_eq(base, k->base) &&
            !add(k, id, when, err))
            return false;
    return true;
}

/* One that cannot be read says nothing here; the audit log knows its hash. */
static bool add_receipt(struct knowing *k, const char *path, struct err *err)
{
    size_t mark = arena_mark(k->scratch);
    struct err why = {0};
    struct str text;
    struct json *j = file_load(k->scratch, path, RECEIPT_MAX, &text, &why)
                         ? json_parse(k->scratch, text, &why)
                         : NULL;

    if (!j && why.code != ERR_NOT_FOUND)
        log_warn("receipt \"%s\" could not be read: documents that it names may come back without "
                 "a word: %s",
                 path, why.text);
    bool ok = !j || add_documents(k, j, err);
    arena_rewind(k->scratch, mark);
    return ok;
}

bool house_forgotten(void *ctx, struct arena *arena, struct str base, struct table *out,
                     struct err *err)
{
    struct house *house = ctx;
    struct arena *scratch CLEANUP(arena_end) = arena_new(SCRATCH);
    struct knowing k = {.arena = arena, .scratch = scratch, .base = base, .out = out};
    struct str *names;
    size_t count;

    if (!scratch)
        return err_no_room(err, "no memory to look what was forgotten");
    struct str dir = arena_fmt(scratch, STR_FMT "/" FORGOTTEN_DIR, STR_ARG(house->dir));
    if (!dir.ptr)
        return err_arena(err, scratch);
    if (!file_list_any(scratch, dir.ptr, NAMES_MAX, &names, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct str path = arena_fmt(scratch, STR_FMT "/" STR_FMT, STR_ARG(dir), STR_ARG(names[i]));

        if (!path.ptr)
            return err_arena(err, scratch);
        if (str_ends(names[i], STR(".json")) && !add_receipt(&k, path.ptr, err))
            return false;
    }
    return true;
}
