/* The model "weir": an answer from the documents in the client's dialect, whole or as a stream. */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "knowledge/answer.h"
#include "knowledge/bases.h"
#include "knowledge/followup.h"
#include "knowledge/knowledge_internal.h"
#include "knowledge/order.h"
#include "models/responses.h"
#include "sys/clock.h"

#define ACCOUNT_MAX ((size_t)1 * MIB)
#define REPLY_MAX   ((size_t)4 * MIB)

/* --- the account ------------------------------------------------------------------------------ */

static void write_pair(struct json_writer *w, const char *key, uint64_t first, uint64_t last)
{
    jw_key(w, key);
    jw_array(w);
    jw_u64(w, first);
    jw_u64(w, last);
    jw_array_end(w);
}

static void write_text(struct json_writer *w, const char *key, struct str text)
{
    jw_key(w, key);
    jw_str(w, text);
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
        write_text(w, "label", p->label);
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
    write_text(w, "text", c->words.text);
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
        write_text(w, "name", step->name);
        write_text(w, "document", step->document);
        write_text(w, "path", step->path);
        if (step->line_first) {
            write_pair(w, "lines", step->line_first, step->line_last);
            write_pair(w, "bytes", step->byte_first, step->byte_end);
            write_place(w, &step->place);
        }
        write_text(w, "quote", step->quote);
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
        write_text(w, "question", part->question);
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
        write_text(w, "knowledge", c->base);
    write_text(w, "document", c->document);
    if (c->file.len > 0)
        write_text(w, "file", c->file);
    jw_key(w, "version");
    jw_u64(w, c->version);
    write_text(w, "path", c->path);
    write_text(w, "title", c->title);
    write_text(w, "heading", c->heading);
    write_url(w, links, c);
    write_pair(w, "lines", c->line_first, c->line_last);
    write_pair(w, "bytes", c->byte_first, c->byte_end);
    write_place(w, &c->place);
    write_text(w, "quote", c->quote);
    write_words(w, c);
    write_steps(w, c);
    jw_key(w, "score");
    jw_f64(w, (double)(int64_t)(c->score * 1000) / 1000);
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
        write_text(&w, "question", a->question);
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
    write_text(w, "title", a->citations[i].title);
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

/* --- what it stands on ------------------------------------------------------------------------ */

static bool is_among(const struct str *list, size_t count, struct str one)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(list[i], one))
            return true;
    return false;
}

/* What file_search of the Responses dialect found: the passages that the text marks by their numbers. */
static bool tell_search(struct request *req, const struct citation *citations, size_t count,
                        struct err *err)
{
    const struct responses_asked *asked =
        req->dialect == &dialect_responses && req->conversation ? req->conversation->own : NULL;
    struct responses_search *search = asked ? asked->search : NULL;

    if (!search)
        return true;
    search->hits = arena_array(req->arena, count + 1, sizeof *search->hits);
    if (!search->hits)
        return err_arena(err, req->arena);
    for (size_t i = 0; i < count; i++) {
        const struct citation *c = &citations[i];

        search->hits[i] = (struct responses_hit){.file = c->file.len > 0 ? c->file : c->document,
                                                 .name = c->path,
                                                 .text = c->quote,
                                                 .attributes = c->metadata,
                                                 .score = c->score};
    }
    search->hit_count = count;
    search->query = req->chat.question;
    search->done = true;
    return true;
}

bool request_stands_on(struct request *req, const struct citation *citations, size_t count,
                       struct err *err)
{
    struct str *all = arena_array(req->arena, req->document_count + count + 1, sizeof *all);
    size_t known = req->document_count;

    if (!all)
        return err_arena(err, req->arena);
    if (known)
        memcpy(all, req->documents, known * sizeof *all);
    for (size_t i = 0; i < count; i++)
        if (!is_among(all, known, citations[i].document))
            all[known++] = citations[i].document;
    req->documents = all;
    req->document_count = known;
    return tell_search(req, citations, count, err);
}

/* --- the answer ------------------------------------------------------------------------------- */

/* A finished answer given out piece by piece. */
struct pieces {
    struct str *at;
    size_t count, next;
};

static bool next_piece(struct answer *answer, struct str *bytes, bool *last, struct err *err)
{
    struct pieces *pieces = answer->own;

    (void)err;
    ASSERT(pieces->next < pieces->count);
    *bytes = pieces->at[pieces->next++];
    *last = pieces->next == pieces->count;
    return true;
}

