#include "knowledge/support.h"

#include "base/utf8.h"
#include "knowledge/support_internal.h"

/* Set on generated statements, docs/quality.md: what of a claim must stand ... */
#define SHARE_ALL    0.60f /* ... anywhere in the passages */
#define SHARE_WINDOW 0.50f /* ... in a sentence with its neighbours and headings */

/* --- evidence --------------------------------------------------------------------------------- */

bool numbers_copy(struct arena *arena, struct str text, const struct numeral **out, size_t *count,
                  struct err *err)
{
    size_t mark = arena_mark(arena);
    struct numerals *all = arena_alloc_raw(arena, sizeof *all);

    if (!all)
        return err_arena(err, arena);
    numerals_read(text, all);
    *count = all->count;
    *out = all->at;
    if (!all->count) {
        arena_rewind(arena, mark);
        *out = NULL;
    }
    return true;
}

static bool read_fact(struct analyser *analyser, struct arena *arena, struct str text,
                      struct fact *out, struct err *err)
{
    out->text = text;
    if (!numbers_copy(arena, text, &out->numbers, &out->number_count, err) ||
        !analyser_terms(analyser, arena, text, &out->terms, err))
        return false;
    out->denies = denies_otherwise(text, &out->terms);
    return true;
}

bool evidence_read(struct analyser *analyser, struct arena *arena,
                   const struct evidence_source *sources, size_t count, struct evidence **out,
                   struct err *err)
{
    struct evidence *e = arena_alloc(arena, sizeof *e);
    size_t all = 0, wide = 0;

    ASSERT(count <= SUPPORT_PASSAGES_MAX);
    for (size_t i = 0; i < count; i++)
        all += sources[i].count;
    if (!e)
        return err_arena(err, arena);
    e->facts = arena_array(arena, all + 1, sizeof *e->facts);
    e->above = arena_array(arena, count + 1, sizeof *e->above);
    if (!e->facts || !e->above)
        return err_arena(err, arena);
    for (size_t i = 0; i < count; i++) {
        if (!read_fact(analyser, arena, sources[i].above, &e->above[i], err))
            return false;
        for (size_t k = 0; k < sources[i].count; k++) {
            struct fact *f = &e->facts[e->count++];

            if (!read_fact(analyser, arena, sources[i].sentences[k], f, err))
                return false;
            f->passage = (uint32_t)i;
            wide += str_eq(text_language(f->text), STR("zh"));
        }
    }
    e->wide = wide * 2 > e->count;
    e->passages = count;
    *out = e;
    return true;
}

/* --- together --------------------------------------------------------------------------------- */

static struct str spot(struct str text, uint32_t from, uint32_t to)
{
    return str_slice(text, from, to);
}

/* The word as the claim has it: stems are not words. */
static struct str as_written(const struct claim *c, struct str stem)
{
    size_t same = MIN_OF(stem.len, (size_t)3);

    for (size_t at = 0; at + same <= c->text.len; at++) {
        bool begins = at == 0 || is_wide(stem) || c->text.ptr[at - 1] == ' ' ||
                      c->text.ptr[at - 1] == '-' || c->text.ptr[at - 1] == '(';

        if (!begins || !str_eq_nocase(str_slice(c->text, at, at + same), str_slice(stem, 0, same)))
            continue;
        size_t end = at + stem.len;
        while (!is_wide(stem) && end < c->text.len && (c->text.ptr[end] | 0x20) >= 'a' &&
               (c->text.ptr[end] | 0x20) <= 'z')
            end++;
        return str_slice(c->text, at, end);
    }
    return stem;
}

static uint32_t best_passage(const struct reading *r)
{
    float best = -1;
    uint32_t passage = 0;

    for (size_t i = 0; i < r->e->count; i++) {
        float near = near_of(r, i, 0);

        if (is_meant(r, r->e->facts[i].passage) && near > best) {
            best = near;
            passage = r->e->facts[i].passage + 1;
        }
    }
    return passage;
}

