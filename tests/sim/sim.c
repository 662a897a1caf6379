/* The whole gateway in one process on a virtual clock, one story a seed.
 *   sim_weir --seeds 1..10000 [--jobs N]   each seed in a process of its own
 *   sim_weir --seed N                      one story, with its event log
 *   sim_weir --nth [N]                     fail each fallible call in turn, or only the Nth
 * A violated invariant prints the seed and the command that repeats it exactly. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/pages.h"
#include "base/trace.h"
#include "check.h"
#include "client.h"
#include "collector.h"
#include "gateway/metrics.h"
#include "provider.h"
#include "sys/clock.h"
#include "sys/loop.h"

#define REAL_SECONDS_MAX 100u /* of one story: a lock held over a suspension would hang for ever */
#define JOBS_MAX         64
#define STATUS_END       600
#define TWICE_EVERY      50 /* of so many seeds one is run twice, to see that it is one story */
#define NTH_STORIES      4  /* a plain ask and a streamed one; each twice, with a cache */

struct run {
    struct story story;
    struct sim_house house;
    struct sim_report report;
    struct records records, kept;
    bool started;
};

/* What a run tells the process that waits for it. */
struct outcome {
    uint64_t hash, events, struck[SIM_FAULTS];
    uint32_t asks, whole, records;
    int told[ASKS_MAX]; /* statuses; 0: none */
    bool reached_nth;
};

static bool prints_log;

static void print_line(void *ctx, const char *line)
{
    (void)ctx;
    puts(line);
}

static void sink(void *ctx, enum log_level level, struct str line)
{
    (void)ctx, (void)level;
    if (prints_log)
        printf("                 " STR_FMT "\n", STR_ARG(line));
}

/* ---- one story ---- */

static void keep_files(void *arg)
{
    struct story *story = arg;
    struct err err = {0};

    if (!fiber_sleep(story->kill_at, &err))
        return;
    sim_files_keep(story->power_fails);
    story->kept_at = fiber_now();
}

static void fill_disk(void *arg)
{
    struct err err = {0};
    (void)arg;

    if (!fiber_sleep((dur_ns)sim_random(2 * SECOND), &err))
        return;
    sim_disk(8192);
    (void)!fiber_sleep((dur_ns)sim_random(10 * SECOND), &err);
    sim_disk(0);
}

/* The tokens as C strings, for as long as the clients run. */
static SUSPENDS bool run_clients(struct run *run, struct err *err)
{
    struct clients clients = {.story = &run->story, .to = run->house.addr};
    char texts[KEYS][64] = {{0}};

    for (int kind = 0; kind < KEYS; kind++) {
        struct str token = secret_reveal(&run->house.tokens[kind]);

        ASSERT(token.len < sizeof texts[kind]);
        if (token.len)
            memcpy(texts[kind], token.ptr, token.len);
        clients.tokens[kind] = texts[kind];
    }
    return clients_run(&clients, err);
}

static SUSPENDS bool live(struct run *run, struct scope *around, struct err *err)
{
    if (!providers_open(&run->story, around, err) || !collector_open(&run->story, around, err))
        return false;
    if (run->story.killed && !scope_spawn(around, keep_files, &run->story, err))
        return false;
    if (run->story.small_disk && !scope_spawn(around, fill_disk, NULL, err))
        return false;
    sim_calm(false);
    return run_clients(run, err);
}

static void first_fiber(void *arg)
{
    struct run *run = arg;
    struct err err = {0};
    struct scope around;

    scope_open(&around, 0);
    run->started = house_start(&run->house, run->story.old_records, &err);
    if (run->started && !live(run, &around, &err))
        sim_log("not all of the story was told: %s", err.text);
    sim_calm(true); /* whatever happened, from here on it must come to rest */
    house_stop(&run->house);
    scope_close(&around);
    providers_close();
    collector_close();
}

