/* weir_eval [DATA]: the embedded default against question sets, with the baselines beside.
 *   weir_eval                           the sample in tests/quality/data, from the source's top folder
 *   weir_eval DATA                      the whole sets (README.md says where they come from)
 *   weir_eval DATA --language en        one of the two
 *   weir_eval DATA --set squad2-en      one set's questions, over all passages
 *   weir_eval DATA --every 10           each tenth question: seconds instead of a minute
 *   weir_eval DATA --train FILE         the features for train.c beside the figures
 *   weir_eval DATA --spans FILE         instead: the candidates for train_spans.c
 *   weir_eval DATA --unseen FILE        spans by the weights in it that have not seen a question's article */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rgb.h"
#include "score.h"
#include "sets.h"
#include "span_file.h"

#define SCRATCH    ((size_t)64 * MIB)
#define SETS_MAX   16
#define AWAY_EVERY 3 /* questions of which spans are also learned with the answer's article away */

struct tally {
    struct str set;
    uint32_t asked, answerable;
    uint32_t first, five, ten; /* the passage among the best 1, 5, 10 */
    uint32_t chosen;           /* the passage of the best sentence is the right one */
    uint32_t given1, given3;   /* right passage given: the best sentence, the best three */
    uint32_t shown, letters;   /* ... what is cited holds the answer; bytes of it in all */
    double exact, f1;          /* passage given: the best words */
    double marked, exact_shown, f1_shown; /* ... marked in what is cited */
    uint32_t spanned;                     /* the sentence of the best span holds the answer */
    uint32_t cited, cited_first;          /* over all passages: a cited sentence holds the answer */
    uint32_t answered, right, refused_well, refused_badly;
    double *sure, *unsure; /* answerable_of() of both kinds, over all passages */
    double *given_sure, *given_unsure, *away;
    double *words_sure, *words_unsure; /* by the score of the best words alone */
    uint32_t sure_count, unsure_count, away_count;
};

struct eval {
    struct collection *c;
    struct lexical_view *view;
    struct access access; /* all of it */
    struct analyser *analyser;
    struct arena *scratch;
    FILE *train, *spans;
    struct span_weights *unseen; /* [LANGUAGES][SPAN_FOLDS], or NULL: those that ship */
    uint32_t every;
    const char *only;      /* set, or NULL */
    struct tally *tallies; /* SETS_MAX */
    size_t tally_count;
    uint32_t question_number, article; /* the same number for all questions of one title */
};

static struct tally *tally_of(struct eval *e, struct str set)
{
    for (size_t i = 0; i < e->tally_count; i++)
        if (str_eq(e->tallies[i].set, set))
            return &e->tallies[i];
    ASSERT(e->tally_count < SETS_MAX);
    struct tally *t = &e->tallies[e->tally_count++];
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
    return t;
}

static struct str candidate_text(const struct candidate *c)
{
    struct sentence s = c->found->sentences[c->sentence];

    return str_slice(c->found->passage.blocks[s.block].text, s.from, s.to);
}

/* Share of pairs (answerable, unanswerable) that the confidence puts in order. */
static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double area(double *sure, size_t n, double *unsure, size_t m)
{
    double pairs = 0;

    qsort(sure, n, sizeof *sure, compare_doubles);
    qsort(unsure, m, sizeof *unsure, compare_doubles);
    for (size_t i = 0, below = 0, same = 0; i < n; i++) {
        while (below < m && unsure[below] < sure[i])
            below++;
        for (same = below; same < m && unsure[same] == sure[i];)
            same++;
        pairs += (double)below + (double)(same - below) / 2;
    }
    return n && m ? pairs / ((double)n * (double)m) : 0;
}

static double accuracy_at(const double *sure, size_t n, const double *unsure, size_t m, double bar)
{
    size_t right = 0;

    for (size_t i = 0; i < n; i++)
        right += sure[i] >= bar;
    for (size_t i = 0; i < m; i++)
        right += unsure[i] < bar;
    return n + m ? (double)right / (double)(n + m) : 0;
}

