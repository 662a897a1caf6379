/* accounts/audit_line.c: a record to text and back. On the way out it is on every request's path, so
 * it knows its fields and asks nothing twice. */
#include <assert.h>
#include <string.h>

#include "accounts/audit_internal.h"
#include "accounts/calendar.h"
#include "base/json.h"
#include "base/line.h"
#include "base/log.h"
#include "base/utf8.h"

#define TEXT_MAX  200u
#define WORD_MAX  40u /* outcome, error, cache: our own words */
#define PLACE_MAX 64u /* body */
#define NOTE_MAX  600u
#define NAME_MAX  128u     /* deployment: as the catalogue bounds them */
#define CUT_MARK  STR("…") /* at the end of a text that was cut: never a part taken for the whole */
#define LEAF_MARK '\0'     /* RFC 6962: what is hashed of a leaf begins so */
#define SEQ_ROOM  32u      /* the mark, and {"seq":18446744073709551615 */
#define HASH_ROOM 80u      /* ,"hash":"<64>"}\n */

/* Worst case: each byte becomes \u00XX, but those of `apart`, and 50 names, numbers and marks. */
static_assert(SEQ_ROOM + HASH_ROOM +
                      6 * (10 * TEXT_MAX + 2 * AUDIT_LIST_MAX + 3 * WORD_MAX + 2 * PLACE_MAX +
                           NOTE_MAX + NAME_MAX) +
                      AUDIT_APART_MAX + 50 * 48 <
                  AUDIT_LINE_MAX,
              "any record fits a line");

static _Thread_local char scratch[AUDIT_LINE_MAX];

static NOINLINE COLD void put_cut(struct line *l, struct str name, struct str text, size_t max)
{
    text.len = utf8_boundary(text, max - CUT_MARK.len);
    line_text(l, name, text);
    l->at--; /* the quote */
    line_put(l, CUT_MARK);
    line_put(l, STR("\""));
}

static inline void put_text(struct line *l, struct str name, struct str text, size_t max)
{
    if (!text.len)
        return;
    if (LIKELY(text.len <= max))
        line_text(l, name, text);
    else
        put_cut(l, name, text, max);
}

static inline void put_id(struct line *l, struct str name, uint64_t id)
{
    line_put(l, name);
    line_id(l, id);
    line_put(l, STR("\""));
}

static inline void put_usd(struct line *l, struct str name, usd_micro n)
{
    if (n > 0)
        line_usd(l, name, n);
}

static inline void put_some(struct line *l, struct str name, int64_t n)
{
    if (n > 0)
        line_number(l, name, n);
}

static inline void put_tokens(struct line *l, const struct audit_record *r)
{
    if (r->tokens_in >= 0)
        line_number(l, STR(",\"tokens_in\":"), r->tokens_in);
    if (r->tokens_out >= 0)
        line_number(l, STR(",\"tokens_out\":"), r->tokens_out);
    put_some(l, STR(",\"tokens_cached\":"), r->tokens_cached);
    put_some(l, STR(",\"tokens_cache_write\":"), r->tokens_cache_write);
    put_some(l, STR(",\"tokens_reasoning\":"), r->tokens_reasoning);
    put_some(l, STR(",\"tokens_audio\":"), r->tokens_audio);
    if (r->tokens_estimated)
        line_put(l, STR(",\"tokens_estimated\":true"));
}

static inline void put_cost(struct line *l, const struct audit_record *r)
{
    if (!r->cost)
        return;
    put_usd(l, STR(",\"cost\":"), r->cost);
    put_usd(l, STR(",\"cost_in\":"), r->cost_in);
    put_usd(l, STR(",\"cost_out\":"), r->cost_out);
    put_usd(l, STR(",\"cost_cached\":"), r->cost_cached);
    put_usd(l, STR(",\"cost_cache_write\":"), r->cost_cache_write);
    put_usd(l, STR(",\"cost_reasoning\":"), r->cost_reasoning);
    put_usd(l, STR(",\"cost_hedge\":"), r->cost_hedge);
    put_usd(l, STR(",\"cost_attempts\":"), r->cost_attempts);
}

