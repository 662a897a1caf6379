#include "feature_line.h"

#include <stdlib.h>

bool feature_line_next(FILE *file, size_t features, struct feature_line *out)
{
    static char line[4096];

    ASSERT(features <= FEATURES_MOST);
    while (fgets(line, sizeof line, file)) {
        unsigned right;
        int used = 0;

        if (sscanf(line, "%63s %u %u %u%n", out->set, &out->question, &out->article, &right,
                   &used) != 4)
            continue;
        out->right = right > 0;
        char *p = line + used;
        for (size_t f = 0; f < features; f++)
            out->x[f] = strtof(p, &p);
        return true;
    }
    return false;
}
