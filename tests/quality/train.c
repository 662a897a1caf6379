/* weir_train_answers FEATURES sentences|settle|signs en|zh: the tables of src/knowledge/weights.c and trees.c from
 * what `weir_eval --train` wrote. First the sentences; then, with these built in and the features written
 * again, the signs, for they are signs of what is picked.
 * Sentences: softmax over the candidates of a question, loss -log of the share of those that hold the
 * answer; then boosted trees on top of the linear score, by the same loss. Signs: logistic regression on
 * "the picked sentence holds the answer" (confidence) and on "something answers" (answerable). Linear parts
 * by full gradient descent with momentum and a little L2. Figures are of articles not trained on: trained
 * on four fifths of them, measured on the last. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "knowledge/choose.h"

#define ROWS_MAX 4000000
#define STEPS    300
#define FOLDS    5
#define WIDTH    (FEATURES > SIGNS + 1 ? FEATURES : SIGNS + 1)

struct row {
    uint32_t group; /* candidates of one question */
    uint8_t fold, label, set;
    char kind;
    float weight;
    float x[WIDTH];
};
struct examples {
    struct row *at;
    size_t count;
};

/* Sets that may be trained on, their language, and how much they count. */
static const struct {
    const char *set;
    int language;
    float weight;
} sets[] = {
    {"squad2-en", 0, 1}, {"xquad-en", 0, 1}, {"clapnq", 0, 1},         {"policyqa", 0, 0.05f},
    {"cmrc2018", 1, 1},  {"drcd", 1, 0.5f},  {"cmrc2018-trial", 1, 1}, {"xquad-zh", 1, 1},
};

static int find_set(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(sets); i++)
        if (strcmp(sets[i].set, name) == 0)
            return (int)i;
    return -1;
}

/* Rows of `kinds` and one language; width numbers each. */
static struct examples load(const char *path, const char *kinds, int language, int width)
{
    struct examples rows = {malloc(sizeof(struct row) * ROWS_MAX), 0};
    FILE *file = fopen(path, "r");
    char kind, name[64];
    unsigned number, article, label, last = UINT32_MAX;
    int last_kind = 0;
    uint32_t group = 0;
    static char line[8192];

    while (file && rows.at && fgets(line, sizeof line, file) && rows.count < ROWS_MAX) {
        int used = 0, set;

        if (sscanf(line, "%c %63s %u %u %u%n", &kind, name, &number, &article, &label, &used) !=
                5 ||
            !strchr(kinds, kind) || (set = find_set(name)) < 0 || sets[set].language != language)
            continue;
        if (number != last || kind != last_kind)
            group++;
        last = number;
        last_kind = kind;
        struct row *r = &rows.at[rows.count++];
        *r = (struct row){.group = group,
                          .fold = (uint8_t)(article % FOLDS),
                          .label = (uint8_t)label,
                          .set = (uint8_t)set,
                          .kind = kind,
                          .weight = sets[set].weight};
        /* Half weight to what nothing answers: there is one such row for each question, and look-alikes
         * written to deceive besides, more than people will ask. */
        if (kind == 'n' || kind == 'l' || (kind == 'a' && label == 0))
            r->weight *= language == 0 ? 0.5f : 0.25f;
        if (kind == 'g')
            r->weight *= language == 0 ? 0.25f : 0; /* the right passage given: look-alikes */
        char *p = line + used;
        for (int i = 0; i < width; i++)
            r->x[i] = strtof(p, &p);
    }
    if (file)
        fclose(file);
    return rows;
}

static double dot(const double *w, const float *x, int width)
{
    double sum = 0;

    for (int i = 0; i < width; i++)
        sum += w[i] * (double)x[i];
    return sum;
}

/* --- sentences -------------------------------------------------------------------------------- */

static size_t group_end(const struct examples *rows, size_t from)
{
    size_t end = from;

    while (end < rows->count && rows->at[end].group == rows->at[from].group)
        end++;
    return end;
}

/* Adds the gradient of one group; false when none of it holds the answer. */
static bool softmax_gradient(const struct examples *rows, size_t from, size_t end, const double *w,
                             double *gradient, double *weight)
{
    double all = 0, gold = 0, share[256], top = -1e9;
    size_t n = end - from < 256 ? end - from : 256;

    for (size_t i = 0; i < n; i++) {
        share[i] = dot(w, rows->at[from + i].x, FEATURES);
        top = fmax(top, share[i]);
    }
    for (size_t i = 0; i < n; i++) {
        share[i] = exp(share[i] - top);
        all += share[i];
        gold += rows->at[from + i].label ? share[i] : 0;
    }
    if (gold <= 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct row *r = &rows->at[from + i];
        double slope = (double)r->weight * (share[i] / all - (r->label ? share[i] / gold : 0));

        for (int f = 0; f < FEATURES; f++)
            gradient[f] += slope * (double)r->x[f];
    }
    *weight += (double)rows->at[from].weight;
    return true;
}