/* Under the nth fault not even the loop need come to be. */
static void run_loop(struct run *run)
{
    struct err err = {0};
    struct loop *loop = loop_new(NULL, &err);

    if (!loop)
        return;
    loop_run(loop, first_fiber, run);
    loop_free(&loop);
}

/* What kill -9, or the end of power, left behind, and what the next start makes of it. */
static void check_end(struct run *run)
{
    static struct records again;
    const struct story *story = &run->story;
    struct err err = {0};

    sim_files_revert();
    if (!story->power_fails && !records_read(&run->kept, &err))
        violated("the audit log that kill -9 left does not verify: %s", err.text);
    if (!house_reopen_audit(&err)) {
        violated("the audit log cannot be opened after a %s: %s",
                 story->power_fails ? "power cut" : "kill", err.text);
        return;
    }
    if (!records_read(&again, &err))
        violated("the audit log that was opened again does not verify: %s", err.text);
    if (story->caches && !house_reopen_cache(&err))
        violated("the cache cannot be opened after a %s: %s",
                 story->power_fails ? "power cut" : "kill", err.text);
    check_kept(story, &run->records, &again);
    if (!story->power_fails && again.count != run->kept.count)
        violated("opening what kill -9 left made %zu records of %zu", again.count, run->kept.count);
}

static void check_books(struct run *run)
{
    struct err err = {0};

    if (!records_read(&run->records, &err))
        violated("the audit log does not verify: %s", err.text);
    else
        check_story(&run->story, &run->house, &run->records);
    if (run->story.kept_at)
        check_end(run);
}

static void fill_outcome(const struct run *run, struct outcome *out)
{
    out->hash = run->report.hash;
    out->events = run->report.events;
    memcpy(out->struck, run->report.struck, sizeof out->struck);
    out->asks = (uint32_t)run->story.ask_count;
    out->records = (uint32_t)run->records.count;
    for (int i = 0; i < run->story.ask_count; i++) {
        const struct ask *ask = &run->story.asks[i];

        out->told[i] = ask->got_status;
        out->whole += ask->got_status == 200 && ask->got_end;
    }
}

/* The world is up and the story drawn; the world is down afterwards. Returns what is violated. */
static int run_story(struct run *run, struct outcome *out)
{
    size_t pages = pages_in_use();
    int before = violations_found();
    struct err err = {0};

    if (house_open(&run->house, &run->story, &err))
        run_loop(run);
    sim_calm(true);
    fault_decide(NULL, NULL);
    if (!run->started && !run->story.is_nth)
        violated("the house does not start: %s", err.text);
    if (!house_close(&run->house, &err))
        violated("the house does not close: %s", err.text);
    run->story.disk_failed =
        run->story.is_nth || sim_struck(SIM_FILE_FAILED) + sim_struck(SIM_DISK_FULL) > 0;
    if (run->started)
        check_books(run);
    sim_end(&run->report);
    check_left(&run->report, pages);
    fill_outcome(run, out);
    story_free(&run->story);
    return violations_found() - before;
}

static int run_seed(uint64_t seed, struct outcome *out)
{
    static struct run run;
    struct sim_options options;
    char name[64];

    snprintf(name, sizeof name, "seed %" PRIu64, seed);
    check_name(name);
    story_options(seed, &options);
    options.log = prints_log ? print_line : NULL;
    run = (struct run){0};
    sim_begin(&options);
    sim_calm(true);
    story_draw(&run.story, seed);
    if (prints_log)
        story_print(&run.story);
    return run_story(&run, out);
}

/* ---- the nth fallible call ---- */

static struct {
    uint64_t armed, passed;
} nth;

static bool is_nth(void *ctx, const char *point)
{
    (void)ctx;
    if (++nth.passed != nth.armed)
        return false;
    sim_log("fault at %s", point);
    return true;
}

