/* "What are the main topics?": sentences from all over what the asker may read, by what the names in them
 * count. The names' ranks are PageRank over names and passages (20 rounds, no start of its own); each sentence
 * is worth the ranks of its names that no sentence before it had, and each document gives at most two. */
#include <string.h>

#include "knowledge/answer.h"

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
    bool told;
};
struct seen_passage {
    uint64_t number;
    struct str document;
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

/* The sentence that adds most; of equals the first document's. */
static const struct seen_passage *best_sentence(const struct overview *o, const struct grounded *g,
                                                const struct mention_sentence **out)
{
    const struct seen_passage *best = NULL;
    double most = 0;

    for (size_t p = 0; p < o->count; p++) {
        const struct seen_passage *passage = &o->passages[p];

        if (told_of(g->citations, g->citation_count, passage->document) >= A_DOCUMENT)
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
    const struct seen_passage *best;
    const struct mention_sentence *sentence = NULL;

    if (!scratch)
        return err_no_room(err, "no memory for an overview");
    table_init(&o.by_name, scratch, NAMES_MAX + 1);
    o.passages = arena_array(scratch, PASSAGES_MAX + 1, sizeof *o.passages);
    g.citations = arena_array(arena, OVERVIEW_SENTENCES, sizeof *g.citations);
    if (!o.passages || !g.citations)
        return err_arena(err, o.passages ? arena : scratch);
    if (!read_passages(&o, err))
        return false;
    for (int round = 0; round < ROUNDS; round++)
        rank_round(&o);
    while (g.citation_count < OVERVIEW_SENTENCES && (best = best_sentence(&o, &g, &sentence)))
        if (!tell(&o, arena, best, sentence, &g.citations[g.citation_count++], err))
            return false;
    g.answered = g.citation_count > 0;
    g.confidence = g.answered ? 1 : 0; /* it claims nothing beside what it quotes */
    if (g.answered && !write_report(arena, &o, &g, err))
        return false;
    *out = g;
    return true;
}
