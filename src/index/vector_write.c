/* Writing a file of vectors, and rows that grow in memory until they are written. */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "index/vector_graph.h"
#include "sys/file.h"

#define STAGE_BYTES     ((size_t)256 * KIB)
#define ARENA_MAX       ((size_t)4 * MIB)
#define GRAPH_ARENA_MAX ((size_t)4 * GIB)

/* --- rows in memory --------------------------------------------------------------------------- */

bool vector_batch_init(struct vector_batch *b, struct arena *arena,
                       const struct vector_field *field, size_t bytes_max, struct err *err)
{
    *b = (struct vector_batch){.arena = arena, .field = *field};
    buf_init(&b->bytes, arena, bytes_max);
    buf_init(&b->scales, arena, bytes_max);
    buf_init(&b->originals, arena, 2 * bytes_max);
    buf_init(&b->passages, arena, bytes_max);
    b->unit = arena_array(arena, field->dim, sizeof *b->unit);
    b->near = arena_alloc(arena, vector_stride(field->dim));
    return (b->unit && b->near) || err_arena(err, arena);
}

bool vector_batch_add(struct vector_batch *b, uint32_t passage, const float *values,
                      struct err *err)
{
    uint32_t dim = b->field.dim;
    struct str done;

    if (!vector_normalise(values, dim, b->unit))
        return err_set(err, ERR_INVALID, "a vector for field \"%s\" has a value that is not finite",
                       b->field.name);
    if (vector_is_zero(b->unit, dim))
        return true;
    float scale = vector_quantise(b->unit, dim, b->near);

    buf_put(&b->bytes, b->near, vector_stride(dim));
    buf_put(&b->scales, &scale, sizeof scale);
    buf_put(&b->passages, &passage, sizeof passage);
    for (uint32_t i = 0; i < dim; i++) {
        uint16_t half = vector_half(b->unit[i]);

        buf_put(&b->originals, &half, sizeof half);
    }
    b->count++;
    return buf_finish(&b->bytes, &done, err) && buf_finish(&b->scales, &done, err) &&
           buf_finish(&b->passages, &done, err) && buf_finish(&b->originals, &done, err);
}

struct vector_rows vector_batch_rows(const struct vector_batch *b)
{
    return (struct vector_rows){.dim = b->field.dim,
                                .stride = vector_stride(b->field.dim),
                                .bytes = (const int8_t *)b->bytes.ptr,
                                .scales = (const float *)(const void *)b->scales.ptr,
                                .originals = (const uint16_t *)(const void *)b->originals.ptr};
}

size_t vector_batch_bytes(const struct vector_batch *b)
{
    return b->bytes.len + b->scales.len + b->originals.len + b->passages.len;
}

/* --- the file --------------------------------------------------------------------------------- */

struct out {
    const struct vector_plan *plan;
    struct vector_header header;
    enum vector_section section;
    char path[SEGMENT_PATH_MAX], partial[SEGMENT_PATH_MAX + 8];
    struct file *file;
    struct buf stage;
    uint64_t at;
};

static bool flush(struct out *o, struct err *err)
{
    if (o->stage.len && !file_append(o->file, o->stage.ptr, o->stage.len, err))
        return false;
    o->stage.len = 0;
    return true;
}

static bool put(struct out *o, const void *bytes, size_t len, struct err *err)
{
    if (o->stage.len + len > STAGE_BYTES && !flush(o, err))
        return false;
    buf_put(&o->stage, bytes, len);
    o->at += len;
    return buf_ok(&o->stage) || err_arena(err, o->stage.arena);
}

static bool put_in(struct out *o, const void *bytes, size_t len, struct err *err)
{
    o->header.sections[o->section].crc = crc32c(o->header.sections[o->section].crc, bytes, len);
    o->header.sections[o->section].len += len;
    return put(o, bytes, len, err);
}

static bool begin(struct out *o, enum vector_section section, struct err *err)
{
    static const char zeros[VECTOR_ALIGN];

    if (!put(o, zeros, (size_t)(-o->at & (VECTOR_ALIGN - 1)), err))
        return false;
    o->section = section;
    o->header.sections[section].at = o->at;
    return true;
}

