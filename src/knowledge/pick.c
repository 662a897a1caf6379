#include "knowledge/pick.h"

#include "knowledge/missing.h"

#define CONTACT_SHARE 0.75f /* of what is asked beside the attribute */
#define ITEM_SHARE    0.9f
#define DEFINED_SHARE 0.99f
#define DEFINED_BYTES 48   /* of a name with its article */
#define ITEM_OWN      0.2f /* of it stands in the item itself */

/* --- what the parts share --------------------------------------------------------------------- */

bool pick_above(const struct picking *p, const struct listing *l, struct above *out,
                struct err *err)
{
    size_t mark = arena_mark(p->covering.arena);
    struct str labels;
    uint64_t heading, introduction, columns;

    if (!listing_labels(l, p->covering.arena, &labels, err) ||
        !covering_read(&p->covering, l->found->title, &out->title, err) ||
        !covering_read(&p->covering, l->found->passage.heading, &heading, err) ||
        !covering_read(&p->covering, listing_introduction(l), &introduction, err) ||
        !covering_read(&p->covering, labels, &columns, err))
        return false;
    out->near = heading | introduction | columns;
    arena_rewind(p->covering.arena, mark);
    return true;
}

bool pick_lacks_name(const struct picking *p, uint64_t bits)
{
    return covering_lacks_name(&p->covering, bits);
}

struct picked pick_blocks(const struct listing *l, uint32_t from, uint32_t end)
{
    uint32_t last = l->first + end - 1;
    uint32_t len = (uint32_t)l->found->passage.blocks[last].text.len;

    return (struct picked){l->found,
                           {.block = l->first + from,
                            .to = (uint32_t)l->found->passage.blocks[l->first + from].text.len},
                           {.block = last, .to = len}};
}

bool pick_is_best(const struct picking *p, const struct picked *picked)
{
    const struct candidate *best = p->ranked_count ? &p->ranked[0] : NULL;

    if (!best || best->found != picked->found)
        return false;
    uint32_t block = best->found->sentences[best->sentence].block;
    return block >= picked->first.block && block <= picked->last.block;
}

static struct str sentence_text(const struct found *found, struct sentence s)
{
    return str_slice(found->passage.blocks[s.block].text, s.from, s.to);
}

/* Heading and the introduction of a list speak of a sentence, too; what stands right before it in its paragraph does. */
static bool sentence_bits(const struct picking *p, const struct found *found, size_t i,
                          uint64_t *own, uint64_t *around, struct err *err)
{
    struct sentence s = found->sentences[i];
    uint64_t heading, before = 0;

    if (!covering_read(&p->covering, sentence_text(found, s), own, err) ||
        !covering_read(&p->covering, found->passage.heading, &heading, err))
        return false;
    if (i > 0 && found->sentences[i - 1].block == s.block &&
        !covering_read(&p->covering, sentence_text(found, found->sentences[i - 1]), &before, err))
        return false;
    for (uint32_t at = 0; at <= s.block;) {
        struct listing l;

        if (!listing_next(found, &at, &l) || l.first > s.block)
            break;
        if (s.block < l.end && !covering_read(&p->covering, listing_introduction(&l), &before, err))
            return false;
    }
    *around = heading | before;
    return true;
}

/* --- contacts --------------------------------------------------------------------------------- */

static bool pick_contact(const struct picking *p, struct pick *out, struct err *err)
{
    struct picking rest = *p;
    uint64_t own, around;
    enum attribute wanted = attribute_asked(p->covering.question->text);
    float best = CONTACT_SHARE;

    if (!wanted)
        return true;
    if (!covering_begin(&rest.covering, wanted, err))
        return false;
    if (!rest.covering.needed)
        return true;
    for (size_t i = 0; i < p->found_count; i++)
        for (size_t k = 0; k < p->found[i].sentence_count; k++) {
            const struct found *found = &p->found[i];
            struct sentence s = found->sentences[k];

            if (!attribute_stands(wanted, sentence_text(found, s)))
                continue;
            if (!sentence_bits(&rest, found, k, &own, &around, err))
                return false;
            float share = covering_share(&rest.covering, own | around);
            /* of two that speak of all of it the one that does so itself */
            float rank = share + 0.01f * covering_share(&rest.covering, own);
            if (rank <= best || share < CONTACT_SHARE || pick_lacks_name(&rest, own | around))
                continue;
            best = rank;
            *out = (struct pick){
                .kind = PICK_SENTENCE, .at = {{found, s, s}}, .count = 1, .share = share};
        }
    return true;
}

