/* /api/v1/sessions: who is logged in, and ending it. */
#include "app/admin_fields.h"

#define ROLES_ "app|admin|owner|developer|auditor" /* in the order of enum role */

static const struct schema_field session_fields[] = {
    {"id", FIELD_TEXT, 0, "Names the session; not its cookie.", 0, 0, NULL, NULL},
    {"person", FIELD_TEXT, 0, "Who it is: an id of the list of keys.", 0, 0, NULL, NULL},
    {"name", FIELD_PROSE, 0, "As the issuer said at the first visit.", 0, 0, NULL, NULL},
    {"tenant", FIELD_TEXT, 0, NULL, 0, 0, NULL, NULL},
    {"team", FIELD_TEXT, FIELD_NULL, "\"tenant/team\"; null: none.", 0, 0, NULL, NULL},
    {"role", FIELD_CHOICE, 0, "What the issuer's claims said at the login.", 0, 0, ROLES_, NULL},
    {"issuer", FIELD_TEXT, 0, "Where the login was, as the settings call it.", 0, 0, NULL, NULL},
    {"created", FIELD_TIME, FIELD_NULL, "The login.", 0, 0, NULL, NULL},
    {"used", FIELD_TIME, FIELD_NULL, "Last, to within a sixteenth of login.idle.", 0, 0, NULL,
     NULL},
    {"expires", FIELD_TIME, FIELD_NULL, "At the latest.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema session_schema = {"Session", "Somebody who logged in.", session_fields,
                                             NULL};

static const struct schema_field ended_fields[] = {
    {"id", FIELD_TEXT, 0, NULL, 0, 0, NULL, NULL},
    {"ended", FIELD_COUNT, 0, "So many sessions.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema ended_schema = {"SessionEnded", "Sessions that are over.", ended_fields,
                                           NULL};

static void write_session(struct json_writer *w, const struct session_info *s)
{
    jw_object(w);
    reply_text(w, "id", s->id);
    reply_text(w, "person", s->person);
    reply_text(w, "name", s->name);
    reply_text(w, "tenant", s->tenant);
    if (s->team.len)
        reply_text(w, "team", s->team);
    else
        jw_key(w, "team"), jw_null(w);
    reply_text(w, "role", str_from(role_name(s->role)));
    reply_text(w, "issuer", s->issuer);
    reply_time(w, "created", s->created);
    reply_time(w, "used", s->used);
    reply_time(w, "expires", s->expires);
    jw_object_end(w);
}

/* Operators see all, others their own tenant. */
static bool list_sessions(struct admin_call *call, struct err *err)
{
    struct session_filter filter = {.person = query_text(call, "person"),
                                    .tenant = query_text(call, "tenant")};
    struct session_info *sessions;
    struct page page;
    size_t count;

    if (!principal_is_operator(call->who)) {
        if (filter.tenant.len && !str_eq(filter.tenant, call->who->tenant))
            return err_set(err, ERR_DENIED, "tenant \"" STR_FMT "\" is not yours to see",
                           STR_ARG(str_slice(filter.tenant, 0, 64)));
        filter.tenant = call->who->tenant;
    }
    if (!page_begin(call, &page, err))
        return false;
    filter.after = page.after;
    filter.most = page.limit + 1;
    if (!session_list(call->house->sessions, &filter, call->arena, &sessions, &count, err))
        return false;
    for (size_t i = 0; i < count && !page_is_full(&page); i++)
        if (page_wants(&page, sessions[i].id))
            write_session(&call->reply, &sessions[i]);
    page_end(call, &page);
    return true;
}

/* Nobody ends what they could not hand out. */
static bool covers(const struct principal *who, enum role role)
{
    for (unsigned r = 0; r < RIGHTS; r++)
        if (role_may(role, (enum right)r) && !role_may(who->role, (enum right)r))
            return false;
    return true;
}

/* One's own, or of somebody whose role one could hand out. */
static bool may_end(const struct principal *who, struct str person, struct str tenant,
                    enum role role)
{
    return str_eq(who->key_id, person) ||
           ((principal_is_operator(who) || str_eq(who->tenant, tenant)) && covers(who, role));
}

static bool none_of_yours(struct str id, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND,
                   "\"" STR_FMT "\" is no session that you could end, and no person",
                   STR_ARG(str_slice(id, 0, 60)));
}

static bool end_one(struct admin_call *call, struct str id, int64_t *ended, struct err *err)
{
    struct session_info session;

    if (!session_find(call->house->sessions, id, call->arena, &session, err))
        return false;
    if (!may_end(call->who, session.person, session.tenant, session.role))
        return none_of_yours(id, err);
    *ended = 1;
    return session_end(call->house->sessions, id, err);
}

/* A person may be logged in to several tenants, and in other roles than at first: each session counts by itself. */
static bool end_person(struct admin_call *call, struct str id, int64_t *ended, struct err *err)
{
    const struct principal *who = call->who;
    struct session_reach reach = {.tenant = principal_is_operator(who) ? STR("") : who->tenant};
    struct key_info person;

    if (!key_find(call->house->accounts, id, call->arena, &person, err))
        return false;
    if (person.source != KEY_IDENTITY)
        return none_of_yours(id, err);
    for (unsigned role = 0; role < ROLES; role++)
        reach.roles |= covers(who, (enum role)role) ? 1u << role : 0u;
    return session_end_person(call->house->sessions, id, str_eq(who->key_id, id) ? NULL : &reach,
                              ended, err) &&
           (*ended || may_end(who, person.id, person.tenant, person.role) ||
            none_of_yours(id, err));
}

static bool end_sessions(struct admin_call *call, struct err *err)
{
    struct json_writer *w = &call->reply;
    struct str id = call->values[0];
    int64_t ended = 0;

    if (!(str_starts(id, STR("s_")) ? end_one(call, id, &ended, err)
                                    : end_person(call, id, &ended, err)))
        return false;
    call->note = arena_fmt(call->arena, "%" PRId64 " sessions of " STR_FMT " ended", ended,
                           STR_ARG(str_slice(id, 0, 60)));
    jw_object(w);
    reply_text(w, "id", id);
    reply_count(w, "ended", ended);
    jw_object_end(w);
    return true;
}

static const struct schema_field session_query[] = {
    {"person", FIELD_TEXT, FIELD_OPTIONAL, "Only of this person.", 1, 64, NULL, NULL},
    {"tenant", FIELD_TEXT, FIELD_OPTIONAL, "Only of this tenant.", 1, 64, NULL, NULL},
    {0},
};

static const struct admin_route session_routes[] = {
    {"GET", "/api/v1/sessions", "List who is logged in", RIGHT_ACCOUNTS, list_sessions, NULL,
     &session_schema, 0, true, session_query, NULL},
    {"DELETE", "/api/v1/sessions/{id}", "End a session, or all of a person's (\"u_...\")",
     RIGHT_ACCOUNTS, end_sessions, NULL, &ended_schema, 0, false, NULL, NULL},
};
const struct admin_part admin_sessions_part = {"sessions", "People who logged in.", session_routes,
                                               ARRAY_LEN(session_routes)};