static bool put_row(struct out *o, const struct vector_ref *ref, struct err *err)
{
    const struct vector_rows *from = ref->from;

    switch (o->section) {
    case VECTOR_PASSAGE: return put_in(o, &ref->passage, sizeof ref->passage, err);
    case VECTOR_SCALE: return put_in(o, &from->scales[ref->row], sizeof(float), err);
    case VECTOR_ROWS: return put_in(o, vector_row(from, ref->row), from->stride, err);
    case VECTOR_ORIGINALS:
        return put_in(o, vector_original(from, ref->row), from->dim * sizeof(uint16_t), err);
    case VECTOR_GRAPH:
    case VECTOR_SECTIONS: break;
    }
    return true;
}

static bool put_level(struct out *o, const struct graph_level *level, struct err *err)
{
    if (level->rows && !put_in(o, level->rows, level->count * sizeof *level->rows, err))
        return false;
    for (uint32_t i = 0; i < level->count; i++)
        if (!put_in(o, level->links + (size_t)i * level->width, level->width * sizeof *level->links,
                    err))
            return false;
    return true;
}

static bool put_graph(struct out *o, struct err *err)
{
    const struct vector_plan *plan = o->plan;
    const struct graph_plan wish = {plan->refs, plan->count, vector_stride(plan->field->dim),
                                    plan->parent};
    struct arena *arena CLEANUP(arena_end) = NULL;
    struct graph graph;

    if (!plan->graph_from || plan->count < plan->graph_from)
        return true;
    if (!(arena = arena_new(GRAPH_ARENA_MAX)))
        return err_no_room(err, "no memory to make a graph of vectors");
    if (!graph_make(&wish, arena, &graph, err))
        return false;
    if (!graph.rows)
        return true;
    struct graph_header header = {.entry = graph.entry,
                                  .levels = graph.levels,
                                  .effort = graph.effort,
                                  .recall = graph.recall};
    for (uint32_t i = 1; i <= graph.levels; i++)
        header.counts[i - 1] = graph.at[i].count;
    if (!put_in(o, &header, sizeof header, err))
        return false;
    for (uint32_t i = 0; i <= graph.levels; i++)
        if (!put_level(o, &graph.at[i], err))
            return false;
    return true;
}

static bool put_sections(struct out *o, struct err *err)
{
    for (int i = 0; i < VECTOR_SECTIONS; i++) {
        if (!begin(o, (enum vector_section)i, err))
            return false;
        for (uint32_t k = 0; i != VECTOR_GRAPH && k < o->plan->count; k++)
            if (!put_row(o, &o->plan->refs[k], err))
                return false;
    }
    return put_graph(o, err) && flush(o, err);
}

static bool write_partial(struct out *o, struct err *err)
{
    if (!file_open(o->partial, FILE_REPLACE, 0600, &o->file, err) ||
        !put(o, &o->header, sizeof o->header, err) || !put_sections(o, err))
        return false;
    o->header.crc = vector_header_crc(&o->header);
    return file_write_at(o->file, 0, &o->header, sizeof o->header, err) && file_sync(o->file, err);
}

bool vectors_write(const struct vector_plan *plan, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(ARENA_MAX);
    struct out *o = arena ? arena_alloc(arena, sizeof *o) : NULL;
    struct err ignored = {0};

    if (!o)
        return err_no_room(err, "no memory to write index vectors");
    *o = (struct out){.plan = plan,
                      .header = {.version = VECTOR_VERSION,
                                 .rows = plan->count,
                                 .passages = plan->passages,
                                 .segment_crc = plan->segment_crc,
                                 .field = *plan->field}};
    memcpy(o->header.magic, VECTOR_MAGIC, sizeof o->header.magic);
    buf_init(&o->stage, arena, 2 * STAGE_BYTES);
    vectors_path(o->path, plan->dir, plan->number);
    (void)snprintf(o->partial, sizeof o->partial, "%s.part", o->path);
    bool ok = write_partial(o, err);
    file_close(&o->file);
    if (ok && file_rename(o->partial, o->path, err) && file_sync_dir(plan->dir, err))
        return true;
    (void)!file_remove(o->partial, &ignored); /* open removes what is left */
    return err_wrap(err, "write index vectors \"%s\"", o->path);
}
