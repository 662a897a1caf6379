#include "knowledge/choose.h"

#include "knowledge/number_forms.h"
#include "knowledge/span.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SHORT_WORDS 4
#define BESIDE      2    /* "the Director of Claims, Ingrid Solheim" */
#define KIN_MISSING 0.3f /* of a word's weight, when the passage has only its kin */
#define SOME_TIME   0.3f /* of cue_stands(): a number at least */

/* Scores by rule. */
#define NEGATED_COST  0.8f /* "is it covered?": "not when ..." is the second half of the answer */
#define NAMED_GAIN    1.0f /* "who is the director?": "the director, Ms Solheim" */
#define TIMELESS_COST 1.5f /* "how long ...?": no "7 days" here */

#define ODDS_MOST 8.0f /* of spans, for and against: what is surer is as sure */
#define ODDS_LEAST_WIDE \
    -2.0f /* a short Chinese question has too few words to be surer that none answers */

#define NEAR_WORDS 2 /* neighbouring words of the question may stand this far apart */

int language_number(struct str language)
{
    return str_eq(language, STR("zh")) ? 1 : 0;
}

/* --- the question ----------------------------------------------------------------------------- */

/* By its length, its end and what stands before that: an ideograph's last bytes tell it best. */
static size_t mark_of(struct str term)
{
    const uint8_t *end = (const uint8_t *)term.ptr + term.len;
    uint32_t n = (uint32_t)term.len;

    for (size_t i = 1; i <= MIN_OF(term.len, (size_t)5); i++)
        n = n * 37 + end[-(ptrdiff_t)i];
    return (n ^ n >> 9 ^ n >> 18) % ASKED_MARKS;
}

static bool put_asked(struct question *q, struct table *known, struct str term, struct asked *asked)
{
    size_t n = mark_of(term);

    q->may_be[n / 64] |= 1ull << n % 64;
    return table_put(known, term, asked, NULL);
}

static struct asked *find_asked(const struct question *q, const struct table *known,
                                struct str term)
{
    size_t n = mark_of(term);

    return q->may_be[n / 64] >> n % 64 & 1 ? table_get(known, term) : NULL;
}

struct asked *question_word(const struct question *q, struct str word)
{
    return find_asked(q, &q->words, word);
}

struct asked *question_pair(const struct question *q, struct str pair)
{
    return find_asked(q, &q->pairs, pair);
}

static bool add_asked(const struct rarity *rarity, struct question *q, const struct term *term,
                      struct err *err)
{
    struct table *known = term->field == TERM_WORD ? &q->words : &q->pairs;

    if (term->stop || q->asked_count == ASKED_MAX || table_get(known, term->text))
        return true;
    struct asked *asked = &q->asked[q->asked_count];
    *asked = (struct asked){.term = *term,
                            .idf = rarity->idf(rarity->ctx, term),
                            .number = (uint32_t)q->asked_count,
                            .family = family_of(term->text)};
    if (!put_asked(q, known, term->text, asked))
        return err_no_room(err, "no memory to read the question");
    *(term->field == TERM_WORD ? &q->word_idf : &q->pair_idf) += asked->idf;
    q->asked_count++;
    return true;
}

/* A number that may stand there in another form is the same number: of its forms the least rare counts. */
static bool add_forms(const struct rarity *rarity, struct question *q,
                      const struct number_form *forms, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        struct asked *asked = question_word(q, q->terms.at[forms[i].term].text);
        float idf = asked ? rarity->idf(rarity->ctx, &forms[i].as) : 0;

        if (!asked || question_word(q, forms[i].as.text))
            continue;
        if (!put_asked(q, &q->words, forms[i].as.text, asked))
            return err_no_room(err, "no memory to read the question");
        asked->term.number = true;
        if (idf < asked->idf) {
            q->word_idf -= asked->idf - idf;
            asked->idf = idf;
        }
    }
    return true;
}

/* What is read as another word is that word: of its readings the least rare counts. */
static bool add_readings(const struct rarity *rarity, struct question *q, struct err *err)
{
    for (size_t i = 0; i < q->readings.count; i++) {
        const struct word_reading *r = &q->readings.at[i];
        struct asked *asked = question_word(q, q->terms.at[r->term].text);
        float idf = asked ? rarity->idf(rarity->ctx, &r->as) : 0;

        if (!asked || !r->is_spelling || question_word(q, r->as.text))
            continue;
        if (!put_asked(q, &q->words, r->as.text, asked))
            return err_no_room(err, "no memory to read the question");
        if (idf < asked->idf) {
            q->word_idf -= asked->idf - idf;
            asked->idf = idf;
        }
    }
    return true;
}

