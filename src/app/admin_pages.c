/* /documents: a document as a page, for people who follow a citation: its text as it was read, the passage marked. No
 * scripts, nothing from elsewhere, everything escaped. */
#include "app/admin_pages.h"
#include "app/admin_bases.h"
#include "app/auth_pages.h"
#include "knowledge/shown.h"
#include "knowledge/upload.h"

#define PAGE_MAX ((size_t)8 * MIB)

struct drawing {
    struct buf *b;
    const struct shown *shown;
    struct str base;
    uint64_t first, end; /* bytes of the original that are marked; equal: none */
    bool marked;         /* the place of #p is out */
    uint32_t page;
    struct str heading;
};

static const char style[] =
    ":root{color-scheme:light "
    "dark;--ink:#1d2430;--soft:#667085;--line:#d9dee7;--paper:#fff;--back:#f4f6f9;--mark:"
    "#ffe58a}@media(prefers-color-scheme:dark){:root{--ink:#e6e9ef;--soft:#9aa4b5;--line:#343b47;--"
    "paper:#1b2029;"
    "--back:#12161d;--mark:#6b5600}}*{box-sizing:border-box}body{margin:0;background:var(--back);"
    "color:var(--ink);"
    "font:16px/1.6 system-ui,'Noto Sans','WenQuanYi Micro "
    "Hei',sans-serif}header{position:sticky;top:0;background:"
    "var(--paper);border-bottom:1px solid var(--line);padding:.7rem 1.2rem}header "
    "h1{margin:0;font-size:1.1rem}"
    "header p{margin:.1rem 0 "
    "0;color:var(--soft);font-size:.85rem;overflow-wrap:anywhere}main{max-width:46rem;"
    "margin:1.5rem auto;padding:2rem 2.4rem;background:var(--paper);border:1px solid "
    "var(--line);border-radius:"
    "10px;overflow-wrap:anywhere}h2,h3,h4{line-height:1.3;margin:1.6em 0 "
    ".5em}main>:first-child{margin-top:0}"
    "p{margin:.6em 0}ul{margin:.3em "
    "0;padding-left:1.4em}pre{overflow:auto;margin:0;font-size:.85em}.row{"
    "border-bottom:1px solid var(--line);padding:.3em "
    "0;font-size:.93em}.page{display:flex;align-items:center;"
    "gap:.8em;color:var(--soft);font-size:.78rem;margin:1.6em 0 "
    ".8em}.page:before,.page:after{content:'';flex:1;"
    "border-top:1px dashed "
    "var(--line)}mark{background:var(--mark);color:inherit;border-radius:3px;padding:.08em 0;"
    "scroll-margin-top:35vh}.where{color:var(--soft);font-size:.78rem;margin-left:.5em;white-space:"
    "nowrap}"
    ".note{background:var(--mark);padding:.6em .9em;border-radius:6px}a{color:inherit}";

/* ---- what is marked ---- */

static bool is_boundary(struct str s, size_t at)
{
    return at >= s.len || ((uint8_t)s.ptr[at] & 0xC0) != 0x80;
}

/* The part of the block's text that came from the marked bytes; empty: none. Text that stands nowhere, a column's
 * name, goes with what is around it. */
static void find_marked(const struct drawing *d, const struct block *block, size_t *from,
                        size_t *to)
{
    struct str text = block->text;

    *from = *to = 0;
    if (d->first >= d->end || !text.len)
        return;
    struct origin all = block_origin(block, 0, (uint32_t)text.len);
    if (all.byte_first >= d->end || all.byte_end <= d->first)
        return;
    if (all.byte_first >= d->first && all.byte_end <= d->end) {
        *to = text.len;
        return;
    }
    for (size_t at = 0, next; at < text.len; at = next) {
        for (next = at + 1; !is_boundary(text, next);)
            next++;
        struct origin o = block_origin(block, (uint32_t)at, (uint32_t)next);
        bool inside = o.byte_first < d->end && o.byte_end > d->first;

        if (inside && *from == *to)
            *from = at;
        if (inside)
            *to = next;
    }
}

