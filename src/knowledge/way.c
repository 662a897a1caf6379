#include "knowledge/way.h"
#include "knowledge/ranking.h"
#include "knowledge/readings.h"

#include <stdlib.h>
#include <string.h>

#include "index/marks.h"

#define READ_FIRST   10 /* passages of a part that are put in order by reading them */
#define WALK_ARENA   ((size_t)64 * MIB)
#define WORDS_LEAST  40 /* passages by words that are put in order with the walk's */
#define WORDS_SEEDS  20 /* ... and that a walk begins at */
#define WORDS_WEIGHT 0.7f
#define WALK_WEIGHT  0.3f

const char *way_name(enum way way)
{
    switch (way) {
    case WAY_WORDS: return "words";
    case WAY_GRAPH: return "graph";
    case WAY_OVERVIEW: return "overview";
    case WAY_PARTS:
    case WAY_CHOOSE: break;
    }
    return "";
}

/* --- the rule --------------------------------------------------------------------------------- */

static bool says_one_of(struct str text, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct str what = str_from(list[i]);

        for (size_t at = 0; at + what.len <= text.len; at++)
            if (str_eq_nocase(str_slice(text, at, at + what.len), what))
                return true;
    }
    return false;
}

/* What all documents say, not what one says of something. */
static bool asks_overview(struct str text)
{
    static const char *const whole[] = {"main topics",
                                        "main themes",
                                        "key topics",
                                        "key themes",
                                        "overview of the documents",
                                        "overview of all",
                                        "summarize the documents",
                                        "summarise the documents",
                                        "summarize all",
                                        "summarise all",
                                        "what are the documents about",
                                        "what is in the documents",
                                        "what do the documents cover",
                                        "what topics",
                                        "文档的主要内容",
                                        "主要主题",
                                        "文档概述",
                                        "概述所有",
                                        "总结所有",
                                        "概述全部",
                                        "哪些主题",
                                        "这些文档讲"};

    return says_one_of(text, whole, ARRAY_LEN(whole));
}

/* "who leads the company that bought X": something is described by something else. */
static bool describes_by(struct str text)
{
    static const char *const words[] = {" that ", " whose ", " which ", " who ", " where "};
    size_t begin = str_find_char(text, ' ');

    return begin < text.len &&
           says_one_of(str_slice(text, begin + 1, text.len), words, ARRAY_LEN(words));
}

static bool says_both(struct str text)
{
    static const char *const words[] = {"compare",
                                        " both ",
                                        "in common",
                                        "connection between",
                                        "relationship between",
                                        "related to",
                                        "共同",
                                        "比较",
                                        "对比",
                                        "都",
                                        "之间的关系"};

    return says_one_of(text, words, ARRAY_LEN(words));
}

/* How and why about something that has a name: what is known of it stands in several places. A summary of one
 * document is found by its words as well in English, and better by the walk in Chinese (docs/quality.md). */
static bool asks_reasons(struct str text)
{
    static const char *const words[] = {
        "how did ",      "how does ", "how do ", "why ", "impact of", "influence ",
        "contribute to", "总结",      "概述",    "归纳", "如何",      "怎样",
        "为什么",        "为何",      "影响",    "原因", "解释",      "结合"};

    return says_one_of(text, words, ARRAY_LEN(words));
}

/* Two that are written as names and that no passage mentions together. */
static bool are_apart(const struct access *access, const struct graph_seed *seeds, size_t count)
{
    size_t named = 0;

    for (size_t i = 0; i < count; i++) {
        named += seeds[i].named;
        for (size_t k = 0; k < i; k++)
            if (seeds[i].named && seeds[k].named &&
                marks_meet(access->view, access->filter, seeds[i].name, seeds[k].name))
                return false;
    }
    return named >= 2;
}

bool way_choose(const struct way_request *r, enum way *way, struct question_parts *parts,
                struct err *err)
{
    struct name_span spans[GRAPH_SEEDS_MAX];
    struct graph_seed *seeds;
    size_t count, spans_count = 0, leading = 0;
    bool both = says_both(r->text);