static void nothing_to_release(struct answer *answer)
{
    (void)answer;
}

struct str links_of(const struct request *req)
{
    const struct knowledge_model *m = req->answerer ? req->answerer->ctx : NULL;

    return m ? m->links : STR_NONE;
}

static bool describe(struct request *req, const struct grounded *g, struct chat_answer *out,
                     struct err *err)
{
    struct account account = {.text = g->text,
                              .links = links_of(req),
                              .question = g->question,
                              .answered = g->answered,
                              .verdict = g->verdict,
                              .confidence = g->confidence,
                              .citations = g->citations,
                              .count = g->citation_count,
                              .retrieval = g->retrieval,
                              .parts = g->parts,
                              .part_count = g->part_count};
    warn_of_notes(&account, g->notes);
    struct buf weir, annotations;
    struct chat_answer a = {.id = arena_fmt(req->arena, "chatcmpl-%016" PRIx64, req->id),
                            .model = req->model->name,
                            .content = g->text,
                            .finish_reason = STR("stop"),
                            .created = clock_wall() / 1000,
                            .usage = usage_unknown};

    /* No model ran: nothing was generated; what was read is estimated from its bytes. */
    a.usage.tokens_in = chat_estimate_tokens(req->chat.prompt_bytes);
    a.usage.tokens_out = 0;
    a.usage.estimated = true;
    buf_init(&weir, req->arena, ACCOUNT_MAX);
    buf_init(&annotations, req->arena, ACCOUNT_MAX);
    write_account(&weir, &account);
    write_annotations(&annotations, &account);
    if (!a.id.ptr)
        return err_arena(err, req->arena);
    if (!buf_finish(&weir, &a.weir, err) || !buf_finish(&annotations, &a.annotations, err))
        return false;
    *out = a;
    return true;
}

/* Where the next piece of the text ends: a sentence with its mark, or a line with its breaks. */
static size_t piece_end(const struct grounded *g, size_t from)
{
    struct str rest = str_slice(g->text, from, g->text.len);
    bool is_source = str_starts(rest, STR("["));
    size_t mark = is_source ? rest.len : str_find(rest, STR("] "));
    size_t line = str_find_char(rest, '\n');

    if (mark < line)
        return from + mark + 1;
    while (line < rest.len && rest.ptr[line] == '\n')
        line++;
    return from + line;
}

static struct buf *begin_event(struct request *req, struct buf *b)
{
    buf_init(b, req->arena, REPLY_MAX);
    return b;
}

static bool write_stream(struct request *req, const struct grounded *g, const struct chat_answer *a,
                         struct pieces *out, struct err *err)
{
    struct buf b;
    size_t cap = 3;

    for (size_t i = 0; i < g->text.len; i = piece_end(g, i))
        cap++;
    out->at = arena_array(req->arena, cap, sizeof *out->at);
    if (!out->at)
        return err_arena(err, req->arena);
    chat_write_event_role(begin_event(req, &b), a);
    if (!buf_finish(&b, &out->at[out->count++], err))
        return false;
    for (size_t i = 0, end; i < g->text.len; i = end) {
        end = piece_end(g, i);
        chat_write_event_content(begin_event(req, &b), a, str_slice(g->text, i, end));
        if (!buf_finish(&b, &out->at[out->count++], err))
            return false;
    }
    chat_write_event_finish(begin_event(req, &b), a, req->chat.include_usage);
    return buf_finish(&b, &out->at[out->count++], err);
}

static bool write_whole(struct request *req, const struct chat_answer *a, struct pieces *out,
                        struct err *err)
{
    struct buf b;

    out->at = arena_array(req->arena, 1, sizeof *out->at);
    if (!out->at)
        return err_arena(err, req->arena);
    out->count = 1;
    buf_init(&b, req->arena, REPLY_MAX);
    chat_write_reply(&b, a);
    return buf_finish(&b, &out->at[0], err);
}

struct answer *answer_here(struct request *req, const struct grounded *g, struct err *err)
{
    struct answer *answer = arena_alloc(req->arena, sizeof *answer);
    struct pieces *pieces = arena_alloc(req->arena, sizeof *pieces);
    struct chat_answer a;

