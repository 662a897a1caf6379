/* One question to several bases: each answers for itself, with its own rights and numbers, and what they say
 * is put together. */
#include <string.h>

#include "knowledge/answer.h"
#include "knowledge/bases_internal.h"
#include "knowledge/vectors.h"

#define TEXT_MAX ((size_t)4 * MIB)

static bool has(const struct base_set *set, const struct base *base)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->at[i] == base)
            return true;
    return false;
}

bool base_may_be_asked(struct base *base, const struct principal *who, struct err *err)
{
    struct bases *bases = base->all;
    char memory[2 * BASE_NAME_MAX + 2 + 200];
    struct buf name;

    if (!who || base == bases->at[0])
        return true;
    buf_init_fixed(&name, memory, sizeof memory);
    mutex_lock(&bases->mutex);
    buf_str(&name, *atomic_load(&bases->alias));
    buf_char(&name, '/');
    buf_str(&name, base->facts->info.name);
    mutex_unlock(&bases->mutex);
    return (buf_ok(&name) && principal_may_ask(who, buf_view(&name))) ||
           err_set(err, ERR_DENIED, "this key may not ask model \"" STR_FMT "\"",
                   STR_ARG(buf_view(&name)));
}

bool bases_choose(struct bases *bases, const struct str *names, size_t count,
                  const struct principal *who, struct base_set *out, struct err *err)
{
    static const struct str fallback = {"default", 7};
    struct base_set set CLEANUP(base_set_release) = {0};

    if (count > BASES_ASKED_MAX)
        return err_set(err, ERR_INVALID, "more than %u knowledge bases in one question",
                       BASES_ASKED_MAX);
    if (count == 0) {
        names = &fallback;
        count = 1;
    }
    for (size_t i = 0; i < count; i++) {
        struct base *base CLEANUP(base_release) = NULL;

        if (!bases_borrow(bases, names[i], who, &base, err) || !base_may_be_asked(base, who, err) ||
            !base_use(base, err))
            return false;
        if (has(&set, base))
            continue;
        set.at[set.count++] = base;
        base = NULL;
    }
    *out = set;
    set.count = 0;
    return true;
}

void base_set_release(struct base_set *set)
{
    while (set->count > 0)
        base_release(&set->at[--set->count]);
}

/* Where a citation is from: the name by which it is asked again. */
static bool name_all(struct base *base, struct arena *arena, struct citation *list, size_t count,
                     struct err *err)
{
    struct base_info info;

    if (count == 0)
        return true;
    if (!base_info(base, arena, &info, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        list[i].base = info.name;
        list[i].base_id = info.id;
    }
    return true;
}

static bool is_before(const struct citation *a, const struct citation *b)
{
    return a->is_scored ? a->likely > b->likely : a->score > b->score;
}

/* The next best of lists that are each best first; SIZE_MAX: none is left. */
static size_t best_of(const struct passages_found *lists, const size_t *taken, size_t count)
{
    size_t best = SIZE_MAX;

    for (size_t i = 0; i < count; i++)
        if (taken[i] < lists[i].count &&
            (best == SIZE_MAX ||
             is_before(&lists[i].list[taken[i]], &lists[best].list[taken[best]])))
            best = i;
    return best;
}

static bool merge(struct arena *arena, const struct passages_found *lists, size_t count,
                  size_t limit, struct passages_found *out, struct err *err)
{
    size_t taken[BASES_ASKED_MAX] = {0};
    struct passages_found all = {.list = arena_array(arena, limit + 1, sizeof *all.list)};

    if (!all.list)
        return err_arena(err, arena);
    for (size_t from; all.count < limit && (from = best_of(lists, taken, count)) != SIZE_MAX;)
        all.list[all.count++] = lists[from].list[taken[from]++];
    for (size_t i = 0; i < count; i++) /* what any of them was searched by, beside words */
        if (!all.retrieval || strcmp(all.retrieval, "words") == 0)
            all.retrieval = lists[i].retrieval;
    *out = all;
    return true;
}

/* Once for all: of the first that has something to compare with. */
static SUSPENDS void ask_vector(const struct base_set *set, struct arena *arena,
                                struct knowledge_question *asked)
{
    for (size_t i = 0; i < set->count && !asked->dim; i++)
        vectors_question(base_knowledge(set->at[i]), arena, asked);
}

bool bases_search(const struct base_set *set, struct arena *arena,
                  const struct knowledge_question *question, size_t limit,
                  struct passages_found *out, struct err *err)
{
    struct passages_found lists[BASES_ASKED_MAX] = {0};

    struct knowledge_question asked = *question;

