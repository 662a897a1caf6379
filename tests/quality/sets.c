#include "sets.h"

#include <stdio.h>
#include <string.h>

#include "knowledge/vectors.h"
#include "sys/file.h"

#define FILE_MAX ((size_t)64 * MIB)

enum embedder_kind sets_embedder = EMBEDDER_NONE;

bool collection_open(const char *dir, struct collection *c, struct err *err)
{
    struct knowledge_options options = {.dir = dir, .embedder = {.kind = sets_embedder}};

    *c = (struct collection){.arena = arena_new(512 * MIB)};
    if (!c->arena)
        return err_set(err, ERR_EXHAUSTED, "no memory");
    buf_init(&c->questions, c->arena, 256 * MIB);
    buf_init(&c->noisy, c->arena, 16 * MIB);
    table_init(&c->news, c->arena, 100000);
    table_init(&c->articles, c->arena, 100000);
    return knowledge_open(&options, &c->knowledge, err) &&
           lexical_begin(c->knowledge->index, &c->writer, err);
}

bool collection_embed(struct collection *c, struct err *err)
{
    for (bool more = sets_embedder != EMBEDDER_NONE; more;)
        if (!vectors_make_now(c->knowledge, &more, err))
            return false;
    return true;
}

bool collection_ready(struct collection *c, struct err *err)
{
    return lexical_commit(&c->writer, err) && collection_embed(c, err);
}

void collection_close(struct collection *c)
{
    lexical_abandon(&c->writer);
    knowledge_close(&c->knowledge);
    arena_end(&c->arena);
}

const struct asked_question *questions_of(const struct collection *c, size_t *count)
{
    *count = c->questions.len / sizeof(struct asked_question);
    return (const struct asked_question *)(const void *)c->questions.ptr;
}

const struct noisy_question *noisy_questions_of(const struct collection *c, size_t *count)
{
    *count = c->noisy.len / sizeof(struct noisy_question);
    return (const struct noisy_question *)(const void *)c->noisy.ptr;
}

bool holds_answer(const struct asked_question *q, struct str text)
{
    for (size_t i = 0; i < q->answer_count; i++)
        if (q->answers[i].len && str_find(text, q->answers[i]) < text.len)
            return true;
    return false;
}

/* --- one line each ---------------------------------------------------------------------------- */

struct str line_field(const struct line_reader *r, json_ref v, struct str key)
{
    struct str s = STR_NONE;

    if (!json_str(r->json, json_get(r->json, v, key), r->scratch, &s))
        return STR_NONE;
    return s;
}

static struct str fold(struct arena *arena, struct str s)
{
    struct buf b;
    bool space = false;

    buf_init(&b, arena, FILE_MAX);
    for (size_t i = 0; i < s.len; i++) {
        if ((uint8_t)s.ptr[i] <= ' ') {
            space = b.len > 0;
            continue;
        }
        if (space)
            buf_char(&b, ' ');
        space = false;
        buf_char(&b, s.ptr[i]);
    }
    return buf_view(&b);
}

bool add_file(struct line_reader *r, struct str pid, struct str bytes, enum document_type type,
              struct err *err)
{
    struct str name = arena_fmt(r->c->arena, "%s/" STR_FMT, r->set, STR_ARG(pid));
    struct document_source source = {.bytes = bytes, .shown = name, .source = name, .type = type};
    struct document_ingest in = {.writer = r->c->writer, .passages = r->c->passages};

    if (!add_document(&in, &source, err))
        return false;
    r->c->passages = in.passages;
    return true;
}

static bool add_passage(struct line_reader *r, struct str pid, struct str title, struct str text,
                        struct err *err)
{
    struct str file = arena_fmt(r->scratch, STR_FMT "\n\n" STR_FMT "\n", STR_ARG(title),
                                STR_ARG(fold(r->scratch, text)));

    return add_file(r, pid, file, DOCUMENT_TEXT, err);
}

struct str document_key(struct line_reader *r, struct str pid)
{
    struct str name = arena_fmt(r->scratch, "%s/" STR_FMT, r->set, STR_ARG(pid));
    char id[DOCUMENT_ID_LEN + 1];

    document_id(name, id);
    return arena_str(r->c->arena, str_from(id));
}

struct str piece_source(struct str path)
{
    return str_slice(path, 0, str_find(path, STR("#")));
}

