#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accounts/audit_proof.h"
#include "base/pages.h"
#include "collector.h"
#include "sys/file.h"

#define CANCEL_MAX (100 * MILLISECOND) /* from the client's leaving to the provider's seeing it */

static int violations;
static char run_name[64];

void check_name(const char *name)
{
    snprintf(run_name, sizeof run_name, "%s", name);
}

void violated(const char *fmt, ...)
{
    va_list args;

    violations++;
    printf("# %s: violated: ", run_name);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    printf("\n");
}

int violations_found(void)
{
    return violations;
}

/* ---- the audit log ---- */

/* The value of a member, as text without quotes; records hold no nested objects. */
static struct str member(struct str line, const char *name)
{
    char key[64];

    snprintf(key, sizeof key, "\"%s\":", name);
    size_t at = str_find(line, str_from(key));
    if (at == line.len)
        return STR_NONE;
    struct str rest = str_slice(line, at + strlen(key), line.len);
    if (rest.len && rest.ptr[0] == '"') {
        rest = str_slice(rest, 1, rest.len);
        return str_slice(rest, 0, str_find_char(rest, '"'));
    }
    size_t comma = str_find_char(rest, ','), brace = str_find_char(rest, '}');
    return str_slice(rest, 0, MIN_OF(comma, brace));
}

static int64_t number(struct str line, const char *name)
{
    int64_t n;

    return i64_parse(member(line, name), &n) ? n : -1;
}

static usd_micro money(struct str line)
{
    usd_micro cost;

    return usd_parse(member(line, "cost"), &cost) ? cost : 0;
}

static bool add_record(void *ctx, uint64_t seq, struct str line, struct err *err)
{
    struct records *records = ctx;
    struct str id = member(line, "request"), outcome = member(line, "outcome");
    uint8_t bytes[8] = {0};

    if (records->count == RECORDS_MAX)
        return err_set(err, ERR_INTERNAL, "more than %d records", RECORDS_MAX);
    if (str_eq(outcome, STR(HOUSE_OLD_OUTCOME)))
        return true;
    struct record *r = &records->at[records->count++];
    *r = (struct record){.seq = seq,
                         .cost = money(line),
                         .tokens_in = number(line, "tokens_in"),
                         .tokens_out = number(line, "tokens_out"),
                         .status = number(line, "status")};
    if (id.len &&
        !hex_parse(str_slice(id, id.len > 16 ? id.len - 16 : 0, id.len), bytes, sizeof bytes))
        return err_set(err, ERR_INTERNAL, "record with a bad request id: " STR_FMT, STR_ARG(line));
    for (size_t i = 0; i < sizeof bytes; i++)
        r->request_id = r->request_id << 8 | bytes[i];
    snprintf(r->outcome, sizeof r->outcome, STR_FMT, STR_ARG(outcome));
    return true;
}

/* With the chain also the tiles, and every checkpoint that was kept. */
static bool verify_signed(struct arena *arena, struct err *err)
{
    static struct audit_trust trust;
    struct audit_verdict verdict;
    struct str text;

    trust.count = 0;
    return file_load(arena, HOUSE_PUBLIC_KEY, 64 * KIB, &text, err) &&
           note_keys_read(text, trust.keys, &trust.count, err) &&
           audit_verify_signed(HOUSE_AUDIT_DIR, &trust, NULL, 0, &verdict, err);
}

bool records_read(struct records *out, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);

    *out = (struct records){0};
    return arena && verify_signed(arena, err) &&
           audit_read(arena, HOUSE_AUDIT_DIR, 1, add_record, out, err);
}

static const struct record *find_record(const struct records *records, uint64_t request_id)
{
    const struct record *found = NULL;

    for (size_t i = 0; i < records->count; i++) {
        if (records->at[i].request_id != request_id)
            continue;
        if (!request_id) /* what sums up several strangers has no request of its own */
            return &records->at[i];
        if (found)
            violated("request %016" PRIx64 " has two records", request_id);
        found = &records->at[i];
    }
    return found;
}