    if (!answer || !pieces) {
        (void)err_arena(err, req->arena);
        return NULL;
    }
    if (!request_stands_on(req, g->citations, g->citation_count, err) ||
        !describe(req, g, &a, err) ||
        !(req->chat.stream ? write_stream(req, g, &a, pieces, err)
                           : write_whole(req, &a, pieces, err)))
        return NULL;
    *answer = (struct answer){.status = 200,
                              .streaming = req->chat.stream,
                              .content_type = req->chat.stream ? STR("text/event-stream")
                                                               : STR("application/json"),
                              .citations = g->answered ? (uint32_t)g->citation_count : 0,
                              .next = next_piece,
                              .end = nothing_to_release,
                              .own = pieces};
    chat_meter_init(&answer->meter, 1);
    answer->meter.usage = a.usage;
    answer->meter.content_bytes = g->text.len;
    chat_meter_finish(&answer->meter, 0, FINISH_STOP);
    answer->meter.done = true;
    return answer;
}

/* --- what is asked of it ---------------------------------------------------------------------- */

/* "weir": {"filter": {...}} leaves documents out; {"search": 10} wants passages and no answer. */
bool knowledge_question_of(struct request *req, struct knowledge_question *out, int64_t *search,
                           struct err *err)
{
    const struct json *j = req->chat.json;
    json_ref filter = json_get(j, req->chat.weir, STR("filter"));
    json_ref limit = json_get(j, req->chat.weir, STR("search"));
    json_ref most = json_get(j, req->chat.weir, STR("passages"));
    int64_t passages = 0;

    *search = 0;
    if (filter && json_kind(j, filter) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "weir.filter: expected an object");
    if (json_raw(j, filter).len > FILTER_BYTES_MAX)
        return err_set(err, ERR_INVALID, "weir.filter: more than %zu bytes", FILTER_BYTES_MAX);
    if (limit && (!json_i64(j, limit, search) || *search < 1 || *search > SEARCH_LIMIT_MAX))
        return err_set(err, ERR_INVALID, "weir.search: expected a whole number from 1 to %d",
                       SEARCH_LIMIT_MAX);
    if (most && (!json_i64(j, most, &passages) || passages < 1 || passages > SEARCH_LIMIT_MAX))
        return err_set(err, ERR_INVALID, "weir.passages: expected a whole number from 1 to %d",
                       SEARCH_LIMIT_MAX);
    struct search_notes *notes = arena_alloc(req->arena, sizeof *notes);
    if (!notes)
        return err_arena(err, req->arena);
    *out = (struct knowledge_question){.text = req->chat.question,
                                       .who = req->who,
                                       .passages = (size_t)passages,
                                       .request_id = req->id,
                                       .notes = notes,
                                       .filter = filter ? json_raw(j, filter) : STR_NONE};
    return true;
}

static struct str completed_of(const struct request *req, const struct knowledge_question *question)
{
    return str_eq(question->text, req->chat.question) ? STR_NONE : question->text;
}

/* Passages as they are: listed for people, with all that is known of them for programs. */
static SUSPENDS bool search_for(const struct base_set *bases, struct request *req,
                                const struct knowledge_question *question, size_t limit,
                                struct answer **out, struct err *err)
{
    bool zh = str_eq(text_language(question->text), STR("zh"));
    struct passages_found found;
    struct grounded g = {.language = text_language(question->text),
                         .question = completed_of(req, question)};
    struct buf b;

    if (!bases_search(bases, req->arena, question, limit, &found, err))
        return false;
    g.retrieval = found.retrieval;
    g.answered = found.count > 0;
    g.citations = found.list;
    g.citation_count = found.count;
    buf_init(&b, req->arena, REPLY_MAX);
    for (size_t i = 0; i < found.count; i++) {
        citation_write_source(&b, &found.list[i], i + 1, zh);
        buf_char(&b, '\n');
        buf_str(&b, found.list[i].quote);
        buf_str(&b, STR("\n\n"));
    }
    if (found.count == 0)
        buf_str(&b, str_from(refusal_in(g.language)));
    if (!buf_finish(&b, &g.text, err))
        return false;
    g.notes = question->notes;
    *out = answer_here(req, &g, err);
    return *out != NULL;
}

/* "weir": {"knowledge": ["a", "b"]}, or what stands behind the slash of "weir/a"; else the default. */
bool knowledge_bases_of(struct request *req, struct bases *bases, struct base_set *out,
                        struct err *err)
{
    const struct json *j = req->chat.json;
    json_ref list = json_get(j, req->chat.weir, STR("knowledge"));
    size_t slash = str_find_char(req->chat.model, '/'), count = 0;
    struct str names[BASES_ASKED_MAX];

