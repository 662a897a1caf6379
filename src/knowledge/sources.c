#include "knowledge/sources.h"

#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "knowledge/knowledge_internal.h"
#include "knowledge/source_s3.h"
#include "knowledge/source_url.h"
#include "knowledge/source_watch.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/mutex.h"

#define TICK            (200 * MILLISECOND)
#define STATE_BYTES_MAX (256 * KIB)
#define PROBLEM_MAX     300

struct source {
    struct sources *all;
    const struct source_spec *spec;
    /* Under all->mutex. */
    bool paused, going, force;
    uint64_t run;
    mono_ns next; /* 0: not by time */
    char problem[PROBLEM_MAX];
    struct run_slot *slot; /* of the run that begins */
    struct base *base;     /* held while it goes */
    /* Of the loop's fiber alone. */
    struct watch *watch; /* NULL: not watched */
    mono_ns changed_first, changed_last;
    bool
        begun; /* it ran by itself since the start; one that was paused then does so when it goes on */
};
struct sources {
    struct arena *arena;
    struct sources_options with;
    struct mutex mutex;
    struct source at[SOURCES_MAX];
    size_t count;
};

/* --- what can be wrong with one --------------------------------------------------------------- */

static bool check_web(const struct source_spec *spec, struct err *err)
{
    struct arena *scratch CLEANUP(arena_end) = arena_new(64 * KIB);
    struct str rest = spec->location, word;
    struct url url;

    if (!scratch)
        return err_no_room(err, "no memory to look at a source");
    if (str_starts(rest, STR("file:")))
        return true;
    while (str_split(&rest, ',', &word))
        if (!url_resolve(scratch, NULL, str_trim(word), &url, err))
            return err_wrap(err,
                            "location: expected addresses of web pages or sitemaps with commas "
                            "between, or file: and the path of a list of them");
    return true;
}

static bool check_sql(const struct source_spec *spec, struct err *err)
{
    bool has_url = spec->sql.url && !secret_is_empty(spec->sql.url);

    if (!has_url && !str_starts(spec->location, STR("/")))
        return err_set(err, ERR_INVALID,
                       "location: expected the absolute path of a SQLite file, or `database` with "
                       "a URL of PostgreSQL");
    if (spec->sql.query.len == 0 || spec->sql.key.len == 0)
        return err_set(err, ERR_INVALID, "query: expected a SELECT, and in key its key column");
    return true;
}

bool source_check(const struct source_spec *spec, struct err *err)
{
    struct str bucket, prefix;

    if (spec->watch && spec->type != SOURCE_FOLDER)
        return err_set(err, ERR_INVALID, "watch: only folders can be watched; use every");
    switch (spec->type) {
    case SOURCE_FOLDER:
        return str_starts(spec->location, STR("/")) ||
               err_set(err, ERR_INVALID, "location: expected the absolute path of a folder");
    case SOURCE_WEB: return check_web(spec, err);
    case SOURCE_S3:
        return bucket_location(spec->location, &bucket, &prefix) ||
               err_set(err, ERR_INVALID, "location: expected s3://bucket or s3://bucket/prefix");
    case SOURCE_SQL: return check_sql(spec, err);
    }
    return false;
}

/* --- which are paused ------------------------------------------------------------------------- */

static struct source *find(struct sources *all, struct str name)
{
    for (size_t i = 0; i < all->count; i++)
        if (str_eq(all->at[i].spec->name, name))
            return &all->at[i];
    return NULL;
}

static bool load_paused(struct sources *all, struct err *err)
{
    struct arena *scratch CLEANUP(arena_end) = arena_new(4 * STATE_BYTES_MAX);
    struct err why = {0};
    struct str text, name;

    if (!scratch)
        return err_no_room(err, "no memory to open the sources");
    if (!file_load(scratch, all->with.state_file, STATE_BYTES_MAX, &text, &why)) {
        if (why.code == ERR_NOT_FOUND)
            return true;
        *err = why;
        return false;
    }
    struct json *j = json_parse(scratch, text, err);
    if (!j)
        return err_wrap(err, "which sources are paused: \"%s\"", all->with.state_file);
    json_ref list = json_get(j, json_root(j), STR("paused"));
    for (json_ref v = json_first(j, list); v; v = json_next(j, v))
        if (json_str(j, v, scratch, &name)) {
            struct source *source = find(all, name);

            if (source) /* one that the settings no longer have is forgotten */
                source->paused = true;
        }
    return true;
}

struct storing {
    struct sources *all;
    struct source *source;
    bool paused, ok;
    struct err *err;
};

static bool write_paused(struct storing *s, struct arena *scratch, struct str *out)
{
    struct json_writer w;
    struct buf b;

    buf_init(&b, scratch, STATE_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, "paused");
    jw_array(&w);
    for (size_t i = 0; i < s->all->count; i++) {
        struct source *one = &s->all->at[i];

        if (one == s->source ? s->paused : one->paused)
            jw_str(&w, one->spec->name);
    }
    jw_array_end(&w);
    jw_object_end(&w);
    return buf_finish(&b, out, s->err);
}

