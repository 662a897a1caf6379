/* accounts/policy.c: the lists and names that come with keys, teams and tenants: checked, brought to one
 * spelling, kept. */
#include <stdlib.h>
#include <string.h>

#include "accounts/accounts_internal.h"
#include "base/utf8.h"

#define PATTERN_MAX 128u
#define TAG_MAX     64u
#define TAGS_BYTES  90u /* of a level: those of three fit the audit log */

/* ---- texts that change ---- */

bool kept_set(struct accounts *accounts, struct kept *kept, struct str s, struct err *err)
{
    if (s.len > kept->bytes) {
        size_t bytes = MAX_OF(s.len, 2 * kept->bytes);
        char *memory = arena_alloc_raw(accounts->arena, bytes);

        if (!memory)
            return err_arena(err, accounts->arena);
        kept->memory = memory;
        kept->bytes = bytes;
    }
    if (s.len)
        memmove(kept->memory, s.ptr, s.len);
    kept->s = (struct str){kept->memory ? kept->memory : "", s.len};
    return true;
}

bool kept_policy_set(struct accounts *accounts, struct kept_policy *kept,
                     const struct policy *policy, struct err *err)
{
    if (!kept_set(accounts, &kept->models, policy->models, err) ||
        !kept_set(accounts, &kept->tags, policy->tags, err))
        return false;
    kept->zones = policy->zones;
    return true;
}

struct policy kept_policy_copy(struct arena *arena, const struct kept_policy *kept)
{
    return (struct policy){.models = arena_str(arena, kept->models.s),
                           .tags = arena_str(arena, kept->tags.s),
                           .zones = kept->zones};
}

/* ---- lists ---- */

static bool is_sound(struct str s, const char *marks)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!plain && (!c || !strchr(marks, c)))
            return false;
    }
    return s.len > 0;
}

static int by_bytes(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

struct list_rule {
    const char *what, *marks; /* beside letters and digits */
    size_t count_max, part_max, bytes_max;
};

static_assert(POLICY_TAGS_MAX <= POLICY_PATTERNS_MAX, "a list of tags has room too");
static bool one_spelling(struct arena *arena, struct str list, const struct list_rule *rule,
                         struct str *out, struct err *err)
{
    struct str parts[POLICY_PATTERNS_MAX];
    size_t count = 0;
    struct buf b;

    for (size_t at = 0; at < list.len;) {
        size_t end = at;

        while (end < list.len && list.ptr[end] != ',' && list.ptr[end] != ' ')
            end++;
        struct str part = str_slice(list, at, end);
        at = end + 1;
        if (!part.len)
            continue;
        if (count == rule->count_max)
            return err_set(err, ERR_INVALID, "%s: more than %zu", rule->what, rule->count_max);
        if (part.len > rule->part_max || !is_sound(part, rule->marks))
            return err_set(err, ERR_INVALID,
                           "%s: \"" STR_FMT "\" is not 1 to %zu letters, digits and %s", rule->what,
                           STR_ARG(str_slice(part, 0, 60)), rule->part_max, rule->marks);
        parts[count++] = part;
    }
    qsort(parts, count, sizeof *parts, by_bytes);
    buf_init(&b, arena, rule->bytes_max);
    for (size_t i = 0; i < count; i++) {
        if (i && str_eq(parts[i], parts[i - 1]))
            continue;
        if (b.len)
            buf_char(&b, ',');
        buf_str(&b, parts[i]);
    }
    return buf_finish(&b, out, err) || err_wrap(err, "%s", rule->what);
}

bool policy_check(struct arena *arena, const struct policy *policy, struct policy *out,
                  struct err *err)
{
    static const struct list_rule models = {"models", "*._-/:@+", POLICY_PATTERNS_MAX, PATTERN_MAX,
                                            POLICY_PATTERNS_MAX * (PATTERN_MAX + 1)};
    static const struct list_rule tags = {"tags", "._-:/=@", POLICY_TAGS_MAX, TAG_MAX, TAGS_BYTES};

    out->zones = policy->zones;
    return one_spelling(arena, policy->models, &models, &out->models, err) &&
           one_spelling(arena, policy->tags, &tags, &out->tags, err);
}

bool name_check(struct str name, const char *whose, bool may_be_empty, struct err *err)
{
    if ((!name.len && !may_be_empty) || name.len > KEY_NAME_MAX)
        return err_set(err, ERR_INVALID, "name of a %s must have 1 to %u bytes", whose,
                       KEY_NAME_MAX);
    if (!utf8_valid(name))
        return err_set(err, ERR_INVALID, "name of a %s must be valid UTF-8", whose);
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] < ' ' || name.ptr[i] == 0x7f)
            return err_set(err, ERR_INVALID, "name of a %s must have no control characters", whose);
    return true;
}
