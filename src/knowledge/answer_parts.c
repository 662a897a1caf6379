/* A question of several parts, answered part by part: each with its own sentences and citations, and what
 * the documents do not answer by its name. */
#include "base/utf8.h"
#include "knowledge/answer.h"
#include "knowledge/followup.h"
#include "knowledge/thing.h"

#define TEXT_MAX    ((size_t)1 * MIB)
#define A_PART_MOST 2 /* citations of what words found */
#define WIDE_WORD   6 /* bytes: two characters */
#define THING_STEM  4 /* letters by which a word and its stem are known */

bool parts_of(const struct access *access, struct arena *arena, struct str question, enum way *way,
              struct question_parts *out, struct err *err)
{
    struct way_request request = {.access = access, .arena = arena};

    request.text = str_trim(str_slice(question, 0, utf8_boundary(question, QUESTION_MAX)));
    return way_choose(&request, way, out, err);
}

static const struct words {
    const char *unanswered, *behind, *sources;
} words[LANGUAGES] = {
    {"The documents do not answer: ", ".", "Sources:"},
    {"文档没有回答：", "。", "来源："},
};

struct parts_writer {
    struct arena *arena;
    struct grounded g;
    struct answered_part *parts;
    struct buf text;
    bool zh;
};

static void write_part(struct parts_writer *w, struct str question, bool answered)
{
    const struct words *say = &words[w->zh];

    if (w->text.len)
        buf_str(&w->text, STR("\n\n"));
    if (!answered) {
        buf_fmt(&w->text, "%s" STR_FMT "%s", say->unanswered, STR_ARG(question), say->behind);
        return;
    }
    buf_str(&w->text, question);
    buf_char(&w->text, '\n');
}

/* The citations of one part behind those before it. */
static void take_part(struct parts_writer *w, struct str question, const struct inquiry *inquiry,
                      const struct grounded *one)
{
    struct answered_part *part = &w->parts[w->g.part_count++];
    struct str read_as = inquiry->read_as;
    size_t most = inquiry->pick.kind ? PICKED_MAX : A_PART_MOST; /* rows are picked all or none */
    size_t count = one->answered ? MIN_OF(one->citation_count, most) : 0;

    *part = (struct answered_part){.question = question,
                                   .answered = one->answered,
                                   .first = (uint32_t)w->g.citation_count,
                                   .count = (uint32_t)count};
    write_part(w, question, one->answered);
    if (read_as.len)
        buf_fmt(&w->text, "%s" STR_FMT "%s", one->answered ? "" : " ", STR_ARG(read_as),
                one->answered ? "\n" : "");
    if (one->answered && inquiry->pick.kind == PICK_COUNT)
        answer_write_count(&w->text, &inquiry->pick, w->zh);
    answer_write_citations(&w->text, one->citations, count, w->g.citation_count + 1);
    for (size_t i = 0; i < count; i++)
        w->g.citations[w->g.citation_count++] = one->citations[i];
    if (one->answered)
        w->g.confidence =
            w->g.answered ? MIN_OF(w->g.confidence, one->confidence) : one->confidence;
    w->g.answered = w->g.answered || one->answered;
}

static bool finish(struct parts_writer *w, struct grounded *out, struct err *err)
{
    buf_fmt(&w->text, "\n\n%s", words[w->zh].sources);
    for (size_t i = 0; i < w->g.citation_count; i++) {
        buf_char(&w->text, '\n');
        citation_write_source(&w->text, &w->g.citations[i], i + 1, w->zh);
    }
    if (!buf_finish(&w->text, &w->g.text, err))
        return false;
    w->g.parts = w->parts;
    *out = w->g;
    return true;
}

bool inquiry_lacks_thing(const struct inquiry *q)
{
    const struct found *found = q->ranked_count ? q->ranked[0].found : NULL;
    struct str thing = thing_asked(q->question.text);

    if (!found || !thing.len)
        return false;
    for (size_t i = 0; i < q->question.asked_count; i++) {
        const struct asked *asked = &q->question.asked[i];

        if (asked->family && str_eq_nocase(str_slice(asked->term.text, 0, THING_STEM),
                                           str_slice(thing, 0, THING_STEM)))
            return false;
    }
    for (size_t i = 0; i < found->passage.count; i++)
        if (thing_stands(found->passage.blocks[i].text, thing))
            return false;
    return !thing_stands(found->passage.heading, thing) && !thing_stands(found->title, thing);
}

/* "Who is the chief executive officer?" is not answered by what another chief does: each word of the office stands in
 * the passage, or kin of it. */
