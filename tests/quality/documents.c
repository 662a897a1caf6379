#include "documents.h"

#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "measure.h"
#include "sys/file.h"

#define LIST_MAX 64 /* of documents, references, pages of a question */

/* A set on its way: its documents are in the collection, its questions are asked one at a time. */
struct asking {
    struct arena *arena; /* of one question */
    const char *language;
    uint32_t asked;
    double score, first;
    double *sure, *unsure; /* answerable_of() of both kinds */
    size_t sure_count, unsure_count;
};

static bool search(struct line_reader *r, struct str question, size_t limit,
                   struct passages_found *out, struct err *err)
{
    struct asking *a = r->to;

    return search_now(r->c->knowledge, a->arena, &(struct knowledge_question){.text = question},
                      limit, out, err);
}

/* Opens, loads with `read`, commits. */
static bool open_set(struct collection *c, const char *dir, struct line_reader with,
                     const char *path, line_read *read, struct err *err)
{
    if (!collection_open(dir, c, err))
        return false;
    with.c = c;
    return read_lines(with, path, read, err) && collection_ready(c, err);
}

static bool ask_set(struct collection *c, const char *set, const char *path, line_read *read,
                    struct asking *a, struct err *err)
{
    a->arena = arena_new(256 * MIB);
    a->sure = arena_array(c->arena, 10000, sizeof(double));
    a->unsure = arena_array(c->arena, 10000, sizeof(double));
    bool ok = a->arena && a->sure && a->unsure;
    ok = ok ? read_lines((struct line_reader){.c = c, .set = set, .to = a}, path, read, err)
            : err_set(err, ERR_EXHAUSTED, "no memory");
    arena_end(&a->arena);
    return ok;
}

static void add(struct figures *to, const char *table, const char *set, const char *measure,
                double sum, uint32_t count)
{
    figures_add(to, (struct figure){table, measure, str_from(set), count, count ? sum / count : 0});
}

/* --- Cranfield -------------------------------------------------------------------------------- */

static bool read_abstract(struct line_reader *r, json_ref v, struct err *err)
{
    struct str bytes =
        arena_fmt(r->scratch, STR_FMT "\n\n" STR_FMT "\n", STR_ARG(line_field(r, v, STR("title"))),
                  STR_ARG(line_field(r, v, STR("text"))));

    if (!str_trim(bytes).len) /* one abstract of 1,400 is empty */
        return true;
    return add_file(r, json_raw(r->json, json_get(r->json, v, STR("id"))), bytes, DOCUMENT_TEXT,
                    err);
}

/* The first `max` documents, each once. */
static size_t documents_of(const struct passages_found *found, struct str *list, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < found->count && count < max; i++) {
        bool seen = false;

        for (size_t k = 0; k < count; k++)
            seen = seen || str_eq(list[k], found->list[i].document);
        if (!seen)
            list[count++] = found->list[i].document;
    }
    return count;
}

static size_t read_keys(struct line_reader *r, json_ref list, struct str keys[LIST_MAX])
{
    size_t count = 0;

    for (json_ref d = json_first(r->json, list); d && count < LIST_MAX; d = json_next(r->json, d))
        keys[count++] = document_key(r, json_raw(r->json, d));
    return count;
}

static bool is_one_of(struct str key, const struct str *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(key, keys[i]))
            return true;
    return false;
}

static bool ask_abstracts(struct line_reader *r, json_ref v, struct err *err)
{
    struct asking *a = r->to;
    struct passages_found found;
    struct str first[10], right[LIST_MAX];
    size_t rights = read_keys(r, json_get(r->json, v, STR("relevant")), right);
    double gain = 0, best = 0;

    if (!search(r, line_field(r, v, STR("question")), 30, &found, err))
        return false;
    size_t count = documents_of(&found, first, ARRAY_LEN(first));
    for (size_t i = 0; i < count; i++)
        gain += is_one_of(first[i], right, rights) ? 1 / log2((double)i + 2) : 0;
    for (size_t i = 0; i < ARRAY_LEN(first) && i < rights; i++)
        best += 1 / log2((double)i + 2);
    a->asked++;
    a->score += best > 0 ? gain / best : 0;
    return true;
}

