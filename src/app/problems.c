#include "app/problems.h"

/* clang-format off: a table reads as a table */
const struct problem problems[] = {
    {"invalid", 400, "Invalid request",
     "The request is wrong in the way the detail says; the same one fails again."},
    {"refused", 400, "Refused by the model",
     "The model that was to write the answer gave none; the detail is what its provider said, the "
     "status too."},
    {"not_json", 400, "Body is not JSON",
     "The body does not parse as JSON; the detail says where."},
    {"wrong_parameters", 400, "Wrong query parameters",
     "A parameter is unknown or out of its range; errors lists each."},
    {"bad_cursor", 400, "Unknown cursor",
     "The cursor was not given out by this list; start without one."},
    {"unauthenticated", 401, "No valid key",
     "Send \"Authorization: Bearer KEY\" with a key that exists and is not revoked."},
    {"denied", 403, "Not allowed", "The key's role has no right to do this."},
    {"not_found", 404, "Not found", "Nothing has this path or id."},
    {"method_not_allowed", 405, "Method not allowed", "The path exists; Allow lists its methods."},
    {"timeout", 408, "Body came too late", "The body was not complete within server.body_timeout."},
    {"conflict", 409, "Conflict",
     "What is there contradicts the request; read it again and decide."},
    {"too_large", 413, "Too large",
     "The body, or something in it, is over a limit that the detail names."},
    {"unsupported_media_type", 415, "Unsupported media type",
     "Bodies are application/json, not compressed."},
    {"wrong_fields", 422, "Wrong fields",
     "The body is JSON, but not of the expected shape; errors lists each field."},
    {"unreadable_document", 422, "Document cannot be read",
     "The file is of no type that is read, or broken, or has no text in it; the detail says "
     "which."},
    {"exhausted", 429, "Limit reached", "A limit that the detail names is used up; try later."},
    {"internal", 500, "Internal error",
     "A defect of Weir; its log has a line with the request's id."},
    {"unavailable", 503, "Unavailable",
     "Something Weir needs cannot be used now; the detail says what."},
    {"too_late", 504, "Deadline passed", "What was asked took longer than it may."},
};
/* clang-format on */
const size_t problem_count = ARRAY_LEN(problems);

static const struct schema_field fault_fields[] = {
    {"field", FIELD_PROSE, 0, "Where: a path such as limits.spend_day_usd or tags[2].", 0, 0, NULL,
     NULL},
    {"detail", FIELD_PROSE, 0, "What is wrong with it.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema fault_schema = {"ProblemField", "A field that is wrong.", fault_fields,
                                           NULL};

static const struct schema_field problem_fields[] = {
    {"type", FIELD_PROSE, 0, "Where the kind of problem is explained; never changes its meaning.",
     0, 0, NULL, NULL},
    {"title", FIELD_PROSE, 0, "The kind of problem in words.", 0, 0, NULL, NULL},
    {"status", FIELD_COUNT, 0, "The HTTP status.", 400, 599, NULL, NULL},
    {"detail", FIELD_PROSE, 0, "What was wrong this time.", 0, 0, NULL, NULL},
    {"code", FIELD_PROSE, 0, "The kind of problem, for programs: the last part of type.", 0, 0,
     NULL, NULL},
    {"errors", FIELD_OBJECT, FIELD_OPTIONAL | FIELD_LIST, "Each wrong field or parameter.", 0, 0,
     NULL, &fault_schema},
    {0},
};
const struct schema problem_schema = {"Problem", "Why a request failed (RFC 9457).", problem_fields,
                                      NULL};

const struct problem *problem_find(struct str code)
{
    for (size_t i = 0; i < problem_count; i++)
        if (str_eq(str_from(problems[i].code), code))
            return &problems[i];
    return NULL;
}

const char *problem_of(int status, enum err_code code)
{
    switch (code) {
    case ERR_NOT_FOUND: return "not_found";
    case ERR_UNAUTHENTICATED: return "unauthenticated";
    case ERR_DENIED: return "denied";
    case ERR_TOO_LARGE: return "too_large";
    case ERR_EXHAUSTED: return "exhausted";
    case ERR_UNAVAILABLE: return "unavailable";
    case ERR_TIMEOUT: return status == 408 ? "timeout" : "too_late";
    case ERR_INTERNAL: return "internal";
    case ERR_NONE:
    case ERR_CANCELLED:
    case ERR_INVALID: break;
    }
    for (size_t i = 1; i < problem_count; i++)
        if (problems[i].status == status && status != 400)
            return problems[i].code;
    return "invalid";
}

void problem_write(const struct problem_report *report, struct buf *out)
{
    const struct problem *problem = problem_find(str_from(report->code));
    struct json_writer w;

    ASSERT(problem); /* a code without a row: add it to the table */
    jw_init(&w, out);
    jw_object(&w);
    jw_key(&w, "type");
    jw_raw(&w, STR("\"" PROBLEM_PATH));
    buf_str(out, str_from(problem->code));
    buf_char(out, '"');
    jw_key(&w, "title"), jw_cstr(&w, problem->title);
    jw_key(&w, "status"), jw_i64(&w, report->status);
    jw_key(&w, "detail"), jw_str(&w, report->detail);
    jw_key(&w, "code"), jw_cstr(&w, problem->code);
    if (report->faults) {
        jw_key(&w, "errors");
        jw_array(&w);
        for (size_t i = 0; i < report->faults->count; i++) {
            jw_object(&w);
            jw_key(&w, "field"), jw_str(&w, report->faults->at[i].field);
            jw_key(&w, "detail"), jw_str(&w, report->faults->at[i].detail);
            jw_object_end(&w);
        }
        jw_array_end(&w);
    }
    jw_object_end(&w);
    buf_char(out, '\n');
}
