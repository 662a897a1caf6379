#include "app/openapi.h"

#include <string.h>

#include "app/admin.h"
#include "app/problems.h"
#include "app/routes.h"

/* ---- the rows, wherever they stand, as one sequence ---- */

static const struct admin_route *admin_row(size_t n, const struct admin_part **part)
{
    for (size_t p = 0; p < admin_part_count; p++) {
        *part = admin_parts[p];
        if (n < admin_parts[p]->count)
            return &admin_parts[p]->routes[n];
        n -= admin_parts[p]->count;
    }
    return NULL;
}

static const char *path_at(size_t n)
{
    const struct admin_part *part;

    if (n < client_route_count)
        return client_routes[n].path;
    const struct admin_route *row = admin_row(n - client_route_count, &part);

    return row ? row->path : NULL;
}

/* ---- one operation ---- */

/* "/v1/models/{*}" of "/v1/models/ *": anything below has one name. */
static void put_path(struct buf *out, const char *path)
{
    for (; *path; path++)
        if (*path == '*')
            buf_str(out, STR("{name}"));
        else
            buf_char(out, *path);
}

/* "get_keys_by_id" of GET /api/v1/keys/{id}. */
static void write_operation_id(struct json_writer *w, const char *method, const char *path)
{
    char text[160];
    struct buf b;

    buf_init_fixed(&b, text, sizeof text);
    for (; *method; method++)
        buf_char(&b, (char)(*method | 0x20));
    if (strncmp(path, "/api/v1", 7) == 0)
        path += 7;
    for (; *path; path++)
        switch (*path) {
        case '/': buf_char(&b, '_'); break;
        case '{': buf_str(&b, STR("by_")); break;
        case '*': buf_str(&b, STR("by_name")); break;
        case '}': break;
        case '.':
        case '-': buf_char(&b, '_'); break;
        default: buf_char(&b, *path); break;
        }
    ASSERT(buf_ok(&b));
    jw_key(w, "operationId"), jw_str(w, buf_view(&b));
}

static void write_parameter(struct json_writer *w, const struct schema_field *f, const char *in)
{
    bool path = in[0] == 'p';

    jw_object(w);
    jw_key(w, "name"), jw_cstr(w, f->name);
    jw_key(w, "in"), jw_cstr(w, in);
    jw_key(w, "required"), jw_bool(w, path || !(f->flags & FIELD_OPTIONAL));
    jw_key(w, "schema");
    schema_write_field(f, w);
    jw_object_end(w);
}

static void write_path_parameters(struct json_writer *w, const char *path)
{
    for (const char *at = strpbrk(path, "{*"); at; at = strpbrk(at + 1, "{*")) {
        char name[64];
        const char *end = *at == '{' ? strchr(at, '}') : NULL;
        size_t len = end ? (size_t)(end - at - 1) : 4;

        ASSERT(len < sizeof name);
        memcpy(name, end ? at + 1 : "name", len);
        name[len] = 0;
        write_parameter(w, &(struct schema_field){.name = name, .type = FIELD_TEXT, .min = 1},
                        "path");
    }
}

static void write_parameters(struct json_writer *w, const struct admin_route *row)
{
    const struct schema_field *tables[] = {row->paged ? admin_page_query() : NULL, row->query};

    jw_key(w, "parameters");
    jw_array(w);
    write_path_parameters(w, row->path);
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        for (const struct schema_field *f = tables[i]; f && f->name; f++)
            write_parameter(w, f, "query");
    jw_array_end(w);
}

static void write_reference(struct json_writer *w, const char *name)
{
    char text[160];
    struct buf b;

    buf_init_fixed(&b, text, sizeof text);
    buf_fmt(&b, "#/components/schemas/%s", name);
    jw_object(w);
    jw_key(w, "$ref"), jw_str(w, buf_view(&b));
    jw_object_end(w);
}

/* "content": {media: {"schema": ...}}; the caller writes the schema between the two. */
static void open_content(struct json_writer *w, const char *media)
{
    jw_key(w, "content");
    jw_object(w);
    jw_key(w, media);
    jw_object(w);
    jw_key(w, "schema");
}

static void close_content(struct json_writer *w)
{
    jw_object_end(w);
    jw_object_end(w);
}

