/* knowledge/metadata.h: what is known of a document beside its text, and conditions on it.
 * Metadata   a JSON object, one level: strings, numbers, true and false, lists of strings.
 * Filter     one condition, or several under andAll or orAll (the operators of Amazon Bedrock's Retrieve):
 *              {"andAll": [{"equals": {"key": "year", "value": 2026}}, {"in": {"key": "team", "value": [..]}}]}
 *            equals notEquals greaterThan greaterThanOrEquals lessThan lessThanOrEquals in notIn startsWith
 *            stringContains listContains andAll orAll
 * Compare    values of the same kind only: a number never equals a string. Order: numbers, and strings by their
 *            bytes, so that dates written 2026-11-22 are in order.
 * Missing    a document without the key fits notEquals and notIn alone.
 * Bounds     FILTER_DEPTH_MAX, FILTER_CONDITIONS_MAX, METADATA_BYTES_MAX: ERR_INVALID names the place. */
#ifndef WEIR_KNOWLEDGE_METADATA_H
#define WEIR_KNOWLEDGE_METADATA_H

#include "base/json.h"

#define METADATA_BYTES_MAX    ((size_t)40 * KIB) /* OpenAI's 16 texts of 512 characters fit */
#define METADATA_KEYS_MAX     64u
#define FILTER_DEPTH_MAX      5
#define FILTER_CONDITIONS_MAX 100u

/* As given by people: checked, and written without white space, keys in their order. */
bool metadata_read(struct arena *arena, const struct json *j, json_ref object, struct str *out,
                   struct err *err) MUST_CHECK;

struct metadata_filter;
/* Views j and its text, which must outlive it. */
bool metadata_filter_read(struct arena *arena, const struct json *j, json_ref v,
                          struct metadata_filter **out, struct err *err) MUST_CHECK;
/* metadata: text of metadata_read(), or empty. What cannot be read for want of memory does not fit. */
bool metadata_filter_fits(const struct metadata_filter *filter, struct arena *scratch,
                          struct str metadata);

#endif
