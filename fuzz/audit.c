/* An even choice: any bytes as a segment are refused with a reason, or every record shown hashes to its
 * hash. An odd one: a sound segment of records whose texts come from the input, with a few bytes of it
 * changed, is refused, or it is the unfinished end of the last segment; either way only records that
 * were written are shown. */
#include "fuzz.h"

#include <string.h>

#include "accounts/audit_internal.h"
#include "accounts/audit_merkle.h"

#define RECORDS_MAX 8
#define HASH_TAIL   (sizeof ",\"hash\":\"\"}" - 1 + (size_t)2 * SHA256_BYTES)

struct segment {
    struct buf bytes;
    struct str written[RECORDS_MAX]; /* lines without their \n, views of a copy */
    size_t count;
};

struct shown {
    struct sha256 head;
    uint64_t seq;
    enum audit_version version; /* as the header says */
    const struct segment *of;   /* NULL: nobody knows what was written */
};

static bool show(void *ctx, uint64_t seq, struct str line, struct err *err)
{
    struct shown *shown = ctx;
    uint8_t claimed[SHA256_BYTES];
    (void)err;

    ASSERT(seq == ++shown->seq && line.len > HASH_TAIL);

    struct str text = str_slice(line, 0, line.len - HASH_TAIL);
    struct str digits = str_slice(line, line.len - 2 - sizeof claimed * 2, line.len - 2);
    struct sha256 hash = audit_hash(shown->version, &shown->head, text);

    ASSERT(hex_parse(digits, claimed, sizeof claimed));
    ASSERT(memcmp(claimed, hash.bytes, sizeof claimed) == 0);
    ASSERT(!shown->of || str_eq(line, shown->of->written[seq - 1]));
    shown->head = hash;
    return true;
}

/* True when it was accepted. */
static bool check(struct str bytes, bool is_last, struct shown *shown, bool *torn)
{
    struct sha256 prev = {0};
    uint64_t seq = 0;
    struct err err = {0};

    shown->version =
        str_starts(bytes, STR("{\"weir_audit\":1,")) ? AUDIT_PREV_FIRST : AUDIT_PREV_LAST;

    bool ok = audit_check_segment(bytes, "fuzz.log", is_last, &prev, &seq, show, shown, torn, &err);

    ASSERT(ok == (err.code == ERR_NONE));
    ASSERT(ok || (err.code == ERR_INVALID && err.text[0]));
    ASSERT(seq == shown->seq && memcmp(&prev, &shown->head, sizeof prev) == 0);
    return ok;
}

static void write_segment(struct arena *arena, struct str texts, struct segment *out)
{
    char header[AUDIT_HEADER_MAX];
    struct sha256 head = {0};
    struct str text;

    buf_init(&out->bytes, arena, MIB);
    buf_str(&out->bytes, audit_header(header, AUDIT_PREV_LAST, 1, &head));
    while (out->count < RECORDS_MAX && str_split(&texts, '\n', &text)) {
        const struct audit_record record = {
            .time = 1, .model = text, .note = texts, .cost = (usd_micro)text.len};
        struct audit_line line;
        struct audit_sealed sealed;

        audit_line_format(&record, &line);
        audit_line_seal(&line, out->count + 1, &head, &sealed);

        struct str whole = str_slice(sealed.text, 0, sealed.text.len - 1);
        struct sha256 leaf = merkle_leaf(whole);

        ASSERT(memcmp(&leaf, &sealed.leaf, sizeof leaf) == 0);
        buf_str(&out->bytes, sealed.text);
        out->written[out->count++] = arena_str(arena, whole);
    }
    ASSERT(buf_ok(&out->bytes));
}

/* Three bytes an edit: where, and what. */
static void edit(struct buf *bytes, struct str edits)
{
    for (; edits.len >= 3; edits = str_slice(edits, 3, edits.len)) {
        size_t at = ((size_t)(uint8_t)edits.ptr[0] << 8 | (uint8_t)edits.ptr[1]) % bytes->len;

        bytes->ptr[at] = edits.ptr[2];
    }
}

static void check_changed(struct str text, size_t edits, bool is_last)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    struct segment segment = {0};
    struct shown shown = {.of = &segment};
    struct str changes = str_slice(text, 0, 3 * edits);
    bool torn = false;

    write_segment(arena, str_slice(text, changes.len, text.len), &segment);

    struct str before = arena_str(arena, buf_view(&segment.bytes));

    edit(&segment.bytes, changes);

    bool changed = !str_eq(before, buf_view(&segment.bytes));
    bool ok = check(buf_view(&segment.bytes), is_last, &shown, &torn);

    ASSERT(changed ? !ok || (torn && is_last) : ok && !torn && shown.seq == segment.count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = fuzz_text(data, size);
    uint8_t choice = fuzz_choice(&text);
    bool is_last = choice & 2, torn = false;
    struct shown shown = {0};

    if (choice & 1)
        check_changed(text, choice >> 2 & 7, is_last);
    else
        ASSERT(!check(text, is_last, &shown, &torn) || is_last || !torn);
    return 0;
}
