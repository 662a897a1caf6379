#include "knowledge/bases.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "knowledge/bases_internal.h"
#include "sys/file.h"

#define BASES_DEFAULT  100u
#define BASE_ARENA     ((size_t)16 * KIB)
#define BASES_ARENA    ((size_t)8 * MIB)
#define NAMES_IN_BASES 200000

/* ---- names, and who may what ---- */

static bool is_name_char(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (!first && (c == '.' || c == '_' || c == '-'));
}

bool base_name_check(const struct bases *bases, struct str name, struct err *err)
{
    bool ok = name.len > 0 && name.len <= BASE_NAME_MAX;

    for (size_t i = 0; ok && i < name.len; i++)
        ok = is_name_char(name.ptr[i], i == 0);
    if (!ok)
        return err_set(err, ERR_INVALID,
                       "expected a name of a to z, 0 to 9 and, behind the first, \".\", \"_\" and "
                       "\"-\", %u at most",
                       BASE_NAME_MAX);
    if (str_starts(name, STR("vs_")) || str_eq(name, BASE_DEFAULT) ||
        str_eq(name, *atomic_load(&bases->alias)))
        return err_set(err, ERR_INVALID, "\"" STR_FMT "\" is a name of Weir's own", STR_ARG(name));
    return true;
}

bool base_may_see(const struct base_info *info, const struct principal *who)
{
    return !who || str_is_empty(info->tenant) || str_eq(info->tenant, who->tenant) ||
           principal_may(who, RIGHT_CHANGE);
}

bool base_may_change(const struct base_info *info, const struct principal *who)
{
    if (principal_may(who, RIGHT_CHANGE))
        return true;
    return !str_is_empty(info->tenant) && str_eq(info->tenant, who->tenant) &&
           principal_may(who, RIGHT_BASES);
}

/* What cannot be read may be anybody's. */
static bool sees(const struct base_facts *facts, const struct principal *who)
{
    if (facts->unreadable)
        return !who || principal_may(who, RIGHT_CHANGE);
    return base_may_see(&facts->info, who);
}

/* ---- one base ---- */

struct base *base_new(struct bases *all, const char *id, const char *dir)
{
    struct arena *arena = arena_new(BASE_ARENA);
    struct base *base = arena ? arena_alloc(arena, sizeof *base) : NULL;

    if (!base) {
        arena_end(&arena);
        return NULL;
    }
    base->arena = arena;
    base->all = all;
    mutex_init(&base->opening);
    (void)snprintf(base->id, sizeof base->id, "%s", id);
    base->dir = arena_str(arena, str_from(dir)).ptr;
    if (!base->dir)
        base_free(&base);
    return base;
}

void base_free(struct base **at)
{
    struct base *base = *at;

    if (!base)
        return;
    struct knowledge *knowledge = atomic_load(&base->knowledge);
    ASSERT(base->holders == 0);
    knowledge_close(&knowledge);
    base_facts_free(&base->facts);
    mutex_done(&base->opening);
    struct arena *arena = base->arena;
    arena_end(&arena);
    *at = NULL;
}

static bool open_locked(struct base *base, struct err *damage, struct err *err)
{
    struct knowledge_options options = base->all->options.each;
    struct knowledge *knowledge = NULL;
    struct err why = {0};

    options.dir = base->dir;
    options.base = str_from(base->id);
    options.share = base->all->readers;
    options.analysers = &base->all->analysers;
    if (!knowledge_open(&options, &knowledge, &why)) {
        *damage = why;
        if (why.code == ERR_EXHAUSTED) {
            *err = why;
            return false;
        }
        if (!knowledge_open_damaged(&options, &why, &knowledge, err))
            return false;
    }
    atomic_store(&base->knowledge, knowledge);
    return true;
}

bool base_open_now(struct base *base, struct err *damage, struct err *err)
{
    bool ok = true;

    mutex_lock(&base->opening);
    if (!atomic_load(&base->knowledge))
        ok = open_locked(base, damage, err);
    mutex_unlock(&base->opening);
    return ok;
}

/* ---- all of them ---- */

static bool add_base(struct bases *bases, const char *id, const char *dir, struct base_facts *facts,
                     struct err *err)
{
    struct base *base = base_new(bases, id, dir);