static void write_where(struct buf *b, const struct place *p)
{
    if (!p->page && !p->label.len)
        return;
    buf_str(b, STR("<span class=\"where\">"));
    if (p->label.len)
        buf_html(b, p->label);
    else
        buf_fmt(b, "page %u", p->page);
    if (p->right)
        buf_fmt(b, ", box %.1f %.1f %.1f %.1f pt", p->left / 10.0, p->top / 10.0, p->right / 10.0,
                p->bottom / 10.0);
    buf_str(b, STR("</span>"));
}

static void write_text(struct drawing *d, const struct block *block)
{
    size_t from, to;

    find_marked(d, block, &from, &to);
    buf_html(d->b, str_slice(block->text, 0, from));
    if (from < to) {
        buf_fmt(d->b, "<mark%s>", d->marked ? "" : " id=\"p\"");
        buf_html(d->b, str_slice(block->text, from, to));
        buf_str(d->b, STR("</mark>"));
        if (!d->marked)
            write_where(d->b, &block->place);
        d->marked = true;
    }
    buf_html(d->b, str_slice(block->text, to, block->text.len));
}

/* ---- the page ---- */

static void write_block(struct drawing *d, const struct block *block)
{
    static const struct {
        const char *open, *close;
    } tags[BLOCK_KINDS] = {
        [BLOCK_HEADING] = {"<h3>", "</h3>\n"},
        [BLOCK_PARAGRAPH] = {"<p>", "</p>\n"},
        [BLOCK_ITEM] = {"<ul><li>", "</li></ul>\n"},
        [BLOCK_ROW] = {"<div class=\"row\">", "</div>\n"},
        [BLOCK_CODE] = {"<pre>", "</pre>\n"},
    };

    if (block->place.page && block->place.page != d->page) {
        d->page = block->place.page;
        buf_fmt(d->b, "<div class=\"page\">page %u</div>\n", d->page);
    }
    buf_str(d->b, str_from(tags[block->kind].open));
    write_text(d, block);
    buf_str(d->b, str_from(tags[block->kind].close));
}

static void write_passage(struct drawing *d, const struct passage *p)
{
    if (p->heading.len && !str_eq(p->heading, d->heading)) {
        buf_str(d->b, STR("<h2>"));
        buf_html(d->b, p->heading);
        buf_str(d->b, STR("</h2>\n"));
    }
    d->heading = p->heading;
    for (size_t i = 0; i < p->count; i++)
        write_block(d, &p->blocks[i]);
}

static void write_left_out(struct buf *b, uint64_t passages, const char *where)
{
    if (passages)
        buf_fmt(b,
                "<p class=\"note\">%" PRIu64
                " passages %s are not shown: the document is long.</p>\n",
                passages, where);
}

static void write_head(struct drawing *d, uint64_t version)
{
    const struct document_info *info = &d->shown->document;
    struct str title = info->title.len ? info->title : info->path;
    bool zh = str_eq(info->language, STR("zh"));

    buf_fmt(d->b,
            "<!doctype html><html lang=\"%s\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
            "content=\"width=device-width\"><title>",
            zh ? "zh" : "en");
    buf_html(d->b, title);
    buf_fmt(d->b, " - Weir</title><style>%s</style>\n<header><h1>", style);
    buf_html(d->b, title);
    buf_str(d->b, STR("</h1><p>"));
    buf_html(d->b, info->path);
    buf_fmt(d->b, ", version %" PRIu64 ", %" PRIu64 " bytes", info->version, info->bytes);
    buf_fmt(d->b,
            " &middot; <a href=\"/api/v1/knowledge/" STR_FMT "/documents/" STR_FMT
            "/content\">original</a>",
            STR_ARG(d->base), STR_ARG(info->id));
    if (d->first < d->end)
        buf_str(d->b, STR(" &middot; <a href=\"#p\">the passage</a>"));
    buf_str(d->b, STR("</p></header>\n<main>\n"));
    if (version != info->version)
        buf_fmt(d->b,
                "<p class=\"note\">This was cited from version %" PRIu64
                "; the document has changed since, and nothing is marked.</p>\n",
                version);
}

