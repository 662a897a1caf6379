/* A row of `sources` as it runs. */
#include "app/settings.h"
#include "knowledge/metadata.h"
#include "knowledge/rights.h"
#include "knowledge/source.h"

static bool read_readers(const struct source_settings *row, struct arena *arena,
                         struct ingest_wish *out, struct err *err)
{
    struct str list[READERS_MAX], rest = row->readers, part;
    size_t count = 0;

    out->says_readers = row->readers.len > 0;
    out->readers = STR("");
    while (out->says_readers && str_split(&rest, ',', &part)) {
        if (count == READERS_MAX)
            return err_set(err, ERR_INVALID, "readers: more than %u", READERS_MAX);
        list[count++] = str_trim(part);
    }
    return !out->says_readers || readers_join(arena, list, count, &out->readers, err) ||
           err_wrap(err, "readers");
}

static bool read_metadata(const struct source_settings *row, struct arena *arena,
                          struct ingest_wish *out, struct err *err)
{
    out->says_metadata = row->metadata.len > 0;
    out->metadata = STR("");
    if (!out->says_metadata)
        return true;
    struct json *j = json_parse(arena, row->metadata, err);
    return (j && metadata_read(arena, j, json_root(j), &out->metadata, err)) ||
           err_wrap(err, "metadata");
}

bool settings_source(const struct source_settings *row, struct arena *arena,
                     struct source_spec *out, struct err *err)
{
    struct source_spec spec = {
        .name = row->name,
        .base = row->base,
        .location = row->location,
        .type = (enum source_type)row->kind,
        .every = row->every,
        .watch = row->watch,
        .include = row->include,
        .exclude = row->exclude,
        .delete_percent = (uint32_t)row->delete_limit,
        .item_bytes = (size_t)row->item_bytes,
        .items = (uint64_t)row->items,
        .bytes = (uint64_t)row->bytes,
        .time = row->time,
        .retries = (uint32_t)row->retries,
        .retry_wait = row->retry_wait,
        .web = {row->hosts, row->agent, (uint32_t)row->depth, (uint32_t)row->rate, row->robots,
                row->private_addresses},
        .s3 = {row->endpoint, row->region, row->access_key, &row->secret_key, &row->session_token,
               row->path_style},
        .sql = {&row->database, row->query, row->key, row->title, row->text, row->metadata_columns,
                row->timeout},
    };

    if (!read_readers(row, arena, &spec.wish, err) || !read_metadata(row, arena, &spec.wish, err) ||
        !source_check(&spec, err))
        return false;
    *out = spec;
    return true;
}

bool settings_source_check(const struct source_settings *row, struct arena *arena, struct err *err)
{
    struct source_spec spec;

    return settings_source(row, arena, &spec, err);
}