/* How many bytes the next `count` sentences have. */
static size_t sentences_len(struct str text, size_t count)
{
    static const char *const ends[] = {"。", "！", "？", "；"};
    size_t at = 0;

    for (; count > 0 && at < text.len; count--) {
        size_t end = text.len;

        for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
            struct str rest = str_slice(text, at, text.len);
            size_t found = str_find(rest, str_from(ends[i]));

            if (found < rest.len)
                end = MIN_OF(end, at + found + str_from(ends[i]).len);
        }
        at = end;
    }
    return at;
}

/* Of different lengths, as parts of news are: what tells which of them answers is neither title nor length. */
static bool add_pieces(struct line_reader *r, struct str pid, struct str title, struct str text,
                       struct err *err)
{
    static const uint8_t by[16] = "pieces";
    struct str *article = arena_alloc(r->c->arena, sizeof *article);
    struct str key = document_key(r, pid);

    if (!article || !key.ptr || !table_put(&r->c->articles, key, article, NULL))
        return err_no_room(err, "no memory for pieces");
    *article = arena_str(r->c->arena, title);
    text = fold(r->scratch, text);
    for (size_t k = 0; text.len > 0; k++) {
        struct str name = arena_fmt(r->scratch, STR_FMT "#%zu", STR_ARG(pid), k);
        size_t len = sentences_len(text, 1 + siphash_keyed(by, name) % 4);

        if (!add_passage(r, name, STR(""), str_slice(text, 0, len), err))
            return false;
        text = str_slice(text, len, text.len);
    }
    return true;
}

static bool read_passage(struct line_reader *r, json_ref v, struct err *err)
{
    if (r->c->pieces)
        return add_pieces(r, line_field(r, v, STR("pid")), line_field(r, v, STR("title")),
                          line_field(r, v, STR("text")), err);
    return add_passage(r, line_field(r, v, STR("pid")), line_field(r, v, STR("title")),
                       line_field(r, v, STR("text")), err);
}

static bool put_question(struct line_reader *r, struct asked_question *q, struct err *err)
{
    q->set = str_from(r->set);
    buf_put(&r->c->questions, q, sizeof *q);
    return buf_ok(&r->c->questions) || err_arena(err, r->c->arena);
}

static bool read_question(struct line_reader *r, json_ref v, struct err *err)
{
    struct arena *arena = r->c->arena;
    json_ref answers = json_get(r->json, v, STR("answers"));
    struct asked_question q = {.document = document_key(r, line_field(r, v, STR("pid"))),
                               .text = arena_str(arena, line_field(r, v, STR("question")))};

    q.answers = arena_array(arena, json_count(r->json, answers) + 1, sizeof *q.answers);
    const struct str *article = table_get(&r->c->articles, q.document);

    q.article = article ? *article : STR_NONE;
    if (!q.answers)
        return err_arena(err, arena);
    for (json_ref a = json_first(r->json, answers); a; a = json_next(r->json, a)) {
        struct str text;

        if (json_str(r->json, json_at(r->json, a, 0), r->scratch, &text))
            q.answers[q.answer_count++] = fold(arena, text);
    }
    return put_question(r, &q, err);
}

bool read_lines(struct line_reader with, const char *path, line_read *read, struct err *err)
{
    struct arena *file CLEANUP(arena_end) = arena_new(2 * FILE_MAX);
    struct arena *scratch CLEANUP(arena_end) = arena_new(FILE_MAX);
    struct str text, line;

    if (!file || !scratch)
        return err_set(err, ERR_EXHAUSTED, "no memory");
    if (!file_load(file, path, FILE_MAX, &text, err))
        return false;
    with.scratch = scratch;
    while (str_split(&text, '\n', &line)) {
        size_t mark = arena_mark(scratch);

        if (!str_trim(line).len)
            continue;
        with.json = json_parse(scratch, line, err);
        if (!with.json || !read(&with, json_root(with.json), err))
            return err_wrap(err, "%s", path);
        arena_rewind(scratch, mark);
    }
    return true;
}

static bool read_set(struct collection *c, const char *set, const char *path, line_read *read,
                     struct err *err)
{
    return read_lines((struct line_reader){.c = c, .set = set}, path, read, err);
}

