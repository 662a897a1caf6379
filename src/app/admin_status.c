/* /api/v1/status and /api/v1/problems. */
#include "app/admin_fields.h"
#include "app/problems.h"

static const struct schema_field status_fields[] = {
    {"version", FIELD_TEXT, 0, "Of the program.", 0, 0, NULL, NULL},
    {"started", FIELD_TIME, 0, "When the worker started.", 0, 0, NULL, NULL},
    {"keys", FIELD_COUNT, 0, "Keys there are, revoked ones too.", 0, 0, NULL, NULL},
    {"audit_last_sequence", FIELD_COUNT, 0, "Number of the newest audit record.", 0, 0, NULL, NULL},
    {"holds_open", FIELD_COUNT, 0, "Requests with money set aside now.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema status_schema = {"Status", "What runs, and how much of it.",
                                            status_fields, NULL};

static bool show_status(struct admin_call *call, struct err *err)
{
    struct house *house = call->house;
    struct json_writer *w = &call->reply;

    (void)err;
    jw_object(w);
    reply_text(w, "version", STR(WEIR_VERSION));
    reply_time(w, "started", house->started);
    reply_count(w, "keys", (int64_t)accounts_key_count(house->accounts));
    reply_count(w, "audit_last_sequence", (int64_t)audit_last_seq(house->audit));
    reply_count(w, "holds_open", (int64_t)accounts_holds_open(house->accounts));
    jw_object_end(w);
    return true;
}

static const struct admin_route status_routes[] = {
    {"GET", "/api/v1/status", "Show what runs", RIGHT_LOOK, show_status, NULL, &status_schema, 0,
     false, NULL, NULL},
};
const struct admin_part admin_status_part = {"status", "What runs.", status_routes,
                                             ARRAY_LEN(status_routes)};

/* ---- problems ---- */

static const struct schema_field kind_fields[] = {
    {"code", FIELD_TEXT, 0, "What programs compare.", 0, 0, NULL, NULL},
    {"status", FIELD_COUNT, 0, "The HTTP status it comes with.", 400, 599, NULL, NULL},
    {"title", FIELD_TEXT, 0, "In words.", 0, 0, NULL, NULL},
    {"help", FIELD_PROSE, 0, "What it means and what to do.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema kind_schema = {"ProblemKind", "A kind of problem.", kind_fields, NULL};

static void write_kind(struct json_writer *w, const struct problem *p)
{
    jw_object(w);
    reply_text(w, "code", str_from(p->code));
    reply_count(w, "status", p->status);
    reply_text(w, "title", str_from(p->title));
    reply_text(w, "help", str_from(p->help));
    jw_object_end(w);
}

static bool show_problem(struct admin_call *call, struct err *err)
{
    const struct problem *p = problem_find(call->values[0]);

    if (!p)
        return err_set(err, ERR_NOT_FOUND, "no problem has the code \"" STR_FMT "\"",
                       STR_ARG(str_slice(call->values[0], 0, 60)));
    write_kind(&call->reply, p);
    return true;
}

static const struct admin_route problem_routes[] = {
    {"GET", "/api/v1/problems/{code}", "Explain a kind of problem", RIGHT_LOOK, show_problem, NULL,
     &kind_schema, 0, false, NULL, NULL},
};
const struct admin_part admin_problems_part = {"problems", "What can go wrong with a request.",
                                               problem_routes, ARRAY_LEN(problem_routes)};