/* Who asked for what, and who answered. */
static inline void put_names(struct line *l, const struct audit_record *r)
{
    put_text(l, STR(",\"key\":"), r->key_id, TEXT_MAX);
    put_text(l, STR(",\"tenant\":"), r->tenant, TEXT_MAX);
    put_text(l, STR(",\"team\":"), r->team, TEXT_MAX);
    put_text(l, STR(",\"subject\":"), r->subject, TEXT_MAX);
    put_text(l, STR(",\"tags\":"), r->tags, AUDIT_LIST_MAX);
    put_text(l, STR(",\"route\":"), r->route, TEXT_MAX);
    put_text(l, STR(",\"model\":"), r->model, TEXT_MAX);
    put_text(l, STR(",\"route_name\":"), r->route_name, TEXT_MAX);
    put_text(l, STR(",\"deployment\":"), r->deployment, NAME_MAX);
    put_text(l, STR(",\"provider\":"), r->provider, TEXT_MAX);
    put_text(l, STR(",\"remote_model\":"), r->remote_model, TEXT_MAX);
    put_some(l, STR(",\"attempts\":"), r->attempts);
    put_text(l, STR(",\"fallback_from\":"), r->fallback_from, TEXT_MAX);
    put_text(l, STR(",\"apart\":"), r->apart, AUDIT_APART_MAX);
    put_text(l, STR(",\"cache\":"), r->cache, WORD_MAX);
    put_text(l, STR(",\"dropped\":"), r->dropped, AUDIT_LIST_MAX);
}

static inline void put_body(struct line *l, const struct audit_record *r)
{
    put_text(l, STR(",\"body\":"), r->body, PLACE_MAX);
    put_text(l, STR(",\"body_hash\":"), r->body_hash, PLACE_MAX);
    if (r->body_truncated)
        line_put(l, STR(",\"body_truncated\":true"));
}

/* What became of it, and what it took. */
static inline void put_result(struct line *l, const struct audit_record *r)
{
    if (r->status)
        line_number(l, STR(",\"status\":"), r->status);
    put_text(l, STR(",\"outcome\":"), r->outcome, WORD_MAX);
    put_text(l, STR(",\"error\":"), r->error, WORD_MAX);
    if (r->streamed)
        line_put(l, STR(",\"streamed\":true"));
    put_tokens(l, r);
    put_cost(l, r);
    put_some(l, STR(",\"citations\":"), r->citations);
    line_number(l, STR(",\"bytes_in\":"), (int64_t)r->bytes_in);
    line_number(l, STR(",\"bytes_out\":"), (int64_t)r->bytes_out);
    line_number(l, STR(",\"took_us\":"), r->took / MICROSECOND);
    put_some(l, STR(",\"first_byte_us\":"), r->first_byte / MICROSECOND);
}

void audit_line_format(const struct audit_record *r, struct audit_line *out)
{
    char time[25];
    struct line l;

    wall_format(r->time, time);
    line_init(&l, scratch + SEQ_ROOM, sizeof scratch - SEQ_ROOM - HASH_ROOM);
    line_put(&l, STR(",\"time\":\""));
    line_put(&l, (struct str){time, sizeof time - 1});
    line_put(&l, STR("\""));
    if (r->request_id) /* a start, a flood summed up, a command: of no request */
        put_id(&l, STR(",\"request\":\""), r->request_id);
    if (r->parent_id)
        put_id(&l, STR(",\"parent\":\""), r->parent_id);
    put_names(&l, r);
    put_result(&l, r);
    put_body(&l, r);
    put_text(&l, STR(",\"note\":"), r->note, NOTE_MAX);
    ASSERT(!l.over);
    *out = (struct audit_line){l.begin, line_view(&l).len};
}

/* Chain and leaf begin alike, so that what is long is hashed once. */
void audit_line_seal(const struct audit_line *line, uint64_t seq, struct sha256 *head,
                     struct audit_sealed *out)
{
    char prefix[SEQ_ROOM];
    struct sha256_begun chain, leaf;
    struct buf front, back;

    buf_init_fixed(&front, prefix, sizeof prefix);
    buf_char(&front, LEAF_MARK);
    buf_str(&front, STR("{\"seq\":"));
    buf_u64(&front, seq);

    char *start = line->body - front.len;
    size_t len = front.len + line->len;

    memcpy(start, prefix, front.len);
    sha256_begin(&leaf);
    sha256_add(&leaf, (struct str){start, len});
    chain = leaf;
    sha256_add(&chain, (struct str){(const char *)head->bytes, sizeof head->bytes});
    *head = sha256_end(&chain);
    buf_init_fixed(&back, start + len, HASH_ROOM);
    buf_str(&back, STR(",\"hash\":\""));
    buf_hex(&back, head->bytes, sizeof head->bytes);
    buf_str(&back, STR("\"}"));
    sha256_add(&leaf, buf_view(&back));
    out->leaf = sha256_end(&leaf);
    buf_char(&back, '\n');
    ASSERT(buf_ok(&front) && buf_ok(&back));
    out->text = (struct str){start + 1, len - 1 + back.len};
}

