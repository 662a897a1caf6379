#include "knowledge/labels.h"

#include "base/json.h"
#include "knowledge/metadata.h"
#include "knowledge/rights.h"
#include "sys/file.h"

static bool read_readers(struct arena *arena, const struct json *j, json_ref list, struct str *out,
                         struct err *err)
{
    size_t count = json_count(j, list), i = 0;
    struct str *readers = arena_array(arena, count + 1, sizeof *readers);

    if (!readers)
        return err_arena(err, arena);
    if (json_kind(j, list) != JSON_ARRAY)
        return err_set(err, ERR_INVALID, "expected a list of strings");
    for (json_ref v = json_first(j, list); v; v = json_next(j, v))
        if (!json_str(j, v, arena, &readers[i++]))
            return err_set(err, ERR_INVALID, "expected a list of strings");
    return readers_join(arena, readers, count, out, err);
}

static bool read_members(struct arena *arena, struct str text, struct beside *out, struct err *err)
{
    struct json *j = json_parse(arena, text, err);
    json_ref root = j ? json_root(j) : 0;

    if (!j)
        return false;
    if (json_kind(j, root) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "expected an object");
    for (json_ref v = json_first(j, root); v; v = json_next(j, v)) {
        struct str key = json_key_raw(j, v);

        if (str_eq(key, STR("metadataAttributes"))) {
            out->says_metadata = true;
            if (!metadata_read(arena, j, v, &out->labels.metadata, err))
                return false;
        } else if (str_eq(key, STR("readers"))) {
            out->says_readers = true;
            if (!read_readers(arena, j, v, &out->labels.readers, err))
                return false;
        } else {
            return err_set(err, ERR_INVALID,
                           "unknown \"" STR_FMT
                           "\"; expected \"metadataAttributes\" and \"readers\"",
                           STR_ARG(str_slice(key, 0, 40)));
        }
    }
    return true;
}

bool beside_read(struct arena *arena, struct str text, struct beside *out, struct err *err)
{
    if (read_members(arena, text, out, err))
        return true;
    if (err->code != ERR_EXHAUSTED)
        err->code = ERR_INVALID;
    return err_wrap(err, "in the file beside it that ends in " LABELS_ENDING);
}

bool beside_load(struct arena *arena, struct str path, struct beside *out, struct err *err)
{
    struct str beside = arena_fmt(arena, STR_FMT LABELS_ENDING, STR_ARG(path)), text;
    struct err why = {0};

    *out = (struct beside){0};
    if (!beside.ptr)
        return err_arena(err, arena);
    if (file_load(arena, beside.ptr, LABELS_BYTES_MAX, &text, &why))
        return beside_read(arena, text, out, err);
    if (why.code == ERR_NOT_FOUND)
        return true;
    *err = why;
    return false;
}

void labels_settle(const struct beside *beside, const struct ingest_wish *wish,
                   const struct document_record *known, struct labels *out)
{
    *out = (struct labels){0};
    if (beside->says_readers)
        out->readers = beside->labels.readers;
    else if (wish->says_readers)
        out->readers = wish->readers;
    else if (known)
        out->readers = known->readers;
    if (beside->says_metadata)
        out->metadata = beside->labels.metadata;
    else if (wish->says_metadata)
        out->metadata = wish->metadata;
    else if (known)
        out->metadata = known->metadata;
}

bool labels_equal(const struct labels *a, const struct document_record *b)
{
    return str_eq(a->readers, b->readers) && str_eq(a->metadata, b->metadata);
}
