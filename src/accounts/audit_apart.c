/* accounts/audit_apart.c: the list in a record of who costs something besides the one that answered. */
#include "accounts/audit.h"

#include <string.h>

#define ENTRY_MAX 400u /* two names of 128, a word, three numbers */

static const struct str more = {"…", sizeof "…" - 1};

/* As names of the catalogue are: what is not would grow on its way into a line. */
static bool is_plain(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~' || strchr("\"\\,", text.ptr[i]))
            return false;
    return text.len > 0;
}

void audit_apart_add(struct buf *to, const struct audit_apart *one)
{
    char memory[ENTRY_MAX];
    struct str said = buf_view(to);
    struct buf entry;

    if (str_ends(said, more))
        return;
    buf_init_fixed(&entry, memory, sizeof memory);
    buf_str(&entry, said.len ? STR(",") : STR(""));
    buf_fmt(&entry, STR_FMT " " STR_FMT " " STR_FMT " ", STR_ARG(one->deployment),
            STR_ARG(one->provider), STR_ARG(one->end));
    buf_usd(&entry, one->cost);
    if (one->tokens_in > 0 || one->tokens_out > 0)
        buf_fmt(&entry, " %" PRId64 " %" PRId64, one->tokens_in, one->tokens_out);
    if (buf_ok(&entry) && is_plain(one->deployment) && is_plain(one->provider) &&
        said.len + entry.len + more.len + 1 <= AUDIT_APART_MAX) {
        buf_str(to, buf_view(&entry));
        return;
    }
    buf_str(to, said.len ? STR(",") : STR(""));
    buf_str(to, more);
}

/* A number that need not be there. */
static bool read_tokens(struct str *rest, int64_t *out)
{
    struct str word;

    *out = 0;
    return !str_split(rest, ' ', &word) || (i64_parse(word, out) && *out >= 0);
}

bool audit_apart_next(struct str *rest, struct audit_apart *out)
{
    struct str entry, cost;
    struct audit_apart one = {0};

    return rest->len && str_split(rest, ',', &entry) && str_split(&entry, ' ', &one.deployment) &&
           str_split(&entry, ' ', &one.provider) && str_split(&entry, ' ', &one.end) &&
           str_split(&entry, ' ', &cost) && usd_parse(cost, &one.cost) && one.cost >= 0 &&
           read_tokens(&entry, &one.tokens_in) && read_tokens(&entry, &one.tokens_out) &&
           (*out = one, true);
}
