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

void losses_tell(struct json_writer *w, const struct losses *losses)
{
    if (losses->count) {
        jw_key(w, "dropped");
        jw_array(w);
        for (uint32_t i = 0; i < losses->count; i++)
            jw_str(w, str_slice(losses->fields[i], 0, 100));
        jw_array_end(w);
    }
    if (losses->more) {
        jw_key(w, "dropped_more");
        jw_u64(w, losses->more);
    }
    if (losses->max_tokens_assumed) {
        jw_key(w, "assumed");
        jw_object(w);
        jw_key(w, "max_tokens");
        jw_i64(w, losses->max_tokens_assumed);
        jw_object_end(w);
    }
}
