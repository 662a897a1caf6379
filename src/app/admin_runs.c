/* /api/v1/knowledge/{base}/runs: what ingest runs do and did; starting one that nobody waits for. */
#include <string.h>

#include "app/admin_bases.h"
#include "app/admin_documents.h"
#include "knowledge/rights.h"

static const char *const states[] = {
    [RUN_WAITING] = "waiting", [RUN_WORKING] = "working", [RUN_DONE] = "done",
    [RUN_STOPPED] = "stopped", [RUN_FAILED] = "failed",
};

static const struct schema_field run_fields[] = {
    {"id", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"what", FIELD_PROSE, 0, "A path, or the name of a source.", 0, 0, NULL, NULL},
    {"source", FIELD_BOOL, 0, "It is that of a source of the settings.", 0, 0, NULL, NULL},
    {"state", FIELD_CHOICE, 0, NULL, 0, 0, "waiting|working|done|stopped|failed", NULL},
    {"begun", FIELD_TIME, 0, NULL, 0, 0, NULL, NULL},
    {"ended", FIELD_TIME, FIELD_NULL, NULL, 0, 0, NULL, NULL},
    {"known", FIELD_COUNT, 0, "Files, pages, objects or rows it knows of so far.", 0, 0, NULL,
     NULL},
    {"finished", FIELD_COUNT, 0, "Of them: those it is done with, whatever came of them.", 0, 0,
     NULL, NULL},
    {"left", FIELD_COUNT, 0, "Of them: those it has before it.", 0, 0, NULL, NULL},
    {"current", FIELD_PROSE, 0, "What it is at; empty: nothing.", 0, 0, NULL, NULL},
    {"error", FIELD_PROSE, 0, "Why it failed; empty: it did not.", 0, 0, NULL, NULL},
    {"added", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"changed", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"unchanged", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"removed", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"held", FIELD_COUNT, 0, "Gone from the source, but kept: they were too many at once.", 0, 0,
     NULL, NULL},
    {"stopped", FIELD_BOOL, 0, "It was ended before its end: what it had done stays.", 0, 0, NULL,
     NULL},
    {"failed", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"skipped", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"passages", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"bytes", FIELD_COUNT, 0, NULL, 0, 0, NULL, NULL},
    {"without_vectors", FIELD_COUNT, FIELD_OPTIONAL,
     "With an embedder, of one run: passages of the base that have no vectors now; they are made "
     "in "
     "the background.",
     0, 0, NULL, NULL},
    {"vectors_refused", FIELD_COUNT, FIELD_OPTIONAL,
     "The same: documents that the embedder would not take.", 0, 0, NULL, NULL},
    {"vectors_problem", FIELD_PROSE, FIELD_OPTIONAL,
     "The same: why vectors are missing, as far as something went wrong; empty: nothing did.", 0, 0,
     NULL, NULL},
    {"dropped", FIELD_COUNT, FIELD_OPTIONAL,
     "With rebuild: damaged files of the index that are gone.", 0, 0, NULL, NULL},
    {"problems", FIELD_OBJECT, FIELD_LIST, "What could not be used; of one run, once it has ended.",
     0, 0, NULL, &trouble_schema},
    {"notes", FIELD_OBJECT, FIELD_LIST,
     "What was left out or guessed; of one run, once it has ended.", 0, 0, NULL, &trouble_schema},
    {0},
};
static const struct schema_field start_fields[] = {
    {"path", FIELD_TEXT, 0, "Absolute path of a file or folder on Weir's machine.", 1, 4096, NULL,
     NULL},
    {"rebuild", FIELD_BOOL, FIELD_OPTIONAL,
     "First remove what is damaged of the index; what is whole stays.", 0, 0, NULL, NULL},
    LABEL_FIELDS,
    {0},
};
static const struct schema start_schema = {"RunStart", "What to ingest.", start_fields, NULL};
static const struct schema run_schema = {"Run", "An ingest run.", run_fields, NULL};

static void write_run(struct json_writer *w, const struct ingest_run *run)
{
    jw_object(w);
    reply_count(w, "id", (int64_t)run->id);
    reply_text(w, "what", run->what);
    reply_bool(w, "source", run->is_source);
    reply_text(w, "state", str_from(states[run->state]));
    reply_time(w, "begun", run->begun);
    reply_time(w, "ended", run->ended);
    reply_count(w, "known", (int64_t)run->known);
    reply_count(w, "finished", (int64_t)run->done);
    reply_count(w, "left", (int64_t)(run->known - MIN_OF(run->done, run->known)));
    reply_text(w, "current", run->current);
    reply_text(w, "error", run->error);
    reply_ingest_report(w, &run->report);
}

