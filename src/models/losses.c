#include "models/dialect.h"

bool losses_note(struct losses *losses, struct str field, const char *why, struct err *err)
{
    ASSERT(losses && field.ptr);
    if (losses->refuse)
        return err_set(err, ERR_INVALID,
                       STR_FMT ": %s; leave it out, or let the provider's setting \"unsupported\" "
                               "be \"drop\"",
                       STR_ARG(str_slice(field, 0, 100)), why);
    for (uint32_t i = 0; i < losses->count; i++)
        if (str_eq(losses->fields[i], field))
            return true;
    if (losses->count < LOSSES_MAX)
        losses->fields[losses->count++] = field;
    else
        losses->more++;
    return true;
}
