#include "base/trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/digits.h"
#include "base/json.h"
#include "base/utf8.h"

/* A trace is made for every request, most of which record half a dozen entries: the ring's memory comes
 * in pieces of 8 entries and each entry's text when it first has one, all at most once. */
#define PIECE_ENTRIES 8
#define PIECES        (TRACE_EVENTS_MAX / PIECE_ENTRIES)
#define SPANS_OPEN    12 /* at once */
#define NAMES_MAX     16 /* different span names that are summed when the ring overwrites them */

/* text.ptr: TRACE_TEXT_MAX bytes, kept when the entry is overwritten, or NULL till there is a text. */
struct span {
    struct trace *trace;
    struct trace_entry e; /* as it will be; name NULL: not in use */
};

/* What few requests have: sums of the spans that the ring has overwritten. */
struct gone {
    struct {
        const char *name;
        dur_ns dur;
    } at[NAMES_MAX];
};

/* Cleared up to `open` only, and so are entries: of most requests the rest is never touched. */
struct trace {
    struct arena *arena;
    uint64_t id;
    mono_ns begin;
    bool joined;
    uint64_t root, inner;      /* spans: of the request, the innermost open one */
    uint32_t spans;            /* ever begun */
    uint32_t written, dropped; /* written: entries ever; the ring holds the last of them */
    uint32_t dropped_spans;    /* of those dropped */
    uint32_t opened;           /* so many of `open` were used */
    struct gone *gone;         /* NULL: nothing was overwritten */
    struct trace_entry *pieces[PIECES];
    struct span open[SPANS_OPEN];
    struct trace_context context; /* with `joined` */
};

static mono_ns no_clock(void)
{
    return 0;
}

static mono_ns (*clock_now)(void) = no_clock;

void trace_set_clock(mono_ns (*now)(void))
{
    clock_now = now ? now : no_clock;
}

/* SplitMix64 (Steele, Lea, Flood 2014) of the request's id and a count: no two spans of it are alike. */
static uint64_t next_span_id(struct trace *trace)
{
    uint64_t id = 0;

    while (id == 0) {
        id = trace->id + ++trace->spans * 0x9e3779b97f4a7c15u;
        id = (id ^ (id >> 30)) * 0xbf58476d1ce4e5b9u;
        id = (id ^ (id >> 27)) * 0x94d049bb133111ebu;
        id ^= id >> 31;
    }
    return id;
}

struct trace *trace_new(struct arena *arena, uint64_t id)
{
    struct trace *trace = arena_alloc_raw(arena, sizeof *trace);

    if (trace) {
        memset(trace, 0, offsetof(struct trace, open));
        trace->arena = arena;
        trace->id = id;
        trace->begin = clock_now();
        trace->root = trace->inner = next_span_id(trace);
    }
    return trace;
}

uint64_t trace_id(const struct trace *trace)
{
    return trace ? trace->id : 0;
}

static struct trace_entry *entry_at(const struct trace *trace, uint32_t number)
{
    uint32_t at = number % TRACE_EVENTS_MAX;

    return &trace->pieces[at / PIECE_ENTRIES][at % PIECE_ENTRIES];
}

/* Names are literals: the same one has the same place, and of two with the same text trace_span_total()
 * makes a sum. */
static NOINLINE void keep_total(struct trace *trace, const struct trace_entry *lost)
{
    if (lost->dur >= 0 && !trace->gone)
        trace->gone = arena_alloc(trace->arena, sizeof *trace->gone);
    if (lost->dur < 0 || !trace->gone)
        return;
    for (size_t i = 0; i < NAMES_MAX; i++) {
        if (!trace->gone->at[i].name)
            trace->gone->at[i].name = lost->name;
        if (trace->gone->at[i].name == lost->name) {
            trace->gone->at[i].dur += lost->dur;
            return;
        }
    }
}

static NOINLINE void drop(struct trace *trace, bool span)
{
    trace->dropped++;
    trace->dropped_spans += span;
}