static bool draw(struct drawing *d, uint64_t version, struct err *err)
{
    struct str bytes;

    write_head(d, version);
    write_left_out(d->b, d->shown->before, "before");
    for (size_t i = 0; i < d->shown->count; i++)
        write_passage(d, &d->shown->passages[i]);
    write_left_out(d->b, d->shown->behind, "behind");
    buf_str(d->b, STR("</main></html>\n"));
    return buf_finish(d->b, &bytes, err);
}

/* ---- the call ---- */

struct wanted {
    uint64_t first, end, version; /* version 0: whichever it is */
};

/* ?v=2&b=120-180 */
static bool read_wanted(struct admin_call *call, struct wanted *out, struct err *err)
{
    struct str query = http_head(call->http)->query;
    struct str version = http_query(call->arena, query, STR("v"));
    struct str bytes = http_query(call->arena, query, STR("b"));
    size_t dash = str_find_char(bytes, '-');

    *out = (struct wanted){0};
    if (version.len && !u64_parse(version, &out->version))
        return err_set(err, ERR_INVALID, "v: expected a version");
    if (bytes.len && (!u64_parse(str_slice(bytes, 0, dash), &out->first) ||
                      !u64_parse(str_slice(bytes, dash + 1, bytes.len), &out->end)))
        return err_set(err, ERR_INVALID, "b: expected two bytes of the original, as in 120-180");
    return true;
}

/* "application/pdf": who accepts no page wants the original. */
static bool wants_original(struct admin_call *call)
{
    struct str accepted = http_field(&http_head(call->http)->fields, STR("accept"));

    return str_starts(accepted, STR("application/")) &&
           str_find(accepted, STR("html")) == accepted.len &&
           str_find(accepted, STR("json")) == accepted.len;
}

static bool send_original(struct admin_call *call, struct knowledge *knowledge,
                          const struct principal *who, struct err *err)
{
    struct document_content found;

    if (!knowledge_content(knowledge, call->arena, call->values[1], who, &found, err))
        return false;
    struct http_field fields[] = {
        {STR("x-content-type-options"), STR("nosniff")},
        {STR("content-security-policy"), STR("sandbox; default-src 'none'")},
        {STR("content-disposition"), STR("attachment")},
        {STR("cache-control"), STR("private, no-cache")},
    };
    struct http_reply reply = {.status = 200,
                               .content_type = str_from(found.media),
                               .fields = fields,
                               .field_count = ARRAY_LEN(fields)};

    call->answered = true;
    return http_send(call->http, &reply, found.bytes, err);
}

static bool send_page(struct admin_call *call, struct str html, struct err *err)
{
    struct http_field fields[] = {
        {STR("x-content-type-options"), STR("nosniff")},
        {STR("referrer-policy"), STR("no-referrer")},
        {STR("content-security-policy"), STR("default-src 'none'; style-src 'unsafe-inline'; "
                                             "frame-ancestors 'none'; base-uri 'none'; "
                                             "form-action 'none'")},
        {STR("cache-control"), STR("private, no-cache")},
    };
    struct http_reply reply = {.status = 200,
                               .content_type = STR("text/html; charset=utf-8"),
                               .fields = fields,
                               .field_count = ARRAY_LEN(fields)};

    call->answered = true;
    return http_send(call->http, &reply, html, err);
}

static bool page(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    const struct principal *who = http_peer_is_local(call->http) ? NULL : call->who;
    struct wanted wanted;
    struct shown shown;
    struct base_info info;
    struct buf b;

    if (!read_wanted(call, &wanted, err) ||
        !call_base_read(call, call->values[0], true, &base, err) ||
        !base_info(base, call->arena, &info, err))
        return false;
    if (wants_original(call))
        return send_original(call, base_knowledge(base), who, err);
    if (!knowledge_shown(base_knowledge(base), call->arena, call->values[1], wanted.first, who,
                         &shown, err))
        return false;
    bool same = !wanted.version || wanted.version == shown.document.version;
    struct drawing d = {.b = &b,
                        .shown = &shown,
                        .base = info.name,
                        .first = same ? wanted.first : 0,
                        .end = same ? wanted.end : 0};

    buf_init(&b, call->arena, PAGE_MAX);
    return draw(&d, same ? shown.document.version : wanted.version, err) &&
           send_page(call, buf_view(&b), err);
}