static int run_nth(uint64_t number, struct outcome *out)
{
    static struct run run;
    struct sim_options options = {.seed = 1, .log = prints_log ? print_line : NULL};
    uint64_t which = number % NTH_STORIES;
    char name[64];

    snprintf(name, sizeof name, "nth %" PRIu64, number);
    check_name(name);
    run = (struct run){0};
    nth.armed = number / NTH_STORIES + 1;
    nth.passed = 0;
    sim_begin(&options);
    story_plain(&run.story, which % 2, which > 1);
    fault_decide(is_nth, NULL);
    int found = run_story(&run, out);
    out->reached_nth = nth.passed >= nth.armed;
    return found;
}

/* ---- many runs, each in a process of its own, all from the same state ---- */

typedef int runner(uint64_t number, struct outcome *out);

struct job {
    pid_t pid;
    uint64_t number;
    struct outcome *out; /* shared with the process */
    bool again;          /* the second of two that must be alike */
    uint64_t hash;       /* of the first */
};

struct totals {
    uint64_t runs, failed;
    struct outcome sum;
    uint64_t told[STATUS_END];
    bool nth_is_over;
};

static void start(struct job *job, runner *run)
{
    fflush(stdout);
    *job->out = (struct outcome){0};
    job->pid = fork();
    if (job->pid < 0) {
        perror("fork");
        exit(2);
    }
    if (job->pid > 0)
        return;
    alarm(REAL_SECONDS_MAX);
    int found = run(job->number, job->out);
    fflush(stdout);
    _exit(found ? 1 : 0);
}

static void add_up(struct totals *totals, const struct outcome *one)
{
    totals->runs++;
    totals->sum.events += one->events;
    totals->sum.asks += one->asks;
    totals->sum.whole += one->whole;
    totals->sum.records += one->records;
    for (uint32_t i = 0; i < one->asks; i++)
        totals->told[one->told[i] < STATUS_END ? one->told[i] : 0]++;
    for (int i = 0; i < SIM_FAULTS; i++)
        totals->sum.struck[i] += one->struck[i];
}

/* True: run it once more. */
static bool finish(struct job *job, int status, struct totals *totals, const char *option)
{
    bool failed = status != 0;

    if (WIFSIGNALED(status))
        printf("# %" PRIu64 ": ended by signal %d\n", job->number, WTERMSIG(status));
    if (job->again && !failed && job->hash != job->out->hash) {
        printf("# %" PRIu64 ": the same seed told two stories\n", job->number);
        failed = true;
    }
    if (failed) {
        totals->failed++;
        printf("# repeat with: sim_weir %s %" PRIu64 "\n", option, job->number);
    }
    if (job->again) {
        job->again = false;
        return false;
    }
    add_up(totals, job->out);
    job->hash = job->out->hash;
    job->again = !failed && job->number % TWICE_EVERY == 0;
    return job->again;
}

