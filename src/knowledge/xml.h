/* knowledge/xml.h: the XML of office files: a pull parser over bytes in memory, and small trees made by it.
 * Names     local ones: prefixes differ between programs that write the same format.
 * Text      references of XML and HTML are resolved; what a DOCTYPE declares is not read at all, so there
 *           is nothing to expand and nothing to load.
 * Bounds    depth XML_DEPTH_MAX, attributes XML_ATTRIBUTES_MAX an element; else the arena.
 * Errors    ERR_INVALID with the byte, for what is not well-formed; ERR_TOO_LARGE for the bounds.
 * Pure      everything in the caller's arena; views into the source where nothing was replaced. */
#ifndef WEIR_KNOWLEDGE_XML_H
#define WEIR_KNOWLEDGE_XML_H

#include "base/arena.h"

#define XML_DEPTH_MAX      200
#define XML_ATTRIBUTES_MAX 100

struct xml_attribute {
    struct str prefix, name, value;
};

enum xml_event { XML_OPEN, XML_CLOSE, XML_TEXT, XML_END };

struct xml {
    struct arena *arena;
    struct str source;
    size_t at;
    struct str name; /* of what was opened or closed, without prefix */
    struct str text; /* of XML_TEXT */
    struct xml_attribute attributes[XML_ATTRIBUTES_MAX];
    size_t attribute_count;
    int depth;
    bool close_follows;             /* <a/> */
    struct str open[XML_DEPTH_MAX]; /* with prefix */
};

struct xml *xml_new(struct arena *arena, struct str source); /* NULL: memory is gone */
bool xml_next(struct xml *x, enum xml_event *event, struct err *err) MUST_CHECK;
/* Skip to the end of the element that was just opened. */
bool xml_skip(struct xml *x, struct err *err) MUST_CHECK;
/* STR_NONE when absent; one without a prefix goes before one with. */
struct str xml_attribute(const struct xml *x, struct str name);

/* --- trees ------------------------------------------------------------------------------------ */

struct xml_node {
    struct str name; /* empty: text */
    struct str text; /* of text only */
    struct xml_attribute *attributes;
    size_t attribute_count;
    struct xml_node *first, *next;
};
/* The root element. */
bool xml_tree(struct arena *arena, struct str source, struct xml_node **out, struct err *err)
    MUST_CHECK;
/* NULL node: NULL or STR_NONE, so that paths can be walked without looking. */
const struct xml_node *xml_child(const struct xml_node *node, const char *name);
const struct xml_node *xml_path(const struct xml_node *node, const char *slashed);
struct str xml_get(const struct xml_node *node, const char *name);
/* Of mc:AlternateContent, which has the same content several times, for new programs and for old ones: the first. */
const struct xml_node *xml_alternative(const struct xml_node *node);
struct str xml_get_prefixed(const struct xml_node *node, const char *name); /* r:id, not id */

#endif
