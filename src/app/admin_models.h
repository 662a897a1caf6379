/* app/admin_models.h: /api/v1/models in several files: looking (admin_models.c has the table of routes),
 * changing, and trying what a model can do. */
#ifndef WEIR_APP_ADMIN_MODELS_H
#define WEIR_APP_ADMIN_MODELS_H

#include "app/admin.h"
#include "models/models.h"

/* The model as it is now, with all there is to know, as the reply. */
SUSPENDS bool model_reply(struct admin_call *call, struct str name, struct err *err) MUST_CHECK;

/* admin_model_changes.c */
extern const struct schema model_new_schema, model_change_schema, model_retire_schema,
    model_removed_schema, price_row_schema;
SUSPENDS bool model_add(struct admin_call *call, struct err *err);
SUSPENDS bool model_patch(struct admin_call *call, struct err *err);
SUSPENDS bool model_retire(struct admin_call *call, struct err *err);
SUSPENDS bool model_remove(struct admin_call *call, struct err *err);

/* admin_model_test.c */
extern const struct schema model_test_schema, model_tested_schema;
SUSPENDS bool model_test(struct admin_call *call, struct err *err);

#endif
