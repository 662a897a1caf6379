/* /api/v1/instances: the Weirs over one database. */
#include "app/admin_fields.h"
#include "store/instances.h"
#include "sys/clock.h"

static const struct schema_field instance_fields[] = {
    {"id", FIELD_TEXT, 0, "Of its data directory.", 0, 0, NULL, NULL},
    {"version", FIELD_TEXT, 0, "Of the program, when it started last.", 0, 0, NULL, NULL},
    {"address", FIELD_TEXT, 0, "Where it listens.", 0, 0, NULL, NULL},
    {"alive", FIELD_BOOL, 0, "It was heard of within ten seconds.", 0, 0, NULL, NULL},
    {"self", FIELD_BOOL, 0, "It is the one that answers this.", 0, 0, NULL, NULL},
    {"started", FIELD_TIME, 0, "When it started last.", 0, 0, NULL, NULL},
    {"seen", FIELD_TIME, 0, "When it was heard of last.", 0, 0, NULL, NULL},
    {"stopped", FIELD_TIME, FIELD_NULL, "When it stopped in order, or was retired.", 0, 0, NULL,
     NULL},
    {0},
};
static const struct schema instance_schema = {"Instance", "One Weir over the database.",
                                              instance_fields, NULL};

static void write_instance(struct json_writer *w, const struct instance_info *i)
{
    jw_object(w);
    reply_text(w, "id", i->id);
    reply_text(w, "version", i->version);
    reply_text(w, "address", i->address);
    reply_bool(w, "alive", i->alive);
    reply_bool(w, "self", i->self);
    reply_time(w, "started", i->started);
    reply_time(w, "seen", i->seen);
    reply_time(w, "stopped", i->stopped);
    jw_object_end(w);
}

static bool list(struct admin_call *call, struct err *err)
{
    struct instance_info *all;
    struct page page;
    size_t count;

    if (!instance_list(call->house->store, call->arena, &all, &count, err) ||
        !page_begin(call, &page, err))
        return false;
    for (size_t i = 0; i < count && !page_is_full(&page); i++)
        if (page_wants(&page, all[i].id))
            write_instance(&call->reply, &all[i]);
    page_end(call, &page);
    return true;
}

static bool retire(struct admin_call *call, struct err *err)
{
    struct instance_info *all;
    size_t count, at = 0;

    if (!instance_list(call->house->store, call->arena, &all, &count, err))
        return false;
    while (at < count && !str_eq(all[at].id, call->values[0]))
        at++;
    if (at == count)
        return err_set(err, ERR_NOT_FOUND,
                       "no instance has the id \"" STR_FMT "\"; `weir instance list` shows them",
                       STR_ARG(str_slice(call->values[0], 0, 40)));
    if (all[at].alive)
        return admin_fail(call, 409, "conflict", err,
                          "instance " STR_FMT
                          " is alive: stop it, and it gives its share of limits "
                          "back itself",
                          STR_ARG(all[at].id));
    if (!accounts_retire(call->house->accounts, all[at].id, err))
        return false;
    call->note = arena_fmt(call->arena, "instance " STR_FMT " retired", STR_ARG(all[at].id));
    all[at].stopped = all[at].stopped ? all[at].stopped : clock_wall();
    write_instance(&call->reply, &all[at]);
    return true;
}

static const struct admin_route routes[] = {
    {"GET", "/api/v1/instances", "List the Weirs over this database", RIGHT_LOOK, list, NULL,
     &instance_schema, 0, true, NULL, NULL},
    {"POST", "/api/v1/instances/{id}/retire",
     "Free what an instance that will never be back had taken of spend limits", RIGHT_CHANGE,
     retire, NULL, &instance_schema, 0, false, NULL, NULL},
};
const struct admin_part admin_instances_part = {"instances", "Weirs over one database.", routes,
                                                ARRAY_LEN(routes)};