    if (str_starts(req->chat.model, req->model->name) && slash == req->model->name.len &&
        slash < req->chat.model.len)
        names[count++] = str_slice(req->chat.model, slash + 1, req->chat.model.len);
    if (list && json_kind(j, list) != JSON_ARRAY)
        list = 0; /* true, as the gateway has seen: the default base */
    if (list && count > 0)
        return err_set(err, ERR_INVALID,
                       "weir.knowledge: the model's name says which knowledge base is asked");
    for (json_ref v = json_first(j, list); v; v = json_next(j, v))
        if (count == BASES_ASKED_MAX || !json_str(j, v, req->arena, &names[count++]))
            return err_set(err, ERR_INVALID,
                           "weir.knowledge: expected names of at most %u knowledge bases",
                           BASES_ASKED_MAX);
    return bases_choose(bases, names, count, req->who, out, err);
}

/* "weir": {"unsupported": "drop"}: what is asked for, where it is stricter than the setting. */
static bool unsupported_of(struct request *req, enum unsupported setting, enum unsupported *out,
                           struct err *err)
{
    static const char *const names[] = {"mark", "drop", "refuse"};
    const struct json *j = req->chat.json;
    json_ref wish = json_get(j, req->chat.weir, STR("unsupported"));
    struct str name = STR_NONE;

    *out = setting;
    if (!wish)
        return true;
    if (json_str(j, wish, req->arena, &name))
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
            if (str_eq(name, str_from(names[i]))) {
                *out = MAX_OF(setting, (enum unsupported)i);
                return true;
            }
    return err_set(err, ERR_INVALID, "weir.unsupported: expected \"mark\", \"drop\" or \"refuse\"");
}

static struct str text_of(struct request *req, json_ref content)
{
    const struct json *j = req->chat.json;
    struct str text = STR_NONE;

    if (json_kind(j, content) == JSON_ARRAY)
        content = json_get(j, json_first(j, content), STR("text"));
    return json_str(j, content, req->arena, &text) ? text : STR_NONE;
}

/* "And for water damage?" is asked as the whole question that it is: of what was said before the last message of
 * the user. */
static bool complete_question(struct request *req, struct knowledge_question *question,
                              struct err *err)
{
    const struct json *j = req->chat.json;
    struct utterance said[FOLLOWUP_TURNS];
    size_t count = 0;

    for (json_ref m = json_first(j, req->chat.messages); m; m = json_next(j, m)) {
        struct str role = json_raw(j, json_get(j, m, STR("role")));
        bool user = str_eq(role, STR("\"user\""));

        if (!user && !str_eq(role, STR("\"assistant\"")))
            continue;
        if (count == FOLLOWUP_TURNS)
            memmove(said, said + 1, --count * sizeof *said);
        said[count++] = (struct utterance){user, text_of(req, json_get(j, m, STR("content")))};
    }
    while (count > 0 && !said[count - 1].user)
        count--;
    return count < 2 ||
           followup_complete(req->arena, said, count - 1, req->chat.question, &question->text, err);
}

bool knowledge_model_ask(void *knowledge_model, struct request *req, struct answer **out,
                         struct err *err)
{
    const struct knowledge_model *m = knowledge_model;
    const struct model *through = req->writer  ? req->writer->model
                                  : m->through ? m->through(req->config)
                                               : NULL;
    struct base_set bases CLEANUP(base_set_release) = {0};
    struct knowledge_question question;
    enum unsupported unsupported;
    struct grounded grounded;
    int64_t search;

    ASSERT(req->magic == REQUEST_MAGIC);
    if (req->conversation && req->conversation->kind == ASK_RERANK)
        return order_documents(m, req, out, err);
    if (!str_trim(req->chat.question).len)
        return err_set(err, ERR_INVALID,
                       "messages: expected a question in the last message with role \"user\"");
    if (!knowledge_question_of(req, &question, &search, err) ||
        !complete_question(req, &question, err) || !knowledge_bases_of(req, m->bases, &bases, err))
        return false;
    if (search > 0)
        return search_for(&bases, req, &question, (size_t)search, out, err);
    if (through)
        return unsupported_of(req, m->unsupported, &unsupported, err) &&
               ask_through(
                   &(struct through){&bases, through, unsupported, completed_of(req, &question)},
                   req, &question, out, err);
    if (!bases_answer(&bases, req->arena, &question, &grounded, err))
        return false;
    grounded.notes = question.notes;
    grounded.question = completed_of(req, &question);
    *out = answer_here(req, &grounded, err);
    return *out != NULL;
}
