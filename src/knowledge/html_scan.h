/* knowledge/html_scan.h: where tags of HTML begin, end and what they are called; no tree, every step forward.
 * s  the page up to where it is read; `at` counts from its beginning. */
#ifndef WEIR_KNOWLEDGE_HTML_SCAN_H
#define WEIR_KNOWLEDGE_HTML_SCAN_H

#include "base/str.h"

bool html_is_markup(struct str rest);             /* begins with what may be a tag or a comment */
struct str html_name(struct str s, uint32_t at);  /* from behind "<" or "</" */
uint32_t html_tag_end(struct str s, uint32_t at); /* behind ">", which quotes may hide */
uint32_t html_after(struct str s, uint32_t at,
                    struct str what); /* behind the next `what`, or the end */
uint32_t html_find_close(struct str s, uint32_t at, struct str name); /* of "</name", or the end */
/* Behind a comment, CDATA, declaration or instruction that begins at `at`; `at` when it is a tag. */
uint32_t html_skip_other(struct str s, uint32_t at);
/* XHTML by what it says of itself in its first kilobyte: in it `<title/>` is a whole element, elsewhere a beginning. */
bool html_is_xml(struct str page);
/* Of a tag's text between its name and ">": the value as written; STR_NONE: it has none of that name. */
struct str html_attribute(struct str tag, struct str name);

#endif
