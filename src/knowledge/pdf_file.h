/* knowledge/pdf_file.h: what pdf_file.c and pdf_object.c share. */
#ifndef WEIR_KNOWLEDGE_PDF_FILE_H
#define WEIR_KNOWLEDGE_PDF_FILE_H

#include "knowledge/pdf_object.h"

/* Looks for objects in all of the file, once; their newest places replace what tables said. */
void pdf_search(struct pdf *pdf);

#endif