/* The next entry of the ring, for a span or an event, over the oldest if need be; NULL when memory is gone. */
static struct trace_entry *next_entry(struct trace *trace, bool span)
{
    struct trace_entry **piece = &trace->pieces[trace->written % TRACE_EVENTS_MAX / PIECE_ENTRIES];

    if (!*piece)
        *piece = arena_alloc_raw(trace->arena, PIECE_ENTRIES * sizeof **piece);
    if (!*piece) {
        drop(trace, span);
        return NULL;
    }
    struct trace_entry *entry = entry_at(trace, trace->written);
    if (trace->written++ >= TRACE_EVENTS_MAX) {
        drop(trace, entry->dur >= 0);
        keep_total(trace, entry);
    } else {
        entry->text.ptr = NULL;
    }
    return entry;
}

static struct span *begin(struct trace *trace, const char *name, bool leaf, mono_ns at)
{
    for (uint32_t i = 0; i < SPANS_OPEN; i++) {
        struct span *span = &trace->open[i];

        if (i == trace->opened) {
            trace->opened++;
            span->trace = trace;
            span->e.name = NULL;
            span->e.text.ptr = NULL;
        }
        if (!span->e.name) {
            span->e.name = name;
            span->e.span = next_span_id(trace);
            span->e.parent = trace->inner;
            span->e.at = at;
            span->e.leaf = leaf;
            span->e.text.len = 0;
            if (!leaf)
                trace->inner = span->e.span;
            return span;
        }
    }
    drop(trace, true);
    return NULL;
}

struct span *span_begin(struct trace *trace, const char *name)
{
    return trace ? begin(trace, name, false, clock_now()) : NULL;
}

struct span *span_begin_leaf(struct trace *trace, const char *name)
{
    return trace ? begin(trace, name, true, clock_now()) : NULL;
}

/* What most texts are made of: %s, %.*s, %d, %u and PRIu64. False for others, and for what does not fit:
 * then printf has to do it, which costs ten times as much. */
static bool put_quickly(struct buf *b, const char *fmt, va_list args)
{
    for (const char *next; *fmt; fmt = next) {
        next = strchrnul(fmt, '%');
        buf_str(b, (struct str){fmt, (size_t)(next - fmt)});
        if (!*next)
            break;
        switch (next[1]) {
        case 's': buf_str(b, str_from(va_arg(args, const char *))); break;
        case 'd': buf_i64(b, va_arg(args, int)); break;
        case 'u': buf_u64(b, va_arg(args, unsigned)); break;
        case '.':
            if (next[2] != '*' || next[3] != 's')
                return false;
            int len = va_arg(args, int); /* before the text it is the length of */
            buf_str(b, (struct str){va_arg(args, const char *), (size_t)MAX_OF(len, 0)});
            next += 2;
            break;
        default:
            if (strncmp(next + 1, PRIu64, sizeof PRIu64 - 1) != 0)
                return false;
            buf_u64(b, va_arg(args, uint64_t));
            next += sizeof PRIu64 - 2;
        }
        next += 2;
    }
    return buf_ok(b);
}

/* Behind what stands in text already; how long it is then. */
PRINTF(3, 0) static uint32_t add_text(char *text, uint32_t len, const char *fmt, va_list args)
{
    struct buf quick;
    va_list again;

    buf_init_fixed(&quick, text + len, TRACE_TEXT_MAX - 1 - len);
    va_copy(again, args);
    bool done = put_quickly(&quick, fmt, again);
    va_end(again);
    if (LIKELY(done))
        return len + (uint32_t)quick.len;

    int more = vsnprintf(text + len, TRACE_TEXT_MAX - len, fmt, args);
    size_t whole = len + (size_t)MAX_OF(more, 0);
    struct str kept = {text, MIN_OF(whole, TRACE_TEXT_MAX - 1)};

    if (kept.len < whole)
        kept.len = utf8_boundary(kept, kept.len - 1); /* the last character may be half */
    return (uint32_t)kept.len;
}

