/* "What are the main topics?": sentences from all over what the asker may read, by what the names in them
 * count. The names' ranks are PageRank over names and passages (20 rounds, no start of its own); each sentence
 * is worth the ranks of its names that no sentence before it had, and each document gives at most two. Communities
 * of documents tell one sentence each in turn, so that a large subject leaves room for the others. */
#include <stdlib.h>
#include <string.h>

#include "knowledge/answer.h"
#include "knowledge/communities.h"

#define PASSAGES_MAX  2000 /* looked at, evenly over all; more are said */
#define NAMES_MAX     50000
#define ROUNDS        20
#define DAMPING       0.85
#define A_DOCUMENT    2
#define TEXT_MAX      ((size_t)1 * MIB)
#define SCRATCH_ARENA ((size_t)256 * MIB)

struct topic {
    double rank, next;
    uint32_t passages;
    uint32_t number, seen_in; /* its document before, plus one */
    bool told;
};
struct seen_passage {
    uint64_t number;
    struct str document;
    uint32_t place, community; /* of its document, among those in order; a document's place */
    struct mentions mentions;
    struct topic **topics; /* [mentions.count] */
};
struct overview {
    const struct access *access;
    struct arena *scratch;
    struct table by_name; /* -> struct topic */
    struct seen_passage *passages;
    size_t count;
    bool sampled;
    uint32_t *communities; /* places of their first documents, the largest first */
    size_t community_count;
};

static bool may_see(const struct access *access, uint64_t passage)
{
    return !access->filter || lexical_filter_allows(access->filter, passage);
}

static bool read_passage(struct overview *o, uint64_t number, struct err *err)
{
    struct lexical_hit hit = lexical_hit_at(o->access->view, number);
    struct seen_passage *p = &o->passages[o->count];

    *p = (struct seen_passage){.number = number, .document = hit.key};
    if (!mentions_read(o->scratch, hit.record, &p->mentions))
        return err_set(err, ERR_INTERNAL,
                       "could not read the names of a passage of document \"" STR_FMT "\"",
                       STR_ARG(hit.key));
    p->topics = arena_array(o->scratch, p->mentions.count + 1, sizeof(struct topic *));
    if (!p->topics)
        return err_arena(err, o->scratch);
    for (size_t i = 0; i < p->mentions.count; i++) {
        struct topic *t = table_get(&o->by_name, p->mentions.names[i]);

        if (!t && o->by_name.count < NAMES_MAX) {
            t = arena_alloc(o->scratch, sizeof *t);
            if (!t || !table_put(&o->by_name, p->mentions.names[i], t, NULL))
                return err_arena(err, o->scratch);
            t->number = (uint32_t)o->by_name.count - 1;
        }
        p->topics[i] = t;
        if (t)
            t->passages++;
    }
    o->count++;
    return true;
}

static bool read_passages(struct overview *o, struct err *err)
{
    uint64_t all = lexical_stats(o->access->view).passages;
    uint64_t seen = o->access->filter ? lexical_filter_passages(o->access->filter) : all;
    uint64_t step = seen / PASSAGES_MAX + (seen % PASSAGES_MAX != 0), at = 0;

    o->sampled = step > 1;
    for (uint64_t i = 0; i < all; i++)
        if (may_see(o->access, i) && at++ % step == 0 && !read_passage(o, i, err))
            return false;
    return true;
}

/* Names that stand in one passage alone carry nothing on. */
static bool carries(const struct topic *t)
{
    return t && t->passages > 1;
}

static void rank_round(struct overview *o)
{
    struct str name;
    void *value;

    for (size_t p = 0; p < o->count; p++) {
        struct seen_passage *passage = &o->passages[p];
        size_t links = 0;
        double held = 0;

        for (size_t i = 0; i < passage->mentions.count; i++)
            if (carries(passage->topics[i])) {
                held += passage->topics[i]->rank / passage->topics[i]->passages;
                links++;
            }
        for (size_t i = 0; links && i < passage->mentions.count; i++)
            if (carries(passage->topics[i]))
                passage->topics[i]->next += DAMPING * held / (double)links;
    }
    for (size_t at = 0; table_next(&o->by_name, &at, &name, &value);) {
        struct topic *t = value;

        t->rank = t->next + (1 - DAMPING);
        t->next = 0;
    }
}

