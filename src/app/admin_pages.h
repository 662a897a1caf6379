/* app/admin_pages.h: refusals of pages, for people. */
#ifndef WEIR_APP_ADMIN_PAGES_H
#define WEIR_APP_ADMIN_PAGES_H

#include "app/admin.h"

/* A page was asked for by something that shows pages: programs get problems in JSON. */
bool page_was_asked(const struct admin_call *call);
/* Who is nobody yet goes to log in and comes back to the passage, where people log in; everybody else is told
 * why, and how to get in. Gives the status that was answered. */
SUSPENDS int page_refuse(struct admin_call *call, int status, const struct err *err);

#endif
