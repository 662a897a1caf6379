/* weir status, weir api. */
#include "app/cli.h"
#include "app/observe.h"
#include "app/openapi.h"
#include "base/metrics.h"

static bool api_schema(struct cli *cli, struct err *err)
{
    struct buf b;

    buf_init(&b, cli->arena, OPENAPI_BYTES_MAX);
    openapi_write(&b);
    return cli_print_buf(&b, err);
}

/* The page docs/metrics.md. */
static bool api_metrics(struct cli *cli, struct err *err)
{
    struct buf b;

    buf_init(&b, cli->arena, OPENAPI_BYTES_MAX);
    observe_register();
    buf_str(
        &b,
        STR("# Metrics\n\nMade from the tables by `make docs`. `GET /metrics` is OpenMetrics: "
            "counters end "
            "in `_total`, histograms have\n`_bucket`, `_sum` and `_count`. Labels are names of the "
            "settings, statuses and fixed words, never what a client made up; a metric\nhas at "
            "most 2,000 "
            "series, what is beyond goes to `_other`.\n\n"));
    metrics_docs(&b);
    return cli_print_buf(&b, err);
}

static const struct cli_command commands[] = {
    {"status", "show what runs", "", NULL, NULL, "GET", "/api/v1/status", NULL, NULL, NULL},
    {"api metrics", "the page docs/metrics.md", "", NULL, api_metrics, NULL, NULL, NULL, NULL,
     NULL},
    {"api schema", "the OpenAPI 3.1 document of the API", "", NULL, api_schema, NULL, NULL, NULL,
     NULL, NULL},
};
const struct cli_part cli_api_part = {"Watching", commands, ARRAY_LEN(commands)};