/* "What country", "which team": the noun right behind the question word. */
static uint64_t find_focus(const struct question *q)
{
    for (size_t i = 0; i + 1 < q->terms.count; i++) {
        const struct term *term = &q->terms.at[i], *next = term + 1;

        if (!str_eq(term->text, STR("what")) && !str_eq(term->text, STR("which")))
            continue;
        const struct asked *asked = question_word(q, next->text);
        return asked && !next->stop ? 1ull << asked->number : 0;
    }
    return 0;
}

bool question_read_among(const struct rarity *rarity, struct analyser *analyser,
                         struct arena *arena, struct str text, struct question *out,
                         struct err *err)
{
    struct question q = {.text = text, .language = text_language(text)};
    struct number_form *forms;
    size_t form_count;

    q.cue = cue_of(text, q.language);
    q.polar = is_polar(text, q.language);
    q.negated = is_negated(text);
    q.asked = arena_array(arena, ASKED_MAX, sizeof *q.asked);
    if (!q.asked)
        return err_arena(err, arena);
    table_init(&q.words, arena, 4 * ASKED_MAX);
    table_init(&q.pairs, arena, 2 * ASKED_MAX);
    if (!analyser_terms(analyser, arena, text, &q.terms, err))
        return false;
    stop_cue_words(&q.terms);
    /* Words first: a long question should not lose them to its pairs. */
    for (int field = TERM_WORD; field <= TERM_PAIR; field++)
        for (size_t i = 0; i < q.terms.count; i++)
            if ((int)q.terms.at[i].field == field && !add_asked(rarity, &q, &q.terms.at[i], err))
                return false;
    q.grams = arena_alloc(arena, sizeof *q.grams);
    if (!q.grams)
        return err_arena(err, arena);
    grams_read(q.grams, &q.terms, str_eq(q.language, STR("zh")));
    q.focus = find_focus(&q);
    if (!number_forms(analyser, arena, text, &q.terms, &forms, &form_count, err) ||
        !add_forms(rarity, &q, forms, form_count, err) ||
        !number_forms_add(arena, forms, number_forms_finding(forms, form_count), &q.terms, err))
        return false;
    *out = q;
    return true;
}

static float idf_in(const void *ctx, const struct term *term)
{
    const struct access *access = ctx;

    return lexical_idf(access->view, access->filter, term);
}

bool question_read(const struct access *access, struct analyser *analyser, struct arena *arena,
                   struct str text, struct question *out, struct err *err)
{
    const struct rarity rarity = {idf_in, access};

    return question_read_among(&rarity, analyser, arena, text, out, err) &&
           readings_find(access, arena, &out->terms, &out->readings, err) &&
           add_readings(&rarity, out, err) && readings_put(arena, &out->readings, &out->terms, err);
}

/* --- what stands in a text -------------------------------------------------------------------- */

struct match {
    uint64_t terms;             /* bits by asked.number */
    uint32_t words;             /* of the text, stop words included */
    uint32_t content;           /* words that are no stop words */
    uint32_t fresh;             /* ... and not the question's */
    uint32_t kept;              /* pairs of words that are neighbours in the question, too */
    uint32_t first, last, hits; /* positions of the question's words */
    uint32_t near; /* words between one of them and what is asked for; UINT32_MAX: none */
};

static void match_word(const struct question *q, const struct term *term, struct match *m,
                       const struct asked **before)
{
    const struct asked *asked = question_word(q, term->text);

    m->content++;
    if (!asked) {
        m->fresh++;
        return;
    }
    m->terms |= 1ull << asked->number;
    if (m->hits++ == 0)
        m->first = term->position;
    /* In the question the one follows the other, and so they do here. */
    if (*before && asked->number == (*before)->number + 1 && term->position - m->last <= NEAR_WORDS)
        m->kept++;
    m->last = term->position;
    *before = asked;
}

