#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>

/* The worker dies here and the supervisor restarts it. Nothing is unwound: state that broke a
 * promise must not be written anywhere. */
void assert_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, what);
    abort();
}
