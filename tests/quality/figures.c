#include "figures.h"

#include <string.h>

#define NO_BASELINE (-1.0)

/* The best of all methods that were compared before this code was written: plain BM25 in several analyses, hashed and
 * learned vectors, their fusions, a linear ranker over phrases. docs/quality.md says more. */
static const struct {
    const char *table, *set, *measure;
    double value;
} baselines[] = {
    {"passage", "squad2-en", "@1", .761},
    {"passage", "squad2-en", "@5", .904},
    {"passage", "squad2-en", "@10", .934},
    {"passage", "squad2-en", "answered from", .761},
    {"passage", "xquad-en", "@1", .885},
    {"passage", "xquad-en", "@5", .964},
    {"passage", "xquad-en", "@10", .976},
    {"passage", "xquad-en", "answered from", .885},
    {"passage", "clapnq", "@1", .927},
    {"passage", "clapnq", "@5", .967},
    {"passage", "clapnq", "@10", .987},
    {"passage", "clapnq", "answered from", .927},
    {"passage", "cmrc2018", "@1", .944},
    {"passage", "cmrc2018", "@5", .985},
    {"passage", "cmrc2018", "@10", .991},
    {"passage", "cmrc2018", "MRR", .981},
    {"passage", "cmrc2018", "answered from", .944},
    {"passage", "drcd", "@1", .885},
    {"passage", "drcd", "@5", .959},
    {"passage", "drcd", "@10", .969},
    {"passage", "drcd", "MRR", .959},
    {"passage", "drcd", "answered from", .885},
    {"passage", "xquad-zh", "@1", .833},
    {"passage", "xquad-zh", "@5", .932},
    {"passage", "xquad-zh", "@10", .951},
    {"passage", "xquad-zh", "MRR", .930},
    {"passage", "xquad-zh", "answered from", .833},
    {"passage", "rgb-zh", "@1", .793},
    {"passage", "rgb-zh", "@5", .913},
    {"passage", "rgb-zh", "@10", .967},
    {"ranking", "cranfield", "nDCG@10", .440},
    {"evidence", "dragonball-en", "in the top 5", .873},
    {"evidence", "dragonball-en", "right document first", .98},
    {"evidence", "dragonball-zh", "in the top 5", .837},
    {"evidence", "dragonball-zh", "right document first", .93},
    {"sentence", "squad2-en", "cited", .893},
    {"sentence", "squad2-en", "best three", .984},
    {"sentence", "xquad-en", "cited", .852},
    {"sentence", "xquad-en", "best three", .960},
    {"sentence", "cmrc2018", "cited", .660},
    {"sentence", "cmrc2018", "best", .660},
    {"sentence", "cmrc2018", "best three", .842},
    {"sentence", "drcd", "cited", .827},
    {"sentence", "drcd", "best", .827},
    {"sentence", "drcd", "best three", .947},
    {"sentence", "xquad-zh", "cited", .823},
    {"sentence", "xquad-zh", "best three", .957},
    {"words", "squad2-en", "EM", .350},
    {"words", "squad2-en", "F1", .447},
    {"words", "xquad-en", "EM", .310},
    {"words", "xquad-en", "F1", .401},
    {"words", "cmrc2018", "EM", .256},
    {"words", "cmrc2018", "F1", .394},
    {"words", "drcd", "EM", .299},
    {"words", "drcd", "F1", .430},
    {"words", "xquad-zh", "EM", .195},
    {"words", "xquad-zh", "F1", .370},
    {"refusal", "squad2-en", "given: AUC", .69},
    {"refusal", "squad2-en", "given: accuracy", .605},
    {"refusal", "rgb-zh", "AUC", .80},
    {"refusal", "rgb-zh", "refused, .9 kept", .55},
    {"noise", "rgb-zh", "0: best", .873},
    {"noise", "rgb-zh", "0.4: best", .793},
    {"noise", "rgb-zh", "0.8: best", .547},
    {"noise", "rgb-zh", "0: three", .987},
    {"noise", "rgb-zh", "0.4: three", .953},
    {"noise", "rgb-zh", "0.8: three", .713},
};

static const struct {
    const char *name, *title;
} titles[] = {
    {"passage",
     "Finding the passage: recall at 1, 5, 10, MRR at 10; and the passage that the answer is "
     "taken from"},
    {"ranking", "Ranking abstracts for long queries"},
    {"evidence", "Evidence among the first five passages of long documents"},
    {"pages", "Pages of real PDF filings"},
    {"sentence", "Choosing the sentence, the right passage given"},
    {"words", "Marking the words, the right passage given: exact match, F1"},
    {"answer", "End to end, over all passages"},
    {"refusal", "Saying no"},
    {"noise", "Five documents of news, of which a share only seems to answer"},
};

