/* What the settings say of people: whose tokens are believed, and where browsers log in. */
#include "accounts/jwt.h"
#include "app/settings_internal.h"
#include "net/http_client.h"

bool settings_algorithms(struct str list, uint32_t *out, struct err *err)
{
    uint32_t algs = 0;
    enum jwt_alg alg;

    for (struct str name; str_split(&list, ' ', &name);) {
        if (!jwt_alg_parse(name, &alg))
            return err_set(err, ERR_INVALID,
                           "\"" STR_FMT "\" is no signature that is known (names stand with a "
                           "blank between)",
                           STR_ARG(str_slice(name, 0, 40)));
        algs |= 1u << alg;
    }
    *out = algs;
    return true;
}

/* Whoever listens on the way would have the session: in the clear only within this machine. */
static bool is_private(const struct http_url *to)
{
    static const char *const own[] = {"localhost", "127.0.0.1", "::1"};

    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (!to->tls && str_eq(to->host, str_from(own[i])))
            return true;
    return to->tls;
}

/* An origin (RFC 6454): browsers send it as it stands here. */
static void check_url(struct reading *r)
{
    struct str url = r->settings->login.url;
    struct err ignored = {0};
    struct http_url to;

    while (str_ends(url, STR("/")))
        url.len--;
    if (!http_url_parse(url, &to, &ignored))
        return; /* told already: it is a URL, or was refused */
    if (to.path.len)
        settings_wrong(r, "login.url", "is scheme, host and port alone, without a path");
    else if (!is_private(&to))
        settings_wrong(r, "login.url", "has to be https (http for localhost only)");
}

/* The keys decide who is believed. */
static void check_way_of_keys(struct reading *r, size_t i)
{
    const struct issuer_settings *from = &r->settings->issuers[i];
    bool apart = from->jwks_url.len > 0;
    char path[SETTING_PATH_MAX];
    struct err ignored = {0};
    struct http_url to;

    setting_path(path, settings_section("issuers"), (long)i, apart ? STR("jwks_url") : STR("url"));
    if (http_url_parse(apart ? from->jwks_url : from->url, &to, &ignored) && !is_private(&to) &&
        !str_starts(to.host, STR("unix:")))
        settings_doubtful(r, path,
                          "its keys are fetched in the clear: whoever is on the way can make "
                          "tokens; use https");
}

static void check_issuer(struct reading *r, size_t i)
{
    const struct settings *s = r->settings;
    const struct section *section = settings_section("issuers");
    char path[SETTING_PATH_MAX];
    struct err err = {0};
    uint32_t algs;

    setting_path(path, section, (long)i, STR("algorithms"));
    if (!settings_algorithms(s->issuers[i].algorithms, &algs, &err))
        settings_wrong(r, path, err.text);
    setting_path(path, section, (long)i, STR("name"));
    for (size_t j = 0; j < i; j++)
        if (s->issuers[i].name.len && str_eq(s->issuers[i].name, s->issuers[j].name)) {
            settings_wrong(r, path, "another issuer has this name");
            break;
        }
    setting_path(path, section, (long)i, STR("client_id"));
    if (s->issuers[i].client_id.len && !s->login.url.len && settings_is_sound(r, "login.url"))
        settings_wrong(r, path, "needs login.url, where browsers reach this Weir");
    check_way_of_keys(r, i);
}

void settings_check_people(struct reading *r)
{
    bool logins = false;

    for (size_t i = 0; i < r->settings->issuer_count; i++) {
        check_issuer(r, i);
        logins |= r->settings->issuers[i].client_id.len > 0;
    }
    if (logins && r->settings->login.url.len)
        check_url(r);
}