bool load_set(struct collection *c, const char *set, const char *passages, const char *questions,
              struct err *err)
{
    return read_set(c, set, passages, read_passage, err) &&
           (!questions || read_set(c, set, questions, read_question, err));
}

/* --- the others' formats ---------------------------------------------------------------------- */

static bool read_clapnq(struct line_reader *r, json_ref v, struct err *err)
{
    struct arena *arena = r->c->arena;
    struct str id = line_field(r, v, STR("id"));
    json_ref passage = json_at(r->json, json_get(r->json, v, STR("passages")), 0);
    json_ref output = json_get(r->json, v, STR("output"));
    struct asked_question q = {.document = document_key(r, id),
                               .text = arena_str(arena, line_field(r, v, STR("input")))};

    q.answers = arena_array(arena, 64, sizeof *q.answers);
    if (!q.answers)
        return err_arena(err, arena);
    for (json_ref o = json_first(r->json, output); o; o = json_next(r->json, o)) {
        json_ref all = json_get(r->json, o, STR("selected_sentences"));

        for (json_ref s = json_first(r->json, all); s && q.answer_count < 64;
             s = json_next(r->json, s)) {
            struct str text;

            if (json_str(r->json, s, r->scratch, &text) && text.len)
                q.answers[q.answer_count++] = fold(arena, text);
        }
    }
    return add_passage(r, id, line_field(r, passage, STR("title")),
                       line_field(r, passage, STR("text")), err) &&
           put_question(r, &q, err);
}

#define ALTERNATIVES_MAX 64

static void add_alternative(struct line_reader *r, struct noisy_question *q, json_ref v,
                            uint32_t part)
{
    struct str text;

    if (q->answer_count == ALTERNATIVES_MAX || !json_str(r->json, v, r->scratch, &text))
        return;
    q->part[q->answer_count] = part;
    q->answers[q->answer_count++] = fold(r->c->arena, text);
}

/* "12", ["12"], or [["12", "twelve"], "Rome"]: of a list within the list any will do. */
static bool read_alternatives(struct line_reader *r, json_ref v, struct noisy_question *q,
                              struct err *err)
{
    json_ref answer = json_get(r->json, v, STR("answer"));
    uint32_t part = 0;

    q->answers = arena_array(r->c->arena, ALTERNATIVES_MAX, sizeof *q->answers);
    q->part = arena_array(r->c->arena, ALTERNATIVES_MAX, sizeof *q->part);
    if (!q->answers || !q->part)
        return err_arena(err, r->c->arena);
    if (json_kind(r->json, answer) != JSON_ARRAY) {
        add_alternative(r, q, answer, part);
        return true;
    }
    for (json_ref a = json_first(r->json, answer); a; a = json_next(r->json, a), part++) {
        if (json_kind(r->json, a) != JSON_ARRAY) {
            add_alternative(r, q, a, part);
            continue;
        }
        for (json_ref one = json_first(r->json, a); one; one = json_next(r->json, one))
            add_alternative(r, q, one, part);
    }
    return true;
}

/* The same text stands below many questions, on both sides: it is one document, named by its text in letters alone. */
static bool add_news(struct line_reader *r, struct str text, struct str *key, struct err *err)
{
    static const uint8_t by[16] = "news";
    uint64_t hash = siphash_keyed(by, fold(r->scratch, text));
    char name[17] = "";

    for (size_t i = 0; i < 16; i++)
        name[i] = (char)('a' + (hash >> 4 * i & 15));
    *key = document_key(r, str_from(name));
    if (table_get(&r->c->news, *key))
        return true;
    if (!key->ptr || !table_put(&r->c->news, *key, r->c, NULL))
        return err_no_room(err, "no memory for news");
    return add_passage(r, str_from(name), STR(""), text, err);
}

/* Passages to get lost among, and the questions about them. */
static bool read_rgb(struct line_reader *r, json_ref v, struct err *err)
{
    static const char *const lists[] = {"positive", "negative"};
    struct noisy_question q = {.text = arena_str(r->c->arena, line_field(r, v, STR("query")))};
    size_t number = 0;

    q.documents = arena_array(r->c->arena, 256, sizeof *q.documents);
    if (!q.documents || !read_alternatives(r, v, &q, err))
        return err_arena(err, r->c->arena);
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        json_ref list = json_get(r->json, v, str_from(lists[i]));

        for (json_ref p = json_first(r->json, list); p; p = json_next(r->json, p)) {
            json_ref first = json_kind(r->json, p) == JSON_ARRAY ? json_at(r->json, p, 0) : p;
            struct str text;

            if (!json_str(r->json, first, r->scratch, &text) || str_trim(text).len < 10)
                continue;
            struct str key;

            if (!add_news(r, text, &key, err))
                return false;
            if (number < 256) {
                q.documents[number++] = key;
                *(i == 0 ? &q.positive : &q.negative) += 1;
            }
        }
    }
    buf_put(&r->c->noisy, &q, sizeof q);
    return buf_ok(&r->c->noisy) || err_arena(err, r->c->arena);
}

