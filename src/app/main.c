/* The program: `weir COMMAND`. What there is stands in cli.c's table of commands. */
#include <string.h>

#include "app/cli.h"
#include "knowledge/readers.h"
#include "sys/process.h"

int main(int argc, char **argv, char **environment)
{
    standard_streams_open();
    if (argc > 1 && strcmp(argv[1], READER_WORD) == 0) /* a child of ours, not a command */
        return reader_main(argc, argv);
    return cli_main(argc, argv, environment);
}
