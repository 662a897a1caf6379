/* From tallies to figures. */
#include <stdlib.h>

#include "measure.h"

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double area(double *sure, size_t n, double *unsure, size_t m)
{
    double pairs = 0;

    qsort(sure, n, sizeof *sure, compare_doubles);
    qsort(unsure, m, sizeof *unsure, compare_doubles);
    for (size_t i = 0, below = 0, same = 0; i < n; i++) {
        while (below < m && unsure[below] < sure[i])
            below++;
        for (same = below; same < m && unsure[same] == sure[i];)
            same++;
        pairs += (double)below + (double)(same - below) / 2;
    }
    return n && m ? pairs / ((double)n * (double)m) : 0;
}

double accuracy_at(const double *sure, size_t n, const double *unsure, size_t m, double bar)
{
    size_t right = 0;

    for (size_t i = 0; i < n; i++)
        right += sure[i] >= bar;
    for (size_t i = 0; i < m; i++)
        right += unsure[i] < bar;
    return n + m ? (double)right / (double)(n + m) : 0;
}

/* At the bar that suits this set best: what the published figure is. */
static double top_accuracy(const double *sure, size_t n, const double *unsure, size_t m)
{
    double best = 0;

    for (int percent = 0; percent <= 100; percent++) {
        double accuracy = accuracy_at(sure, n, unsure, m, percent / 100.0);

        best = accuracy > best ? accuracy : best;
    }
    return best;
}

static void add(struct figures *to, const struct tally *t, const char *table, const char *measure,
                double value, uint32_t count)
{
    figures_add(to, (struct figure){table, measure, t->set, count, count ? value / count : 0});
}

static void report_search(const struct tally *t, struct figures *to)
{
    uint32_t n = t->answerable;

    add(to, t, "passage", "@1", t->first, n);
    add(to, t, "passage", "@5", t->five, n);
    add(to, t, "passage", "@10", t->ten, n);
    add(to, t, "passage", "MRR", t->reciprocal, n);
    add(to, t, "passage", "answered from", t->chosen, n);
}

static void report_given(const struct tally *t, struct figures *to)
{
    uint32_t n = t->answerable;

    add(to, t, "sentence", "cited", t->shown, n);
    add(to, t, "sentence", "best", t->given1, n);
    add(to, t, "sentence", "best three", t->given3, n);
    add(to, t, "sentence", "most words shared", t->overlap, n);
    add(to, t, "words", "EM", t->exact, n);
    add(to, t, "words", "F1", t->f1, n);
    add(to, t, "answer", "best sentence holds it", t->cited_first, n);
    add(to, t, "answer", "cited right, of answerable", t->right, n);
    add(to, t, "answer", "cited right, of answered", t->right, t->answered);
}

static void add_rate(struct figures *to, const struct tally *t, const char *measure, double rate)
{
    figures_add(to, (struct figure){"refusal", measure, t->set, t->asked, rate});
}

/* When the article that answers is taken away; and, where a set has them, its own questions without answer. */
static void report_refusals(struct tally *t, struct figures *to)
{
    uint32_t none = t->asked - t->answerable, m = t->unsure_count, n = t->sure_count;

    add_rate(to, t, "taken away: AUC", area(t->sure, n, t->away, t->away_count));
    add_rate(to, t, "taken away: refused",
             accuracy_at(NULL, 0, t->away, t->away_count, (double)answer_bar));
    if (!none)
        return;
    add_rate(to, t, "AUC", area(t->sure, n, t->unsure, m));
    add_rate(to, t, "given: AUC", area(t->given_sure, n, t->given_unsure, m));
    add_rate(to, t, "given: accuracy", top_accuracy(t->given_sure, n, t->given_unsure, m));
    add_rate(to, t, "refused", (double)t->refused_well / none);
    add_rate(to, t, "refused though answerable",
             t->answerable ? (double)t->refused_badly / t->answerable : 0);
}

void tally_report(struct tally *t, struct figures *to)
{
    report_search(t, to);
    report_given(t, to);
    report_refusals(t, to);
}
