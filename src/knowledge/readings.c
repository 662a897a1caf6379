#include "knowledge/readings.h"

#include <assert.h>
#include <string.h>

#include "index/near.h"
#include "knowledge/number_forms.h"
#include "knowledge/vectors.h"

#define READ_ARENA ((size_t)16 * MIB)
#define LINES_MAX  ((size_t)16 * KIB)
#define READINGS_LIMITED                                                                         \
    "more words of the question are hardly in any document than are looked for in other forms: " \
    "the first 8 were"

static_assert(READINGS_WORDS == 8, "the note says so");

/* --- finding ---------------------------------------------------------------------------------- */

struct looked_up {
    struct str word;
    bool family_alone;
    size_t count;
    struct near_word near[NEAR_WORDS_MAX];
};
struct finding {
    const struct access *access;
    struct arena *arena;
    const struct terms *terms;
    struct readings *out;
    size_t words;
};

/* Without memory nothing is remembered. */
static void remember(struct readings_memo *memo, const struct near_query *query,
                     const struct near_word near[NEAR_WORDS_MAX], size_t count)
{
    if (!memo->at)
        memo->at = arena_array(memo->arena, READINGS_REMEMBERED, sizeof *memo->at);
    if (!memo->at || memo->count == READINGS_REMEMBERED)
        return;
    struct looked_up *new = &memo->at[memo->count];
    *new = (struct looked_up){.word = arena_str(memo->arena, query->term->text),
                              .family_alone = query->family_alone,
                              .count = count};
    memcpy(new->near, near, count * sizeof *near);
    memo->count += new->word.ptr != NULL;
}

static size_t look_up(const struct access *access, const struct near_query *query,
                      struct near_word near[NEAR_WORDS_MAX])
{
    struct readings_memo *memo = access->memo;

    for (size_t i = 0; memo && i < memo->count; i++) {
        const struct looked_up *known = &memo->at[i];

        if (known->family_alone == query->family_alone && str_eq(known->word, query->term->text)) {
            memcpy(near, known->near, known->count * sizeof *near);
            return known->count;
        }
    }
    size_t count = lexical_near(access->view, query, near);
    if (memo)
        remember(memo, query, near, count);
    return count;
}

static bool read_word(struct finding *f, size_t term, bool is_unknown, struct err *err)
{
    struct near_query query = {
        .term = &f->terms->at[term], .filter = f->access->filter, .family_alone = !is_unknown};
    struct near_word near[NEAR_WORDS_MAX];
    size_t count = look_up(f->access, &query, near);

    for (size_t i = 0; i < count; i++) {
        struct word_reading *reading = &f->out->at[f->out->count++];

        *reading = (struct word_reading){.term = term,
                                         .as = f->terms->at[term],
                                         .is_spelling = near[i].kind == NEAR_SPELLING,
                                         .is_unknown = is_unknown};
        reading->as.text = arena_str(f->arena, near[i].text);
        if (!reading->as.text.ptr)
            return err_arena(err, f->arena);
    }
    return true;
}

/* Those words that so many passages have, and no more. */
static bool read_words(struct finding *f, uint64_t passages, struct err *err)
{
    for (size_t i = 0; i < f->terms->count; i++) {
        const struct term *term = &f->terms->at[i];

        if (!term_may_have_near(term) || terms_is_repeat(f->terms, i) ||
            lexical_passages_of(f->access->view, f->access->filter, term, passages + 1) != passages)
            continue;
        if (f->words++ >= READINGS_WORDS) {
            f->out->limited = true;
            return true;
        }
        if (!read_word(f, i, passages == 0, err))
            return false;
    }
    return true;
}

bool readings_find(const struct access *access, struct arena *arena, const struct terms *terms,
                   struct readings *out, struct err *err)
{
    struct finding f = {.access = access, .arena = arena, .terms = terms, .out = out};

    *out = (struct readings){
        .at = arena_array(arena, READINGS_WORDS * NEAR_WORDS_MAX, sizeof *out->at)};
    if (!out->at)
        return err_arena(err, arena);
    for (uint64_t passages = 0; passages <= READINGS_RARE && !out->limited; passages++)
        if (!read_words(&f, passages, err))
            return false;
    return true;
}

bool readings_put(struct arena *arena, const struct readings *readings, struct terms *terms,
                  struct err *err)
{
    struct term *all;

    if (!readings->count)
        return true;
    all = arena_array(arena, terms->count + readings->count, sizeof *all);
    if (!all)
        return err_arena(err, arena);
    memcpy(all, terms->at, terms->count * sizeof *all);
    for (size_t i = 0; i < readings->count; i++)
        all[terms->count + i] = readings->at[i].as;
    terms->at = all;
    terms->count += readings->count;
    return true;
}

bool search_terms(const struct access *access, struct analyser *analyser, struct arena *arena,
                  struct str text, struct terms *out, struct readings *readings, struct err *err)
{
    struct readings own;

