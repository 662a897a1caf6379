/* app/house_people.h: two steps of opening the house (house.c). */
#ifndef WEIR_APP_HOUSE_PEOPLE_H
#define WEIR_APP_HOUSE_PEOPLE_H

#include "app/house.h"

bool house_open_issuers(struct house *house, struct err *err) MUST_CHECK;
bool house_open_sessions(struct house *house, struct err *err) MUST_CHECK;

#endif
