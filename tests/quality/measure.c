#include "measure.h"

#include <stdlib.h>
#include <string.h>

#include "headless.h"
#include "knowledge/likely.h"
#include "knowledge/ranking.h"
#include "knowledge/vectors.h"
#include "score.h"

#define HEADLESS_FROM 1000000 /* their numbers */
#define PIECES_FROM   2000000
#define AWAY_EVERY    3 /* questions of which spans are also learned with the answer's article away */

static void open_tally(struct eval *e, struct str set, struct tally *t)
{
    size_t count;

    (void)questions_of(e->c, &count);
    t->set = set;
    t->sure = arena_array(e->c->arena, count, sizeof(double));
    t->unsure = arena_array(e->c->arena, count, sizeof(double));
    t->given_sure = arena_array(e->c->arena, count, sizeof(double));
    t->away = arena_array(e->c->arena, count, sizeof(double));
    t->words_sure = arena_array(e->c->arena, count, sizeof(double));
    t->words_unsure = arena_array(e->c->arena, count, sizeof(double));
    t->given_unsure = arena_array(e->c->arena, count, sizeof(double));
}

static struct tally *tally_of(struct eval *e, struct str set)
{
    for (size_t i = 0; i < e->tally_count; i++)
        if (str_eq(e->tallies[i].set, set))
            return &e->tallies[i];
    ASSERT(e->tally_count < SETS_MAX);
    open_tally(e, set, &e->tallies[e->tally_count]);
    return &e->tallies[e->tally_count++];
}

#define LIKELY_DEPTH 10 /* passages of a question that are shown to train_likely.c */

/* --- one question ----------------------------------------------------------------------------- */

static const struct span_weights *weights_for(const struct eval *e, const struct inquiry *in)
{
    int language = language_number(in->question.language);

    return e->unseen ? &e->unseen[language * SPAN_FOLDS + (int)(e->article % SPAN_FOLDS)]
                     : &span_weights[language];
}

static struct span_request request_for(const struct eval *e, const struct inquiry *in)
{
    return (struct span_request){.access = &e->access,
                                 .analyser = e->analyser,
                                 .arena = e->scratch,
                                 .question = &in->question,
                                 .ranked = in->ranked,
                                 .count = in->ranked_count,
                                 .weights = weights_for(e, in)};
}

static bool rank_hits(struct eval *e, const struct lexical_hits *hits, struct inquiry *in,
                      struct err *err)
{
    struct span_request request = request_for(e, in);

    return inquire_in(&request, hits, in, err);
}

/* As inquire_of() does, with the weights that this question is measured by. */
static bool ask_documents(struct eval *e, struct str text, struct inquiry *in, struct err *err)
{
    struct knowledge_question asked = {.text = text};
    struct find_wish wish = {.knowledge = e->c->knowledge,
                             .question = &asked,
                             .terms = &in->question.terms,
                             .limit = PASSAGES_ASKED};
    struct lexical_hits hits;

    *in = (struct inquiry){0};
    return question_read(&e->access, e->analyser, e->scratch, text, &in->question, err) &&
           find_passages(&e->access, e->scratch, &wish, &hits, err) && rank_hits(e, &hits, in, err);
}

static const struct lexical_hit *find_hit(const struct lexical_hits *hits, uint64_t passage)
{
    for (size_t i = 0; i < hits->count; i++)
        if (hits->at[i].passage == passage)
            return &hits->at[i];
    return NULL;
}

static int compare_hits(const void *a, const void *b)
{
    const struct lexical_hit *left = a, *right = b;

    if (left->score < right->score || left->score > right->score)
        return left->score < right->score ? 1 : -1;
    return (left->passage > right->passage) - (left->passage < right->passage);
}

/* The passage is given, whether or not the question has a word of it. */
static bool only_right_passage(struct eval *e, const struct asked_question *q, struct inquiry *in,
                               struct err *err)
{
    struct lexical_document_info info;
    struct lexical_hits hits, given = {0};

    if (!lexical_find(e->view, q->document, &info))
        return err_set(err, ERR_INTERNAL, "a question's passage is not there");
    given.at = arena_array(e->scratch, info.passages + (size_t)1, sizeof *given.at);
    if (!given.at)
        return err_arena(err, e->scratch);
    if (!lexical_search(e->view, e->scratch,
                        &(struct lexical_query){&in->question.terms, NULL, 1000}, &hits, err))
        return false;
    for (; given.count < info.passages; given.count++) {
        uint64_t passage = info.first + given.count;
        const struct lexical_hit *found = find_hit(&hits, passage);

        given.at[given.count] = found ? *found : lexical_hit_at(e->view, passage);
    }
    qsort(given.at, given.count, sizeof *given.at, compare_hits);
    return rank_hits(e, &given, in, err);
}

