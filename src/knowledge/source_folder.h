/* knowledge/source_folder.h: a file or a folder of this machine as a source. */
#ifndef WEIR_KNOWLEDGE_SOURCE_FOLDER_H
#define WEIR_KNOWLEDGE_SOURCE_FOLDER_H

#include "knowledge/intake.h"

struct folder_options {
    const struct ingest_wish *wish; /* its path: which */
    struct str include, exclude;    /* patterns below it (source_glob.h); empty: all, none */
    uint32_t delete_percent;        /* as struct intake_options has it */
    struct run_slot *run;
};
/* Blocks. The report's lists are in the arena; it is filled, as far as it came, on failure too. */
bool folder_ingest(struct knowledge *knowledge, struct arena *arena,
                   const struct folder_options *options, struct ingest_report *out, struct err *err)
    MUST_CHECK;

#endif