bool add_report(struct line_reader *r, json_ref v, const char *language, struct err *err)
{
    struct str text = line_field(r, v, STR("text"));
    bool marked = str_find(text, STR("**")) < text.len;

    if (!str_eq(line_field(r, v, STR("lang")), str_from(language)))
        return true;
    return add_file(r, json_raw(r->json, json_get(r->json, v, STR("doc_id"))),
                    arena_fmt(r->scratch, "%s" STR_FMT "\n\n" STR_FMT "\n", marked ? "# " : "",
                              STR_ARG(line_field(r, v, STR("who"))), STR_ARG(text)),
                    marked ? DOCUMENT_MARKDOWN : DOCUMENT_TEXT, err);
}

const char *file_at(struct collection *c, const char *data, const char *name)
{
    return arena_fmt(c->arena, "%s/%s", data, name).ptr;
}

bool load_english(struct collection *c, const char *data, struct err *err)
{
    return load_set(c, "squad2-en", file_at(c, data, "squad2-en/passages.jsonl"),
                    file_at(c, data, "squad2-en/questions.jsonl"), err) &&
           load_set(c, "squad2-en", file_at(c, data, "squad2-en/distractors.jsonl"), NULL, err) &&
           load_set(c, "xquad-en", file_at(c, data, "xquad/en.passages.jsonl"),
                    file_at(c, data, "xquad/en.questions.jsonl"), err) &&
           load_set(c, "policyqa", file_at(c, data, "policyqa/passages.jsonl"),
                    file_at(c, data, "policyqa/questions.jsonl"), err) &&
           read_set(c, "clapnq", file_at(c, data, "clapnq/answerable.jsonl"), read_clapnq, err) &&
           read_set(c, "clapnq", file_at(c, data, "clapnq/unanswerable.jsonl"), read_clapnq, err);
}

bool load_english_news(struct collection *c, const char *data, struct err *err)
{
    return read_set(c, "rgb-en-fact", file_at(c, data, "rgb/en_fact.jsonl"), read_rgb, err);
}

static bool load_chinese_sets(struct collection *c, const char *data, struct err *err)
{
    return load_set(c, "cmrc2018", file_at(c, data, "cmrc2018/passages.jsonl"),
                    file_at(c, data, "cmrc2018/questions.jsonl"), err) &&
           load_set(c, "cmrc2018-trial", file_at(c, data, "cmrc2018/trial.passages.jsonl"),
                    file_at(c, data, "cmrc2018/trial.questions.jsonl"), err) &&
           load_set(c, "drcd", file_at(c, data, "drcd/passages.jsonl"),
                    file_at(c, data, "drcd/questions.jsonl"), err) &&
           load_set(c, "xquad-zh", file_at(c, data, "xquad/zh.passages.jsonl"),
                    file_at(c, data, "xquad/zh.questions.jsonl"), err);
}

bool load_chinese(struct collection *c, const char *data, struct err *err)
{
    return load_chinese_sets(c, data, err) &&
           read_set(c, "rgb-refine", file_at(c, data, "rgb/zh_refine.jsonl"), read_rgb, err);
}

bool load_chinese_pieces(struct collection *c, const char *data, struct err *err)
{
    c->pieces = true;
    return load_chinese_sets(c, data, err);
}

bool load_sample(struct collection *c, const char *name, struct err *err)
{
    struct str passages = arena_fmt(c->arena, "tests/quality/data/%s.passages.jsonl", name);
    struct str questions = arena_fmt(c->arena, "tests/quality/data/%s.questions.jsonl", name);

    return load_set(c, name[0] == 'e' ? "sample-en" : "sample-zh", passages.ptr, questions.ptr,
                    err);
}