    if (!base) {
        base_facts_free(&facts);
        return err_no_room(err, "no memory for a knowledge base");
    }
    base->facts = facts;
    bases->at[bases->count++] = base;
    return true;
}

static bool add_default(struct bases *bases, struct err *damage, struct err *err)
{
    const struct base_info info = {.id = BASE_DEFAULT, .name = BASE_DEFAULT, .is_default = true};
    struct base_facts *facts = base_facts_new(&info);

    if (!facts)
        return err_no_room(err, "no memory for a knowledge base");
    return add_base(bases, BASE_DEFAULT.ptr, bases->options.each.dir, facts, err) &&
           base_open_now(bases->at[0], damage, err);
}

static bool add_found(struct bases *bases, struct str name, const char *dir, struct err *err)
{
    const struct base_info nobody = {.id = name, .name = name};
    struct base_facts *facts = NULL;
    char id[BASE_ID_LEN + 1];
    struct err why = {0};

    if (name.len != BASE_ID_LEN || !str_starts(name, STR("vs_"))) {
        log_warn("\"%s\" is no knowledge base: left alone", dir);
        return true;
    }
    if (bases->count > bases->options.bases_max)
        return err_set(err, ERR_INVALID, "there are more knowledge bases than knowledge.bases (%u)",
                       bases->options.bases_max);
    if (!base_facts_load(dir, &facts, &why) || !str_eq(facts->info.id, name)) {
        base_facts_free(&facts);
        if (why.code == ERR_EXHAUSTED) {
            *err = why;
            return false;
        }
        log_error("knowledge base " STR_FMT " is shown to operators alone: what is known of it "
                  "cannot be read: %s",
                  STR_ARG(name), why.code ? why.text : "it names another");
        facts = base_facts_new(&nobody);
        if (!facts)
            return err_no_room(err, "no memory for a knowledge base");
        facts->unreadable = true;
    }
    (void)snprintf(id, sizeof id, STR_FMT, STR_ARG(name));
    return add_base(bases, id, dir, facts, err);
}

/* In the order they were made. */
static void sort(struct bases *bases)
{
    for (size_t i = 2; i < bases->count; i++)
        for (size_t k = i;
             k > 1 && bases->at[k]->facts->info.created < bases->at[k - 1]->facts->info.created;
             k--) {
            struct base *swap = bases->at[k];

            bases->at[k] = bases->at[k - 1];
            bases->at[k - 1] = swap;
        }
}

