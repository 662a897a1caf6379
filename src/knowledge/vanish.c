#include "knowledge/vanish.h"

#include "knowledge/knowledge_internal.h"

bool knowledge_vanish(struct knowledge *k, struct ingest_report *report, struct err *err)
{
    struct vanish_order *order = report->vanish;

    report->vanish = NULL;
    if (!order || k->vanish.end(k->vanish.ctx, order, report->vanished, err))
        return true;
    return err_wrap(err, "what was made from documents that their source no longer has");
}
