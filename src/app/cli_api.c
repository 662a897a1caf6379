/* weir status, weir api. */
#include "app/cli.h"
#include "app/openapi.h"

static bool api_schema(struct cli *cli, struct err *err)
{
    struct buf b;

    buf_init(&b, cli->arena, OPENAPI_BYTES_MAX);
    openapi_write(&b);
    return cli_print_buf(&b, err);
}

static const struct cli_command commands[] = {
    {"status", "show what runs", "", NULL, NULL, "GET", "/api/v1/status", NULL, NULL, NULL},
    {"api schema", "the OpenAPI 3.1 document of the API", "", NULL, api_schema, NULL, NULL, NULL,
     NULL, NULL},
};
const struct cli_part cli_api_part = {"Watching", commands, ARRAY_LEN(commands)};