static void judge_words(const struct reading *r, struct support *out)
{
    if (out->share >= SHARE_ALL && r->window >= SHARE_WINDOW)
        return;
    out->lack = LACK_WORDS;
    for (size_t i = 0; i < r->c->count && !out->what.len; i++)
        if (r->all.at[i] <= 0)
            out->what = as_written(r->c, r->c->words[i]->text);
}

static void judge(const struct reading *r, struct support *out)
{
    const struct numeral *number = lacking_number(r);
    const struct term *name = number ? NULL : lacking_name(r);
    struct str wide_name = number || name ? STR_NONE : lacking_wide_name(r), denied = STR_NONE;

    *out = (struct support){
        .passage = best_passage(r), .share = sum_of(r->c, &r->all, 0), .foreign = r->foreign};
    if (number) {
        out->lack = LACK_NUMBER;
        out->what = spot(r->c->text, number->from, number->to);
    } else if (name) {
        out->lack = LACK_NAME;
        out->what = as_written(r->c, name->text);
    } else if (wide_name.len) {
        out->lack = LACK_NAME;
        out->what = wide_name;
    } else if ((number = turned_number(r))) {
        out->lack = LACK_OPPOSITE;
        out->what = spot(r->c->text, number->from, number->to);
    } else if (!r->foreign && lacks_negation(r, &denied)) {
        out->lack = LACK_NEGATION;
        out->what = as_written(r->c, denied);
    } else if (!r->foreign && lacks_side(r, &denied)) {
        out->lack = LACK_OPPOSITE;
        out->what = as_written(r->c, denied);
    } else if (!r->foreign) {
        judge_words(r, out);
    }
}

static bool judge_passages(const struct evidence *e, const struct claim *c, struct arena *scratch,
                           uint64_t passages, struct support *out, struct err *err)
{
    size_t mark = arena_mark(scratch);
    struct reading r = {.e = e, .c = c, .passages = passages, .foreign = c->wide != e->wide};

    if (!reading_hits(&r, scratch, err))
        return false;
    judge(&r, out);
    arena_rewind(scratch, mark);
    return true;
}

static bool is_better(const struct support *a, const struct support *b)
{
    if ((a->lack == LACK_NOTHING) != (b->lack == LACK_NOTHING))
        return a->lack == LACK_NOTHING;
    return a->share > b->share;
}

static bool says_nothing(const struct claim *c)
{
    for (size_t i = 0; i < c->count; i++)
        if (claim_names(c, i))
            return false;
    return c->count <= 1 && c->number_count == 0 && !c->denied.count;
}

bool support_find(struct analyser *analyser, struct arena *scratch, const struct evidence *e,
                  uint64_t passages, struct str sentence, struct support *out, struct err *err)
{
    struct claim *c = arena_alloc(scratch, sizeof *c);
    struct str looked = str_slice(sentence, 0, utf8_boundary(sentence, SUPPORT_SENTENCE_MAX));
    struct support best = {.lack = LACK_PASSAGE}, one;

    if (!c)
        return err_arena(err, scratch);
    if (!claim_read(analyser, scratch, looked, c, err))
        return false;
    if (says_nothing(c)) {
        *out = (struct support){.empty = true};
        return true;
    }
    if (passages && !judge_passages(e, c, scratch, passages, &best, err))
        return false;
    for (uint32_t p = 0; p < e->passages && !passages; p++) {
        if (!judge_passages(e, c, scratch, 1ull << p, &one, err))
            return false;
        if (p == 0 || is_better(&one, &best))
            best = one;
    }
    if (looked.len < sentence.len && best.lack == LACK_NOTHING)
        best.lack = LACK_WORDS;
    *out = best;
    return true;
}

const char *lack_name(enum lack lack)
{
    static const char *const names[LACKS] = {"nothing",  "number", "name",   "negation",
                                             "opposite", "words",  "passage"};

    return names[lack];
}