struct span_dump {
    struct eval *e;
    const struct asked_question *q;
    bool zh;
    struct buf *rows;
    uint32_t count;
};

static struct str span_text(const struct span *span)
{
    struct sentence s = span->sentence->found->sentences[span->sentence->sentence];

    return str_slice(span->sentence->found->passage.blocks[s.block].text, span->from, span->to);
}

static void dump_span(void *to, const struct span *span, const uint16_t *ids, size_t count)
{
    struct span_dump *d = to;
    struct score score = score_answer(span_text(span), d->q->answers, d->q->answer_count, d->zh);
    struct span_row row = {
        .exact = score.exact > 0, .f1 = (uint8_t)(score.f1 * 255), .ids = (uint16_t)count};

    buf_put(d->rows, &row, sizeof row);
    buf_put(d->rows, ids, count * sizeof *ids);
    d->count++;
}

static bool span_given(struct eval *e, const struct asked_question *q, struct tally *t,
                       const struct inquiry *in, struct err *err)
{
    struct buf rows;
    struct span_dump dump = {
        .e = e, .q = q, .zh = language_number(in->question.language) > 0, .rows = &rows};
    struct span_choice choice;
    struct span_request request = request_for(e, in);

    request.take = e->spans ? dump_span : NULL;
    request.to = &dump;
    if ((!q->answer_count && !e->spans) || !in->ranked_count)
        return true;
    size_t mark = arena_mark(e->c->arena);
    buf_init(&rows, e->c->arena, 256 * MIB);
    if (!spans_rank(&request, &choice, err))
        return false;
    if (choice.count && q->answer_count) {
        struct score score =
            score_answer(span_text(&choice.best[0]), q->answers, q->answer_count, dump.zh);

        t->exact += score.exact;
        t->f1 += score.f1;
        t->spanned += holds_answer(q, candidate_text(choice.best[0].sentence));
    }
    if (e->spans && dump.count && !str_eq(q->set, STR("policyqa"))) {
        struct span_group group = {.question = e->question_number,
                                   .article = e->article,
                                   .count = dump.count,
                                   .answers = (uint32_t)q->answer_count};

        (void)snprintf(group.set, sizeof group.set, STR_FMT, STR_ARG(q->set));
        fwrite(&group, sizeof group, 1, e->spans);
        fwrite(rows.ptr, 1, rows.len, e->spans);
    }
    arena_rewind(e->c->arena, mark);
    return true;
}

/* What a reader is shown, were it not refused: one sentence, or several. */
static bool cite_given(struct eval *e, const struct asked_question *q, struct tally *t,
                       struct inquiry in, struct err *err)
{
    struct grounded g;
    bool hit = false;

    if (!q->answer_count || !in.ranked_count)
        return true;
    in.answerable = 1;
    if (!ground(&(struct access){.view = e->view}, e->scratch, &in, &g, err))
        return false;
    for (size_t i = 0; i < g.citation_count; i++) {
        hit = hit || holds_answer(q, g.citations[i].quote);
        t->letters += (uint32_t)g.citations[i].quote.len;
        if (g.citations[i].words.text.len) {
            struct score score =
                score_answer(g.citations[i].words.text, q->answers, q->answer_count,
                             language_number(in.question.language) > 0);

            t->marked++;
            t->exact_shown += score.exact;
            t->f1_shown += score.f1;
        }
    }
    t->shown += hit;
    return true;
}

/* Plain overlap over the same sentences: what the ranker is to be better than. */
static bool most_shared_holds(const struct asked_question *q, const struct inquiry *in)
{
    const struct candidate *best = in->ranked;

    for (size_t i = 1; i < in->ranked_count; i++)
        if (in->ranked[i].features[F_WORDS] > best->features[F_WORDS])
            best = &in->ranked[i];
    return in->ranked_count && holds_answer(q, candidate_text(best));
}

static NOINLINE bool ask_given(struct eval *e, const struct asked_question *q, struct tally *t,
                               struct inquiry in, struct err *err)
{
    bool hit = false;

