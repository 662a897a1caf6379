/* Certificates that the settings name. Not at a reload: there the old ones go on, and the log says so. */
#include "app/settings_internal.h"
#include "net/http_client.h"
#include "net/tls.h"

static void check_authorities(struct reading *r, const char *path, struct str file)
{
    struct http_trust trust;
    struct err err = {0};

    if (file.len > 0 && !http_trust_read(file.ptr, &trust, &err))
        settings_wrong(r, path, err.text);
}

static void check_own(struct reading *r)
{
    const struct settings *s = r->settings;
    struct tls_server_options options = {
        .certificate_file = s->server.tls_certificate.ptr,
        .key_file = s->server.tls_key.ptr,
        .client_ca_file = s->server.tls_client_ca.len ? s->server.tls_client_ca.ptr : NULL,
    };
    struct tls_server *tls = NULL;
    struct err err = {0};

    if (s->server.tls_key.len == 0)
        return;
    if (tls_server_new(&options, &tls, &err))
        tls_server_free(&tls);
    else
        settings_wrong(r, "server.tls_certificate", err.text);
}

void settings_check_files(struct reading *r)
{
    const struct settings *s = r->settings;
    char path[SETTING_PATH_MAX];

    check_own(r);
    if (s->telemetry.endpoint.len > 0)
        check_authorities(r, "telemetry.ca_file", s->telemetry.ca_file);
    if (str_starts(s->cache.redis, STR("rediss://")))
        check_authorities(r, "cache.redis_ca", s->cache.redis_ca);
    for (size_t i = 0; i < s->provider_count; i++) {
        setting_path(path, settings_section("providers"), (long)i, STR("ca_file"));
        check_authorities(r, path, s->providers[i].ca_file);
    }
    for (size_t i = 0; i < s->issuer_count; i++) {
        setting_path(path, settings_section("issuers"), (long)i, STR("ca_file"));
        check_authorities(r, path, s->issuers[i].ca_file);
    }
}
