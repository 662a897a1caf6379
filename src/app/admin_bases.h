/* app/admin_bases.h: knowledge bases as handlers reach them. */
#ifndef WEIR_APP_ADMIN_BASES_H
#define WEIR_APP_ADMIN_BASES_H

#include "app/admin.h"
#include "knowledge/bases.h"

/* The base of that name, for who calls: ERR_NOT_FOUND when it is not theirs to see, ERR_DENIED when they may
 * see it and wish to change it but may not. base_release() it. */
SUSPENDS bool call_base(struct admin_call *call, struct str name, bool change, struct base **out,
                        struct err *err) MUST_CHECK;
/* The same, for looking at what is in it: by who may change it, or may ask it; `text`: by who may ask it. */
SUSPENDS bool call_base_read(struct admin_call *call, struct str name, bool text, struct base **out,
                             struct err *err) MUST_CHECK;
/* The same, for looking at what comes into it and from where: that names documents whoever may read them, so it is for
 * who may change it alone. */
SUSPENDS bool call_base_intake(struct admin_call *call, struct str name, struct base **out,
                               struct err *err) MUST_CHECK;
/* A question to a base, asked through the gateway as the model that answers from documents: allowed, counted and
 * recorded as any. */
struct asking {
    struct str base; /* by name or id */
    struct str text;
    struct str filter; /* JSON, or empty */
    int64_t search;    /* so many passages; 0: an answer */
    bool scored;       /* ... with how likely each answers, */
    double least;      /* ... none below this, */
    bool unranked;     /* ... as they were found */
};
SUSPENDS bool call_ask(struct admin_call *call, const struct asking *asking, struct json **out,
                       struct err *err) MUST_CHECK;
/* The documents of it that the caller's list shows: all to who may change them, else what they may read. */
const struct principal *call_reader(const struct admin_call *call, const struct base_info *info);

extern const struct schema document_schema; /* of a document, as lists show it */
void reply_document(struct json_writer *w, const struct document_info *document);
/* "a, b" or lines, as forms and queries say it. */
bool form_readers(struct admin_call *call, struct str text, struct str *out, struct err *err)
    MUST_CHECK;
bool form_metadata(struct admin_call *call, struct str text, struct str *out, struct err *err)
    MUST_CHECK;

#endif