/* --- training output -------------------------------------------------------------------------- */

static void dump_candidates(struct eval *e, const struct asked_question *q,
                            const struct candidate *list, size_t count, char kind)
{
    if (!q->answer_count)
        return;
    for (size_t i = 0; i < count && i < 60; i++) {
        bool gold =
            str_eq(list[i].found->key, q->document) && holds_answer(q, candidate_text(&list[i]));

        fprintf(e->train, "%c\t" STR_FMT "\t%u\t%u\t%d", kind, STR_ARG(q->set), e->question_number,
                e->article, gold);
        for (int f = 0; f < FEATURES; f++)
            fprintf(e->train, "\t%.5g", (double)list[i].features[f]);
        fputc('\n', e->train);
    }
}

static void dump_signs(struct eval *e, const struct asked_question *q, const struct inquiry *in,
                       bool good, char kind)
{
    fprintf(e->train, "%c\t" STR_FMT "\t%u\t%u\t%d", kind, STR_ARG(q->set), e->question_number,
            e->article, q->answer_count ? (good ? 2 : 1) : 0);
    for (int i = 0; i < SIGNS; i++)
        fprintf(e->train, "\t%.5g", (double)in->signs[i]);
    fputc('\n', e->train);
}

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

/* As inquire() does, with the weights that this question is measured by. */
static bool ask_documents(struct eval *e, struct str text, struct inquiry *in, struct err *err)
{
    struct lexical_hits hits;

    *in = (struct inquiry){0};
    return question_read(&e->access, e->analyser, e->scratch, text, &in->question, err) &&
           lexical_search(e->view, e->scratch,
                          &(struct lexical_query){&in->question.terms, NULL, PASSAGES_ASKED}, &hits,
                          err) &&
           rank_hits(e, &hits, in, err);
}

static bool only_right_passage(struct eval *e, const struct asked_question *q, struct inquiry *in,
                               struct err *err)
{
    struct lexical_document_info info;
    struct lexical_hits hits;

    if (!lexical_find(e->view, q->document, &info))
        return err_set(err, ERR_INTERNAL, "a question's passage is not there");
    if (!lexical_search(e->view, e->scratch,
                        &(struct lexical_query){&in->question.terms, NULL, 1000}, &hits, err))
        return false;
    size_t kept = 0;
    for (size_t i = 0; i < hits.count; i++)
        if (str_eq(hits.at[i].key, q->document))
            hits.at[kept++] = hits.at[i];
    hits.count = kept;
    return rank_hits(e, &hits, in, err);
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

static bool ask_given(struct eval *e, const struct asked_question *q, struct tally *t,
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
    *(q->answer_count ? &t->given_sure[t->sure_count] : &t->given_unsure[t->unsure_count]) =
        (double)in.answerable;
    *(q->answer_count ? &t->words_sure[t->sure_count] : &t->words_unsure[t->unsure_count]) =
        (double)in.spans.odds;
    if (e->train && in.ranked_count) {
        dump_candidates(e, q, in.ranked, in.ranked_count, 'G');
        dump_signs(e, q, &in, holds_answer(q, candidate_text(&in.ranked[0])), 'g');
    }
    return true;
}

/* The question's passage, or the same text that came with another set. */
static bool is_passage(struct eval *e, const struct lexical_hit *hit,
                       const struct asked_question *q)
{
    struct lexical_document_info info;
    struct document_record wanted, got;

    return str_eq(hit->key, q->document) || (lexical_find(e->view, q->document, &info) &&
                                             document_record_read(info.record, &wanted) &&
                                             document_record_read(hit->document_record, &got) &&
                                             memcmp(&wanted.hash, &got.hash, sizeof got.hash) == 0);
}

static bool is_found(struct eval *e, const struct found *found, const struct asked_question *q)
{
    return is_passage(
        e, &(struct lexical_hit){.key = found->key, .document_record = found->document_record}, q);
}

static bool ask_search(struct eval *e, const struct asked_question *q, struct tally *t,
                       const struct inquiry *in, struct err *err)
{
    struct lexical_hits hits;

    if (!lexical_search(e->view, e->scratch, &(struct lexical_query){&in->question.terms, NULL, 10},
                        &hits, err))
        return false;
    for (size_t i = 0; i < hits.count; i++) {
        if (!is_passage(e, &hits.at[i], q))
            continue;
        t->first += i < 1;
        t->five += i < 5;
        t->ten += i < 10;
        break;
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
        t->chosen += is_found(e, in->ranked[0].found, q);
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
    }
    return true;
}

/* The same question when everything from its passage's article is taken away: nothing answers it. */
static bool ask_without(struct eval *e, const struct asked_question *q, struct tally *t,
                        struct inquiry in, struct err *err)
{
    struct lexical_document_info info;
    struct document_record own, record;
    struct lexical_hits hits;
    size_t kept = 0;

