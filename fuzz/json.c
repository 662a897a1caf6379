/* Any bytes are refused with a reason, or are JSON that survives decoding, writing and editing:
 *   - every string decoded, written anew and spliced in gives an equal value;
 *   - one value removed, or one member added, changes that and nothing else. */
#include "fuzz.h"

#include "base/hash.h"
#include "base/json.h"

static struct json *must_parse(struct arena *arena, struct str text)
{
    struct err err = {0};
    struct json *j = json_parse_within(
        arena, text, &(struct json_limits){.depth = 1000, .nodes = 1000000}, &err);

    ASSERT(j);
    return j;
}

static struct str must_splice(struct arena *arena, const struct json *j,
                              const struct json_edit *edits, size_t count)
{
    struct str out;
    struct err err = {0};

    ASSERT(json_splice(arena, j, edits, count, &out, &err));
    return out;
}

/* All values stand in text order, so refs count up until one is past the last. */
static size_t value_count(const struct json *j)
{
    json_ref last = json_root(j), v;

    while ((v = json_first(j, last)) != 0) {
        for (json_ref next = v; next; next = json_next(j, next))
            last = next;
    }
    return last;
}

static void rewrite_strings(struct arena *arena, const struct json *j)
{
    size_t values = value_count(j), count = 0;
    struct json_edit *edits = arena_array(arena, values, sizeof *edits);

    ASSERT(edits);
    for (json_ref v = 1; v <= values; v++) {
        struct str decoded;
        struct buf b;

        if (json_kind(j, v) != JSON_STRING)
            continue;
        ASSERT(json_str(j, v, arena, &decoded));
        buf_init(&b, arena, MIB);
        buf_json_str(&b, decoded);
        ASSERT(buf_ok(&b));
        edits[count++] = (struct json_edit){.kind = JSON_REPLACE, .at = v, .value = buf_view(&b)};
    }
    struct json *again = must_parse(arena, must_splice(arena, j, edits, count));
    ASSERT(json_equal(j, json_root(j), again, json_root(again)));
    ASSERT(json_equal(again, json_root(again), j, json_root(j)));
}

static void remove_one(struct arena *arena, const struct json *j, uint64_t choice)
{
    json_ref root = json_root(j), gone = json_first(j, root);

    if (!gone)
        return;
    for (uint64_t i = choice % json_count(j, root); i > 0; i--)
        gone = json_next(j, gone);
    struct json_edit edit = {.kind = JSON_REMOVE, .at = gone};
    struct json *left = must_parse(arena, must_splice(arena, j, &edit, 1));
    ASSERT(json_count(left, 1) == json_count(j, root) - 1);
    json_ref have = json_first(left, 1);
    for (json_ref v = json_first(j, root); v; v = json_next(j, v)) {
        if (v == gone)
            continue;
        ASSERT(str_eq(json_raw(j, v), json_raw(left, have)));
        ASSERT(str_eq(json_key_raw(j, v), json_key_raw(left, have)));
        have = json_next(left, have);
    }
}

static void add_one(struct arena *arena, const struct json *j)
{
    struct json_edit edit = {
        .kind = JSON_ADD_MEMBER, .at = json_root(j), .key = STR("new\n"), .value = STR("[0]")};

    if (json_kind(j, edit.at) != JSON_OBJECT || json_get(j, edit.at, edit.key))
        return;
    struct json *more = must_parse(arena, must_splice(arena, j, &edit, 1));
    json_ref added = json_get(more, json_root(more), edit.key);
    ASSERT(added && !json_next(more, added));
    ASSERT(str_eq(json_raw(more, added), edit.value));
    ASSERT(json_count(more, json_root(more)) == json_count(j, edit.at) + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct str text = fuzz_text(data, size);
    struct err err = {0};
    struct json *j = json_parse(arena, text, &err);

    if (!j) {
        ASSERT(err.code == ERR_INVALID || err.code == ERR_TOO_LARGE);
        ASSERT(str_starts(str_from(err.text), STR("line ")));
        return 0;
    }
    ASSERT(err.code == ERR_NONE);
    ASSERT(str_eq(json_raw(j, json_root(j)), str_trim(text)));
    ASSERT(json_equal(j, json_root(j), j, json_root(j)));
    rewrite_strings(arena, j);
    remove_one(arena, j, siphash_keyed((const uint8_t[16]){0}, text));
    add_one(arena, j);
    return 0;
}
