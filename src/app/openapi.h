/* app/openapi.h: the OpenAPI 3.1 document, made from the tables of routes and their shapes. */
#ifndef WEIR_APP_OPENAPI_H
#define WEIR_APP_OPENAPI_H

#include "base/buf.h"

#define OPENAPI_BYTES_MAX (4 * MIB)

void openapi_write(struct buf *out);

#endif
