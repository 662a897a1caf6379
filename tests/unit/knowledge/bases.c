/* Several bases below one directory: who sees which, what a crash left, what is gone; and documents that are sent. */
#include "knowledge/bases.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/pages.h"
#include "knowledge/attach.h"
#include "knowledge/pieces.h"
#include "knowledge/shelf.h"
#include "knowledge/stands.h"
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

/* Each step of a deletion fails once: the base is there as it was, or nothing is when it is tried again. */
FIBER_TEST(what_is_left_of_a_base_goes_when_it_is_tried_again)
{
    const char *failed = "";
    size_t left = 0;

    for (uint64_t nth = 1; failed; nth++) {
        struct base_removed removed = {0};
        struct upload_report report;
        struct base *base = NULL;
        struct err err = {0}, why = {0};
        struct set s;

        REQUIRE(begin(&s, 10));
        struct base_info gone = made(&s, "gone", "");
        const char *dir = rig_path(&s.rig, "base/bases");
        REQUIRE(bases_borrow(s.bases, gone.id, NULL, &base, &err));
        EXPECT(send(&s, base, "fees.md", "The fee is 12 euros.\n", &report, &err), "%s", err.text);
        fault_begin(nth);
        bool deleted = base_delete(&base, NULL, &removed, &err);
        failed = fault_end();
        if (!deleted && bases_borrow(s.bases, gone.id, NULL, &base, &why)) {
            EXPECT(!str_eq(found(&s, STR("gone"), NULL), STR("")), "%s", failed);
            base_release(&base);
        } else {
            left += files_in(&s, dir) > 0;
            err = (struct err){0};
            EXPECT(bases_sweep(s.bases, gone.id, &err), "%s: %s", failed, err.text);
            EXPECT(files_in(&s, dir) == 0, "%s", failed);
        }
        end(&s);
    }
    EXPECT(left > 0, "some deletion left files");
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
    EXPECT(bases_damaged(s.bases, NULL, NULL) == 1, "told before anybody asks it");
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

static bool not_wanted(void *ctx, struct err *err)
{
    struct lexical_writer *writer = NULL;
    struct knowledge *k = ctx;
    struct err busy = {0};

    EXPECT(!lexical_begin(atomic_load(&k->index), &writer, &busy), "its writer is held");
    return err_set(err, ERR_NOT_FOUND, "nobody wants it");
}

/* What is forgotten while it is on its way does not come in behind its receipt. */
FIBER_TEST(what_nobody_wants_any_more_does_not_come_in)
{
    struct upload_report report;
    struct base *base = NULL;
    struct err err = {0};
    struct set s;

    REQUIRE(begin(&s, 10));
    REQUIRE(bases_borrow(s.bases, BASE_DEFAULT, NULL, &base, &err));
    struct knowledge *k = base_knowledge(base);
    const char *file = rig_path(&s.rig, "sent"), *originals = rig_path(&s.rig, "base/originals");
    REQUIRE(file_store(file, STR("The fee is 12 euros.\n"), 0600, &err), "%s", err.text);
    const struct upload upload = {
        .name = STR("a.md"), .file = file, .wanted = not_wanted, .ctx = k};
    EXPECT(!knowledge_upload(k, s.rig.arena, &upload, &report, &err) && err.code == ERR_NOT_FOUND,
           "%s", err.text);
    EXPECT(knowledge_documents(k) == 0 && files_in(&s, originals) == 0);
    err = (struct err){0};
    EXPECT(send(&s, base, "a.md", "The fee is 12 euros.\n", &report, &err), "%s", err.text);
    base_release(&base);
    end(&s);
}

#define DAY_MS ((wall_ms)24 * 3600 * 1000)
static const struct {
    const char *name;
    struct base_life life;
    wall_ms created, want; /* when it expires */
} lives[] = {
    {"no days: never", {.used = 5 * DAY_MS}, 1, 0},
    {"from its last use", {.days = 2, .used = 5 * DAY_MS}, 1, 7 * DAY_MS},
    {"never noted: from when it was made", {.days = 1}, 3 * DAY_MS, 4 * DAY_MS},
    {"the longest", {.days = BASE_DAYS_MAX, .used = 1}, 1, 365 * DAY_MS + 1},
};

TEST(a_base_expires_so_many_days_after_its_last_use)
{
    for (size_t i = 0; i < ARRAY_LEN(lives); i++) {
        struct base_info info = {.created = lives[i].created, .life = lives[i].life};
        wall_ms want = lives[i].want;

        EXPECT(base_expires_at(&info) == want, "%s", lives[i].name);
        EXPECT(!base_is_expired(&info, want - 1), "%s", lives[i].name);
        EXPECT(base_is_expired(&info, want ? want : INT64_MAX) == (want > 0), "%s", lives[i].name);
        info.life.expired = 1;
        EXPECT(base_is_expired(&info, 0), "for good: %s", lives[i].name);
    }
}

/* The first that has expired; empty: none. */
static struct str expired(struct set *s)
{
    struct err err = {0};
    struct str *ids;
    size_t count = 0;

    EXPECT(bases_find_expired(s->bases, s->rig.arena, &ids, &count, &err), "%s", err.text);
    return count ? ids[0] : STR("");
}

static const struct base_info *life_of(struct set *s, struct str id)
{
    static struct base_info info;
    struct base *base = NULL;
    struct err err = {0};

    info = (struct base_info){0};
    EXPECT(bases_borrow(s->bases, id, NULL, &base, &err) &&
               base_info(base, s->rig.arena, &info, &err),
           "%s", err.text);
    base_release(&base);
    return &info;
}

FIBER_TEST(what_is_said_of_a_base_and_how_long_it_stays_is_found_again)
{
    struct base_info wish = {.name = STR("short"),
                             .title = STR("Short"),
                             .metadata = STR("{\"a\":\"b\"}"),
                             .tenant = STR(""),
                             .life = {.description = STR("of \"one\"\nproject"), .days = 9}};
    struct base *base = NULL;
    struct err err = {0};
    struct base_info out;
    struct set s;
    bool over;

    REQUIRE(begin(&s, 10));
    REQUIRE(bases_create(s.bases, s.rig.arena, &wish, &out, &err));
    EXPECT(life_of(&s, out.id)->life.used == out.created);
    REQUIRE(bases_borrow(s.bases, out.id, NULL, &base, &err));
    EXPECT(base_use(base, &err) && base_alive(base, &err) && base_is_alone(base));
    EXPECT(base_end(base, &over, &err) && !over, "it is in use: %s", err.text);
    base_release(&base);
    bases_close(&s.bases);
    REQUIRE(open_bases(&s, 10));
    const struct base_info *info = life_of(&s, out.id);
    EXPECT(str_eq(info->life.description, wish.life.description) && info->life.days == 9 &&
           info->life.used >= out.created && !info->life.expired);
    EXPECT(expired(&s).len == 0);

    /* Its time is over. */
    const char *path = arena_fmt(s.rig.arena, "%s/" STR_FMT "/life.json",
                                 rig_path(&s.rig, "base/bases"), STR_ARG(out.id))
                           .ptr;
    bases_close(&s.bases);
    EXPECT(file_store(path,
                      STR("{\"description\":\"\",\"expires_days\":9,\"last_used\":1,"
                          "\"expired\":0,\"emptied\":false}"),
                      0600, &err));
    REQUIRE(open_bases(&s, 10));
    EXPECT(str_eq(expired(&s), out.id));
    REQUIRE(bases_borrow(s.bases, out.id, NULL, &base, &err));
    EXPECT(!base_use(base, &err) && err.code == ERR_INVALID && strstr(err.text, "has expired"));
    err = (struct err){0};
    EXPECT(!base_change(base, &(struct base_changes){.says_days = true}, &err) &&
           err.code == ERR_INVALID);
    err = (struct err){0};
    EXPECT(base_end(base, &over, &err) && over, "%s", err.text);
    EXPECT(str_eq(expired(&s), out.id), "nobody has emptied it");
    EXPECT(base_emptied(base, &err), "%s", err.text);
    EXPECT(expired(&s).len == 0);
    base_release(&base);
    bases_close(&s.bases);
    REQUIRE(open_bases(&s, 10));
    info = life_of(&s, out.id);
    EXPECT(info->life.expired > 0 && info->life.emptied && base_is_expired(info, 0));
    end(&s);
}

/* An answer of a talk that went through many bases. */
FIBER_TEST(what_was_made_from_many_bases_is_looked_at)
{
    enum made_from found = MADE_UNREADABLE;
    struct err err = {0};
    struct buf lines;
    struct set s;

    REQUIRE(begin(&s, 10));
    buf_init(&lines, s.rig.arena, 64 * KIB);
    for (int i = 0; i < 100; i++)
        buf_fmt(&lines, "d_0000000000000001@vs_%024d\n", i);
    EXPECT(bases_stand(s.bases, s.rig.arena, buf_view(&lines), NULL, &found, &err) &&
               found == MADE_STANDS,
           "%s", err.text);
    end(&s);
}

FIBER_TEST(the_default_base_stays)
{
    struct base *base = NULL;
    struct err err = {0};
    struct set s;

    REQUIRE(begin(&s, 10));
    REQUIRE(bases_borrow(s.bases, BASE_DEFAULT, NULL, &base, &err));
    EXPECT(!base_change(base, &(struct base_changes){.says_days = true, .days = 1}, &err) &&
               err.code == ERR_INVALID,
           "%s", err.text);
    EXPECT(expired(&s).len == 0);
    base_release(&base);
    end(&s);
}

TEST(files_of_the_shelf_are_whole_or_not_there)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(8 * MIB);
    const char *root = test_dir(), *dir = arena_fmt(arena, "%s/files", root).ptr;
    const char *from = arena_fmt(arena, "%s/sent", root).ptr;
    const struct shelf_file wish = {.name = STR("a.md"),
                                    .purpose = STR("assistants"),
                                    .tenant = STR("acme"),
                                    .bytes = 4,
                                    .created = 7,
                                    .expires = 9};
    struct shelf_file one, *list;
    struct err err = {0};
    size_t count;

    EXPECT(file_store(from, STR("text"), 0600, &err));
    EXPECT(shelf_put(dir, arena, &wish, from, 1, &one, &err), "%s", err.text);
    EXPECT(shelf_find(dir, arena, one.id, STR("acme"), &one, &err) && one.bytes == 4);
    EXPECT(one.created == 7 && !shelf_is_over(&one, 8) && shelf_is_over(&one, 9));
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
    /* Named, and gone before it is looked at: as one that is removed meanwhile. */
    EXPECT(symlink("gone", arena_fmt(arena, "%s/file-gone.json", dir).ptr) == 0);
    EXPECT(shelf_list(dir, arena, STR(""), &list, &count, &err) && count == 1, "%s", err.text);
    EXPECT(file_remove(arena_fmt(arena, "%s/file-gone.json", dir).ptr, &err), "%s", err.text);
    err = (struct err){0};
    /* One that cannot be read hides no others. */
    EXPECT(file_store(arena_fmt(arena, "%s/file-0.json", dir).ptr, STR("{\"id\":"), 0600, &err));
    EXPECT(shelf_list(dir, arena, STR(""), &list, &count, &err) && count == 1, "%s", err.text);
    EXPECT(file_remove(arena_fmt(arena, "%s/file-0.json", dir).ptr, &err), "%s", err.text);
    EXPECT(shelf_remove(dir, arena, list[0].id, &err), "%s", err.text);
    EXPECT(shelf_list(dir, arena, STR(""), &list, &count, &err) && count == 0);
}