/* Where more of a text can stand; NULL when memory is gone or it is full. */
static char *text_of(struct trace *trace, struct trace_entry *e)
{
    if (!e->text.ptr)
        e->text.ptr = arena_alloc_raw(trace->arena, TRACE_TEXT_MAX);
    return e->text.ptr && e->text.len + 2 <= TRACE_TEXT_MAX ? (char *)(uintptr_t)e->text.ptr : NULL;
}

void span_note(struct span *span, const char *fmt, ...)
{
    char *text = span ? text_of(span->trace, &span->e) : NULL;
    va_list args;

    ASSERT(!span || span->e.name);
    if (!text)
        return;
    if (span->e.text.len)
        text[span->e.text.len++] = ' ';
    va_start(args, fmt);
    span->e.text.len = add_text(text, (uint32_t)span->e.text.len, fmt, args);
    va_end(args);
}

PRINTF(3, 4) static uint32_t add_cut(char *text, uint32_t len, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    len = add_text(text, len, fmt, args);
    va_end(args);
    return len;
}

/* What a part takes at most, with the blank before it. */
static size_t part_bytes(const struct trace_part *part)
{
    return part->key.len + 2 + (part->value.ptr ? part->value.len : 20);
}

static uint32_t put_part(char *text, uint32_t len, const struct trace_part *part)
{
    char *digits;

    if (len)
        text[len++] = ' ';
    memcpy(text + len, part->key.ptr, part->key.len);
    len += (uint32_t)part->key.len;
    text[len++] = '=';
    if (part->value.ptr) {
        memcpy(text + len, part->value.ptr, part->value.len);
        return len + (uint32_t)part->value.len;
    }
    digits = text + len;
    if (part->number < 0)
        *digits++ = '-';
    digits =
        digits_put(digits, part->number < 0 ? 0 - (uint64_t)part->number : (uint64_t)part->number);
    return (uint32_t)(digits - text);
}

/* The last that has room, cut if need be. */
static NOINLINE uint32_t put_cut(char *text, uint32_t len, const struct trace_part *part)
{
    const char *before = len ? " " : "";

    return part->value.ptr ? add_cut(text, len, "%s" STR_FMT "=" STR_FMT, before,
                                     STR_ARG(part->key), STR_ARG(part->value))
                           : add_cut(text, len, "%s" STR_FMT "=%" PRId64, before,
                                     STR_ARG(part->key), part->number);
}

static void add_parts(struct trace *trace, struct trace_entry *e, const struct trace_part *parts,
                      size_t count)
{
    char *text = text_of(trace, e);
    uint32_t len = (uint32_t)e->text.len;

    for (size_t i = 0; text && i < count && len + 2 <= TRACE_TEXT_MAX; i++)
        len = LIKELY(part_bytes(&parts[i]) < TRACE_TEXT_MAX - len) ? put_part(text, len, &parts[i])
                                                                   : put_cut(text, len, &parts[i]);
    e->text.len = len;
}

void span_add(struct span *span, const struct trace_part *parts, size_t count)
{
    ASSERT(!span || span->e.name);
    if (span)
        add_parts(span->trace, &span->e, parts, count);
}

/* Field by field, which volatile makes sure of: a load that is wider than the stores before it has to wait until those, and
 * all that were made before them, have left for the cache. */
static void fill_entry(struct trace_entry *entry, struct trace_entry *span, mono_ns at)
{
    const volatile struct trace_entry *from = span;
    const char *spare = entry->text.ptr;

    entry->name = from->name;
    entry->span = from->span;
    entry->parent = from->parent;
    entry->at = from->at;
    entry->dur = at - from->at;
    entry->leaf = from->leaf;
    entry->text.ptr = from->text.ptr;
    entry->text.len = from->text.len;
    span->text.ptr = spare;
}

static void end(struct span *ended, mono_ns at)
{
    ASSERT(ended->e.name);
    struct trace *trace = ended->trace;
    struct trace_entry *entry = next_entry(trace, true);

    if (!ended->e.leaf)
        trace->inner = ended->e.parent;
    if (entry)
        fill_entry(entry, &ended->e, at);
    ended->e.name = NULL;
}