    if (!graph_seeds(r->access, r->arena, r->text, &seeds, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        bool named = seeds[i].named || (both && seeds[i].compound);

        leading += named && !seeds[i].common;
        if (named)
            spans[spans_count++] = (struct name_span){seeds[i].from, seeds[i].to};
    }
    if (!question_split(r->arena, r->text, spans, spans_count, parts, err))
        return false;
    *way = WAY_WORDS;
    if (asks_overview(r->text))
        *way = WAY_OVERVIEW;
    else if (leading > 0 && (parts->count > 1 || both || describes_by(r->text) ||
                             asks_reasons(r->text) || are_apart(r->access, seeds, count)))
        *way = WAY_GRAPH;
    return true;
}

/* --- one part --------------------------------------------------------------------------------- */

struct ranked {
    uint64_t passage;
    float words, walk, score;
    uint32_t node; /* of the walk; UINT32_MAX: not reached */
    struct str document;
};
/* For all parts of a question. */
struct walking {
    struct arena *scratch;
    struct table looked_up;
};
struct way_part {
    struct lexical_hits words;
    struct graph_walk walk;
    struct ranked *list;
    size_t count, next;
};

static int compare_passages(const void *a, const void *b)
{
    const struct ranked *left = a, *right = b;

    if (left->passage != right->passage)
        return left->passage < right->passage ? -1 : 1;
    return (left->words > 0) - (right->words > 0);
}

static int compare_scores(const void *a, const void *b)
{
    const struct ranked *left = a, *right = b;

    if (left->score > right->score || left->score < right->score)
        return left->score > right->score ? -1 : 1;
    if (!str_eq(left->document, right->document))
        return str_cmp(left->document, right->document);
    return (left->passage > right->passage) - (left->passage < right->passage);
}

static bool search_words(const struct way_request *r, struct str text, size_t limit,
                         struct lexical_hits *out, struct err *err)
{
    struct terms terms;

    return search_terms(r->access, r->analyser, r->arena, text, &terms, NULL, err) &&
           lexical_search(r->access->view, r->arena,
                          &(struct lexical_query){
                              .terms = &terms, .filter = r->access->filter, .limit = limit},
                          out, err);
}

/* Both lists as one, each passage once. */
static bool put_together(const struct way_request *r, struct way_part *p, struct err *err)
{
    size_t all = p->words.count + p->walk.count, kept = 0;
    float best = p->words.count ? p->words.at[0].score : 0;

    p->list = arena_array(r->arena, all + 1, sizeof *p->list);
    if (!p->list)
        return err_arena(err, r->arena);
    for (size_t i = 0; i < p->words.count; i++)
        p->list[p->count++] = (struct ranked){.passage = p->words.at[i].passage,
                                              .words = p->words.at[i].score,
                                              .node = UINT32_MAX,
                                              .document = p->words.at[i].key};
    for (size_t i = 0; i < p->walk.count; i++)
        p->list[p->count++] = (struct ranked){.passage = p->walk.hits[i].passage,
                                              .walk = p->walk.hits[i].score,
                                              .node = p->walk.hits[i].node,
                                              .document = p->walk.hits[i].document};
    if (p->count)
        qsort(p->list, p->count, sizeof *p->list, compare_passages);
    for (size_t i = 0; i < p->count; i++) {
        struct ranked *last = kept ? &p->list[kept - 1] : NULL;

        if (last && last->passage == p->list[i].passage) {
            last->words += p->list[i].words;
            last->walk += p->list[i].walk;
            last->node = MIN_OF(last->node, p->list[i].node);
        } else {
            p->list[kept++] = p->list[i];
        }
    }
    p->count = kept;
    for (size_t i = 0; i < kept; i++)
        p->list[i].score =
            (best > 0 ? WORDS_WEIGHT * p->list[i].words / best : 0) +
            (p->walk.count ? WALK_WEIGHT * p->list[i].walk / p->walk.hits[0].score : 0);
    if (kept)
        qsort(p->list, kept, sizeof *p->list, compare_scores);
    return true;
}

/* Those of the first that words found, as reading them orders them, in the places that they hold; what only the walk
 * came to has few of the question's words to be read for, and stays where it is. */
static bool read_first(const struct way_request *r, struct str text, struct way_part *p,
                       struct err *err)
{
    struct ranking_request order = {r->access, r->analyser, r->arena, text};
    struct ranked before[READ_FIRST];
    struct lexical_hit at[READ_FIRST];
    struct lexical_hits hits = {at, 0};
    size_t places[READ_FIRST];
    float shares[RANKING_DEPTH];

