/* What becomes of a page: its answer, what it says to crawlers, and where it leads, which is kept for the next visit. */
#include <string.h>

#include "knowledge/knowledge_internal.h"
#include "knowledge/source_links.h"
#include "knowledge/source_web_internal.h"

static char present;

static const struct {
    const char *media;
    enum document_type type;
} media_types[] = {
    {"text/html", DOCUMENT_HTML},
    {"application/xhtml+xml", DOCUMENT_HTML},
    {"text/markdown", DOCUMENT_MARKDOWN},
    {"text/csv", DOCUMENT_CSV},
    {"text/tab-separated-values", DOCUMENT_CSV},
    {"application/json", DOCUMENT_JSON},
    {"application/ld+json", DOCUMENT_JSON},
    {"application/x-ndjson", DOCUMENT_JSON},
    {"application/pdf", DOCUMENT_PDF},
    {"message/rfc822", DOCUMENT_MAIL},
    {"application/epub+zip", DOCUMENT_EPUB},
    {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", DOCUMENT_DOCX},
    {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", DOCUMENT_XLSX},
    {"application/vnd.openxmlformats-officedocument.presentationml.presentation", DOCUMENT_PPTX},
    {"application/vnd.oasis.opendocument.text", DOCUMENT_ODF},
    {"application/vnd.oasis.opendocument.spreadsheet", DOCUMENT_ODF},
    {"application/vnd.oasis.opendocument.presentation", DOCUMENT_ODF},
};

/* What the server says; where that says little, the name's ending. */
static bool type_of(const struct fetched *got, enum document_type *out)
{
    struct str type = got->type;

    for (size_t i = 0; i < ARRAY_LEN(media_types); i++)
        if (str_eq(type, str_from(media_types[i].media))) {
            *out = media_types[i].type;
            return true;
        }
    bool vague = type.len == 0 || str_eq(type, STR("text/plain")) ||
                 str_eq(type, STR("application/octet-stream")) ||
                 str_eq(type, STR("binary/octet-stream"));
    if (vague && document_type_of(got->url.path, out))
        return true;
    *out = DOCUMENT_TEXT;
    return str_starts(type, STR("text/"));
}

static void refuse(struct content *out, enum outcome outcome, const char *why)
{
    out->outcome = outcome;
    err_set(&out->why, ERR_INVALID, "%s", why);
}

/* What was known of the page before it was asked. */
struct before {
    struct visit visit;
    bool leads_known; /* where it led at its last visit, as far as that counts */
};

static bool was_before(struct web *w, struct arena *scratch, struct str mark, struct before *out,
                       struct err *err)
{
    if (!visit_read(scratch, mark, (struct str){w->rules, VISIT_RULES}, &out->visit))
        return err_arena(err, scratch);
    out->leads_known = mark.len > 0 && (!out->visit.html || out->visit.has_links ||
                                        w->now.depth >= w->spec->web.depth);
    return true;
}

/* Where it led stays in the line, whether it did not change or cannot be had today. */
static bool follow_before(struct web *w, struct arena *scratch, const struct before *before,
                          struct err *err)
{
    struct entry like = {.kind = PAGE, .depth = w->now.depth + 1};
    struct str rest = before->visit.links, link;

    if (w->now.depth >= w->spec->web.depth)
        return true;
    while (rest.len > 0 && str_split(&rest, '\n', &link)) {
        size_t mark = arena_mark(scratch);

        if (!web_push_reference(w, scratch, &w->now.url, link, &like, err))
            return false;
        arena_rewind(scratch, mark);
    }
    return true;
}

/* It is there, and cannot be had: what is known of it stays. Where it would lead, if that was never seen, is not
 * known, and so nothing is missing for certain. */
static bool not_had(struct web *w, struct arena *scratch, const struct before *before,
                    struct content *out, struct err *err)
{
    out->outcome = OUTCOME_FAIL;
    if (before->leads_known)
        return follow_before(w, scratch, before, err);
    web_incomplete(w, arena_fmt(w->arena, STR_FMT " could not be had: nothing is removed",
                                STR_ARG(w->now.url.text)));
    return true;
}

/* An answer that is not the page. */
static bool answer_failed(struct web *w, struct arena *scratch, const struct web_question *q,
                          const struct before *before, struct content *out, struct err *err)
{
    int status = q->got.status;

    out->why = q->why;
    if (status == 304 && (q->with.etag.len > 0 || q->with.modified.len > 0)) {
        out->outcome = OUTCOME_SAME;
        return follow_before(w, scratch, before, err);
    }
    if (out->why.code == ERR_NONE)
        err_set(&out->why, ERR_UNAVAILABLE, "the server says %d %s", status, http_reason(status));
    if (status != 404 && status != 410)
        return not_had(w, scratch, before, out, err);
    out->outcome = OUTCOME_GONE;
    return true;
}

/* The address under which the page wants to be known. true: not this one, which is told. */
static bool is_alias(struct web *w, struct arena *scratch, const struct fetched *got,
                     const struct page_links *links, struct content *out)
{
    struct err ignored = {0};
    struct url canonical;

    if (links->canonical.len == 0 ||
        !url_resolve(scratch, &got->url, links->canonical, &canonical, &ignored) ||
        str_eq(canonical.text, got->url.text) || !web_wants(w, &canonical))
        return false;
    if (table_get(&w->aliased, canonical.text)) /* they name each other, or go in a ring */
        return false;
    struct str from = arena_str(w->arena, got->url.text);
    if (!from.ptr || !table_put(&w->aliased, from, &present, NULL) ||
        !web_push(w, &canonical, PAGE, w->now.depth, &ignored))
        return false;
    out->outcome = OUTCOME_SKIP;
    err_set(&out->why, ERR_INVALID, "its canonical address is " STR_FMT,
            STR_ARG(str_slice(canonical.text, 0, 150)));
    return true;
}

/* The page's links join the line; *kept: those of them that count, for its next visit, or STR_NONE. */
static bool follow_links(struct web *w, struct arena *scratch, const struct url *base,
                         const struct page_links *links, struct str *kept, struct err *err)
{
    struct entry like = {.kind = PAGE, .depth = w->now.depth + 1};
    char *room = arena_alloc(scratch, VISIT_LINKS_MAX);
    struct buf b;

    if (!room)
        return err_arena(err, scratch);
    buf_init_fixed(&b, room, VISIT_LINKS_MAX);
    w->keeping = &b;
    bool ok = true;
    for (size_t i = 0; i < links->count && ok; i++) {
        size_t mark = arena_mark(scratch);

        ok = web_push_reference(w, scratch, base, links->at[i], &like, err);
        arena_rewind(scratch, mark);
    }
    w->keeping = NULL;
    *kept = buf_ok(&b) && links->beyond == 0 ? (struct str){room, b.len} : STR_NONE;
    return ok;
}

static bool read_page(struct web *w, struct arena *scratch, const struct fetched *got,
                      struct content *out, struct str *kept, struct err *err)
{
    struct str agent = web_product(w->spec->web.agent);
    struct page_links links;
    struct url base = got->url;
    struct err ignored = {0};

    if (!page_links(scratch, got->body, agent, &links, err))
        return false;
    robots_words(got->robots, agent, &links.no_index, &links.no_follow);
    if (links.base.len > 0 && !url_resolve(scratch, &got->url, links.base, &base, &ignored))
        base = got->url;
    if (links.no_follow) /* the same as a page without links, until its bytes change */
        links.count = links.beyond = 0;
    if (w->now.depth < w->spec->web.depth && !follow_links(w, scratch, &base, &links, kept, err))
        return false;
    if (links.beyond > 0) {
        web_incomplete(w, STR_NONE);
        out->note = arena_fmt(scratch, "%zu of its links were not looked at: more than %u",
                              links.beyond, LINKS_MAX);
    }
    if (links.no_index)
        refuse(out, OUTCOME_SKIP, "it says noindex");
    else
        (void)is_alias(w, scratch, got, &links, out);
    return true;
}

/* Led elsewhere: it is known under the address where it was found. */
static bool was_led(struct web *w, struct source_item *item, const struct fetched *got,
                    struct content *out, struct err *err)
{
    if (str_eq(got->url.text, w->now.url.text))
        return true;
    if (table_get(&w->seen, got->url.text) || !web_wants(w, &got->url)) {
        out->outcome = OUTCOME_SKIP;
        err_set(&out->why, ERR_INVALID, "it leads to " STR_FMT,
                STR_ARG(str_slice(got->url.text, 0, 150)));
        return true;
    }
    struct str name = arena_str(w->arena, got->url.text);
    if (!name.ptr || !table_put(&w->seen, name, &present, NULL))
        return err_arena(err, w->arena);
    item->item.source = item->item.shown = name;
    return true;
}

/* Other documents than pages say it with the answer. */
static void ask_header(struct web *w, const struct fetched *got, struct content *out)
{
    bool no_index = false, ignored = false;

    robots_words(got->robots, web_product(w->spec->web.agent), &no_index, &ignored);
    if (no_index)
        refuse(out, OUTCOME_SKIP, "it says noindex");
}

static bool take_page(struct web *w, struct arena *scratch, struct source_item *item,
                      const struct fetched *got, struct content *out, struct err *err)
{
    struct visit visit = {.etag = got->etag, .modified = got->modified, .links = STR_NONE};

    if (!was_led(w, item, got, out, err) || out->outcome != OUTCOME_BYTES)
        return out->outcome != OUTCOME_BYTES;
    if (!type_of(got, &item->item.type)) {
        out->outcome = OUTCOME_SKIP;
        err_set(&out->why, ERR_INVALID, "of type " STR_FMT ", which is not read",
                STR_ARG(str_slice(got->type, 0, 100)));
        return true;
    }
    out->bytes = got->body;
    visit.html = item->item.type == DOCUMENT_HTML;
    if (!visit.html)
        ask_header(w, got, out);
    else if (!read_page(w, scratch, got, out, &visit.links, err))
        return false;
    item->item.mark = visit_write(scratch, &visit, (struct str){w->rules, VISIT_RULES});
    return item->item.mark.ptr || err_arena(err, scratch);
}

/* Moved away for good, too large, or led to what is asked by itself: not wanted. Anything else may be otherwise
 * tomorrow, a redirect for the time being too. */
static bool is_unwanted(const struct web *w, const struct web_question *q)
{
    return q->why.code == ERR_TOO_LARGE ||
           (q->why.code == ERR_DENIED && (w->led_inside || q->got.moved));
}

static SUSPENDS bool ask_page(struct web *w, struct site *site, struct arena *scratch,
                              struct source_item *item, struct content *out, struct err *err)
{
    struct web_question q = {.url = &w->now.url, .with = web_how(w)};
    struct before before = {0};

    if (!was_before(w, scratch, item->known_mark, &before, err))
        return false;
    if (before.leads_known) {
        q.with.etag = before.visit.etag;
        q.with.modified = before.visit.modified;
    }
    w->led_inside = false;
    if (!web_ask(w, site, scratch, &q, err))
        return false;
    item->item.mark = item->known_mark;
    if (q.got_it && (q.got.status == 200 || q.got.status == 203))
        return take_page(w, scratch, item, &q.got, out, err);
    if (q.got_it)
        return answer_failed(w, scratch, &q, &before, out, err);
    out->why = q.why;
    if (!is_unwanted(w, &q))
        return not_had(w, scratch, &before, out, err);
    out->outcome = OUTCOME_SKIP;
    return true;
}

bool web_fetch_page(void *self, struct arena *scratch, struct source_item *item,
                    struct content *out, struct err *err)
{
    struct web *w = self;
    struct site *site = web_site(w, &w->now.url, err);

    if (!site)
        return false;
    if (!w->forbidden && !ask_page(w, site, scratch, item, out, err))
        return false;
    if (w->cut.len && !out->note.len) {
        out->note = w->cut;
        w->cut = STR("");
    }
    if (!w->forbidden)
        return true;
    refuse(out, site->state == ROBOTS_FORBID ? OUTCOME_FAIL : OUTCOME_SKIP, w->forbidden);
    return true;
}
