/* Every question of examples/questions.tsv, asked of the handbook: the phrase stands in a cited sentence
 * of the right file, the citation's bytes are there in the file, and what the handbook does not say is
 * refused. */
#include <string.h>

#include "rig.h"
#include "sys/file.h"
#include "test.h"

struct line {
    struct str question, phrase, file;
};

static bool next_line(struct str *rest, struct line *out)
{
    struct str line;

    while (str_split(rest, '\n', &line)) {
        struct str parts = line;

        *out = (struct line){0};
        if (!line.len || line.ptr[0] == '#')
            continue;
        if (str_split(&parts, '\t', &out->question) && str_split(&parts, '\t', &out->phrase))
            (void)str_split(&parts, '\t', &out->file);
        return true;
    }
    return false;
}

/* Of PDF and office files the bytes are of what was read from them: a page or a reference says where. */
static bool is_apart(struct str path)
{
    return str_ends(path, STR(".pdf")) || str_ends(path, STR(".docx")) ||
           str_ends(path, STR(".xlsx"));
}

/* The citation's bytes begin on the line it names, end as the quote does, and hold its numbers (the words
 * of a row's labels stand elsewhere). */
static bool bytes_are_there(struct rig *rig, const struct citation *c)
{
    struct str file, q = c->quote;
    struct err err = {0};
    const char *path = arena_fmt(rig->arena, "examples/" STR_FMT, STR_ARG(c->path)).ptr;
    size_t line = 1;

    if (is_apart(c->path))
        return c->byte_first < c->byte_end &&
               (!str_ends(c->path, STR(".pdf")) || (c->place.page > 0 && c->place.right > 0)) &&
               (!str_ends(c->path, STR(".xlsx")) || c->place.label.len > 0);
    if (!file_load(rig->arena, path, MIB, &file, &err) || c->byte_first >= c->byte_end ||
        c->byte_end > file.len || q.len < 3)
        return false;
    for (size_t i = 0; i < c->byte_first; i++)
        line += file.ptr[i] == '\n';
    struct str source = str_slice(file, c->byte_first, c->byte_end);
    for (size_t i = 0, end; i < q.len; i = end + 1) {
        for (end = i; end < q.len && q.ptr[end] >= '0' && q.ptr[end] <= '9';)
            end++;
        if (end > i && str_find(source, str_slice(q, i, end)) == source.len)
            return false;
    }
    return line == c->line_first && str_find(source, str_slice(q, q.len - 3, q.len)) < source.len;
}

static void check_answer(struct rig *rig, const struct line *line, const struct grounded *g)
{
    bool found = false;

    EXPECT(g->answered, STR_FMT ": refused at %.2f: " STR_FMT, STR_ARG(line->question),
           (double)g->confidence, STR_ARG(g->text));
    for (size_t i = 0; i < g->citation_count; i++) {
        const struct citation *c = &g->citations[i];

        EXPECT(bytes_are_there(rig, c), STR_FMT ": " STR_FMT, STR_ARG(line->question),
               STR_ARG(c->quote));
        found = found ||
                (str_find(c->quote, line->phrase) < c->quote.len && str_ends(c->path, line->file));
    }
    EXPECT(found, STR_FMT ": no \"" STR_FMT "\" in\n" STR_FMT, STR_ARG(line->question),
           STR_ARG(line->phrase), STR_ARG(g->text));
}

TEST(the_handbook_answers)
{
    struct rig rig;
    struct ingest_report report;
    struct err err = {0};
    struct str questions;
    struct line line;
    size_t asked = 0;

    REQUIRE(rig_open(&rig));
    REQUIRE(ingest_now(rig.knowledge, rig.arena,
                       &(struct ingest_wish){.path = STR("examples/handbook")}, &report, &err),
            "%s", err.text);
    EXPECT(report.added == 15 && report.failed == 0 && report.problem_count == 0);
    REQUIRE(file_load(rig.arena, "examples/questions.tsv", MIB, &questions, &err), "%s", err.text);
    while (next_line(&questions, &line)) {
        size_t mark = arena_mark(rig.arena);
        struct grounded g = {0};

        REQUIRE(answer_now(rig.knowledge, rig.arena,
                           &(struct knowledge_question){.text = line.question}, &g, &err),
                "%s", err.text);
        if (line.phrase.len)
            check_answer(&rig, &line, &g);
        else
            EXPECT(!g.answered, STR_FMT ": answered at %.2f: " STR_FMT, STR_ARG(line.question),
                   (double)g.confidence, STR_ARG(g.text));
        asked++;
        arena_rewind(rig.arena, mark);
    }
    EXPECT(asked > 100);
    /* A sentence of another passage that only sounds like it stays away. */
    struct grounded g = {0};
    REQUIRE(answer_now(rig.knowledge, rig.arena,
                       &(struct knowledge_question){
                           .text = STR("What is the deadline for reporting a claim?")},
                       &g, &err),
            "%s", err.text);
    EXPECT(g.answered && g.citation_count == 1, STR_FMT, STR_ARG(g.text));
    rig_close(&rig);
}