/* A name or number as asked for, and a word of the question: how far apart at the closest? */
static void match_near(const struct question *q, const struct terms *terms, struct match *m)
{
    const struct term *word = NULL, *cue = NULL;

    m->near = UINT32_MAX;
    for (size_t i = 0; i < terms->count; i++) {
        const struct term *term = &terms->at[i];

        if (term->field != TERM_WORD || term->stop)
            continue;
        if (question_word(q, term->text))
            word = term;
        else if (is_cue_term(q->cue, term, q))
            cue = term;
        if (word && cue && (term == word || term == cue)) {
            uint32_t apart = word->position > cue->position ? word->position - cue->position
                                                            : cue->position - word->position;
            m->near = MIN_OF(m->near, apart);
        }
    }
}

static struct match match_terms(const struct question *q, const struct terms *terms)
{
    struct match m = {.words = terms->words};
    const struct asked *before = NULL;

    match_near(q, terms, &m);
    for (size_t i = 0; i < terms->count; i++) {
        const struct term *term = &terms->at[i];

        if (term->field == TERM_PAIR) {
            const struct asked *asked = question_pair(q, term->text);

            m.terms |= asked ? 1ull << asked->number : 0;
        } else if (!term->stop) {
            match_word(q, term, &m, &before);
        }
    }
    return m;
}

/* Share of the question's idf in one field that the bits stand for. */
static float share(const struct question *q, uint64_t bits, enum term_field field)
{
    float sum = 0, all = field == TERM_WORD ? q->word_idf : q->pair_idf;

    for (size_t i = 0; i < q->asked_count; i++)
        if (bits >> i & 1 && q->asked[i].term.field == field)
            sum += q->asked[i].idf;
    return all > 0 ? sum / all : 0;
}

/* "located" and "location" have different stems and the same beginning; who approves decides. */
bool asked_has_kin(const struct asked *asked, struct str b)
{
    struct str a = asked->term.text;
    size_t same = 0, longer = MAX_OF(a.len, b.len);

    if (is_of_family(b, asked->family))
        return true;
    if ((uint8_t)a.ptr[0] >= 0x80)
        return false;
    while (same < a.len && same < b.len && a.ptr[same] == b.ptr[same])
        same++;
    return same >= 4 && same * 5 >= longer * 3;
}

/* The words that are not there themselves but have kin among the terms. */
static uint64_t kin_bits(const struct question *q, uint64_t there, const struct terms *terms)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < q->asked_count; i++) {
        const struct asked *asked = &q->asked[i];

        if (there >> i & 1 || asked->term.field != TERM_WORD ||
            ((uint8_t)asked->term.text.ptr[0] >= 0x80 && !asked->family))
            continue;
        for (size_t k = 0; k < terms->count; k++) {
            if (!terms->at[k].stop && asked_has_kin(asked, terms->at[k].text)) {
                bits |= 1ull << i;
                break;
            }
        }
    }
    return bits;
}

/* Share of the question's names and numbers among the bits; 1 when it has none. */
static float names_share(const struct question *q, uint64_t bits)
{
    float sum = 0, all = 0;

    for (size_t i = 0; i < q->asked_count; i++) {
        const struct asked *asked = &q->asked[i];

        if (!asked->term.number && !(asked->term.name && asked->term.position > 0))
            continue;
        all += asked->idf;
        sum += bits >> i & 1 ? asked->idf : 0;
    }
    return all > 0 ? sum / all : 1;
}

static bool lacks_number(const struct question *q, uint64_t bits)
{
    for (size_t i = 0; i < q->asked_count; i++)
        if (q->asked[i].term.number && !(bits >> i & 1))
            return true;
    return false;
}

static size_t count_words(const struct question *q)
{
    size_t count = 0;

    while (count < q->asked_count && q->asked[count].term.field == TERM_WORD)
        count++;
    return count;
}

/* --- candidates ------------------------------------------------------------------------------- */

bool found_read(struct arena *arena, const struct lexical_hits *hits, struct found **out,
                struct err *err)
{
    struct found *found = arena_array(arena, hits->count + 1, sizeof *found);

