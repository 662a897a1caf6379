/* 100,000 passages: building, finding and starting again, beside SQLite's FTS5 in the same run.
 *   search_100k DATA [PASSAGES] [en|zh]     DATA as tests/quality/README.md has it; needs 700 MB below /tmp
 * The passages are made of the sentences of the sets of that language, about 800 bytes each (Chinese 1,200: 400
 * characters); the questions are the sets' own. FTS5 cuts English with its porter stemmer and is asked for any of
 * the words; Chinese, which it has no words for, into trigrams, and is asked for any of the question's. Each stage is a process of its own, so that what is said of memory is of that stage alone.
 * Not a test: times depend on the machine. The table of docs/performance.md comes from here. */
#include <errno.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/utf8.h"
#include "index/lexical.h"
#include "sys/file.h"

#define DOCUMENT_PASSAGES 10
#define QUESTIONS         1000 /* asked of Weir; of FTS5 a tenth, it takes its time */
#define RATE              200  /* a second */
#define FOUND             10
#define LINES_MAX         200000

#define FILES_OF_SETS 8
struct texts {
    struct str *at;
    size_t count;
};

static const struct language {
    const char *name;
    const char *texts[FILES_OF_SETS], *questions[FILES_OF_SETS];
    const char *ends[4]; /* of a sentence, what stands behind it included */
    size_t sentence_min, passage_bytes;
    const char *between, *tokenizer;
} languages[] = {
    {"en",
     {"squad2-en/passages.jsonl", "squad2-en/distractors.jsonl", "xquad/en.passages.jsonl",
      "policyqa/passages.jsonl", "cranfield/docs.jsonl", "dragonball/docs.jsonl"},
     {"squad2-en/questions.jsonl", "xquad/en.questions.jsonl"},
     {". ", "? "},
     40,
     700,
     " ",
     "porter unicode61"},
    {"zh",
     {"cmrc2018/passages.jsonl", "cmrc2018/trial.passages.jsonl", "drcd/passages.jsonl",
      "xquad/zh.passages.jsonl"},
     {"cmrc2018/questions.jsonl", "drcd/questions.jsonl", "xquad/zh.questions.jsonl"},
     {"。", "！", "？"},
     30,
     1140,
     "",
     "trigram"},
};

struct bench {
    struct arena *arena;
    const struct language *language;
    char dir[64];
    struct texts sentences, questions;
    uint64_t passages;
};

static void stop(const char *what, const char *why)
{
    fprintf(stderr, "search_100k: %s: %s\n", what, why);
    exit(1);
}

static double seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* --- what is written and asked ---------------------------------------------------------------- */

static void put_text(struct bench *b, struct texts *to, struct str s)
{
    if (!to->at)
        to->at = arena_array(b->arena, LINES_MAX, sizeof *to->at);
    if (to->count < LINES_MAX)
        to->at[to->count++] = arena_str(b->arena, s);
}

/* Bytes of the end of a sentence at `at`, or 0. */
static size_t end_at(const struct bench *b, struct str text, size_t at)
{
    for (size_t i = 0; i < ARRAY_LEN(b->language->ends) && b->language->ends[i]; i++)
        if (str_starts(str_slice(text, at, text.len), str_from(b->language->ends[i])))
            return str_from(b->language->ends[i]).len;
    return 0;
}

static void put_sentences(struct bench *b, struct str text)
{
    size_t from = 0, least = b->language->sentence_min;

    for (size_t i = 0; i + 1 < text.len; i++) {
        if (text.ptr[i] == '\n' || text.ptr[i] == '\r' || text.ptr[i] == '\t')
            ((char *)(uintptr_t)text.ptr)[i] = ' ';
        size_t end = i - from > least ? end_at(b, text, i) : 0;

        if (!end)
            continue;
        put_text(b, &b->sentences, str_trim(str_slice(text, from, i + end)));
        from = i + end;
    }
    if (text.len > from + least)
        put_text(b, &b->sentences, str_trim(str_slice(text, from, text.len)));
}