/* ---- many at once ---- */

enum { PUTTERS = 8, PUTS_EACH = 4, SHELF_MOST = 10 };

struct putter {
    const char *dir;
    int number, put;
    pthread_t thread;
};

static void *put_some(void *arg)
{
    struct arena *arena = arena_new(8 * MIB);
    const struct shelf_file wish = {
        .name = STR("a.md"), .purpose = STR("assistants"), .tenant = STR("acme"), .bytes = 4};
    struct putter *p = arg;
    struct shelf_file made;

    for (int i = 0; i < PUTS_EACH; i++) {
        const char *from = arena_fmt(arena, "%s-%d-%d", p->dir, p->number, i).ptr;
        struct err err = {0};

        EXPECT(file_store(from, STR("text"), 0600, &err), "%s", err.text);
        bool put = shelf_put(p->dir, arena, &wish, from, SHELF_MOST, &made, &err);
        EXPECT(put || err.code == ERR_EXHAUSTED, "%s", err.text);
        p->put += put;
    }
    arena_end(&arena);
    pages_thread_done();
    return NULL;
}

TEST(no_more_files_come_onto_the_shelf_at_once_than_it_may_have)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    const char *dir = arena_fmt(arena, "%s/files", test_dir()).ptr;
    struct putter putters[PUTTERS];
    int put = 0;

    for (int i = 0; i < PUTTERS; i++) {
        putters[i] = (struct putter){.dir = dir, .number = i};
        REQUIRE(pthread_create(&putters[i].thread, NULL, put_some, &putters[i]) == 0);
    }
    for (int i = 0; i < PUTTERS; i++) {
        (void)pthread_join(putters[i].thread, NULL);
        put += putters[i].put;
    }
    EXPECT(put == SHELF_MOST, "%d", put);
}

