#include "employees.h"

#include "knowledge/followup.h"
#include "knowledge/knowledge_internal.h"
#include "sys/file.h"

const char *const employee_marks[EMPLOYEE_MARKS] = {"right", "partly", "refused", "WRONG"};

bool employee_question_is_answerable(const struct employee_question *q)
{
    return q->wanted.len && !str_starts(q->wanted, STR("!"));
}

static bool is_word_byte(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Of a "5" that is no part of "25" or "5th". */
static bool stands(struct str text, struct str what)
{
    for (size_t at = str_find(text, what); at < text.len;) {
        size_t end = at + what.len;

        if (!is_word_byte(what.ptr[0]) || ((at == 0 || !is_word_byte(text.ptr[at - 1])) &&
                                           (end == text.len || !is_word_byte(text.ptr[end]))))
            return true;
        at += 1 + str_find(str_slice(text, at + 1, text.len), what);
    }
    return false;
}

/* An answer without its list of sources. */
static struct str own_words(const struct grounded *g)
{
    size_t at =
        MIN_OF(str_find(g->text, STR("\n\nSources:")), str_find(g->text, STR("\n\n来源：")));

    return str_slice(g->text, 0, at);
}

static bool has_phrase(const struct grounded *g, struct str file, struct str phrase)
{
    phrase = str_trim(phrase);
    if (str_starts(phrase, STR("~")))
        return stands(own_words(g), str_slice(phrase, 1, phrase.len));
    for (size_t i = 0; i < g->citation_count; i++)
        if (stands(g->citations[i].quote, phrase) && str_ends(g->citations[i].path, file))
            return true;
    return false;
}

/* The part in front of `mark`, and *rest behind it. */
static struct str cut(struct str *rest, struct str mark)
{
    size_t at = str_find(*rest, mark);
    struct str part = str_slice(*rest, 0, at);

    *rest = at == rest->len ? STR_NONE : str_slice(*rest, at + mark.len, rest->len);
    return part;
}

static enum employee_mark mark_of(const struct employee_question *q, const struct grounded *g)
{
    size_t wanted = 0, there = 0;

    if (!employee_question_is_answerable(q))
        return g->answered ? EMPLOYEE_WRONG : EMPLOYEE_RIGHT;
    if (!g->answered)
        return EMPLOYEE_REFUSED;
    for (struct str rest = q->wanted; rest.len; wanted++) {
        struct str any = cut(&rest, STR(" | "));
        bool has = false;

        while (any.len && !has)
            has = has_phrase(g, q->file, cut(&any, STR(" / ")));
        there += has;
    }
    return there == wanted ? EMPLOYEE_RIGHT : there ? EMPLOYEE_PARTLY : EMPLOYEE_WRONG;
}

static bool names_missing(const struct employee_question *q, const struct grounded *g)
{
    size_t nearest = MIN_OF(str_find(g->text, STR("\n")), g->text.len);

    return str_starts(q->wanted, STR("!")) && !g->answered &&
           stands(str_slice(g->text, 0, nearest), str_slice(q->wanted, 1, q->wanted.len));
}

static bool ask(struct knowledge *knowledge, struct arena *arena, const struct employee_question *q,
                struct employee_result *result, struct grounded *g, struct err *err)
{
    struct knowledge_question asked = {.text = q->text};

    if (q->before.len) {
        struct utterance said[2] = {{true, q->before}, {false, STR_NONE}};

        if (!answer_now(knowledge, arena, &(struct knowledge_question){.text = q->before}, g, err))
            return false;
        said[1].text = g->text;
        if (!followup_complete(arena, said, 2, q->text, &asked.text, err))
            return false;
    }
    if (!answer_now(knowledge, arena, &asked, g, err))
        return false;
    *result = (struct employee_result){mark_of(q, g), names_missing(q, g), g, asked.text};
    return true;
}

static bool next_question(struct str *rest, struct employee_question *q)
{
    struct str line;

    while (str_split(rest, '\n', &line)) {
        struct str *fields[] = {&q->kind, &q->text, &q->wanted, &q->file, &q->before};

        if (!line.len || line.ptr[0] == '#')
            continue;
        *q = (struct employee_question){0};
        for (size_t i = 0; i < ARRAY_LEN(fields) && str_split(&line, '\t', fields[i]);)
            i++;
        return true;
    }
    return false;
}

static void count(struct employee_tally *tally, const struct employee_question *q,
                  const struct employee_result *result)
{
    bool answerable = employee_question_is_answerable(q);

    tally->asked++;
    tally->answerable += answerable;
    tally->marks[!answerable][result->mark]++;
    tally->lacks += str_starts(q->wanted, STR("!"));
    tally->lacks_named += result->names;
}

static bool ask_all(const struct employees *e, struct knowledge *knowledge, struct arena *arena,
                    struct employee_tally *out, struct err *err)
{
    struct ingest_wish wish = {.path = STR(EMPLOYEES_HANDBOOK)};
    struct employee_question q;
    struct ingest_report report;
    struct str table;

    if (!ingest_now(knowledge, arena, &wish, &report, err) ||
        !file_load(arena, e->table, MIB, &table, err))
        return false;
    if (report.failed || !report.added)
        return err_set(err, ERR_INVALID, "%u files of the handbook could not be read",
                       report.failed);
    while (next_question(&table, &q)) {
        size_t mark = arena_mark(arena);
        struct employee_result result;
        struct grounded g;

        if (!ask(knowledge, arena, &q, &result, &g, err))
            return err_wrap(err, STR_FMT, STR_ARG(q.text));
        count(out, &q, &result);
        if (e->told)
            e->told(&q, &result);
        arena_rewind(arena, mark);
    }
    return true;
}

bool employees_ask(const struct employees *e, struct employee_tally *out, struct err *err)
{
    struct knowledge_options options = {.dir = e->dir, .readers = {.argv = e->argv}};
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);
    struct knowledge *knowledge = NULL;

    *out = (struct employee_tally){0};
    if (!arena)
        return err_set(err, ERR_EXHAUSTED, "no memory");
    bool ok = knowledge_open(&options, &knowledge, err) && ask_all(e, knowledge, arena, out, err);
    knowledge_close(&knowledge);
    return ok;
}