static void train_sentences(const struct examples *rows, int skip_fold, double *w)
{
    double speed[FEATURES] = {0};

    memset(w, 0, FEATURES * sizeof *w);
    for (int step = 0; step < STEPS; step++) {
        double gradient[FEATURES] = {0}, weight = 0;

        for (size_t at = 0, end; at < rows->count; at = end) {
            end = group_end(rows, at);
            if (rows->at[at].fold != skip_fold)
                (void)softmax_gradient(rows, at, end, w, gradient, &weight);
        }
        for (int f = 0; f < FEATURES; f++) {
            speed[f] = 0.9 * speed[f] - 1.5 * (gradient[f] / weight + 0.0005 * w[f]);
            w[f] += speed[f];
        }
    }
}

/* --- trees ------------------------------------------------------------------------------------ */

#define BINS   32
#define RATE   0.1
#define SPARSE 8.0 /* the more, the less a leaf of few questions may say */

struct forest {
    struct tree trees[TREES];
    float edges[FEATURES][BINS]; /* upper end of each bin but the last */
    uint8_t (*bins)[FEATURES];   /* of each row */
    double *score, *slope, *bend;
    uint8_t *node;
};

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* Edges at equal shares of the rows. */
static void cut_bins(const struct examples *rows, struct forest *forest)
{
    float *values = malloc(sizeof *values * (rows->count + 1));

    for (int f = 0; f < FEATURES && values; f++) {
        for (size_t i = 0; i < rows->count; i++)
            values[i] = rows->at[i].x[f];
        qsort(values, rows->count, sizeof *values, compare_floats);
        for (size_t b = 0; b < BINS; b++)
            forest->edges[f][b] = values[(b + 1) * (rows->count - 1) / BINS];
        for (size_t i = 0; i < rows->count; i++) {
            uint8_t bin = 0;

            while (bin < BINS - 1 && rows->at[i].x[f] > forest->edges[f][bin])
                bin++;
            forest->bins[i][f] = bin;
        }
    }
    free(values);
}

static bool forest_open(const struct examples *rows, struct forest *forest)
{
    size_t n = rows->count + 1;

    *forest = (struct forest){.bins = malloc(n * sizeof *forest->bins),
                              .score = malloc(n * sizeof(double)),
                              .slope = malloc(n * sizeof(double)),
                              .bend = malloc(n * sizeof(double)),
                              .node = malloc(n)};
    if (!forest->bins || !forest->score || !forest->slope || !forest->bend || !forest->node)
        return false;
    cut_bins(rows, forest);
    return true;
}

static void forest_end(struct forest *forest)
{
    free(forest->bins);
    free(forest->score);
    free(forest->slope);
    free(forest->bend);
    free(forest->node);
}

/* First and second derivative of the loss by each row's score; none where nothing holds the answer. */
static void slopes(const struct examples *rows, int skip_fold, struct forest *forest)
{
    for (size_t at = 0, end; at < rows->count; at = end) {
        double top = -1e9, all = 0, gold = 0;

        end = group_end(rows, at);
        for (size_t i = at; i < end; i++)
            top = fmax(top, forest->score[i]);
        for (size_t i = at; i < end; i++) {
            double e = exp(forest->score[i] - top);

            forest->slope[i] = e;
            all += e;
            gold += rows->at[i].label ? e : 0;
        }
        bool used = gold > 0 && rows->at[at].fold != skip_fold;
        for (size_t i = at; i < end; i++) {
            const struct row *r = &rows->at[i];
            double p = forest->slope[i] / all, g = r->label ? forest->slope[i] / gold : 0;

            forest->slope[i] = used ? (double)r->weight * (g - p) : 0;
            forest->bend[i] = used ? (double)r->weight * p * (1 - p) : 0;
        }
    }
}

struct sums {
    double slope, bend;
};

static double worth(struct sums s)
{
    return s.slope * s.slope / (s.bend + SPARSE);
}