    if (!question_terms(analyser, arena, text, out, err) ||
        !readings_find(access, arena, out, &own, err) || !readings_put(arena, &own, out, err))
        return false;
    if (readings)
        *readings = own;
    return true;
}

/* --- telling ---------------------------------------------------------------------------------- */

struct wanted {
    struct str stem, like;
};

static bool is_of_word(char c)
{
    return (uint8_t)c >= 0x80 || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool may_begin(struct str word, struct str stem)
{
    return word.len && ((uint8_t)word.ptr[0] >= 0x80 || (word.ptr[0] | 0x20) == stem.ptr[0]);
}

static bool has_stem(struct analyser *analyser, struct arena *scratch, struct str word,
                     struct str stem, bool *has, struct err *err)
{
    size_t mark = arena_mark(scratch);
    struct terms terms;

    if (!analyser_terms(analyser, scratch, word, &terms, err))
        return false;
    *has = terms.count == 1 && str_eq(terms.at[0].text, stem);
    arena_rewind(scratch, mark);
    return true;
}

static size_t longer_by(struct str a, struct str b)
{
    return a.len > b.len ? a.len - b.len : b.len - a.len;
}

/* Of the words of a text that have this stem the one about as long as `like`; empty: none has. */
static bool word_as_written(const struct readings_telling *t, struct arena *scratch,
                            struct str text, const struct wanted *wanted, struct str *out,
                            struct err *err)
{
    *out = STR_NONE;
    for (size_t from = 0, to; from < text.len; from = to + 1) {
        struct str word;
        bool has;

        for (to = from; to < text.len && is_of_word(text.ptr[to]);)
            to++;
        word = str_slice(text, from, to);
        if (!may_begin(word, wanted->stem) ||
            (out->len && longer_by(word, wanted->like) >= longer_by(*out, wanted->like)))
            continue;
        if (!has_stem(t->analyser, scratch, word, wanted->stem, &has, err))
            return false;
        if (has)
            *out = word;
    }
    return true;
}

/* As the best of what was found has it; where none has, the stem. */
static bool write_reading(const struct readings_telling *t, struct arena *scratch,
                          const struct wanted *wanted, struct buf *b, struct err *err)
{
    struct str written = STR_NONE;

    for (size_t i = 0; i < t->hits->count && !written.len; i++) {
        struct str text;

        if (!vectors_text(scratch, &t->hits->at[i], &text, err) ||
            !word_as_written(t, scratch, text, wanted, &written, err))
            return false;
    }
    buf_str(b, written.len ? written : wanted->stem);
    return true;
}

static const struct words {
    const char *none, *read, *other, *end;
} words[] = {
    {"\"", "\" was not found and was read as \"", "\" or \"", "\"."},
    {"没有找到“", "”，按“", "”或“", "”查找。"},
};

static bool write_line(const struct readings_telling *t, const struct readings *readings,
                       size_t first, struct buf *b, struct err *err)
{
    const struct words *say = &words[str_eq(text_language(t->text), STR("zh"))];
    size_t term = readings->at[first].term;
    struct wanted wanted = {.stem = t->terms->at[term].text, .like = t->terms->at[term].text};
    struct arena *scratch CLEANUP(arena_end) = arena_new(READ_ARENA);
    struct str asked;

    if (!scratch)
        return err_no_room(err, "no memory to tell how a word was read");
    if (!word_as_written(t, scratch, t->text, &wanted, &asked, err))
        return false;
    if (asked.len)
        wanted.like = asked;
    buf_fmt(b, "%s%s" STR_FMT "%s", b->len ? " " : "", say->none, STR_ARG(wanted.like), say->read);
    for (size_t i = first; i < readings->count && readings->at[i].term == term; i++) {
        if (i > first)
            buf_str(b, str_from(say->other));
        wanted.stem = readings->at[i].as.text;
        if (!write_reading(t, scratch, &wanted, b, err))
            return false;
    }
    buf_str(b, str_from(say->end));
    return true;
}

bool readings_tell(const struct readings_telling *t, const struct readings *readings,
                   struct search_notes *notes, struct str *out, struct err *err)
{
    struct str lines = STR_NONE;
    struct buf b;

    buf_init(&b, t->arena, LINES_MAX);
    for (size_t i = 0; i < readings->count; i++) {
        bool begins = i == 0 || readings->at[i].term != readings->at[i - 1].term;

        if (readings->at[i].is_unknown && begins && !write_line(t, readings, i, &b, err))
            return false;
    }
    if (b.len) {
        if (!buf_finish(&b, &lines, err))
            return false;
        lines = arena_fmt(t->arena, STR_FMT, STR_ARG(lines)); /* a note ends with a zero */
        if (!lines.ptr)
            return err_arena(err, t->arena);
        search_note(notes, lines.ptr);
    }
    if (readings->limited)
        search_note(notes, READINGS_LIMITED);
    *out = lines;
    return true;
}
