/* A knowledge base in a fresh directory, and files to put into it. */
#ifndef WEIR_TESTS_KNOWLEDGE_RIG_H
#define WEIR_TESTS_KNOWLEDGE_RIG_H

#include "knowledge/answer.h"
#include "knowledge/knowledge_internal.h"

struct rig {
    struct arena *arena;
    const char *dir; /* of the test; the base is in dir/base, documents in dir/docs */
    struct knowledge *knowledge;
};
bool rig_open(struct rig *rig);
bool rig_reopen(struct rig *rig);
void rig_close(struct rig *rig);
bool rig_write(struct rig *rig, const char *name, const char *text); /* below docs/ */
bool rig_write_bytes(struct rig *rig, const char *name, struct str bytes);
extern const char *const rig_reader[]; /* this program as the child that reads */
/* Ingest docs/ or a file below it; an empty report when it failed. */
struct ingest_report rig_ingest(struct rig *rig, const char *name);
size_t rig_documents(struct rig *rig); /* how many the base holds */
struct grounded rig_ask(struct rig *rig, const char *question);
const char *rig_path(struct rig *rig, const char *name); /* absolute, below the test's directory */

#endif
