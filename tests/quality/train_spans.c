/* weir_train_spans FILE en|zh [RATE [DECAY]]: a language's table of src/knowledge/span_weights.c on the output, from what
 * `weir_eval DATA --spans FILE` wrote; figures for articles not trained on as comments, and the weights
 * these were measured with into FILE.unseen.
 * Loss: -log of the expected reward of a softmax over a question's candidates; the reward of a candidate
 * is 1 when it is an answer, a part of its F1 else. AdaGrad over questions in a fixed shuffled order. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "span_file.h"

#define QUESTIONS_MAX 30000
#define EPOCHS        12

static const struct {
    const char *set;
    int language;
    float weight;
} sets[] = {
    {"squad2-en", 0, 1}, {"xquad-en", 0, 1},          {"policyqa", 0, 0.05f}, {"cmrc2018", 1, 1},
    {"drcd", 1, 0.7f},   {"cmrc2018-trial", 1, 0.5f}, {"xquad-zh", 1, 1},
};

struct group {
    size_t set;
    uint32_t question, article, count, answers;
    bool away; /* the second of a question: the article that answers was taken away */
    const char *rows;
};
struct groups {
    struct group *at;
    size_t count;
    char *bytes;
};

static const struct span_row *row_at(const char *at)
{
    return (const struct span_row *)(const void *)at;
}

static const char *next_row(const char *at)
{
    return at + sizeof(struct span_row) + row_at(at)->ids * sizeof(uint16_t);
}

static const uint16_t *ids_of(const char *at)
{
    return (const uint16_t *)(const void *)(at + sizeof(struct span_row));
}

static char *read_all(const char *path, size_t *len)
{
    FILE *file = fopen(path, "r");
    char *bytes = NULL;

    if (!file)
        return NULL;
    if (fseek(file, 0, SEEK_END) == 0 && ftell(file) > 0) {
        *len = (size_t)ftell(file);
        rewind(file);
        bytes = malloc(*len);
        if (bytes && fread(bytes, 1, *len, file) != *len) {
            free(bytes);
            bytes = NULL;
        }
    }
    fclose(file);
    return bytes;
}

static bool load(const char *path, int language, struct groups *out)
{
    size_t len = 0;

    out->bytes = read_all(path, &len);
    out->at = calloc(QUESTIONS_MAX, sizeof *out->at);
    if (!out->bytes || !out->at)
        return false;
    for (const char *at = out->bytes; at < out->bytes + len;) {
        const struct span_group *g = (const struct span_group *)(const void *)at;
        struct group group = {.set = ARRAY_LEN(sets),
                              .question = g->question,
                              .article = g->article,
                              .count = g->count,
                              .answers = g->answers};

        group.rows = at += sizeof *g;
        for (uint32_t i = 0; i < g->count; i++)
            at = next_row(at);
        for (size_t i = 0; i < ARRAY_LEN(sets); i++)
            if (strcmp(g->set, sets[i].set) == 0 && sets[i].language == language)
                group.set = i;
        group.away = out->count && out->at[out->count - 1].question == g->question;
        if (group.set < ARRAY_LEN(sets) && out->count < QUESTIONS_MAX)
            out->at[out->count++] = group;
    }
    return true;
}

struct learner {
    float w[SPAN_SLOTS], past[SPAN_SLOTS]; /* past: squares of gradients */
};

static float score_of(const float *w, const char *row)
{
    const uint16_t *ids = ids_of(row);
    float sum = 0;

    for (size_t i = 0; i < row_at(row)->ids; i++)
        sum += w[ids[i]];
    return sum;
}

static double reward(const struct span_row *row)
{
    double f1 = row->f1 / 255.0;

    return row->exact ? 1 : 0.3 * f1 * f1;
}

