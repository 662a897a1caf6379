/* Several bases below one directory: who sees which, what a crash left, what is gone; and documents that are sent. */
#include "knowledge/bases.h"

#include <string.h>

#include "knowledge/attach.h"
#include "knowledge/shelf.h"
#include "knowledge/upload.h"
#include "rig.h"
#include "sys/file.h"
#include "sys/pool.h"
#include "test.h"

struct set {
    struct rig rig;
    struct pool *pool;
    struct bases *bases;
};

static bool open_bases(struct set *s, uint32_t most)
{
    struct bases_options options = {.alias = STR("weir"),
                                    .bases_max = most,
                                    .each = {.dir = rig_path(&s->rig, "base"),
                                             .pool = s->pool,
                                             .readers = {.argv = rig_reader}}};
    struct err err = {0}, damage = {0};
    bool ok = bases_open(&options, &s->bases, &damage, &err);

    EXPECT(ok, "%s", err.text);
    return ok;
}

static bool begin(struct set *s, uint32_t most)
{
    struct pool_options options = {.name = "test", .threads = 2, .queue_max = 10};
    struct err err = {0};

    *s = (struct set){0};
    if (!rig_open(&s->rig))
        return false;
    knowledge_close(&s->rig.knowledge);
    s->pool = pool_new(&options, &err);
    return s->pool && open_bases(s, most);
}

static void end(struct set *s)
{
    bases_close(&s->bases);
    pool_free(&s->pool);
    rig_close(&s->rig);
}

static struct base_info made(struct set *s, const char *name, const char *tenant)
{
    const struct base_info wish = {
        .name = str_from(name), .tenant = str_from(tenant), .title = STR(""), .metadata = STR("")};
    struct base_info out = {.id = STR("none")};
    struct err err = {0};

    EXPECT(bases_create(s->bases, s->rig.arena, &wish, &out, &err), "%s: %s", name, err.text);
    return out;
}

/* The id that `who` finds under the name; "" for none. */
static struct str found(struct set *s, struct str name, const struct principal *who)
{
    struct base *base = NULL;
    struct err err = {0};
    struct str id = STR("");

    if (bases_borrow(s->bases, name, who, &base, &err))
        id = arena_str(s->rig.arena, base_id(base));
    else
        EXPECT(err.code == ERR_NOT_FOUND, "%s", err.text);
    base_release(&base);
    return id;
}

static const struct principal acme = {.tenant = {"acme", 4}, .role = ROLE_ADMIN};
static const struct principal beta = {.tenant = {"beta", 4}, .role = ROLE_ADMIN};
static const struct principal worker = {.tenant = {"acme", 4}, .role = ROLE_APP};
static const struct principal chief = {.tenant = {"default", 7}, .role = ROLE_OWNER};

FIBER_TEST(a_base_is_seen_by_its_tenant)
{
    struct base_info *list;
    struct err err = {0};
    struct set s;
    size_t count;

    REQUIRE(begin(&s, 10));
    struct base_info own = made(&s, "deals", "acme"), other = made(&s, "deals", "beta"),
                     all = made(&s, "rules", "");
    EXPECT(str_eq(found(&s, STR("deals"), &acme), own.id));
    EXPECT(str_eq(found(&s, STR("deals"), &beta), other.id));
    EXPECT(str_eq(found(&s, other.id, &acme), STR("")), "not even by its id");
    EXPECT(str_eq(found(&s, STR("rules"), &beta), all.id));
    EXPECT(str_eq(found(&s, other.id, &chief), other.id), "operators see all");
    EXPECT(str_eq(found(&s, STR("weir"), &beta), BASE_DEFAULT));
    EXPECT(bases_list(s.bases, s.rig.arena, &beta, &list, &count, &err) && count == 3);
    EXPECT(base_may_change(&own, &acme) && !base_may_change(&own, &beta));
    EXPECT(!base_may_change(&own, &worker) && base_may_see(&own, &worker));
    EXPECT(!base_may_change(&all, &acme) && base_may_change(&all, &chief));
    end(&s);
}

static const struct {
    const char *name;
    bool good;
} names[] = {
    {"a", true},     {"0a.b_c-d", true}, {"-a", false},          {".a", false},
    {"A", false},    {"a b", false},     {"a/b", false},         {"vs_x", false},
    {"weir", false}, {"default", false}, {"caf\xC3\xA9", false},
};

FIBER_TEST(names_and_count_are_bounded)
{
    struct set s;

    REQUIRE(begin(&s, 2));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct base_info wish = {.name = str_from(names[i].name), .title = STR("")};
        struct base_info out;
        struct err err = {0};
        bool ok = bases_create(s.bases, s.rig.arena, &wish, &out, &err);

        EXPECT(ok == names[i].good && (ok || err.code == ERR_INVALID), "\"%s\": %s", names[i].name,
               err.text);
    }
    const struct base_info wish = {.name = STR("more"), .title = STR("")};
    struct base_info out;
    struct err err = {0};
    EXPECT(!bases_create(s.bases, s.rig.arena, &wish, &out, &err) && err.code == ERR_EXHAUSTED &&
               strstr(err.text, "knowledge.bases"),
           "%s", err.text);
    end(&s);
}