    if (!lexical_find(e->view, q->document, &info) || !document_record_read(info.record, &own))
        return err_set(err, ERR_INTERNAL, "a question's passage is not there");
    if (!lexical_search(e->view, e->scratch, &(struct lexical_query){&in.question.terms, NULL, 200},
                        &hits, err))
        return false;
    for (size_t i = 0; i < hits.count && kept < PASSAGES_ASKED; i++)
        if (document_record_read(hits.at[i].document_record, &record) &&
            !str_eq(record.title, own.title))
            hits.at[kept++] = hits.at[i];
    hits.count = kept;
    if (!rank_hits(e, &hits, &in, err))
        return false;
    if (e->spans) {
        struct asked_question none = *q;

        none.answer_count = 0;
        return span_given(e, &none, t, &in, err);
    }
    t->away[t->away_count++] = (double)in.answerable;
    if (e->train && in.ranked_count) {
        struct asked_question none = *q;

        none.answer_count = 0;
        dump_signs(e, &none, &in, false, 'n');
    }
    return true;
}

/* For training on some articles and measuring on the others; stable from run to run. */
static uint32_t article_of(struct eval *e, const struct asked_question *q)
{
    static const uint8_t key[16] = "article";
    struct lexical_document_info info;
    struct document_record record;

    if (!lexical_find(e->view, q->document, &info) || !document_record_read(info.record, &record))
        return 0;
    return (uint32_t)(siphash_keyed(key, record.title) % 1000000);
}

static bool ask(struct eval *e, const struct asked_question *q, struct err *err)
{
    struct tally *t = tally_of(e, q->set);
    struct inquiry in;

    e->article = article_of(e, q);

    if (!ask_documents(e, q->text, &in, err))
        return false;
    t->asked++;
    t->answerable += q->answer_count > 0;
    if (e->spans)
        return only_right_passage(e, q, &in, err) && span_given(e, q, t, &in, err) &&
               (e->question_number % AWAY_EVERY || ask_without(e, q, t, in, err));
    if (q->answer_count && !ask_search(e, q, t, &in, err))
        return false;
    if (!ask_all(e, q, t, &in, err) || !ask_given(e, q, t, in, err) ||
        !ask_without(e, q, t, in, err))
        return false;
    t->sure_count += q->answer_count > 0;
    t->unsure_count += q->answer_count == 0;
    return true;
}

/* --- figures ---------------------------------------------------------------------------------- */

static const struct {
    const char *set;
    double first, five, ten, given, exact, f1;
} baselines[] = {
    {"squad2-en", .761, .904, .934, .893, 35.0, 44.7},
    {"xquad-en", .869, .964, .972, .852, 31.0, 40.1},
    {"clapnq", .913, .960, .973, 0, 0, 0},
    {"cmrc2018", .944, .985, .989, .660, 25.6, 39.4},
    {"drcd", .885, .959, .969, .827, 29.9, 43.0},
    {"xquad-zh", .828, .917, .935, .823, 19.5, 37.0},
};

static void print_words_baseline(struct str set)
{
    for (size_t i = 0; i < ARRAY_LEN(baselines); i++)
        if (str_eq(set, str_from(baselines[i].set)) && baselines[i].f1 > 0)
            printf("    baseline      EM %.1f F1 %.1f\n", baselines[i].exact, baselines[i].f1);
}

static void print_baseline(struct str set)
{
    for (size_t i = 0; i < ARRAY_LEN(baselines); i++)
        if (str_eq(set, str_from(baselines[i].set)))
            printf(
                "    baseline      passage @1/5/10 %.3f %.3f %.3f   sentence, passage given %.3f\n",
                baselines[i].first, baselines[i].five, baselines[i].ten, baselines[i].given);
}

/* At the bar that suits this set best: what the published figure is. */
static double top_accuracy(const double *sure, size_t n, const double *unsure, size_t m)
{
    double best = 0;

    for (int percent = 0; percent <= 100; percent++) {
        double accuracy = accuracy_at(sure, n, unsure, m, percent / 100.0);

        best = accuracy > best ? accuracy : best;
    }
    return best;
}

static void print_tally(struct tally *t)
{
    double n = t->answerable > 0 ? t->answerable : 1, none = t->asked - t->answerable;

    printf("  " STR_FMT ": %u questions, %u answerable\n", STR_ARG(t->set), t->asked,
           t->answerable);
    printf("    Weir          passage @1/5/10 %.3f %.3f %.3f   sentence, passage given %.3f (of 3: "
           "%.3f)\n",
           t->first / n, t->five / n, t->ten / n, t->given1 / n, t->given3 / n);
    printf(
        "    as it answers passage of the best sentence is right %.3f   cited, passage given %.3f "
        "in %.0f bytes\n",
        t->chosen / n, t->shown / n, t->letters / n);
    print_baseline(t->set);
    printf(
        "    exact words   EM %.1f F1 %.1f, passage given; their sentence holds the answer %.3f\n",
        100 * t->exact / n, 100 * t->f1 / n, t->spanned / n);
    print_words_baseline(t->set);
    printf("    marked words  in %.3f of what is cited, of these EM %.1f F1 %.1f\n", t->marked / n,
           t->marked > 0 ? 100 * t->exact_shown / t->marked : 0,
           t->marked > 0 ? 100 * t->f1_shown / t->marked : 0);
    printf(
        "    end to end    best sentence holds the answer %.3f; answered and cited right %.3f of "
        "answerable, %.3f of answered\n",
        t->cited_first / n, t->right / n, t->answered ? (double)t->right / t->answered : 0);
    printf("    taken away    AUC %.3f; refused %.3f when the article that answers is not there\n",
           area(t->sure, t->sure_count, t->away, t->away_count),
           accuracy_at(NULL, 0, t->away, t->away_count, (double)answer_bar));
    if (none < 1)
        return;
    printf("    refusal       AUC %.3f, accuracy %.3f; passage given: AUC %.3f, accuracy at its "
           "best bar "
           "%.3f (baseline 0.69, 0.605)\n"
           "                  refused %.3f of unanswerable, %.3f of answerable\n",
           area(t->sure, t->sure_count, t->unsure, t->unsure_count),
           accuracy_at(t->sure, t->sure_count, t->unsure, t->unsure_count, (double)answer_bar),
           area(t->given_sure, t->sure_count, t->given_unsure, t->unsure_count),
           top_accuracy(t->given_sure, t->sure_count, t->given_unsure, t->unsure_count),
           t->refused_well / none, t->refused_badly / n);
    printf("                  by the score of the best words alone, passage given: AUC %.3f\n",
           area(t->words_sure, t->sure_count, t->words_unsure, t->unsure_count));
}

static bool run(struct eval *e, struct err *err)
{
    size_t count;
    const struct asked_question *questions = questions_of(e->c, &count);

    for (size_t i = 0; i < count; i += e->every) {
        size_t mark = arena_mark(e->scratch);

        if (e->only && !str_eq(questions[i].set, str_from(e->only)))
            continue;
        e->question_number = (uint32_t)i;
        if (!ask(e, &questions[i], err))
            return false;
        arena_rewind(e->scratch, mark);
    }
    for (size_t i = 0; i < e->tally_count; i++)
        print_tally(&e->tallies[i]);
    return true;
}

static bool run_noisy(struct eval *e, struct err *err)
{
    size_t count;
    const struct noisy_question *q = noisy_questions_of(e->c, &count);
    struct noisy_eval noisy = {
        .access = &e->access, .analyser = e->analyser, .scratch = e->scratch};

    if (!count || e->spans || e->train || (e->only && strcmp(e->only, "rgb") != 0))
        return true;
    return noisy_run(&noisy, q, count, err);
}

static bool load(struct collection *c, const char *data, bool zh, struct err *err)
{
    if (!data)
        return load_sample(c, zh ? "zh" : "en", err);
    return (zh ? load_chinese : load_english)(c, data, err);
}

static bool eval_language(const char *dir, const char *data, bool zh, struct eval *e,
                          struct err *err)
{
    struct collection c;
    bool ok = collection_open(dir, &c, err) && load(&c, data, zh, err) && collection_ready(&c, err);

