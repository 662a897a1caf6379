/* Retention, holds, erasure and sealed bodies, with every fallible step failing once, and with the process
 * ending at every one of them: afterwards the log verifies, nothing is lost that must stay, and nothing is
 * left that must go, by the bytes of the files. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "accounts/audit_body.h"
#include "accounts/audit_internal.h"
#include "accounts/audit_keep.h"
#include "accounts/audit_proof.h"
#include "accounts/audit_query.h"
#include "accounts/audit_tree.h"
#include "accounts/calendar.h"
#include "base/fault.h"
#include "base/secret.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "test.h"

#ifdef WEIR_FAULT

#    define MASTER    "0123456789abcdef0123456789abcdef"
#    define RETENTION (AUDIT_RETENTION_DAYS_MIN * DAY_MS)
#    define OLD       600
#    define YOUNG     300
#    define SEGMENTS  8 /* of bodies, at most */

struct world {
    struct arena *arena;
    const char *log, *bodies, *keys;
    struct audit *audit;
    struct audit_tree *tree;
    struct audit_keep *keep;
    struct audit_bodies *b;
    struct secret master;
};

static bool open_world(struct world *w, const char *dir, struct err *err)
{
    struct audit_options options = {.segment_bytes = (size_t)64 * KIB};
    struct audit_bodies_options bodies = {.subjects_max = 50, .segment_bytes = 4 * KIB};
    struct audit_keep_options keep = {.retention = RETENTION};
    struct audit_tree_options tree;

    w->log = options.dir = arena_fmt(w->arena, "%s/audit", dir).ptr;
    w->bodies = bodies.dir = arena_fmt(w->arena, "%s/bodies", dir).ptr;
    w->keys = bodies.key_file = arena_fmt(w->arena, "%s/body.keys", dir).ptr;
    tree = (struct audit_tree_options){.key_file = arena_fmt(w->arena, "%s/audit.key", dir).ptr,
                                       .public_file = arena_fmt(w->arena, "%s/audit.pub", dir).ptr};
    bodies.master = &w->master;
    if (!secret_set(&w->master, MASTER, strlen(MASTER), err) ||
        !audit_open(&options, &w->audit, err) || !audit_tree_open(w->audit, &tree, &w->tree, err) ||
        !audit_bodies_open(&bodies, &w->b, err))
        return false;
    keep.bodies = w->b;
    return audit_keep_open(w->audit, w->tree, &keep, &w->keep, err);
}

static void shut(struct world *w)
{
    audit_keep_close(&w->keep);
    audit_bodies_close(&w->b);
    audit_tree_close(&w->tree);
    audit_close(&w->audit);
    secret_wipe(&w->master);
}

static void world_done(struct world *w)
{
    shut(w);
    arena_end(&w->arena);
}

static void append(struct world *w, int count, wall_ms time)
{
    for (int i = 0; i < count; i++) {
        struct audit_record r = {
            .time = time, .tenant = i % 3 ? STR("green") : STR("red"), .model = STR("m")};
        struct err err = {0};

        EXPECT(audit_append(w->audit, &r, &err), "%s", err.text);
    }
}

static void name(const struct world *w, const char *user, char to[AUDIT_SUBJECT_TEXT])
{
    audit_subject(w->b, STR("acme"), str_from(user), STR("k_1"), to);
}

static bool seal(struct world *w, const char *user, struct audit_place *place)
{
    static char text[1200];
    char subject[AUDIT_SUBJECT_TEXT];
    struct err err = {0};

    memset(text, 'q', sizeof text);
    name(w, user, subject);
    const struct audit_body body = {str_from(subject), 7, {text, sizeof text}, STR("answer")};
    return audit_body_seal(w->b, &body, w->arena, place, &err);
}

static bool opens(struct world *w, const struct audit_place *place)
{
    struct audit_body body = {0};
    struct err err = {0};

    return audit_body_open(w->b, str_from(place->place), str_from(place->hash), w->arena, &body,
                           &err) &&
           str_eq(body.answer, STR("answer"));
}

/* ---- by the bytes, past the code under test ---- */

static struct str load(struct arena *arena, const char *path)
{
    struct stat info;
    char *bytes;
    ssize_t got;
    int fd = open(path, O_RDONLY);

