/* accounts/strangers.c: a flood of wrong keys must not fill the audit log, and must not be silent either: the
 * first refusal of an address and kind of key in a minute has its own record, the others one together. */
#include <string.h>

#include "accounts/accounts_internal.h"
#include "base/log.h"
#include "sys/clock.h"

#define KIND_CHARS 6u
#define MINUTE_MS  ((wall_ms)60 * 1000)

/* "10.0.0.1 with keys wr_ab1..." What came as a key is never whole, and never more than text. */
static struct str name_of(char to[80], struct str address, struct str token)
{
    struct buf b;

    buf_init_fixed(&b, to, 79);
    for (size_t i = address.len; !str_starts(address, STR("unix:")) && i-- > 0;)
        if (address.ptr[i] == ':') { /* another port is the same stranger */
            address.len = i;
            break;
        }
    buf_str(&b, str_slice(address, 0, 50));
    buf_str(&b, token.len ? STR(" with keys ") : STR(" without a key"));
    for (size_t i = 0; i < MIN_OF(token.len, KIND_CHARS); i++) {
        char c = token.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '_' || c == '-';

        buf_char(&b, plain ? c : '?');
    }
    if (token.len)
        buf_str(&b, STR("..."));
    to[b.len] = 0;
    return buf_view(&b);
}

static struct stranger *find(struct accounts *accounts, struct str name, bool *known)
{
    struct stranger *spare = NULL;

    *known = true;
    for (size_t i = 0; i < STRANGERS_MAX - 1; i++) {
        struct stranger *s = &accounts->strangers[i];

        if (s->since && str_eq(str_from(s->name), name))
            return s;
        if (!s->since && !spare)
            spare = s;
    }
    *known = false;
    return spare ? spare : &accounts->strangers[STRANGERS_MAX - 1];
}

bool stranger_is_first(struct accounts *accounts, struct str address, struct str token, wall_ms now)
{
    char memory[80];
    struct str name = name_of(memory, address, token);
    bool known;

    mutex_lock(&accounts->strangers_lock);
    struct stranger *s = find(accounts, name, &known);
    bool others = s == &accounts->strangers[STRANGERS_MAX - 1];
    bool first = !known && !others;

    if (first) {
        *s = (struct stranger){.since = now};
        memcpy(s->name, memory, sizeof s->name);
    } else if (others && !s->since) {
        *s = (struct stranger){.name = "other addresses and kinds of keys", .since = now};
    }
    s->more += !first;
    mutex_unlock(&accounts->strangers_lock);
    return first;
}

static void record_one(struct accounts *accounts, const struct stranger *s, wall_ms now)
{
    char note[160];
    struct buf b;
    struct err err = {0};

    buf_init_fixed(&b, note, sizeof note);
    buf_u64(&b, s->more);
    buf_str(&b, STR(" more requests within a minute were refused: "));
    buf_str(&b, str_from(s->name));

    struct audit_record record = {.time = now,
                                  .route = STR("refused"),
                                  .status = 401,
                                  .outcome = STR("refused"),
                                  .error = STR("unauthenticated"),
                                  .tokens_in = -1,
                                  .tokens_out = -1,
                                  .tokens_cached = -1,
                                  .note = buf_view(&b)};

    if (!accounts_record(accounts, NULL, &record, &err))
        log_error("refused requests could not be recorded: %s", err.text);
}

void strangers_record(struct accounts *accounts, bool all, wall_ms now)
{
    for (size_t i = 0; i < STRANGERS_MAX; i++) {
        struct stranger *s = &accounts->strangers[i], over = {0};

        mutex_lock(&accounts->strangers_lock);
        if (s->since && (all || now >= s->since + MINUTE_MS || now < s->since)) {
            over = *s;
            *s = (struct stranger){0};
        }
        mutex_unlock(&accounts->strangers_lock);
        if (over.more)
            record_one(accounts, &over, now);
    }
}
