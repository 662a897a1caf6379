/* What an answer carries beside its text: the "weir" object and the dialect's annotations. */
#include "base/utf8.h"
#include "knowledge/answer.h"
#include "knowledge/bases.h"
#include "knowledge/knowledge_internal.h"

static void write_pair(struct json_writer *w, const char *key, uint64_t first, uint64_t last)
{
    jw_key(w, key);
    jw_array(w);
    jw_u64(w, first);
    jw_u64(w, last);
    jw_array_end(w);
}

static uint32_t number_of(const struct account *a, size_t i)
{
    return a->numbers ? a->numbers[i] : (uint32_t)i + 1;
}

/* "page": 3, "label": "Fees!A4:D4", "box": [left, top, right, bottom] in points. */
static void write_place(struct json_writer *w, const struct place *p)
{
    const uint32_t box[] = {p->left, p->top, p->right, p->bottom};

    if (p->page) {
        jw_key(w, "page");
        jw_u64(w, p->page);
    }
    if (p->label.len)
        jw_text(w, "label", p->label);
    if (!p->right)
        return;
    jw_key(w, "box");
    jw_array(w);
    for (size_t i = 0; i < ARRAY_LEN(box); i++)
        jw_f64(w, box[i] / 10.0);
    jw_array_end(w);
}

/* The words that answer; their place in the quote counts characters, as the dialect's annotations do. */
static void write_words(struct json_writer *w, const struct citation *c)
{
    if (!c->words.text.len)
        return;
    jw_key(w, "answer");
    jw_object(w);
    jw_text(w, "text", c->words.text);
    write_pair(w, "bytes", c->words.byte_first, c->words.byte_end);
    write_pair(w, "characters", utf8_count(str_slice(c->quote, 0, c->words.quote_first)),
               utf8_count(str_slice(c->quote, 0, c->words.quote_end)));
    jw_object_end(w);
}

/* From the question to the passage: names, and the sentences that have them. */
static void write_steps(struct json_writer *w, const struct citation *c)
{
    if (!c->step_count)
        return;
    jw_key(w, "steps");
    jw_array(w);
    for (size_t i = 0; i < c->step_count; i++) {
        const struct citation_step *step = &c->steps[i];

        jw_object(w);
        jw_text(w, "name", step->name);
        jw_text(w, "document", step->document);
        jw_text(w, "path", step->path);
        if (step->line_first) {
            write_pair(w, "lines", step->line_first, step->line_last);
            write_pair(w, "bytes", step->byte_first, step->byte_end);
            write_place(w, &step->place);
        }
        jw_text(w, "quote", step->quote);
        jw_object_end(w);
    }
    jw_array_end(w);
}

/* What was asked part by part, with the numbers of its citations. */
static void write_parts(struct json_writer *w, const struct account *a)
{
    if (!a->part_count)
        return;
    jw_key(w, "parts");
    jw_array(w);
    for (size_t i = 0; i < a->part_count; i++) {
        const struct answered_part *part = &a->parts[i];

        jw_object(w);
        jw_text(w, "question", part->question);
        jw_key(w, "answered");
        jw_bool(w, part->answered);
        jw_key(w, "citations");
        jw_array(w);
        for (uint32_t k = 0; k < part->count; k++)
            jw_u64(w, part->first + k + 1u);
        jw_array_end(w);
        jw_object_end(w);
    }
    jw_array_end(w);
}

/* Where people read it: a page of this house, at the passage. Names and ids need no escapes. */
static void write_url(struct json_writer *w, struct str links, const struct citation *c)
{
    jw_key(w, "url");
    jw_raw(w, STR("\""));
    buf_str(w->to, links);
    buf_fmt(w->to, "/documents/" STR_FMT "/" STR_FMT "?v=%" PRIu64 "&b=%" PRIu64 "-%" PRIu64 "#p\"",
            STR_ARG(c->base.len ? c->base : BASE_DEFAULT), STR_ARG(c->document), c->version,
            c->byte_first, c->byte_end);
}

