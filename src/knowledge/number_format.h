/* knowledge/number_format.h: numbers of a sheet as its program shows them: dates, percent, currency, decimals.
 * Source   ECMA-376 part 1, 18.8.30 and 18.8.31. Conditions, colours and fractions are passed over: the
 *          number is then shown whole, with its sign where another colour stood for that. Month and day
 *          names are English. */
#ifndef WEIR_KNOWLEDGE_NUMBER_FORMAT_H
#define WEIR_KNOWLEDGE_NUMBER_FORMAT_H

#include "base/buf.h"

/* What the numbers 0 to 163 stand for; "" is General. Those that differ by country are ISO dates here. */
struct str number_format_of(uint32_t id);
/* `from_1904`: the day count begins there. */
void number_format(struct buf *to, double value, struct str code, bool from_1904);

#endif
