/* knowledge/package.h: the parts of an office file (ECMA-376 part 2): trees of XML that refer to each other.
 * Pure     everything in the arena of the archive. */
#ifndef WEIR_KNOWLEDGE_PACKAGE_H
#define WEIR_KNOWLEDGE_PACKAGE_H

#include "knowledge/rendition.h"
#include "knowledge/xml.h"
#include "knowledge/zip.h"

struct relation {
    struct str id, type, target; /* type: the address's last part; target: a part's name */
};
struct relations {
    struct relation *at;
    size_t count;
};

/* A part's bytes as UTF-8; ERR_NOT_FOUND "without a part ...". */
bool package_bytes(struct zip *zip, struct str part, struct str *out, struct err *err) MUST_CHECK;
bool package_tree(struct zip *zip, struct str part, const struct xml_node **out, struct err *err)
    MUST_CHECK;
/* *out is NULL when there is no such part, or no name for one. */
bool package_tree_if_any(struct zip *zip, struct str part, const struct xml_node **out,
                         struct err *err) MUST_CHECK;
/* "" stands for the package itself. Those that lead outside are left out. */
bool package_relations(struct zip *zip, struct str part, struct relations *out, struct err *err)
    MUST_CHECK;
struct str relation_target(const struct relations *relations, struct str id); /* or STR_NONE */
struct str relation_of_type(const struct relations *relations, const char *type);
/* A path beside another part: "../media/a.png" as word/document.xml means it. */
bool package_resolve(struct arena *arena, struct str beside, struct str target, struct str *out)
    MUST_CHECK;
/* Title of the core properties, unless it is one that programs write by themselves. */
bool package_title(struct zip *zip, struct rendering *to, struct err *err) MUST_CHECK;

#endif