void span_end(struct span **span)
{
    if (*span)
        end(*span, clock_now());
    *span = NULL;
}

void span_turn(struct span **span, struct trace *trace, const char *name)
{
    mono_ns now = trace ? clock_now() : 0;

    if (*span)
        end(*span, now);
    *span = trace ? begin(trace, name, false, now) : NULL;
}

static bool is_name(const char *a, const char *b)
{
    return a == b || (*a == *b && strcmp(a, b) == 0);
}

dur_ns trace_span_total(const struct trace *trace, const char *name)
{
    dur_ns sum = 0;

    for (size_t i = 0; trace && trace->gone && i < NAMES_MAX && trace->gone->at[i].name; i++)
        if (is_name(trace->gone->at[i].name, name))
            sum += trace->gone->at[i].dur;
    for (uint32_t i = 0; i < trace_count(trace); i++) {
        const struct trace_entry *entry = entry_at(trace, i);

        if (entry->dur >= 0 && is_name(entry->name, name))
            sum += entry->dur;
    }
    return sum;
}

static struct trace_entry *new_event(struct trace *trace, const char *name)
{
    struct trace_entry *entry = trace ? next_entry(trace, false) : NULL;

    if (entry)
        *entry = (struct trace_entry){.name = name,
                                      .at = clock_now(),
                                      .dur = -1,
                                      .parent = trace->inner,
                                      .text = {entry->text.ptr, 0}};
    return entry;
}

void trace_event(struct trace *trace, const char *name, const char *fmt, ...)
{
    struct trace_entry *entry = new_event(trace, name);
    char *text = entry ? text_of(trace, entry) : NULL; /* NULL: the event stands without its text */
    va_list args;

    if (!text)
        return;
    va_start(args, fmt);
    entry->text.len = add_text(text, 0, fmt, args);
    va_end(args);
}

void trace_event_add(struct trace *trace, const char *name, const struct trace_part *parts,
                     size_t count)
{
    struct trace_entry *entry = new_event(trace, name);

    if (entry)
        add_parts(trace, entry, parts, count);
}

uint32_t trace_dropped(const struct trace *trace)
{
    return trace ? trace->dropped : 0;
}

uint32_t trace_dropped_spans(const struct trace *trace)
{
    return trace ? trace->dropped_spans : 0;
}

static void put_entry(struct json_writer *w, const struct trace *trace,
                      const struct trace_entry *entry)
{
    jw_object(w);
    jw_key(w, "name");
    jw_cstr(w, entry->name);
    jw_key(w, "at_us");
    jw_i64(w, (entry->at - trace->begin) / MICROSECOND);
    if (entry->dur >= 0) {
        jw_key(w, "dur_us");
        jw_i64(w, entry->dur / MICROSECOND);
    }
    if (entry->text.len) {
        jw_key(w, "text");
        jw_str(w, entry->text);
    }
    jw_object_end(w);
}

void trace_json(const struct trace *trace, struct buf *out)
{
    uint32_t from, to = trace ? trace->written : 0;
    struct json_writer w;

    jw_init(&w, out);
    jw_array(&w);
    from = to > TRACE_EVENTS_MAX ? to - TRACE_EVENTS_MAX : 0;
    for (; from < to; from++)
        put_entry(&w, trace, entry_at(trace, from));
    jw_array_end(&w);
}

/* ---- belonging to a trace of several services ---- */

static bool is_zero(const uint8_t *bytes, size_t len)
{
    uint8_t any = 0;

    for (size_t i = 0; i < len; i++)
        any |= bytes[i];
    return any == 0;
}

/* Lower case, as the W3C wants it: an upper-case digit is no digit. */
static bool read_hex(struct str text, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] >= 'A' && text.ptr[i] <= 'F')
            return false;
    return hex_parse(text, out, len);
}

