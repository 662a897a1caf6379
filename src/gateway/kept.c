/* Answers of the Responses dialect that are kept: what a question goes on from, what is kept of its answer,
 * and GET, DELETE /v1/responses/{id}, GET .../input_items, POST .../cancel. */
#include <string.h>

#include "base/log.h"
#include "base/table.h"
#include "gateway/gateway_internal.h"
#include "models/responses.h"
#include "models/responses_store.h"

#define PATH           STR("/v1/responses/")
#define LIST_USUAL     20
#define LIST_MAX       100
#define INPUT_MAX      (256 * MIB) /* the request's arena is the limit */
#define REQUEST_DIGITS 16

static struct response_owner owner_of(const struct request *req)
{
    return (struct response_owner){.tenant = req->who->tenant, .key_id = req->who->key_id};
}

/* ---- what they stand on ---- */

/* It may be of a document that is gone. What went on from it goes too. An item is one of an answer that is asked for
 * by its own id, and goes then. */
static SUSPENDS bool drop_unreadable(const struct gateway *g, struct str id, struct err *err)
{
    int64_t gone = 0;

    if (!responses_drop(g->responses, id, &gone, err))
        return false;
    log_warn("kept answer " STR_FMT " is not given, and %" PRId64 " are gone: what is written down "
             "of the documents it was made from is damaged",
             STR_ARG(str_slice(id, 0, 80)), gone);
    return true;
}

/* An answer that was made from documents, or that goes on from one, is there for as long as what it was made from stands
 * there and may be read: else it is as one that is not kept. */
static SUSPENDS bool still_stands(struct request *req, struct str id, bool *out, struct err *err)
{
    const struct gateway *g = req->gateway;
    struct response_owner owner = owner_of(req);
    enum made_from found = MADE_STANDS;
    struct responses_origin of;

    *out = true;
    if (!g->stands || !g->responses)
        return true;
    if (!responses_origin(g->responses, req->arena, &owner, id, &of, err))
        return false;
    if (of.sources.len > 0 &&
        !g->stands(g->stands_ctx, req->arena, of.sources, req->who, &found, err))
        return false;
    *out = found == MADE_STANDS;
    return found != MADE_UNREADABLE || drop_unreadable(g, id, err);
}

static SUSPENDS bool check_stands(struct request *req, struct str id, struct err *err)
{
    bool stands;

    return still_stands(req, id, &stands, err) && (stands || responses_unknown(id, err));
}

/* ---- a question that goes on ---- */

static bool no_such_previous(struct request *req, struct err *err)
{
    struct err why = *err;

    req->problem = "previous_response_not_found";
    req->problem_status = 400;
    return err_set(err, ERR_INVALID, "previous_response_id: %.200s", why.text);
}

/* Lines, each once. */
struct lines {
    struct str *at;
    size_t count;
    struct table known;
};

static bool add_line(struct lines *to, struct str line, bool *is_new)
{
    *is_new = !table_get(&to->known, line);
    if (*is_new)
        to->at[to->count++] = line;
    return !*is_new || table_put(&to->known, line, to, NULL);
}

static bool begin_lines(struct arena *arena, const struct str *list, size_t count, size_t more,
                        struct lines *out)
{
    bool is_new, ok = true;

    *out = (struct lines){.at = arena_array(arena, count + more + 1, sizeof *out->at)};
    table_init(&out->known, arena, count + more + 1);
    for (size_t i = 0; out->at && ok && i < count; i++)
        ok = add_line(out, list[i], &is_new);
    return out->at && ok;
}

static bool add_lines(struct lines *sources, struct lines *documents, struct str all)
{
    struct str line;
    bool is_new, ok = true;

    while (ok && str_split(&all, '\n', &line)) {
        if (!line.len)
            continue;
        ok =
            add_line(sources, line, &is_new) &&
            (!is_new || add_line(documents, str_slice(line, 0, str_find_char(line, ' ')), &is_new));
    }
    return ok;
}

static size_t count_lines(struct str all)
{
    size_t count = 0;
    struct str line;

    while (str_split(&all, '\n', &line))
        count++;
    return count;
}

static bool add_subjects(struct lines *subjects, struct str all)
{
    struct str line;
    bool is_new, ok = true;

    while (ok && str_split(&all, '\n', &line))
        ok = !line.len || add_line(subjects, line, &is_new);
    return ok;
}

/* What a named item or answer was made from, this answer is made from too: "ID@BASE ..." a line; and whom that was asked
 * for, this answer goes with. */