/* --- items ------------------------------------------------------------------------------------ */

/* It has no time, person or number, and the question asks for one. */
static bool lacks_cue(const struct picking *p, const struct found *found, size_t sentence)
{
    for (size_t i = 0; i < p->ranked_count; i++)
        if (p->ranked[i].found == found && p->ranked[i].sentence == sentence)
            return p->ranked[i].features[F_NO_CUE] > 0;
    return true;
}

/* One word alone ("claims") stands in many items; it is asked about where it is the name of one. */
static bool is_about(const struct picking *p, struct str item)
{
    size_t len;

    if (covering_words(&p->covering) > 1)
        return true;
    (void)row_named(item, p->covering.question->text, &len);
    return len > 0;
}

static bool pick_item(const struct picking *p, struct pick *out, struct err *err)
{
    float best = ITEM_OWN;
    bool tie = false;

    for (size_t i = 0; i < p->found_count; i++) {
        const struct found *found = &p->found[i];

        for (size_t k = 0; k < found->sentence_count; k++) {
            struct sentence s = found->sentences[k];
            uint64_t own, around, title;

            if (found->passage.blocks[s.block].kind != BLOCK_ITEM)
                continue;
            if (!sentence_bits(p, found, k, &own, &around, err) ||
                !covering_read(&p->covering, found->title, &title, err))
                return false;
            float share = covering_share(&p->covering, own | around | title);
            float mine = covering_share(&p->covering, own);
            if (share < ITEM_SHARE || mine < best || pick_lacks_name(p, own | around | title) ||
                lacks_cue(p, found, k) || !is_about(p, sentence_text(found, s)))
                continue;
            tie = mine <= best;
            best = mine;
            *out = (struct pick){
                .kind = PICK_SENTENCE, .at = {{found, s, s}}, .count = 1, .share = share};
        }
    }
    if (tie)
        *out = (struct pick){0};
    return true;
}

/* --- definitions ------------------------------------------------------------------------------ */

static bool asks_definition(struct str question)
{
    static const char *const asking[] = {"what counts as ",
                                         "what is meant by ",
                                         "what qualifies as ",
                                         "definition of ",
                                         "什么算",
                                         "什么叫",
                                         "何谓",
                                         "的定义",
                                         "是什么意思",
                                         "怎样算",
                                         "怎么算是"};

    for (size_t i = 0; i < ARRAY_LEN(asking); i++) {
        struct str one = str_from(asking[i]);

        for (size_t at = 0; at + one.len <= question.len; at++)
            if (str_eq_nocase(str_slice(question, at, at + one.len), one))
                return true;
    }
    return false;
}

/* "A complaint is every statement ...": what is asked for stands in front of the first of these words, and alone. */
static struct str defined_by(struct str sentence)
{
    static const char *const verbs[] = {" is ", " are ", " means ", "是指", "指的是", "属于"};
    size_t first = sentence.len;

    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        first = MIN_OF(first, str_find(sentence, str_from(verbs[i])));
    return first < sentence.len && first <= DEFINED_BYTES ? str_slice(sentence, 0, first)
                                                          : STR_NONE;
}

static bool pick_definition(const struct picking *p, struct pick *out, struct err *err)
{
    if (!asks_definition(p->covering.question->text))
        return true;
    for (size_t i = 0; i < p->found_count; i++)
        for (size_t k = 0; k < p->found[i].sentence_count; k++) {
            struct sentence s = p->found[i].sentences[k];
            struct str name = defined_by(sentence_text(&p->found[i], s));
            uint64_t bits;

            if (!name.len || out->kind)
                continue;
            if (!covering_read(&p->covering, name, &bits, err))
                return false;
            if (covering_share(&p->covering, bits) >= DEFINED_SHARE)
                *out = (struct pick){
                    .kind = PICK_SENTENCE, .at = {{&p->found[i], s, s}}, .count = 1, .share = 1};
        }
    return true;
}

/* --- what is of something else ---------------------------------------------------------------- */

static bool is_introduction(struct str text)
{
    return str_ends(text, STR(":")) || str_ends(text, STR("："));
}

static bool passage_bits(const struct picking *p, const struct found *found, uint64_t *bits,
                         struct err *err)
{
    uint64_t one;

    if (!covering_read(&p->covering, found->title, bits, err) ||
        !covering_read(&p->covering, found->passage.heading, &one, err))
        return false;
    *bits |= one;
    for (size_t i = 0; i < found->passage.count; i++) {
        if (!covering_read(&p->covering, found->passage.blocks[i].text, &one, err))
            return false;
        *bits |= one;
    }
    return true;
}

