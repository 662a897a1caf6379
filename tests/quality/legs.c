/* weir_legs DATA: what finds the passage, leg by leg and together; prints the tables of docs/quality.md
 * and, with --train, the numbers of src/knowledge/fuse.c.
 *   weir_legs DATA                     all sets, each over all passages of its language; Cranfield by itself
 *   weir_legs DATA --every 10          each tenth question
 *   weir_legs DATA --language en|zh|cranfield
 *   weir_legs DATA --train             also weights for each leg, by sets whose licences allow it
 * Vectors are compared exactly, as floats: what a quantised scan loses comes on top of this. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "index/embed.h"
#include "index/latent.h"
#include "knowledge/fuse.h"
#include "scratch_dir.h"
#include "sets.h"
#include "sys/file.h"

#define SCRATCH  ((size_t)64 * MIB)
#define SETS_MAX 16
#define WAYS     4 /* words, vectors, both as learned, both with knowledge.vector_weight 50 */
#define VECTORS  ((size_t)1 * GIB)

enum leg { LEG_HASHED = FUSE_HASHED, LEG_LATENT = FUSE_LATENT, LEGS };
static const char *const leg_names[LEGS] = {"hashed", "latent"};
static const char *const ways[WAYS] = {"words", "vectors", "both", "at 50"};

struct figures {
    double first, five, ten, reciprocal, ndcg;
};
struct result {
    struct str set;
    uint32_t asked;
    struct figures of[LEGS][WAYS];
};

struct legs {
    struct collection *c;
    struct lexical_view *view;
    struct analyser *analyser;
    struct arena *scratch, *vectors;
    struct latent model;
    uint32_t dimensions[LEGS];
    float *of[LEGS]; /* [passages][dimensions] */
    struct result results[SETS_MAX];
    size_t count;
    uint32_t every, questions;
    FILE *train;
};

struct wanted {
    struct str set, text;
    struct sha256 hash; /* of the file that answers */
    const struct str *keys;
    size_t key_count;
};

static struct result *result_of(struct legs *l, struct str set)
{
    for (size_t i = 0; i < l->count; i++)
        if (str_eq(l->results[i].set, set))
            return &l->results[i];
    ASSERT(l->count < SETS_MAX);
    l->results[l->count].set = set;
    return &l->results[l->count++];
}

/* --- vectors ---------------------------------------------------------------------------------- */

