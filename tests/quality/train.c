/* weir_train_answers FEATURES: weights for src/knowledge/weights.c from what `weir_eval --train` wrote.
 * Sentences: softmax over the candidates of a question, loss -log of the share of those that hold the
 * answer. Confidence: logistic regression on "the picked sentence holds the answer"; answerable: on
 * "something answers". All by full
 * gradient descent with momentum and a little L2; a few thousand questions and a dozen features need no
 * more. Figures are cross-validated: trained on one half of the articles, measured on the other. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "knowledge/choose.h"

#define ROWS_MAX 4000000
#define STEPS    300
#define WIDTH    (FEATURES > SIGNS + 1 ? FEATURES : SIGNS + 1)

struct row {
    uint32_t group; /* candidates of one question */
    uint8_t fold, label;
    float weight;
    float x[WIDTH];
};
struct rows {
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
static struct rows load(const char *path, const char *kinds, int language, int width)
{
    struct rows rows = {malloc(sizeof(struct row) * ROWS_MAX), 0};
    FILE *file = fopen(path, "r");
    char kind, name[64];
    unsigned number, label, last = UINT32_MAX;
    int last_kind = 0;
    uint32_t group = 0;
    static char line[8192];

    while (file && rows.at && fgets(line, sizeof line, file) && rows.count < ROWS_MAX) {
        int used = 0, set;

        if (sscanf(line, "%c %63s %u %u%n", &kind, name, &number, &label, &used) != 4 ||
            !strchr(kinds, kind) || (set = find_set(name)) < 0 || sets[set].language != language)
            continue;
        if (number != last || kind != last_kind)
            group++;
        last = number;
        last_kind = kind;
        struct row *r = &rows.at[rows.count++];
        *r = (struct row){.group = group,
                          .fold = (uint8_t)(number / 40 % 2),
                          .label = (uint8_t)label,
                          .weight = sets[set].weight};
        /* Half weight to what nothing answers: there is one such row for each question, and look-alikes
         * written to deceive besides, more than people will ask. */
        if (kind == 'n' || (kind == 'a' && label == 0))
            r->weight *= 0.5f;
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

static size_t group_end(const struct rows *rows, size_t from)
{
    size_t end = from;

    while (end < rows->count && rows->at[end].group == rows->at[from].group)
        end++;
    return end;
}

/* Adds the gradient of one group; false when none of it holds the answer. */
static bool softmax_gradient(const struct rows *rows, size_t from, size_t end, const double *w,
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

static void train_sentences(const struct rows *rows, int skip_fold, double *w)
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

static void measure_sentences(const struct rows *rows, int fold, const double *w, double *hit,
                              double *all)
{
    for (size_t at = 0, end; at < rows->count; at = end) {
        size_t best = at;
        bool any = false;

        end = group_end(rows, at);
        if (rows->at[at].fold != fold)
            continue;
        for (size_t i = at; i < end; i++) {
            any = any || rows->at[i].label;
            if (dot(w, rows->at[i].x, FEATURES) > dot(w, rows->at[best].x, FEATURES))
                best = i;
        }
        *all += (double)rows->at[at].weight;
        *hit += rows->at[best].label ? (double)rows->at[at].weight : 0;
    }
}

/* --- confidence ------------------------------------------------------------------------------- */

static void train_confidence(const struct rows *rows, int skip_fold, double *w)
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

static void measure_confidence(const struct rows *rows, int fold, const double *w)
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

static void sentences(const char *path)
{
    printf("const float sentence_weights[LANGUAGES][FEATURES] = {\n");
    for (int language = 0; language < LANGUAGES; language++) {
        struct rows rows = load(path, "GA", language, FEATURES);
        double w[FEATURES], hit = 0, all = 0;

        for (int fold = 0; fold < 2; fold++) {
            train_sentences(&rows, fold, w);
            measure_sentences(&rows, fold, w, &hit, &all);
        }
        printf("    /* cross-validated share of right picks: %.3f */\n", hit / all);
        train_sentences(&rows, -1, w);
        print_weights(w, FEATURES);
        free(rows.at);
    }
    printf("};\n");
}

/* Rows with label 2 are right picks, 1 wrong picks of what is answered, 0 what nothing answers. */
static void logistic(const char *path, const char *name, uint8_t least)
{
    printf("const float %s[LANGUAGES][SIGNS + 1] = {\n", name);
    for (int language = 0; language < LANGUAGES; language++) {
        struct rows rows = load(path, "an", language, SIGNS);
        double w[SIGNS + 1];

        for (size_t i = 0; i < rows.count; i++) {
            rows.at[i].x[SIGNS] = 1;
            rows.at[i].label = rows.at[i].label >= least;
        }
        for (int fold = 0; fold < 2; fold++) {
            train_confidence(&rows, fold, w);
            measure_confidence(&rows, fold, w);
        }
        train_confidence(&rows, -1, w);
        print_weights(w, SIGNS + 1);
        free(rows.at);
    }
    printf("};\n");
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: weir_train_answers FEATURES\n");
        return 2;
    }
    sentences(argv[1]);
    logistic(argv[1], "confidence_weights", 2);
    logistic(argv[1], "answerable_weights", 1);
    return 0;
}