/* Whatever fails: bytes that are still there can be asked for, and removed by who tries again. */
TEST(a_file_that_could_not_be_removed_is_still_known)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(8 * MIB);
    const char *root = test_dir(), *dir = arena_fmt(arena, "%s/files", root).ptr;
    const char *from = arena_fmt(arena, "%s/sent", root).ptr, *failed = "";
    const struct shelf_file wish = {
        .name = STR("a.md"), .purpose = STR("assistants"), .tenant = STR("acme"), .bytes = 4};

    for (uint64_t nth = 1; failed; nth++) {
        struct err err = {0}, missing = {0};
        struct shelf_file one, found;
        struct file_info info;

        REQUIRE(file_store(from, STR("text"), 0600, &err) &&
                    shelf_put(dir, arena, &wish, from, 9, &one, &err),
                "%s", err.text);
        fault_begin(nth);
        bool removed = shelf_remove(dir, arena, one.id, &err);
        failed = fault_end();
        EXPECT(removed == !failed, "%s: %s", failed ? failed : "", err.text);
        if (file_stat(shelf_path(dir, arena, one.id), &info, &missing))
            EXPECT(shelf_find(dir, arena, one.id, STR(""), &found, &missing), "%s: %s", failed,
                   missing.text);
        err = (struct err){0};
        EXPECT(removed || shelf_remove(dir, arena, one.id, &err) || err.code == ERR_NOT_FOUND,
               "%s: %s", failed, err.text);
        EXPECT(!file_stat(shelf_path(dir, arena, one.id), &info, &missing), "%s", failed);
        EXPECT(!shelf_find(dir, arena, one.id, STR(""), &found, &missing));
    }
}