/* ---- what a client heard ---- */

struct heard {
    char *text;
    size_t len;
    bool done, failed; /* [DONE], an error event */
    int after_end;     /* events behind one of those */
    int64_t tokens_in, tokens_out;
};

static void hear_text(struct heard *h, struct str json, const char *before)
{
    size_t at = str_find(json, str_from(before));

    if (at == json.len)
        return;
    struct str rest = str_slice(json, at + strlen(before), json.len);
    size_t len = str_find_char(rest, '"');

    memcpy(h->text + h->len, rest.ptr, len);
    h->len += len;
}

static void hear_content(struct heard *h, struct str json)
{
    int64_t in = number(json, "prompt_tokens"), out = number(json, "completion_tokens");

    hear_text(h, json, "\"content\":\"");
    if (in >= 0 && out >= 0) {
        h->tokens_in = in;
        h->tokens_out = out;
    }
}

static void hear_chat(struct heard *h, struct str data)
{
    if (str_eq(data, STR("[DONE]")))
        h->done = true;
    else if (str_starts(data, STR("{\"error\":")))
        h->failed = true;
    else
        hear_content(h, data);
}

static void hear_messages(struct heard *h, struct str data)
{
    struct str type = member(data, "type");

    if (str_eq(type, STR("message_stop")))
        h->done = true;
    else if (str_eq(type, STR("error")))
        h->failed = true;
    else if (str_eq(type, STR("content_block_delta")))
        hear_text(h, data, "\"text\":\"");
}

static void hear_responses(struct heard *h, struct str data)
{
    struct str type = member(data, "type");

    if (str_eq(type, STR("response.completed")) || str_eq(type, STR("response.incomplete")))
        h->done = true;
    else if (str_eq(type, STR("response.failed")))
        h->failed = true;
    else if (str_eq(type, STR("response.output_text.delta")))
        hear_text(h, data, "\"delta\":\"");
}

static void hear_event(struct heard *h, const struct ask *ask, struct str event)
{
    static void (*const tongues[TONGUES])(struct heard *, struct str) = {hear_chat, hear_messages,
                                                                         hear_responses};
    size_t at = str_find(event, STR("data: "));

    if (at == event.len)
        return;
    h->after_end += h->done || h->failed;
    tongues[ask->tongue](h, str_slice(event, at + 6, event.len));
}

static void hear_whole(struct heard *h, const struct ask *ask, struct str body)
{
    if (ask->tongue == TONGUE_CHAT)
        hear_content(h, body);
    else
        hear_text(h, body, "\"text\":\"");
}

/* Whole events only: half an event is no text to any client. */
static struct heard hear(const struct ask *ask)
{
    struct heard h = {.text = malloc(ask->body_len + 1), .tokens_in = -1, .tokens_out = -1};
    struct str rest = {ask->body, ask->body_len};

    if (!h.text)
        abort();
    if (ask->got_status != 200 || !rest.len)
        return h;
    if (!ask->stream) {
        if (ask->got_end)
            hear_whole(&h, ask, rest);
        return h;
    }
    for (size_t end; (end = str_find(rest, STR("\n\n"))) < rest.len;) {
        hear_event(&h, ask, str_slice(rest, 0, end));
        rest = str_slice(rest, end + 2, rest.len);
    }
    return h;
}

/* ---- what must be true of each ask ---- */

/* Told as whole, the answer must be whole. A provider that said why it finished and ends its framing
 * may leave [DONE] away: the gateway passes on what it says. */
static bool is_clean(const struct ask *ask, const struct heard *h)
{
    return ask->got_status == 200 && ask->got_end &&
           (!ask->stream || h->done || ask->way == PROVIDER_FORGETS_DONE ||
            (ask->routed && ask->other_way == PROVIDER_FORGETS_DONE));
}

