/* app/admin_forget.h: a receipt as the reply of a call, for all calls that remove for good. */
#ifndef WEIR_APP_ADMIN_FORGET_H
#define WEIR_APP_ADMIN_FORGET_H

#include "app/admin.h"
#include "app/forget.h"

extern const struct schema receipt_schema;
/* The reply, and the record's note with its hash. */
void reply_receipt(struct admin_call *call, const struct forget_order *order,
                   const struct forget_told *told);

#endif
