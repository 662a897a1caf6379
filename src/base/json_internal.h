/* base/json_internal.h: the index that json_parse() writes, for the json_*.c files alone.
 * Nodes stand in text order; node 0 is "absent"; a container's first child is the node after it.
 * The last child's `up` names its parent (NODE_LAST is set), the others' `up` the next sibling, so
 * a walk needs neither recursion nor a stack. */
#ifndef WEIR_BASE_JSON_INTERNAL_H
#define WEIR_BASE_JSON_INTERNAL_H

#include "base/json.h"

#define NODE_KIND    0x07u
#define NODE_LAST    0x08u /* last of its container */
#define NODE_ESCAPED 0x10u /* a string with at least one backslash */
#define NODE_KEY_ESC 0x20u /* a member whose key has one */
#define NODE_MEMBER  0x40u /* `key` holds */
#define NODE_BITS    7     /* above them: the number of children */
#define NODES_MAX    (UINT32_MAX >> NODE_BITS)

struct node {
    uint32_t start, end; /* the value's bytes in the text */
    uint32_t up;         /* next sibling, or the parent; while a container is open: its parent */
    uint32_t key;        /* members: offset of the key's opening quote */
    uint32_t bits;
};
_Static_assert(sizeof(struct node) == 20, "a node a value: its size is the parser's speed");

struct json {
    struct str text;
    struct node *nodes;
    uint32_t count; /* nodes in use, with node 0 */
};

static inline uint32_t node_count(const struct node *n)
{
    return n->bits >> NODE_BITS;
}

static inline enum json_kind node_kind(const struct node *n)
{
    return (enum json_kind)(n->bits & NODE_KIND);
}

/* The key without its quotes. Only spaces and a colon stand between it and the value. */
static inline struct str node_key(struct str text, const struct node *n)
{
    uint32_t end = n->start - 1;

    end -= text.ptr[end] == ':'; /* as most programs write it */
    while (text.ptr[end] != '"')
        end--;
    return (struct str){text.ptr + n->key + 1, end - n->key - 1};
}

/* Decode the inside of a valid string; out has room for raw.len bytes. Returns the bytes written. */
size_t json_unescape(struct str raw, char *out);
/* Are the two insides of strings the same text once decoded? */
bool json_same_text(struct str a, bool a_escaped, struct str b, bool b_escaped);
json_ref json_parent(const struct json *j, json_ref v);

#endif