static SUSPENDS bool stand_on(struct request *req, struct str id, struct err *err)
{
    struct response_owner owner = owner_of(req);
    struct lines all, documents, subjects;
    struct responses_origin of;

    if (!responses_origin(req->gateway->responses, req->arena, &owner, id, &of, err))
        return false;
    size_t more = count_lines(of.sources);
    if (!begin_lines(req->arena, req->sources, req->source_count, more, &all) ||
        !begin_lines(req->arena, req->documents, req->document_count, more, &documents) ||
        !begin_lines(req->arena, req->subjects, req->subject_count, count_lines(of.subjects),
                     &subjects) ||
        !add_lines(&all, &documents, of.sources) || !add_subjects(&subjects, of.subjects))
        return err_arena(err, req->arena);
    req->sources = all.at;
    req->source_count = all.count;
    req->documents = documents.at;
    req->document_count = documents.count;
    req->subjects = subjects.at;
    req->subject_count = subjects.count;
    return true;
}

static SUSPENDS bool add_item(struct request *req, const struct json *j, json_ref item,
                              struct buf *to, struct err *err)
{
    struct response_owner owner = owner_of(req);
    struct str raw = json_raw(j, item), id;

    if (str_eq(json_raw(j, json_get(j, item, STR("type"))), STR("\"item_reference\""))) {
        if (!json_str(j, json_get(j, item, STR("id")), req->arena, &id))
            return err_arena(err, req->arena);
        if (!check_stands(req, id, err) ||
            !responses_item(req->gateway->responses, req->arena, &owner, id, &raw, err) ||
            !stand_on(req, id, err)) {
            if (err->code == ERR_NOT_FOUND)
                err_set(err, ERR_NOT_FOUND, "item \"" STR_FMT "\" is not kept",
                        STR_ARG(str_slice(id, 0, 80)));
            return false;
        }
    }
    if (to->len > 1)
        buf_char(to, ',');
    buf_str(to, raw);
    return true;
}

static SUSPENDS bool add_items(struct request *req, struct str items, struct buf *to,
                               struct err *err)
{
    struct json *j = said_json(req->arena, items, err);

    if (!j)
        return false;
    for (json_ref i = json_first(j, json_root(j)); i; i = json_next(j, i))
        if (!add_item(req, j, i, to, err))
            return false;
    return true;
}

/* What was only named then is kept as a name, and looked up again. */
static SUSPENDS bool add_history(struct request *req, struct str items, struct buf *to,
                                 struct err *err)
{
    if (str_find(items, STR("\"item_reference\"")) < items.len)
        return add_items(req, items, to, err);
    buf_str(to, str_slice(items, 1, items.len - 1));
    return true;
}

/* What the one before it was made from is this one's own from here: that one may be deleted, or too old, first. */
static SUSPENDS bool add_before(struct request *req, const struct responses_asked *asked,
                                struct buf *to, struct err *err)
{
    struct response_owner owner = owner_of(req);
    struct str items;

    if (!asked->previous_response_id.ptr)
        return true;
    if (!check_stands(req, asked->previous_response_id, err) ||
        !stand_on(req, asked->previous_response_id, err) ||
        !responses_history(req->gateway->responses, req->arena, &owner, asked->previous_response_id,
                           &items, err) ||
        !add_history(req, items, to, err))
        return err->code == ERR_NOT_FOUND ? no_such_previous(req, err) : false;
    return true;
}

static SUSPENDS bool add_own(struct request *req, struct str items, struct buf *to, struct err *err)
{
    struct err why = {0};

    if (add_items(req, items, to, &why))
        return true;
    if (why.code == ERR_NOT_FOUND)
        return err_set(err, ERR_INVALID, "input: %.200s", why.text);
    *err = why;
    return false;
}

bool prepare_response(struct request *req, struct err *err)
{
    struct responses_asked *asked = req->conversation->own;
    bool goes_on = asked->previous_response_id.ptr || asked->references > 0;
    char digits[REQUEST_DIGITS];
    struct str own, all;
    struct buf text;

    if (!responses_store_keeps(req->gateway->responses)) {
        asked->store = false;
        return !goes_on || err_set(err, ERR_INVALID,
                                   "previous_response_id: no answers are kept here; send the items "
                                   "themselves");
    }
    if (!goes_on)
        return true;
    buf_init_fixed(&text, digits, sizeof digits);
    buf_hex_u64(&text, req->id);
    if (!responses_own_items(req->arena, asked, buf_view(&text), &own, err))
        return false;
    buf_init(&text, req->arena, INPUT_MAX);
    buf_char(&text, '[');
    if (!add_before(req, asked, &text, err) || !add_own(req, own, &text, err))
        return false;
    buf_char(&text, ']');
    return buf_finish(&text, &all, err) &&
           responses_replace_input(req->arena, req->conversation, all, err);
}

