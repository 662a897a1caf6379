/* The list of what counts: one small text file, replaced as a whole. */
#include <stdio.h>

#include "base/buf.h"
#include "base/hash.h"
#include "index/lexical_internal.h"

#define MANIFEST_BYTES_MAX ((size_t)64 * KIB)

void manifest_path(char path[SEGMENT_PATH_MAX], const char *dir)
{
    (void)snprintf(path, SEGMENT_PATH_MAX, "%s/manifest", dir);
}

bool manifest_damaged(struct err *err, const char *dir)
{
    return err_set(err, ERR_UNAVAILABLE, "index manifest in \"%s\" is damaged", dir);
}

/* "SEGMENT NUMBER" */
static bool parse_vectors(struct str text, struct manifest_vectors *out)
{
    struct str segment;

    return str_split(&text, ' ', &segment) && u64_parse(segment, &out->segment) &&
           u64_parse(text, &out->number);
}

/* "weir-lexical 1", "next N", "segment N" ..., "vectors N N" ..., "records N", "latent N", and "crc H" of all lines
 * before it. */
static bool manifest_parse(struct str text, struct manifest *out)
{
    size_t body = text.len >= 13 ? text.len - 13 : 0; /* "crc 01234567\n" */
    struct str seal = str_trim(str_slice(text, body, text.len));
    uint8_t crc[4];

    if (!str_starts(seal, STR("crc ")) || !hex_parse(str_slice(seal, 4, seal.len), crc, sizeof crc))
        return false;
    uint32_t want =
        (uint32_t)crc[0] << 24 | (uint32_t)crc[1] << 16 | (uint32_t)crc[2] << 8 | crc[3];
    if (crc32c(0, text.ptr, body) != want)
        return false;
    struct str rest = str_slice(text, 0, body), line;
    if (!str_split(&rest, '\n', &line) || !str_eq(line, STR("weir-lexical 1")))
        return false;
    while (str_split(&rest, '\n', &line)) {
        if (str_starts(line, STR("next "))) {
            if (!u64_parse(str_slice(line, 5, line.len), &out->next_number))
                return false;
        } else if (str_starts(line, STR("segment "))) {
            if (!u64_parse(str_slice(line, 8, line.len), &out->numbers[out->count++]))
                return false;
        } else if (str_starts(line, STR("records "))) {
            if (!u64_parse(str_slice(line, 8, line.len), &out->records))
                return false;
        } else if (str_starts(line, STR("latent "))) {
            if (!u64_parse(str_slice(line, 7, line.len), &out->latent))
                return false;
        } else if (str_starts(line, STR("vectors "))) {
            if (!parse_vectors(str_slice(line, 8, line.len), &out->vectors[out->vector_count++]))
                return false;
        } else if (line.len) {
            return false;
        }
    }
    return true;
}

bool manifest_load(const char *dir, struct arena *arena, struct manifest *out, struct err *err)
{
    char path[SEGMENT_PATH_MAX];
    struct str text;
    struct err missing = {0};
    struct manifest manifest = {.next_number = 1};

    manifest_path(path, dir);
    if (!file_load(arena, path, MANIFEST_BYTES_MAX, &text, &missing)) {
        if (missing.code != ERR_NOT_FOUND) {
            *err = missing;
            return err_wrap(err, "open index in \"%s\"", dir);
        }
        *out = manifest;
        return true;
    }
    manifest.numbers = arena_array(arena, text.len / 10 + 1, sizeof *manifest.numbers);
    manifest.vectors = arena_array(arena, text.len / 10 + 1, sizeof *manifest.vectors);
    if (!manifest.numbers || !manifest.vectors)
        return err_arena(err, arena);
    if (!manifest_parse(text, &manifest))
        return manifest_damaged(err, dir);
    *out = manifest;
    return true;
}

bool manifest_store(const char *dir, const struct manifest *manifest, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MANIFEST_BYTES_MAX);
    char path[SEGMENT_PATH_MAX];
    struct buf b;
    struct str text;

    if (!arena)
        return err_no_room(err, "no memory to write the index manifest");
    buf_init(&b, arena, MANIFEST_BYTES_MAX);
    buf_fmt(&b, "weir-lexical 1\nnext %" PRIu64 "\n", manifest->next_number);
    for (size_t i = 0; i < manifest->count; i++)
        buf_fmt(&b, "segment %" PRIu64 "\n", manifest->numbers[i]);
    for (size_t i = 0; i < manifest->vector_count; i++)
        buf_fmt(&b, "vectors %" PRIu64 " %" PRIu64 "\n", manifest->vectors[i].segment,
                manifest->vectors[i].number);
    if (manifest->records)
        buf_fmt(&b, "records %" PRIu64 "\n", manifest->records);
    if (manifest->latent)
        buf_fmt(&b, "latent %" PRIu64 "\n", manifest->latent);
    buf_fmt(&b, "crc %08x\n", crc32c(0, b.ptr, b.len));
    manifest_path(path, dir);
    return buf_finish(&b, &text, err) && file_store(path, text, 0600, err);
}
