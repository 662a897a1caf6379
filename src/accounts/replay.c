/* accounts/replay.c: what was spent since the store was told last, from the audit log, at start. Usage comes
 * back with the first flush, which reads the log where its pages have a gap. */
#include "accounts/accounts_internal.h"
#include "accounts/audit_internal.h"
#include "base/log.h"

#define REPLAY_BYTES ((size_t)4 * MIB)

struct replay {
    struct accounts *accounts;
    struct arena *arena;
};

static void replay_one(struct accounts *accounts, struct account *account, uint64_t seq,
                       const struct audit_record *record)
{
    if (seq <= account->stored_seq || account->unsummed)
        return;
    spend_add(&account->spend, record->time, record->cost);
    account_touch(accounts, account);
}

static bool replay_line(void *ctx, uint64_t seq, struct str line, struct err *err)
{
    struct replay *replay = ctx;
    struct accounts *accounts = replay->accounts;
    size_t mark = arena_mark(replay->arena);
    struct audit_record record;

    if (!audit_line_read(replay->arena, line, &record, err))
        return err_wrap(err, "audit record %" PRIu64, seq);

    struct key_state *key = table_get(&accounts->by_id, record.key_id);
    struct unit *team = record.team.len ? units_get(accounts, record.team) : NULL;
    struct unit *tenant = units_get(accounts, record.tenant);

    if (key) {
        replay_one(accounts, &key->account, seq, &record);
        if (team)
            replay_one(accounts, &team->account, seq, &record);
        if (tenant)
            replay_one(accounts, &tenant->account, seq, &record);
    }
    arena_rewind(replay->arena, mark);
    return true;
}

/* The books of the store must not be ahead of the log, else what is recorded next would count as
 * included already. It happens when somebody took the log away. */
static bool step_back(struct accounts *accounts, uint64_t last, struct err *err)
{
    const struct value values[] = {V_INT((int64_t)last), V_TEXT(store_instance(accounts->store))};
    const struct statement updates[] = {
        {"UPDATE instance_balances SET audit_seq = ?1 WHERE audit_seq > ?1 AND instance = ?2",
         values, ARRAY_LEN(values)},
        {"UPDATE instance_ledger SET audit_seq = ?1 WHERE audit_seq > ?1 AND instance = ?2", values,
         ARRAY_LEN(values)},
        {"UPDATE instance_ledger SET usage_seq = ?1 WHERE usage_seq > ?1 AND instance = ?2", values,
         ARRAY_LEN(values)},
    };

    log_error("audit log ends at record %" PRIu64 ", but spend was stored up to record %" PRIu64
              ": records are missing",
              last, accounts->stored_seq);
    accounts->stored_seq = last;
    return store_write_now(accounts->store, updates, ARRAY_LEN(updates), NULL, err);
}

/* A tenant from before tenants were summed: what its keys have come to. Their rows include records of
 * their own, so no sequence of the store would do for the sum. */
static void sum_key(struct spend *sum, const struct spend *s)
{
    if (s->day > sum->day) {
        sum->day = s->day;
        sum->in_day = 0;
    }
    if (s->month > sum->month) {
        sum->month = s->month;
        sum->in_month = 0;
    }
    sum->in_day += s->day == sum->day ? s->in_day : 0;
    sum->in_month += s->month == sum->month ? s->in_month : 0;
    sum->total += s->total;
    sum->last_used = MAX_OF(sum->last_used, s->last_used);
}

static void sum_tenant(struct accounts *accounts, struct unit *tenant)
{
    if (accounts->house->tenant == tenant)
        sum_key(&tenant->account.spend, &accounts->house->account.spend);
    for (struct key_state *key = accounts->first; key; key = key->next)
        if (key->tenant == tenant)
            sum_key(&tenant->account.spend, &key->account.spend);
    tenant->account.unsummed = false;
    account_touch(accounts, &tenant->account);
}

static bool replay(struct accounts *accounts, uint64_t from, uint64_t last, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(REPLAY_BYTES);
    struct arena *lines CLEANUP(arena_end) = arena_new(REPLAY_BYTES);
    struct replay replay = {.accounts = accounts, .arena = lines};

    if (!arena || !lines)
        return err_no_room(err, "no memory to replay the audit log");
    if (!audit_read(arena, audit_dir(accounts->audit), from, replay_line, &replay, err))
        return err_wrap(err, "replay the audit log");
    log_info("spend was not written back in order; recovered from audit records %" PRIu64
             " to %" PRIu64,
             from, last);
    return true;
}

bool accounts_replay(struct accounts *accounts, struct err *err)
{
    uint64_t last = audit_last_seq(accounts->audit), from = accounts->stored_seq + 1;

    if (last < accounts->stored_seq) {
        if (!step_back(accounts, last, err))
            return false;
    } else if (last >= from && !replay(accounts, from, last, err)) {
        return false;
    }
    for (struct unit *unit = accounts->first_unit; unit; unit = unit->next)
        if (unit->account.unsummed)
            sum_tenant(accounts, unit);
    return true;
}
