/* The program: `weir COMMAND`. What there is stands in cli.c's table of commands. */
#include "app/cli.h"

int main(int argc, char **argv, char **environment)
{
    return cli_main(argc, argv, environment);
}
