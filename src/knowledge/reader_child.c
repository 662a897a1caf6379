/* The child's side: give up all rights, then read one file after the other. */
#include <stdio.h>
#include <string.h>

#include "base/pages.h"
#include "knowledge/encoding.h"
#include "knowledge/readers.h"
#include "knowledge/readers_internal.h"
#include "sys/sandbox.h"
#include "sys/worker.h"

#define PROGRAM_OVERHEAD ((size_t)64 * MIB) /* what libraries take beside the arenas */
#define FILE_BYTES_MAX   ((size_t)63 * MIB) /* one piece of an arena */

static bool reply(char kind, struct str rest, struct err *err)
{
    struct str parts[] = {{&kind, 1}, rest};

    return worker_reply(parts, 2, err);
}

static bool read_file(struct arena *arena, struct str question, struct str *out, struct err *err)
{
    struct str bytes = str_slice(question, 1, question.len);
    struct rendering *rendering = arena_alloc(arena, sizeof *rendering);
    struct rendition rendition;
    struct buf b;
    reader_fn *read = question.len && (uint8_t)question.ptr[0] < DOCUMENT_TYPES
                          ? document_reader((enum document_type)question.ptr[0])
                          : NULL;

    if (!read || !rendering)
        return read ? err_arena(err, arena) : err_set(err, ERR_INVALID, "of an unknown type");
    rendering_init(rendering, arena);
    if (!read(bytes, rendering, err) || !rendering_end(rendering, &rendition, err))
        return false;
    buf_init(&b, arena, 2 * RENDITION_BYTES_MAX);
    rendition_write(&b, &rendition);
    return buf_finish(&b, out, err);
}

static bool read_and_reply(struct arena *arena, struct str question, struct err *err)
{
    struct err why = {0};
    struct str rendition;

    if (read_file(arena, question, &rendition, &why))
        return reply(READER_DONE, rendition, err);
    return reply(why.code == ERR_EXHAUSTED   ? READER_NO_MEMORY
                 : why.code == ERR_TOO_LARGE ? READER_TOO_LARGE
                                             : READER_INVALID,
                 str_from(why.text), err);
}

static bool shut_in(char **argv, uint64_t *memory, struct err *err)
{
    uint64_t seconds;
    struct sandbox_limits limits;

    if (!u64_parse(str_from(argv[0]), memory) || !u64_parse(str_from(argv[1]), &seconds) ||
        seconds > UINT32_MAX || *memory > SIZE_MAX / 2)
        return err_set(err, ERR_INVALID, "not for people: Weir starts it to read documents");
    limits = (struct sandbox_limits){.memory_max = *memory + PROGRAM_OVERHEAD,
                                     .cpu_max = (dur_ns)seconds * SECOND};
    pages_limit(*memory);
    encodings_touch();
    if (sandbox_enter(&limits, err))
        return true;
    return str_eq(str_from(argv[2]), STR(READER_FREE));
}

int reader_main(int argc, char **argv)
{
    struct err err = {0};
    uint64_t memory = 0;

    if (argc < 3 || !shut_in(argv + argc - 3, &memory, &err)) {
        fprintf(stderr, "%s\n", argc < 3 ? "not for people" : err.text);
        return 1;
    }
    for (bool more = true; more;) {
        struct arena *arena CLEANUP(arena_end) = arena_new(memory);
        struct str question;

        err = (struct err){0};
        more = arena && worker_receive(arena, FILE_BYTES_MAX, &question, &err);
        if (more)
            more = read_and_reply(arena, question, &err);
        else if (err.code == ERR_EXHAUSTED || err.code == ERR_TOO_LARGE)
            return reply(READER_NO_MEMORY, STR(""), &err) ? 0 : 1;
    }
    if (err.code)
        fprintf(stderr, "%s\n", err.text);
    return err.code ? 1 : 0;
}