    ASSERT(set->count > 0);
    ask_vector(set, arena, &asked);
    for (size_t i = 0; i < set->count; i++)
        if (!knowledge_search(base_knowledge(set->at[i]), arena, &asked, limit, &lists[i], err) ||
            !name_all(set->at[i], arena, lists[i].list, lists[i].count, err))
            return false;
    if (set->count == 1) {
        *out = lists[0];
        return true;
    }
    return merge(arena, lists, set->count, limit, out, err);
}

/* An answer before none, the surer before the other; of two refusals the one with the nearer passage. */
static bool is_better(const struct grounded *a, const struct grounded *b)
{
    if (a->answered != b->answered)
        return a->answered;
    if (a->answered)
        return a->confidence > b->confidence;
    if ((a->citation_count > 0) != (b->citation_count > 0))
        return a->citation_count > 0;
    return a->citation_count > 0 && a->citations[0].score > b->citations[0].score;
}

bool bases_answer(const struct base_set *set, struct arena *arena,
                  const struct knowledge_question *question, struct grounded *out, struct err *err)
{
    struct grounded best = {0}, one;

    struct knowledge_question asked = *question;

    ASSERT(set->count > 0);
    ask_vector(set, arena, &asked);
    for (size_t i = 0; i < set->count; i++) {
        if (!knowledge_answer(base_knowledge(set->at[i]), arena, &asked, &one, err) ||
            !name_all(set->at[i], arena, one.citations, one.citation_count, err))
            return false;
        if (i == 0 || is_better(&one, &best))
            best = one;
    }
    *out = best;
    return true;
}

/* What is known by sentence of a passage, found again by its quote. */
static struct evidence_source source_of(const struct briefing *briefs, size_t count,
                                        const struct citation *passage)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < briefs[i].count; k++)
            if (briefs[i].citations[k].quote.ptr == passage->quote.ptr)
                return briefs[i].sources[k];
    ASSERT(false); /* it was merged from these */
    return (struct evidence_source){0};
}

struct evidence_call {
    struct arena *arena;
    struct briefing *briefing;
    struct err *err;
    bool ok;
};

static void read_evidence(void *arg)
{
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct evidence_call *c = arg;

    c->ok = analyser_open(&analyser, c->err) &&
            evidence_read(analyser, c->arena, c->briefing->sources, c->briefing->count,
                          &c->briefing->evidence, c->err);
}

/* As one base would have said it: the passages numbered anew, best first. */
struct briefs {
    struct briefing of[BASES_ASKED_MAX];
    size_t count, most; /* most: passages */
};

static bool put_together(struct arena *arena, const struct briefs *briefs, struct briefing *out,
                         struct err *err)
{
    struct passages_found lists[BASES_ASKED_MAX] = {0};
    bool zh = str_eq(out->language, STR("zh"));
    struct passages_found all;
    struct buf text;

    for (size_t i = 0; i < briefs->count; i++)
        lists[i] = (struct passages_found){briefs->of[i].citations, briefs->of[i].count};
    if (!merge(arena, lists, briefs->count, briefs->most, &all, err))
        return false;
    out->sources = arena_array(arena, all.count + 1, sizeof *out->sources);
    if (!out->sources)
        return err_arena(err, arena);
    buf_init(&text, arena, TEXT_MAX);
    for (size_t i = 0; i < all.count; i++) {
        out->sources[i] = source_of(briefs->of, briefs->count, &all.list[i]);
        citation_write_source(&text, &all.list[i], i + 1, zh);
        buf_fmt(&text, "\n" STR_FMT "\n\n", STR_ARG(all.list[i].quote));
    }
    out->citations = all.list;
    out->count = all.count;
    return buf_finish(&text, &out->text, err);
}

bool bases_brief(const struct base_set *set, struct arena *arena,
                 const struct knowledge_question *question, struct briefing *out, struct err *err)
{
    struct briefs *briefs = arena_alloc(arena, sizeof *briefs);
    struct briefing all = {0};
    struct knowledge_question asked = *question;

    ASSERT(set->count > 0);
    if (!briefs)
        return err_arena(err, arena);
    briefs->count = set->count;
    briefs->most = question->passages ? MIN_OF(question->passages, PASSAGES_ASKED) : PASSAGES_ASKED;
    ask_vector(set, arena, &asked);
    for (size_t i = 0; i < set->count; i++) {
        struct briefing *one = &briefs->of[i];

        if (!knowledge_brief(base_knowledge(set->at[i]), arena, &asked, one, err) ||
            !name_all(set->at[i], arena, one->citations, one->count, err))
            return false;
        if (i == 0)
            all = *one;
        all.confidence = MAX_OF(all.confidence, one->confidence);
    }
    if ((set->count > 1 || all.count > briefs->most) && !put_together(arena, briefs, &all, err))
        return false;
    struct evidence_call call = {.arena = arena, .briefing = &all, .err = err};
    if (!pool_run(base_knowledge(set->at[0])->pool, read_evidence, &call, err) || !call.ok)
        return false;
    *out = all;
    return true;
}