/* How often a provider was asked the question, for this ask or another. */
static int heard_of(const struct story *story, const struct ask *ask)
{
    return story->asks[ask_question(ask) - 1].provider_heard;
}

static void check_text(const struct story *story, const struct ask *ask, const struct heard *h)
{
    size_t len;
    char *text = ask_text(ask, &len);

    size_t same = 0;
    while (same < len && same < h->len && h->text[same] == text[same])
        same++;
    if (same < h->len)
        violated("ask %d: the client's %zu bytes leave the provider's %zu at %zu: \"%.*s\", not "
                 "\"%.20s\"",
                 ask->number, h->len, len, same, (int)MIN_OF(h->len - same, 20), h->text + same,
                 text + same);
    if (is_clean(ask, h) && h->len != len)
        violated("ask %d: a clean end after %zu of %zu bytes", ask->number, h->len, len);
    if (is_clean(ask, h) && heard_of(story, ask) == 0)
        violated("ask %d: answered by nobody", ask->number);
    if (ask->got_status == 200 && ask->got_end && !is_clean(ask, h))
        violated("ask %d: the framing ends cleanly without [DONE]", ask->number);
    if (h->done && h->failed)
        violated("ask %d: both an error and [DONE]", ask->number);
    if (h->after_end)
        violated("ask %d: %d events behind the end", ask->number, h->after_end);
    free(text);
}

static bool way_is_broken(const struct story *story, const struct ask *ask, enum provider_way way)
{
    switch (way) {
    case PROVIDER_ANSWERS:
    case PROVIDER_FORGETS_DONE: return false;
    case PROVIDER_PAUSES: return story->calm; /* bytes that stall on their way shorten a pause */
    case PROVIDER_CUTS: return ask->cut_at < 900000; /* behind [DONE] a cut does no harm */
    default: return true;
    }
}

/* Of a route both must fail; where one goes on for another, two halves make a whole. */
static bool must_not_be_clean(const struct story *story, const struct ask *ask)
{
    if (!ask->routed)
        return way_is_broken(story, ask, ask->way);
    return !story->route.continues && way_is_broken(story, ask, ask->way) &&
           way_is_broken(story, ask, ask->other_way);
}

static void check_record(const struct story *story, const struct ask *ask, const struct heard *h,
                         const struct record *r)
{
    bool clean = is_clean(ask, h);

    if (ask->from_cache && (!story->caches || (r && r->cost > 0)))
        violated("ask %d: %" PRId64 " paid for what is kept", ask->number, r ? r->cost : 0);
    if (!r) { /* a failing disk may take the record of an answer that was cut, never of a whole one */
        if (ask->got_status == 200 && (clean || !story->disk_failed))
            violated("ask %d: an answer without a record", ask->number);
        return;
    }
    if (clean && strcmp(r->outcome, "complete") != 0)
        violated("ask %d: delivered whole, recorded as %s", ask->number, r->outcome);
    if (ask->got_status && r->status != ask->got_status)
        violated("ask %d: told %d, recorded as %" PRId64, ask->number, ask->got_status, r->status);
    /* Of two speakers it is a sum; of one who was cut behind its last word an estimate. */
    bool one_speaker = !ask->routed || (heard_of(story, ask) == 1 && !story->route.continues);
    if (clean && ask->reports_usage && one_speaker &&
        (r->tokens_in != ask_tokens_in(ask) || r->tokens_out != ask_tokens_out(ask)))
        violated("ask %d: %" PRId64 " and %" PRId64 " tokens recorded, %" PRId64 " and %" PRId64
                 " reported",
                 ask->number, r->tokens_in, r->tokens_out, ask_tokens_in(ask), ask_tokens_out(ask));
    if (clean && ask->tongue == TONGUE_CHAT && ask->stream && ask->reports_usage && one_speaker &&
        (h->tokens_in >= 0) != ask->wants_usage)
        violated("ask %d: usage %s to the client", ask->number,
                 ask->wants_usage ? "not passed on" : "shown unasked");
}

