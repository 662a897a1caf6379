/* weir_eval [DATA]: the embedded default against question sets, with the baselines beside.
 *   weir_eval                           the sample in tests/quality/data, from the source's top folder
 *   weir_eval DATA                      the whole sets (README.md says where they come from)
 *   weir_eval DATA --language en        one of the two
 *   weir_eval DATA --set squad2-en      one set
 *   weir_eval DATA --embedder latent    with vectors beside the words, "latent" or "hashed"
 *   weir_eval DATA --every 10           each tenth question: seconds instead of two minutes
 *   weir_eval DATA --tsv FILE           the same figures for programs: table, set, measure, value, baseline
 *   weir_eval DATA --misses FILE        the questions that went wrong: measure, set, question, what was given
 *   weir_eval DATA --train FILE         the features for train.c beside the figures
 *   weir_eval DATA --spans FILE         instead: the candidates for train_spans.c
 *   weir_eval DATA --ranking FILE         instead: the passages found for train_ranking.c
 *   weir_eval DATA --likely FILE        instead: the first passages of each question for train_likely.c
 *   weir_eval DATA --unseen FILE        spans by the weights in it that have not seen a question's article */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "documents.h"
#include "measure.h"
#include "rgb.h"
#include "scratch_dir.h"

static bool run(struct eval *e, struct err *err)
{
    size_t count;
    const struct asked_question *questions = questions_of(e->c, &count);

    for (size_t i = 0; i < count; i += e->every) {
        size_t mark = arena_mark(e->scratch);

        if (e->only && !str_eq(questions[i].set, str_from(e->only)))
            continue;
        e->question_number = (uint32_t)i;
        if (!measure_question(e, &questions[i], err))
            return false;
        arena_rewind(e->scratch, mark);
    }
    for (size_t i = 0; i < e->tally_count; i++)
        tally_report(&e->tallies[i], e->figures);
    return true;
}

static bool is_wanted(const struct eval *e, const char *set)
{
    return !e->spans && !e->train && !e->ranking && !e->likely &&
           (!e->only || strcmp(e->only, set) == 0);
}

static bool run_noisy(struct eval *e, const char *set, struct err *err)
{
    size_t count;
    const struct noisy_question *q = noisy_questions_of(e->c, &count);
    struct noisy_eval noisy = {.access = &e->access,
                               .analyser = e->analyser,
                               .scratch = e->scratch,
                               .knowledge = e->c->knowledge,
                               .figures = e->figures,
                               .misses = e->misses,
                               .set = str_from(set)};

    return !count || !is_wanted(e, set) || noisy_run(&noisy, q, count, err);
}

/* What is loaded and asked together, in an index of its own. */
struct stage {
    const char *name, *language;
    bool (*load)(struct collection *c, const char *data, struct err *err); /* passages; or */
    bool (*documents)(struct eval *e, const char *dir, struct err *err);   /* whole documents */
};

static bool eval_passages(const char *dir, const struct stage *stage, struct eval *e,
                          struct err *err)
{
    struct collection c;
    bool ok = collection_open(dir, &c, err) &&
              (e->data ? stage->load(&c, e->data, err) : load_sample(&c, stage->language, err)) &&
              collection_ready(&c, err);

    if (ok) {
        e->c = &c;
        e->tally_count = 0;
        e->aside = NULL;
        e->view = lexical_borrow(c.knowledge->index);
        e->access = (struct access){.view = e->view};
        e->scratch = arena_new(SCRATCH_MAX);
        e->tallies = arena_array(c.arena, SETS_MAX, sizeof *e->tallies);
        fprintf(stderr, "%s: %" PRIu64 " passages\n", stage->name, lexical_stats(e->view).passages);
        ok = analyser_open(&e->analyser, err) && run(e, err) &&
             run_noisy(e, strcmp(stage->language, "zh") == 0 ? "rgb-zh" : "rgb-en", err);
        analyser_close(&e->analyser);
        lexical_release(&e->view);
        arena_end(&e->scratch);
    }
    collection_close(&c);
    return ok;
}

static bool run_cranfield(struct eval *e, const char *dir, struct err *err)
{
    return cranfield_run(dir, e->data, e->figures, err);
}

static bool run_dragonball_en(struct eval *e, const char *dir, struct err *err)
{
    return dragonball_run(dir, e->data, "en", e->figures, err);
}

static bool run_dragonball_zh(struct eval *e, const char *dir, struct err *err)
{
    return dragonball_run(dir, e->data, "zh", e->figures, err);
}

static bool run_financebench(struct eval *e, const char *dir, struct err *err)
{
    return financebench_run(dir, e->data, e->figures, err);
}

static const struct stage stages[] = {
    {"english", "en", load_english, NULL},
    {"chinese", "zh", load_chinese, NULL},
    {"chinese-pieces", "zh", load_chinese_pieces, NULL},
    {"rgb-en", "en", load_english_news, NULL},
    {"cranfield", "en", NULL, run_cranfield},
    {"dragonball-en", "en", NULL, run_dragonball_en},
    {"dragonball-zh", "zh", NULL, run_dragonball_zh},
    {"financebench", "en", NULL, run_financebench},
};