static bool list(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct ingest_run *runs;
    struct page page;
    size_t count;

    if (!call_base_intake(call, call->values[0], &base, err) ||
        !ingest_run_list(base_knowledge(base), call->arena, &runs, &count, err) ||
        !page_begin(call, &page, err))
        return false;
    /* A page's keys rise: the oldest first. */
    for (size_t i = count; i-- > 0 && !page_is_full(&page);) {
        struct str key = arena_fmt(call->arena, "%020" PRIu64, runs[i].id);

        if (!key.ptr)
            return err_arena(err, call->arena);
        if (page_wants(&page, key)) {
            write_run(&call->reply, &runs[i]);
            jw_object_end(&call->reply);
        }
    }
    page_end(call, &page);
    return true;
}

static bool run_of(struct admin_call *call, uint64_t *id, struct err *err)
{
    return u64_parse(call->values[1], id) ||
           err_set(err, ERR_NOT_FOUND, "no run \"" STR_FMT "\": a run is called by its number",
                   STR_ARG(str_slice(call->values[1], 0, 40)));
}

/* Vectors follow a run in the background: what is missing of them now, and why. */
static void write_vectors(struct json_writer *w, struct knowledge *knowledge)
{
    struct vectors_status s;

    knowledge_vectors(knowledge, &s);
    if (strcmp(s.embedder, "none") == 0)
        return;
    reply_count(w, "without_vectors", (int64_t)(s.passages - MIN_OF(s.vectors, s.passages)));
    reply_count(w, "vectors_refused", s.failed);
    reply_text(w, "vectors_problem", str_from(s.problem));
}

static bool reply_run(struct admin_call *call, struct base *base, uint64_t id, int64_t dropped,
                      struct err *err)
{
    struct ingest_run run;

    if (!ingest_run_find(base_knowledge(base), call->arena, id, &run, err))
        return false;
    write_run(&call->reply, &run);
    write_vectors(&call->reply, base_knowledge(base));
    if (dropped >= 0)
        reply_count(&call->reply, "dropped", dropped);
    jw_object_end(&call->reply);
    return true;
}

static bool show(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    uint64_t id;

    return call_base_intake(call, call->values[0], &base, err) && run_of(call, &id, err) &&
           reply_run(call, base, id, -1, err);
}

static void release(void *base)
{
    struct base *held = base;

    base_release(&held);
}

static bool start(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL, *kept = NULL;
    struct ingest_wish wish = {0};
    int64_t dropped;
    uint64_t id;

    if (!call_base(call, call->values[0], true, &base, err) ||
        !read_ingest(call, base, &wish, &dropped, err) ||
        !call_base(call, call->values[0], true, &kept, err))
        return false;
    struct run_owner owner = {release, kept}; /* the base stays for as long as it goes on */
    if (!knowledge_ingest_detached(base_knowledge(base), &wish, &owner, &id, err))
        return false;
    call->note = arena_fmt(call->arena, "run %" PRIu64 " ingests " STR_FMT "%s", id,
                           STR_ARG(str_slice(wish.path, 0, 300)),
                           dropped > 0 ? "; damaged parts of the index dropped" : "");
    return reply_run(call, base, id, dropped, err);
}

static bool stop(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    uint64_t id;

    if (!call_base(call, call->values[0], true, &base, err) || !run_of(call, &id, err) ||
        !ingest_run_stop(base_knowledge(base), id, err))
        return false;
    call->note = arena_fmt(call->arena, "run %" PRIu64 " stopped", id);
    return reply_run(call, base, id, -1, err);
}

static const struct admin_route routes[] = {
    {"GET", "/api/v1/knowledge/{base}/runs", "List ingest runs since Weir started", RIGHT_LOOK,
     list, NULL, &run_schema, 0, true, NULL, NULL},
    {"POST", "/api/v1/knowledge/{base}/runs", "Ingest a file or folder, without waiting for it",
     RIGHT_CHANGE, start, &start_schema, &run_schema, 202, false, NULL, NULL},
    {"GET", "/api/v1/knowledge/{base}/runs/{run}", "Show how far an ingest run is", RIGHT_LOOK,
     show, NULL, &run_schema, 0, false, NULL, NULL},
    {"DELETE", "/api/v1/knowledge/{base}/runs/{run}", "Stop an ingest run at its next file",
     RIGHT_CHANGE, stop, NULL, &run_schema, 0, false, NULL, NULL},
};
const struct admin_part admin_runs_part = {
    "runs", "How documents come in: what runs did, and how far those are that go on.", routes,
    ARRAY_LEN(routes)};