TEST(an_upload_that_ends_while_others_are_looked_for_has_not_expired)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(8 * MIB);
    const char *dir = arena_fmt(arena, "%s/pieces", test_dir()).ptr;
    struct pieces_wish wish = {
        .name = STR("a.md"), .purpose = STR("assistants"), .tenant = STR("acme"), .bytes = 4};
    struct err err = {0};
    struct str id;

    REQUIRE(pieces_begin(dir, arena, &wish, &err), "%s", err.text);
    /* Named, and gone before it is looked at: it was completed, or given up, meanwhile. */
    REQUIRE(symlink("gone", arena_fmt(arena, "%s/upload_000000000000000000000000", dir).ptr) == 0);
    EXPECT(pieces_expired(dir, arena, wish.created, &id, &err) && !id.ptr, STR_FMT, STR_ARG(id));
    EXPECT(pieces_expired(dir, arena, wish.created + PIECES_TIME, &id, &err) && str_eq(id, wish.id),
           STR_FMT, STR_ARG(id));
}

/* What stands there of uploads, whatever it is called. */
static size_t pieces_left(struct arena *arena, const char *dir)
{
    struct err err = {0};
    struct str *list;
    size_t count = 0;

    EXPECT(file_list_any(arena, dir, 100000, &list, &count, &err), "%s", err.text);
    return count;
}