/* ---- what must work while the world is calm ---- */

/* Nobody before it on its pipelined connection did anything that ends the connection. */
static bool is_undisturbed(const struct story *story, const struct ask *ask)
{
    for (int c = 0; c < story->connection_count; c++) {
        const struct connection *on = &story->connections[c];

        for (int i = 0; i < on->count && on->pipelined; i++) {
            const struct ask *one = &story->asks[on->asks[i] - 1];

            if (one == ask)
                break;
            for (int j = 0; j < on->count; j++)
                if (on->asks[j] == ask->number && !(one->got_end && one->got_status == 200))
                    return false;
        }
    }
    return true;
}

/* What the gateway says when it has no answer of the provider to pass on; 0: that depends. */
/* It speaks of the deployment, not of the request: another is asked. */
static bool is_left_behind(const struct ask *ask)
{
    if (ask->way == PROVIDER_REFUSES)
        return ask->status != 400;
    return ask->way == PROVIDER_HANGS_UP || ask->way == PROVIDER_TALKS_NONSENSE ||
           ask->way == PROVIDER_IS_SILENT;
}

static int expected_of_provider(const struct ask *ask)
{
    if (ask->routed)
        return ask->pieces > 0 && /* what is empty is asked for again */
                       ask->other_way == PROVIDER_ANSWERS &&
                       (ask->way == PROVIDER_ANSWERS || is_left_behind(ask))
                   ? 200
                   : 0;
    switch (ask->way) {
    case PROVIDER_ANSWERS: return 200;
    case PROVIDER_REFUSES: return ask->status == 401 ? 503 : ask->status;
    case PROVIDER_HANGS_UP:
    case PROVIDER_TALKS_NONSENSE: return 503;
    case PROVIDER_IS_SILENT: return 504;
    default: return 0;
    }
}

static int expected_of_house(const struct ask *ask, bool has_key)
{
    size_t body_bytes = ask->prompt_bytes + 200;

    if (ask->lists_models)
        return has_key ? 200 : 401;
    if (body_bytes + 200 > BODY_BYTES_MAX) /* near the limit it depends, and over it comes first */
        return body_bytes > BODY_BYTES_MAX + 400 && !ask->in_chunks ? 413 : 0;
    return has_key ? 0 : 401;
}

static int expected_status(const struct story *story, const struct ask *ask)
{
    bool has_key = ask->key == KEY_GOOD || ask->key == KEY_LIMITED || ask->key == KEY_POOR;

    if (ask->client == CLIENT_TALKS_NONSENSE)
        return 400;
    if (ask->client == CLIENT_STALLS)
        return 408;
    if (!has_key || ask->lists_models || ask->prompt_bytes + 400 > BODY_BYTES_MAX)
        return expected_of_house(ask, has_key);
    if (ask->client == CLIENT_SENDS_NONSENSE)
        return 400;
    if (!ask->known_model)
        return 404;
    if (ask->key == KEY_POOR) /* what is kept costs nothing */
        return story_askers(story, ask_question(ask)) > 1 ? 0 : 429;
    return ask->key == KEY_GOOD ? expected_of_provider(ask) : 0;
}

/* By failures, or by a provider that asked for time. */
static bool somebody_may_rest(const struct story *story)
{
    for (int i = 0; i < story->ask_count; i++)
        if (story->asks[i].routed && story->asks[i].status == 429)
            return true;
    return story->route.breaker_failures > 0;
}

