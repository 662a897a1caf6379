/* The passages that a model writes an answer from. */
#include "knowledge/answer.h"

#define TEXT_MAX ((size_t)1 * MIB)

static struct str text_of(const struct found *found, const struct sentence *s)
{
    return str_slice(found->passage.blocks[s->block].text, s->from, s->to);
}

/* What the passages say, for who checks an answer: numbered as they are cited. */
static bool source_of(struct arena *arena, const struct found *found, const struct citation *cited,
                      struct evidence_source *out, struct err *err)
{
    struct str *sentences = arena_array(arena, found->sentence_count + 1, sizeof *sentences);

    out->above = arena_fmt(arena, STR_FMT "; " STR_FMT "; " STR_FMT, STR_ARG(cited->path),
                           STR_ARG(cited->title), STR_ARG(cited->heading));
    if (!sentences || !out->above.ptr)
        return err_arena(err, arena);
    for (size_t i = 0; i < found->sentence_count; i++) {
        sentences[i] = arena_str(arena, text_of(found, &found->sentences[i]));
        if (!sentences[i].ptr)
            return err_arena(err, arena);
    }
    out->sentences = sentences;
    out->count = found->sentence_count;
    return true;
}

bool brief(struct arena *arena, const struct inquiry *q, struct briefing *out, struct err *err)
{
    struct briefing b = {.language = q->question.language, .confidence = q->confidence};
    bool zh = str_eq(b.language, STR("zh"));
    struct buf text;

    b.citations = arena_array(arena, q->found_count + 1, sizeof *b.citations);
    struct evidence_source *sources = arena_array(arena, q->found_count + 1, sizeof *sources);
    if (!b.citations || !sources)
        return err_arena(err, arena);
    buf_init(&text, arena, 4 * TEXT_MAX);
    for (size_t i = 0; i < q->found_count; i++) {
        const struct found *found = &q->found[i];
        struct citation *c = &b.citations[b.count];

        if (!found->sentence_count)
            continue;
        if (!cite_between(arena, found, found->sentences[0],
                          found->sentences[found->sentence_count - 1], c, err) ||
            !source_of(arena, found, c, &sources[b.count], err))
            return false;
        inquiry_tell_way(q, found, c);
        citation_write_source(&text, c, ++b.count, zh);
        buf_fmt(&text, "\n" STR_FMT "\n\n", STR_ARG(c->quote));
    }
    b.sources = sources;
    if (!buf_finish(&text, &b.text, err))
        return false;
    *out = b;
    return true;
}