    if (!only_right_passage(e, q, &in, err) || !cite_given(e, q, t, in, err) ||
        !span_given(e, q, t, &in, err))
        return false;
    for (size_t i = 0; i < in.ranked_count && i < 3; i++) {
        hit = hit || holds_answer(q, candidate_text(&in.ranked[i]));
        t->given1 += i == 0 && hit;
    }
    t->given3 += hit;
    if (!hit && q->answer_count)
        miss(e->misses, "not in the best three sentences", q->set, q->text,
             arena_fmt(e->scratch, STR_FMT " <- " STR_FMT, STR_ARG(q->answers[0]),
                       STR_ARG(in.ranked_count ? candidate_text(&in.ranked[0]) : STR_NONE)));
    t->overlap += most_shared_holds(q, &in);
    *(q->answer_count ? &t->given_sure[t->sure_count] : &t->given_unsure[t->unsure_count]) =
        (double)in.answerable;
    *(q->answer_count ? &t->words_sure[t->sure_count] : &t->words_unsure[t->unsure_count]) =
        (double)in.spans.odds;
    if (e->train && in.ranked_count) {
        dump_candidates(e, q, in.ranked, in.ranked_count, 'G');
        dump_signs(e, q, &in, holds_answer(q, candidate_text(&in.ranked[0])), 'g');
        dump_settling(e, q, &in, 'P');
    }
    return true;
}

static bool passage_holds(struct eval *e, struct str record, const struct asked_question *q)
{
    struct passage passage;

    if (!passage_read(e->scratch, record, &passage))
        return true;
    for (size_t k = 0; k < passage.count; k++)
        if (holds_answer(q, passage.blocks[k].text))
            return true;
    return false;
}

/* A piece of the question's passage, and one that has the answer. */
static bool is_right_piece(struct eval *e, const struct lexical_hit *hit,
                           const struct asked_question *q)
{
    struct document_record record;
    char id[DOCUMENT_ID_LEN + 1];

    if (!document_record_read(hit->document_record, &record))
        return false;
    document_id(piece_source(record.source), id);
    return str_eq(str_from(id), q->document) && passage_holds(e, hit->record, q);
}

/* The question's passage, or the same text that came with another set. */
static bool is_passage(struct eval *e, struct str key, const struct asked_question *q)
{
    struct lexical_document_info wanted, got;
    struct document_record a, b;

    return str_eq(key, q->document) ||
           (lexical_find(e->view, q->document, &wanted) && lexical_find(e->view, key, &got) &&
            document_record_read(wanted.record, &a) && document_record_read(got.record, &b) &&
            memcmp(&a.hash, &b.hash, sizeof a.hash) == 0);
}

/* As POST /api/v1/knowledge/search gives them. */
static bool ask_search(struct eval *e, const struct asked_question *q, struct tally *t,
                       struct err *err)
{
    struct knowledge_question asked = {.text = q->text};
    struct passages_found found;
    size_t at = 0;

    if (!search_now(e->c->knowledge, e->scratch, &asked, 10, &found, err))
        return false;
    while (at < found.count && !is_passage(e, found.list[at].document, q))
        at++;
    if (at > 0)
        miss(e->misses,
             at == found.count ? "not among ten" : (at < 5 ? "not first" : "not in five"), q->set,
             q->text,
             arena_fmt(e->scratch, "%s: " STR_FMT, found.retrieval,
                       STR_ARG(found.count ? found.list[0].quote : STR_NONE)));
    if (at == found.count)
        return true;
    t->first += at < 1;
    t->five += at < 5;
    t->ten++;
    t->reciprocal += 1.0 / (double)(at + 1);
    return true;
}

