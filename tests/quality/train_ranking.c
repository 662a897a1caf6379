/* weir_train_ranking FILE en|zh: a row of ranking_weights in src/knowledge/ranking.c from what `weir_eval --ranking` wrote.
 * Softmax over the passages of a question, loss -log of the right one's share, each set counting the same; full
 * gradient descent with momentum and a little L2. Figures are of articles not trained on: trained on four
 * fifths of them, measured on the last. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feature_line.h"
#include "knowledge/ranking.h"

#define ROWS_MAX 1000000
#define STEPS    400
#define FOLDS    5
#define PLACES   3

struct row {
    uint32_t question;
    uint8_t fold, right, set;
    float x[RANKING_FEATURES];
};
struct examples {
    struct row *at;
    size_t count;
    double weight[8]; /* of each question of a set */
};

/* Sets that may be trained on, and how much they count. */
static const struct {
    const char *set;
    int language;
    double weight;
} sets[] = {
    {"squad2-en", 0, 1}, {"xquad-en", 0, 1}, {"clapnq", 0, 1},         {"policyqa", 0, 0.1},
    {"cmrc2018", 1, 1},  {"drcd", 1, 1},     {"cmrc2018-trial", 1, 1}, {"xquad-zh", 1, 1},
};

static int find_set(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(sets); i++)
        if (strcmp(sets[i].set, name) == 0)
            return (int)i;
    return -1;
}

static size_t group_end(const struct examples *rows, size_t from)
{
    size_t end = from;

    while (end < rows->count && rows->at[end].question == rows->at[from].question)
        end++;
    return end;
}

static bool load(const char *path, int language, struct examples *rows)
{
    FILE *file = fopen(path, "r");
    struct feature_line line;
    double count[ARRAY_LEN(sets)] = {0};

    *rows = (struct examples){.at = calloc(ROWS_MAX, sizeof(struct row))};
    while (file && rows->at && rows->count < ROWS_MAX &&
           feature_line_next(file, RANKING_FEATURES, &line)) {
        int set = find_set(line.set);

        if (set < 0 || sets[set].language != language)
            continue;
        struct row *r = &rows->at[rows->count++];
        *r = (struct row){
            line.question, (uint8_t)(line.article % FOLDS), line.right, (uint8_t)set, {0}};
        memcpy(r->x, line.x, sizeof r->x);
        count[set] += rows->count == 1 || r[-1].question != line.question;
    }
    if (file)
        fclose(file);
    for (size_t s = 0; s < ARRAY_LEN(sets); s++)
        rows->weight[s] = count[s] > 0 ? sets[s].weight / count[s] : 0;
    return rows->count > 0;
}

static double dot(const double *w, const float *x)
{
    double sum = 0;

    for (int f = 0; f < RANKING_FEATURES; f++)
        sum += w[f] * (double)x[f];
    return sum;
}

/* Adds one question's gradient; false when the right passage is not among those found. */
static bool add_gradient(const struct examples *rows, size_t from, size_t end, const double *w,
                         double *gradient)
{
    double share[RANKING_DEPTH], all = 0, right = 0, top = -1e9;
    size_t n = MIN_OF(end - from, (size_t)RANKING_DEPTH);

    for (size_t i = 0; i < n; i++)
        top = fmax(top, share[i] = dot(w, rows->at[from + i].x));
    for (size_t i = 0; i < n; i++) {
        share[i] = exp(share[i] - top);
        all += share[i];
        right += rows->at[from + i].right ? share[i] : 0;
    }
    if (right <= 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct row *r = &rows->at[from + i];
        double slope = share[i] / all - (r->right ? share[i] / right : 0);

        for (int f = 0; f < RANKING_FEATURES; f++)
            gradient[f] += rows->weight[r->set] * slope * (double)r->x[f];
    }
    return true;
}

static void train(const struct examples *rows, int skip_fold, double *w)
{
    double speed[RANKING_FEATURES] = {0};

    memset(w, 0, RANKING_FEATURES * sizeof *w);
    for (int step = 0; step < STEPS; step++) {
        double gradient[RANKING_FEATURES] = {0}, weight = 0;

        for (size_t at = 0, end; at < rows->count; at = end) {
            end = group_end(rows, at);
            if (rows->at[at].fold != skip_fold && add_gradient(rows, at, end, w, gradient))
                weight += rows->weight[rows->at[at].set];
        }
        for (int f = 0; f < RANKING_FEATURES; f++) {
            speed[f] = 0.9 * speed[f] - 1.5 * (gradient[f] / weight + 0.0005 * w[f]);
            w[f] += speed[f];
        }
    }
}

/* Questions, and those whose right passage is among the first 1, 5, 10. */
struct recall {
    double found[ARRAY_LEN(sets)][PLACES], all[ARRAY_LEN(sets)];
};

static void measure(const struct examples *rows, int fold, const double *w, struct recall *to)
{
    static const size_t places[PLACES] = {1, 5, 10};

    for (size_t at = 0, end; at < rows->count; at = end) {
        size_t place = SIZE_MAX;

        end = group_end(rows, at);
        if (rows->at[at].fold != fold)
            continue;
        for (size_t i = at; i < end; i++) {
            size_t before = 0;

            if (!rows->at[i].right)
                continue;
            for (size_t k = at; k < end; k++)
                before += dot(w, rows->at[k].x) > dot(w, rows->at[i].x);
            place = MIN_OF(place, before);
        }
        to->all[rows->at[at].set]++;
        for (int p = 0; p < PLACES; p++)
            to->found[rows->at[at].set][p] += place < places[p];
    }
}

static void print(const char *what, const struct recall *r)
{
    printf("/* %s:", what);
    for (size_t s = 0; s < ARRAY_LEN(sets); s++)
        if (r->all[s] > 0)
            printf(" %s %.3f %.3f %.3f;", sets[s].set, r->found[s][0] / r->all[s],
                   r->found[s][1] / r->all[s], r->found[s][2] / r->all[s]);
    printf(" */\n");
}

int main(int argc, char **argv)
{
    int language = argc == 3 && strcmp(argv[2], "zh") == 0;
    const double by_words[RANKING_FEATURES] = {[R_IDEAL] = 1};
    const double by_sentence[RANKING_FEATURES] = {[R_SENTENCE] = 1, [R_IDEAL] = 1e-6};
    struct recall words = {0}, sentences = {0}, learned = {0};
    double w[RANKING_FEATURES];
    struct examples rows;

    if (argc != 3 || (!language && strcmp(argv[2], "en") != 0) || !load(argv[1], language, &rows)) {
        fprintf(stderr, "usage: weir_train_ranking FILE en|zh\n");
        return 2;
    }
    for (int fold = 0; fold < FOLDS; fold++) {
        train(&rows, fold, w);
        measure(&rows, fold, by_words, &words);
        measure(&rows, fold, by_sentence, &sentences);
        measure(&rows, fold, w, &learned);
    }
    print("recall at 1, 5, 10: by words", &words);
    print("by best sentences", &sentences);
    print("as learned, articles not trained on", &learned);
    train(&rows, -1, w);
    printf("    {");
    for (int f = 0; f < RANKING_FEATURES; f++)
        printf("%s%.3ff", f ? ", " : "", w[f]);
    printf("},\n");
    free(rows.at);
    return 0;
}