struct sha256 audit_hash(enum audit_version version, const struct sha256 *prev, struct str text)
{
    const struct str mark = {(const char[]){LEAF_MARK}, 1},
                     before = {(const char *)prev->bytes, sizeof prev->bytes};
    struct sha256_begun sum;

    if (version == AUDIT_PREV_FIRST)
        return sha256_two(before, text);
    sha256_begin(&sum);
    sha256_add(&sum, mark);
    sha256_add(&sum, text);
    sha256_add(&sum, before);
    return sha256_end(&sum);
}

struct str audit_header(char to[AUDIT_HEADER_MAX], enum audit_version version, uint64_t first,
                        const struct sha256 *prev)
{
    struct buf b;

    buf_init_fixed(&b, to, AUDIT_HEADER_MAX);
    buf_str(&b, STR("{\"weir_audit\":"));
    buf_u64(&b, version);
    buf_str(&b, STR(",\"first\":"));
    buf_u64(&b, first);
    buf_str(&b, STR(",\"prev\":\""));
    buf_hex(&b, prev->bytes, sizeof prev->bytes);
    buf_str(&b, STR("\"}\n"));
    ASSERT(buf_ok(&b));
    return buf_view(&b);
}

static bool read_texts(struct arena *arena, const struct json *j, struct audit_record *r,
                       struct err *err)
{
    const struct {
        struct str name, *to;
    } texts[] = {
        {STR("key"), &r->key_id},
        {STR("tenant"), &r->tenant},
        {STR("team"), &r->team},
        {STR("route"), &r->route},
        {STR("model"), &r->model},
        {STR("deployment"), &r->deployment},
        {STR("provider"), &r->provider},
        {STR("apart"), &r->apart},
        {STR("route_name"), &r->route_name},
        {STR("tags"), &r->tags},
        {STR("outcome"), &r->outcome},
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        json_ref v = json_get(j, json_root(j), texts[i].name);

        if (v && !json_str(j, v, arena, texts[i].to))
            return err_set(err, ERR_INVALID, "\"" STR_FMT "\" is not a text",
                           STR_ARG(texts[i].name));
    }
    return true;
}

static bool read_numbers(const struct json *j, struct audit_record *r, struct err *err)
{
    const struct {
        struct str name;
        int64_t *to;
        bool usd;
    } numbers[] = {
        {STR("tokens_in"), &r->tokens_in, false},
        {STR("tokens_out"), &r->tokens_out, false},
        {STR("tokens_cached"), &r->tokens_cached, false},
        {STR("tokens_cache_write"), &r->tokens_cache_write, false},
        {STR("tokens_reasoning"), &r->tokens_reasoning, false},
        {STR("tokens_audio"), &r->tokens_audio, false},
        {STR("cost"), &r->cost, true},
        {STR("cost_hedge"), &r->cost_hedge, true},
        {STR("cost_attempts"), &r->cost_attempts, true},
    };

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        json_ref v = json_get(j, json_root(j), numbers[i].name);

        if (v && !(numbers[i].usd ? usd_parse(json_raw(j, v), numbers[i].to)
                                  : json_i64(j, v, numbers[i].to)))
            return err_set(err, ERR_INVALID, "\"" STR_FMT "\" is not %s", STR_ARG(numbers[i].name),
                           numbers[i].usd ? "an amount" : "a whole number");
    }
    return true;
}

bool audit_line_read(struct arena *arena, struct str line, struct audit_record *out,
                     struct err *err)
{
    const struct json *j = json_parse(arena, line, err);
    struct audit_record r = {.tokens_in = -1, .tokens_out = -1, .tokens_cached = -1};
    struct str time;

    if (!j)
        return false;

    json_ref root = json_root(j), estimated = json_get(j, root, STR("tokens_estimated"));

    if (!json_str(j, json_get(j, root, STR("time")), arena, &time) || !wall_parse(time, &r.time))
        return err_set(err, ERR_INVALID, "\"time\" is not a time");
    if (estimated && !json_bool(j, estimated, &r.tokens_estimated))
        return err_set(err, ERR_INVALID, "\"tokens_estimated\" is not true or false");
    if (!read_texts(arena, j, &r, err) || !read_numbers(j, &r, err))
        return false;
    *out = r;
    return true;
}