bool cranfield_run(const char *dir, const char *data, struct figures *to, struct err *err)
{
    struct collection c = {0};
    struct asking a = {0};
    struct line_reader with = {.set = "cranfield"};
    struct arena *names CLEANUP(arena_end) = arena_new(MIB);
    bool ok =
        open_set(&c, dir, with, arena_fmt(names, "%s/cranfield/docs.jsonl", data).ptr,
                 read_abstract, err) &&
        ask_set(&c, with.set, file_at(&c, data, "cranfield/queries.jsonl"), ask_abstracts, &a, err);

    if (ok)
        add(to, "ranking", with.set, "nDCG@10", a.score, a.asked);
    collection_close(&c);
    return ok;
}

/* --- DragonBall ------------------------------------------------------------------------------- */

static bool read_report(struct line_reader *r, json_ref v, struct err *err)
{
    return add_report(r, v, ((const struct asking *)r->to)->language, err);
}

/* Letters and digits alone: what markup and lists become in reading is no matter here. */
static struct str bare(struct arena *arena, struct str text)
{
    struct buf b;
    uint32_t rune;

    buf_init(&b, arena, 16 * MIB);
    for (size_t at = 0, from = 0; utf8_next(text, &at, &rune); from = at)
        if (rune > 0xBF
                ? !(rune >= 0x2000 && rune <= 0x303F) && rune < 0xFF00
                : (rune >= '0' && rune <= '9') || ((rune | 32) >= 'a' && (rune | 32) <= 'z'))
            buf_str(&b, str_slice(text, from, at));
    return buf_view(&b);
}

static bool count_evidence(struct line_reader *r, json_ref refs, const struct passages_found *found,
                           struct asking *a)
{
    struct str texts[5];
    size_t there = 0, all = 0;

    for (size_t i = 0; i < found->count; i++)
        texts[i] = bare(a->arena, found->list[i].quote);
    for (json_ref f = json_first(r->json, refs); f; f = json_next(r->json, f)) {
        struct str ref;

        if (!json_str(r->json, f, r->scratch, &ref) || !(ref = bare(a->arena, ref)).len)
            continue;
        all++;
        for (size_t i = 0; i < found->count; i++)
            if (str_find(texts[i], ref) < texts[i].len) {
                there++;
                break;
            }
    }
    a->score += all ? (double)there / (double)all : 0;
    return all > 0;
}

static bool ask_answerable(struct line_reader *r, struct str question, bool answerable,
                           struct err *err)
{
    struct asking *a = r->to;
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(r->c->knowledge->index);
    struct knowledge_question asked = {.text = question};
    struct inquiry in;

    if (!inquire_of(r->c->knowledge, &(struct access){.view = view}, a->arena, &asked, &in, err))
        return false;
    if (answerable)
        a->sure[a->sure_count++] = (double)in.answerable;
    else
        a->unsure[a->unsure_count++] = (double)in.answerable;
    return true;
}

static bool ask_reports(struct line_reader *r, json_ref v, struct err *err)
{
    struct asking *a = r->to;
    struct passages_found found;
    struct str right[LIST_MAX], question = line_field(r, v, STR("question"));
    bool answerable = !str_eq(line_field(r, v, STR("type")), STR("Irrelevant Unsolvable Question"));
    size_t mark = arena_mark(a->arena),
           rights = read_keys(r, json_get(r->json, v, STR("docs")), right);

    if (!str_eq(line_field(r, v, STR("lang")), str_from(a->language)))
        return true;
    if (!search(r, question, 5, &found, err) || !ask_answerable(r, question, answerable, err))
        return false;
    if (answerable && count_evidence(r, json_get(r->json, v, STR("refs")), &found, a)) {
        a->asked++;
        a->first += found.count && is_one_of(found.list[0].document, right, rights);
    }
    arena_rewind(a->arena, mark);
    return true;
}