    if (!found)
        return err_arena(err, arena);
    for (size_t i = 0; i < hits->count; i++) {
        const struct lexical_hit *hit = &hits->at[i];

        found[i] = (struct found){.key = hit->key,
                                  .document_record = hit->document_record,
                                  .cuts = hit->cuts,
                                  .score = hit->score,
                                  .number = hit->passage};
        if (!passage_read(arena, hit->record, &found[i].passage))
            return err_set(err, ERR_INTERNAL,
                           "could not read a passage of document \"" STR_FMT "\"",
                           STR_ARG(hit->key));
        if (!sentences_split(arena, &found[i].passage, &found[i].sentences,
                             &found[i].sentence_count, err))
            return false;
    }
    *out = found;
    return true;
}

static struct str sentence_text(const struct found *found, size_t i)
{
    struct sentence s = found->sentences[i];

    return str_slice(found->passage.blocks[s.block].text, s.from, s.to);
}

/* The paragraph that introduces a list or table stands before its first item. */
static const struct block *introduction(const struct found *found, uint32_t block)
{
    const struct block *blocks = found->passage.blocks;

    if (blocks[block].kind != BLOCK_ITEM && blocks[block].kind != BLOCK_ROW)
        return NULL;
    while (block > 0 && (blocks[block].kind == BLOCK_ITEM || blocks[block].kind == BLOCK_ROW))
        block--;
    return blocks[block].kind == BLOCK_PARAGRAPH ? &blocks[block] : NULL;
}

/* Matches of one passage: its heading, and each sentence. */
struct passage_match {
    uint64_t heading;
    struct match *sentences;
    float *cue;
    uint64_t *kin;
    struct gram_set *grams;
    struct gram_set *all; /* of heading and sentences */
    float gram_weights[GRAMS_MAX];
    float word_weights[ASKED_MAX];
};

static void weigh(const struct question *q, const struct found *found, struct passage_match *m)
{
    grams_weigh(q->grams, m->grams, found->sentence_count, m->gram_weights);
    for (size_t i = 0; i < q->asked_count; i++) {
        size_t having = 0;

        for (size_t k = 0; k < found->sentence_count; k++)
            having += m->sentences[k].terms >> i & 1;
        m->word_weights[i] = q->asked[i].idf * local_weight(having, found->sentence_count);
    }
}

static float local_share(const struct question *q, const struct passage_match *m, uint64_t bits)
{
    float sum = 0, all = 0;

    for (size_t i = 0; i < q->asked_count && q->asked[i].term.field == TERM_WORD; i++) {
        all += m->word_weights[i];
        sum += bits >> i & 1 ? m->word_weights[i] : 0;
    }
    return all > 0 ? sum / all : 0;
}

static void join(struct gram_set *to, const struct gram_set *from)
{
    for (size_t i = 0; i < ARRAY_LEN(to->bits); i++)
        to->bits[i] |= from->bits[i];
}

/* What is matched, and with what. */
struct matching {
    struct analyser *analyser;
    struct arena *arena;
    const struct question *q;
    const struct found *found;
};

static bool match_heading(const struct matching *with, struct passage_match *out, struct err *err)
{
    struct str above[] = {with->found->title, with->found->passage.heading};

    for (size_t i = 0; i < ARRAY_LEN(above); i++) {
        size_t mark = arena_mark(with->arena);
        struct terms terms;

        if (!analyser_terms(with->analyser, with->arena, above[i], &terms, err))
            return false;
        struct gram_set grams = grams_in(with->q->grams, &terms);
        out->heading |= match_terms(with->q, &terms).terms;
        join(out->all, &grams);
        arena_rewind(with->arena, mark);
    }
    return true;
}

static bool match_sentences(const struct matching *with, struct word_cuts *cuts,
                            struct passage_match *out, struct err *err)
{
    const struct question *q = with->q;

    for (size_t i = 0; i < with->found->sentence_count; i++) {
        struct str text = sentence_text(with->found, i);
        size_t mark = arena_mark(with->arena);
        struct terms terms;

        if (!analyser_terms_cut(with->analyser, with->arena, text, cuts, &terms, err))
            return false;
        out->sentences[i] = match_terms(q, &terms);
        out->cue[i] = cue_stands(q->cue, text, &terms, q);
        out->kin[i] = kin_bits(q, out->sentences[i].terms, &terms);
        out->grams[i] = grams_in(q->grams, &terms);
        arena_rewind(with->arena, mark);
    }
    return true;
}