/* One step down the loss of one question. */
static void learn(struct learner *m, const struct group *g, float rate, float decay)
{
    static double p[200000];
    static float gradient[SPAN_SLOTS];
    static uint16_t touched[SPAN_SLOTS];
    size_t touched_count = 0;
    double top = 0, all, good = 0; /* "none of them" has the score 0 */
    const char *row = g->rows;

    for (uint32_t i = 0; i < g->count; i++, row = next_row(row)) {
        p[i] = (double)score_of(m->w, row);
        top = fmax(top, p[i]);
    }
    all = exp(-top);
    good = g->answers ? 0 : all;
    row = g->rows;
    for (uint32_t i = 0; i < g->count; i++, row = next_row(row)) {
        p[i] = exp(p[i] - top);
        all += p[i];
        good += g->answers ? p[i] * reward(row_at(row)) : 0;
    }
    if (good <= all * 1e-12)
        return;
    row = g->rows;
    for (uint32_t i = 0; i < g->count; i++, row = next_row(row)) {
        double slope = (g->answers ? p[i] * reward(row_at(row)) / good : 0) - p[i] / all;
        const uint16_t *ids = ids_of(row);

        if (fabs(slope) < 1e-5)
            continue;
        for (size_t k = 0; k < row_at(row)->ids; k++) {
            if (gradient[ids[k]] == 0)
                touched[touched_count++] = ids[k];
            gradient[ids[k]] += (float)slope;
            if (gradient[ids[k]] == 0)
                gradient[ids[k]] = 1e-12f; /* stays on the list once */
        }
    }
    for (size_t i = 0; i < touched_count; i++) {
        uint16_t id = touched[i];
        float slope = sets[g->set].weight * gradient[id] - decay * m->w[id];

        m->past[id] += slope * slope;
        m->w[id] += rate * slope / sqrtf(m->past[id] + 1e-4f);
        gradient[id] = 0;
    }
}

static void train(const struct groups *groups, int skip_fold, struct learner *m, float rate,
                  float decay)
{
    size_t *order = calloc(groups->count + 1, sizeof *order);
    uint64_t seed = 1;

    memset(m, 0, sizeof *m);
    for (size_t i = 0; order && i < groups->count; i++)
        order[i] = i;
    for (int epoch = 0; order && epoch < EPOCHS; epoch++) {
        for (size_t i = groups->count; i > 1; i--) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            size_t k = (size_t)(seed >> 33) % i, swap = order[i - 1];

            order[i - 1] = order[k];
            order[k] = swap;
        }
        for (size_t i = 0; i < groups->count; i++)
            if ((int)(groups->at[order[i]].article % SPAN_FOLDS) != skip_fold)
                learn(m, &groups->at[order[i]], rate, decay);
    }
    free(order);
}

/* As it ships: bytes times a scale. */
static void pack(const struct learner *m, struct span_weights *out)
{
    float most = 0;

    for (size_t i = 0; i < SPAN_SLOTS; i++)
        most = fmaxf(most, fabsf(m->w[i]));
    out->scale = most / 127;
    for (size_t i = 0; i < SPAN_SLOTS; i++)
        out->at[i] = (int8_t)lrintf(m->w[i] / (out->scale > 0 ? out->scale : 1));
}

struct tally {
    double *sure, *unsure; /* log of the odds against "none of them" */
    size_t sure_count, unsure_count;
    double exact[ARRAY_LEN(sets)], f1[ARRAY_LEN(sets)], best[ARRAY_LEN(sets)],
        count[ARRAY_LEN(sets)];
};

static void measure(const struct groups *groups, int fold, const struct span_weights *packed,
                    struct tally *t)
{
    static float w[SPAN_SLOTS];