static void store_paused(void *arg)
{
    struct storing *s = arg;
    struct arena *scratch CLEANUP(arena_end) = arena_new(2 * STATE_BYTES_MAX);
    struct str text;

    s->ok = scratch ? true : err_no_room(s->err, "no memory to pause a source");
    mutex_lock(&s->all->mutex);
    s->ok = s->ok && write_paused(s, scratch, &text) &&
            file_store(s->all->with.state_file, text, 0600, s->err);
    if (s->ok)
        s->source->paused = s->paused;
    mutex_unlock(&s->all->mutex);
}

static bool unknown(struct str name, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND,
                   "no source is called \"" STR_FMT "\"; the settings name them",
                   STR_ARG(str_slice(name, 0, 100)));
}

bool source_pause(struct sources *all, struct str name, bool paused, struct err *err)
{
    struct storing s = {.all = all, .source = find(all, name), .paused = paused, .err = err};

    if (!s.source)
        return unknown(name, err);
    return pool_run(all->with.pool, store_paused, &s, err) && s.ok;
}

/* --- life ------------------------------------------------------------------------------------- */

bool sources_open(struct arena *arena, const struct sources_options *options, struct sources **out,
                  struct err *err)
{
    struct sources *all = arena_alloc(arena, sizeof *all);

    if (!all)
        return err_arena(err, arena);
    ASSERT(options->count <= SOURCES_MAX);
    all->arena = arena;
    all->with = *options;
    all->count = options->count;
    for (size_t i = 0; i < all->count; i++)
        all->at[i] = (struct source){.all = all, .spec = &options->specs[i]};
    mutex_init(&all->mutex);
    if (!load_paused(all, err)) {
        sources_close(&all);
        return false;
    }
    *out = all;
    return true;
}

void sources_close(struct sources **held)
{
    struct sources *all = *held;

    if (!all)
        return;
    for (size_t i = 0; i < all->count; i++)
        ASSERT(!all->at[i].going);
    mutex_done(&all->mutex);
    *held = NULL;
}

/* --- looking ---------------------------------------------------------------------------------- */

static bool copy_view(struct arena *arena, const struct source *s, struct source_view *out)
{
    mono_ns now = fiber_now();
    bool timed = s->next > 0 && !s->paused && s->spec->every > 0;

    *out = (struct source_view){
        .spec = s->spec,
        .paused = s->paused,
        .going = s->going,
        .watched = s->watch != NULL,
        .run = s->run,
        .next = timed ? clock_wall() + (s->next > now ? s->next - now : 0) / MILLISECOND : 0,
        .problem = arena_str(arena, str_from(s->problem))};
    return out->problem.ptr != NULL;
}

bool source_list(struct sources *all, struct arena *arena, struct str base,
                 struct source_view **out, size_t *count, struct err *err)
{
    struct source_view *list = arena_array(arena, all->count + 1, sizeof *list);
    size_t seen = 0;
    bool ok = list != NULL;

    mutex_lock(&all->mutex);
    for (size_t i = 0; i < all->count && ok; i++)
        if (!base.ptr || str_eq(all->at[i].spec->base, base))
            ok = copy_view(arena, &all->at[i], &list[seen++]);
    mutex_unlock(&all->mutex);
    *out = list;
    *count = seen;
    return ok || err_arena(err, arena);
}

bool source_find(struct sources *all, struct arena *arena, struct str name, struct source_view *out,
                 struct err *err)
{
    struct source *source = find(all, name);

    if (!source)
        return unknown(name, err);
    mutex_lock(&all->mutex);
    bool ok = copy_view(arena, source, out);
    mutex_unlock(&all->mutex);
    return ok || err_arena(err, arena);
}

/* --- a run ------------------------------------------------------------------------------------ */

static void say_problem(struct source *s, const char *text)
{
    size_t len = MIN_OF(strlen(text), sizeof s->problem - 1);

    mutex_lock(&s->all->mutex);
    memcpy(s->problem, text, len);
    s->problem[len] = 0;
    mutex_unlock(&s->all->mutex);
}

static void log_end(const struct source *s, bool ok, const struct ingest_report *r,
                    const struct err *err)
{
    if (!ok)
        log_warn("source \"" STR_FMT "\" failed: %s", STR_ARG(s->spec->name), err->text);
    else if (r->held > 0)
        log_warn("source \"" STR_FMT "\": %u documents are gone from it at once and were kept; "
                 "`weir source run " STR_FMT " --force` removes them",
                 STR_ARG(s->spec->name), r->held, STR_ARG(s->spec->name));
    if (ok && (r->added || r->changed || r->removed || r->failed))
        log_info("source \"" STR_FMT "\": %u added, %u changed, %u removed, %u failed%s",
                 STR_ARG(s->spec->name), r->added, r->changed, r->removed, r->failed,
                 r->stopped ? "; stopped before its end" : "");
}