bool trace_context_parse(struct str t, struct trace_context *out)
{
    uint8_t version, flags, span[8], trace[16];

    if (t.len < TRACEPARENT_BYTES || t.ptr[2] != '-' || t.ptr[35] != '-' || t.ptr[52] != '-' ||
        !read_hex(str_slice(t, 0, 2), &version, 1) || version == 0xff ||
        !read_hex(str_slice(t, 3, 35), trace, 16) || is_zero(trace, 16) ||
        !read_hex(str_slice(t, 36, 52), span, 8) || is_zero(span, 8) ||
        !read_hex(str_slice(t, 53, 55), &flags, 1))
        return false;
    if (t.len > TRACEPARENT_BYTES && (version == 0 || t.ptr[TRACEPARENT_BYTES] != '-'))
        return false;
    memcpy(out->trace_id, trace, sizeof trace);
    out->parent = 0;
    for (size_t i = 0; i < sizeof span; i++)
        out->parent = out->parent << 8 | span[i];
    out->sampled = flags & 1;
    out->recorded = out->told = false;
    out->state = STR_NONE;
    return true;
}

void trace_join(struct trace *trace, const struct trace_context *context)
{
    if (!trace)
        return;
    trace->context = *context;
    trace->joined = true;
}

const struct trace_context *trace_joined(const struct trace *trace)
{
    return trace && trace->joined ? &trace->context : NULL;
}

uint64_t trace_root_span(const struct trace *trace)
{
    return trace ? trace->root : 0;
}

uint64_t trace_inner_span(const struct trace *trace)
{
    return trace ? trace->inner : 0;
}

bool span_traceparent(const struct span *span, char out[TRACEPARENT_BYTES])
{
    const struct trace_context *context = span ? trace_joined(span->trace) : NULL;
    struct buf b;

    if (!context || !context->told)
        return false;
    /* Spans that nobody exports would leave a gap: then the caller's own is passed on. */
    uint64_t id = context->recorded || !context->parent ? span->e.span : context->parent;
    buf_init_fixed(&b, out, TRACEPARENT_BYTES);
    buf_str(&b, STR("00-"));
    buf_hex(&b, context->trace_id, sizeof context->trace_id);
    buf_char(&b, '-');
    buf_hex_u64(&b, id);
    buf_str(&b, context->sampled ? STR("-01") : STR("-00"));
    ASSERT(buf_ok(&b) && b.len == TRACEPARENT_BYTES);
    return true;
}

struct str span_tracestate(const struct span *span)
{
    const struct trace_context *context = span ? trace_joined(span->trace) : NULL;

    return context && context->told ? context->state : STR_NONE;
}

/* ---- reading ---- */

uint32_t trace_count(const struct trace *trace)
{
    return trace ? MIN_OF(trace->written, (uint32_t)TRACE_EVENTS_MAX) : 0;
}

static uint32_t oldest(const struct trace *trace)
{
    return trace->written > TRACE_EVENTS_MAX ? trace->written - TRACE_EVENTS_MAX : 0;
}

const struct trace_entry *trace_entry(const struct trace *trace, uint32_t i)
{
    ASSERT(i < trace_count(trace));
    return entry_at(trace, oldest(trace) + i);
}

const struct trace_entry *trace_run(const struct trace *trace, uint32_t i, uint32_t *run)
{
    uint32_t count = trace_count(trace), at = i < count ? oldest(trace) + i : 0;

    *run = i < count ? MIN_OF(PIECE_ENTRIES - at % PIECE_ENTRIES, count - i) : 0;
    return *run ? entry_at(trace, at) : NULL;
}

uint32_t trace_copy(const struct trace *trace, struct trace_entry *out, uint32_t most)
{
    uint32_t count = MIN_OF(trace_count(trace), most);

    for (uint32_t done = 0, run; done < count; done += run) {
        uint32_t at = trace->written - count + done;

        run = MIN_OF(PIECE_ENTRIES - at % PIECE_ENTRIES, count - done);
        memcpy(out + done, entry_at(trace, at), run * sizeof *out);
    }
    return count;
}
