/* weir model. */
#include "app/cli.h"

static bool test_model(struct cli *cli, struct err *err);

#define FACTS                                                                                      \
    {"--remote-name", CLI_TEXT, "NAME", "remote_name", "what the provider calls it"},              \
        {"--price-input", CLI_USD, "USD", "price_input_usd", "for a million prompt tokens"},       \
        {"--price-output", CLI_USD, "USD", "price_output_usd", "for a million completion tokens"}, \
        {"--price-cached", CLI_USD, "USD", "price_cached_usd", "of tokens it had cached"},         \
        {"--price-cache-write", CLI_USD, "USD", "price_cache_write_usd",                           \
         "of those it wrote to it"},                                                               \
        {"--price-cache-write-long", CLI_USD, "USD", "price_cache_write_long_usd", "for an hour"}, \
        {"--price-reasoning", CLI_USD, "USD", "price_reasoning_usd", "of reasoning tokens"},       \
        {"--price-audio-input", CLI_USD, "USD", "price_audio_input_usd",                           \
         "of tokens that are audio"},                                                              \
        {"--price-audio-output", CLI_USD, "USD", "price_audio_output_usd", "of those it says"},    \
        {"--price-image-input", CLI_USD, "USD", "price_image_input_usd", "of tokens of images"},   \
        {"--price-request", CLI_USD, "USD", "price_request_usd", "for each request"},              \
        {"--price-row", CLI_ROW, "ROW", "prices",                                                  \
         "'{hours: 16:30-00:30, price_input: 1}' as in the settings' prices; again: one more"},    \
        {"--cache", CLI_TEXT, "RULE", "cache",                                                     \
         "default, off, asked or on: whether answers are kept"},                                   \
        {"--file", CLI_FILE, "FILE", "models",                                                     \
         "its row of the settings' models, and prices: a list of its rows; -: standard input"},    \
        {"--output-tokens", CLI_COUNT, "N", "output_tokens_max", "set aside for an answer"},       \
        {"--window", CLI_COUNT, "N", "window", "tokens of prompt and answer; 0: not known"},       \
        {"--at-once", CLI_COUNT, "N", "in_flight_max", "requests at once, 0 is unlimited"},        \
        {"--abilities", CLI_LIST, "A,B", "abilities", "stream, tools, ...; \"\": as its kind"},    \
        {"--zone", CLI_TEXT, "ZONE", "zone", "local, trusted or public"},                          \
        {"--lifecycle", CLI_TEXT, "WORD", "lifecycle", "active, preview, deprecated, retired"},    \
        {"--licence", CLI_TEXT, "TEXT", "licence", "under which it may be used"},                  \
        {"--provider", CLI_TEXT, "NAME", "provider", "one of the settings' providers"},            \
    {                                                                                              \
        "--successor", CLI_TEXT, "NAME", "successor", "the model to ask in its place"              \
    }

static const struct cli_option add[] = {FACTS, {0}};
static const struct cli_option change[] = {
    FACTS,
    {"--no-price-rows", CLI_SWITCH, NULL, "prices=[]", "its plain prices alone, from now on"},
    {"--unpin", CLI_SWITCH, NULL, "pinned=false", "forget what a test measured"},
    {0}};
static const struct cli_option retire[] = {
    {"--successor", CLI_TEXT, "NAME", "successor", "the model that clients are told to ask"},
    {0}};

static const struct cli_option test[] = {
    {"--dry-run", CLI_SWITCH, NULL, "dry_run", "pin nothing"},
    {"--only", CLI_LIST, "A,B", "only", "abilities to try: tools, json, ...; default: all"},
    {0}};

static const char *const columns[] = {"name",
                                      "provider",
                                      "remote_name",
                                      "zone",
                                      "lifecycle",
                                      "breaker",
                                      "in_flight",
                                      "origin",
                                      "price_input_usd",
                                      "price_output_usd",
                                      "price_rows",
                                      "url",
                                      NULL};

static const struct cli_command commands[] = {
    {"model list", "show what clients may ask for",
     "Models come from the settings (docs/configuration.md) and from `weir model add`.\n", NULL,
     NULL, "GET", "/api/v1/models", NULL, columns, NULL},
    {"model add NAME", "serve another model, at once",
     "  weir model add gpt-4o --provider openai --price-input 2.50 --price-output 10\n"
     "  weir model add deepseek-chat --file deepseek.yaml\n"
     "The file says what a row of the settings' models says, with its rows of prices under "
     "prices.\n"
     "Kept in the store, beside the models of the settings; its provider stands in the settings.\n",
     add, NULL, "POST", "/api/v1/models", "NAME=name", NULL, "{name} added", true},
    {"model change NAME", "change one that was added; the lifecycle of any",
     "  weir model change gpt-4o --price-input 2.00\n"
     "  weir model change gpt-4 --lifecycle active       take it back into service\n",
     change, NULL, "PATCH", "/api/v1/models/{NAME}", NULL, NULL, "{name} changed"},
    {"model retire NAME", "refuse it from now on, and name its successor",
     "  weir model retire gpt-4 --successor gpt-4o\n", retire, NULL, "POST",
     "/api/v1/models/{NAME}/retire", NULL, NULL, "{name} retired"},
    {"model test NAME", "ask it what it can do, pin what works, say what it cost",
     "  weir model test gpt-4o --only tools,schema --dry-run\n"
     "Small questions through the gateway, paid and recorded like any. Routes go by what was "
     "found.\n",
     test, test_model, "POST", "/api/v1/models/{NAME}/test", NULL, NULL, NULL},
    {"model remove NAME", "take one that was added away", "", NULL, NULL, "DELETE",
     "/api/v1/models/{NAME}", NULL, NULL, "{name} removed"},
    {"model show NAME", "show one: what it can do and how it fares",
     "Abilities, window, lifecycle, prices now, breaker, requests in flight, latency.\n", NULL,
     NULL, "GET", "/api/v1/models/{NAME}", NULL, NULL, NULL},
};
const struct cli_part cli_models_part = {"Models", commands, ARRAY_LEN(commands)};

static SUSPENDS bool print_test(struct cli *cli, struct err *err)
{
    struct json *j;
    json_ref root;

    if (!cli_send(cli, &j, err))
        return false;
    if (cli->json) {
        cli_print_json(j);
        return true;
    }
    root = json_root(j);
    for (json_ref t = json_first(j, json_get(j, root, STR("trials"))); t; t = json_next(j, t)) {
        printf("%-16.*s %-8.*s $" STR_FMT "  ", STR_ARG(cli_text(cli, j, t, "ability")),
               STR_ARG(cli_text(cli, j, t, "works")), STR_ARG(cli_text(cli, j, t, "cost_usd")));
        cli_print_line(cli_text(cli, j, t, "detail"));
        printf("\n");
    }
    struct str window = cli_text(cli, j, root, "window_reported");
    if (!str_eq(window, STR("0")))
        printf("window as its provider reports it: " STR_FMT " tokens\n", STR_ARG(window));
    printf("it cost $" STR_FMT "; %s\n", STR_ARG(cli_text(cli, j, root, "cost_usd")),
           str_eq(cli_text(cli, j, root, "pinned"), STR("true")) ? "routes go by this from now on"
                                                                 : "nothing was pinned");
    return true;
}

static bool test_model(struct cli *cli, struct err *err)
{
    return cli_with_weir(cli, print_test, err);
}