static bool match_passage(const struct matching *with, struct passage_match *out, struct err *err)
{
    struct word_cuts cuts = word_cuts_of(with->found->cuts);
    struct arena *arena = with->arena;
    size_t count = with->found->sentence_count;

    out->grams = arena_array(arena, count + 1, sizeof *out->grams);
    out->sentences = arena_array(arena, count + 1, sizeof *out->sentences);
    out->cue = arena_array(arena, count + 1, sizeof *out->cue);
    out->kin = arena_array(arena, count + 1, sizeof *out->kin);
    out->all = arena_alloc(arena, sizeof *out->all);
    if (!out->sentences || !out->cue || !out->kin || !out->grams || !out->all)
        return err_arena(err, arena);
    if (!match_heading(with, out, err) || !match_sentences(with, &cuts, out, err))
        return false;
    /* Sentences are all of the text but white space: if not, the cuts are not theirs. */
    bool theirs = !cuts.count || cuts.at == cuts.count;
    cuts = (struct word_cuts){0};
    if (!theirs && !match_sentences(with, &cuts, out, err))
        return false;
    for (size_t i = 0; i < count; i++)
        join(out->all, &out->grams[i]);
    weigh(with->q, with->found, out);
    return true;
}

static uint64_t introduction_bits(const struct found *found, const struct passage_match *m,
                                  size_t i)
{
    const struct block *intro = introduction(found, found->sentences[i].block);
    uint64_t bits = 0;

    for (size_t k = 0; intro && k < i; k++)
        if (&found->passage.blocks[found->sentences[k].block] == intro)
            bits |= m->sentences[k].terms;
    return bits;
}

static float tightness(const struct match *m)
{
    return m->hits > 1 ? (float)m->hits / (float)(m->last - m->first + 1) : 0;
}

static float near_grams(const struct question *q, const struct passage_match *m, size_t i,
                        size_t count)
{
    struct gram_set set = m->grams[i];

    if (i > 0)
        join(&set, &m->grams[i - 1]);
    if (i + 1 < count)
        join(&set, &m->grams[i + 1]);
    return grams_weighed(q->grams, &set, m->gram_weights);
}

static void fill_features(const struct question *q, const struct passage_match *m, size_t i,
                          float best_score, struct candidate *c)
{
    const struct match *own = &m->sentences[i];
    const struct found *found = c->found;
    bool zh = str_eq(q->language, STR("zh"));
    uint64_t context = (m->heading | introduction_bits(found, m, i)) & ~own->terms;
    uint64_t before = i > 0 ? m->sentences[i - 1].terms : 0;
    uint64_t after = i + 1 < found->sentence_count ? m->sentences[i + 1].terms : 0;
    enum block_kind kind = found->passage.blocks[found->sentences[i].block].kind;
    struct str text = sentence_text(found, i);
    size_t asked = count_words(q);
    float *f = c->features;

    before &= ~(own->terms | context);
    after &= ~(own->terms | context | before);
    c->words = own->terms;
    c->around = own->terms | context | before | after;
    f[F_WORDS] = share(q, own->terms, TERM_WORD);
    f[F_PAIRS] = zh ? share(q, own->terms, TERM_PAIR)
                    : (asked > 1 ? (float)own->kept / (float)(asked - 1) : 0);
    f[F_CONTEXT] = share(q, context, TERM_WORD);
    f[F_BEFORE] = share(q, before, TERM_WORD);
    f[F_AFTER] = share(q, after, TERM_WORD);
    f[F_REFERS] = refers_back(text) ? f[F_BEFORE] : 0;
    f[F_SOFT] = share(q, m->kin[i], TERM_WORD);
    c->kin = m->kin[i];
    f[F_NAMES] = names_share(q, own->terms | context);
    f[F_PASSAGE] = best_score > 0 ? found->score / best_score : 0;
    f[F_FIRST] = found->score >= best_score;
    f[F_CUE] = m->cue[i];
    f[F_NO_CUE] = q->cue != CUE_NONE && m->cue[i] <= 0;
    f[F_CUE_NEAR] = own->near == UINT32_MAX ? 0 : 1.0f / (float)own->near;
    f[F_NAMED] = q->cue == CUE_PERSON && own->near <= BESIDE && f[F_WORDS] > 0.99f;
    f[F_LENGTH] = logf(1.0f + (float)own->words) / 4.0f;
    f[F_SHORT] = own->words < SHORT_WORDS;
    f[F_NEW] = own->content ? (float)own->fresh / (float)own->content : 0;
    f[F_OPENING] = i == 0;
    f[F_LISTED] = kind == BLOCK_ITEM || kind == BLOCK_ROW;
    f[F_ASKS] = is_asking(text);
    f[F_TIGHT] = tightness(own);
    f[F_LOCAL] = local_share(q, m, own->terms);
    f[F_GRAMS] = grams_weighed(q->grams, &m->grams[i], m->gram_weights);
    f[F_GRAMS_NEAR] = near_grams(q, m, i, found->sentence_count) - f[F_GRAMS];
    f[F_FOCUS] = (own->terms & q->focus) != 0;
    f[F_NUMBERS] = lacks_number(q, own->terms | context);
    f[F_NEGATED] = is_negated(text) != q->negated;
    c->above = context;
    c->passage = m->all;
    c->passage_grams = grams_share(q->grams, m->all);
}

