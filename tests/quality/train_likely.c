/* weir_train_likely FILE: the rows of likely_weights in src/knowledge/likely.c from what `weir_eval --likely` wrote.
 * Logistic regression over the first passages of each question, loss -log of what is so, each set counting the same and
 * each question of it too; full gradient descent with momentum and a little L2. Figures are of articles not trained
 * on: how often passages of a score are right, the score's mean beside it, and the error over all. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feature_line.h"
#include "knowledge/likely.h"

#define ROWS_MAX 1000000
#define STEPS    600
#define STEP     2.0
#define DECAY    1e-5
#define FOLDS    5
#define BINS     10
#define WIDTH    (LIKELY_FEATURES + 1)

struct row {
    uint8_t fold, right, set;
    float x[LIKELY_FEATURES];
};
static const struct {
    const char *set;
    int language;
} sets[] = {{"squad2-en", 0}, {"xquad-en", 0}, {"clapnq", 0},
            {"cmrc2018", 1},  {"drcd", 1},     {"xquad-zh", 1}};

struct examples {
    struct row *at;
    size_t count;
    double weight[ARRAY_LEN(sets)];
};

static int find_set(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(sets); i++)
        if (strcmp(sets[i].set, name) == 0)
            return (int)i;
    return -1;
}

static bool load(const char *path, int language, struct examples *rows)
{
    FILE *file = fopen(path, "r");
    struct feature_line line;
    double count[ARRAY_LEN(sets)] = {0}, all = 0;

    *rows = (struct examples){.at = calloc(ROWS_MAX, sizeof(struct row))};
    while (file && rows->at && rows->count < ROWS_MAX &&
           feature_line_next(file, LIKELY_FEATURES, &line)) {
        int set = find_set(line.set);

        if (set < 0 || sets[set].language != language)
            continue;
        struct row *r = &rows->at[rows->count++];
        *r = (struct row){(uint8_t)(line.article % FOLDS), line.right, (uint8_t)set, {0}};
        memcpy(r->x, line.x, sizeof r->x);
        count[set]++;
    }
    if (file)
        fclose(file);
    for (size_t s = 0; s < ARRAY_LEN(sets); s++)
        all += count[s] > 0;
    for (size_t s = 0; s < ARRAY_LEN(sets); s++)
        rows->weight[s] = count[s] > 0 ? 1 / count[s] / all : 0;
    return rows->count > 0;
}

static double guess(const double w[WIDTH], const float *x)
{
    double sum = w[LIKELY_FEATURES];

    for (int f = 0; f < LIKELY_FEATURES; f++)
        sum += w[f] * (double)x[f];
    return 1 / (1 + exp(-sum));
}

/* skip_fold -1: over all. */
static void train(const struct examples *rows, int skip_fold, double w[WIDTH])
{
    double speed[WIDTH] = {0};

    memset(w, 0, WIDTH * sizeof *w);
    for (int step = 0; step < STEPS; step++) {
        double gradient[WIDTH] = {0};

        for (size_t i = 0; i < rows->count; i++) {
            const struct row *r = &rows->at[i];
            double slope = rows->weight[r->set] * (guess(w, r->x) - r->right);

            if (r->fold == skip_fold)
                continue;
            for (int f = 0; f < LIKELY_FEATURES; f++)
                gradient[f] += slope * (double)r->x[f];
            gradient[LIKELY_FEATURES] += slope;
        }
        for (int f = 0; f < WIDTH; f++) {
            speed[f] = 0.9 * speed[f] - STEP * (gradient[f] + DECAY * w[f]);
            w[f] += speed[f];
        }
    }
}

struct bin {
    double right, sum, share; /* each set counting the same, as they are learned from */
    size_t count;
};

static void print_bins(const struct bin *bins)
{
    double off = 0, all = 0;

    for (int b = 0; b < BINS; b++) {
        all += bins[b].share;
        off += fabs(bins[b].right - bins[b].sum);
        if (bins[b].count > 0)
            printf("  %.1f to %.1f  %7zu passages  mean score %.3f  right %.3f\n", b / (double)BINS,
                   (b + 1) / (double)BINS, bins[b].count, bins[b].sum / bins[b].share,
                   bins[b].right / bins[b].share);
    }
    printf("  expected calibration error %.4f\n", off / all);
}

static void measure(const struct examples *rows)
{
    struct bin bins[BINS] = {0};

    for (int fold = 0; fold < FOLDS; fold++) {
        double w[WIDTH];

        train(rows, fold, w);
        for (size_t i = 0; i < rows->count; i++) {
            const struct row *r = &rows->at[i];
            double p = guess(w, r->x);
            struct bin *b = &bins[MIN_OF((int)(p * BINS), BINS - 1)];

            if (r->fold != fold)
                continue;
            b->right += rows->weight[r->set] * r->right;
            b->sum += rows->weight[r->set] * p;
            b->share += rows->weight[r->set];
            b->count++;
        }
    }
    print_bins(bins);
}

int main(int argc, char **argv)
{
    for (int language = 0; argc > 1 && language < LANGUAGES; language++) {
        struct examples rows;
        double w[WIDTH];

        if (!load(argv[1], language, &rows)) {
            fprintf(stderr, "weir_train_likely: nothing to learn from in %s\n", argv[1]);
            return 1;
        }
        printf("%s, %zu passages\n", language ? "zh" : "en", rows.count);
        measure(&rows);
        train(&rows, -1, w);
        printf("    {");
        for (int f = 0; f < WIDTH; f++)
            printf("%#.4gf%s", w[f], f + 1 < WIDTH ? ", " : "},\n");
        free(rows.at);
    }
    return argc > 1 ? 0 : 2;
}