static double worth_of(const struct seen_passage *p, const struct mention_sentence *s)
{
    double worth = 0;

    for (size_t i = 0; i < s->count; i++) {
        const struct topic *t = p->topics[s->names[i]];

        worth += carries(t) && !t->told ? t->rank : 0;
    }
    return worth;
}

static size_t told_of(const struct citation *list, size_t count, struct str document)
{
    size_t told = 0;

    for (size_t i = 0; i < count; i++)
        told += str_eq(list[i].document, document);
    return told;
}

/* ---- subjects: communities of documents ---- */

static int by_document(const void *a, const void *b)
{
    const struct seen_passage *one = a, *other = b;
    int order = str_cmp(one->document, other->document);

    return order ? order : (one->number > other->number) - (one->number < other->number);
}

/* Which names each document has, in the order of documents. */
static bool read_pairs(struct overview *o, struct community_pair **out, size_t *count,
                       uint32_t *documents, struct err *err)
{
    size_t all = 0;

    for (size_t p = 0; p < o->count; p++)
        all += o->passages[p].mentions.count;
    *out = arena_array(o->scratch, all + 1, sizeof **out);
    if (!*out)
        return err_arena(err, o->scratch);
    for (size_t p = 0; p < o->count; p++) {
        struct seen_passage *passage = &o->passages[p];

        *documents += p == 0 || !str_eq(passage->document, o->passages[p - 1].document);
        passage->place = *documents - 1;
        for (size_t i = 0; i < passage->mentions.count; i++) {
            struct topic *t = passage->topics[i];

            if (!t || t->seen_in == *documents)
                continue;
            t->seen_in = *documents;
            (*out)[(*count)++] = (struct community_pair){passage->place, t->number};
        }
    }
    return true;
}

struct sized {
    uint32_t community, passages;
};

static int larger_first(const void *a, const void *b)
{
    const struct sized *one = a, *other = b;

    if (one->passages != other->passages)
        return one->passages < other->passages ? 1 : -1;
    return (one->community > other->community) - (one->community < other->community);
}

static bool order_communities(struct overview *o, uint32_t documents, struct err *err)
{
    struct sized *sizes = arena_array(o->scratch, (size_t)documents + 1, sizeof *sizes);

    o->communities = arena_array(o->scratch, (size_t)documents + 1, sizeof *o->communities);
    if (!sizes || !o->communities)
        return err_arena(err, o->scratch);
    for (uint32_t d = 0; d < documents; d++)
        sizes[d].community = d;
    for (size_t p = 0; p < o->count; p++)
        sizes[o->passages[p].community].passages++;
    if (documents)
        qsort(sizes, documents, sizeof *sizes, larger_first);
    while (o->community_count < documents && sizes[o->community_count].passages) {
        o->communities[o->community_count] = sizes[o->community_count].community;
        o->community_count++;
    }
    return true;
}

static bool find_communities(struct overview *o, struct err *err)
{
    struct community_pair *pairs;
    uint32_t documents = 0, *labels;
    size_t count = 0;

    if (o->count)
        qsort(o->passages, o->count, sizeof *o->passages, by_document);
    if (!read_pairs(o, &pairs, &count, &documents, err))
        return false;
    labels = arena_array(o->scratch, (size_t)documents + 1, sizeof *labels);
    if (!labels)
        return err_arena(err, o->scratch);
    if (!communities_find(o->scratch, pairs, count, documents, (uint32_t)o->by_name.count, labels,
                          err))
        return false;
    for (size_t p = 0; p < o->count; p++)
        o->passages[p].community = labels[o->passages[p].place];
    return order_communities(o, documents, err);
}

/* The sentence of a community that adds most; of equals the first document's. */
static const struct seen_passage *best_sentence(const struct overview *o, const struct grounded *g,
                                                uint32_t community,
                                                const struct mention_sentence **out)
{
    const struct seen_passage *best = NULL;
    double most = 0;

    for (size_t p = 0; p < o->count; p++) {
        const struct seen_passage *passage = &o->passages[p];

        if (passage->community != community ||
            told_of(g->citations, g->citation_count, passage->document) >= A_DOCUMENT)
            continue;
        for (size_t i = 0; i < passage->mentions.sentence_count; i++) {
            const struct mention_sentence *s = &passage->mentions.sentences[i];
            double worth = worth_of(passage, s);

            bool more = worth > most * (1 + 1e-9);

            if (worth <= 0 || (best && !more &&
                               (worth < most || str_cmp(passage->document, best->document) >= 0)))
                continue;
            most = worth;
            best = passage;
            *out = s;
        }
    }
    return best;
}