float tree_score(const struct tree *tree, const float features[FEATURES])
{
    size_t node = 0;

    while (node < TREE_NODES)
        node = 2 * node + (features[tree->feature[node]] > tree->bar[node] ? 2 : 1);
    return tree->leaf[node - TREE_NODES];
}

static float score_of(int language, const float features[FEATURES])
{
    float score = 0;

    for (int f = 0; f < FEATURES; f++)
        score += sentence_weights[language][f] * features[f];
    for (size_t t = 0; t < TREES; t++)
        score += tree_score(&sentence_trees[language][t], features);
    return score;
}

/* What the sets the weights come from hardly have and people ask of their documents. */
static float by_rule(const struct question *q, const float features[FEATURES])
{
    float score = 0;

    if (q->polar && !q->negated && features[F_NEGATED] > 0)
        score -= NEGATED_COST;
    if (features[F_NAMED] > 0)
        score += NAMED_GAIN;
    if (q->cue == CUE_DURATION && features[F_CUE] < 1)
        score -= TIMELESS_COST;
    return score;
}

static int compare_candidates(const void *a, const void *b)
{
    const struct candidate *left = a, *right = b;

    if (left->score != right->score)
        return left->score < right->score ? 1 : -1;
    if (left->found != right->found)
        return left->found > right->found ? 1 : -1;
    return (left->sentence > right->sentence) - (left->sentence < right->sentence);
}

/* What the graph found stands in its order, not in that of the words. */
static float best_of(const struct found *found, size_t count)
{
    float best = 0;

    for (size_t i = 0; i < count; i++)
        best = MAX_OF(best, found[i].score);
    return best;
}

bool candidates_rank(struct analyser *analyser, struct arena *arena, const struct question *q,
                     const struct found *found, size_t count, struct candidate **out,
                     size_t *out_count, struct err *err)
{
    int language = language_number(q->language);
    float best = best_of(found, count);
    size_t all = 0, made = 0;

    for (size_t i = 0; i < count; i++)
        all += found[i].sentence_count;
    struct candidate *list = arena_array(arena, all + 1, sizeof *list);
    if (!list)
        return err_arena(err, arena);
    for (size_t i = 0; i < count; i++) {
        const struct matching with = {analyser, arena, q, &found[i]};
        struct passage_match m = {0};

        if (!match_passage(&with, &m, err))
            return false;
        for (size_t k = 0; k < found[i].sentence_count; k++) {
            struct candidate *c = &list[made++];

            *c = (struct candidate){.found = &found[i], .sentence = k};
            fill_features(q, &m, k, best, c);
            c->score = score_of(language, c->features);
            c->score += by_rule(q, c->features);
        }
    }
    if (made)
        qsort(list, made, sizeof *list, compare_candidates);
    *out = list;
    *out_count = made;
    return true;
}

/* --- confidence ------------------------------------------------------------------------------- */

/* What the whole passage of the pick has, heading included. */
static uint64_t passage_bits(const struct candidate *ranked, size_t count, uint64_t *kin)
{
    uint64_t bits = 0;

    *kin = 0;
    for (size_t i = 0; i < count; i++) {
        if (ranked[i].found != ranked[0].found)
            continue;
        bits |= ranked[i].around;
        *kin |= ranked[i].kin;
    }
    return bits;
}