static void check_calm(const struct story *story, const struct ask *ask, const struct heard *h)
{
    int want = expected_status(story, ask);
    bool leaves = ask->client == CLIENT_LEAVES_AFTER_BYTES ||
                  ask->client == CLIENT_LEAVES_AFTER_TIME || ask->client == CLIENT_SENDS_HALF;

    /* A provider that is silent reads, and so sees at once that it was dropped. */
    if (ask->left && ask->way == PROVIDER_IS_SILENT && !ask->routed &&
        story_askers(story, ask_question(ask)) == 1 &&
        ask->provider_dropped > ask->left_at + CANCEL_MAX)
        violated("ask %d: the provider was dropped only %" PRId64 " us after the client left",
                 ask->number, (ask->provider_dropped - ask->left_at) / MICROSECOND);
    if (somebody_may_rest(story) && want == expected_of_provider(ask))
        want = 0;
    if (leaves)
        return;
    if (!ask->got_status)
        violated("ask %d: no reply in a calm world", ask->number);
    else if (want && ask->got_status != want)
        violated("ask %d: told %d in a calm world, not %d: %.200s", ask->number, ask->got_status,
                 want, ask->body ? ask->body : "");
    else if (want == 200 && !ask->got_end)
        violated("ask %d: not answered whole in a calm world", ask->number);
    else if (ask->got_status == 200 && ask->stream && !ask->lists_models && !is_clean(ask, h) &&
             !h->failed)
        violated("ask %d: cut without an error event in a calm world", ask->number);
}

/* All that ask the same are expected to be answered, and none of them leaves. */
static bool all_stay(const struct story *story, int question)
{
    for (int i = 0; i < story->ask_count; i++) {
        const struct ask *ask = &story->asks[i];

        if (ask_question(ask) == question &&
            (ask->left || ask->lists_models || expected_status(story, ask) != 200 ||
             !is_undisturbed(story, ask)))
            return false;
    }
    return true;
}

/* How often the providers were asked: once an ask, and once more over a fresh connection, when a kept one
 * died before its first byte. Where all is well, once for all who ask the same. */
static void check_calls(const struct story *story, const struct ask *ask)
{
    int each = ask->routed                                    ? 2 * (int)story->route.attempts_max
               : story->calm && ask->way != PROVIDER_HANGS_UP ? 1
                                                              : 2;
    int most = each * story_askers(story, ask->number);

    if (ask->provider_heard > most)
        violated("ask %d: the providers were asked %d times", ask->number, ask->provider_heard);
    if (story->caches && story->calm && !somebody_may_rest(story) && !ask->routed &&
        ask->way == PROVIDER_ANSWERS && all_stay(story, ask->number) && ask->provider_heard != 1)
        violated("ask %d: %d calls for one question of %d", ask->number, ask->provider_heard,
                 story_askers(story, ask->number));
}

static void check_ask(const struct story *story, const struct ask *ask,
                      const struct records *records)
{
    struct heard h = hear(ask);
    const struct record *r = ask->request_id ? find_record(records, ask->request_id) : NULL;

    if (ask->lists_models) {
        if (story->calm && is_undisturbed(story, ask))
            check_calm(story, ask, &h);
        free(h.text);
        return;
    }
    check_text(story, ask, &h);
    if (is_clean(ask, &h) && must_not_be_clean(story, ask))
        violated("ask %d: a clean end where the provider never came to one", ask->number);
    if (!ask->same_as)
        check_calls(story, ask);
    if (ask->got_status == 200 || r)
        check_record(story, ask, &h, r);
    if (story->calm && is_undisturbed(story, ask))
        check_calm(story, ask, &h);
    free(h.text);
}

/* ---- telemetry ---- */

/* What became of the spans is told, whoever gathers them; that requests are none the worse for it is what all
 * the other checks say. */