static bool send(struct set *s, struct base *base, const char *name, const char *text,
                 struct upload_report *out, struct err *err)
{
    struct upload upload = {.name = str_from(name), .file = rig_path(&s->rig, "sent")};

    return file_store(upload.file, str_from(text), 0600, err) &&
           knowledge_upload(base_knowledge(base), s->rig.arena, &upload, out, err);
}

static size_t files_in(struct set *s, const char *folder)
{
    struct err err = {0};
    struct str *list;
    size_t count = 0;

    if (!file_list(s->rig.arena, folder, 1000, &list, &count, &err))
        EXPECT(err.code == ERR_NOT_FOUND, "%s", err.text);
    return count;
}

FIBER_TEST(what_is_deleted_is_gone_and_the_rest_opens_again)
{
    struct base_removed removed = {0};
    struct upload_report report;
    struct base *base = NULL;
    struct err err = {0};
    struct set s;

    REQUIRE(begin(&s, 10));
    struct base_info gone = made(&s, "gone", ""), stays = made(&s, "stays", "");
    REQUIRE(bases_borrow(s.bases, gone.id, NULL, &base, &err));
    EXPECT(send(&s, base, "fees.md", "The fee is 12 euros.\n", &report, &err), "%s", err.text);
    EXPECT(base_delete(&base, NULL, &removed, &err), "%s", err.text);
    EXPECT(removed.documents == 1 && removed.files >= 4 && removed.bytes > 0);
    EXPECT(str_eq(found(&s, STR("gone"), NULL), STR("")));
    EXPECT(files_in(&s, rig_path(&s.rig, "base/bases")) == 1);
    REQUIRE(bases_borrow(s.bases, BASE_DEFAULT, NULL, &base, &err));
    EXPECT(!base_delete(&base, NULL, &removed, &err) && err.code == ERR_INVALID && !base);

    /* What a crash left of a base that was being made or removed goes; what is no base stays. */
    const char *dir = rig_path(&s.rig, "base/bases");
    bases_close(&s.bases);
    err = (struct err){0};
    EXPECT(
        file_make_dir(arena_fmt(s.rig.arena, "%s/vs_0.new/deep", dir).ptr, 0700, &err) &&
        file_store(arena_fmt(s.rig.arena, "%s/vs_0.new/deep/x", dir).ptr, STR("x"), 0600, &err) &&
        file_make_dir(arena_fmt(s.rig.arena, "%s/vs_1.gone", dir).ptr, 0700, &err));
    REQUIRE(open_bases(&s, 10));
    EXPECT(files_in(&s, dir) == 1);
    EXPECT(str_eq(found(&s, STR("stays"), NULL), stays.id));
    end(&s);
}

FIBER_TEST(a_damaged_base_is_its_own_trouble)
{
    struct upload_report report;
    struct base *base = NULL;
    struct err err = {0};
    struct set s;

    REQUIRE(begin(&s, 10));
    struct base_info hurt = made(&s, "hurt", "acme"), fine = made(&s, "fine", "acme");
    bases_close(&s.bases);
    const char *dir =
        arena_fmt(s.rig.arena, "%s/" STR_FMT, rig_path(&s.rig, "base/bases"), STR_ARG(hurt.id)).ptr;
    EXPECT(file_store(arena_fmt(s.rig.arena, "%s/manifest", dir).ptr, STR("no"), 0600, &err) &&
           file_store(arena_fmt(s.rig.arena, "%s/base.json", dir).ptr, STR("{"), 0600, &err));
    REQUIRE(open_bases(&s, 10));
    EXPECT(str_eq(found(&s, hurt.id, &acme), STR("")), "nobody knows whose it is");
    EXPECT(str_eq(found(&s, hurt.id, &chief), hurt.id));
    REQUIRE(bases_borrow(s.bases, fine.id, &acme, &base, &err));
    EXPECT(send(&s, base, "a.md", "All is well here.\n", &report, &err), "%s", err.text);
    base_release(&base);
    end(&s);
}