/* The question that parts the rows of one node best. */
static void split(struct sums sums[FEATURES][BINS], const struct forest *forest, struct tree *tree,
                  size_t node)
{
    double best = -1;

    for (int f = 0; f < FEATURES; f++) {
        struct sums all = {0}, low = {0};

        for (size_t b = 0; b < BINS; b++) {
            all.slope += sums[f][b].slope;
            all.bend += sums[f][b].bend;
        }
        for (size_t b = 0; b + 1 < BINS; b++) {
            low.slope += sums[f][b].slope;
            low.bend += sums[f][b].bend;
            struct sums high = {all.slope - low.slope, all.bend - low.bend};
            double gain = worth(low) + worth(high);

            if (gain > best) {
                best = gain;
                tree->feature[node] = (uint8_t)f;
                tree->bar[node] = forest->edges[f][b];
            }
        }
    }
}

static void grow(const struct examples *rows, struct forest *forest, struct tree *tree)
{
    static struct sums sums[TREE_NODES][FEATURES][BINS];
    struct sums leaves[TREE_LEAVES] = {0};

    *tree = (struct tree){0};
    memset(forest->node, 0, rows->count);
    for (size_t first = 0; first < TREE_NODES; first = 2 * first + 1) {
        memset(sums, 0, sizeof sums);
        for (size_t i = 0; i < rows->count; i++) {
            for (int f = 0; forest->bend[i] > 0 && f < FEATURES; f++) {
                struct sums *sum = &sums[forest->node[i]][f][forest->bins[i][f]];

                sum->slope += forest->slope[i];
                sum->bend += forest->bend[i];
            }
        }
        for (size_t n = first; n < 2 * first + 1; n++)
            split(sums[n], forest, tree, n);
        for (size_t i = 0; i < rows->count; i++) {
            size_t n = forest->node[i];

            forest->node[i] =
                (uint8_t)(2 * n + (rows->at[i].x[tree->feature[n]] > tree->bar[n] ? 2 : 1));
        }
    }
    for (size_t i = 0; i < rows->count; i++) {
        leaves[forest->node[i] - TREE_NODES].slope += forest->slope[i];
        leaves[forest->node[i] - TREE_NODES].bend += forest->bend[i];
    }
    for (size_t l = 0; l < TREE_LEAVES; l++)
        tree->leaf[l] = (float)(RATE * leaves[l].slope / (leaves[l].bend + SPARSE));
}

static void train_trees(const struct examples *rows, int skip_fold, const double *w,
                        struct forest *forest)
{
    for (size_t i = 0; i < rows->count; i++)
        forest->score[i] = dot(w, rows->at[i].x, FEATURES);
    for (size_t t = 0; t < TREES; t++) {
        slopes(rows, skip_fold, forest);
        grow(rows, forest, &forest->trees[t]);
        for (size_t i = 0; i < rows->count; i++)
            forest->score[i] += (double)forest->trees[t].leaf[forest->node[i] - TREE_NODES];
    }
}

/* Questions, and those whose best sentence is right, the passage given: by set. */
struct picks {
    double hit[ARRAY_LEN(sets)], all[ARRAY_LEN(sets)];
};

static void measure_sentences(const struct examples *rows, int fold, const double *score,
                              struct picks *picks)
{
    for (size_t at = 0, end; at < rows->count; at = end) {
        size_t best = at;

        end = group_end(rows, at);
        if (rows->at[at].fold != fold || rows->at[at].kind != 'G')
            continue;
        for (size_t i = at; i < end; i++)
            if (score[i] > score[best])
                best = i;
        picks->all[rows->at[at].set]++;
        picks->hit[rows->at[at].set] += rows->at[best].label;
    }
}

static void print_picks(const struct picks *picks)
{
    printf("    /* right picks, passage given, of articles not trained on:");
    for (size_t i = 0; i < ARRAY_LEN(sets); i++)
        if (picks->all[i] > 0)
            printf(" %s %.3f", sets[i].set, picks->hit[i] / picks->all[i]);
    printf(" */\n");
}

/* --- confidence ------------------------------------------------------------------------------- */

static void train_confidence(const struct examples *rows, int skip_fold, double *w)
{
    double speed[SIGNS + 1] = {0};

    memset(w, 0, (SIGNS + 1) * sizeof *w);
    for (int step = 0; step < 3 * STEPS; step++) {
        double gradient[SIGNS + 1] = {0}, weight = 0;

        for (size_t i = 0; i < rows->count; i++) {
            const struct row *r = &rows->at[i];
            double p = 1 / (1 + exp(-dot(w, r->x, SIGNS + 1)));

            if (r->fold == skip_fold)
                continue;
            for (int f = 0; f <= SIGNS; f++)
                gradient[f] += (double)r->weight * (p - r->label) * (double)r->x[f];
            weight += (double)r->weight;
        }
        for (int f = 0; f <= SIGNS; f++) {
            speed[f] = 0.9 * speed[f] - 1.0 * (gradient[f] / weight + 0.0005 * w[f]);
            w[f] += speed[f];
        }
    }
}

