/* app/house_people.c: those whose tokens are believed, and people who log in at them. */
#include "app/house_people.h"

static bool read_issuer(struct house *house, const struct issuer_settings *from,
                        struct issuer_options *to, struct err *err)
{
    static const enum role roles[] = {ROLE_APP, ROLE_APP, ROLE_DEVELOPER, ROLE_AUDITOR};
    struct arena *a = house->arena;
    struct http_trust *trust = NULL;

    if (from->ca_file.len) {
        trust = arena_alloc(a, sizeof *trust);
        struct str path = arena_str(a, from->ca_file);

        if (!trust || !path.ptr)
            return err_arena(err, a);
        if (!http_trust_read(path.ptr, trust, err))
            return err_wrap(err, "ca_file");
    }
    *to = (struct issuer_options){.name = arena_str(a, from->name),
                                  .url = arena_str(a, from->url),
                                  .audience = arena_str(a, from->audience),
                                  .jwks_url = arena_str(a, from->jwks_url),
                                  .trust = trust,
                                  .skew = from->skew,
                                  .refresh = from->refresh,
                                  .stale = from->stale,
                                  .timeout = from->timeout,
                                  .tenant = arena_str(a, from->tenant),
                                  .tenant_claim = arena_str(a, from->tenant_claim),
                                  .team_claim = arena_str(a, from->team_claim),
                                  .role_claim = arena_str(a, from->role_claim),
                                  .role_prefix = arena_str(a, from->role_prefix),
                                  .client_id = arena_str(a, from->client_id),
                                  .client_secret = &from->client_secret, /* of house->running */
                                  .client_auth = (enum client_auth)from->client_auth,
                                  .scopes = arena_str(a, from->scopes),
                                  .has_default_role = from->default_role > 0,
                                  .default_role = roles[from->default_role]};
    return settings_algorithms(from->algorithms, &to->algs, err);
}

bool house_open_issuers(struct house *house, struct err *err)
{
    const struct settings *s = house->settings;
    struct issuer_options *options = arena_array(house->arena, s->issuer_count, sizeof *options);

    if (!options)
        return err_arena(err, house->arena);
    for (size_t i = 0; i < s->issuer_count; i++)
        if (!read_issuer(house, &s->issuers[i], &options[i], err))
            return err_wrap(err, "issuer \"" STR_FMT "\"", STR_ARG(s->issuers[i].name));
    if (!issuers_new(house->accounts, options, s->issuer_count, &house->issuers, err))
        return false;
    if (s->issuer_count)
        accounts_trust(house->accounts, house->issuers);
    return true;
}

static bool open_logins(struct house *house, struct err *err)
{
    const struct settings *s = house->settings;
    struct arena *a = house->arena;
    struct str url = s->login.url;
    bool wanted = false;

    for (size_t i = 0; i < s->issuer_count; i++)
        wanted |= s->issuers[i].client_id.len > 0;
    if (!wanted)
        return true;
    while (str_ends(url, STR("/")))
        url.len--;

    const struct login_options options = {
        .accounts = house->accounts,
        .issuers = house->issuers,
        .callback = arena_fmt(a, STR_FMT "/auth/callback", STR_ARG(url)),
        .home = arena_fmt(a, STR_FMT "/auth/me", STR_ARG(url)),
        .timeout = s->login.timeout,
        .per_minute = (uint32_t)s->login.per_minute,
        .per_minute_address = (uint32_t)s->login.per_address,
    };

    house->origin = arena_str(a, url);
    if (!options.callback.ptr || !options.home.ptr || !house->origin.ptr)
        return err_arena(err, a);
    return logins_new(&options, &house->logins, err);
}

/* Also where nobody logs in: who did before can be seen, and ended. */
bool house_open_sessions(struct house *house, struct err *err)
{
    const struct settings *s = house->settings;
    const struct session_options options = {
        .accounts = house->accounts,
        .store = house->store,
        .lifetime = s->login.lifetime,
        .idle = s->login.idle,
        .remember = s->login.remember,
        .total_max = (uint32_t)s->login.sessions,
        .person_max = (uint32_t)s->login.sessions_per_person,
    };

    return sessions_new(&options, &house->sessions, err) && open_logins(house, err);
}
