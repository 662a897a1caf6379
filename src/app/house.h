/* app/house.h: the services of one Weir, opened in order and closed in the other.
 * Owner    main.  Threads  the services have their locks inside; house fields change only at open and
 *          close, but for `settings`, which loop 0 replaces on reload. */
#ifndef WEIR_APP_HOUSE_H
#define WEIR_APP_HOUSE_H

#include <stdatomic.h>

#include "accounts/audit_body.h"
#include "accounts/audit_keep.h"
#include "accounts/audit_tree.h"
#include "accounts/login.h"
#include "accounts/sessions.h"
#include "app/settings.h"
#include "cache/cache.h"
#include "gateway/gateway.h"
#include "gateway/telemetry.h"
#include "gateway/traces.h"
#include "knowledge/bases.h"
#include "net/redis.h"
#include "net/tls.h"
#include "store/instances.h"
#include "sys/file.h"
#include "sys/pool.h"

struct sources; /* knowledge/sources.h */
struct house {
    struct settings
        *settings;        /* replaced by loop 0, read by others while they hold the catalogue */
    atomic_bool changing; /* somebody holds the catalogue: house_models.h */
    bool reload_waits;    /* for the database, which a reload could not ask; of loop 0 */
    struct settings
        *running; /* those it was started with: what waits for a restart differs from them */
    const char *config_file; /* as named on the command line, or NULL */
    const char *const *environment;
    struct str dir;          /* of the data, as it was at the start: settings may say another */
    struct arena *arena;     /* paths; lives as long as the house */
    struct file *lock;       /* of the data directory */
    struct pool *disk;       /* audit syncs and other short blocking work */
    struct pool *log_writer; /* its own: a full pipe holds up nothing else */
    struct pool *documents;  /* searching and answering */
    struct pool *ingest;     /* reading and indexing: one run after another */
    struct pool *rows;       /* runs wait here for databases; NULL: no source is one */
    struct store *store;
    struct instances *instances;
    struct responses_store *responses;
    struct audit *audit;
    struct audit_tree *audit_tree;
    struct audit_keep *audit_keep;
    struct audit_bodies *audit_bodies;
    struct accounts *accounts;
    struct issuers *issuers;
    struct sessions *sessions;
    struct cursors *cursors; /* of pages of /v1 that were given out */
    struct logins *logins;   /* NULL: nobody can log in */
    struct str origin; /* of browsers: "https://weir.example.com"; empty when nobody logs in */
    struct bases *bases;
    atomic_int forgetting; /* orders to forget something that are on their way */
    dur_ns forget_wait;    /* knowledge.forget_wait */
    atomic_bool reading;   /* what was forgotten may be read still: house_held_look() has work */
    atomic_bool changed;   /* documents have other bytes: house_changed_loop() has work */
    atomic_bool attaching; /* files are on their way into bases: v1_attach_loop() has work */
    _Atomic wall_ms file_expires; /* when the next file of /v1/files is due; 0: not looked yet */
    struct knowledge *knowledge;  /* the default one of the bases */
    struct sources *sources;
    struct cache *cache;
    struct redis *redis;             /* NULL: none */
    struct snapshot *config;         /* of struct config */
    struct deployments *deployments; /* how the models fare, across reloads */
    struct gateway *gateway;
    struct telemetry *telemetry;
    struct traces *traces;
    struct tls_server *tls; /* NULL: in clear */
    wall_ms started;
};

/* Takes the settings over, also when it fails. Blocks: before any loop runs. */
bool house_open(struct settings **settings, struct house **out, struct err *err) MUST_CHECK;
void house_close(struct house **house);
/* A fiber's function: sources run by themselves. */
SUSPENDS void house_sources_loop(void *house);
/* "<data.dir>/name" in the house's arena, NUL-ended. */
const char *house_path(const struct house *house, const char *name);

/* What settings and store say about providers, models and answers, as requests will see it: made, then
 * published or unmade. */
struct house_config;
struct kept_models;                    /* models/kept_models.h */
struct snapshot *house_snapshot(void); /* of them, empty; NULL without memory */
bool house_make(struct house *house, const struct settings *settings,
                const struct kept_models *kept, struct house_config **out, struct err *err)
    MUST_CHECK;
void house_put(struct house *house, struct house_config *made);
void house_unmake(struct house_config *made);
/* The same settings with what the store says now; under catalogue_hold(). */
bool house_publish(struct house *house, struct err *err) MUST_CHECK;
/* Warns of tenants and teams that the settings name and that are not there. */
void house_check_names(struct house *house, const struct settings *settings);
/* Read the settings again and take them over, or keep the old ones and say why in the log. */
SUSPENDS void house_reload(struct house *house, const char *why);

#endif
