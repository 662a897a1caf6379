/* The program: `weir COMMAND`. What there is stands in cli.c's table of commands. */
#include "app/cli.h"
#include "sys/process.h"

int main(int argc, char **argv, char **environment)
{
    standard_streams_open();
    return cli_main(argc, argv, environment);
}
