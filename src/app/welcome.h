/* app/welcome.h: the first start: make the first keys, ingest the examples, say what to do next, once. */
#ifndef WEIR_APP_WELCOME_H
#define WEIR_APP_WELCOME_H

#include "app/house.h"

/* Does nothing when keys exist. `listen` as bound. */
SUSPENDS void welcome(struct house *house, const char *listen);

#endif