static void run_many(uint64_t first, uint64_t last, int jobs, runner *run, struct totals *totals)
{
    const char *option = run == run_seed ? "--seed" : "--nth";
    struct job all[JOBS_MAX] = {0};
    struct outcome *shared = mmap(NULL, sizeof *shared * JOBS_MAX, PROT_READ | PROT_WRITE,
                                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t next = first;
    int running = 0;

    ASSERT(shared != MAP_FAILED && jobs <= JOBS_MAX);
    for (int i = 0; i < jobs && next <= last; i++, running++) {
        all[i] = (struct job){.number = next++, .out = &shared[i]};
        start(&all[i], run);
    }
    while (running > 0) {
        int status, i = 0;
        pid_t pid = waitpid(-1, &status, 0);

        ASSERT(pid > 0);
        while (all[i].pid != pid)
            i++;
        bool again = finish(&all[i], status, totals, option);
        if (run == run_nth && !all[i].out->reached_nth && status == 0 && !again)
            totals->nth_is_over = true;
        if (!again && (next > last || totals->nth_is_over)) {
            all[i].pid = 0;
            running--;
            continue;
        }
        if (!again)
            all[i].number = next++;
        start(&all[i], run);
    }
    munmap(shared, sizeof *shared * JOBS_MAX);
}

static int report(const char *what, const struct totals *totals)
{
    const struct outcome *sum = &totals->sum;

    printf("# %s: %u requests, %u whole answers, %u records, %" PRIu64 " events\n# told:", what,
           sum->asks, sum->whole, sum->records, sum->events);
    for (int i = 0; i < STATUS_END; i++)
        if (totals->told[i])
            printf(" %d %" PRIu64, i, totals->told[i]);
    printf("\n# faults:");
    for (int i = 0; i < SIM_FAULTS; i++)
        printf(" %s %" PRIu64, sim_fault_name((enum sim_fault)i), sum->struck[i]);
    printf("\n%s: %" PRIu64 " runs, %" PRIu64 " failed\n", what, totals->runs, totals->failed);
    return totals->failed ? 1 : 0;
}

/* ---- command line ---- */

struct command {
    uint64_t first, last, seed, nth;
    bool has_seeds, has_seed, has_nth, has_one_nth;
    int jobs;
};

static int usage(void)
{
    fprintf(stderr, "sim_weir --seeds A..B [--jobs N] | --seed N | --nth [N]\n");
    return 2;
}

static bool parse_range(struct str text, struct command *c)
{
    size_t dots = str_find(text, STR(".."));

    c->has_seeds = true;
    return dots < text.len && u64_parse(str_slice(text, 0, dots), &c->first) &&
           u64_parse(str_slice(text, dots + 2, text.len), &c->last) && c->first > 0;
}

static bool parse(int argc, char **argv, struct command *c)
{
    bool ok = argc > 1;

    for (int i = 1; i < argc && ok; i++) {
        struct str value = str_from(i + 1 < argc ? argv[i + 1] : "");
        uint64_t jobs = 0;

        if (strcmp(argv[i], "--seeds") == 0) {
            ok = parse_range(value, c);
            i++;
        } else if (strcmp(argv[i], "--seed") == 0) {
            ok = c->has_seed = u64_parse(value, &c->seed);
            i++;
        } else if (strcmp(argv[i], "--jobs") == 0) {
            ok = u64_parse(value, &jobs) && jobs > 0 && jobs <= JOBS_MAX;
            c->jobs = (int)jobs;
            i++;
        } else if (strcmp(argv[i], "--nth") == 0) {
            c->has_nth = true;
            c->has_one_nth = u64_parse(value, &c->nth);
            i += c->has_one_nth;
        } else {
            ok = false;
        }
    }
    return ok;
}

/* What libraries do once: every story would pay for it anew. */
static void warm_up(void)
{
    struct secret key CLEANUP(secret_wipe) = {0};
    struct err err = {0};

    if (secret_set(&key, "key", 3, &err))
        (void)hmac_sha256(&key, STR("text"));
    (void)sha256(STR("text"));
}

int main(int argc, char **argv)
{
    struct command c = {.jobs = 2};
    static struct totals totals;
    struct outcome one = {0};

    if (!parse(argc, argv, &c))
        return usage();
    setvbuf(stdout, NULL, _IOLBF, 0);
    log_to(sink, NULL);
    log_set_clock(clock_wall);
    trace_set_clock(clock_mono);
    gateway_metrics_register();
    warm_up();
    prints_log = c.has_seed || c.has_one_nth;
    if (c.has_seed || c.has_one_nth) {
        int found = c.has_seed ? run_seed(c.seed, &one) : run_nth(c.nth, &one);

        printf("# %" PRIu64 " events, hash %016" PRIx64 ", %d violated\n", one.events, one.hash,
               found);
        return found ? 1 : 0;
    }
    if (c.has_seeds)
        run_many(c.first, c.last, c.jobs, run_seed, &totals);
    if (c.has_nth)
        run_many(0, 100000, c.jobs, run_nth, &totals);
    return report(c.has_nth ? "nth faults" : "seeds", &totals);
}