TEST(an_upload_of_which_nobody_can_read_what_was_to_come_expires)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(8 * MIB);
    const char *dir = arena_fmt(arena, "%s/pieces", test_dir()).ptr;
    struct pieces_wish wish = {
        .name = STR("a.md"), .purpose = STR("assistants"), .tenant = STR("acme"), .bytes = 4};
    struct err err = {0};
    struct str id;

    REQUIRE(pieces_begin(dir, arena, &wish, &err), "%s", err.text);
    REQUIRE(file_store(arena_fmt(arena, "%s/" STR_FMT "/upload.json", dir, STR_ARG(wish.id)).ptr,
                       STR("{\"id\":"), 0600, &err));
    EXPECT(pieces_expired(dir, arena, wish.created, &id, &err) && !id.ptr, "%s", err.text);
    EXPECT(pieces_expired(dir, arena, wish.created + PIECES_TIME, &id, &err) && str_eq(id, wish.id),
           "%s", err.text);
}

/* Whatever fails: what is left of an upload that could not be begun or ended goes while the program runs. */
TEST(nothing_is_left_of_an_upload_that_could_not_be_begun_or_ended)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    const char *dir = arena_fmt(arena, "%s/pieces", test_dir()).ptr, *failed = "";

    for (uint64_t nth = 1; failed; nth++) {
        struct pieces_wish wish = {
            .name = STR("a.md"), .purpose = STR("assistants"), .tenant = STR("acme"), .bytes = 4};
        struct err err = {0}, lost = {0};
        struct str id;

        fault_begin(nth);
        bool ended = pieces_begin(dir, arena, &wish, &err) &&
                     pieces_take(dir, arena, wish.id, &err) &&
                     pieces_end(dir, arena, wish.id, &err) && pieces_sweep(dir, arena, &err);
        failed = fault_end();
        EXPECT(ended == !failed, "%s: %s", failed ? failed : "", err.text);
        EXPECT(pieces_sweep(dir, arena, &lost), "%s", lost.text);
        EXPECT(pieces_expired(dir, arena, wish.created + PIECES_TIME, &id, &lost), "%s", lost.text);
        if (id.ptr)
            EXPECT(pieces_take(dir, arena, id, &lost) && pieces_end(dir, arena, id, &lost) &&
                       pieces_sweep(dir, arena, &lost),
                   "%s: %s", failed, lost.text);
        EXPECT(pieces_left(arena, dir) == 0, "%s", failed);
    }
}