/* ---- an answer that is kept ---- */

bool response_is_kept(const struct request *req)
{
    const struct responses_asked *asked =
        req->dialect == &dialect_responses && req->conversation ? req->conversation->own : NULL;

    return asked && asked->store;
}

/* A document that changed while it was made has been looked for before it was kept, or is seen now. */
static SUSPENDS bool drop_overtaken(struct request *req, struct str id, struct err *err)
{
    struct response_owner owner = owner_of(req);
    bool stands = true;

    if (req->source_count == 0 || !still_stands(req, id, &stands, err))
        return req->source_count == 0;
    return stands || responses_delete(req->gateway->responses, &owner, id, err);
}

/* Its last bytes have not left: who has it all can go on from it at once. That it could not be kept is the
 * operator's to know; the answer is the client's all the same. */
void keep_response(struct request *req)
{
    struct responses_asked *asked =
        req->dialect == &dialect_responses && req->conversation ? req->conversation->own : NULL;
    struct kept_response kept;
    struct err err = {0};
    char digits[REQUEST_DIGITS];
    struct buf id;

    if (!asked || !asked->store || !asked->response.ptr)
        return;
    buf_init_fixed(&id, digits, sizeof digits);
    buf_hex_u64(&id, req->id);
    kept =
        (struct kept_response){.id = arena_fmt(req->arena, "resp_" STR_FMT, STR_ARG(buf_view(&id))),
                               .previous = asked->previous_response_id,
                               .body = asked->response,
                               .output = asked->output,
                               .subject = req->subject,
                               .documents = req->documents,
                               .document_count = req->document_count,
                               .sources = req->sources,
                               .source_count = req->source_count,
                               .subjects = req->subjects,
                               .subject_count = req->subject_count,
                               .inherits = true,
                               .begun = req->started};
    struct response_owner owner = owner_of(req);
    if (!kept.id.ptr || !responses_own_items(req->arena, asked, buf_view(&id), &kept.input, &err) ||
        !responses_keep(req->gateway->responses, &owner, &kept, &err) ||
        !drop_overtaken(req, kept.id, &err))
        log_line(LOG_ERROR, req->id, "the answer was not kept: %s",
                 err.code ? err.text : "no memory");
}

/* ---- what clients ask of kept answers ---- */

static bool give(struct request *req, struct str body, struct err *err)
{
    req->answer = answer_from_bytes(req->arena, 200, STR("application/json"), body);
    return req->answer || err_arena(err, req->arena);
}

static SUSPENDS bool show(struct request *req, struct str id, struct err *err)
{
    struct response_owner owner = owner_of(req);
    struct kept_response kept;

    return responses_find(req->gateway->responses, req->arena, &owner, id, &kept, err) &&
           give(req, kept.body, err);
}

static SUSPENDS bool forget(struct request *req, struct str id, struct err *err)
{
    struct response_owner owner = owner_of(req);
    struct json_writer w;
    struct str body;
    struct buf text;

    if (!responses_delete(req->gateway->responses, &owner, id, err))
        return false;
    buf_init(&text, req->arena, KIB);
    jw_init(&w, &text);
    jw_object(&w);
    jw_key(&w, "id");
    jw_str(&w, id);
    jw_key(&w, "object");
    jw_cstr(&w, "response");
    jw_key(&w, "deleted");
    jw_bool(&w, true);
    jw_object_end(&w);
    return buf_finish(&text, &body, err) && give(req, body, err);
}

static SUSPENDS bool refuse_cancel(struct request *req, struct str id, struct err *err)
{
    struct response_owner owner = owner_of(req);
    struct kept_response kept;

    return responses_find(req->gateway->responses, req->arena, &owner, id, &kept, err) &&
           err_set(err, ERR_INVALID,
                   "the answer is complete: only answers in the background can be cancelled, and "
                   "none are made here");
}

/* ---- its items ---- */

struct listing {
    int64_t limit;
    struct str after;
    bool ascending;
};

static bool read_listing(const struct request *req, struct listing *out, struct err *err)
{
    struct str query = http_head(req->http)->query, pair, name;

    *out = (struct listing){.limit = LIST_USUAL};
    while (str_split(&query, '&', &pair)) {
        struct str value = pair;

        if (!str_split(&value, '=', &name))
            continue;
        if (str_eq(name, STR("limit"))) {
            if (!i64_parse(value, &out->limit) || out->limit < 1 || out->limit > LIST_MAX)
                return err_set(err, ERR_INVALID, "limit: expected an integer from 1 to %d",
                               LIST_MAX);
        } else if (str_eq(name, STR("order"))) {
            if (!str_eq(value, STR("asc")) && !str_eq(value, STR("desc")))
                return err_set(err, ERR_INVALID, "order: expected \"asc\" or \"desc\"");
            out->ascending = str_eq(value, STR("asc"));
        } else if (str_eq(name, STR("after"))) {
            out->after = value;
        }
    }
    return true;
}

