/* Opening a file of vectors: every byte is under a checksum, every number that leads elsewhere is checked. */
#include "index/vector_file.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "index/vector_graph.h"
#include "sys/file.h"

void vectors_path(char path[SEGMENT_PATH_MAX], const char *dir, uint64_t number)
{
    (void)snprintf(path, SEGMENT_PATH_MAX, "%s/%08" PRIu64 ".vectors", dir, number);
}

uint32_t vector_header_crc(const struct vector_header *header)
{
    struct vector_header copy = *header;

    copy.crc = 0;
    return crc32c(0, &copy, sizeof copy);
}

static bool damaged(struct err *err, uint64_t number, const char *what)
{
    return err_set(err, ERR_UNAVAILABLE, "index vectors %08" PRIu64 " are damaged: %s", number,
                   what);
}

static bool check_header(const struct vectors *v, const struct vector_header *header,
                         struct err *err)
{
    if (memcmp(header->magic, VECTOR_MAGIC, sizeof header->magic) != 0)
        return damaged(err, v->number, "not a file of vectors");
    if (header->version != VECTOR_VERSION)
        return err_set(err, ERR_UNAVAILABLE,
                       "index vectors %08" PRIu64 " have version %u, this Weir reads %u", v->number,
                       header->version, VECTOR_VERSION);
    if (header->crc != vector_header_crc(header))
        return damaged(err, v->number, "the header's checksum does not match");
    if (header->field.dim == 0 || header->field.dim > VECTOR_DIM_MAX || !header->field.name[0] ||
        header->field.name[VECTOR_NAME_BYTES - 1])
        return damaged(err, v->number, "the field makes no sense");
    return true;
}

static bool check_section(const struct vectors *v, const struct vector_header *header,
                          enum vector_section i, uint64_t *end, struct err *err)
{
    uint64_t at = header->sections[i].at, len = header->sections[i].len;

    /* One behind the other, zeros up to the next multiple: no byte is without a check. */
    while (*end % VECTOR_ALIGN && *end < v->bytes && v->map[*end] == 0)
        ++*end;
    if (at != *end || at % VECTOR_ALIGN || at > v->bytes || len > v->bytes - at)
        return damaged(err, v->number, "a section is not where it should be");
    *end = at + len;
    if (crc32c(0, v->map + at, len) != header->sections[i].crc)
        return damaged(err, v->number, "a checksum does not match");
    return true;
}

static bool check_lengths(const struct vector_header *header)
{
    uint64_t rows = header->rows, dim = header->field.dim;

    return rows <= header->passages && header->passages <= SEGMENT_PASSAGES_MAX &&
           header->sections[VECTOR_PASSAGE].len == rows * sizeof(uint32_t) &&
           header->sections[VECTOR_SCALE].len == rows * sizeof(float) &&
           header->sections[VECTOR_ROWS].len == rows * vector_stride((uint32_t)dim) &&
           header->sections[VECTOR_ORIGINALS].len == rows * dim * sizeof(uint16_t);
}

static bool passages_rise(const struct vectors *v)
{
    for (uint32_t i = 0; i < v->count; i++)
        if (v->passage[i] >= v->passages || (i && v->passage[i] <= v->passage[i - 1]))
            return false;
    return true;
}

static bool scales_are_numbers(const struct vectors *v)
{
    for (uint32_t i = 0; i < v->count; i++)
        if (!(v->rows.scales[i] >= 0 && v->rows.scales[i] <= 1))
            return false;
    return true;
}

static void take_sections(struct vectors *v, const struct vector_header *header)
{
    const void *at[VECTOR_SECTIONS];

    for (int i = 0; i < VECTOR_SECTIONS; i++)
        at[i] = v->map + header->sections[i].at;
    v->field = header->field;
    v->count = header->rows;
    v->passages = header->passages;
    v->passage = at[VECTOR_PASSAGE];
    v->rows = (struct vector_rows){.dim = header->field.dim,
                                   .stride = vector_stride(header->field.dim),
                                   .bytes = at[VECTOR_ROWS],
                                   .scales = at[VECTOR_SCALE],
                                   .originals = at[VECTOR_ORIGINALS]};
}

bool vectors_check(struct vectors *v, const struct segment *of, struct err *err)
{
    struct vector_header header;
    uint64_t end = sizeof header;

    if (v->bytes < sizeof header)
        return damaged(err, v->number, "shorter than its header");
    memcpy(&header, v->map, sizeof header);
    if (!check_header(v, &header, err))
        return false;
    for (int i = 0; i < VECTOR_SECTIONS; i++)
        if (!check_section(v, &header, (enum vector_section)i, &end, err))
            return false;
    if (end != v->bytes)
        return damaged(err, v->number, "more bytes than its sections");
    if (!check_lengths(&header))
        return damaged(err, v->number, "counts and sections do not agree");
    take_sections(v, &header);
    if (!passages_rise(v))
        return damaged(err, v->number, "a row without a passage");
    if (!scales_are_numbers(v))
        return damaged(err, v->number, "a scale makes no sense");
    if (!graph_read((struct str){v->map + header.sections[VECTOR_GRAPH].at,
                                 header.sections[VECTOR_GRAPH].len},
                    v->count, v->graph))
        return damaged(err, v->number, "the graph makes no sense");
    if (header.passages != of->passages || header.segment_crc != of->crc)
        return damaged(err, v->number, "they belong to another segment");
    return true;
}

static bool map_file(const char *dir, struct vectors *v, struct err *err)
{
    char path[SEGMENT_PATH_MAX];
    struct file *file CLEANUP(file_close) = NULL;
    int64_t size = 0;
    void *map = NULL;

    vectors_path(path, dir, v->number);
    if (!file_open(path, FILE_READ, 0, &file, err) || !file_size(file, &size, err))
        return false;
    if (size <= 0)
        return damaged(err, v->number, "empty");
    if (!file_map(file, (size_t)size, false, &map, err))
        return false;
    v->map = map;
    v->bytes = (size_t)size;
    return true;
}

bool vectors_open(const char *dir, uint64_t number, const struct segment *of, struct vectors **out,
                  struct err *err)
{
    struct arena *arena = arena_new(64 * KIB);
    struct vectors *v CLEANUP(vectors_unmap) = arena ? arena_alloc(arena, sizeof *v) : NULL;

    if (!v) {
        arena_end(&arena);
        return err_no_room(err, "no memory to open index vectors");
    }
    v->arena = arena;
    v->number = number;
    v->graph = arena_alloc(arena, sizeof *v->graph);
    if (!v->graph)
        return err_arena(err, arena);
    if (!map_file(dir, v, err) || !vectors_check(v, of, err))
        return err_wrap(err, "open index in \"%s\"", dir);
    size_t cold = (size_t)((const char *)v->rows.originals - v->map);
    file_forget(v->map, cold, cold + (size_t)v->count * v->field.dim * sizeof(uint16_t));
    *out = v;
    v = NULL;
    return true;
}

void vectors_unmap(struct vectors **vectors)
{
    struct vectors *v = *vectors;

    if (!v)
        return;
    if (v->map)
        file_unmap(v->map, v->bytes);
    struct arena *arena = v->arena;
    arena_end(&arena);
    *vectors = NULL;
}

uint32_t vectors_row_from(const struct vectors *v, uint32_t passage)
{
    uint32_t from = 0, to = v->count;

    while (from < to) {
        uint32_t middle = from + (to - from) / 2;

        if (v->passage[middle] < passage)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}