static bool tell(const struct overview *o, struct arena *arena, const struct seen_passage *p,
                 const struct mention_sentence *s, struct citation *out, struct err *err)
{
    struct lexical_hit hit = lexical_hit_at(o->access->view, p->number);
    struct found found = {.key = hit.key, .document_record = hit.document_record};
    struct sentence sentence = {s->block, s->from, s->to};

    if (!passage_read(o->scratch, hit.record, &found.passage) || s->block >= found.passage.count ||
        s->from >= s->to || s->to > found.passage.blocks[s->block].text.len)
        return err_set(err, ERR_INTERNAL, "could not read a passage of document \"" STR_FMT "\"",
                       STR_ARG(hit.key));
    for (size_t i = 0; i < s->count; i++)
        if (p->topics[s->names[i]])
            p->topics[s->names[i]]->told = true;
    return cite_between(arena, &found, sentence, sentence, out, err);
}

/* A sentence of each community in turn, the largest first, until there are enough or none is left. */
static bool tell_communities(const struct overview *o, struct arena *arena, struct grounded *g,
                             struct err *err)
{
    size_t before;

    do {
        before = g->citation_count;
        for (size_t c = 0; c < o->community_count && g->citation_count < OVERVIEW_SENTENCES; c++) {
            const struct mention_sentence *sentence = NULL;
            const struct seen_passage *best = best_sentence(o, g, o->communities[c], &sentence);

            if (best && !tell(o, arena, best, sentence, &g->citations[g->citation_count++], err))
                return false;
        }
    } while (g->citation_count > before && g->citation_count < OVERVIEW_SENTENCES);
    return true;
}

static bool write_report(struct arena *arena, const struct overview *o, struct grounded *g,
                         struct err *err)
{
    bool zh = str_eq(g->language, STR("zh"));
    struct buf b;

    buf_init(&b, arena, TEXT_MAX);
    for (size_t i = 0; i < g->citation_count; i++)
        buf_fmt(&b, "- " STR_FMT " [%zu]\n", STR_ARG(g->citations[i].quote), i + 1);
    if (o->sampled)
        buf_fmt(&b,
                zh ? "\n（从全部段落中均匀选取了 %zu 段。）\n"
                   : "\n(From %zu passages, taken evenly from all.)\n",
                o->count);
    buf_fmt(&b, "\n%s", zh ? "来源：" : "Sources:");
    for (size_t i = 0; i < g->citation_count; i++) {
        buf_char(&b, '\n');
        citation_write_source(&b, &g->citations[i], i + 1, zh);
    }
    return buf_finish(&b, &g->text, err);
}

bool ground_overview(const struct access *access, struct arena *arena, struct str question,
                     struct grounded *out, struct err *err)
{
    struct arena *scratch CLEANUP(arena_end) = arena_new(SCRATCH_ARENA);
    struct overview o = {.access = access, .scratch = scratch};
    struct grounded g = {.language = text_language(question), .retrieval = way_name(WAY_OVERVIEW)};

    if (!scratch)
        return err_no_room(err, "no memory for an overview");
    table_init(&o.by_name, scratch, NAMES_MAX + 1);
    o.passages = arena_array(scratch, PASSAGES_MAX + 1, sizeof *o.passages);
    g.citations = arena_array(arena, OVERVIEW_SENTENCES, sizeof *g.citations);
    if (!o.passages || !g.citations)
        return err_arena(err, o.passages ? arena : scratch);
    if (!read_passages(&o, err) || !find_communities(&o, err))
        return false;
    for (int round = 0; round < ROUNDS; round++)
        rank_round(&o);
    if (!tell_communities(&o, arena, &g, err))
        return false;
    g.answered = g.citation_count > 0;
    g.confidence = g.answered ? 1 : 0; /* it claims nothing beside what it quotes */
    if (g.answered && !write_report(arena, &o, &g, err))
        return false;
    *out = g;
    return true;
}
