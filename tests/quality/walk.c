/* The graph beside words alone, in one run: what of a question's evidence stands in the first five passages.
 *   weir_walk DATA [--every N] [--list]
 * DragonBall's reports by kind of question, and RGB's questions that need two articles. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "knowledge/way.h"
#include "scratch_dir.h"
#include "sets.h"

#define KINDS_MAX 16
#define FIRST     5 /* passages looked at */

enum { BY_WORDS, BY_PARTS, BY_GRAPH, BY_CHOICE, WAYS };
static const enum way ways[WAYS] = {WAY_WORDS, WAY_PARTS, WAY_GRAPH, WAY_CHOOSE};

struct kind {
    char name[64];
    uint32_t asked, walked; /* walked: by choice */
    double found[WAYS];
    uint32_t better, worse; /* by choice against words */
    uint64_t paths, path_hits;
};

struct walk_run {
    struct collection c;
    const char *language;
    struct lexical_view *view;
    struct analyser *analyser;
    struct arena *arena; /* of a question */
    struct kind kinds[KINDS_MAX];
    size_t kind_count;
    uint32_t every, number;
    bool list;
};

static struct kind *kind_of(struct walk_run *run, struct str name)
{
    for (size_t i = 0; i < run->kind_count; i++)
        if (str_eq(str_from(run->kinds[i].name), name))
            return &run->kinds[i];
    ASSERT(run->kind_count < KINDS_MAX);
    struct kind *kind = &run->kinds[run->kind_count++];
    (void)snprintf(kind->name, sizeof kind->name, STR_FMT, STR_ARG(name));
    return kind;
}

/* Letters and digits alone. */
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

static struct str text_of(struct arena *arena, const struct lexical_hit *hit)
{
    struct passage passage;
    struct err err = {0};
    struct str text = STR_NONE;

    if (!passage_read(arena, hit->record, &passage) || !passage_text(arena, &passage, &text, &err))
        return STR_NONE;
    return text;
}

static bool find(struct walk_run *run, struct str question, enum way way, struct way_found *out,
                 struct err *err)
{
    struct access access = {.view = run->view};

    return ways_find(&(struct way_request){.access = &access,
                                           .analyser = run->analyser,
                                           .arena = run->arena,
                                           .text = question,
                                           .limit = FIRST,
                                           .way = way},
                     out, err);
}

/* Share of `wanted` of which one alternative stands in a text; strictly all for RGB. */
struct wanted {
    struct str alternatives[16][8];
    size_t counts[16], count;
    bool is_bare;
};

static double share(struct walk_run *run, const struct wanted *w, const struct way_found *found)
{
    struct str texts[FIRST];
    size_t there = 0;

    for (size_t i = 0; i < found->hits.count; i++) {
        texts[i] = text_of(run->arena, &found->hits.at[i]);
        texts[i] = w->is_bare ? bare(run->arena, texts[i]) : texts[i];
    }
    for (size_t k = 0; k < w->count; k++) {
        bool here = false;

        for (size_t a = 0; a < w->counts[k]; a++)
            for (size_t i = 0; i < found->hits.count; i++)
                here = here || str_find(texts[i], w->alternatives[k][a]) < texts[i].len;
        there += here;
    }
    return w->count ? (double)there / (double)w->count : 0;
}

static bool ask(struct walk_run *run, struct str name, struct str question, const struct wanted *w,
                struct err *err)
{
    struct kind *kind = kind_of(run, name);
    double got[WAYS];