static float lead(const struct candidate *ranked, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (ranked[i].found != ranked[0].found)
            return fminf(ranked[0].score - ranked[i].score, 4.0f) / 4.0f;
    return 1;
}

static float softmax_share(const struct candidate *ranked, size_t count)
{
    float sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += expf(ranked[i].score - ranked[0].score);
    return 1 / sum;
}

static void span_signs(bool wide, const struct candidate *pick, const struct span_choice *spans,
                       float signs[SIGNS])
{
    float least = wide ? ODDS_LEAST_WIDE : -ODDS_MOST;

    if (!spans->count)
        return;
    signs[S_SPAN_ODDS] = fmaxf(fminf(spans->odds, ODDS_MOST), least) / ODDS_MOST;
    signs[S_SPAN_SHARE] = spans->share;
    signs[S_SPAN_MARGIN] = fminf(spans->margin, 4) / 4;
    signs[S_SPAN_AGREE] = spans->agree;
    signs[S_SPAN_SAME] = spans->best[0].sentence == pick;
}

void signs_of(const struct question *q, const struct candidate *ranked, size_t count,
              const struct span_choice *spans, float signs[SIGNS])
{
    uint64_t kin, passage = passage_bits(ranked, count, &kin);
    float reachable = 2.2f * (q->word_idf + 0.4f * q->pair_idf);

    ASSERT(count > 0);
    memset(signs, 0, SIGNS * sizeof *signs);
    signs[S_WORDS] = ranked[0].features[F_WORDS];
    signs[S_PAIRS] = ranked[0].features[F_PAIRS];
    signs[S_AROUND] = share(q, ranked[0].around, TERM_WORD);
    signs[S_PASSAGE] = share(q, passage, TERM_WORD);
    signs[S_BM25] = reachable > 0 ? ranked[0].found->score / reachable : 0;
    signs[S_MARGIN] = lead(ranked, count);
    signs[S_SHARE] = softmax_share(ranked, count);
    for (size_t i = 0; i < q->asked_count; i++) {
        const struct asked *asked = &q->asked[i];

        if (passage >> i & 1 || asked->term.field != TERM_WORD)
            continue;
        signs[S_MISSING] =
            fmaxf(signs[S_MISSING], (kin >> i & 1 ? KIN_MISSING : 1) * asked->idf / q->word_idf);
        if (asked->term.number || (asked->term.name && asked->term.position > 0))
            signs[S_NAME] = 1;
    }
    signs[S_CUE] = ranked[0].features[F_CUE];
    signs[S_NO_CUE] = ranked[0].features[F_NO_CUE];
    signs[S_TERMS] = logf(1.0f + (float)count_words(q)) / 3.0f;
    signs[S_TIGHT] = ranked[0].features[F_TIGHT];
    signs[S_SOFT] = ranked[0].features[F_SOFT];
    signs[S_LOCAL] = ranked[0].features[F_LOCAL];
    signs[S_GRAMS] = ranked[0].features[F_GRAMS];
    signs[S_GRAMS_PASSAGE] = ranked[0].passage_grams;
    signs[S_NAMES_OWN] = names_share(q, ranked[0].words);
    signs[S_NAMES_PASSAGE] = names_share(q, passage);
    signs[S_NUMBER] = lacks_number(q, passage);
    signs[S_NEGATED] = ranked[0].features[F_NEGATED];
    signs[S_CUE_NEAR] = ranked[0].features[F_CUE_NEAR];
    signs[S_FOCUS] = ranked[0].features[F_FOCUS];
    span_signs(language_number(q->language) > 0, &ranked[0], spans, signs);
}

static float logistic(const float weights[SIGNS + 1], const float signs[SIGNS])
{
    float sum = weights[SIGNS];

    for (int i = 0; i < SIGNS; i++)
        sum += weights[i] * signs[i];
    return 1.0f / (1.0f + expf(-sum));
}

float confidence_of(const struct question *q, const float signs[SIGNS])
{
    return logistic(confidence_weights[language_number(q->language)], signs);
}

float answerable_of(const struct question *q, const float signs[SIGNS])
{
    /* "How long?" is not answered by a sentence without a time or a number in it. */
    if (q->cue == CUE_DURATION && signs[S_CUE] < SOME_TIME)
        return 0;
    return logistic(answerable_weights[language_number(q->language)], signs);
}
