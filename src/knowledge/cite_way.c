/* The way of the graph as people are shown it: names, and the sentences that have them. */
#include "knowledge/answer.h"

static bool cut(const struct passage *passage, const struct mention_sentence *at,
                struct sentence *out)
{
    if (at->to == 0 || at->block >= passage->count || at->from >= at->to ||
        at->to > passage->blocks[at->block].text.len)
        return false;
    *out = (struct sentence){at->block, at->from, at->to};
    return true;
}

/* The sentence of a step; a name that no sentence has stands in title or heading. */
static bool cite_step(const struct access *access, struct arena *arena,
                      const struct graph_step *step, struct citation_step *out, struct err *err)
{
    struct lexical_hit hit = lexical_hit_at(access->view, step->passage);
    struct found found = {.key = hit.key, .document_record = hit.document_record};
    struct sentence sentence = {0};
    struct citation c;

    if (!passage_read(arena, hit.record, &found.passage) || found.passage.count == 0)
        return err_set(err, ERR_INTERNAL, "could not read a passage of document \"" STR_FMT "\"",
                       STR_ARG(hit.key));
    bool stands = cut(&found.passage, &step->sentence, &sentence);
    if (!stands)
        sentence.to = (uint32_t)found.passage.blocks[0].text.len;
    if (!cite_between(arena, &found, sentence, sentence, &c, err))
        return false;
    *out = (struct citation_step){.name = arena_str(arena, step->name),
                                  .document = c.document,
                                  .path = c.path,
                                  .quote = c.quote,
                                  .content = c.content,
                                  .line_first = c.line_first,
                                  .line_last = c.line_last,
                                  .byte_first = c.byte_first,
                                  .byte_end = c.byte_end,
                                  .place = c.place};
    if (!stands) { /* not the passage's text, which is no proof of the name */
        out->quote = c.heading.len ? c.heading : c.title;
        out->line_first = out->line_last = 0;
        out->byte_first = out->byte_end = 0;
        out->place = (struct place){0};
    }
    return out->name.ptr || err_arena(err, arena);
}

bool cite_way(const struct access *access, struct arena *arena, const struct way_path *path,
              struct citation *out, struct err *err)
{
    struct citation_step *steps = arena_array(arena, path->count + 1, sizeof *steps);

    if (!steps)
        return err_arena(err, arena);
    for (size_t i = 0; i < path->count; i++)
        if (!cite_step(access, arena, &path->steps[i], &steps[i], err))
            return false;
    out->steps = steps;
    out->step_count = path->count;
    return true;
}