/* Share of pairs (answered, not answered) that the said puts in order, among rows of a kind each. */
static double area(const struct examples *rows, const double *said, char kind, char kind_no,
                   size_t set)
{
    double in_order = 0, pairs = 0;

    for (size_t i = 0; i < rows->count; i++) {
        const struct row *yes = &rows->at[i];

        if (yes->kind != kind || yes->set != set || !yes->label)
            continue;
        for (size_t k = 0; k < rows->count; k++) {
            const struct row *no = &rows->at[k];

            if (no->kind != kind_no || no->set != set || no->label)
                continue;
            in_order += said[i] > said[k] ? 1 : (said[i] < said[k] ? 0 : 0.5);
            pairs++;
        }
    }
    return pairs > 0 ? in_order / pairs : 0;
}

static void measure_confidence(const struct examples *rows, int fold, const double *w)
{
    double sum[10] = {0}, good[10] = {0}, n[10] = {0};

    for (size_t i = 0; i < rows->count; i++) {
        const struct row *r = &rows->at[i];
        double p = 1 / (1 + exp(-dot(w, r->x, SIGNS + 1)));
        int bin = (int)fmin(9, p * 10);

        if (r->fold != fold)
            continue;
        n[bin] += (double)r->weight;
        sum[bin] += (double)r->weight * p;
        good[bin] += (double)r->weight * r->label;
    }
    printf("/* said and true, by tenth:");
    for (int b = 0; b < 10; b++)
        if (n[b] > 0)
            printf(" %.2f %.2f;", sum[b] / n[b], good[b] / n[b]);
    printf(" */\n");
}

static void print_weights(const double *w, int width)
{
    printf("    {");
    for (int i = 0; i < width; i++)
        printf("%s%.3ff", i ? ", " : "", w[i]);
    printf("},\n");
}

static void print_trees(const struct forest *forest)
{
    printf("    {\n");
    for (size_t t = 0; t < TREES; t++) {
        const struct tree *tree = &forest->trees[t];

        printf("        {{");
        for (size_t n = 0; n < TREE_NODES; n++)
            printf("%s%u", n ? ", " : "", tree->feature[n]);
        printf("}, {");
        for (size_t n = 0; n < TREE_NODES; n++)
            printf("%s%.4ff", n ? ", " : "", (double)tree->bar[n]);
        printf("}, {");
        for (size_t l = 0; l < TREE_LEAVES; l++)
            printf("%s%.4ff", l ? ", " : "", (double)tree->leaf[l]);
        printf("}},\n");
    }
    printf("    },\n");
}

static bool sentences(const char *path, int language)
{
    struct examples rows = load(path, "GA", language, FEATURES);
    struct picks linear = {0}, all = {0};
    static struct forest forest;
    double w[FEATURES];

    if (!forest_open(&rows, &forest))
        return false;
    for (int fold = 0; fold < FOLDS; fold++) {
        train_sentences(&rows, fold, w);
        for (size_t i = 0; i < rows.count; i++)
            forest.score[i] = dot(w, rows.at[i].x, FEATURES);
        measure_sentences(&rows, fold, forest.score, &linear);
        train_trees(&rows, fold, w, &forest);
        measure_sentences(&rows, fold, forest.score, &all);
    }
    print_picks(&linear);
    print_picks(&all);
    train_sentences(&rows, -1, w);
    print_weights(w, FEATURES);
    train_trees(&rows, -1, w, &forest);
    print_trees(&forest);
    forest_end(&forest);
    free(rows.at);
    return true;
}

