#include "knowledge/fingerprint.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "sys/file.h"

#define PIECE MIB /* of a file, at a time */

/* Letters, digits and what JSON and HTML leave as it is. */
static bool is_plain(uint8_t c)
{
    return c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == ' ' || c == '.' || c == ',' || c == ';' || c == ':' ||
           c == '-';
}

/* A polynomial modulo 2^64 over the window, kept up a byte at a time; only its well mixed upper bits choose. */
struct rolling {
    uint64_t factor, last; /* last: factor to the power of the window's length */
    uint64_t hash, mask;
    size_t run; /* plain bytes in a row */
};

static void rolling_init(struct rolling *r, const struct fingerprint_way *way)
{
    *r = (struct rolling){.last = 1, .mask = ((uint64_t)1 << way->every) - 1};
    memcpy(&r->factor, way->salt, sizeof r->factor);
    r->factor |= 1;
    for (int i = 0; i < FINGERPRINT_WINDOW; i++)
        r->last *= r->factor;
}

static bool chosen(const struct rolling *r)
{
    uint64_t mixed = (r->hash ^ r->hash >> 32) * 0x9E3779B97F4A7C15u;

    return (mixed >> 40 & r->mask) == 0;
}

/* Does a chosen window end with the byte at `at`? */
static bool roll(struct rolling *r, const uint8_t *bytes, size_t at)
{
    if (!is_plain(bytes[at])) {
        r->run = 0;
        r->hash = 0;
        return false;
    }
    r->hash = r->hash * r->factor + bytes[at];
    if (r->run == FINGERPRINT_WINDOW)
        r->hash -= r->last * bytes[at - FINGERPRINT_WINDOW];
    else
        r->run++;
    return r->run == FINGERPRINT_WINDOW && chosen(r);
}

static uint64_t print_of(const struct fingerprint_way *way, const uint8_t *window)
{
    struct sha256 hash = sha256_two((struct str){(const char *)way->salt, sizeof way->salt},
                                    (struct str){(const char *)window, FINGERPRINT_WINDOW});
    uint64_t print = 0;

    for (size_t i = 0; i < sizeof print; i++)
        print = print << 8 | hash.bytes[i];
    return print;
}

void fingerprint_text(const struct fingerprint_way *way, struct str text, fingerprint_fn *fn,
                      void *ctx)
{
    const uint8_t *bytes = (const uint8_t *)text.ptr;
    struct rolling r;

    ASSERT(way->every <= FINGERPRINT_EVERY_MAX);
    rolling_init(&r, way);
    for (size_t at = 0; at < text.len; at++)
        if (roll(&r, bytes, at))
            fn(ctx, print_of(way, bytes + at + 1 - FINGERPRINT_WINDOW));
}

/* ---- what is looked for ---- */

static int by_value(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

    return (one > other) - (one < other);
}

void fingerprints_sort(struct fingerprints *prints)
{
    size_t kept = 0;

    if (prints->count)
        qsort(prints->at, prints->count, sizeof *prints->at, by_value);
    for (size_t i = 0; i < prints->count; i++)
        if (i == 0 || prints->at[i] != prints->at[kept - 1])
            prints->at[kept++] = prints->at[i];
    prints->count = kept;
}

/* Where it stands among them, or their count. */
static size_t place_of(const struct fingerprints *prints, uint64_t print)
{
    const uint64_t *hit =
        prints->count ? bsearch(&print, prints->at, prints->count, sizeof *prints->at, by_value)
                      : NULL;

    return hit ? (size_t)(hit - prints->at) : prints->count;
}

static void mark(void *ctx, uint64_t print)
{
    struct fingerprints *prints = ctx;
    size_t i = place_of(prints, print);

    if (i < prints->count)
        prints->found[i] = true;
}

void fingerprints_mark(struct fingerprints *prints, struct str text)
{
    fingerprint_text(&prints->way, text, mark, prints);
}

size_t fingerprints_unmarked(const struct fingerprints *prints, const uint64_t *list, size_t count)
{
    size_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        size_t at = place_of(prints, list[i]);

        sum += at < prints->count && !prints->found[at];
    }
    return sum;
}

struct search {
    struct fingerprints *prints;
    bool *here; /* beside them: in this file */
    uint64_t seen;
};

static void look_for(void *ctx, uint64_t print)
{
    struct search *s = ctx;
    size_t i = place_of(s->prints, print);

    if (i == s->prints->count)
        return;
    s->seen += !s->here[i];
    s->here[i] = s->prints->found[i] = true;
}

/* Pieces overlap by a window less a byte, so that none is missed between two. */
static bool search_file(struct search *s, struct file *file, char *piece, uint64_t *bytes,
                        struct err *err)
{
    const size_t overlap = FINGERPRINT_WINDOW - 1;
    size_t kept = 0, got = 0;
    int64_t at = 0;

    do {
        if (!file_read_at(file, at, piece + kept, PIECE, &got, err))
            return false;
        at += (int64_t)got;
        fingerprint_text(&s->prints->way, (struct str){piece, kept + got}, look_for, s);
        size_t keep = MIN_OF(overlap, kept + got);
        memmove(piece, piece + kept + got - keep, keep);
        kept = keep;
    } while (got > 0);
    *bytes = (uint64_t)at;
    return true;
}

bool fingerprints_find(struct fingerprints *prints, const char *path, uint64_t *bytes,
                       uint64_t *seen, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * PIECE);
    struct file *file CLEANUP(file_close) = NULL;
    struct search s = {.prints = prints};
    char *piece = arena ? arena_alloc(arena, PIECE + FINGERPRINT_WINDOW) : NULL;

    if (piece)
        s.here = arena_array(arena, prints->count + 1, sizeof *s.here);
    if (!piece || !s.here)
        return err_no_room(err, "no memory to search a file");
    if (!file_open(path, FILE_READ, 0, &file, err) || !search_file(&s, file, piece, bytes, err))
        return false;
    *seen = s.seen;
    return true;
}

void fingerprints_drop_found(struct fingerprints *prints)
{
    size_t kept = 0;

    for (size_t i = 0; i < prints->count; i++) {
        if (prints->found[i])
            continue;
        prints->at[kept] = prints->at[i];
        prints->found[kept++] = false;
    }
    prints->count = kept;
}