/* ---- refusals ---- */

bool page_was_asked(const struct admin_call *call)
{
    return call->route->media && str_eq(str_from(call->route->media), STR("text/html")) &&
           wants_page(call->http);
}

/* Browsers keep what stands behind # to themselves: it goes along, or they would come back to the top. */
static void write_way_back(struct buf *b, const struct http_head *head)
{
    char memory[LOGIN_NEXT_MAX];
    struct buf next;

    buf_init_fixed(&next, memory, sizeof memory);
    buf_str(&next, head->path);
    if (head->query.len)
        buf_fmt(&next, "?" STR_FMT, STR_ARG(head->query));
    if (str_starts(head->query, STR("b=")) || str_find(head->query, STR("&b=")) < head->query.len)
        buf_str(&next, STR("#p"));
    buf_str(b, STR("/auth/login"));
    if (!buf_ok(&next) || !login_next_is_safe(buf_view(&next)))
        return;
    buf_str(b, STR("?next="));
    http_escape(b, buf_view(&next));
}

/* In words that fit whoever stands before it: what a program sends, and whom to ask. */
static void write_how(struct buf *b, const struct admin_call *call)
{
    void *held CLEANUP(snapshot_release) = NULL;
    const struct config *config = snapshot_borrow(call->house->config, &held);
    const struct http_head *head = http_head(call->http);
    struct str origin = gateway_links(config, call->http);

    buf_str(
        b, STR("<p>Documents are shown to who may read them. Nobody logs in with a browser at this "
               "Weir; with a key of it the page can be had like this:</p><pre>curl -H "
               "&quot;Authorization: Bearer $KEY&quot; -H &quot;Accept: text/html&quot; &quot;"));
    if (origin.len) {
        buf_html(b, origin);
    } else {
        buf_str(b, config->links.tls ? STR("https://") : STR("http://"));
        buf_html(b, http_field(&head->fields, STR("host")));
    }
    buf_html(b, head->path);
    if (head->query.len) {
        buf_char(b, '?');
        buf_html(b, head->query);
    }
    buf_str(
        b,
        STR("&quot;</pre><p>Who runs this Weir makes keys (<code>weir key create</code>) and lets "
            "people log in (<code>issuers</code> and <code>login</code> in the settings).</p>"));
}

int page_refuse(struct admin_call *call, int status, const struct err *err)
{
    bool stranger = err->code == ERR_UNAUTHENTICATED;
    bool secure = str_starts(call->house->origin, STR("https:"));
    struct auth_reply r;
    struct buf b;

    reply_init(&r, call->http, secure);
    buf_init(&b, call->arena, 64 * KIB);
    if (stranger && call->house->logins) {
        write_way_back(&b, http_head(call->http));
        reply_redirect(&r, buf_view(&b));
        return 303;
    }
    if (stranger)
        http_reply_field(call->http, (struct http_field){STR("www-authenticate"), STR("Bearer")});
    buf_str(&b, STR("<p>"));
    buf_html(&b, str_from(err->text));
    buf_str(&b, STR(".</p>"));
    if (stranger)
        write_how(&b, call);
    reply_page(&r, status, http_reason(status), &b);
    return status;
}

static const struct schema_field page_query[] = {
    {"v", FIELD_COUNT, FIELD_OPTIONAL, "Version that was cited.", 0, 0, NULL, NULL},
    {"b", FIELD_TEXT, FIELD_OPTIONAL, "Bytes of the original that are marked: 120-180.", 1, 60,
     NULL, NULL},
    {0},
};
static const struct admin_route routes[] = {
    {"GET", "/documents/{base}/{id}",
     "A document's text as a page, a passage marked; its original for who accepts that alone",
     RIGHT_ASK, page, NULL, NULL, 0, false, page_query, "text/html", false},
};
const struct admin_part admin_pages_part = {"pages", "Documents for people.", routes,
                                            ARRAY_LEN(routes)};
