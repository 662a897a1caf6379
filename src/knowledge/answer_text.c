/* What an answer says: its sentences with their marks, the sources below them, and the refusal, in both languages. */
#include "knowledge/answer.h"

static const struct words {
    const char *sources, *refusal, *nearest, *nothing, *empty;
    const char *verdicts[3]; /* by enum polarity */
} words[LANGUAGES] = {
    {.sources = "Sources:",
     .refusal = "The documents do not answer this question.",
     .nearest = "The nearest passages are:",
     .nothing = "Nothing in them is near it.",
     .empty = "There are no documents yet. Add some with `weir ingest FOLDER`.",
     .verdicts = {"", "Yes: ", "No: "}},
    {.sources = "来源：",
     .refusal = "文档没有回答这个问题。",
     .nearest = "最接近的段落是：",
     .nothing = "文档中没有与之相近的内容。",
     .empty = "还没有任何文档。请用 `weir ingest 文件夹` 添加。",
     .verdicts = {"", "是：", "否："}},
};

static void write_lines(struct buf *b, const struct citation *c, bool zh)
{
    if (c->place.label.len)
        buf_fmt(b, zh ? "，" STR_FMT : ", " STR_FMT, STR_ARG(c->place.label));
    else if (c->place.page)
        buf_fmt(b, zh ? "，第 %u 页" : ", page %u", c->place.page);
    else if (c->line_first == c->line_last)
        buf_fmt(b, zh ? "，第 %u 行" : ", line %u", c->line_first);
    else
        buf_fmt(b, zh ? "，第 %u-%u 行" : ", lines %u-%u", c->line_first, c->line_last);
}

void citation_write_source(struct buf *b, const struct citation *c, size_t number, bool zh)
{
    buf_fmt(b, "[%zu] " STR_FMT, number, STR_ARG(c->path));
    write_lines(b, c, zh);
    if (!c->title.len && !c->heading.len)
        return;
    buf_str(b, zh ? STR("（") : STR(" ("));
    buf_str(b, c->title);
    if (c->title.len && c->heading.len)
        buf_str(b, STR(" > "));
    buf_str(b, c->heading);
    buf_str(b, zh ? STR("）") : STR(")"));
}

static void write_sources(struct buf *b, const struct grounded *g, bool zh)
{
    for (size_t i = 0; i < g->citation_count; i++) {
        buf_char(b, '\n');
        citation_write_source(b, &g->citations[i], i + 1, zh);
    }
}

/* "2 days," in a list of which no other item is shown. */
static struct str without_end(struct str text)
{
    static const char *const ends[] = {",", ";", "，", "；", "、"};

    text = str_trim(text);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (str_ends(text, str_from(ends[i])))
            return str_slice(text, 0, text.len - str_from(ends[i]).len);
    return text;
}

void answer_write_block(struct buf *b, enum block_kind kind, struct str text, bool alone)
{
    bool listed = kind == BLOCK_ITEM || kind == BLOCK_ROW;

    if (b->len)
        buf_char(b, '\n');
    if (listed && !alone)
        buf_str(b, STR("- "));
    buf_str(b, listed ? without_end(text) : text);
}

void answer_write_citations(struct buf *b, const struct citation *list, size_t count, size_t number)
{
    for (size_t i = 0; i < count; i++) {
        const struct citation *c = &list[i];

        if (i > 0)
            buf_char(b, c->is_listed || list[i - 1].is_listed ? '\n' : ' ');
        buf_str(b, c->said.len ? c->said : c->quote);
        buf_fmt(b, " [%zu]", number + i);
    }
}

void answer_write(struct buf *b, const struct grounded *g, bool zh)
{
    buf_str(b, str_from(words[zh].verdicts[g->verdict]));
    answer_write_citations(b, g->citations, g->citation_count, 1);
    buf_fmt(b, "\n\n%s", words[zh].sources);
    write_sources(b, g, zh);
}

/* What was counted is told with the number, and stands below it. */
void answer_write_count(struct buf *b, const struct pick *pick, bool zh)
{
    const struct found *found = pick->at[0].found;
    struct str heading = found->passage.heading.len ? found->passage.heading : found->title;

    for (size_t at; (at = str_find(heading, STR(" > "))) < heading.len;)
        heading = str_slice(heading, at + 3, heading.len);
    if (zh)
        buf_fmt(b, "%zu（“" STR_FMT "”的%s）：\n", pick->counted, STR_ARG(heading),
                pick->is_table ? "表格行数" : "列表项数");
    else
        buf_fmt(b, "%zu, counted as the %s of \"" STR_FMT "\":\n", pick->counted,
                pick->is_table ? "rows of the table" : "items of the list", STR_ARG(heading));
}

void refusal_write_empty(struct buf *b, bool zh)
{
    buf_str(b, str_from(words[zh].empty));
}

void refusal_write(struct buf *b, const struct grounded *g, const struct missing *missing, bool zh)
{
    buf_str(b, str_from(words[zh].refusal));
    buf_str(b, zh ? STR("") : STR(" "));
    missing_write(b, missing, zh);
    buf_str(b, str_from(g->citation_count ? words[zh].nearest : words[zh].nothing));
    write_sources(b, g, zh);
}

const char *refusal_in(struct str language)
{
    return words[language_number(language)].refusal;
}
