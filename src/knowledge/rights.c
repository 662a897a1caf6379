#include "knowledge/rights.h"

#include <stdlib.h>

#include "base/buf.h"

enum kind { EVERYONE, TENANT, TEAM, KEY, TAG, KINDS };

static const char *const kinds[KINDS] = {[EVERYONE] = "everyone",
                                         [TENANT] = "tenant:",
                                         [TEAM] = "team:",
                                         [KEY] = "key:",
                                         [TAG] = "tag:"};

static bool read_reader(struct str reader, enum kind *kind, struct str *name)
{
    *name = STR_NONE;
    *kind = EVERYONE;
    if (str_eq(reader, str_from(kinds[EVERYONE])))
        return true;
    for (int i = TENANT; i < KINDS; i++) {
        struct str begin = str_from(kinds[i]);

        if (str_starts(reader, begin) && reader.len > begin.len) {
            *kind = (enum kind)i;
            *name = str_slice(reader, begin.len, reader.len);
            return true;
        }
    }
    return false;
}

static bool is_well_formed(struct str reader)
{
    enum kind kind;
    struct str name;

    for (size_t i = 0; i < reader.len; i++)
        if ((uint8_t)reader.ptr[i] <= ' ' || reader.ptr[i] == 0x7F)
            return false;
    return reader.len <= READER_LEN_MAX && read_reader(reader, &kind, &name);
}

static int compare(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

bool readers_join(struct arena *arena, const struct str *list, size_t count, struct str *out,
                  struct err *err)
{
    struct str *sorted = arena_array(arena, count + 1, sizeof *sorted);
    struct buf b;

    if (!sorted)
        return err_arena(err, arena);
    if (count > READERS_MAX)
        return err_set(err, ERR_INVALID, "%zu of them, at most %u may stand there", count,
                       READERS_MAX);
    for (size_t i = 0; i < count; i++) {
        if (!is_well_formed(list[i]))
            return err_set(err, ERR_INVALID,
                           "expected \"everyone\", \"tenant:NAME\", \"team:TENANT/TEAM\", "
                           "\"key:ID\" or \"tag:NAME\", found \"" STR_FMT "\"",
                           STR_ARG(str_slice(list[i], 0, 60)));
        sorted[i] = list[i];
    }
    qsort(sorted, count, sizeof *sorted, compare);
    buf_init(&b, arena, READERS_MAX * (READER_LEN_MAX + 1));
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && str_eq(sorted[i], sorted[i - 1]))
            continue;
        buf_fmt(&b, "%s" STR_FMT, b.len ? "\n" : "", STR_ARG(sorted[i]));
    }
    return buf_finish(&b, out, err);
}

static bool reader_is(struct str reader, const struct principal *who)
{
    enum kind kind;
    struct str name;

    if (!read_reader(reader, &kind, &name))
        return false;
    switch (kind) {
    case EVERYONE: return true;
    case TENANT: return str_eq(name, who->tenant);
    case TEAM: return str_eq(name, who->team);
    case KEY: return str_eq(name, who->key_id);
    case TAG: return principal_has_tag(who, name);
    case KINDS: break;
    }
    return false;
}

bool readers_allow(struct str readers, const struct principal *who)
{
    if (readers.len == 0)
        return true;
    for (struct str rest = readers, reader; str_split(&rest, '\n', &reader);)
        if (reader_is(reader, who))
            return true;
    return false;
}
