#include "rig.h"

#include <stdio.h>
#include <string.h>

#include "sys/file.h"
#include "test.h"

CHILD(reader)
{
    return reader_main(argc, argv);
}

const char *const rig_reader[] = {"/proc/self/exe", "--child", "reader", NULL};

static bool open_base(struct rig *rig)
{
    struct knowledge_options options = {.dir = rig_path(rig, "base"),
                                        .readers = {.argv = rig_reader}};
    struct err err = {0};
    bool ok = knowledge_open(&options, &rig->knowledge, &err);

    EXPECT(ok, "%s", err.text);
    return ok;
}

bool rig_open(struct rig *rig)
{
    *rig = (struct rig){.arena = arena_new(64 * MIB), .dir = test_dir()};
    return rig->arena && open_base(rig);
}

bool rig_reopen(struct rig *rig)
{
    knowledge_close(&rig->knowledge);
    return open_base(rig);
}

void rig_close(struct rig *rig)
{
    knowledge_close(&rig->knowledge);
    arena_end(&rig->arena);
}

const char *rig_path(struct rig *rig, const char *name)
{
    return arena_fmt(rig->arena, "%s/%s", rig->dir, name).ptr;
}

bool rig_write(struct rig *rig, const char *name, const char *text)
{
    return rig_write_bytes(rig, name, str_from(text));
}

bool rig_write_bytes(struct rig *rig, const char *name, struct str bytes)
{
    char *path = arena_alloc(rig->arena, 512), *slash;
    struct err err = {0};

    (void)snprintf(path, 512, "%s/docs/%s", rig->dir, name);
    slash = strrchr(path, '/');
    *slash = 0;
    bool ok = file_make_dir(path, 0700, &err);
    *slash = '/';
    ok = ok && file_store(path, bytes, 0600, &err);
    EXPECT(ok, "%s", err.text);
    return ok;
}

struct ingest_report rig_ingest(struct rig *rig, const char *name)
{
    struct ingest_report report = {0};
    struct err err = {0};
    const char *path = arena_fmt(rig->arena, "%s/docs%s%s", rig->dir, *name ? "/" : "", name).ptr;

    if (!ingest_now(rig->knowledge, rig->arena, &(struct ingest_wish){.path = str_from(path)},
                    &report, &err))
        EXPECT(false, "%s", err.text);
    return report;
}

size_t rig_documents(struct rig *rig)
{
    struct document_info *list;
    size_t count = 999;
    struct err err = {0};

    if (!list_now(rig->knowledge, rig->arena, NULL, &list, &count, &err))
        EXPECT(false, "%s", err.text);
    return count;
}

struct grounded rig_ask(struct rig *rig, const char *question)
{
    struct grounded g = {0};
    struct err err = {0};

    if (!answer_now(rig->knowledge, rig->arena,
                    &(struct knowledge_question){.text = str_from(question)}, &g, &err))
        EXPECT(false, "%s", err.text);
    return g;
}