    if (run->number++ % run->every || !w->count)
        return true;
    for (int i = 0; i < WAYS; i++) {
        struct way_found found;

        if (!find(run, question, ways[i], &found, err))
            return false;
        got[i] = share(run, w, &found);
        if (!w->is_bare) /* both articles, or it cannot be answered */
            got[i] = got[i] >= 1;
        kind->found[i] += got[i];
        kind->walked += i == BY_CHOICE && found.way == WAY_GRAPH;
        for (size_t h = 0; i == BY_GRAPH && h < found.hits.count; h++) {
            kind->path_hits++;
            kind->paths += found.paths[h].count > 0;
        }
    }
    kind->asked++;
    kind->better += got[BY_CHOICE] > got[BY_WORDS];
    kind->worse += got[BY_CHOICE] < got[BY_WORDS];
    if (run->list && (got[BY_CHOICE] < got[BY_WORDS] || got[BY_CHOICE] > got[BY_WORDS]))
        printf("%.2f %.2f %.2f " STR_FMT "\n", got[BY_WORDS], got[BY_GRAPH], got[BY_CHOICE],
               STR_ARG(question));
    return true;
}

/* --- DragonBall ------------------------------------------------------------------------------- */

static bool read_report(struct line_reader *r, json_ref v, struct err *err)
{
    return add_report(r, v, ((const struct walk_run *)r->to)->language, err);
}

static bool ask_report(struct line_reader *r, json_ref v, struct err *err)
{
    struct walk_run *run = r->to;
    struct wanted w = {.is_bare = true};
    json_ref refs = json_get(r->json, v, STR("refs"));
    size_t mark = arena_mark(run->arena);

    if (!str_eq(line_field(r, v, STR("lang")), str_from(run->language)) ||
        str_eq(line_field(r, v, STR("type")), STR("Irrelevant Unsolvable Question")))
        return true;
    for (json_ref f = json_first(r->json, refs); f && w.count < ARRAY_LEN(w.counts);
         f = json_next(r->json, f)) {
        struct str ref;

        if (!json_str(r->json, f, r->scratch, &ref) || !(ref = bare(run->arena, ref)).len)
            continue;
        w.alternatives[w.count][0] = ref;
        w.counts[w.count++] = 1;
    }
    bool ok = ask(run, line_field(r, v, STR("type")), line_field(r, v, STR("question")), &w, err);
    arena_rewind(run->arena, mark);
    return ok;
}

/* --- RGB -------------------------------------------------------------------------------------- */

static bool read_articles(struct line_reader *r, json_ref list, int64_t id, uint32_t *number,
                          struct err *err)
{
    for (json_ref v = json_first(r->json, list); v; v = json_next(r->json, v)) {
        struct str text;

        if (json_kind(r->json, v) == JSON_ARRAY) {
            if (!read_articles(r, v, id, number, err))
                return false;
            continue;
        }
        if (!json_str(r->json, v, r->scratch, &text) || !str_trim(text).len)
            continue;
        struct str pid = arena_fmt(r->scratch, "%d-%u", (int)id, (*number)++);
        if (!add_file(r, pid, text, DOCUMENT_TEXT, err))
            return false;
    }
    return true;
}

static bool read_news(struct line_reader *r, json_ref v, struct err *err)
{
    uint32_t number = 0;
    int64_t id = 0;

    return json_i64(r->json, json_get(r->json, v, STR("id")), &id) &&
           read_articles(r, json_get(r->json, v, STR("positive")), id, &number, err) &&
           read_articles(r, json_get(r->json, v, STR("negative")), id, &number, err);
}

/* One alternative of each is wanted. The set's own spelling. */
static void want(struct line_reader *r, json_ref list, struct wanted *w)
{
    for (json_ref a = json_first(r->json, list);
         a && w->counts[w->count] < ARRAY_LEN(w->alternatives[0]); a = json_next(r->json, a))
        w->counts[w->count] +=
            json_str(r->json, a, r->scratch, &w->alternatives[w->count][w->counts[w->count]]);
    w->count += w->counts[w->count] > 0;
}

static bool ask_news(struct line_reader *r, json_ref v, struct err *err)
{
    struct walk_run *run = r->to;
    struct wanted w = {0};
    size_t mark = arena_mark(run->arena);

    want(r, json_get(r->json, v, STR("asnwer1")), &w);
    want(r, json_get(r->json, v, STR("answer2")), &w);
    bool ok = ask(run, STR("information integration"), line_field(r, v, STR("query")), &w, err);
    arena_rewind(run->arena, mark);
    return ok;
}