/* "How many directors are there?": a day, a sum of money or a line's number is none of them. A question that names the unit
 * ("how many euros") asks for it. */
static bool lacks_count(const struct picking *p, bool *lacks, struct err *err)
{
    const struct candidate *best = &p->ranked[0];
    struct str text = sentence_text(best->found, best->found->sentences[best->sentence]);
    size_t mark = arena_mark(p->covering.arena);
    struct numerals *all = arena_alloc(p->covering.arena, sizeof *all);
    bool units;

    if (!all)
        return err_arena(err, p->covering.arena);
    *lacks = false;
    if (pick_asks_count(p, &units) && !units) {
        numerals_read(text, all);
        *lacks = !all->more;
        for (size_t i = 0; i < all->count; i++)
            if (all->at[i].unit == UNIT_NONE && all->at[i].kind == NUMERAL_PLAIN &&
                !attribute_stands(ATTRIBUTE_TELEPHONE, text))
                *lacks = false;
    }
    arena_rewind(p->covering.arena, mark);
    return true;
}

/* What words found has not all names of the question: then an item that has them goes first. */
static bool best_lacks_name(const struct picking *p, bool *lacks, struct err *err)
{
    const struct candidate *best = &p->ranked[0];
    uint64_t own, around, title;

    if (!sentence_bits(p, best->found, best->sentence, &own, &around, err) ||
        !covering_read(&p->covering, best->found->title, &title, err))
        return false;
    *lacks = covering_lacks_name(&p->covering, own | around | title);
    return true;
}

/* A telephone is asked for and there is none; 养狗可以请假吗 and nothing that may be read has a dog. */
static bool lacks_what_is_asked(const struct picking *p, bool *lacks, struct err *err)
{
    const struct candidate *best = &p->ranked[0];
    const struct question *q = p->covering.question;
    uint32_t block = best->found->sentences[best->sentence].block;
    enum attribute attribute;
    struct missing missing;

    *lacks = attribute_is_all(q->text, &attribute) && !q->polar &&
             !attribute_stands(attribute, best->found->passage.blocks[block].text);
    if (*lacks || !q->polar || !p->covering.piece_count)
        return *lacks || lacks_count(p, lacks, err);
    if (!missing_find(&p->covering, p->access, &missing, err))
        return false;
    return !missing.count || best_lacks_name(p, lacks, err);
}

/* "Munich 分公司的电话": a row of a table that has no Munich, in no script. 结婚有带薪假吗: a list of reasons in which it is not. */
static bool is_of_another(const struct picking *p, bool *other, struct err *err)
{
    const struct candidate *best = &p->ranked[0];
    struct sentence s = best->found->sentences[best->sentence];
    uint64_t own, around, title;

    if (!lacks_what_is_asked(p, other, err))
        return false;
    if (*other)
        return true;
    if (p->covering.question->polar && is_introduction(sentence_text(best->found, s))) {
        if (!passage_bits(p, best->found, &own, err))
            return false;
        *other = covering_lacks_name(&p->covering, own);
        return true;
    }
    if (best->found->passage.blocks[s.block].kind != BLOCK_ROW)
        return true;
    if (!sentence_bits(p, best->found, best->sentence, &own, &around, err) ||
        !covering_read(&p->covering, best->found->title, &title, err))
        return false;
    *other = covering_lacks_word(&p->covering, own | around | title);
    return true;
}

/* --- in order --------------------------------------------------------------------------------- */

bool pick_find(struct picking *p, struct pick *out, struct err *err)
{
    struct pick pick = {0};
    bool lacks = false;

    *out = pick;
    if (!covering_begin(&p->covering, ATTRIBUTE_NONE, err))
        return false;
    if (!p->covering.needed || !p->ranked_count)
        return true;
    if (!pick_named(p, &pick, err) || (!pick.kind && !pick_bounded(p, &pick, err)) ||
        (!pick.kind && !pick_counted(p, &pick, err)))
        return false;
    if (!pick.kind && !pick_contact(p, &pick, err))
        return false;
    if (!pick.kind && p->answered && !best_lacks_name(p, &lacks, err))
        return false;
    if (!pick.kind && (!p->answered || lacks) && !pick_item(p, &pick, err))
        return false;
    if (!pick.kind && !p->answered && !pick_definition(p, &pick, err))
        return false;
    *out = pick;
    return pick.kind || !p->answered || is_of_another(p, &p->lacks, err);
}
