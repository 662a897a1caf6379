/* What an answer costs: the handbook's questions, and searches over many passages.
 *   micro_answers [PASSAGES]     prints microseconds of CPU; run from the source's top folder
 * Not a test: times depend on the machine. The figures of docs/quality.md come from here. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "knowledge/answer.h"
#include "knowledge/knowledge_internal.h"
#include "sys/file.h"

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print_times(const char *what, double *times, size_t count)
{
    qsort(times, count, sizeof *times, compare);
    printf("%-40s p50 %7.0f us   p99 %7.0f us   (%zu)\n", what, times[count / 2],
           times[count * 99 / 100], count);
}

static bool answers(struct knowledge *k, struct arena *arena, struct err *err)
{
    static double en[4000], zh[4000];
    size_t en_count = 0, zh_count = 0;
    struct ingest_report report;
    struct str questions, line;

    if (!ingest_now(k, arena, &(struct ingest_wish){.path = STR("examples/handbook")}, &report,
                    err) ||
        !file_load(arena, "examples/questions.tsv", MIB, &questions, err))
        return false;
    for (int round = 0; round < 20; round++) {
        for (struct str rest = questions; str_split(&rest, '\n', &line);) {
            struct str question = str_slice(line, 0, str_find_char(line, '\t'));
            size_t mark = arena_mark(arena);
            struct grounded g;
            double from = now_us();

            if (!question.len || question.ptr[0] == '#')
                continue;
            if (!answer_now(k, arena, &(struct knowledge_question){.text = question}, &g, err))
                return false;
            bool is_zh = str_eq(g.language, STR("zh"));
            if (is_zh)
                zh[zh_count++] = now_us() - from;
            else
                en[en_count++] = now_us() - from;
            arena_rewind(arena, mark);
        }
    }
    print_times("handbook, English question to answer", en, en_count);
    print_times("handbook, Chinese question to answer", zh, zh_count);
    return true;
}

/* Words with frequencies as in a language (Zipf): word k is asked for and written 1/k as often. */
static size_t zipf(uint32_t *seed, size_t words)
{
    *seed = *seed * 1664525u + 1013904223u;
    double u = (double)(*seed >> 8) / (double)(1u << 24);
    size_t rank = 1;

    for (double reach = 1; reach < (double)words; reach *= 2, rank *= 2)
        if (u * 17 < reach / (double)rank * 1.0)
            break;
        else
            u -= 1.0 / 17;
    *seed = *seed * 1664525u + 1013904223u;
    return rank + (*seed >> 8) % rank;
}

static bool fill(struct lexical *index, struct arena *arena, uint32_t passages, struct err *err)
{
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;
    uint32_t seed = 1;

    if (!lexical_begin(index, &w, err))
        return false;
    for (uint32_t i = 0; i < passages; i++) {
        size_t mark = arena_mark(arena);
        struct buf b;

        buf_init(&b, arena, MIB);
        for (int k = 0; k < 160; k++)
            buf_fmt(&b, "w%zu ", zipf(&seed, 100000));
        struct lexical_passage passage = {.text = buf_view(&b), .record = buf_view(&b)};
        struct lexical_document document = {
            .key = arena_fmt(arena, "d%u", i), .passages = &passage, .passage_count = 1};
        if (!lexical_add(w, &document, err))
            return false;
        arena_rewind(arena, mark);
    }
    return lexical_commit(&w, err);
}

static bool searches(struct lexical *index, struct arena *arena, struct err *err)
{
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(index);
    static double times[2000];
    uint32_t seed = 77;

    if (!analyser_open(&analyser, err))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        size_t mark = arena_mark(arena);
        struct lexical_hits hits;
        struct terms terms;
        struct buf b;

        buf_init(&b, arena, MIB);
        for (int k = 0; k < 8; k++)
            buf_fmt(&b, "w%zu ", zipf(&seed, 100000));
        double from = now_us();
        if (!analyser_terms(analyser, arena, buf_view(&b), &terms, err) ||
            !lexical_search(view, arena, &(struct lexical_query){&terms, NULL, 8}, &hits, err))
            return false;
        times[i] = now_us() - from;
        arena_rewind(arena, mark);
    }
    struct lexical_stats stats = lexical_stats(view);
    printf("%" PRIu64 " passages, %" PRIu64 " MB, %u segments\n", stats.passages,
           stats.bytes / 1000000, stats.segments);
    print_times("search, eight words", times, ARRAY_LEN(times));
    return true;
}

static int remove_one(const char *path, const struct stat *info, int flag, struct FTW *ftw)
{
    (void)info, (void)flag, (void)ftw;
    return remove(path);
}

int main(int argc, char **argv)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);
    struct knowledge *knowledge CLEANUP(knowledge_close) = NULL;
    struct lexical *index CLEANUP(lexical_close) = NULL;
    char dir[] = "/tmp/weir-bench-XXXXXX", sub[64];
    uint64_t passages = 100000;
    struct err err = {0};

    if (!arena || !mkdtemp(dir) || (argc > 1 && !u64_parse(str_from(argv[1]), &passages)))
        return 2;
    (void)snprintf(sub, sizeof sub, "%s/handbook", dir);
    struct knowledge_options options = {.dir = sub};
    bool ok = knowledge_open(&options, &knowledge, &err) && answers(knowledge, arena, &err);
    (void)snprintf(sub, sizeof sub, "%s/many", dir);
    double from = now_us();
    ok = ok && lexical_open(sub, &index, &err) && fill(index, arena, (uint32_t)passages, &err);
    printf("built in %.1f s of CPU\n", (now_us() - from) / 1e6);
    ok = ok && searches(index, arena, &err);
    if (!ok)
        fprintf(stderr, "%s\n", err.text);
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return !ok;
}