    if (fd < 0 || fstat(fd, &info) != 0 || !(bytes = arena_alloc(arena, (size_t)info.st_size + 1)))
        return STR_NONE;
    got = read(fd, bytes, (size_t)info.st_size);
    close(fd);
    return (struct str){bytes, (size_t)MAX_OF(got, 0)};
}

/* Every file below the path: how many hold the bytes. */
static int files_with(struct arena *arena, const char *path, struct str what)
{
    struct stat info;
    struct str *names, bytes;
    struct err err = {0};
    size_t count;
    int found = 0;

    if (stat(path, &info) != 0)
        return 0;
    if (!S_ISDIR(info.st_mode)) {
        bytes = load(arena, path);
        return str_find(bytes, what) < bytes.len;
    }
    EXPECT(file_list(arena, path, 1000, &names, &count, &err), "%s", err.text);
    for (size_t i = 0; i < count; i++)
        found +=
            files_with(arena, arena_fmt(arena, "%s/" STR_FMT, path, STR_ARG(names[i])).ptr, what);
    return found;
}

static void remove_all(struct arena *arena, const char *path)
{
    struct stat info;
    struct str *names;
    struct err err = {0};
    size_t count;

    if (stat(path, &info) != 0)
        return;
    if (!S_ISDIR(info.st_mode)) {
        EXPECT(unlink(path) == 0);
        return;
    }
    EXPECT(file_list(arena, path, 1000, &names, &count, &err), "%s", err.text);
    for (size_t i = 0; i < count; i++)
        remove_all(arena, arena_fmt(arena, "%s/" STR_FMT, path, STR_ARG(names[i])).ptr);
    EXPECT(rmdir(path) == 0);
}

static void copy_all(struct arena *arena, const char *from, const char *to)
{
    struct stat info;
    struct str *names;
    struct err err = {0};
    size_t count = 0;

    REQUIRE(stat(from, &info) == 0);
    if (!S_ISDIR(info.st_mode)) {
        EXPECT(file_store(to, load(arena, from), info.st_mode & 0777, &err), "%s", err.text);
        const struct timespec times[2] = {info.st_mtim, info.st_mtim};
        EXPECT(utimensat(AT_FDCWD, to, times, 0) == 0);
        return;
    }
    EXPECT(file_make_dir(to, 0700, &err) && file_list(arena, from, 1000, &names, &count, &err),
           "%s", err.text);
    for (size_t i = 0; i < count; i++)
        copy_all(arena, arena_fmt(arena, "%s/" STR_FMT, from, STR_ARG(names[i])).ptr,
                 arena_fmt(arena, "%s/" STR_FMT, to, STR_ARG(names[i])).ptr);
}

