/* The next version of Weir, as far as a rolling upgrade can tell: src/app/house.c is built once more with this
 * list in place of accounts_migrations. It has one migration more, which only adds. */
#include "accounts/accounts.h"

#define MOST 64

extern struct migration next_migrations[MOST];
extern size_t next_migration_count;

struct migration next_migrations[MOST];
size_t next_migration_count;

static const struct migration one_more = {
    "next", 1, "a note", "ALTER TABLE keys ADD COLUMN next_note TEXT NOT NULL DEFAULT ''", 0};

__attribute__((constructor)) static void join(void)
{
    ASSERT(accounts_migration_count < MOST);
    for (size_t i = 0; i < accounts_migration_count; i++)
        next_migrations[next_migration_count++] = accounts_migrations[i];
    next_migrations[next_migration_count++] = one_more;
}
