/* A model in a file of its own, named by the manifest and gone with it: the bytes of latent_learn(), then their
 * CRC-32C. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "index/latent.h"
#include "index/lexical_writer.h"
#include "index/vector.h"

void latent_path(char path[SEGMENT_PATH_MAX], const char *dir, uint64_t number)
{
    (void)snprintf(path, SEGMENT_PATH_MAX, "%s/%" PRIu64 ".latent", dir, number);
}

bool latent_load(const char *dir, uint64_t number, struct arena *arena, struct str *out,
                 struct err *err)
{
    char path[SEGMENT_PATH_MAX];
    struct latent model;
    struct str all;
    uint32_t crc;

    latent_path(path, dir, number);
    if (!file_load(arena, path, LATENT_BYTES_MAX, &all, err))
        return err_wrap(err, "open latent model");
    size_t len = all.len - MIN_OF(all.len, sizeof crc);
    memcpy(&crc, all.ptr + len, all.len - len);
    if (all.len < sizeof crc || crc != crc32c(0, all.ptr, len) ||
        !latent_read(str_slice(all, 0, len), &model, err))
        return err_set(err, ERR_UNAVAILABLE, "latent model \"%s\" is damaged", path);
    *out = str_slice(all, 0, len);
    return true;
}

bool latent_store(const char *dir, uint64_t number, struct str bytes, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(LATENT_BYTES_MAX + MIB);
    uint32_t crc = crc32c(0, bytes.ptr, bytes.len);
    char path[SEGMENT_PATH_MAX];
    struct buf b;
    struct str all;

    if (!arena)
        return err_no_room(err, "no memory to write the latent model");
    buf_init(&b, arena, LATENT_BYTES_MAX);
    buf_str(&b, bytes);
    buf_put(&b, &crc, sizeof crc);
    latent_path(path, dir, number);
    return (buf_finish(&b, &all, err) && file_store(path, all, 0600, err)) ||
           err_wrap(err, "write latent model");
}

static bool field_of(struct str bytes, const struct latent *model, struct vector_field *out)
{
    struct sha256 hash = sha256(bytes);
    struct err impossible = {0};

    static_assert(VECTOR_MODEL_BYTES == SHA256_BYTES, "a field knows its model by its hash");
    return vector_field_init(out, STR(LATENT_FIELD), model->dimensions, hash.bytes, &impossible);
}

bool latent_of(const struct lexical_view *view, struct latent *out, struct vector_field *field)
{
    struct err impossible = {0};

    return view->latent.len && latent_read(view->latent, out, &impossible) &&
           field_of(view->latent, out, field);
}

bool latent_drop(struct lexical_writer *w, struct err *err)
{
    struct vector_field field;
    struct latent model;

    w->latent_changes = true;
    w->latent = STR_NONE;
    return !latent_of(w->view, &model, &field) || vector_drop(w, &field, err);
}

bool latent_set(struct lexical_writer *w, struct str bytes, struct err *err)
{
    struct latent model;

    if (!latent_read(bytes, &model, err) || !latent_drop(w, err))
        return false;
    w->latent = arena_str(w->arena, bytes);
    return w->latent.ptr || err_arena(err, w->arena);
}