/* --- the runs --------------------------------------------------------------------------------- */

static void report(const struct walk_run *run, const char *set)
{
    printf("%s, %u passages\n  %-46s %6s %7s %7s %7s %7s %7s %7s %6s\n", set,
           (unsigned)run->c.passages, "evidence in the first five", "asked", "words", "parts",
           "graph", "chosen", "walked", "better", "worse");
    for (size_t i = 0; i < run->kind_count; i++) {
        const struct kind *k = &run->kinds[i];
        double n = k->asked ? k->asked : 1;

        printf("  %-46s %6u %7.3f %7.3f %7.3f %7.3f %7u %7u %6u   paths %.2f\n", k->name, k->asked,
               k->found[BY_WORDS] / n, k->found[BY_PARTS] / n, k->found[BY_GRAPH] / n,
               k->found[BY_CHOICE] / n, k->walked, k->better, k->worse,
               k->path_hits ? (double)k->paths / (double)k->path_hits : 0);
    }
}

struct files {
    const char *set, *documents[4], *questions;
    line_read *read, *ask;
    const char *language;
};

static bool run_set(struct walk_run *run, const char *dir, const char *data, const struct files *f,
                    struct err *err)
{
    bool ok = collection_open(dir, &run->c, err);
    struct line_reader with = {.c = &run->c, .set = f->set, .to = run};

    run->kind_count = 0;
    memset(run->kinds, 0, sizeof run->kinds);
    run->language = f->language;
    for (size_t i = 0; ok && f->documents[i]; i++) {
        with.set = f->documents[i]; /* keys of several files do not meet */
        ok = read_lines(with, file_at(&run->c, data, f->documents[i]), f->read, err);
    }
    ok = ok && collection_ready(&run->c, err);
    if (ok) {
        run->view = lexical_borrow(run->c.knowledge->index);
        ok = read_lines(with, file_at(&run->c, data, f->questions), f->ask, err);
        lexical_release(&run->view);
        if (ok)
            report(run, f->set);
    }
    collection_close(&run->c);
    return ok;
}

static const struct files sets[] = {
    {"dragonball-en",
     {"dragonball/docs.jsonl"},
     "dragonball/questions.jsonl",
     read_report,
     ask_report,
     "en"},
    {"dragonball-zh",
     {"dragonball/docs.jsonl"},
     "dragonball/questions.jsonl",
     read_report,
     ask_report,
     "zh"},
    {"rgb-zh-int",
     {"rgb/zh_int.jsonl", "rgb/zh_refine.jsonl", "rgb/zh_fact.jsonl"},
     "rgb/zh_int.jsonl",
     read_news,
     ask_news,
     "zh"},
};

int main(int argc, char **argv)
{
    static struct walk_run run = {.every = 1};
    char dir[SCRATCH_DIR_MAX];
    struct err err = {0};
    bool ok = argc > 1 && scratch_dir_make(dir);

    for (int i = 2; ok && i < argc; i++) {
        uint64_t every = 0;

        if (strcmp(argv[i], "--list") == 0)
            run.list = true;
        else if (strcmp(argv[i], "--every") == 0 && i + 1 < argc &&
                 u64_parse(str_from(argv[++i]), &every) && every > 0)
            run.every = (uint32_t)every;
        else
            ok = false;
    }
    if (!ok) {
        (void)fprintf(stderr, "usage: weir_walk DATA [--every N] [--list]\n");
        return 2;
    }
    run.arena = arena_new(512 * MIB);
    ok = run.arena && analyser_open(&run.analyser, &err);
    for (size_t i = 0; ok && i < ARRAY_LEN(sets); i++) {
        struct str below = arena_fmt(run.arena, "%s/%zu", dir, i);

        ok = run_set(&run, below.ptr, argv[1], &sets[i], &err);
    }
    if (!ok)
        (void)fprintf(stderr, "weir_walk: %s\n", err.text);
    analyser_close(&run.analyser);
    arena_end(&run.arena);
    return ok ? 0 : 1;
}
