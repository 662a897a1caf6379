/* tests/quality/documents.h: sets of whole documents: what is found of them, and on which page. */
#ifndef WEIR_TESTS_QUALITY_DOCUMENTS_H
#define WEIR_TESTS_QUALITY_DOCUMENTS_H

#include "figures.h"
#include "sets.h"

/* Each in an index of its own below `dir`; a set whose folder is not below `data` is an error. */
bool cranfield_run(const char *dir, const char *data, struct figures *to, struct err *err)
    MUST_CHECK;
bool dragonball_run(const char *dir, const char *data, const char *language, struct figures *to,
                    struct err *err) MUST_CHECK;
/* The PDF files through their reader in its sandbox, as `weir ingest` does. */
bool financebench_run(const char *dir, const char *data, struct figures *to, struct err *err)
    MUST_CHECK;

#endif