    for (size_t i = 0; i < SPAN_SLOTS; i++)
        w[i] = packed->scale * packed->at[i];
    for (size_t i = 0; i < groups->count; i++) {
        const struct group *g = &groups->at[i];
        const char *row = g->rows, *best = row;
        float top = -1e9f;
        double all = 0;
        bool any = false;

        if (fold >= 0 && (int)(g->article % SPAN_FOLDS) != fold)
            continue;
        for (uint32_t k = 0; k < g->count; k++, row = next_row(row)) {
            float score = score_of(w, row);

            all += exp((double)score);
            any = any || row_at(row)->exact;
            if (score > top) {
                top = score;
                best = row;
            }
        }
        if (strcmp(sets[g->set].set, "squad2-en") == 0 && !g->away)
            *(g->answers ? &t->sure[t->sure_count++] : &t->unsure[t->unsure_count++]) = log(all);
        if (!g->answers)
            continue;
        t->count[g->set]++;
        t->exact[g->set] += row_at(best)->exact;
        t->f1[g->set] += row_at(best)->f1 / 255.0;
        t->best[g->set] += any;
    }
}

static double area(const struct tally *t)
{
    double in_order = 0;

    for (size_t i = 0; i < t->sure_count; i++)
        for (size_t k = 0; k < t->unsure_count; k++)
            in_order += t->sure[i] > t->unsure[k] ? 1 : t->sure[i] < t->unsure[k] ? 0 : 0.5;
    return in_order / (double)t->sure_count / (double)t->unsure_count;
}

static void print_tally(const char *name, const struct tally *t)
{
    printf("/* %s, EM F1 (an answer among the candidates):", name);
    for (size_t i = 0; i < ARRAY_LEN(sets); i++)
        if (t->count[i] > 0)
            printf(" %s %.1f %.1f (%.3f);", sets[i].set, 100 * t->exact[i] / t->count[i],
                   100 * t->f1[i] / t->count[i], t->best[i] / t->count[i]);
    if (t->sure_count)
        printf(" look-alikes: AUC %.3f;", area(t));
    printf(" */\n");
}

static void print_table(const struct span_weights *w)
{
    printf("    {.scale = %.6ff,\n     .at = {", (double)w->scale);
    for (size_t i = 0; i < SPAN_SLOTS; i++)
        printf("%s%d", i % 32 ? "," : i ? ",\n            " : "", w->at[i]);
    printf("}},\n");
}

int main(int argc, char **argv)
{
    static struct span_weights unseen[LANGUAGES][SPAN_FOLDS], all;
    static struct learner m;
    struct groups groups = {0};
    struct tally seen = {0}, fresh = {0};
    int language = argc >= 3 && strcmp(argv[2], "zh") == 0;
    float rate = argc > 3 ? strtof(argv[3], NULL) : 0.04f;
    float decay = argc > 4 ? strtof(argv[4], NULL) : 0.003f;
    char path[1024];

    seen.sure = calloc(QUESTIONS_MAX, sizeof(double));
    seen.unsure = calloc(QUESTIONS_MAX, sizeof(double));
    fresh.sure = calloc(QUESTIONS_MAX, sizeof(double));
    fresh.unsure = calloc(QUESTIONS_MAX, sizeof(double));

    if (argc < 3 || !load(argv[1], language, &groups)) {
        fprintf(stderr, "usage: weir_train_spans FILE en|zh [RATE [DECAY]]\n");
        return 2;
    }
    (void)snprintf(path, sizeof path, "%s.unseen", argv[1]);
    FILE *file = fopen(path, "r+");
    if (file && fread(unseen, sizeof unseen, 1, file) != 1)
        memset(unseen, 0, sizeof unseen);
    if (file)
        fclose(file);
    for (int fold = 0; fold < SPAN_FOLDS; fold++) {
        train(&groups, fold, &m, rate, decay);
        pack(&m, &unseen[language][fold]);
        measure(&groups, fold, &unseen[language][fold], &fresh);
    }
    print_tally("articles not trained on", &fresh);
    train(&groups, -1, &m, rate, decay);
    pack(&m, &all);
    measure(&groups, -1, &all, &seen);
    print_tally("trained on them", &seen);
    print_table(&all);
    file = fopen(path, "w");
    if (!file || fwrite(unseen, sizeof unseen, 1, file) != 1 || fclose(file) != 0) {
        perror(path);
        return 1;
    }
    free(groups.at);
    free(groups.bytes);
    return 0;
}