static void read_file(struct bench *b, const char *data, const char *name, const char *field,
                      bool questions)
{
    struct err err = {0};
    struct str text, line, s;
    char path[512];

    (void)snprintf(path, sizeof path, "%s/%s", data, name);
    if (!file_load(b->arena, path, 64 * MIB, &text, &err))
        stop(path, err.text);
    while (str_split(&text, '\n', &line)) {
        struct json *json = json_parse(b->arena, line, &err);
        json_ref root = json ? json_root(json) : 0;

        if (!json || !json_str(json, json_get(json, root, str_from(field)), b->arena, &s))
            continue;
        if (questions)
            put_text(b, &b->questions, s);
        else
            put_sentences(b, s);
    }
}

static void read_sets(struct bench *b, const char *data)
{
    const struct language *l = b->language;

    for (size_t i = 0; i < FILES_OF_SETS && l->texts[i]; i++)
        read_file(b, data, l->texts[i], "text", false);
    for (size_t i = 0; i < FILES_OF_SETS && l->questions[i]; i++)
        read_file(b, data, l->questions[i], "question", true);
    size_t kept = 0;
    for (size_t i = 0; i < b->sentences.count; i++) /* DragonBall is of two languages */
        if (str_eq(text_language(b->sentences.at[i]), str_from(l->name)))
            b->sentences.at[kept++] = b->sentences.at[i];
    b->sentences.count = kept;
    if (!kept || b->questions.count < QUESTIONS)
        stop(data, "not the sets");
}

/* The same passage for the same number, whoever asks: sentences drawn at random. */
static struct str passage_at(const struct bench *b, struct arena *arena, uint64_t number)
{
    uint64_t seed = number * 0x9E3779B97F4A7C15u + 1;
    struct buf text;

    buf_init(&text, arena, MIB);
    while (text.len < b->language->passage_bytes) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        buf_str(&text, b->sentences.at[seed % b->sentences.count]);
        buf_str(&text, str_from(b->language->between));
    }
    return buf_view(&text);
}

static struct str question_at(const struct bench *b, size_t i)
{
    return b->questions.at[i * (b->questions.count / QUESTIONS)];
}

/* --- stages ----------------------------------------------------------------------------------- */