static bool is_stage_wanted(const struct eval *e, const struct stage *stage)
{
    bool named = false;

    if (e->language && strcmp(stage->language, e->language) != 0)
        return false;
    if (stage->load == load_chinese_pieces) /* only to be learned from */
        return e->data && (e->ranking || e->train);
    if (!e->data)
        return stage->load == load_english || stage->load == load_chinese;
    for (size_t i = 0; e->only && i < ARRAY_LEN(stages); i++)
        named = named || strcmp(e->only, stages[i].name) == 0;
    if (stage->documents)
        return is_wanted(e, stage->name);
    return (!named || strcmp(e->only, stage->name) == 0) &&
           (stage->load != load_english_news || is_wanted(e, stage->name));
}

static bool run_stage(const char *dir, const struct stage *stage, struct eval *e, struct err *err)
{
    char sub[SCRATCH_DIR_MAX + 64];

    (void)snprintf(sub, sizeof sub, "%s/%s", dir, stage->name);
    return (stage->load ? eval_passages(sub, stage, e, err) : stage->documents(e, sub, err)) ||
           err_wrap(err, "%s", stage->name);
}

static struct span_weights *read_unseen(const char *path)
{
    static struct span_weights weights[LANGUAGES * SPAN_FOLDS];
    FILE *file = fopen(path, "r");
    bool ok = file && fread(weights, sizeof weights, 1, file) == 1;

    if (file)
        fclose(file);
    if (!ok) {
        fprintf(stderr, "weir_eval: could not read %s\n", path);
        exit(2);
    }
    return weights;
}

static FILE *open_or_stop(const char *path)
{
    FILE *file = fopen(path, "w");

    if (!file) {
        fprintf(stderr, "weir_eval: could not write %s\n", path);
        exit(2);
    }
    return file;
}

static FILE *read_options(struct eval *e, int argc, char **argv)
{
    FILE *table = NULL;

    e->data = argc > 1 && argv[1][0] != '-' ? argv[1] : NULL;
    for (int i = e->data ? 2 : 1; i < argc; i += 2) {
        uint64_t n = 0;
        const char *value = i + 1 < argc ? argv[i + 1] : "";

        if (strcmp(argv[i], "--train") == 0)
            e->train = open_or_stop(value);
        else if (strcmp(argv[i], "--set") == 0)
            e->only = value;
        else if (strcmp(argv[i], "--spans") == 0)
            e->spans = open_or_stop(value);
        else if (strcmp(argv[i], "--misses") == 0)
            e->misses = open_or_stop(value);
        else if (strcmp(argv[i], "--ranking") == 0)
            e->ranking = open_or_stop(value);
        else if (strcmp(argv[i], "--likely") == 0)
            e->likely = open_or_stop(value);
        else if (strcmp(argv[i], "--tsv") == 0)
            table = open_or_stop(value);
        else if (strcmp(argv[i], "--unseen") == 0)
            e->unseen = read_unseen(value);
        else if (strcmp(argv[i], "--every") == 0 && u64_parse(str_from(value), &n) && n > 0)
            e->every = (uint32_t)n;
        else if (strcmp(argv[i], "--language") == 0)
            e->language = value;
        else if (strcmp(argv[i], "--embedder") == 0 && strcmp(value, "latent") == 0)
            sets_embedder = EMBEDDER_LATENT;
        else if (strcmp(argv[i], "--embedder") == 0 && strcmp(value, "hashed") == 0)
            sets_embedder = EMBEDDER_HASHED;
        else {
            fprintf(stderr, "weir_eval: %s %s is not known: see tests/quality/README.md\n", argv[i],
                    value);
            exit(2);
        }
    }
    return table;
}

static void close_file(FILE *file)
{
    if (file)
        fclose(file);
}

int main(int argc, char **argv)
{
    static struct figures figures;
    struct err err = {0};
    struct eval e = {.every = 1, .figures = &figures};
    char dir[SCRATCH_DIR_MAX];

    if (argc > 1 && strcmp(argv[1], READER_WORD) == 0)
        return reader_main(argc, argv); /* PDF files are read in a child, which is this program */
    FILE *table = read_options(&e, argc, argv);
    if (!scratch_dir_make(dir))
        return 2;
    for (size_t i = 0; i < ARRAY_LEN(stages) && err.code == ERR_NONE; i++)
        if (is_stage_wanted(&e, &stages[i]) && !run_stage(dir, &stages[i], &e, &err))
            fprintf(stderr, "weir_eval: %s\n", err.text);
    if (!e.spans && !e.ranking && !e.likely)
        figures_print(&figures, stdout);
    if (table)
        figures_write(&figures, table);
    close_file(table);
    close_file(e.train);
    close_file(e.spans);
    close_file(e.ranking);
    close_file(e.likely);
    close_file(e.misses);
    scratch_dir_remove(dir);
    return err.code != ERR_NONE;
}
