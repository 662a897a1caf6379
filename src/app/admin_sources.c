/* /api/v1/knowledge/{base}/sources: where documents come from by themselves. Settings name them; here they are
 * looked at, begun and paused. */
#include "app/admin_bases.h"
#include "app/admin_fields.h"
#include "knowledge/sources.h"

static const struct schema_field source_fields[] = {
    {"name", FIELD_TEXT, 0, NULL, 0, 0, NULL, NULL},
    {"kind", FIELD_CHOICE, 0, NULL, 0, 0, SOURCE_TYPES, NULL},
    {"location", FIELD_PROSE, 0, NULL, 0, 0, NULL, NULL},
    {"every_seconds", FIELD_COUNT, 0, "0: when somebody asks for it.", 0, 0, NULL, NULL},
    {"watched", FIELD_BOOL, 0, "Changes begin a run at once.", 0, 0, NULL, NULL},
    {"paused", FIELD_BOOL, 0, "It does not run by itself.", 0, 0, NULL, NULL},
    {"going", FIELD_BOOL, 0, "A run goes on.", 0, 0, NULL, NULL},
    {"run", FIELD_COUNT, FIELD_NULL, "Its last run, or the one that goes on; since the start.", 0,
     0, NULL, NULL},
    {"next", FIELD_TIME, FIELD_NULL, "When it runs by itself.", 0, 0, NULL, NULL},
    {"problem", FIELD_PROSE, 0, "Why its last run failed, or not all of it is watched; or empty.",
     0, 0, NULL, NULL},
    {0},
};
static const struct schema source_schema = {"Source", "Where documents come from.", source_fields,
                                            NULL};
static const struct schema_field change_fields[] = {
    {"paused", FIELD_BOOL, 0, "Shall it not run by itself?", 0, 0, NULL, NULL},
    {0},
};
static const struct schema change_schema = {"SourceChange", "What to change.", change_fields, NULL};
static const struct schema_field start_fields[] = {
    {"force", FIELD_BOOL, FIELD_OPTIONAL, "Remove what is gone, however much it is.", 0, 0, NULL,
     NULL},
    {0},
};
static const struct schema start_schema = {"SourceStart", "How to run it.", start_fields, NULL};
static const struct schema_field started_fields[] = {
    {"id", FIELD_COUNT, 0, "The run that goes on now.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema started_schema = {"SourceStarted", "A run of a source.", started_fields,
                                             NULL};

static void write_source(struct json_writer *w, const struct source_view *v)
{
    static const char *const kinds[] = {"folder", "web", "s3", "sql"};

    jw_object(w);
    reply_text(w, "name", v->spec->name);
    reply_text(w, "kind", str_from(kinds[v->spec->type]));
    reply_text(w, "location", v->spec->location);
    reply_count(w, "every_seconds", v->spec->every / SECOND);
    reply_bool(w, "watched", v->watched);
    reply_bool(w, "paused", v->paused);
    reply_bool(w, "going", v->going);
    jw_key(w, "run");
    if (v->run)
        jw_u64(w, v->run);
    else
        jw_null(w);
    reply_time(w, "next", v->next);
    reply_text(w, "problem", v->problem);
    jw_object_end(w);
}

/* Whether a source's base, as the settings call it, is the one of the path. */
static SUSPENDS bool is_of(struct admin_call *call, struct base *base, struct str name)
{
    struct base *named CLEANUP(base_release) = NULL;
    struct err ignored = {0};

    return bases_borrow(call->house->bases, name, NULL, &named, &ignored) &&
           str_eq(base_id(named), base_id(base));
}

static bool list(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct source_view *views;
    struct page page;
    size_t count;

    if (!call_base_intake(call, call->values[0], &base, err) ||
        !source_list(call->house->sources, call->arena, STR_NONE, &views, &count, err) ||
        !page_begin(call, &page, err))
        return false;
    for (size_t i = 1; i < count; i++) /* by name: a page's keys rise */
        for (size_t k = i; k > 0 && str_cmp(views[k].spec->name, views[k - 1].spec->name) < 0;
             k--) {
            struct source_view other = views[k];

            views[k] = views[k - 1];
            views[k - 1] = other;
        }
    for (size_t i = 0; i < count && !page_is_full(&page); i++)
        if (is_of(call, base, views[i].spec->base) && page_wants(&page, views[i].spec->name))
            write_source(&call->reply, &views[i]);
    page_end(call, &page);
    return true;
}

/* The source of the path, of the base of the path. */
static SUSPENDS bool find(struct admin_call *call, bool change, struct source_view *out,
                          struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;

    if (!(change ? call_base(call, call->values[0], true, &base, err)
                 : call_base_intake(call, call->values[0], &base, err)) ||
        !source_find(call->house->sources, call->arena, call->values[1], out, err))
        return false;
    return is_of(call, base, out->spec->base) ||
           err_set(err, ERR_NOT_FOUND, "source \"" STR_FMT "\" is of another knowledge base",
                   STR_ARG(out->spec->name));
}

static bool show(struct admin_call *call, struct err *err)
{
    struct source_view view;

    if (!find(call, false, &view, err))
        return false;
    write_source(&call->reply, &view);
    return true;
}

static bool change(struct admin_call *call, struct err *err)
{
    struct source_view view;
    bool paused = false;

    if (!find(call, true, &view, err))
        return false;
    field_bool(call, "paused", &paused);
    if (!source_pause(call->house->sources, view.spec->name, paused, err))
        return false;
    call->note = arena_fmt(call->arena, "source " STR_FMT " %s", STR_ARG(view.spec->name),
                           paused ? "paused" : "goes on by itself");
    view.paused = paused;
    write_source(&call->reply, &view);
    return true;
}

static bool start(struct admin_call *call, struct err *err)
{
    struct source_view view;
    bool force = false;
    uint64_t run;

    if (!find(call, true, &view, err))
        return false;
    field_bool(call, "force", &force);
    if (view.going && force)
        return admin_fail(call, 409, "conflict", err,
                          "a run of source \"" STR_FMT
                          "\" goes on: when it has ended, force another",
                          STR_ARG(view.spec->name));
    if (!source_start(call->house->sources, view.spec->name, force, &run, err))
        return false;
    call->note = arena_fmt(call->arena, "source " STR_FMT " runs%s", STR_ARG(view.spec->name),
                           force ? ", and removes what is gone" : "");
    jw_object(&call->reply);
    reply_count(&call->reply, "id", (int64_t)run);
    jw_object_end(&call->reply);
    return true;
}

static const struct admin_route routes[] = {
    {"GET", "/api/v1/knowledge/{base}/sources", "List the sources of a base", RIGHT_LOOK, list,
     NULL, &source_schema, 0, true, NULL, NULL},
    {"GET", "/api/v1/knowledge/{base}/sources/{source}", "Show a source", RIGHT_LOOK, show, NULL,
     &source_schema, 0, false, NULL, NULL},
    {"PATCH", "/api/v1/knowledge/{base}/sources/{source}", "Pause a source, or let it go on",
     RIGHT_CHANGE, change, &change_schema, &source_schema, 0, false, NULL, NULL},
    {"POST", "/api/v1/knowledge/{base}/sources/{source}/run", "Compare a source now", RIGHT_CHANGE,
     start, &start_schema, &started_schema, 202, false, NULL, NULL},
};
const struct admin_part admin_sources_part = {
    "sources", "Folders, sites, buckets and tables that documents come from by themselves.", routes,
    ARRAY_LEN(routes)};