FIBER_TEST(a_document_that_is_sent_has_versions_and_its_bytes)
{
    struct document_content content;
    struct upload_report report;
    struct base *base = NULL;
    struct err err = {0};
    struct set s;

    REQUIRE(begin(&s, 10));
    REQUIRE(bases_borrow(s.bases, BASE_DEFAULT, NULL, &base, &err));
    struct knowledge *k = base_knowledge(base);
    const char *originals = rig_path(&s.rig, "base/originals");
    EXPECT(send(&s, base, "a.md", "The fee is 12 euros.\n", &report, &err) &&
               report.became == UPLOAD_ADDED && report.document.version == 1,
           "%s", err.text);
    EXPECT(send(&s, base, "b.md", "The fee is 12 euros.\n", &report, &err), "%s", err.text);
    EXPECT(files_in(&s, originals) == 1, "the same bytes once");
    EXPECT(send(&s, base, "a.md", "The fee is 12 euros.\n", &report, &err) &&
           report.became == UPLOAD_UNCHANGED);
    EXPECT(send(&s, base, "a.md", "The fee is 13 euros.\n", &report, &err) &&
           report.became == UPLOAD_CHANGED && report.document.version == 2);
    EXPECT(files_in(&s, originals) == 2);
    EXPECT(!send(&s, base, "a.md", "", &report, &err) && err.code == ERR_INVALID);
    err = (struct err){0};
    EXPECT(!send(&s, base, "a.docx", "PK\x03\x04", &report, &err) && err.code == ERR_INVALID);
    EXPECT(files_in(&s, originals) == 2, "nothing is left of what was refused");
    err = (struct err){0};
    struct str id = report.document.id;
    EXPECT(knowledge_content(k, s.rig.arena, id, &acme, &content, &err) &&
               str_eq(content.bytes, STR("The fee is 13 euros.\n")) && content.is_shown,
           "%s", err.text);
    uint32_t gone;
    EXPECT(knowledge_forget(k, id, &gone, &err) && files_in(&s, originals) == 1, "%s", err.text);
    EXPECT(!knowledge_content(k, s.rig.arena, id, NULL, &content, &err) &&
           err.code == ERR_NOT_FOUND);
    base_release(&base);

    /* A crash between an original and its commit. */
    bases_close(&s.bases);
    err = (struct err){0};
    EXPECT(file_store(arena_fmt(s.rig.arena, "%s/00ff", originals).ptr, STR("x"), 0600, &err));
    REQUIRE(open_bases(&s, 10));
    EXPECT(files_in(&s, originals) == 1);
    end(&s);
}

TEST(files_of_the_shelf_are_whole_or_not_there)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(8 * MIB);
    const char *root = test_dir(), *dir = arena_fmt(arena, "%s/files", root).ptr;
    const char *from = arena_fmt(arena, "%s/sent", root).ptr;
    const struct shelf_file wish = {
        .name = STR("a.md"), .purpose = STR("assistants"), .tenant = STR("acme"), .bytes = 4};
    struct shelf_file one, *list;
    struct err err = {0};
    size_t count;

    EXPECT(file_store(from, STR("text"), 0600, &err));
    EXPECT(shelf_put(dir, arena, &wish, from, 1, &one, &err), "%s", err.text);
    EXPECT(shelf_find(dir, arena, one.id, STR("acme"), &one, &err) && one.bytes == 4);
    EXPECT(!shelf_find(dir, arena, one.id, STR("beta"), &one, &err) && err.code == ERR_NOT_FOUND);
    EXPECT(!shelf_find(dir, arena, STR("../sent"), STR(""), &one, &err) &&
           err.code == ERR_NOT_FOUND);
    err = (struct err){0};
    EXPECT(file_store(from, STR("text"), 0600, &err));
    EXPECT(!shelf_put(dir, arena, &wish, from, 1, &one, &err) && err.code == ERR_EXHAUSTED);
    err = (struct err){0};
    EXPECT(file_store(arena_fmt(arena, "%s/file-half", dir).ptr, STR("x"), 0600, &err) &&
           shelf_clean(dir, &err));
    EXPECT(shelf_list(dir, arena, STR(""), &list, &count, &err) && count == 1);
    EXPECT(shelf_remove(dir, arena, list[0].id, &err), "%s", err.text);
    EXPECT(shelf_list(dir, arena, STR(""), &list, &count, &err) && count == 0);
}

TEST(files_on_their_way_are_kept_as_they_stand)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(8 * MIB);
    const char *base = test_dir();
    const struct attached failed = {.file = STR("file-1"),
                                    .state = ATTACH_FAILED,
                                    .code = STR("invalid_file"),
                                    .message = STR("too \"large\""),
                                    .attributes = STR("{\"a\":1}"),
                                    .created = 7};
    struct str files[] = {STR("file-1"), STR("file-2")};
    struct attach_batch batch = {.files = files, .count = 2, .created = 9, .cancelled = true}, read;
    struct attached one, *list;
    struct err err = {0};
    size_t count;

    EXPECT(attached_store(base, &failed, &err), "%s", err.text);
    EXPECT(attached_find(base, arena, STR("file-1"), &one, &err) && one.state == ATTACH_FAILED &&
           str_eq(one.message, failed.message) && str_eq(one.attributes, failed.attributes));
    EXPECT(attached_list(base, arena, &list, &count, &err) && count == 1);
    EXPECT(attached_remove(base, STR("file-1"), &err) &&
           attached_remove(base, STR("file-1"), &err));
    EXPECT(!attached_find(base, arena, STR("file-1"), &one, &err) && err.code == ERR_NOT_FOUND);
    EXPECT(!attached_find(base, arena, STR("../x"), &one, &err) && err.code == ERR_NOT_FOUND);
    err = (struct err){0};
    EXPECT(batch_store(base, arena, &batch, &err) && batch_find(base, arena, batch.id, &read, &err),
           "%s", err.text);
    EXPECT(read.count == 2 && str_eq(read.files[1], files[1]) && read.cancelled &&
           read.created == 9);
}