    if (ok) {
        e->c = &c;
        e->view = lexical_borrow(c.knowledge->index);
        e->access = (struct access){.view = e->view};
        e->scratch = arena_new(SCRATCH);
        e->tallies = arena_array(c.arena, SETS_MAX, sizeof *e->tallies);
        printf("%s: %" PRIu64 " passages\n", zh ? "Chinese" : "English",
               lexical_stats(e->view).passages);
        ok = analyser_open(&e->analyser, err) && run(e, err) && run_noisy(e, err);
        analyser_close(&e->analyser);
        lexical_release(&e->view);
        arena_end(&e->scratch);
    }
    collection_close(&c);
    return ok;
}

static int remove_one(const char *path, const struct stat *info, int flag, struct FTW *ftw)
{
    (void)info, (void)flag, (void)ftw;
    return remove(path);
}

static void remove_tree(const char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct span_weights *read_unseen(const char *path)
{
    static struct span_weights weights[LANGUAGES * SPAN_FOLDS];
    FILE *file = fopen(path, "r");
    bool ok = file && fread(weights, sizeof weights, 1, file) == 1;

    if (file)
        fclose(file);
    if (!ok) {
        fprintf(stderr, "weir_eval: could not read %s\n", path);
        exit(2);
    }
    return weights;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct eval settings = {.every = 1};
    bool only_en = false, only_zh = false;
    const char *data = argc > 1 && argv[1][0] != '-' ? argv[1] : NULL;
    char dir[] = "/tmp/weir-eval-XXXXXX", sub[64];

    for (int i = data ? 2 : 1; i + 1 < argc; i += 2) {
        uint64_t n;

        if (strcmp(argv[i], "--train") == 0)
            settings.train = fopen(argv[i + 1], "w");
        else if (strcmp(argv[i], "--set") == 0)
            settings.only = argv[i + 1];
        else if (strcmp(argv[i], "--spans") == 0)
            settings.spans = fopen(argv[i + 1], "w");
        else if (strcmp(argv[i], "--unseen") == 0)
            settings.unseen = read_unseen(argv[i + 1]);
        else if (strcmp(argv[i], "--every") == 0 && u64_parse(str_from(argv[i + 1]), &n) && n > 0)
            settings.every = (uint32_t)n;
        else if (strcmp(argv[i], "--language") == 0) {
            only_en = strcmp(argv[i + 1], "en") == 0;
            only_zh = strcmp(argv[i + 1], "zh") == 0;
        }
    }
    if (!mkdtemp(dir)) {
        perror("mkdtemp");
        return 2;
    }
    for (int zh = only_zh; zh <= !only_en && err.code == ERR_NONE; zh++) {
        struct eval e = settings;

        (void)snprintf(sub, sizeof sub, "%s/%s", dir, zh ? "zh" : "en");
        if (!eval_language(sub, data, zh, &e, &err))
            fprintf(stderr, "weir_eval: %s\n", err.text);
    }
    if (settings.train)
        fclose(settings.train);
    if (settings.spans)
        fclose(settings.spans);
    remove_tree(dir);
    return err.code != ERR_NONE;
}
