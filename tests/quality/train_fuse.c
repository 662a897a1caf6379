/* weir_train_fuse LEGS hashed|latent: a row of fuse_weights in src/knowledge/fuse.c, from what
 * `weir_legs DATA --train LEGS` wrote. Softmax over a question's candidates, loss -log of the share of the
 * passage that answers; full gradient descent with momentum and a little L2; each set counts the same
 * however many questions it has. Figures are of passages not trained on: trained on four fifths, measured
 * on the last. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "knowledge/fuse.h"

#define ROWS_MAX ((size_t)4 * 1024 * 1024)
#define STEPS    600
#define FOLDS    5
#define ALL      FOLDS

struct row {
    uint32_t question;
    uint8_t set, fold, gold;
    float x[FUSE_FEATURES];
};
static struct row *rows;
static size_t row_count;

/* Sets that may be trained on, and how much they count. PolicyQA asks the same of a hundred sites. */
static const struct {
    const char *name;
    double weight;
} sets[] = {{"squad2-en", 1}, {"xquad-en", 1},       {"clapnq", 1}, {"policyqa", 0.5},
            {"cmrc2018", 1},  {"cmrc2018-trial", 1}, {"drcd", 1},   {"xquad-zh", 1}};
static double questions[ARRAY_LEN(sets)];

static int set_number(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(sets); i++)
        if (strcmp(sets[i].name, name) == 0)
            return (int)i;
    return -1;
}

static bool load(const char *path, const char *leg)
{
    FILE *file = fopen(path, "r");
    char line[1024], name[16], set[32];
    unsigned question, fold, gold;

    rows = malloc(ROWS_MAX * sizeof *rows);
    while (file && rows && row_count < ROWS_MAX && fgets(line, sizeof line, file)) {
        int at = 0, number;

        if (sscanf(line, "%15s %31s %u %u %u%n", name, set, &question, &fold, &gold, &at) != 5 ||
            strcmp(name, leg) != 0 || (number = set_number(set)) < 0)
            continue;
        struct row *r = &rows[row_count++];
        *r = (struct row){question, (uint8_t)number, (uint8_t)fold, (uint8_t)gold, {0}};
        char *rest = line + at;
        for (int f = 0; f < FUSE_FEATURES; f++)
            r->x[f] = strtof(rest, &rest);
    }
    if (file)
        fclose(file);
    return row_count > 0;
}

static size_t end_of(size_t from)
{
    size_t end = from;

    while (end < row_count && rows[end].question == rows[from].question)
        end++;
    return end;
}

static double score(const double *w, const struct row *r)
{
    double sum = 0;

    for (int f = 0; f < FUSE_FEATURES; f++)
        sum += w[f] * (double)r->x[f];
    return sum;
}

static void add_gradient(const double *w, size_t from, size_t end, double *gradient)
{
    double p[2 * FUSE_DEPTH], top = -1e30, all = 0, gold = 0;

    for (size_t i = from; i < end; i++)
        top = fmax(top, p[i - from] = score(w, &rows[i]));
    for (size_t i = from; i < end; i++) {
        all += p[i - from] = exp(p[i - from] - top);
        gold += rows[i].gold ? p[i - from] : 0;
    }
    if (gold <= 0)
        return;
    double weight = sets[rows[from].set].weight / questions[rows[from].set];
    for (size_t i = from; i < end; i++)
        for (int f = 0; f < FUSE_FEATURES; f++)
            gradient[f] += weight * (double)rows[i].x[f] *
                           (p[i - from] / all - (rows[i].gold ? p[i - from] / gold : 0));
}

static void train(int without, double *w)
{
    double speed[FUSE_FEATURES] = {0};

    memset(w, 0, FUSE_FEATURES * sizeof *w);
    w[U_WORDS] = 10;
    for (int step = 0; step < STEPS; step++) {
        double gradient[FUSE_FEATURES] = {0};

        for (size_t at = 0, end; at < row_count; at = end) {
            end = end_of(at);
            if (rows[at].fold != without)
                add_gradient(w, at, end, gradient);
        }
        for (int f = 0; f < FUSE_FEATURES; f++) {
            speed[f] = 0.9 * speed[f] - 2.0 * (gradient[f] + 0.00002 * w[f]);
            w[f] += speed[f];
        }
    }
}

/* Reciprocal rank of the passage that answers. */
static double reciprocal(const double *w, size_t from, size_t end)
{
    double best = -1e30;
    size_t before = 0;

    for (size_t i = from; i < end; i++)
        if (rows[i].gold)
            best = fmax(best, score(w, &rows[i]));
    if (best == -1e30)
        return 0;
    for (size_t i = from; i < end; i++)
        before += !rows[i].gold && score(w, &rows[i]) >= best;
    return 1 / (double)(before + 1);
}

/* The learned weights of vectors, times this: what is learned is a little too sure of them, and no set may
 * lose. */
static const double shares[] = {0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1};

static void shrink(const double *w, double share, double *out)
{
    for (int f = 0; f < FUSE_FEATURES; f++)
        out[f] = f == U_WORDS ? w[f] : w[f] * share;
}

static void measure(double before[ARRAY_LEN(sets)],
                    double after[ARRAY_LEN(shares)][ARRAY_LEN(sets)])
{
    static const double words[FUSE_FEATURES] = {[U_WORDS] = 1};
    double w[FUSE_FEATURES], less[FUSE_FEATURES];

    for (int fold = 0; fold < FOLDS; fold++) {
        train(fold, w);
        for (size_t at = 0, end; at < row_count; at = end) {
            double n = questions[rows[at].set];

            end = end_of(at);
            if (rows[at].fold != fold)
                continue;
            before[rows[at].set] += reciprocal(words, at, end) / n;
            for (size_t i = 0; i < ARRAY_LEN(shares); i++) {
                shrink(w, shares[i], less);
                after[i][rows[at].set] += reciprocal(less, at, end) / n;
            }
        }
    }
}

static void print_figures(const double before[ARRAY_LEN(sets)],
                          double after[ARRAY_LEN(shares)][ARRAY_LEN(sets)])
{
    for (size_t s = 0; s < ARRAY_LEN(sets); s++) {
        printf("/* %-14s %5.0f questions, MRR by words %.4f; with", sets[s].name, questions[s],
               before[s]);
        for (size_t i = 0; i < ARRAY_LEN(shares); i++)
            printf(" %+.4f", after[i][s] - before[s]);
        printf(" */\n");
    }
}

int main(int argc, char **argv)
{
    static double before[ARRAY_LEN(sets)], after[ARRAY_LEN(shares)][ARRAY_LEN(sets)];
    double w[FUSE_FEATURES], less[FUSE_FEATURES];

    if (argc < 3 || !load(argv[1], argv[2])) {
        fprintf(stderr, "usage: weir_train_fuse LEGS hashed|latent\n");
        return 1;
    }
    for (size_t at = 0; at < row_count; at = end_of(at))
        questions[rows[at].set]++;
    measure(before, after);
    print_figures(before, after);
    train(ALL, w);
    for (size_t i = 0; i < ARRAY_LEN(shares); i++) {
        shrink(w, shares[i], less);
        printf("/* %.1f */ {", shares[i]);
        for (int f = 0; f < FUSE_FEATURES; f++)
            printf("%s%.4ff", f ? ", " : "", less[f] / w[U_WORDS]);
        printf("},\n");
    }
    return 0;
}
