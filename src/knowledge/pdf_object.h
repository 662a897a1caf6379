/* knowledge/pdf_object.h: a PDF file as objects: what ISO 32000 calls the document's structure, without
 * any idea of pages or text.
 * Objects  are read when they are asked for, once, and live in the file's arena. Asking for what is not
 *          there, broken or of another kind gives an empty object: readers above never look at pointers.
 * Damage   a file whose table of objects lies is read by looking for "N G obj" in all of its bytes; that
 *          this was done can be asked (`damaged`).
 * Bounds   depth, work and unpacked bytes of the whole file; the first that is met is kept in `stopped`
 *          and everything after it reads as empty, so it need only be looked at now and then.
 * Source   ISO 32000-1 chapters 7.2 to 7.6. */
#ifndef WEIR_KNOWLEDGE_PDF_OBJECT_H
#define WEIR_KNOWLEDGE_PDF_OBJECT_H

#include "base/arena.h"
#include "base/buf.h"

#define PDF_DEPTH_MAX        64u                /* objects in objects */
#define PDF_UNPACKED_MAX     ((size_t)1 * GIB)  /* of all streams of a file */
#define PDF_STREAM_BYTES_MAX ((size_t)48 * MIB) /* of one stream: arenas have no larger pieces */
#define PDF_OBJECTS_MAX      1500000u           /* higher numbers are taken for damage */
/* Steps: a token, an operator, a comparison of two words. Some seconds. */
#define PDF_WORK_MAX         ((uint64_t)2000000000)

enum pdf_kind {
    PDF_NULL,
    PDF_BOOL,
    PDF_NUMBER,
    PDF_STRING,
    PDF_NAME,
    PDF_ARRAY,
    PDF_DICT,
    PDF_STREAM,
    PDF_REF,
    PDF_KEYWORD /* operators of content, "obj", "endobj"; never inside other objects */
};

struct pdf_object {
    enum pdf_kind kind;
    uint32_t count; /* items; keys; generation of a reference */
    union {
        bool truth;
        double number;
        struct str text; /* string, name, keyword */
        struct pdf_object *items;
        struct pdf_entry *entries;
        struct pdf_stream *stream;
        uint32_t ref;
    };
};
struct pdf_entry {
    struct str key;
    struct pdf_object value;
};
struct pdf_stream {
    struct pdf_object dict;
    struct str raw; /* packed, still encrypted */
    uint32_t number, generation;
    bool in_stream; /* of an object stream: not encrypted by itself */
};

struct pdf_slot {
    enum { SLOT_FREE, SLOT_AT, SLOT_PACKED } kind;
    uint32_t where;            /* offset; number of the object stream */
    uint32_t generation;       /* or index in the object stream */
    struct pdf_object *object; /* once read */
    bool reading;
};

enum pdf_stopped { PDF_GOES_ON, PDF_NO_MEMORY, PDF_TOO_MUCH_WORK, PDF_TOO_MUCH_UNPACKED };

struct pdf_cipher;
struct pdf_inflate;

struct pdf {
    struct arena *arena;
    struct str bytes; /* from "%PDF-" on */
    struct pdf_slot *slots;
    uint32_t slot_count, slot_cap;
    struct pdf_object trailer;
    struct pdf_cipher *cipher; /* NULL: not encrypted */
    struct pdf_object *stack;  /* of arrays and dictionaries being read */
    size_t stack_len, stack_cap;
    struct pdf_packed *packed; /* unpacked object streams */
    struct pdf_inflate *inflate;
    uint64_t work;
    size_t unpacked;
    enum pdf_stopped stopped;
    bool damaged;         /* objects were searched for */
    bool streams_damaged; /* some stream ended early or not as it should */
    bool filter_unknown;  /* some stream is packed in a way we do not read */
    bool searching;
    unsigned depth; /* of objects being fetched for objects */
};

/* ERR_INVALID: no PDF, or encrypted with a password. */
bool pdf_open(struct pdf *pdf, struct arena *arena, struct str bytes, struct err *err) MUST_CHECK;
bool pdf_spend(struct pdf *pdf, uint64_t steps) MUST_CHECK; /* false: stopped */
bool pdf_stop(struct pdf *pdf, enum pdf_stopped why);       /* false, always */
bool pdf_end(const struct pdf *pdf, struct err *err); /* the bound that was met, as an error */

/* --- looking at objects: all take and give references resolved -------------------------------- */

extern const struct pdf_object pdf_nothing;
const struct pdf_object *pdf_resolve(struct pdf *pdf, const struct pdf_object *o);
const struct pdf_object *pdf_fetch(struct pdf *pdf, uint32_t number);
/* Of a dictionary or a stream's. */
const struct pdf_object *pdf_get(struct pdf *pdf, const struct pdf_object *dict, const char *key);
/* The same, a reference left as it is. */
const struct pdf_object *pdf_get_raw(struct pdf *pdf, const struct pdf_object *dict,
                                     const char *key);
const struct pdf_object *pdf_at(struct pdf *pdf, const struct pdf_object *array, uint32_t i);
double pdf_number(const struct pdf_object *o, double otherwise);
int64_t pdf_integer(const struct pdf_object *o, int64_t otherwise); /* within 2^53, cut */
bool pdf_is_name(const struct pdf_object *o, const char *name);
bool pdf_is_dict(const struct pdf_object *o); /* a dictionary or a stream */
/* The first `count` numbers of an array; false when it has fewer. */
bool pdf_numbers(struct pdf *pdf, const struct pdf_object *array, double *out, uint32_t count);
/* PDFDocEncoding, UTF-16 or UTF-8 to UTF-8. */
struct str pdf_text(struct pdf *pdf, const struct pdf_object *string);

/* --- reading tokens --------------------------------------------------------------------------- */

struct pdf_lexer {
    struct pdf *pdf;
    struct arena *arena; /* what strings and arrays are put into */
    struct str bytes;
    size_t at;
    bool references;             /* "1 0 R" is one */
    uint32_t number, generation; /* of the object, for its strings' key; 0: not encrypted */
};
/* The next object or keyword; false at the end, or when the file is stopped. What makes no sense is
 * stepped over. */
bool pdf_lex(struct pdf_lexer *lexer, struct pdf_object *out);
void pdf_lex_space(struct pdf_lexer *lexer); /* and comments */
bool pdf_is_space(char c);
bool pdf_is_delimiter(char c);

/* --- streams ---------------------------------------------------------------------------------- */

/* Unpacked, in `arena`. Damage keeps what could be had. false: an image or a filter we do not know. */
bool pdf_unpack(struct pdf *pdf, struct arena *arena, const struct pdf_object *stream,
                struct str *out);
/* One filter by its name, "FlateDecode" or "Fl"; false when it is unknown. */
bool pdf_filter(struct pdf *pdf, struct arena *arena, struct str name,
                const struct pdf_object *parameters, struct str *bytes);

/* --- encryption (standard handler) ------------------------------------------------------------ */

/* From the trailer; ERR_INVALID "is encrypted: needs a password". */
bool pdf_cipher_open(struct pdf *pdf, struct err *err) MUST_CHECK;
/* Deciphered in `arena`, or as it is when nothing is encrypted. */
struct str pdf_decipher_string(struct pdf *pdf, struct arena *arena, struct str bytes,
                               uint32_t number, uint32_t generation);
struct str pdf_decipher_stream(struct pdf *pdf, struct arena *arena,
                               const struct pdf_stream *stream);

#endif