TEST(an_upload_that_is_being_put_together_is_still_there)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(8 * MIB);
    const char *root = test_dir(), *dir = arena_fmt(arena, "%s/pieces", root).ptr;
    const char *from = arena_fmt(arena, "%s/part", root).ptr;
    struct pieces_wish wish = {
        .name = STR("a.md"), .purpose = STR("assistants"), .tenant = STR("acme"), .bytes = 4};
    struct pieces_wish found;
    struct err err = {0};
    struct str part;

    REQUIRE(pieces_begin(dir, arena, &wish, &err) && pieces_take(dir, arena, wish.id, &err) &&
                file_store(from, STR("text"), 0600, &err),
            "%s", err.text);
    EXPECT(!pieces_add(dir, arena, &wish, from, &part, &err) && err.code == ERR_UNAVAILABLE &&
               strstr(err.text, "try again") && !strstr(err.text, root),
           "%s", err.text);
    EXPECT(!pieces_find(dir, arena, wish.id, STR("acme"), wish.created, &found, &err) &&
               err.code == ERR_UNAVAILABLE,
           "%s", err.text);
    EXPECT(!pieces_find(dir, arena, wish.id, STR("other"), wish.created, &found, &err) &&
               err.code == ERR_NOT_FOUND,
           "%s", err.text);
    EXPECT(!pieces_take(dir, arena, wish.id, &err) && err.code == ERR_NOT_FOUND);
    REQUIRE(pieces_give_back(dir, arena, wish.id, &err), "%s", err.text);
    EXPECT(pieces_add(dir, arena, &wish, from, &part, &err), "%s", err.text);
}

TEST(a_part_that_comes_when_its_upload_has_ended_is_of_none)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(8 * MIB);
    const char *root = test_dir(), *dir = arena_fmt(arena, "%s/pieces", root).ptr;
    const char *from = arena_fmt(arena, "%s/part", root).ptr;
    struct pieces_wish wish = {
        .name = STR("a.md"), .purpose = STR("assistants"), .tenant = STR("acme"), .bytes = 4};
    struct err err = {0};
    struct str part;

    REQUIRE(pieces_begin(dir, arena, &wish, &err) && pieces_take(dir, arena, wish.id, &err) &&
                pieces_end(dir, arena, wish.id, &err) && file_store(from, STR("text"), 0600, &err),
            "%s", err.text);
    EXPECT(!pieces_add(dir, arena, &wish, from, &part, &err) && err.code == ERR_NOT_FOUND &&
               strstr(err.text, "no upload") && !strstr(err.text, root),
           "%s", err.text);
}

/* The process ended when the file was whole, or before: an upload becomes one file, or goes on. */
TEST(an_upload_whose_file_is_there_does_not_go_on)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    const char *root = test_dir(), *dir = arena_fmt(arena, "%s/pieces", root).ptr;
    const char *shelf = arena_fmt(arena, "%s/files", root).ptr;
    const char *from = arena_fmt(arena, "%s/whole", root).ptr;
    struct pieces_wish done = {.name = STR("a.md"),
                               .purpose = STR("assistants"),
                               .tenant = STR("acme"),
                               .bytes = 4},
                       going = done, found;
    struct shelf_file file = {
        .name = STR("a.md"), .purpose = STR("assistants"), .tenant = STR("acme"), .bytes = 4};
    struct err err = {0};

    REQUIRE(pieces_begin(dir, arena, &done, &err) && pieces_begin(dir, arena, &going, &err) &&
                pieces_take(dir, arena, done.id, &err) && pieces_take(dir, arena, going.id, &err),
            "%s", err.text);
    file.upload = done.id;
    REQUIRE(file_store(from, STR("text"), 0600, &err) &&
                shelf_put(shelf, arena, &file, from, 9, &file, &err),
            "%s", err.text);
    REQUIRE(pieces_clean(dir, shelf, &err), "%s", err.text);
    EXPECT(!pieces_find(dir, arena, done.id, STR(""), done.created, &found, &err) &&
           err.code == ERR_NOT_FOUND);
    EXPECT(pieces_find(dir, arena, going.id, STR(""), going.created, &found, &err));
    EXPECT(pieces_left(arena, dir) == 1);
}

enum { BEGINNERS = 8, BEGUN_BEFORE = 990 };