static void write_citation(struct json_writer *w, struct str links, const struct citation *c,
                           uint32_t number)
{
    jw_object(w);
    jw_key(w, "number");
    jw_u64(w, number);
    if (c->base.len > 0)
        jw_text(w, "knowledge", c->base);
    jw_text(w, "document", c->document);
    if (c->file.len > 0)
        jw_text(w, "file", c->file);
    jw_key(w, "version");
    jw_u64(w, c->version);
    jw_text(w, "path", c->path);
    jw_text(w, "title", c->title);
    jw_text(w, "heading", c->heading);
    write_url(w, links, c);
    write_pair(w, "lines", c->line_first, c->line_last);
    write_pair(w, "bytes", c->byte_first, c->byte_end);
    write_place(w, &c->place);
    jw_text(w, "quote", c->quote);
    write_words(w, c);
    write_steps(w, c);
    jw_key(w, "score");
    jw_f64(w, (double)(int64_t)(c->score * 1000) / 1000);
    if (c->is_scored)
        jw_key(w, "likely"), jw_f64(w, (double)(int64_t)(c->likely * 10000) / 10000);
    if (c->metadata.len > 0) {
        jw_key(w, "metadata");
        jw_raw(w, c->metadata);
    }
    jw_object_end(w);
}

void warn_of_notes(struct account *a, const struct search_notes *notes)
{
    for (uint32_t i = 0; notes && i < notes->count; i++)
        if (a->warning_count < ARRAY_LEN(a->warnings))
            a->warnings[a->warning_count++] = notes->at[i];
}

void write_account(struct buf *to, const struct account *a)
{
    struct json_writer w;

    jw_init(&w, to);
    jw_object(&w);
    jw_key(&w, "answered");
    jw_bool(&w, a->answered);
    jw_key(&w, "confidence");
    jw_f64(&w, (double)(int)(a->confidence * 1000) / 1000);
    if (a->verdict != POLARITY_NONE) {
        jw_key(&w, "verdict");
        jw_cstr(&w, a->verdict == POLARITY_YES ? "yes" : "no");
    }
    if (a->question.len)
        jw_text(&w, "question", a->question);
    if (a->through) {
        jw_key(&w, "through");
        jw_cstr(&w, a->through);
    }
    if (a->retrieval) {
        jw_key(&w, "retrieval");
        jw_cstr(&w, a->retrieval);
    }
    write_parts(&w, a);
    jw_key(&w, "citations");
    jw_array(&w);
    for (size_t i = 0; i < a->count; i++)
        write_citation(&w, a->links, &a->citations[i], number_of(a, i));
    jw_array_end(&w);
    if (a->review) {
        jw_key(&w, "support");
        review_write(&w, a->review);
    }
    if (a->warning_count) {
        jw_key(&w, "warnings");
        jw_array(&w);
        for (size_t i = 0; i < a->warning_count; i++)
            jw_cstr(&w, a->warnings[i]);
        jw_array_end(&w);
    }
    jw_object_end(&w);
}

/* The chat dialect knows one kind of annotation, and clients check it: url_citation, with the place of its mark
 * in the text, counted in characters. */
static void write_annotation(struct json_writer *w, const struct account *a, size_t i)
{
    char mark[16];
    struct buf m;

    buf_init_fixed(&m, mark, sizeof mark);
    buf_fmt(&m, "[%" PRIu32 "]", number_of(a, i));
    size_t at = str_find(a->text, buf_view(&m));
    size_t start = utf8_count(str_slice(a->text, 0, at));

    jw_object(w);
    jw_key(w, "type");
    jw_cstr(w, "url_citation");
    jw_key(w, "url_citation");
    jw_object(w);
    jw_key(w, "start_index");
    jw_u64(w, start);
    jw_key(w, "end_index");
    jw_u64(w, start + (at < a->text.len ? m.len : 0));
    jw_text(w, "title", a->citations[i].title);
    write_url(w, a->links, &a->citations[i]);
    jw_object_end(w);
    jw_object_end(w);
}

void write_annotations(struct buf *to, const struct account *a)
{
    struct json_writer w;

    jw_init(&w, to);
    jw_array(&w);
    for (size_t i = 0; i < a->count && a->answered; i++)
        write_annotation(&w, a, i);
    jw_array_end(&w);
}
