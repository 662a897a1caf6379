/* The parent's side: children at hand, what became of a file in one. */
#include "knowledge/readers.h"

#include <string.h>

#include "knowledge/readers_internal.h"
#include "sys/mutex.h"
#include "sys/sandbox.h"
#include "sys/worker.h"

#define MEMORY_DEFAULT   ((size_t)512 * MIB)
#define OUTPUT_DEFAULT   ((size_t)64 * MIB)
#define TIME_DEFAULT     (20 * SECOND)
#define CHILDREN_DEFAULT 2u
#define FILES_A_CHILD    200 /* then a fresh one: what a library keeps does not add up */
#define WALL_FACTOR      4

/* A child and whoever talks to it. */
struct slot {
    struct mutex lock;
    struct worker *worker;
    uint32_t files;
};

struct readers {
    struct readers_options options;
    const char *argv[16];
    struct err no_sandbox;
    struct mutex lock; /* guards next */
    uint32_t next;
    struct slot slots[READERS_CHILDREN_MAX];
};

static bool fill_argv(struct arena *arena, struct readers *r)
{
    static const char *const own[] = {"/proc/self/exe", READER_WORD, NULL};
    const char *const *from = r->options.argv ? r->options.argv : own;
    uint64_t seconds = (uint64_t)((r->options.time_max + SECOND - 1) / SECOND) * FILES_A_CHILD;
    size_t n = 0;

    for (; from[n]; n++) {
        ASSERT(n < ARRAY_LEN(r->argv) - 4);
        r->argv[n] = from[n];
    }
    r->argv[n] = arena_fmt(arena, "%zu", r->options.memory_max).ptr;
    r->argv[n + 1] = arena_fmt(arena, "%" PRIu64, seconds).ptr;
    r->argv[n + 2] = r->no_sandbox.code && r->options.without_sandbox ? READER_FREE : READER_SHUT;
    return r->argv[n] && r->argv[n + 1];
}

bool readers_open(struct arena *arena, const struct readers_options *options, struct readers **out,
                  struct err *err)
{
    struct readers *r = arena_alloc(arena, sizeof *r);

    if (!r)
        return err_arena(err, arena);
    r->options = *options;
    r->options.memory_max = options->memory_max ? options->memory_max : MEMORY_DEFAULT;
    r->options.output_max = options->output_max ? options->output_max : OUTPUT_DEFAULT;
    r->options.time_max = options->time_max ? options->time_max : TIME_DEFAULT;
    r->options.children_max = options->children_max ? options->children_max : CHILDREN_DEFAULT;
    ASSERT(r->options.children_max <= READERS_CHILDREN_MAX);
    (void)!sandbox_is_possible(&r->no_sandbox);
    if (!fill_argv(arena, r))
        return err_arena(err, arena);
    mutex_init(&r->lock);
    for (uint32_t i = 0; i < r->options.children_max; i++)
        mutex_init(&r->slots[i].lock);
    *out = r;
    return true;
}

void readers_close(struct readers **readers)
{
    struct readers *r = *readers;

    if (!r)
        return;
    for (uint32_t i = 0; i < r->options.children_max; i++) {
        worker_stop(&r->slots[i].worker);
        mutex_done(&r->slots[i].lock);
    }
    mutex_done(&r->lock);
    *readers = NULL;
}

bool readers_have_sandbox(const struct readers *r, struct err *why)
{
    if (!r->no_sandbox.code)
        return true;
    *why = r->no_sandbox;
    return err_wrap(why, r->options.without_sandbox
                             ? "PDF and office files are read without a sandbox, as is allowed"
                             : "PDF and office files cannot be read");
}

/* --- one file --------------------------------------------------------------------------------- */

static struct slot *next_slot(struct readers *r)
{
    mutex_lock(&r->lock);
    uint32_t n = r->next++ % r->options.children_max;
    mutex_unlock(&r->lock);
    return &r->slots[n];
}

static bool have_child(struct readers *r, struct slot *slot, struct err *err)
{
    if (slot->worker && (!worker_is_alive(slot->worker) || slot->files >= FILES_A_CHILD))
        worker_stop(&slot->worker);
    if (slot->worker)
        return true;
    slot->files = 0;
    return worker_start(r->argv, &slot->worker, err) || err_wrap(err, "read a document");
}

/* What it did to the child is the file's fault, and said about the file. */
static bool blame_file(const struct readers *r, struct err *err)
{
    if (err->code == ERR_TOO_LARGE)
        return err_set(err, ERR_TOO_LARGE, "more than %zu MiB of text in it",
                       r->options.output_max / MIB);
    if (err->code == ERR_TIMEOUT)
        return err_set(err, ERR_INVALID, "took longer than %" PRId64 " s to read",
                       r->options.time_max / SECOND);
    err->code = ERR_INVALID;
    return err_wrap(err, "could not be read: its reader");
}

static bool ask(struct readers *r, struct slot *slot, struct arena *arena, const struct str *parts,
                struct str *answer, struct err *err)
{
    struct worker_call call = {.parts = parts,
                               .part_count = 2,
                               .answer_max = r->options.output_max + READER_OVERHEAD,
                               .cpu_max = r->options.time_max,
                               .wall_max = WALL_FACTOR * r->options.time_max};

    if (!have_child(r, slot, err))
        return false;
    slot->files++;
    if (worker_ask(slot->worker, arena, &call, answer, err))
        return true;
    worker_stop(&slot->worker);
    return err->code == ERR_EXHAUSTED ? false : blame_file(r, err);
}

/* The first byte: READER_DONE and a rendition, or an error's code and text. */
static bool open_answer(const struct readers *r, struct arena *arena, struct str answer,
                        struct rendition *out, struct err *err)
{
    struct str rest = str_slice(answer, 1, answer.len);

    if (answer.len && answer.ptr[0] == READER_DONE && rendition_read(arena, rest, out))
        return true;
    if (!answer.len || answer.ptr[0] == READER_DONE)
        return err_set(err, ERR_INVALID, "could not be read: its reader gave back nonsense");
    if (answer.ptr[0] == READER_NO_MEMORY)
        return err_set(err, ERR_TOO_LARGE, "took more than %zu MiB of memory to read",
                       r->options.memory_max / MIB);
    for (size_t i = 0; i < rest.len; i++)
        if ((uint8_t)rest.ptr[i] < ' ')
            return err_set(err, ERR_INVALID, "could not be read");
    return err_set(err, answer.ptr[0] == READER_TOO_LARGE ? ERR_TOO_LARGE : ERR_INVALID, STR_FMT,
                   STR_ARG(rest));
}

bool readers_read(struct readers *r, struct arena *arena, enum document_type type, struct str bytes,
                  struct rendition *out, struct err *err)
{
    char head[1] = {(char)type};
    struct str parts[] = {{head, 1}, bytes}, answer;

    if (r->no_sandbox.code && !r->options.without_sandbox) {
        *err = r->no_sandbox;
        return err_wrap(err, "not read without a sandbox");
    }
    struct slot *slot = next_slot(r);
    mutex_lock(&slot->lock);
    bool ok = ask(r, slot, arena, parts, &answer, err);
    mutex_unlock(&slot->lock);
    return ok && open_answer(r, arena, answer, out, err);
}
