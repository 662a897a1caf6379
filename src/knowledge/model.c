/* The model "weir": an answer from the documents in the client's dialect, whole or as a stream. */
#include <string.h>

#include "knowledge/answer.h"
#include "knowledge/bases.h"
#include "knowledge/followup.h"
#include "knowledge/knowledge_internal.h"
#include "knowledge/order.h"
#include "knowledge/stands.h"
#include "models/responses.h"
#include "sys/clock.h"

#define ACCOUNT_MAX ((size_t)1 * MIB)
#define REPLY_MAX   ((size_t)4 * MIB)

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
                                                 .score = c->likely};
    }
    search->hit_count = count;
    search->query = req->chat.question;
    search->done = true;
    return true;
}

/* What is known so far, with room for more. */
static struct str *grown(struct arena *arena, const struct str *list, size_t count, size_t more)
{
    struct str *all = arena_array(arena, count + more + 1, sizeof *all);

    if (all && count)
        memcpy(all, list, count * sizeof *all);
    return all;
}

static bool add_once(struct request *req, struct str *list, size_t *count, struct str one,
                     struct err *err)
{
    if (!one.ptr)
        return err_arena(err, req->arena);
    if (!is_among(list, *count, one))
        list[(*count)++] = one;
    return true;
}

/* "d_...@vs_...": two bases may have documents of one name, whose ids are then the same. */
static struct str document_in(struct request *req, struct str document, struct str base)
{
    return arena_fmt(req->arena, STR_FMT "@" STR_FMT, STR_ARG(document), STR_ARG(base));
}

/* A citation, and the sentences by which the graph came to it, which may be of other documents. */
static bool stand_on(struct request *req, const struct citation *c, struct str *documents,
                     struct str *sources, struct err *err)
{
    struct str base = c->base_id.len ? c->base_id : BASE_DEFAULT;

    if (!add_once(req, documents, &req->document_count, document_in(req, c->document, base), err) ||
        !add_once(req, sources, &req->source_count, stands_line(req->arena, c, base), err))
        return false;
    for (size_t i = 0; i < c->step_count; i++)
        if (!add_once(req, documents, &req->document_count,
                      document_in(req, c->steps[i].document, base), err) ||
            !add_once(req, sources, &req->source_count,
                      stands_line_of_step(req->arena, &c->steps[i], base), err))
            return false;
    return true;
}

bool request_stands_on(struct request *req, const struct citation *citations, size_t count,
                       struct err *err)
{
    size_t more = count;

    for (size_t i = 0; i < count; i++)
        more += citations[i].step_count;
    struct str *documents = grown(req->arena, req->documents, req->document_count, more);
    struct str *sources = grown(req->arena, req->sources, req->source_count, more);
    if (!documents || !sources)
        return err_arena(err, req->arena);
    for (size_t i = 0; i < count; i++)
        if (!stand_on(req, &citations[i], documents, sources, err))
            return false;
    req->documents = documents;
    req->sources = sources;
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

static bool describe(struct request *req, const struct grounded *g, struct chat_answer *out,
                     struct err *err)
{
    struct account account = {.text = g->text,
                              .links = req->links,
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
    for (size_t i = 0; i < g->citation_count && account.warning_count < ARRAY_LEN(account.warnings);
         i++)
        if (g->citations[i].goes_on) {
            account.warnings[account.warning_count++] =
                "a list in the answer goes on in its document, behind what is cited";
            break;
        }
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
    json_ref bar = json_get(j, req->chat.weir, STR("score_threshold"));
    json_ref said = json_get(j, req->chat.weir, STR("ranker"));
    struct str ranker = STR("auto");
    int64_t passages = 0;
    double least = 0;

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
    if (bar && (!json_f64(j, bar, &least) || !(least >= 0 && least <= 1)))
        return err_set(err, ERR_INVALID, "weir.score_threshold: expected a number from 0 to 1");
    if (said && (!json_str(j, said, req->arena, &ranker) ||
                 (!str_eq(ranker, STR("auto")) && !str_eq(ranker, STR("none")))))
        return err_set(err, ERR_INVALID, "weir.ranker: expected \"auto\" or \"none\"");
    struct search_notes *notes = arena_alloc(req->arena, sizeof *notes);
    if (!notes)
        return err_arena(err, req->arena);
    *out = (struct knowledge_question){.text = req->chat.question,
                                       .who = req->who,
                                       .passages = (size_t)passages,
                                       .request_id = req->id,
                                       .notes = notes,
                                       .scored = bar != 0,
                                       .least = (float)least,
                                       .unranked = str_eq(ranker, STR("none")),
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

bool knowledge_model_names(void *knowledge_model, struct arena *arena, const struct principal *who,
                           struct str **out, size_t *count, struct err *err)
{
    const struct knowledge_model *m = knowledge_model;
    struct base_info *list;
    size_t listed, made = 0;

    if (!bases_list(m->bases, arena, who, &list, &listed, err))
        return false;
    struct str *names = arena_array(arena, listed + 1, sizeof *names);
    if (!names)
        return err_arena(err, arena);
    for (size_t i = 0; i < listed; i++) {
        if (list[i].is_default)
            continue;
        names[made] = bases_model_name(m->bases, arena, list[i].name);
        if (!names[made++].ptr)
            return err_arena(err, arena);
    }
    *out = names;
    *count = made;
    return true;
}