bool dragonball_run(const char *dir, const char *data, const char *language, struct figures *to,
                    struct err *err)
{
    struct collection c = {0};
    struct asking a = {.language = language};
    struct line_reader with = {.set = "dragonball", .to = &a};
    struct arena *names CLEANUP(arena_end) = arena_new(MIB);
    const char *set = strcmp(language, "zh") == 0 ? "dragonball-zh" : "dragonball-en";
    bool ok = open_set(&c, dir, with, arena_fmt(names, "%s/dragonball/docs.jsonl", data).ptr,
                       read_report, err) &&
              ask_set(&c, with.set, file_at(&c, data, "dragonball/questions.jsonl"), ask_reports,
                      &a, err);

    if (ok) {
        add(to, "evidence", set, "in the top 5", a.score, a.asked);
        add(to, "evidence", set, "right document first", a.first, a.asked);
        if (a.unsure_count)
            figures_add(to, (struct figure){"refusal", "AUC", str_from(set),
                                            (uint32_t)(a.sure_count + a.unsure_count),
                                            area(a.sure, a.sure_count, a.unsure, a.unsure_count)});
    }
    collection_close(&c);
    return ok;
}

/* --- FinanceBench ----------------------------------------------------------------------------- */

static bool names_file(const struct citation *found, struct str document)
{
    struct str ending = STR(".pdf");

    return found->path.len >= document.len + ending.len &&
           str_eq(str_slice(found->path, found->path.len - document.len - ending.len,
                            found->path.len - ending.len),
                  document);
}

/* The set counts pages from 0. */
static bool on_page(struct line_reader *r, json_ref evidence, const struct citation *found)
{
    int64_t page;

    for (json_ref e = json_first(r->json, evidence); e; e = json_next(r->json, e))
        if (json_i64(r->json, json_get(r->json, e, STR("page")), &page) &&
            page + 1 == (int64_t)found->place.page)
            return true;
    return false;
}

struct paged {
    struct asking asking; /* first: it is what the line's reader is handed */
    double pages, first_pages;
};

static bool ask_filings(struct line_reader *r, json_ref v, struct err *err)
{
    struct paged *p = r->to;
    struct str document = line_field(r, v, STR("doc"));
    json_ref evidence = json_get(r->json, v, STR("evidence"));
    struct passages_found found;
    struct str path = arena_fmt(r->scratch, "%s/" STR_FMT ".pdf", r->set, STR_ARG(document));
    struct file_info info;
    struct err absent = {0};
    bool on = false;

    if (!file_stat(path.ptr, &info, &absent)) /* only the smaller filings are kept */
        return true;
    if (!search(r, line_field(r, v, STR("question")), 5, &found, err))
        return false;
    p->asking.asked++;
    for (size_t i = 0; i < found.count; i++) {
        bool here = names_file(&found.list[i], document);

        p->asking.first += i == 0 && here;
        on = on || (here && on_page(r, evidence, &found.list[i]));
        p->first_pages += i == 0 && on;
    }
    p->pages += on;
    return true;
}

bool financebench_run(const char *dir, const char *data, struct figures *to, struct err *err)
{
    struct collection c = {0};
    struct paged p = {0};
    struct ingest_report report;
    bool ok = collection_open(dir, &c, err);

    lexical_abandon(&c.writer);
    if (ok) {
        const char *folder = file_at(&c, data, "financebench/pdfs");
        struct ingest_wish wish = {.path = str_from(folder)};

        ok = ingest_now(c.knowledge, c.arena, &wish, &report, err) &&
             (!report.failed ||
              err_set(err, ERR_INVALID, STR_FMT, STR_ARG(report.problems[0].reason))) &&
             collection_embed(&c, err) &&
             ask_set(&c, folder, file_at(&c, data, "financebench/questions.jsonl"), ask_filings,
                     &p.asking, err);
    }
    if (ok) {
        add(to, "pages", "financebench", "right document first", p.asking.first, p.asking.asked);
        add(to, "pages", "financebench", "right page first", p.first_pages, p.asking.asked);
        add(to, "pages", "financebench", "right page in the top 5", p.pages, p.asking.asked);
    }
    collection_close(&c);
    return ok;
}