static void run_one(void *arg)
{
    struct source *s = arg;
    struct ingest_report report = {0};
    struct err err = {0};
    struct run_slot *slot = s->slot;
    struct base *base = s->base;

    bool ok = source_run(s->spec, base_knowledge(base), &slot, s->force, &report, &err);
    log_end(s, ok, &report, &err);
    say_problem(s, ok ? "" : err.text);
    mutex_lock(&s->all->mutex);
    s->next = s->spec->every ? clock_mono() + s->spec->every : 0;
    s->going = false;
    s->slot = NULL;
    s->base = NULL;
    mutex_unlock(&s->all->mutex);
    base_release(&base);
}

/* Claimed before anything waits, so that two who start it at once get one run. */
static bool claim(struct source *s, uint64_t *run)
{
    mutex_lock(&s->all->mutex);
    bool free = !s->going;
    s->going = true;
    *run = s->run;
    mutex_unlock(&s->all->mutex);
    return free;
}

static void unclaim(struct source *s)
{
    mutex_lock(&s->all->mutex);
    s->going = false;
    s->next = s->spec->every ? clock_mono() + s->spec->every : 0;
    mutex_unlock(&s->all->mutex);
}

static SUSPENDS bool begin(struct source *s, bool force, uint64_t *run, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct run_slot *slot;
    struct ingest_report nothing = {0};

    if (!bases_borrow(s->all->with.bases, s->spec->base, NULL, &base, err) ||
        !base_alive(base, err) ||
        !run_begin(base_knowledge(base)->runs, s->spec->name, true, &slot, err))
        return false;
    mutex_lock(&s->all->mutex);
    s->run = *run = run_id(slot);
    mutex_unlock(&s->all->mutex);
    s->slot = slot;
    s->base = base;
    s->force = force;
    if (!fiber_spawn(run_one, s, err)) {
        run_finish(&slot, &nothing, err);
        return false;
    }
    base = NULL;
    return true;
}

static SUSPENDS bool start(struct source *s, bool force, uint64_t *run, struct err *err)
{
    if (!claim(s, run))
        return true;
    if (begin(s, force, run, err))
        return true;
    unclaim(s);
    return err_wrap(err, "source \"" STR_FMT "\"", STR_ARG(s->spec->name));
}

bool source_start(struct sources *all, struct str name, bool force, uint64_t *run, struct err *err)
{
    struct source *s = find(all, name);

    return s ? start(s, force, run, err) : unknown(name, err);
}

/* --- by themselves ---------------------------------------------------------------------------- */

/* Watched anew before each run: folders that came since are among them, and what changes while the run looks
 * is told. */
static SUSPENDS void watch_again(struct source *s)
{
    struct err err = {0};

    if (!s->spec->watch)
        return;
    if (folder_watch(s->all->with.pool, s->spec->location, &s->watch, &err))
        return;
    say_problem(s, err.text);
    log_warn("source \"" STR_FMT "\": not all of it is watched: %s; it is compared every %" PRId64
             " s",
             STR_ARG(s->spec->name), err.text, s->spec->every / SECOND);
}

static bool was_changed(struct source *s)
{
    enum watch_news news = s->watch ? watch_read(s->watch) : WATCH_NOTHING;
    mono_ns now = fiber_now();

    if (news == WATCH_OVERFLOWED)
        log_info("source \"" STR_FMT
                 "\": more changed at once than the kernel tells of: all of it is "
                 "compared",
                 STR_ARG(s->spec->name));
    if (news != WATCH_NOTHING) {
        s->changed_last = now;
        s->changed_first = s->changed_first ? s->changed_first : now;
    }
    return s->changed_first &&
           (now - s->changed_last >= WATCH_QUIET || now - s->changed_first >= WATCH_LATEST);
}

static bool is_due(struct source *s)
{
    bool changed = was_changed(s);

    mutex_lock(&s->all->mutex);
    bool ready = !s->paused && !s->going;
    bool due = ready && (changed || (!s->begun && (s->spec->every || s->spec->watch)) ||
                         (s->next && clock_mono() >= s->next));
    mutex_unlock(&s->all->mutex);
    return due;
}

static SUSPENDS void tick(struct sources *all)
{
    for (size_t i = 0; i < all->count; i++) {
        struct source *s = &all->at[i];
        struct err err = {0};
        uint64_t run;

        if (!is_due(s))
            continue;
        s->begun = true;
        s->changed_first = s->changed_last = 0;
        watch_again(s);
        if (!start(s, false, &run, &err)) {
            say_problem(s, err.text);
            log_warn("%s", err.text);
        }
    }
}

void sources_loop(void *arg)
{
    struct sources *all = arg;
    struct err err = {0};

    if (all->count == 0)
        return;
    do
        tick(all);
    while (fiber_sleep(TICK, &err));
    for (size_t i = 0; i < all->count; i++)
        watch_close(&all->at[i].watch);
}