static struct str id_of(const struct json *j, json_ref item)
{
    struct str raw = json_raw(j, json_get(j, item, STR("id")));

    return raw.len >= 2 ? raw : STR("null");
}

static bool is_id(struct str raw, struct str id)
{
    return str_eq(str_slice(raw, 1, raw.len - 1), id);
}

static bool has_item(const struct json *j, const json_ref *items, size_t count, struct str id)
{
    for (size_t i = 0; i < count; i++)
        if (is_id(id_of(j, items[i]), id))
            return true;
    return false;
}

static void write_page(struct json_writer *w, const struct json *j, const json_ref *items,
                       size_t count, const struct listing *listing)
{
    struct str first = STR("null"), last = first;
    bool begun = !listing->after.ptr;
    int64_t given = 0;
    size_t i = 0;

    jw_object(w);
    jw_key(w, "object");
    jw_cstr(w, "list");
    jw_key(w, "data");
    jw_array(w);
    for (; i < count && given < listing->limit; i++) {
        json_ref item = items[listing->ascending ? i : count - 1 - i];

        if (!begun) {
            begun = is_id(id_of(j, item), listing->after);
            continue;
        }
        last = id_of(j, item);
        first = given++ == 0 ? last : first;
        jw_raw(w, json_raw(j, item));
    }
    jw_array_end(w);
    jw_key(w, "first_id");
    jw_raw(w, first);
    jw_key(w, "last_id");
    jw_raw(w, last);
    jw_key(w, "has_more");
    jw_bool(w, i < count);
    jw_object_end(w);
}

static SUSPENDS bool list_items(struct request *req, struct str id, struct err *err)
{
    struct response_owner owner = owner_of(req);
    struct kept_response kept;
    struct listing listing;
    struct json_writer w;
    struct str body;
    struct json *j;
    struct buf text;
    json_ref *items;
    size_t count, n = 0;

    if (!read_listing(req, &listing, err) ||
        !responses_find(req->gateway->responses, req->arena, &owner, id, &kept, err))
        return false;
    j = said_json(req->arena, kept.input, err);
    if (!j)
        return err_wrap(err, "a kept answer cannot be read");
    count = json_count(j, json_root(j));
    items = arena_array(req->arena, count + 1, sizeof *items);
    if (!items)
        return err_arena(err, req->arena);
    for (json_ref i = json_first(j, json_root(j)); i; i = json_next(j, i))
        items[n++] = i;
    if (listing.after.ptr && !has_item(j, items, n, listing.after))
        return err_set(err, ERR_INVALID, "after: the list has no \"" STR_FMT "\"",
                       STR_ARG(str_slice(listing.after, 0, 80)));
    buf_init(&text, req->arena, INPUT_MAX);
    jw_init(&w, &text);
    write_page(&w, j, items, n, &listing);
    return buf_finish(&text, &body, err) && give(req, body, err);
}

/* ---- the way in ---- */

static const struct {
    const char *method, *rest; /* behind the id */
    SUSPENDS bool (*run)(struct request *req, struct str id, struct err *err);
} calls[] = {
    {"GET", "", show},
    {"HEAD", "", show},
    {"DELETE", "", forget},
    {"GET", "/input_items", list_items},
    {"HEAD", "/input_items", list_items},
    {"POST", "/cancel", refuse_cancel},
};

bool serve_kept(struct request *req, struct err *err)
{
    const struct http_head *head = http_head(req->http);
    struct str rest = str_slice(head->path, PATH.len, head->path.len);
    struct str id = str_slice(rest, 0, str_find_char(rest, '/'));

    rest = str_slice(rest, id.len, rest.len);
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        if (str_eq(head->method, str_from(calls[i].method)) &&
            str_eq(rest, str_from(calls[i].rest))) {
            if (!responses_store_keeps(req->gateway->responses))
                return err_set(err, ERR_NOT_FOUND, "no answers are kept here (responses.keep)");
            return (calls[i].run == forget || check_stands(req, id, err)) &&
                   calls[i].run(req, id, err);
        }
    return err_set(err, ERR_NOT_FOUND, "nothing is served at " STR_FMT "; see docs/api.md",
                   STR_ARG(str_slice(head->path, 0, 100)));
}