static void check_telemetry(const struct story *story, const struct sim_house *house)
{
    uint64_t exported = collector_spans("exported"), dropped = collector_spans("dropped");
    uint64_t lost = collector_spans("lost");

    switch (story->collector) {
    case COLLECTOR_ANSWERS:
        if (story->calm && (lost || dropped || (house->reached && !exported)))
            violated("%" PRIu64 " spans lost, %" PRIu64 " dropped, %" PRIu64
                     " exported to a sound collector",
                     lost, dropped, exported);
        break;
    case COLLECTOR_IS_FULL:
        if (exported || lost || (house->reached && !dropped))
            violated("%" PRIu64 " spans dropped, %" PRIu64 " not, of a queue that holds none",
                     dropped, exported + lost);
        break;
    case COLLECTOR_IS_SLOW:
    case COLLECTOR_IS_SILENT:
    case COLLECTOR_IS_BUSY:
    case COLLECTOR_REFUSES:
    case COLLECTOR_CUTS:
    case COLLECTOR_IS_ABSENT:
    case COLLECTOR_WAYS:
        if (exported || (story->calm && house->reached && !lost))
            violated("%" PRIu64 " spans exported, %" PRIu64 " lost, where nobody takes them",
                     exported, lost);
        break;
    }
    if (exported && !story->spans_heard)
        violated("%" PRIu64 " spans exported, and the collector heard nothing", exported);
}

/* Of many refusals of strangers within a minute the first has a record, the others are recorded together. */
static size_t records_spared(const struct story *story)
{
    size_t strangers = 0;

    for (int i = 0; i < story->ask_count; i++)
        strangers += story->asks[i].key >= KEY_REVOKED;
    return strangers > 1 ? strangers - 1 : 0;
}

void check_story(const struct story *story, const struct sim_house *house,
                 const struct records *records)
{
    usd_micro sum = 0;

    for (int i = 0; i < story->ask_count; i++)
        check_ask(story, &story->asks[i], records);
    for (size_t i = 0; i < records->count; i++) {
        sum += records->at[i].cost;
        if (i > 0 && records->at[i].seq <= records->at[i - 1].seq)
            violated("records out of order");
        find_record(records, records->at[i].request_id);
    }
    if (house->connections_left)
        violated("%u connections were left after the drain", house->connections_left);
    if (sum != house->spent)
        violated("the keys have spent %" PRId64 ", the audit log says %" PRId64, house->spent, sum);
    if (house->holds_open || house->held)
        violated("%zu holds are open over %" PRId64, house->holds_open, house->held);
    if (records->count > (size_t)house->reached ||
        (records->count + records_spared(story) < (size_t)house->reached && !story->disk_failed))
        violated("%d requests reached the gateway, %zu have a record", house->reached,
                 records->count);
    if (!story->is_nth)
        check_telemetry(story, house);
}

/* ---- kill -9, power cut ---- */

void check_kept(const struct story *story, const struct records *all, const struct records *kept)
{
    for (size_t i = 0; i < kept->count; i++)
        if (i >= all->count || kept->at[i].request_id != all->at[i].request_id)
            violated("record %zu of those kept is not the one that was written", i);
    for (int i = 0; i < story->ask_count && !story->power_fails; i++) {
        const struct ask *ask = &story->asks[i];
        struct heard h = hear(ask);

        if (is_clean(ask, &h) && ask->ended <= story->kept_at &&
            !find_record(kept, ask->request_id))
            violated("ask %d: delivered whole before the kill, and no record survived it",
                     ask->number);
        free(h.text);
    }
}

/* ---- nothing is left ---- */

void check_left(const struct sim_report *report, size_t pages)
{
    if (report->stood_still)
        violated("a standstill: %s", report->parked_text);
    if (report->endless)
        violated("it never ended: %s", report->parked_text);
    if (report->socks || report->listeners)
        violated("%u sockets and %u listeners are left", report->socks, report->listeners);
    if (report->files || report->maps)
        violated("%u files and %u maps are left", report->files, report->maps);
    if (report->jobs)
        violated("%u jobs are left", report->jobs);
    if (pages_in_use() != pages)
        violated("%zu bytes of pages are left", pages_in_use() - pages);
}