static double memory_now(void) /* MB, mapped files included */
{
    FILE *file = fopen("/proc/self/statm", "r");
    long pages = 0;

    if (!file || fscanf(file, "%*d %ld", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

static double memory_peak(void) /* mapped files included */
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1000;
}

/* The stage in a child of its own; the parent goes on when it is done. */
static void apart(struct bench *b, void (*stage)(struct bench *b))
{
    int status = 0;

    fflush(stdout);
    pid_t child = fork();

    if (child == 0) {
        stage(b);
        fflush(stdout);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        stop("a stage", "failed");
}

static uint64_t directory_bytes; /* of size_one() */
static int size_one(const char *path, const struct stat *info, int flag, struct FTW *ftw)
{
    (void)path, (void)ftw;
    directory_bytes += flag == FTW_F ? (uint64_t)info->st_size : 0;
    return 0;
}

struct start {
    double wall, cpu, memory;
};

static struct start start_now(void)
{
    return (struct start){seconds(CLOCK_MONOTONIC), seconds(CLOCK_PROCESS_CPUTIME_ID),
                          memory_now()};
}

static void print_build(const struct bench *b, const char *what, const char *sub,
                        const struct start *start)
{
    double wall = seconds(CLOCK_MONOTONIC) - start->wall,
           cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - start->cpu, peak = memory_peak();
    char path[128];

    (void)snprintf(path, sizeof path, "%s/%s", b->dir, sub);
    directory_bytes = 0;
    nftw(path, size_one, 16, FTW_PHYS);
    printf("%-32s %.0f passages/s (%.0f a second of CPU): %.1f s, %.1f s of CPU; %.0f MB on disk, "
           "at most %.0f MB of memory\n",
           what, (double)b->passages / wall, (double)b->passages / cpu, wall, cpu,
           (double)directory_bytes / 1e6, peak - start->memory);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print_times(const char *what, double *times, size_t count)
{
    qsort(times, count, sizeof *times, compare);
    printf("%-32s p50 %7.2f ms   p95 %7.2f ms   p99 %7.2f ms   (%zu)\n", what,
           times[count / 2] * 1e3, times[count * 95 / 100] * 1e3, times[count * 99 / 100] * 1e3,
           count);
}

/* Ask all, one after the other; and at RATE a second whether or not the last one is done: then the time a
 * question waits for its turn is part of what it takes. */
static void ask_all(struct bench *b, const char *what, size_t count,
                    void (*ask)(struct bench *b, struct str question, void *to), void *to)
{
    double *alone = arena_array(b->arena, count, sizeof(double)),
           *queued = arena_array(b->arena, count, sizeof(double)),
           *cpu = arena_array(b->arena, count, sizeof(double));
    char name[64];

    for (size_t i = 0; i < count; i++) {
        double from = seconds(CLOCK_MONOTONIC), worked = seconds(CLOCK_THREAD_CPUTIME_ID);

        ask(b, question_at(b, i), to);
        alone[i] = seconds(CLOCK_MONOTONIC) - from;
        cpu[i] = seconds(CLOCK_THREAD_CPUTIME_ID) - worked;
    }
    (void)snprintf(name, sizeof name, "%s, CPU a question", what);
    print_times(name, cpu, count);
    (void)snprintf(name, sizeof name, "%s, one by one", what);
    print_times(name, alone, count);
    double sum = 0, begin = seconds(CLOCK_MONOTONIC);
    for (size_t i = 0; i < count; i++)
        sum += alone[i];
    if (sum * RATE > (double)count) {
        printf("%s cannot keep up with %d/s: %.0f/s\n", what, RATE, (double)count / sum);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        double due = begin + (double)i / RATE, now = seconds(CLOCK_MONOTONIC);

        if (due > now)
            usleep((useconds_t)((due - now) * 1e6));
        ask(b, question_at(b, i), to);
        queued[i] = seconds(CLOCK_MONOTONIC) - due;
    }
    (void)snprintf(name, sizeof name, "%s, %d/s", what, RATE);
    print_times(name, queued, count);
}

/* --- Weir ------------------------------------------------------------------------------------- */

static struct lexical *open_index(const struct bench *b, const char *sub)
{
    struct lexical *index;
    struct err err = {0};
    char path[128];

    (void)snprintf(path, sizeof path, "%s/%s", b->dir, sub);
    if (!lexical_open(path, &index, &err))
        stop("open", err.text);
    return index;
}

static void add_document(struct bench *b, struct lexical_writer *writer, struct arena *arena,
                         uint64_t first)
{
    struct lexical_passage passages[DOCUMENT_PASSAGES];
    struct lexical_document document = {.key = arena_fmt(arena, "d%08" PRIu64, first),
                                        .passages = passages};
    struct err err = {0};

    for (;
         document.passage_count < DOCUMENT_PASSAGES && first + document.passage_count < b->passages;
         document.passage_count++) {
        struct str text = passage_at(b, arena, first + document.passage_count);

        passages[document.passage_count] = (struct lexical_passage){.text = text, .record = text};
    }
    if (!lexical_add(writer, &document, &err))
        stop("add", err.text);
}

static void build_weir(struct bench *b, int threads, const char *sub)
{
    struct lexical *index = open_index(b, sub);
    struct lexical_writer *writer;
    struct err err = {0};
    struct start start = start_now();

    if (!lexical_begin(index, &writer, &err) || !lexical_share(writer, threads, &err))
        stop("begin", err.text);
    for (uint64_t i = 0; i < b->passages; i += DOCUMENT_PASSAGES) {
        size_t mark = arena_mark(b->arena);

        add_document(b, writer, b->arena, i);
        arena_rewind(b->arena, mark);
    }
    if (!lexical_commit(&writer, &err))
        stop("commit", err.text);
    print_build(b, threads > 1 ? "Weir, build, two threads" : "Weir, build, one thread", sub,
                &start);
    lexical_close(&index);
}

static void build_with_one(struct bench *b)
{
    build_weir(b, 1, "one");
}

static void build_with_two(struct bench *b)
{
    build_weir(b, 2, "weir");
}

struct weir {
    struct lexical_view *view;
    size_t found;
};

static void ask_weir(struct bench *b, struct str question, void *to)
{
    struct weir *weir = to;
    struct analyser *analyser CLEANUP(analyser_close) = NULL; /* as each request does */
    struct lexical_hits hits;
    struct terms terms;
    struct err err = {0};
    size_t mark = arena_mark(b->arena);

    if (!analyser_open(&analyser, &err) ||
        !analyser_terms(analyser, b->arena, question, &terms, &err) ||
        !lexical_search(weir->view, b->arena, &(struct lexical_query){&terms, NULL, FOUND}, &hits,
                        &err))
        stop("search", err.text);
    weir->found += hits.count;
    arena_rewind(b->arena, mark);
}

static void search_weir(struct bench *b)
{
    double from = seconds(CLOCK_MONOTONIC), before = memory_now(),
           worked = seconds(CLOCK_PROCESS_CPUTIME_ID);
    struct lexical *index = open_index(b, "weir");
    struct weir weir = {.view = lexical_borrow(index)};

    double opened = seconds(CLOCK_MONOTONIC) - from, cpu_opened = seconds(CLOCK_PROCESS_CPUTIME_ID);
    ask_weir(b, question_at(b, 0), &weir);
    double first = seconds(CLOCK_MONOTONIC) - from;
    ask_weir(b, STR("今年的理赔期限是多少天？"), &weir);
    double chinese = seconds(CLOCK_MONOTONIC) - from - first;
    printf("%-32s %.1f ms: opened and checked %.1f (%.1f of CPU); the first Chinese question %.1f "
           "more\n",
           "Weir, start to first answer", first * 1e3, opened * 1e3, (cpu_opened - worked) * 1e3,
           chinese * 1e3);
    ask_all(b, "Weir", QUESTIONS, ask_weir, &weir);
    printf("%-32s %.0f MB more than before the open, mapped files included; %zu found\n",
           "Weir, memory", memory_now() - before, weir.found);
    lexical_release(&weir.view);
    lexical_close(&index);
}

/* --- FTS5 ------------------------------------------------------------------------------------- */

static void sql(sqlite3 *db, const char *text)
{
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
        stop("FTS5", sqlite3_errmsg(db));
}

static sqlite3 *open_fts5(const struct bench *b)
{
    sqlite3 *db;
    char path[128];

    (void)snprintf(path, sizeof path, "%s/fts5/db", b->dir);
    if (sqlite3_open(path, &db) != SQLITE_OK)
        stop("FTS5", sqlite3_errmsg(db));
    return db;
}

static void build_fts5(struct bench *b)
{
    sqlite3 *db = open_fts5(b);
    sqlite3_stmt *insert;
    struct start start = start_now();

    sql(db, arena_fmt(b->arena, "CREATE VIRTUAL TABLE p USING fts5(text, tokenize = '%s'); BEGIN",
                      b->language->tokenizer)
                .ptr);
    sqlite3_prepare_v2(db, "INSERT INTO p VALUES (?)", -1, &insert, NULL);
    for (uint64_t i = 0; i < b->passages; i++) {
        size_t mark = arena_mark(b->arena);
        struct str text = passage_at(b, b->arena, i);

        sqlite3_bind_text(insert, 1, text.ptr, (int)text.len, SQLITE_STATIC);
        if (sqlite3_step(insert) != SQLITE_DONE)
            stop("FTS5", sqlite3_errmsg(db));
        sqlite3_reset(insert);
        arena_rewind(b->arena, mark);
    }
    sqlite3_finalize(insert);
    sql(db, "COMMIT");
    sqlite3_close(db);
    print_build(b, "FTS5, build", "fts5", &start);
}

struct fts5 {
    sqlite3_stmt *select;
    bool stop_words; /* asked for, too */
    size_t found;
};

/* Any of the words: "what" OR "is" ... */
static void match_words(struct bench *b, struct str question, bool stop_words, struct buf *match)
{
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct terms terms;
    struct err err = {0};

    if (!analyser_open(&analyser, &err) ||
        !analyser_terms(analyser, b->arena, question, &terms, &err))
        stop("FTS5", err.text);
    for (size_t i = 0; i < terms.count; i++)
        if (stop_words || !terms.at[i].stop)
            buf_fmt(match, "%s\"" STR_FMT "\"", match->len ? " OR " : "",
                    STR_ARG(terms.at[i].text));
}

/* Any three characters that follow each other. */
static void match_trigrams(struct str question, struct buf *match)
{
    size_t begins[3] = {0}, count = 0;
    uint32_t rune;

    for (size_t at = 0, from = 0; utf8_next(question, &at, &rune); from = at) {
        if (!rune_is_ideographic(rune)) {
            count = 0;
            continue;
        }
        begins[count++ % 3] = from;
        if (count >= 3)
            buf_fmt(match, "%s\"" STR_FMT "\"", match->len ? " OR " : "",
                    STR_ARG(str_slice(question, begins[count % 3], at)));
    }
}

static void ask_fts5(struct bench *b, struct str question, void *to)
{
    struct fts5 *fts5 = to;
    size_t mark = arena_mark(b->arena);
    struct buf match;

    buf_init(&match, b->arena, MIB);
    if (str_eq(str_from(b->language->tokenizer), STR("trigram")))
        match_trigrams(question, &match);
    else
        match_words(b, question, fts5->stop_words, &match);
    sqlite3_bind_text(fts5->select, 1, match.ptr, (int)match.len, SQLITE_STATIC);
    while (match.len && sqlite3_step(fts5->select) == SQLITE_ROW)
        fts5->found++;
    sqlite3_reset(fts5->select);
    arena_rewind(b->arena, mark);
}

static void search_fts5(struct bench *b)
{
    double before = memory_now(), from = seconds(CLOCK_MONOTONIC);
    sqlite3 *db = open_fts5(b);
    struct fts5 fts5 = {.stop_words = true};
    char text[] = "SELECT rowid FROM p WHERE p MATCH ? ORDER BY rank LIMIT 10";

    if (sqlite3_prepare_v2(db, text, -1, &fts5.select, NULL) != SQLITE_OK)
        stop("FTS5", sqlite3_errmsg(db));
    ask_fts5(b, question_at(b, 0), &fts5);
    printf("%-32s %.1f ms\n", "FTS5, start to first answer",
           (seconds(CLOCK_MONOTONIC) - from) * 1e3);
    if (str_eq(str_from(b->language->tokenizer), STR("trigram"))) {
        ask_all(b, "FTS5, all trigrams", QUESTIONS / 10, ask_fts5, &fts5);
    } else {
        ask_all(b, "FTS5, all words", QUESTIONS / 10, ask_fts5, &fts5);
        fts5.stop_words = false;
        ask_all(b, "FTS5, no stop words", QUESTIONS / 10, ask_fts5, &fts5);
    }
    printf("%-32s %.0f MB more than before the open; %zu found\n", "FTS5, memory",
           memory_now() - before, fts5.found);
    sqlite3_finalize(fts5.select);
    sqlite3_close(db);
}

/* ---------------------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *info, int flag, struct FTW *ftw)
{
    (void)info, (void)flag, (void)ftw;
    return remove(path);
}

int main(int argc, char **argv)
{
    static struct bench b = {.passages = 100000, .dir = "/tmp/weir-bench-XXXXXX"};
    const char *language = argc > 3 ? argv[3] : "en";
    char path[128];
    struct err err = {0};

    for (size_t i = 0; i < ARRAY_LEN(languages); i++)
        if (strcmp(languages[i].name, language) == 0)
            b.language = &languages[i];
    if (argc < 2 || (argc > 2 && !u64_parse(str_from(argv[2]), &b.passages)) || !b.language)
        stop("usage", "search_100k DATA [PASSAGES] [en|zh]");
    b.arena = arena_new(GIB);
    if (!b.arena || !mkdtemp(b.dir))
        stop("start", strerror(errno));
    (void)snprintf(path, sizeof path, "%s/fts5", b.dir);
    if (!file_make_dir(path, 0700, &err))
        stop(path, err.text);
    read_sets(&b, argv[1]);
    uint64_t bytes = 0;
    for (uint64_t i = 0; i < b.passages; i++) {
        size_t mark = arena_mark(b.arena);

        bytes += passage_at(&b, b.arena, i).len;
        arena_rewind(b.arena, mark);
    }
    printf("%" PRIu64 " passages, %.0f MB of text, from %zu sentences\n", b.passages,
           (double)bytes / 1e6, b.sentences.count);
    apart(&b, build_with_one);
    apart(&b, build_with_two);
    apart(&b, build_fts5);
    apart(&b, search_weir);
    apart(&b, search_fts5);
    nftw(b.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}
