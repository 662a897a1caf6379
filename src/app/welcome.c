#include "app/welcome.h"

#include <stdio.h>
#include <string.h>

#include "accounts/directory.h"
#include "base/log.h"
#include "sys/clock.h"
#include "sys/path.h"

#define WELCOME_MEMORY (16 * MIB)

/* Beside the program (in a build), or where `make install` puts them. */
static bool find_examples(struct house *house, struct arena *arena, struct str *out)
{
    static const char *const places[] = {"../examples", "../share/weir/examples"};
    struct str wanted = house->settings->knowledge.examples, path = path_program(arena);
    struct file_info info;
    struct err err = {0};

    if (str_eq(wanted, STR("none")))
        return false;
    if (!str_eq(wanted, STR("auto"))) {
        *out = wanted;
        return true;
    }
    while (path.len > 0 && path.ptr[path.len - 1] != '/')
        path.len--;
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        struct str place = arena_fmt(arena, STR_FMT "%s/handbook", STR_ARG(path), places[i]);

        if (place.ptr && file_stat(place.ptr, &info, &err) && info.is_dir) {
            *out = place;
            return true;
        }
    }
    log_warn("the example handbook was not found beside the program: ingest documents with `weir "
             "ingest FOLDER`");
    return false;
}

/* True: there is a handbook to ask. */
static bool ingest_examples(struct house *house, struct arena *arena)
{
    struct ingest_report report;
    struct err err = {0};
    struct str path;

    if (!find_examples(house, arena, &path))
        return false;
    if (!knowledge_ingest(house->knowledge, arena, &(struct ingest_wish){.path = path}, &report,
                          &err)) {
        log_error("the example handbook was not ingested: %s", err.text);
        return false;
    }
    for (size_t i = 0; i < report.problem_count; i++)
        log_warn("not ingested: " STR_FMT ": " STR_FMT, STR_ARG(report.problems[i].path),
                 STR_ARG(report.problems[i].reason));
    log_info("ingested the example handbook: %u files, %" PRIu64 " passages", report.added,
             report.passages);
    return report.added > 0;
}

static bool make_key(struct house *house, struct arena *arena, const char *name, enum role role,
                     struct secret *token)
{
    const struct key_info wanted = {.name = str_from(name), .role = role};
    struct key_info key;
    struct hold none = {0};
    struct err err = {0};

    if (!key_create(house->accounts, &wanted, arena, &key, token, &err)) {
        log_error("the first key could not be made: %s", err.text);
        return false;
    }
    struct audit_record r = {
        .time = clock_wall(),
        .key_id = STR("k_local"),
        .tenant = key.tenant,
        .route = STR("first start"),
        .status = 201,
        .outcome = STR("complete"),
        .error = STR(""),
        .tokens_in = -1,
        .tokens_out = -1,
        .tokens_cached = -1,
        .note =
            arena_fmt(arena, "key " STR_FMT " created, role %s", STR_ARG(key.id), role_name(role)),
    };
    if (!accounts_record(house->accounts, &none, &r, &err))
        log_error("the first key was not recorded: %s", err.text);
    return true;
}

struct hello {
    const char *base;
    struct str admin, app, model;
    bool has_handbook;
};

static void say_how_to_ask(const struct hello *h)
{
    const char *question = h->has_handbook ? "How many days of annual leave do employees get?"
                                           : "Say hello.",
               *second = h->has_handbook ? "年假有多少天？" : "Say hello.";

    printf("%s:\n"
           "\n"
           "  curl %s/v1/chat/completions -H 'Authorization: Bearer " STR_FMT
           "' -H 'Content-Type: application/json' \\\n"
           "    -d '{\"model\":\"" STR_FMT "\",\"messages\":[{\"role\":\"user\",\"content\":\""
           "%s\"}]}'\n"
           "\n"
           "The same with the OpenAI SDK (npm install openai):\n"
           "\n"
           "  import OpenAI from \"openai\";\n"
           "  const weir = new OpenAI({ baseURL: \"%s/v1\", apiKey: \"" STR_FMT "\" });\n"
           "  console.log((await weir.chat.completions.create({ model: \"" STR_FMT
           "\", messages: [{ role: \"user\", content: \"%s\" }] "
           "})).choices[0].message.content);\n"
           "\n",
           h->has_handbook ? "Ask the example handbook" : "Ask a model", h->base, STR_ARG(h->app),
           STR_ARG(h->model), question, h->base, STR_ARG(h->app), STR_ARG(h->model), second);
}

/* To standard output, not to the log: keys are shown once and kept nowhere. */
static void say_hello(const struct hello *h)
{
    printf("\n"
           "Weir %s is ready on %s\n"
           "\n"
           "%s shown this once; Weir keeps only %s.\n"
           "  admin key   " STR_FMT "   (makes and revokes keys, ingests documents)\n",
           WEIR_VERSION, h->base, h->app.len ? "These two keys are" : "This key is",
           h->app.len ? "their hashes" : "its hash", STR_ARG(h->admin));
    if (h->app.len)
        printf("  app key     " STR_FMT "   (asks)\n\n", STR_ARG(h->app));
    else /* there is a key now, so the next start makes none */
        printf(
            "\nThe app key could not be made, the log says why: weir key create 'first app'\n\n");
    if (h->model.len && h->app.len)
        say_how_to_ask(h);
    printf("Your own documents: weir ingest FOLDER     A provider: docs/configuration.md     Help: "
           "weir help\n"
           "\n");
    if (fflush(stdout) != 0 || ferror(stdout))
        log_error(
            "the first keys could not be shown: standard output takes nothing; weir key create "
            "NAME --admin makes another, weir key revoke ends these");
}

void welcome(struct house *house, const char *listen)
{
    struct arena *arena CLEANUP(arena_end) = NULL;
    struct secret admin CLEANUP(secret_wipe) = {0}, app CLEANUP(secret_wipe) = {0};

    if (accounts_key_count(house->accounts) > 0)
        return;
    arena = arena_new(WELCOME_MEMORY);
    if (!arena) {
        log_error("no memory for the first start");
        return;
    }
    const struct settings *s = house->settings;
    struct hello hello = {.has_handbook = ingest_examples(house, arena)};

    hello.model = hello.has_handbook   ? s->knowledge.model
                  : s->model_count > 0 ? s->models[0].name
                                       : STR_NONE;
    if (!make_key(house, arena, "first admin", ROLE_OWNER, &admin))
        return;
    bool has_app = make_key(house, arena, "first app", ROLE_APP, &app);
    struct str base = arena_fmt(arena, "%s://%s", house->tls ? "https" : "http", listen);
    hello.base = base.ptr ? base.ptr : "";
    hello.admin = secret_reveal(&admin);
    hello.app = has_app ? secret_reveal(&app) : STR_NONE;
    say_hello(&hello);
}