static void write_simple(struct json_writer *w, const char *type)
{
    jw_object(w);
    jw_key(w, "type"), jw_cstr(w, type);
    jw_object_end(w);
}

static void write_page(struct json_writer *w, const struct schema *item)
{
    jw_object(w);
    jw_key(w, "type"), jw_cstr(w, "object");
    jw_key(w, "properties");
    jw_object(w);
    jw_key(w, "items");
    jw_object(w);
    jw_key(w, "type"), jw_cstr(w, "array");
    jw_key(w, "items");
    write_reference(w, item->name);
    jw_object_end(w);
    jw_key(w, "next_cursor");
    schema_write_field(&(struct schema_field){.type = FIELD_TEXT,
                                              .flags = FIELD_NULL,
                                              .help = "cursor of the next page; null: the last."},
                       w);
    jw_object_end(w);
    jw_key(w, "required");
    jw_array(w);
    jw_cstr(w, "items"), jw_cstr(w, "next_cursor");
    jw_array_end(w);
    jw_key(w, "additionalProperties"), jw_bool(w, false);
    jw_object_end(w);
}

static void write_reply(struct json_writer *w, const struct admin_route *row, int status)
{
    char text[8];
    struct buf b;

    buf_init_fixed(&b, text, sizeof text - 1);
    buf_i64(&b, status);
    jw_key_str(w, buf_view(&b));
    jw_object(w);
    jw_key(w, "description"), jw_cstr(w, http_reason(status));
    if (row->media) {
        open_content(w, row->media);
        write_simple(w,
                     str_eq(str_from(row->media), STR("application/json")) ? "object" : "string");
        close_content(w);
    } else if (row->gives) {
        open_content(w, "application/json");
        if (row->paged)
            write_page(w, row->gives);
        else
            write_reference(w, row->gives->name);
        close_content(w);
    }
    jw_object_end(w);
}

static const struct schema_field failure_fields[] = {
    {"message", FIELD_PROSE, 0, "What was wrong this time.", 0, 0, NULL, NULL},
    {"type", FIELD_TEXT, 0, "The kind of failure.", 0, 0, NULL, NULL},
    {"param", FIELD_TEXT, FIELD_NULL, NULL, 0, 0, NULL, NULL},
    {"code", FIELD_TEXT, FIELD_NULL, NULL, 0, 0, NULL, NULL},
    {0},
};
static const struct schema failure_schema = {"Failure", "A failure in words.", failure_fields,
                                             NULL};
static const struct schema_field dialect_error_fields[] = {
    {"error", FIELD_OBJECT, 0, NULL, 0, 0, NULL, &failure_schema},
    {0},
};
static const struct schema dialect_error_schema = {
    "DialectError", "Why a request failed, as clients of OpenAI's dialect read it.",
    dialect_error_fields, NULL};

static bool is_of_dialect(const struct admin_route *row)
{
    return strncmp(row->path, "/v1/", 4) == 0;
}

static void write_failure(struct json_writer *w, const struct admin_route *row)
{
    bool dialect = is_of_dialect(row);

    jw_key(w, "default");
    jw_object(w);
    jw_key(w, "description");
    jw_cstr(w, dialect ? "A failure." : "A problem; code says which.");
    open_content(w, dialect ? "application/json" : PROBLEM_MEDIA);
    write_reference(w, dialect ? dialect_error_schema.name : problem_schema.name);
    close_content(w);
    jw_object_end(w);
}

static const char *const right_names[RIGHTS] = {
    [RIGHT_ASK] = "ask",           [RIGHT_LOOK] = "look", [RIGHT_USAGE] = "usage",
    [RIGHT_AUDIT] = "audit",       [RIGHT_KEYS] = "keys", [RIGHT_CHANGE] = "change",
    [RIGHT_ACCOUNTS] = "accounts", [RIGHT_OWN] = "own",   [RIGHT_BASES] = "bases",
};

static void write_method(struct json_writer *w, const char *method)
{
    char lower[16] = {0};

    for (size_t i = 0; method[i]; i++) {
        ASSERT(i + 1 < sizeof lower);
        lower[i] = (char)(method[i] | 0x20);
    }
    jw_key(w, lower);
}