bool inquiry_lacks_office(const struct inquiry *q)
{
    const struct found *found = q->ranked_count ? q->ranked[0].found : NULL;
    struct str office[OFFICE_WORDS];
    size_t count = office_asked(q->question.text, office, OFFICE_WORDS);

    for (size_t i = 0; found && count > 1 && i < count; i++) {
        bool stands = thing_stands(found->passage.heading, office[i]) ||
                      thing_stands(found->title, office[i]);

        for (size_t k = 0; k < found->passage.count && !stands; k++)
            stands = thing_stands(found->passage.blocks[k].text, office[i]);
        if (!stands)
            return true;
    }
    return false;
}

/* What the question is about: "X" of "X的...", else the word it begins with. */
static struct str subject_of(const struct question *q)
{
    size_t end = str_find(q->text, STR("的"));

    if (end < q->text.len)
        return str_slice(q->text, 0, end);
    for (size_t i = 0; i < q->asked_count; i++)
        if (q->asked[i].term.field == TERM_WORD && str_starts(q->text, q->asked[i].term.text))
            return q->asked[i].term.text;
    return STR_NONE;
}

bool inquiry_has_other_row(const struct inquiry *q)
{
    const struct candidate *best = q->ranked_count ? &q->ranked[0] : NULL;
    const struct question *asked = &q->question;
    struct str subject;

    if (!best || !str_eq(asked->language, STR("zh")) ||
        best->found->passage.blocks[best->found->sentences[best->sentence].block].kind != BLOCK_ROW)
        return false;
    subject = subject_of(asked);
    for (size_t i = 0; i < asked->asked_count; i++) {
        const struct term *term = &asked->asked[i].term;

        if (term->field == TERM_WORD && term->text.len >= WIDE_WORD &&
            (uint8_t)term->text.ptr[0] >= 0x80 && str_find(subject, term->text) < subject.len &&
            !((best->words | best->kin | best->above) >> asked->asked[i].number & 1))
            return true;
    }
    return false;
}

static bool speaks_of_a_person(struct str part)
{
    static const char *const persons[] = {" her ", " his ",  " their ", " she ",
                                          " he ",  " they ", "她",      "他"};

    for (size_t i = 0; i < ARRAY_LEN(persons); i++)
        if (str_find(part, str_from(persons[i])) < part.len)
            return true;
    return false;
}

/* What is left of them when no name stood in front. */
static bool speaks_of_a_thing(struct str part)
{
    static const char *const things[] = {" it ", " its ", " it?", " they ", " them ", "它", "其"};

    for (size_t i = 0; i < ARRAY_LEN(things); i++)
        if (str_find(part, str_from(things[i])) < part.len)
            return true;
    return false;
}

/* "... and what is her salary?", "... and how many members does it have?": of whom or what the part before speaks, or its
 * answer. */
static bool complete_part(struct arena *arena, const struct parts_writer *w, struct str before,
                          struct str part, struct str *out, struct err *err)
{
    const struct answered_part *last = w->g.part_count ? &w->parts[w->g.part_count - 1] : NULL;
    struct utterance said[2] = {{true, before}, {false, STR("")}};

    *out = part;
    if (!last || (!speaks_of_a_person(part) && !speaks_of_a_thing(part)))
        return true;
    if (last->count)
        said[1].text = w->g.citations[last->first].quote;
    return followup_complete(arena, said, last->count ? 2 : 1, part, out, err);
}

bool ground_parts(const struct parts_request *r, struct arena *arena,
                  const struct question_parts *parts, struct grounded *out, struct err *err)
{
    struct parts_writer w = {.arena = arena};
    struct knowledge_question asked = *r->question;

    w.g.language = text_language(parts->text[0]);
    w.zh = language_number(w.g.language) == 1;
    w.g.citations = arena_array(arena, PARTS_MAX * PICKED_MAX, sizeof *w.g.citations);
    w.parts = arena_array(arena, PARTS_MAX, sizeof *w.parts);
    buf_init(&w.text, arena, TEXT_MAX);
    if (!w.g.citations || !w.parts)
        return err_arena(err, arena);
    for (size_t i = 0; i < parts->count; i++) {
        struct inquiry inquiry;
        struct grounded one;

        if (!complete_part(arena, &w, i ? parts->text[i - 1] : STR_NONE, parts->text[i],
                           &asked.text, err))
            return false;
        asked.vector = NULL; /* a model's is of the whole question */
        asked.dim = 0;
        asked.order = NULL; /* and so is a reranker's order */
        if (!inquire_of(r->knowledge, r->access, arena, &asked, &inquiry, err))
            return false;
        if (inquiry_lacks_thing(&inquiry))
            inquiry.answerable = 0;
        if (!ground(r->access, arena, &inquiry, &one, err))
            return false;
        if (inquiry.way == WAY_GRAPH || !w.g.retrieval)
            w.g.retrieval = inquiry.retrieval;
        take_part(&w, parts->text[i], &inquiry, &one);
    }
    return finish(&w, out, err);
}