static void *begin_some(void *arg)
{
    struct arena *arena = arena_new(64 * MIB);
    struct pieces_wish wish = {
        .name = STR("a.md"), .purpose = STR("assistants"), .tenant = STR("acme"), .bytes = 4};

    for (int i = 0; i < 4; i++) {
        struct err err = {0};

        EXPECT(pieces_begin(arg, arena, &wish, &err) || err.code == ERR_EXHAUSTED, "%s", err.text);
    }
    arena_end(&arena);
    pages_thread_done();
    return NULL;
}

TEST(no_more_uploads_are_begun_at_once_than_there_may_be)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct str dir = arena_fmt(arena, "%s/pieces", test_dir());
    pthread_t threads[BEGINNERS];
    struct err err = {0};

    for (int i = 0; i < BEGUN_BEFORE; i++)
        REQUIRE(file_make_dir(arena_fmt(arena, STR_FMT "/upload_%024d", STR_ARG(dir), i).ptr, 0700,
                              &err));
    for (int i = 0; i < BEGINNERS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, begin_some, (void *)(uintptr_t)dir.ptr) == 0);
    for (int i = 0; i < BEGINNERS; i++)
        (void)pthread_join(threads[i], NULL);
    EXPECT(pieces_left(arena, dir.ptr) == PIECES_OPEN_MAX, "%zu", pieces_left(arena, dir.ptr));
}

/* ---- parts at once ---- */

enum { SENDERS = 8, PART_BYTES = 4 };

struct sending {
    const char *dir;
    const struct pieces_wish *wish;
    int number, sent;
    pthread_t thread;
};

static void *send_some(void *arg)
{
    struct arena *arena = arena_new(8 * MIB);
    struct sending *s = arg;
    struct str part;

    for (int i = 0; i < 4; i++) {
        const char *from = arena_fmt(arena, "%s-%d-%d", s->dir, s->number, i).ptr;
        struct err err = {0};

        EXPECT(file_store(from, STR("text"), 0600, &err), "%s", err.text);
        bool sent = pieces_add(s->dir, arena, s->wish, from, &part, &err);
        EXPECT(sent || err.code == ERR_TOO_LARGE, "%s", err.text);
        s->sent += sent;
    }
    arena_end(&arena);
    pages_thread_done();
    return NULL;
}

TEST(parts_that_come_at_once_have_no_more_bytes_than_they_may)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(8 * MIB);
    const char *dir = arena_fmt(arena, "%s/pieces", test_dir()).ptr;
    struct pieces_wish wish = {.name = STR("a.md"),
                               .purpose = STR("assistants"),
                               .tenant = STR("acme"),
                               .bytes = 5 * PART_BYTES};
    struct sending senders[SENDERS];
    struct err err = {0};
    int sent = 0;

    REQUIRE(pieces_begin(dir, arena, &wish, &err), "%s", err.text);
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sending){.dir = dir, .wish = &wish, .number = i};
        REQUIRE(pthread_create(&senders[i].thread, NULL, send_some, &senders[i]) == 0);
    }
    for (int i = 0; i < SENDERS; i++) {
        (void)pthread_join(senders[i].thread, NULL);
        sent += senders[i].sent;
    }
    EXPECT(sent == 2 * 5, "%d", sent);
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
    const char *gone = arena_fmt(arena, "%s/attached/file-gone.json", base).ptr;
    EXPECT(symlink("gone", gone) == 0); /* named, and removed before it is looked at */
    EXPECT(attached_list(base, arena, &list, &count, &err) && count == 1, "%s", err.text);
    EXPECT(file_remove(gone, &err), "%s", err.text);
    err = (struct err){0};
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

