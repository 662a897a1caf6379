/* app/yaml.h: a settings file as a tree with positions, by libyaml.
 * A subset on purpose: one document of maps, lists and scalars. Aliases, anchors, tags and a key given
 * twice are refused, so that a file says what it seems to say and cannot grow when it is read.
 * Limits   YAML_BYTES_MAX, YAML_DEPTH_MAX, YAML_NODES_MAX.
 * Owner    the arena; scalars are copies.  Errors  ERR_INVALID "line 3, column 7: ...". */
#ifndef WEIR_APP_YAML_H
#define WEIR_APP_YAML_H

#include "base/arena.h"

#define YAML_BYTES_MAX MIB
#define YAML_DEPTH_MAX 16
#define YAML_NODES_MAX 100000 /* 1,000 models and 2,000 prices are about 60,000 */

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml {
    enum yaml_kind kind;
    struct str text;  /* scalar */
    bool quoted;      /* scalar: written in quotes, so never null */
    struct str key;   /* when this is a map's member */
    int line, column; /* of the value, from 1 */
    int key_line, key_column;
    struct yaml *first, *next; /* children; next sibling */
};

/* NULL in *out for a file with nothing but comments. */
bool yaml_parse(struct arena *arena, struct str text, struct yaml **out, struct err *err)
    MUST_CHECK;
struct yaml *yaml_get(const struct yaml *map, struct str key);
const char *yaml_kind_name(enum yaml_kind kind); /* "a map", "a list", "a value" */

#endif