static void write_admin(struct json_writer *w, const struct admin_part *part,
                        const struct admin_route *row)
{
    write_method(w, row->method);
    jw_object(w);
    write_operation_id(w, row->method, row->path);
    jw_key(w, "summary"), jw_cstr(w, row->summary);
    jw_key(w, "tags");
    jw_array(w);
    jw_cstr(w, part->name);
    jw_array_end(w);
    jw_key(w, "x-weir-right"), jw_cstr(w, right_names[row->right]);
    write_parameters(w, row);
    if (row->takes) {
        jw_key(w, "requestBody");
        jw_object(w);
        jw_key(w, "required"), jw_bool(w, true);
        open_content(w, row->uploads ? "multipart/form-data" : "application/json");
        write_reference(w, row->takes->name);
        close_content(w);
        jw_object_end(w);
    }
    jw_key(w, "responses");
    jw_object(w);
    write_reply(w, row, row->status ? row->status : 200);
    if (row->also)
        write_reply(w, row, row->also);
    write_failure(w, row);
    jw_object_end(w);
    jw_object_end(w);
}

static void write_media(struct json_writer *w, const char *media)
{
    struct str rest = str_from(media), one;

    jw_key(w, "content");
    jw_object(w);
    while (str_split(&rest, '|', &one)) {
        jw_key_str(w, one);
        jw_object(w);
        jw_key(w, "schema");
        write_simple(w, str_ends(one, STR("json")) ? "object" : "string");
        jw_object_end(w);
    }
    jw_object_end(w);
}

static void write_outcome(struct json_writer *w, const char *status, const char *what,
                          const char *media)
{
    jw_key(w, status);
    jw_object(w);
    jw_key(w, "description"), jw_cstr(w, what);
    if (media)
        write_media(w, media);
    jw_object_end(w);
}

static bool is_login(const struct client_route *row)
{
    return strncmp(row->path, "/auth/", 6) == 0;
}

static void write_outcomes(struct json_writer *w, const struct client_route *row)
{
    jw_key(w, "responses");
    jw_object(w);
    write_outcome(w, "200", "OK", row->media ? row->media : "application/json");
    if (row->redirects)
        write_outcome(w, "303", "See Other", NULL);
    if (is_login(row))
        write_outcome(w, "default", "A problem.", PROBLEM_MEDIA "|text/html");
    else if (row->access == OPEN)
        write_outcome(w, "default", "Not now; the text says why.", "text/plain");
    else
        write_outcome(w, "default", "A failure, in the dialect's shape.", "application/json");
    jw_object_end(w);
}

/* What a dialect's bodies look like is the dialect's own to say: docs/dialects.md. */
static void write_client(struct json_writer *w, const struct client_route *row)
{
    bool posts = row->method[0] == 'P' && !is_login(row);

    write_method(w, row->method);
    jw_object(w);
    write_operation_id(w, row->method, row->path);
    jw_key(w, "summary"), jw_cstr(w, row->summary);
    jw_key(w, "tags");
    jw_array(w);
    jw_cstr(w, is_login(row) ? "login" : row->access == OPEN ? "watching" : "dialects");
    jw_array_end(w);
    if (row->access == OPEN) {
        jw_key(w, "security");
        jw_array(w);
        jw_array_end(w);
    }
    jw_key(w, "parameters");
    jw_array(w);
    write_path_parameters(w, row->path);
    for (const struct schema_field *f = row->query; f && f->name; f++)
        write_parameter(w, f, "query");
    jw_array_end(w);
    if (posts) {
        jw_key(w, "requestBody");
        jw_object(w);
        jw_key(w, "required"), jw_bool(w, true);
        open_content(w, "application/json");
        write_simple(w, "object");
        close_content(w);
        jw_object_end(w);
    }
    write_outcomes(w, row);
    jw_object_end(w);
}

/* ---- the document ---- */