static bool find_all(struct bases *bases, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct base_removed removed = {0};
    char path[BASE_PATH_MAX];
    struct str *names;
    size_t count;

    if (!arena)
        return err_no_room(err, "no memory to open the knowledge bases");
    if (!file_make_dir(bases->dir, 0700, err) ||
        !file_list(arena, bases->dir, NAMES_IN_BASES, &names, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        bool left = str_ends(names[i], STR(BASE_GONE)) || str_ends(names[i], STR(BASE_NEW));

        (void)snprintf(path, sizeof path, "%s/" STR_FMT, bases->dir, STR_ARG(names[i]));
        if (!(left ? tree_remove(path, &removed, err) : add_found(bases, names[i], path, err)))
            return err_wrap(err, "open the knowledge bases");
    }
    sort(bases);
    return true;
}

bool bases_rename(struct bases *bases, struct str alias, struct err *err)
{
    const struct str *now = atomic_load(&bases->alias);

    if (now && str_eq(*now, alias))
        return true;
    mutex_lock(&bases->mutex);
    struct str *fresh = arena_alloc(bases->arena, sizeof *fresh);
    if (fresh)
        *fresh = arena_str(bases->arena, alias);
    bool ok = fresh && fresh->ptr;
    if (ok)
        atomic_store(&bases->alias, fresh);
    mutex_unlock(&bases->mutex);
    return ok || err_arena(err, bases->arena);
}

static bool fill(struct bases *bases, const struct bases_options *options, struct err *err)
{
    struct str dir = arena_fmt(bases->arena, "%s/" BASES_DIR, options->each.dir);

    bases->options = *options;
    bases->options.bases_max = options->bases_max ? options->bases_max : BASES_DEFAULT;
    bases->options.alias = STR_NONE;
    bases->options.each.dir = arena_str(bases->arena, str_from(options->each.dir)).ptr;
    bases->dir = dir.ptr;
    bases->at = arena_array(bases->arena, (size_t)bases->options.bases_max + 1, sizeof *bases->at);
    if (!bases->at || !bases->dir || !bases->options.each.dir)
        return err_arena(err, bases->arena);
    return bases_rename(bases, options->alias, err) &&
           readers_open(bases->arena, &options->each.readers, &bases->readers, err);
}

bool bases_open(const struct bases_options *options, struct bases **out, struct err *damage,
                struct err *err)
{
    struct arena *arena = arena_new(BASES_ARENA);
    struct bases *bases CLEANUP(bases_close) = arena ? arena_alloc(arena, sizeof *bases) : NULL;

    if (!bases) {
        arena_end(&arena);
        return err_no_room(err, "no memory to open the knowledge bases");
    }
    bases->arena = arena;
    mutex_init(&bases->mutex);
    if (!fill(bases, options, err) || !add_default(bases, damage, err) || !find_all(bases, err))
        return false;
    *out = bases;
    bases = NULL;
    return true;
}

void bases_close(struct bases **at)
{
    struct bases *bases = *at;

    if (!bases)
        return;
    bases_keep_used_now(bases);
    for (size_t i = 0; i < bases->count; i++)
        base_free(&bases->at[i]);
    readers_close(&bases->readers);
    analysers_end(&bases->analysers);
    mutex_done(&bases->mutex);
    struct arena *arena = bases->arena;
    arena_end(&arena);
    *at = NULL;
}

void bases_stop_runs(struct bases *bases)
{
    mutex_lock(&bases->mutex);
    for (size_t i = 0; i < bases->count; i++) {
        struct knowledge *knowledge = atomic_load(&bases->at[i]->knowledge);

        if (knowledge)
            ingest_runs_stop(knowledge);
    }
    mutex_unlock(&bases->mutex);
}

/* ---- looking ---- */

/* NULL: nothing is, or it is not known before it was asked. */
static const char *damage_of(const struct base *base)
{
    struct knowledge *knowledge = atomic_load(&base->knowledge);

    if (base->facts->unreadable)
        return BASE_FILE " cannot be read";
    return knowledge ? knowledge_damage(knowledge) : NULL;
}

uint32_t bases_damaged(struct bases *bases, void (*tell)(void *ctx, const struct base_damage *),
                       void *ctx)
{
    uint32_t count = 0;

    mutex_lock(&bases->mutex);
    for (size_t i = 0; i < bases->count; i++) {
        const struct base *base = bases->at[i];
        const struct base_damage damage = {str_from(base->id), damage_of(base),
                                           base->facts->unreadable};

        if (base->leaving || !damage.why)
            continue;
        count++;
        if (tell)
            tell(ctx, &damage);
    }
    mutex_unlock(&bases->mutex);
    return count;
}

static bool copy_facts(struct arena *arena, const struct base *base, struct base_info *out)
{
    const struct base_info *info = &base->facts->info;
    struct knowledge *knowledge = atomic_load(&base->knowledge);

    *out = *info;
    out->id = arena_str(arena, info->id);
    out->name = arena_str(arena, info->name);
    out->title = arena_str(arena, info->title);
    out->tenant = arena_str(arena, info->tenant);
    out->metadata = arena_str(arena, info->metadata);
    out->life = base_life_now(base);
    out->life.description = arena_str(arena, info->life.description);
    out->documents = knowledge ? (int64_t)knowledge_documents(knowledge) : -1;
    out->damage = damage_of(base);
    return out->id.ptr && out->name.ptr && out->title.ptr && out->tenant.ptr && out->metadata.ptr &&
           out->life.description.ptr;
}

bool bases_list(struct bases *bases, struct arena *arena, const struct principal *who,
                struct base_info **out, size_t *count, struct err *err)
{
    struct base_info *list = arena_array(arena, (size_t)bases->options.bases_max + 1, sizeof *list);
    size_t seen = 0;
    bool ok = list != NULL;

    mutex_lock(&bases->mutex);
    for (size_t i = 0; ok && i < bases->count; i++)
        if (!bases->at[i]->leaving && sees(bases->at[i]->facts, who))
            ok = copy_facts(arena, bases->at[i], &list[seen++]);
    mutex_unlock(&bases->mutex);
    *out = list;
    *count = seen;
    return ok || err_arena(err, arena);
}

/* Under the mutex. Of two with one name who asks sees the one of the own tenant; operators, who see all,
 * reach others by their ids. */
static struct base *find(struct bases *bases, struct str name, const struct principal *who)
{
    struct base *shared = NULL, *other = NULL;

    if (str_eq(name, BASE_DEFAULT) || str_eq(name, *atomic_load(&bases->alias)))
        return bases->at[0];
    for (size_t i = 1; i < bases->count; i++) {
        struct base *base = bases->at[i];
        const struct base_info *info = &base->facts->info;

        if (base->leaving || !sees(base->facts, who))
            continue;
        if (str_eq(str_from(base->id), name))
            return base;
        if (!str_eq(info->name, name))
            continue;
        if (who && !str_is_empty(info->tenant) && str_eq(info->tenant, who->tenant))
            return base;
        if (str_is_empty(info->tenant))
            shared = base;
        else
            other = base;
    }
    return shared ? shared : other;
}

/* Under the mutex. */
static bool has_name(const struct bases *bases, struct str name, struct str tenant)
{
    for (size_t i = 1; i < bases->count; i++) {
        const struct base_info *info = &bases->at[i]->facts->info;

        if (!bases->at[i]->leaving && str_eq(info->name, name) && str_eq(info->tenant, tenant))
            return true;
    }
    return false;
}

struct str bases_model_name(const struct bases *bases, struct arena *arena, struct str name)
{
    return arena_fmt(arena, STR_FMT "/" STR_FMT, STR_ARG(*atomic_load(&bases->alias)),
                     STR_ARG(name));
}

bool bases_has_name(struct bases *bases, struct str name, struct str tenant)
{
    mutex_lock(&bases->mutex);
    bool has = has_name(bases, name, tenant);
    mutex_unlock(&bases->mutex);
    return has;
}

/* ---- in use ---- */

struct opening {
    struct base *base;
    struct err damage, *err;
    bool ok;
};

static void run_open(void *arg)
{
    struct opening *o = arg;

    o->ok = base_open_now(o->base, &o->damage, o->err);
}

bool bases_borrow(struct bases *bases, struct str name, const struct principal *who,
                  struct base **out, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;

    mutex_lock(&bases->mutex);
    base = find(bases, name, who);
    if (base)
        base->holders++;
    mutex_unlock(&bases->mutex);
    if (!base)
        return err_set(err, ERR_NOT_FOUND, "no knowledge base is called \"" STR_FMT "\"",
                       STR_ARG(str_slice(name, 0, 100)));
    if (!atomic_load(&base->knowledge)) {
        struct opening o = {.base = base, .err = err};

        if (!pool_run(bases->options.each.pool, run_open, &o, err) || !o.ok)
            return false;
        if (o.damage.code)
            log_error("knowledge base %s: %s: questions to it get 503 until it is repaired",
                      base->id, o.damage.text);
    }
    *out = base;
    base = NULL;
    return true;
}

void base_release(struct base **at)
{
    struct base *base = *at;

    if (!base)
        return;
    mutex_lock(&base->all->mutex);
    ASSERT(base->holders > 0);
    base->holders--;
    mutex_unlock(&base->all->mutex);
    *at = NULL;
}

struct knowledge *base_knowledge(struct base *base)
{
    return atomic_load(&base->knowledge);
}

struct str base_id(const struct base *base)
{
    return str_from(base->id);
}

const char *base_dir(const struct base *base)
{
    return base->dir;
}

bool base_info(struct base *base, struct arena *arena, struct base_info *out, struct err *err)
{
    mutex_lock(&base->all->mutex);
    bool ok = copy_facts(arena, base, out);
    mutex_unlock(&base->all->mutex);
    return ok || err_arena(err, arena);
}

bool bases_has_file(struct bases *bases, struct str id, const char *name)
{
    char path[BASE_PATH_MAX];
    struct file_info info;
    struct err missing = {0};
    int len = str_eq(id, BASE_DEFAULT)
                  ? snprintf(path, sizeof path, "%s/%s", bases->options.each.dir, name)
                  : snprintf(path, sizeof path, "%s/" STR_FMT "/%s", bases->dir, STR_ARG(id), name);

    return len > 0 && (size_t)len < sizeof path && file_stat(path, &info, &missing);
}

struct knowledge *bases_default(struct bases *bases)
{
    return atomic_load(&bases->at[0]->knowledge);
}