/* Rows with label 2 are right picks, 1 wrong picks of what is answered, 0 what nothing answers. */
static void logistic(const char *path, const char *name, int language, uint8_t least)
{
    struct examples rows = load(path, "angl", language, SIGNS);
    double w[SIGNS + 1], *said = calloc(rows.count + 1, sizeof *said);

    for (size_t i = 0; i < rows.count; i++) {
        rows.at[i].x[SIGNS] = 1;
        rows.at[i].label = rows.at[i].label >= least;
    }
    printf("/* %s */\n", name);
    for (int fold = 0; fold < FOLDS; fold++) {
        train_confidence(&rows, fold, w);
        measure_confidence(&rows, fold, w);
        for (size_t i = 0; i < rows.count && said; i++)
            if (rows.at[i].fold == fold)
                said[i] = dot(w, rows.at[i].x, SIGNS + 1);
    }
    /* Look-alikes: over all passages, and the right passage given. */
    if (said && language == 0)
        printf("/* squad2-en, articles not trained on: AUC %.3f, passage given %.3f */\n",
               area(&rows, said, 'a', 'a', 0), area(&rows, said, 'g', 'g', 0));
    for (size_t s = 0; said && language == 1 && s < ARRAY_LEN(sets); s++)
        if (sets[s].language == language)
            printf("/* %s, articles not trained on: AUC %.3f taken away, %.3f look-alikes */\n",
                   sets[s].set, area(&rows, said, 'a', 'n', s), area(&rows, said, 'a', 'l', s));
    train_confidence(&rows, -1, w);
    print_weights(w, SIGNS + 1);
    free(said);
    free(rows.at);
}

/* --- settling --------------------------------------------------------------------------------- */

enum { SETTLE_SCORE, SETTLE_DISTANCE, SETTLE_WIDTH };

/* Slope of the loss by the gain, of questions with a right sentence among the first. */
static double settle_slope(const struct examples *rows, int skip_fold, double gain)
{
    double slope = 0, weight = 0;

    for (size_t at = 0, end; at < rows->count; at = end) {
        double all = 0, good = 0, mean = 0, good_mean = 0, top = -1e9;

        end = group_end(rows, at);
        if (rows->at[at].fold == skip_fold)
            continue;
        for (size_t i = at; i < end; i++)
            top = fmax(top, (double)rows->at[i].x[SETTLE_SCORE]);
        for (size_t i = at; i < end; i++) {
            const float *x = rows->at[i].x;
            double e = exp((double)x[SETTLE_SCORE] - top + gain * (double)x[SETTLE_DISTANCE]);

            all += e;
            mean += e * (double)x[SETTLE_DISTANCE];
            good += rows->at[i].label ? e : 0;
            good_mean += rows->at[i].label ? e * (double)x[SETTLE_DISTANCE] : 0;
        }
        if (good <= 0)
            continue;
        slope += (double)rows->at[at].weight * (mean / all - good_mean / good);
        weight += (double)rows->at[at].weight;
    }
    return weight > 0 ? slope / weight : 0;
}

static double settle_gain_of(const struct examples *rows, int skip_fold)
{
    double low = 0, high = 4;

    for (int step = 0; step < 30; step++) {
        double gain = (low + high) / 2;

        *(settle_slope(rows, skip_fold, gain) < 0 ? &low : &high) = gain;
    }
    return low;
}

static void pick_settled(const struct examples *rows, int fold, double gain, struct picks *picks)
{
    for (size_t at = 0, end; at < rows->count; at = end) {
        double best = -1e9, label = 0;

        end = group_end(rows, at);
        if (rows->at[at].fold != fold)
            continue;
        for (size_t i = at; i < end; i++) {
            const float *x = rows->at[i].x;
            double score = (double)x[SETTLE_SCORE] + gain * (double)x[SETTLE_DISTANCE];

            if (score > best) {
                best = score;
                label = rows->at[i].label;
            }
        }
        picks->all[rows->at[at].set]++;
        picks->hit[rows->at[at].set] += label;
    }
}

static void settle(const char *path, int language)
{
    struct examples rows = load(path, "PQ", language, SETTLE_WIDTH);
    struct picks before = {0}, after = {0};

    for (int fold = 0; fold < FOLDS; fold++) {
        pick_settled(&rows, fold, 0, &before);
        pick_settled(&rows, fold, settle_gain_of(&rows, fold), &after);
    }
    print_picks(&before);
    print_picks(&after);
    printf("    %.3ff\n", settle_gain_of(&rows, -1));
    free(rows.at);
}

int main(int argc, char **argv)
{
    const char *what = argc == 4 ? argv[2] : "";
    int language = argc == 4 && strcmp(argv[3], "zh") == 0;

    if (strcmp(what, "sentences") == 0)
        return !sentences(argv[1], language);
    if (strcmp(what, "signs") == 0) {
        logistic(argv[1], "confidence_weights", language, 2);
        logistic(argv[1], "answerable_weights", language, 1);
        return 0;
    }
    if (strcmp(what, "settle") == 0) {
        settle(argv[1], language);
        return 0;
    }
    fprintf(stderr, "usage: weir_train_answers FEATURES sentences|settle|signs en|zh\n");
    return 2;
}