static bool is_there(const char *dir, const char *name)
{
    char path[600];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

/* ---- a log with a past ---- */

struct past {
    const char *dir;
    struct arena *arena;
    char old_logs[SEGMENTS][24], old_bodies[SEGMENTS][24]; /* names of the files that are to go */
    int old_log_count, old_body_count;
    struct audit_place ann, bob; /* young bodies */
    struct str ann_key;          /* as it stands in the file */
};

static int note_names(struct arena *arena, const char *dir, const char *ending,
                      char out[SEGMENTS][24])
{
    struct str *names;
    struct err err = {0};
    size_t count;
    int have = 0;

    EXPECT(file_list(arena, dir, 1000, &names, &count, &err), "%s", err.text);
    for (size_t i = 0; i < count && have < SEGMENTS; i++)
        if (str_ends(names[i], str_from(ending)) && names[i].len < 24)
            snprintf(out[have++], 24, STR_FMT, STR_ARG(names[i]));
    return have;
}

/* Old records and bodies, closed; then young ones. */
static void make_past(struct past *p)
{
    struct world w CLEANUP(world_done) = {.arena = arena_new(256 * MIB)};
    const struct timespec long_ago[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    struct audit_place place;
    struct err err = {0};
    char path[600];

    REQUIRE(open_world(&w, p->dir, &err), "%s", err.text);
    append(&w, OLD, clock_wall() - 2 * RETENTION);
    for (int i = 0; i < 6; i++)
        EXPECT(seal(&w, i % 2 ? "ann" : "bob", &place));
    EXPECT(audit_tree_advance(w.tree, &err), "%s", err.text);
    p->old_body_count = note_names(w.arena, w.bodies, "", p->old_bodies);
    for (int i = 0; i < 3; i++) /* so that a new file begins */
        EXPECT(seal(&w, "ann", &p->ann) && seal(&w, "bob", &p->bob));
    for (int i = 0; i < p->old_body_count; i++) {
        snprintf(path, sizeof path, "%s/%s", w.bodies, p->old_bodies[i]);
        EXPECT(utimensat(AT_FDCWD, path, long_ago, 0) == 0);
    }
    append(&w, YOUNG, clock_wall());
    EXPECT(audit_tree_advance(w.tree, &err), "%s", err.text);
    EXPECT(audit_index_missing(w.log, audit_tree_size(w.tree), &err), "%s", err.text);
    p->old_log_count = note_names(w.arena, w.log, ".log", p->old_logs);
    struct str keys = load(p->arena, w.keys);
    p->ann_key = str_slice(keys, 2 * 128 + 28, 2 * 128 + 60); /* the second slot: wrapped */
    EXPECT(files_with(w.arena, p->dir, p->ann_key) == 1);
}

/* ---- what is done while things fail ---- */

struct done {
    bool opened, held, pruned_held, released, pruned, sealed_carol, erased, sealed_ann;
    struct audit_place carol, ann;
};

static struct done work(struct world *w, const char *dir)
{
    struct done d = {0};
    struct audit_hold hold = {.tenant = STR("red"), .reason = STR("case 12")};
    char ann[AUDIT_SUBJECT_TEXT];
    struct err err = {0};
    uint64_t gone;
    bool had;

    d.opened = open_world(w, dir, &err);
    if (!d.opened)
        return d;
    name(w, "ann", ann);
    d.held = audit_hold_add(w->keep, &hold, w->arena, &err);
    if (d.held) {
        (void)!audit_prune(w->keep, clock_wall(), &gone, &err);
        d.pruned_held = gone > 0;
        d.released = audit_hold_release(w->keep, hold.id, &err);
    }
    if (!d.held || d.released)
        d.pruned = audit_prune(w->keep, clock_wall(), &gone, &err);
    d.sealed_carol = seal(w, "carol", &d.carol);
    d.erased = audit_body_erase(w->b, str_from(ann), &had, &err);
    d.sealed_ann = seal(w, "ann", &d.ann); /* under a new key, or the old one */
    return d;
}

/* ---- what must hold afterwards ---- */

static bool count_one(void *ctx, uint64_t seq, struct str line, struct err *err)
{
    (void)seq, (void)line, (void)err;
    ++*(int *)ctx;
    return true;
}

static void expect_records(const struct world *w, const char *after)
{
    struct audit_query young = {.tenant = STR("red"), .from = clock_wall() - RETENTION / 2};
    struct audit_verdict verdict = {0};
    static struct audit_trust trust;
    struct err err = {0};
    struct str keys;
    uint64_t next;
    int found = 0;

    trust.count = 0;
    EXPECT(audit_tree_advance(w->tree, &err) && audit_tree_keys(w->tree, w->arena, &keys, &err) &&
               note_keys_read(keys, trust.keys, &trust.count, &err) &&
               audit_verify_signed(w->log, &trust, NULL, 0, &verdict, &err),
           "after %s: %s", after, err.text);
    EXPECT(audit_query(w->log, &young, count_one, &found, &next, &err) && found == YOUNG / 3,
           "after %s: %d young records, %s", after, found, err.text);
}

/* The holds that are left, released; then what is old goes, all of it. */
static void expect_old_goes(const struct world *w, const struct past *p, const char *after)
{
    struct audit_hold *holds;
    struct err err = {0};
    size_t count;
    uint64_t gone;

    REQUIRE(audit_hold_list(w->keep, w->arena, &holds, &count, &err), "%s", err.text);
    for (size_t i = 0; i < count; i++)
        EXPECT(audit_hold_release(w->keep, holds[i].id, &err), "%s", err.text);
    EXPECT(audit_prune(w->keep, clock_wall(), &gone, &err), "after %s: %s", after, err.text);
    for (int i = 0; i + 2 < p->old_log_count; i++) { /* the last two hold young records as well */
        char table[40];

        snprintf(table, sizeof table, "index/%.16s", p->old_logs[i]);
        EXPECT(!is_there(w->log, p->old_logs[i]), "after %s: %s is left", after, p->old_logs[i]);
        EXPECT(!is_there(w->log, table), "after %s: the table of %s is left", after,
               p->old_logs[i]);
    }
    for (int i = 0; i < p->old_body_count; i++)
        EXPECT(!is_there(w->bodies, p->old_bodies[i]), "after %s: bodies %s are left", after,
               p->old_bodies[i]);
}

static void expect_bodies(struct world *w, const struct past *p, const struct done *d,
                          const char *dir, const char *after)
{
    char ann[AUDIT_SUBJECT_TEXT];
    struct err err = {0};
    bool had;

    name(w, "ann", ann);
    EXPECT(opens(w, &p->bob), "after %s: bob's body does not open", after);
    EXPECT(!d->sealed_carol || opens(w, &d->carol), "after %s: what was sealed is lost", after);
    EXPECT(!d->sealed_ann || opens(w, &d->ann), "after %s: what was sealed last is lost", after);
    if (d->erased) {
        EXPECT(!opens(w, &p->ann), "after %s: an erased body opens", after);
        EXPECT(files_with(w->arena, dir, p->ann_key) == 0, "after %s: the key is left", after);
    }
    EXPECT(audit_body_erase(w->b, str_from(ann), &had, &err), "after %s: %s", after, err.text);
    EXPECT(files_with(w->arena, dir, p->ann_key) == 0, "after %s: the key is left", after);
    EXPECT(!opens(w, &p->ann) && opens(w, &p->bob), "after %s", after);
}

struct failing {
    uint64_t nth, passed;
    bool to_the_end; /* as when the process dies there: nothing works any more */
    const char *failed;
};

static bool decide(void *ctx, const char *point)
{
    struct failing *f = ctx;

    f->passed++;
    if (f->passed < f->nth || (f->passed > f->nth && !f->to_the_end))
        return false;
    if (f->passed == f->nth)
        f->failed = point;
    return true;
}

static void one_run(const struct past *p, struct failing *f)
{
    struct world failing CLEANUP(world_done) = {.arena = arena_new(256 * MIB)};
    struct world w CLEANUP(world_done) = {.arena = arena_new(256 * MIB)};
    const char *dir = arena_fmt(w.arena, "%s/../run", p->dir).ptr;
    struct err err = {0};

    remove_all(w.arena, dir);
    copy_all(w.arena, p->dir, dir);
    REQUIRE(arena_alloc(failing.arena, 1)); /* the test's own: not to be failed */
    f->passed = 0;
    f->failed = NULL;
    fault_decide(decide, f);
    struct done d = work(&failing, dir);
    if (!f->to_the_end)
        fault_decide(NULL, NULL);
    shut(&failing);
    fault_decide(NULL, NULL);
    EXPECT(!d.pruned_held, "held records went after %s", f->failed ? f->failed : "nothing");
    const char *after = f->failed ? f->failed : "nothing";
    REQUIRE(open_world(&w, dir, &err), "after %s: %s", after, err.text);
    expect_records(&w, after);
    expect_bodies(&w, p, &d, dir, after);
    expect_old_goes(&w, p, after);
    expect_records(&w, after);
    if (!f->failed)
        EXPECT(d.opened && d.held && d.released && d.pruned && d.sealed_carol && d.erased &&
               d.sealed_ann);
}

/* In memory, where there is such a place: some hundred logs are made, each with its syncs. */
static const char *base_dir(struct arena *arena)
{
    struct str path = arena_fmt(arena, "/dev/shm/weir-test-%d", (int)getpid());

    return mkdir(path.ptr, 0700) == 0 ? path.ptr : arena_str(arena, str_from(test_dir())).ptr;
}

static void run_all(bool to_the_end)
{
    struct past past = {.arena = arena_new(16 * MIB)};
    struct failing f = {.to_the_end = to_the_end, .failed = ""};
    struct err err = {0};

    const char *base = base_dir(past.arena);
    past.dir = arena_fmt(past.arena, "%s/past", base).ptr;
    REQUIRE(file_make_dir(past.dir, 0700, &err), "%s", err.text);
    make_past(&past);
    EXPECT(past.old_log_count >= 4 && past.old_body_count >= 2, "%d %d", past.old_log_count,
           past.old_body_count);
    for (f.nth = 1; f.failed; f.nth++)
        one_run(&past, &f);
    remove_all(past.arena, base);
    arena_end(&past.arena);
    EXPECT(f.nth > 60, "%" PRIu64, f.nth);
}

TEST(audit_keeping_survives_every_fault)
{
    run_all(false);
}

TEST(audit_keeping_survives_an_end_at_every_point)
{
    run_all(true);
}
#endif