TEST(a_file_on_its_way_that_cannot_be_read_hides_no_others)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(8 * MIB);
    const char *base = test_dir();
    const struct attached other = {.file = STR("file-2"),
                                   .code = STR(""),
                                   .message = STR(""),
                                   .attributes = STR(""),
                                   .created = 7};
    struct attached *list;
    struct err err = {0};
    size_t count;

    REQUIRE(attached_store(base, &other, &err), "%s", err.text);
    const char *torn = arena_fmt(arena, "%s/attached/file-1.json", base).ptr;
    REQUIRE(file_store(torn, STR("{\"file\":"), 0600, &err), "%s", err.text);
    REQUIRE(attached_list(base, arena, &list, &count, &err) && count == 2, "%s", err.text);
    EXPECT(str_eq(list[0].file, STR("file-1")) && list[0].unreadable &&
           list[0].state == ATTACH_FAILED);
    EXPECT(str_eq(list[1].file, STR("file-2")) && !list[1].unreadable &&
           list[1].state == ATTACH_IN_PROGRESS);
}

/* Cancelled by one thread while the other one ends its run: one of them has its way, and the other one hears of it. */
struct ending {
    const char *base;
    const struct attached *taken;
    bool done;
    atomic_int *ready;
};

static void *end_run(void *arg)
{
    struct ending *e = arg;
    struct err err = {0};

    atomic_fetch_add(e->ready, 1);
    while (atomic_load(e->ready) < 2)
        ;
    EXPECT(attached_end(e->base, e->taken, NULL, &e->done, &err), "%s", err.text);
    pages_thread_done();
    return NULL;
}

TEST(a_file_is_cancelled_or_done_and_not_both)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    const char *base = test_dir();
    struct attached taken = {.file = STR("file-1"),
                             .code = STR(""),
                             .message = STR(""),
                             .attributes = STR(""),
                             .created = 7};
    struct attached to = taken, now;

    to.state = ATTACH_CANCELLED;
    for (int i = 0; i < 500; i++) {
        atomic_int ready = 0;
        struct ending e = {.base = base, .taken = &taken, .ready = &ready};
        bool cancelled = false, there;
        struct err err = {0}, gone = {0};
        pthread_t thread;

        REQUIRE(attached_store(base, &taken, &err), "%s", err.text);
        REQUIRE(pthread_create(&thread, NULL, end_run, &e) == 0);
        atomic_fetch_add(&ready, 1);
        while (atomic_load(&ready) < 2)
            ;
        EXPECT(attached_end(base, &taken, &to, &cancelled, &err), "%s", err.text);
        (void)pthread_join(thread, NULL);
        there = attached_find(base, arena, taken.file, &now, &gone);
        EXPECT(cancelled != e.done && there == cancelled, "%d: %d %d %d", i, cancelled, e.done,
               there);
    }
}

/* Asked for again while it is on its way: what was said then holds, and is not done with the first. */
TEST(a_file_that_is_asked_for_anew_is_not_done_with_what_was_taken_before)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    const char *base = test_dir();
    struct attached first = {.file = STR("file-1"),
                             .code = STR(""),
                             .message = STR(""),
                             .attributes = STR("{\"a\":1}"),
                             .created = 7};
    struct attached again = first, failed = first, now;
    struct err err = {0};
    bool ended = true;

    again.attributes = STR("{\"a\":2}");
    failed.state = ATTACH_FAILED;
    REQUIRE(attached_store(base, &first, &err) && attached_store(base, &again, &err));
    EXPECT(attached_end(base, &first, NULL, &ended, &err) && !ended, "%s", err.text);
    EXPECT(attached_end(base, &first, &failed, &ended, &err) && !ended, "%s", err.text);
    EXPECT(attached_find(base, arena, first.file, &now, &err) && now.state == ATTACH_IN_PROGRESS &&
               str_eq(now.attributes, again.attributes),
           "%s", err.text);
    EXPECT(attached_end(base, &again, NULL, &ended, &err) && ended, "%s", err.text);
    EXPECT(attached_end(base, &again, &failed, &ended, &err) && !ended, "forgotten: it stays so");
    EXPECT(!attached_find(base, arena, first.file, &now, &err) && err.code == ERR_NOT_FOUND);
}