/* What train_ranking.c learns from: the passages that words find first, and which of them is the right one. */
static bool dump_order(struct eval *e, const struct asked_question *q, struct err *err)
{
    struct inquiry in = {.question.language = text_language(q->text)};
    struct ranking_request request = {&e->access, e->analyser, e->scratch, q->text,
                                      weights_for(e, &in)};
    struct lexical_hits hits;
    struct terms terms;
    float(*features)[RANKING_FEATURES];
    size_t count;

    if (!search_terms(&e->access, e->analyser, e->scratch, q->text, &terms, NULL, err) ||
        !lexical_search(e->view, e->scratch, &(struct lexical_query){&terms, NULL, RANKING_DEPTH},
                        &hits, err) ||
        !ranking_read(&request, &hits, &features, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        fprintf(e->ranking, STR_FMT "\t%u\t%u\t%d", STR_ARG(q->set), e->question_number, e->article,
                e->c->pieces ? is_right_piece(e, &hits.at[i], q)
                             : is_passage(e, hits.at[i].key, q));
        for (int f = 0; f < RANKING_FEATURES; f++)
            fprintf(e->ranking, "\t%.5g", (double)features[i][f]);
        fputc('\n', e->ranking);
    }
    return true;
}

/* What train_likely.c learns from: the first passages of each question, also of those that none answers. */
static bool dump_likely(struct eval *e, const struct asked_question *q, struct err *err)
{
    struct likely_request request = {.analyser = e->analyser, .arena = e->scratch};
    struct question question;
    struct lexical_hits hits;
    struct found *found;

    if (!question_read(&e->access, e->analyser, e->scratch, q->text, &question, err) ||
        !lexical_search(e->view, e->scratch,
                        &(struct lexical_query){&question.terms, NULL, LIKELY_DEPTH}, &hits, err) ||
        !found_whole(e->scratch, &hits, &found, err))
        return false;
    request.question = &question;
    for (size_t i = 0; i < hits.count; i++) {
        float x[LIKELY_FEATURES];
        bool any;

        if (!likely_signs(&request, &found[i], x, &any, err))
            return false;
        if (!any)
            continue;
        fprintf(e->likely, STR_FMT "\t%u\t%u\t%d", STR_ARG(q->set), e->question_number, e->article,
                q->answer_count && is_passage(e, hits.at[i].key, q));
        for (int f = 0; f < LIKELY_FEATURES; f++)
            fprintf(e->likely, "\t%.5g", (double)x[f]);
        fputc('\n', e->likely);
    }
    return true;
}

static bool ask_all(struct eval *e, const struct asked_question *q, struct tally *t,
                    const struct inquiry *in, struct err *err)
{
    struct grounded g;
    bool cited = false, first = false;

    if (!ground(&(struct access){.view = e->view}, e->scratch, in, &g, err))
        return false;
    for (size_t i = 0; i < g.citation_count && g.answered; i++) {
        cited = cited || holds_answer(q, g.citations[i].quote);
        first = first || (i == 0 && cited);
    }
    t->answered += g.answered;
    t->right += cited;
    bool would = in->ranked_count && holds_answer(q, candidate_text(&in->ranked[0]));
    t->cited_first += would;
    if (in->ranked_count && q->answer_count)
        t->chosen += is_passage(e, in->ranked[0].found->key, q);
    if (q->answer_count) {
        t->refused_badly += !g.answered;
        t->sure[t->sure_count] = (double)in->answerable;
    } else {
        t->refused_well += !g.answered;
        t->unsure[t->unsure_count] = (double)in->answerable;
    }
    if (e->train && in->ranked_count) {
        dump_candidates(e, q, in->ranked, in->ranked_count, 'A');
        dump_signs(e, q, in, would, 'a');
        dump_settling(e, q, in, 'Q');
    }
    return true;
}

/* What is taken away so that nothing answers. */
enum away {
    AWAY_ARTICLE, /* everything from the passage's article */
    AWAY_ANSWER, /* passages that hold the answer: others of the article remain, which look alike */
};

static bool is_away(struct eval *e, const struct asked_question *q, struct str title,
                    const struct lexical_hit *hit, enum away away)
{
    struct document_record record;

    if (away == AWAY_ANSWER)
        return is_passage(e, hit->key, q) || passage_holds(e, hit->record, q);
    return !document_record_read(hit->document_record, &record) || str_eq(record.title, title);
}

static bool ask_without(struct eval *e, const struct asked_question *q, struct tally *t,
                        struct inquiry in, enum away away, struct err *err)
{
    struct lexical_document_info info;
    struct document_record own = {0};
    struct asked_question none = *q;
    struct lexical_hits hits;
    size_t kept = 0;

    none.answer_count = 0;
    if (away == AWAY_ARTICLE &&
        (!lexical_find(e->view, q->document, &info) || !document_record_read(info.record, &own)))
        return err_set(err, ERR_INTERNAL, "a question's passage is not there");
    if (!lexical_search(e->view, e->scratch, &(struct lexical_query){&in.question.terms, NULL, 200},
                        &hits, err))
        return false;
    for (size_t i = 0; i < hits.count && kept < PASSAGES_ASKED; i++)
        if (!is_away(e, q, own.title, &hits.at[i], away))
            hits.at[kept++] = hits.at[i];
    hits.count = kept;
    if (!rank_hits(e, &hits, &in, err))
        return false;
    if (e->spans)
        return span_given(e, &none, t, &in, err);
    if (away == AWAY_ARTICLE)
        t->away[t->away_count++] = (double)in.answerable;
    if (e->train && in.ranked_count)
        dump_signs(e, &none, &in, false, away == AWAY_ARTICLE ? 'n' : 'l');
    return true;
}

/* For training on some articles and measuring on the others; stable from run to run. */
static uint32_t article_of(struct eval *e, const struct asked_question *q)
{
    static const uint8_t key[16] = "article";
    struct lexical_document_info info;
    struct document_record record;

    if (e->c->pieces)
        return (uint32_t)(siphash_keyed(key, q->article) % 1000000);
    if (!lexical_find(e->view, q->document, &info) || !document_record_read(info.record, &record))
        return 0;
    return (uint32_t)(siphash_keyed(key, record.title) % 1000000);
}

static bool give_spans(struct eval *e, const struct asked_question *q, struct tally *t,
                       struct inquiry *in, struct err *err)
{
    bool wide = language_number(in->question.language) > 0;

    return only_right_passage(e, q, in, err) && span_given(e, q, t, in, err) &&
           (e->question_number % AWAY_EVERY != 0 || ask_without(e, q, t, *in, AWAY_ARTICLE, err)) &&
           (!wide || e->question_number % AWAY_EVERY != 1 ||
            ask_without(e, q, t, *in, AWAY_ANSWER, err));
}

static bool ask_every_way(struct eval *e, const struct asked_question *q, struct tally *t,
                          struct err *err)
{
    struct inquiry in;

    if (!ask_documents(e, q->text, &in, err))
        return false;
    t->asked++;
    t->answerable += q->answer_count > 0;
    if (e->spans)
        return give_spans(e, q, t, &in, err);
    if (q->answer_count && !ask_search(e, q, t, err))
        return false;
    if (!ask_all(e, q, t, &in, err) || !ask_given(e, q, t, in, err) ||
        !ask_without(e, q, t, in, AWAY_ARTICLE, err))
        return false;
    if (e->train && language_number(in.question.language) > 0 &&
        !ask_without(e, q, t, in, AWAY_ANSWER, err))
        return false;
    t->sure_count += q->answer_count > 0;
    t->unsure_count += q->answer_count == 0;
    return true;
}

/* Over pieces of passages: the signs of what is picked, and of what is when no piece has the answer. */
static bool ask_pieces(struct eval *e, const struct asked_question *q, struct tally *t,
                       struct err *err)
{
    struct inquiry in;

    if (!ask_documents(e, q->text, &in, err))
        return false;
    if (in.ranked_count)
        dump_signs(e, q, &in, holds_answer(q, candidate_text(&in.ranked[0])), 'a');
    return ask_without(e, q, t, in, AWAY_ANSWER, err);
}

static bool ask(struct eval *e, const struct asked_question *q, struct tally *t, struct err *err)
{
    if (e->likely)
        return dump_likely(e, q, err);
    if (e->ranking)
        return !q->answer_count || dump_order(e, q, err);
    if (e->c->pieces)
        return ask_pieces(e, q, t, err);
    return ask_every_way(e, q, t, err);
}

/* Only for training: as it would be typed into a search box. */
static bool ask_headless(struct eval *e, const struct asked_question *q, struct err *err)
{
    struct asked_question other = *q;

    other.text = headless(e->scratch, q->text);
    if (!other.text.len)
        return true;
    if (!e->aside) {
        e->aside = arena_alloc(e->c->arena, sizeof *e->aside);
        if (!e->aside)
            return err_arena(err, e->c->arena);
        open_tally(e, STR("headless"), e->aside);
    }
    e->question_number += HEADLESS_FROM;
    return ask(e, &other, e->aside, err);
}

bool measure_question(struct eval *e, const struct asked_question *q, struct err *err)
{
    struct tally *t = tally_of(e, q->set);

    e->article = article_of(e, q);
    if (e->c->pieces)
        e->question_number += PIECES_FROM;
    return ask(e, q, t, err) &&
           ((!e->spans && !e->train && !e->ranking) || ask_headless(e, q, err));
}
