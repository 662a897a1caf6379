/* Settings that name tenants and teams, which are made beside them: one that is not there is told, with its place
 * in the settings, at the start and at each reload. */
#include <stdio.h>

#include "accounts/directory.h"
#include "app/house.h"
#include "base/log.h"

#define NAMES_MEMORY ((size_t)256 * KIB)
#define TOLD_MAX     20 /* of one reading of the settings */

struct naming {
    struct house *house;
    const struct settings *settings;
    struct arena *arena;
    size_t told;
};

/* A place in a list of the settings. */
struct named_at {
    const char *list, *field;
    size_t item;
    bool is_team;
};

static void tell(struct naming *n, const struct named_at *at, struct str name)
{
    const char *kind = at->is_team ? "team" : "tenant";
    bool is_half = at->is_team && str_find_char(name, '/') == name.len;
    char path[100];

    if (n->told++ >= TOLD_MAX)
        return;
    snprintf(path, sizeof path, "%s.%zu.%s", at->list, at->item, at->field);
    log_warn(STR_FMT ": %s: no %s is called \"" STR_FMT
                     "\": this is for nobody until there is one%s",
             STR_ARG(settings_where(n->settings, path)), path, kind, STR_ARG(name),
             is_half       ? " (a team is named with its tenant, as acme/search)"
             : at->is_team ? " (`weir team create`)"
                           : " (`weir tenant create`)");
}

static void look(struct naming *n, const struct named_at *at, struct str names)
{
    for (struct str name; str_split(&names, ',', &name);) {
        size_t mark = arena_mark(n->arena);
        struct unit_info found = {0};
        struct err why = {0};

        name = str_trim(name);
        bool is_there = !name.len || unit_find(n->house->accounts, name, n->arena, &found, &why);
        if (!is_there && why.code != ERR_NOT_FOUND)
            log_warn("%s \"" STR_FMT "\" of the settings could not be looked for: %s",
                     at->is_team ? "team" : "tenant", STR_ARG(name), why.text);
        else if (!is_there || (name.len && found.is_team != at->is_team))
            tell(n, at, name);
        arena_rewind(n->arena, mark);
    }
}

void house_check_names(struct house *house, const struct settings *s)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(NAMES_MEMORY);
    struct naming n = {.house = house, .settings = s, .arena = arena};

    if (!arena) {
        log_warn("no memory to look whether the tenants and teams of the settings are there");
        return;
    }
    for (size_t i = 0; i < s->route_count; i++) {
        look(&n, &(struct named_at){"routes", "tenants", i, false}, s->routes[i].tenants);
        look(&n, &(struct named_at){"routes", "teams", i, true}, s->routes[i].teams);
    }
    for (size_t i = 0; i < s->price_count; i++)
        look(&n, &(struct named_at){"prices", "tenants", i, false}, s->prices[i].tenants);
    for (size_t i = 0; i < s->audit_tenant_count; i++)
        look(&n, &(struct named_at){"audit_tenants", "tenant", i, false},
             s->audit_tenants[i].tenant);
    for (size_t i = 0; i < s->issuer_count; i++)
        look(&n, &(struct named_at){"issuers", "tenant", i, false}, s->issuers[i].tenant);
    if (n.told > TOLD_MAX)
        log_warn("settings: ... and %zu more names of tenants and teams that are not there",
                 n.told - TOLD_MAX);
}