/* All operations of the path of row n, under it; nothing when an earlier row had the path. */
static void write_path(struct json_writer *w, size_t n)
{
    const char *path = path_at(n);
    const struct admin_part *part;
    char text[160];
    struct buf b;

    for (size_t before = 0; before < n; before++)
        if (strcmp(path_at(before), path) == 0)
            return;
    buf_init_fixed(&b, text, sizeof text);
    put_path(&b, path);
    ASSERT(buf_ok(&b));
    jw_key_str(w, buf_view(&b));
    jw_object(w);
    for (size_t at = n; path_at(at); at++) {
        if (strcmp(path_at(at), path) != 0)
            continue;
        if (at < client_route_count)
            write_client(w, &client_routes[at]);
        else {
            const struct admin_route *row = admin_row(at - client_route_count, &part);

            write_admin(w, part, row);
        }
    }
    jw_object_end(w);
}

#define SCHEMAS_MAX 512

struct components {
    struct json_writer *w;
    const struct schema *done[SCHEMAS_MAX];
    size_t count;
};

static void write_component(const struct schema *schema, void *ctx)
{
    struct components *c = ctx;

    for (size_t i = 0; i < c->count; i++) {
        if (c->done[i] == schema)
            return;
        ASSERT(strcmp(c->done[i]->name, schema->name) != 0); /* two shapes of one name */
    }
    ASSERT(c->count < SCHEMAS_MAX);
    c->done[c->count++] = schema;
    jw_key(c->w, schema->name);
    schema_write(schema, c->w);
}

static void write_components(struct json_writer *w)
{
    static _Thread_local struct components c;
    const struct admin_route *row;
    const struct admin_part *part;

    c.w = w;
    c.count = 0;
    jw_key(w, "components");
    jw_object(w);
    jw_key(w, "securitySchemes");
    jw_raw(w, STR("{\"key\":{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":\"A key of "
                  "Weir: wr_... Over the command socket of the same user none is needed.\"}}"));
    jw_key(w, "schemas");
    jw_object(w);
    schema_walk(&problem_schema, write_component, &c);
    schema_walk(&dialect_error_schema, write_component, &c);
    for (size_t n = 0; (row = admin_row(n, &part)); n++) {
        if (row->takes)
            schema_walk(row->takes, write_component, &c);
        if (row->gives)
            schema_walk(row->gives, write_component, &c);
    }
    jw_object_end(w);
    jw_object_end(w);
}

static void write_tag(struct json_writer *w, const char *name, const char *help)
{
    jw_object(w);
    jw_key(w, "name"), jw_cstr(w, name);
    jw_key(w, "description"), jw_cstr(w, help);
    jw_object_end(w);
}

void openapi_write(struct buf *out)
{
    struct json_writer w;

    jw_init(&w, out);
    jw_object(&w);
    jw_key(&w, "openapi"), jw_cstr(&w, "3.1.0");
    jw_key(&w, "info");
    jw_object(&w);
    jw_key(&w, "title"), jw_cstr(&w, "Weir");
    jw_key(&w, "version"), jw_cstr(&w, WEIR_VERSION);
    jw_key(&w, "description");
    jw_cstr(&w, "The administration of Weir, complete, and the places of what clients and "
                "monitoring ask.");
    jw_object_end(&w);
    jw_key(&w, "servers"), jw_raw(&w, STR("[{\"url\":\"/\"}]"));
    jw_key(&w, "security"), jw_raw(&w, STR("[{\"key\":[]}]"));
    jw_key(&w, "tags");
    jw_array(&w);
    write_tag(&w, "dialects", "What clients ask of models.");
    write_tag(&w, "watching", "What monitoring asks, without a key.");
    write_tag(&w, "login", "What browsers of people ask.");
    for (size_t i = 0; i < admin_part_count; i++)
        write_tag(&w, admin_parts[i]->name, admin_parts[i]->help);
    jw_array_end(&w);
    jw_key(&w, "paths");
    jw_object(&w);
    for (size_t n = 0; path_at(n); n++)
        write_path(&w, n);
    jw_object_end(&w);
    write_components(&w);
    jw_object_end(&w);
    buf_char(out, '\n');
}

/* ---- the endpoint ---- */

static bool show_document(struct admin_call *call, struct err *err)
{
    (void)err;
    openapi_write(&call->reply_buf);
    return true;
}

static const struct admin_route routes[] = {
    {"GET", "/api/v1/openapi.json", "Read this document", RIGHT_LOOK, show_document, NULL, NULL, 0,
     false, NULL, "application/json"},
};
const struct admin_part admin_openapi_part = {"openapi", "This document.", routes,
                                              ARRAY_LEN(routes)};