void figures_add(struct figures *to, struct figure figure)
{
    ASSERT(to->count < FIGURES_MAX);
    to->at[to->count++] = figure;
}

double baseline_of(const struct figure *f)
{
    for (size_t i = 0; i < ARRAY_LEN(baselines); i++)
        if (strcmp(baselines[i].table, f->table) == 0 &&
            str_eq(f->set, str_from(baselines[i].set)) &&
            strcmp(baselines[i].measure, f->measure) == 0)
            return baselines[i].value;
    return NO_BASELINE;
}

char figure_verdict(const struct figure *f)
{
    double baseline = baseline_of(f), rounding = 0.0005;

    if (baseline < 0)
        return ' ';
    if (f->value > baseline + rounding)
        return '>';
    return f->value < baseline - rounding ? '<' : '=';
}

/* --- a table ---------------------------------------------------------------------------------- */

static bool is_of(const struct figure *f, const char *table)
{
    return strcmp(f->table, table) == 0;
}

static bool is_first(const struct figures *all, size_t i, bool row)
{
    const struct figure *f = &all->at[i];

    for (size_t k = 0; k < i; k++)
        if (is_of(&all->at[k], f->table) &&
            (row ? str_eq(all->at[k].set, f->set) : strcmp(all->at[k].measure, f->measure) == 0))
            return false;
    return true;
}

static void print_cell(const struct figures *all, const struct figure *row, const char *measure,
                       FILE *to)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct figure *f = &all->at[i];

        if (!is_of(f, row->table) || !str_eq(f->set, row->set) || strcmp(f->measure, measure) != 0)
            continue;
        if (baseline_of(f) >= 0)
            fprintf(to, " %.3f %c %.3f |", f->value, figure_verdict(f), baseline_of(f));
        else
            fprintf(to, " %.3f |", f->value);
        return;
    }
    fprintf(to, " |");
}

static void print_table(const struct figures *all, const char *table, const char *title, FILE *to)
{
    size_t columns = 0;

    for (size_t i = 0; i < all->count; i++) {
        if (!is_of(&all->at[i], table) || !is_first(all, i, false))
            continue;
        if (!columns++)
            fprintf(to, "**%s**\n\n| set | questions |", title);
        fprintf(to, " %s |", all->at[i].measure);
    }
    if (!columns)
        return;
    fprintf(to, "\n|---|---|");
    for (size_t i = 0; i < columns; i++)
        fprintf(to, "---|");
    fprintf(to, "\n");
    for (size_t i = 0; i < all->count; i++) {
        const struct figure *row = &all->at[i];

        if (!is_of(row, table) || !is_first(all, i, true))
            continue;
        fprintf(to, "| " STR_FMT " | %u |", STR_ARG(row->set), row->count);
        for (size_t k = 0; k < all->count; k++)
            if (is_of(&all->at[k], table) && is_first(all, k, false))
                print_cell(all, row, all->at[k].measure, to);
        fprintf(to, "\n");
    }
    fprintf(to, "\n");
}

void figures_print(const struct figures *all, FILE *to)
{
    uint32_t above = 0, at = 0, below = 0;

    for (size_t i = 0; i < ARRAY_LEN(titles); i++)
        print_table(all, titles[i].name, titles[i].title, to);
    for (size_t i = 0; i < all->count; i++) {
        char verdict = figure_verdict(&all->at[i]);

        above += verdict == '>';
        at += verdict == '=';
        below += verdict == '<';
    }
    if (above + at + below)
        fprintf(to, "%u figures above their baseline, %u at it, %u below.\n", above, at, below);
}

void figures_write(const struct figures *all, FILE *to)
{
    fprintf(to, "table\tset\tmeasure\tquestions\tvalue\tbaseline\tverdict\n");
    for (size_t i = 0; i < all->count; i++) {
        const struct figure *f = &all->at[i];
        char verdict = figure_verdict(f);

        fprintf(to, "%s\t" STR_FMT "\t%s\t%u\t%.4f\t", f->table, STR_ARG(f->set), f->measure,
                f->count, f->value);
        if (baseline_of(f) >= 0)
            fprintf(to, "%.3f", baseline_of(f));
        fprintf(to, "\t%s\n",
                verdict == '>'   ? "above"
                : verdict == '=' ? "at"
                : verdict == '<' ? "below"
                                 : "");
    }
}