static float dot(const float *a, const float *b, uint32_t n)
{
    float sum = 0;

    for (uint32_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static bool hash_passages(struct legs *l, struct err *err)
{
    uint64_t passages = lexical_stats(l->view).passages;

    l->dimensions[LEG_HASHED] = EMBED_HASHED_DIMENSIONS;
    l->of[LEG_HASHED] = arena_array(l->vectors, passages * EMBED_HASHED_DIMENSIONS, sizeof(float));
    if (!l->of[LEG_HASHED])
        return err_arena(err, l->vectors);
    for (uint64_t i = 0; i < passages; i++) {
        struct lexical_hit hit = lexical_hit_at(l->view, i);
        struct passage passage;
        struct document_record record;
        struct str text;
        struct terms terms;
        size_t mark = arena_mark(l->scratch);

        if (!passage_read(l->scratch, hit.record, &passage) ||
            !document_record_read(hit.document_record, &record) ||
            !passage_text(l->scratch, &passage, &text, err))
            return err_set(err, ERR_INTERNAL, "could not read a passage");
        text = arena_fmt(l->scratch, STR_FMT "\n" STR_FMT "\n" STR_FMT, STR_ARG(record.title),
                         STR_ARG(passage.heading), STR_ARG(text));
        if (!analyser_terms(l->analyser, l->scratch, text, &terms, err))
            return false;
        (void)embed_hashed(&terms, l->of[LEG_HASHED] + i * EMBED_HASHED_DIMENSIONS);
        arena_rewind(l->scratch, mark);
    }
    return true;
}

static struct latent_limits limits;

static bool learn(struct legs *l, struct err *err)
{
    struct latent_lesson lesson = {.view = l->view, .limits = &limits};
    uint64_t passages = lexical_stats(l->view).passages, at = 0;
    struct str bytes;

    if (!latent_learn(&lesson, l->vectors, &bytes, err) || !latent_read(bytes, &l->model, err))
        return false;
    l->dimensions[LEG_LATENT] = l->model.dimensions;
    l->of[LEG_LATENT] = arena_array(l->vectors, passages * l->model.dimensions, sizeof(float));
    if (!l->of[LEG_LATENT])
        return err_arena(err, l->vectors);
    for (uint32_t s = 0; s < lexical_stats(l->view).segments; s++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(VECTORS);
        uint64_t before = at;
        float *vectors;

        if (!arena || !latent_passages(&l->model, l->view, s, arena, &vectors, err))
            return false;
        /* Segments follow each other; the next begins where the passages counted so far end. */
        while (at < passages && at - before < UINT32_MAX) {
            memcpy(l->of[LEG_LATENT] + at * l->model.dimensions,
                   vectors + (at - before) * l->model.dimensions,
                   l->model.dimensions * sizeof(float));
            at++;
        }
    }
    printf("# latent: %u words, %u dimensions, %.1f MB, learned from %u passages\n", l->model.words,
           l->model.dimensions, (double)bytes.len / 1e6, l->model.learned_from);
    return true;
}

/* --- one question ----------------------------------------------------------------------------- */

static int by_vector(const void *a, const void *b)
{
    const struct fuse_item *x = a, *y = b;

    if (x->vector != y->vector)
        return x->vector < y->vector ? 1 : -1;
    return (x->passage > y->passage) - (x->passage < y->passage);
}

/* Which of the documents looked for this passage is of; key_count: none. */
static size_t wanted_number(struct legs *l, const struct wanted *w, uint64_t passage)
{
    struct lexical_hit hit = lexical_hit_at(l->view, passage);
    struct document_record record;
    size_t i = 0;

    while (i < w->key_count && !str_eq(hit.key, w->keys[i]))
        i++;
    if (i == w->key_count && w->key_count == 1 &&
        document_record_read(hit.document_record, &record) &&
        memcmp(&record.hash, &w->hash, sizeof w->hash) == 0)
        i = 0; /* the same text that came with another set */
    return i;
}

/* A document counts where its first passage stands. */
static void count(struct legs *l, const struct wanted *w, const struct fuse_item *list, size_t n,
                  struct figures *f)
{
    double gain = 0, most = 0;
    bool found = false, *seen = arena_array(l->scratch, w->key_count + 1, sizeof *seen);

    ASSERT(seen);
    for (size_t i = 0; i < n && i < 100; i++) {
        size_t which = wanted_number(l, w, list[i].passage);

        if (which == w->key_count || seen[which])
            continue;
        seen[which] = true;
        gain += i < 10 ? 1 / log2((double)i + 2) : 0;
        if (found)
            continue;
        found = true;
        f->first += i < 1;
        f->five += i < 5;
        f->ten += i < 10;
        f->reciprocal += 1 / (double)(i + 1);
    }
    for (size_t i = 0; i < w->key_count && i < 10; i++)
        most += 1 / log2((double)i + 2);
    f->ndcg += most > 0 ? gain / most : 0;
}

/* The best of both legs, each with both scores. */
static size_t gather(struct legs *l, enum leg leg, const float *vector,
                     const struct lexical_hits *hits, struct fuse_item *list)
{
    uint64_t passages = lexical_stats(l->view).passages;
    uint32_t d = l->dimensions[leg];
    struct fuse_item *all = arena_array(l->scratch, passages, sizeof *all);
    bool *taken = arena_array(l->scratch, passages, sizeof *taken);
    size_t n = 0;

    ASSERT(all && taken);
    for (uint64_t p = 0; p < passages; p++)
        all[p] = (struct fuse_item){.passage = p, .vector = dot(vector, l->of[leg] + p * d, d)};
    for (size_t i = 0; i < hits->count; i++) {
        list[n] = all[hits->at[i].passage];
        list[n++].lexical = hits->at[i].score;
        taken[hits->at[i].passage] = true;
    }
    qsort(all, passages, sizeof *all, by_vector);
    for (uint64_t i = 0; i < passages && i < FUSE_DEPTH; i++)
        if (!taken[all[i].passage])
            list[n++] = all[i];
    return n;
}

/* What train_fuse.c learns from: a line a candidate. */
static void dump(struct legs *l, enum leg leg, const struct wanted *w,
                 const struct fuse_signs *signs, const struct fuse_item *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float x[FUSE_FEATURES];

        fuse_features(signs, &list[i], x);
        fprintf(l->train, "%s\t" STR_FMT "\t%u\t%u\t%d", leg_names[leg], STR_ARG(w->set),
                l->questions, w->hash.bytes[0] % 5u,
                wanted_number(l, w, list[i].passage) < w->key_count);
        for (int f = 0; f < FUSE_FEATURES; f++)
            fprintf(l->train, "\t%.5g", (double)x[f]);
        fputc('\n', l->train);
    }
}

static void rank(struct legs *l, enum leg leg, const struct wanted *w, struct result *r,
                 const struct fuse_signs *signs, struct fuse_item *list, size_t n)
{
    static const float words[FUSE_FEATURES] = {[U_WORDS] = 1},
                       alone[FUSE_FEATURES] = {[U_COSINE] = 1},
                       half[FUSE_FEATURES] = {[U_WORDS] = 1, [U_COSINE] = 0.5f};
    const float *by[WAYS] = {words, alone, fuse_weights[leg], half};

    if (l->train)
        dump(l, leg, w, signs, list, n);
    for (int way = 0; way < WAYS; way++) {
        fuse_by(by[way], signs, list, n);
        count(l, w, list, n, &r->of[leg][way]);
    }
}

static bool ask(struct legs *l, const struct wanted *w, struct err *err)
{
    struct result *r = result_of(l, w->set);
    struct fuse_item *list = arena_array(l->scratch, (size_t)2 * FUSE_DEPTH, sizeof *list);
    float *vector = arena_array(l->scratch, EMBED_HASHED_DIMENSIONS, sizeof *vector);
    struct lexical_hits hits;
    struct terms terms;
    uint32_t words;

    if (!list || !vector)
        return err_arena(err, l->scratch);
    if (!analyser_terms(l->analyser, l->scratch, w->text, &terms, err) ||
        !lexical_search(l->view, l->scratch,
                        &(struct lexical_query){.terms = &terms, .limit = FUSE_DEPTH}, &hits, err))
        return false;
    float ideal = fuse_ideal(l->view, NULL, &terms, &words);
    r->asked++;
    l->questions++;
    for (int leg = 0; leg < LEGS; leg++) {
        if (leg == LEG_HASHED)
            (void)embed_hashed(&terms, vector);
        else
            (void)latent_vector(&l->model, &terms, vector);
        size_t n = gather(l, (enum leg)leg, vector, &hits, list);
        struct fuse_signs signs = fuse_signs_of(list, n, ideal, words);
        rank(l, (enum leg)leg, w, r, &signs, list, n);
    }
    return true;
}

/* --- Cranfield --------------------------------------------------------------------------------- */

static bool each_line(struct legs *l, const char *path,
                      bool (*take)(struct legs *, const struct json *, struct err *),
                      struct err *err)
{
    struct arena *file CLEANUP(arena_end) = arena_new(SCRATCH);
    struct str text, line;

    if (!file || !file_load(file, path, SCRATCH / 2, &text, err))
        return false;
    while (str_split(&text, '\n', &line)) {
        size_t mark = arena_mark(l->scratch);
        struct json *json = str_trim(line).len ? json_parse(l->scratch, line, err) : NULL;

        if (str_trim(line).len && (!json || !take(l, json, err)))
            return err_wrap(err, "%s", path);
        arena_rewind(l->scratch, mark);
    }
    return true;
}

static struct str cranfield_name(struct arena *arena, const struct json *j, json_ref id)
{
    return arena_fmt(arena, "cranfield/" STR_FMT, STR_ARG(json_raw(j, id)));
}

static bool take_document(struct legs *l, const struct json *j, struct err *err)
{
    struct str text = STR_NONE, title = STR_NONE;
    json_ref root = json_root(j);
    struct str name = cranfield_name(l->scratch, j, json_get(j, root, STR("id")));
    struct document_ingest in = {.writer = l->c->writer};

    (void)!json_str(j, json_get(j, root, STR("title")), l->scratch, &title);
    (void)!json_str(j, json_get(j, root, STR("text")), l->scratch, &text);
    struct document_source source = {
        .bytes = arena_fmt(l->scratch, STR_FMT "\n\n" STR_FMT "\n", STR_ARG(title), STR_ARG(text)),
        .shown = name,
        .source = name,
        .type = DOCUMENT_TEXT};
    return str_trim(text).len == 0 || add_document(&in, &source, err); /* two are empty */
}

static bool take_query(struct legs *l, const struct json *j, struct err *err)
{
    json_ref root = json_root(j), relevant = json_get(j, root, STR("relevant"));
    struct str *keys = arena_array(l->scratch, json_count(j, relevant) + 1, sizeof *keys);
    struct wanted w = {.set = STR("cranfield"), .keys = keys};

    if (!keys || !json_str(j, json_get(j, root, STR("question")), l->scratch, &w.text))
        return err_set(err, ERR_INVALID, "not a query");
    for (json_ref id = json_first(j, relevant); id; id = json_next(j, id)) {
        char key[DOCUMENT_ID_LEN + 1];

        document_id(cranfield_name(l->scratch, j, id), key);
        keys[w.key_count++] = arena_str(l->scratch, str_from(key));
    }
    return ask(l, &w, err);
}

/* --- sets ------------------------------------------------------------------------------------- */

static void print(const struct legs *l)
{
    for (size_t i = 0; i < l->count; i++) {
        const struct result *r = &l->results[i];
        double n = r->asked;

        for (int leg = 0; leg < LEGS; leg++)
            for (int way = leg > 0; way < WAYS; way++) {
                const struct figures *f = &r->of[leg][way];

                printf("%-14.*s %5u %-6s %-7s  %.4f %.4f %.4f  mrr %.4f ndcg %.4f\n",
                       STR_ARG(r->set), r->asked, way ? leg_names[leg] : "", ways[way],
                       f->first / n, f->five / n, f->ten / n, f->reciprocal / n, f->ndcg / n);
            }
    }
}

static bool ready(struct legs *l, struct err *err)
{
    if (!collection_ready(l->c, err))
        return false;
    l->view = lexical_borrow(l->c->knowledge->index);
    return analyser_open(&l->analyser, err) && hash_passages(l, err) && learn(l, err);
}

static bool ask_all(struct legs *l, struct err *err)
{
    size_t n;
    const struct asked_question *list = questions_of(l->c, &n);

    for (size_t i = 0; i < n; i += l->every) {
        struct wanted w = {
            .set = list[i].set, .text = list[i].text, .keys = &list[i].document, .key_count = 1};
        size_t mark = arena_mark(l->scratch);
        struct lexical_document_info info;
        struct document_record record;

        if (!lexical_find(l->view, list[i].document, &info) ||
            !document_record_read(info.record, &record))
            return err_set(err, ERR_INTERNAL, "a question's passage is not there");
        w.hash = record.hash;
        if (list[i].answer_count && !ask(l, &w, err))
            return false;
        arena_rewind(l->scratch, mark);
    }
    return true;
}

static const char *path_of(struct legs *l, const char *data, const char *file)
{
    return arena_fmt(l->c->arena, "%s/cranfield/%s.jsonl", data, file).ptr;
}

static bool run(const char *data, const char *language, uint32_t every, FILE *train,
                struct err *err)
{
    char dir[SCRATCH_DIR_MAX];
    struct collection c;
    static struct legs l;

    uint32_t before = l.questions; /* of the languages before */

    l = (struct legs){.questions = before,
                      .c = &c,
                      .every = every,
                      .train = train,
                      .scratch = arena_new(SCRATCH),
                      .vectors = arena_new(4 * VECTORS)};
    bool ok = l.scratch && l.vectors && scratch_dir_make(dir) && collection_open(dir, &c, err);
    if (ok) {
        bool cranfield = strcmp(language, "cranfield") == 0;

        ok = (cranfield ? each_line(&l, path_of(&l, data, "docs"), take_document, err)
              : strcmp(language, "en") == 0 ? load_english(&c, data, err)
                                            : load_chinese(&c, data, err)) &&
             ready(&l, err) &&
             (cranfield ? each_line(&l, path_of(&l, data, "queries"), take_query, err)
                        : ask_all(&l, err));
        if (ok)
            print(&l);
        analyser_close(&l.analyser);
        lexical_release(&l.view);
        collection_close(&c);
    }
    arena_end(&l.scratch);
    arena_end(&l.vectors);
    scratch_dir_remove(dir);
    return ok;
}

int main(int argc, char **argv)
{
    static const char *const languages[] = {"en", "zh", "cranfield"};
    const char *only = NULL;
    FILE *train = NULL;
    uint64_t every = 1;
    struct err err = {0};

    limits = latent_default;
    for (int i = 2; i + 1 < argc; i += 2) {
        uint64_t n = 0;
        (void)!u64_parse(str_from(argv[i + 1]), &n);
        if (strcmp(argv[i], "--language") == 0)
            only = argv[i + 1];
        else if (strcmp(argv[i], "--every") == 0)
            every = n;
        else if (strcmp(argv[i], "--dimensions") == 0)
            limits.dimensions = (uint32_t)n;
        else if (strcmp(argv[i], "--rounds") == 0)
            limits.rounds = (uint32_t)n;
        else if (strcmp(argv[i], "--train") == 0)
            train = fopen(argv[i + 1], "w");
    }
    for (size_t i = 0; argc > 1 && i < ARRAY_LEN(languages); i++)
        if ((!only || strcmp(only, languages[i]) == 0) &&
            !run(argv[1], languages[i], (uint32_t)MAX_OF(every, 1u), train, &err)) {
            fprintf(stderr, "weir_legs: %s\n", err.text);
            return 1;
        }
    return 0;
}
