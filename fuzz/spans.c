/* Any question of any text: the words marked lie within a sentence, in order, between characters, and none of
 * the best lies within another; scores are numbers; the same question gives the same words; a verdict is only
 * given to what wants one; sentences are cut into words as the index keeps it or by the dictionary alike. The first line is the question, the rest the document. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "files.h"
#include "knowledge/answer.h"
#include "knowledge/knowledge_internal.h"

static bool between_characters(struct str s, size_t at)
{
    return at == s.len || ((uint8_t)s.ptr[at] & 0xC0) != 0x80;
}

/* An index of nothing, in a directory that goes with the process. */
static char dir[] = FUZZ_DIR;

static void remove_dir(void)
{
    fuzz_remove_all(dir);
}

static struct lexical *open_index(void)
{
    static bool made;
    struct lexical *index;
    struct err err = {0};

    if (!made)
        ASSERT(mkdtemp(dir) && atexit(remove_dir) == 0);
    made = true;
    ASSERT(lexical_open(dir, &index, &err));
    return index;
}

static void check_span(const struct span *span)
{
    const struct found *found = span->sentence->found;
    struct sentence s = found->sentences[span->sentence->sentence];
    struct str text = found->passage.blocks[s.block].text;

    ASSERT(span->words > 0 && span->words <= SPAN_TOKENS && isfinite(span->score));
    ASSERT(span->from < span->to && span->from >= s.from && span->to <= s.to);
    ASSERT(between_characters(text, span->from) && between_characters(text, span->to));
}

static void check_choice(const struct span_choice *choice)
{
    ASSERT(choice->count <= SPANS_KEPT);
    for (size_t i = 0; i < choice->count; i++) {
        const struct span *span = &choice->best[i];

        check_span(span);
        ASSERT(i == 0 || choice->best[i - 1].score >= span->score);
        for (size_t k = 0; k < i; k++)
            ASSERT(choice->best[k].sentence != span->sentence || choice->best[k].to <= span->from ||
                   span->to <= choice->best[k].from);
    }
    ASSERT(choice->share >= 0 && choice->share <= 1.001f && isfinite(choice->odds));
}

/* As the index keeps them. */
static struct str cuts_of(struct arena *arena, const struct found *found)
{
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct terms terms;
    struct err err = {0};
    struct str text, cuts;

    ASSERT(analyser_open(&analyser, &err));
    ASSERT(passage_text(arena, &found->passage, &text, &err));
    ASSERT(analyser_cut(analyser, arena, text, &terms, &cuts, &err));
    return cuts;
}

/* Read by their cuts sentences are what the dictionary makes of each. */
static void check_cuts(const struct question *q, struct arena *arena, const struct found *found,
                       size_t count)
{
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct found *plain = arena_array(arena, count + 1, sizeof *plain);
    struct candidate *once, *twice;
    struct err err = {0};
    size_t n, m;

    ASSERT(plain && analyser_open(&analyser, &err));
    for (size_t i = 0; i < count; i++) {
        plain[i] = found[i];
        plain[i].cuts = STR_NONE;
    }
    ASSERT(candidates_rank(analyser, arena, q, found, count, &once, &n, &err));
    ASSERT(candidates_rank(analyser, arena, q, plain, count, &twice, &m, &err));
    ASSERT(n == m);
    for (size_t i = 0; i < n; i++)
        ASSERT(once[i].sentence == twice[i].sentence && once[i].words == twice[i].words &&
               !memcmp(once[i].features, twice[i].features, sizeof once[i].features));
}

/* The document's passages as if a search had found them. */
static size_t find_all(struct arena *arena, struct str source, struct found **out)
{
    struct document d;
    struct passage *passages;
    struct err err = {0};
    size_t count;

    if (!document_read(arena, source, DOCUMENT_TEXT, &d, &err))
        return 0;
    ASSERT(passages_cut(arena, &d, &passages, &count, &err));
    *out = arena_array(arena, count + 1, sizeof **out);
    ASSERT(*out);
    for (size_t i = 0; i < count; i++) {
        struct found *f = &(*out)[i];

        *f = (struct found){.passage = passages[i], .score = 1, .title = STR("Title")};
        ASSERT(sentences_split(arena, &f->passage, &f->sentences, &f->sentence_count, &err));
        f->cuts = cuts_of(arena, f);
    }
    return count;
}

static void ask(const struct lexical_view *view, struct arena *arena, struct str question,
                const struct found *found, size_t count)
{
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct access access = {.view = view};
    struct question q;
    struct span_choice once, twice;
    struct candidate *ranked;
    struct err err = {0};
    size_t ranked_count;
    enum polarity verdict;

    ASSERT(analyser_open(&analyser, &err));
    ASSERT(question_read(&access, analyser, arena, question, &q, &err));
    ASSERT(candidates_rank(analyser, arena, &q, found, count, &ranked, &ranked_count, &err));
    check_cuts(&q, arena, found, count);
    struct span_request r = {.access = &access,
                             .analyser = analyser,
                             .arena = arena,
                             .question = &q,
                             .ranked = ranked,
                             .count = ranked_count,
                             .weights = &span_weights[language_number(q.language)]};
    ASSERT(spans_rank(&r, &once, &err) && spans_rank(&r, &twice, &err));
    check_choice(&once);
    ASSERT(once.count == twice.count);
    for (size_t i = 0; i < once.count; i++)
        ASSERT(once.best[i].from == twice.best[i].from && once.best[i].to == twice.best[i].to);
    for (size_t i = 0; i < ranked_count && i < SPAN_SENTENCES; i++) {
        ASSERT(verdict_of(&r, &ranked[i], &verdict, &err));
        ASSERT(verdict == POLARITY_NONE || q.polar);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);
    struct str all = {(const char *)data, size}, question;
    struct found *found = NULL;

    ASSERT(arena);
    if (size > 20000 || !str_split(&all, '\n', &question) || !all.ptr)
        return 0;
    size_t count = find_all(arena, all, &found);
    if (!count || !utf8_valid(question) || question.len > QUESTION_MAX)
        return 0;
    struct lexical *index = open_index();
    struct lexical_view *view = lexical_borrow(index);
    ask(view, arena, question, found, count);
    lexical_release(&view);
    lexical_close(&index);
    return 0;
}