    for (size_t i = 0; i < MIN_OF(p->count, (size_t)READ_FIRST); i++) {
        if (p->list[i].words <= 0)
            continue;
        places[hits.count] = i;
        before[hits.count] = p->list[i];
        at[hits.count] = lexical_hit_at(r->access->view, p->list[i].passage);
        at[hits.count++].score = p->list[i].words;
    }
    if (!r->reads || hits.count < 2)
        return true;
    if (!ranking_passages(&order, &hits, shares, err))
        return false;
    for (size_t i = 0; i < hits.count; i++) {
        size_t was = 0;

        while (before[was].passage != at[i].passage)
            was++;
        p->list[places[i]] = before[was];
    }
    return true;
}

static bool find_part(const struct way_request *r, struct walking *walking, struct str text,
                      struct way_part *out, struct err *err)
{
    struct graph_start start = {
        .words = &out->words, .begin = WORDS_SEEDS, .looked_up = &walking->looked_up};
    struct graph_seed *seeds;

    if (!search_words(r, text, MAX_OF(r->limit, (size_t)WORDS_LEAST), &out->words, err) ||
        !graph_seeds(r->access, r->arena, text, &seeds, &start.seed_count, err))
        return false;
    if (r->way == WAY_PARTS)
        return put_together(r, out, err) && read_first(r, text, out, err);
    start.seeds = seeds;
    /* As many as are given, were given for other parts already, or are in front by their words. */
    start.most = 2 * r->limit + out->words.count;
    return graph_rank(r->access, walking->scratch, &start, &out->walk, err) &&
           put_together(r, out, err) && read_first(r, text, out, err);
}

/* --- the parts in turn ------------------------------------------------------------------------ */

static bool is_given(const struct way_found *out, uint64_t passage)
{
    for (size_t i = 0; i < out->hits.count; i++)
        if (out->hits.at[i].passage == passage)
            return true;
    return false;
}

static bool give(const struct way_request *r, const struct way_part *p, const struct ranked *ranked,
                 struct way_found *out, struct err *err)
{
    struct lexical_hit *hit = &out->hits.at[out->hits.count];
    struct way_path *path = &out->paths[out->hits.count];

    *hit = lexical_hit_at(r->access->view, ranked->passage);
    hit->score = ranked->words;
    if (ranked->node != UINT32_MAX && p->walk.graph &&
        !graph_path(&p->walk, r->arena, ranked->node, &path->steps, &path->count, err))
        return false;
    out->hits.count++;
    return true;
}

static bool deal_out(const struct way_request *r, struct way_part *parts, size_t count,
                     struct way_found *out, struct err *err)
{
    for (bool more = true; more && out->hits.count < r->limit;) {
        more = false;
        for (size_t i = 0; i < count && out->hits.count < r->limit; i++) {
            struct way_part *p = &parts[i];

            while (p->next < p->count && is_given(out, p->list[p->next].passage))
                p->next++;
            if (p->next == p->count)
                continue;
            if (!give(r, p, &p->list[p->next++], out, err))
                return false;
            more = true;
        }
    }
    return true;
}

static bool find_by_graph(const struct way_request *r, const struct question_parts *asked,
                          struct way_found *out, struct err *err)
{
    struct arena *scratch CLEANUP(arena_end) = arena_new(WALK_ARENA);
    struct walking walking = {.scratch = scratch};
    struct way_part *parts = arena_array(r->arena, asked->count + 1, sizeof *parts);
    size_t count = asked->count + (asked->count > 1);

    if (!scratch)
        return err_no_room(err, "no memory to walk the graph");
    table_init(&walking.looked_up, scratch, GRAPH_LOOKED_UP);
    out->hits.at = arena_array(r->arena, r->limit + 1, sizeof *out->hits.at);
    out->paths = arena_array(r->arena, r->limit + 1, sizeof *out->paths);
    if (!parts || !out->hits.at || !out->paths)
        return err_arena(err, r->arena);
    for (size_t i = 0; i < count; i++) {
        if (!find_part(r, &walking, i < asked->count ? asked->text[i] : r->text, &parts[i], err))
            return false;
        out->limited = out->limited || parts[i].walk.limited;
    }
    return deal_out(r, parts, count, out, err);
}

bool ways_find(const struct way_request *r, struct way_found *out, struct err *err)
{
    struct way_found found = {.way = r->way};
    struct question_parts parts = {.text = {r->text}, .count = 1};
    enum way chosen;

    ASSERT(r->limit >= 1 && r->limit <= WAY_LIMIT_MAX);
    if (r->way != WAY_WORDS && !way_choose(r, &chosen, &parts, err))
        return false;
    if (r->way == WAY_CHOOSE)
        found.way = chosen;
    if (!(found.way == WAY_GRAPH || found.way == WAY_PARTS
              ? find_by_graph(r, &parts, &found, err)
              : search_words(r, r->text, r->limit, &found.hits, err)))
        return false;
    *out = found;
    return true;
}
