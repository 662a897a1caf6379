/* Any XML in the main parts of an office file: the reader refuses it with a reason, or makes a rendition that
 * reads back from the pipe, becomes blocks, and whose passages survive their record. The first byte chooses
 * the kind of file, the second the part; the other parts are whole ones. */
#include <string.h>
#include <zlib.h>

#include "reader.h"

#define RELATION(id, type, target) \
    "<Relationship Id='" id "' Type='http://x/" type "' Target='" target "'/>"

struct part {
    const char *name, *text; /* NULL: the input */
};
#define PARTS_MAX 8
static const struct kind {
    const char *name;
    reader_fn *read;
    struct part parts[PARTS_MAX];
} kinds[] = {
    {"docx",
     read_docx,
     {{"_rels/.rels",
       "<Relationships>" RELATION("r1", "officeDocument", "w/d.xml") "</Relationships>"},
      {"w/_rels/d.xml.rels", "<Relationships>" RELATION("r1", "styles", "s.xml") RELATION(
                                 "r2", "numbering", "n.xml") RELATION("r3", "footnotes", "f.xml")
                                 RELATION("r4", "header", "h.xml") "</Relationships>"},
      {"w/d.xml", NULL},
      {"w/s.xml", NULL},
      {"w/n.xml", NULL},
      {"w/f.xml", NULL},
      {"w/h.xml", NULL}}},
    {"xlsx",
     read_xlsx,
     {{"_rels/.rels",
       "<Relationships>" RELATION("r1", "officeDocument", "x/w.xml") "</Relationships>"},
      {"x/_rels/w.xml.rels", "<Relationships>" RELATION("r1", "worksheet", "s.xml")
                                 RELATION("r2", "sharedStrings", "t.xml")
                                     RELATION("r3", "styles", "y.xml") "</Relationships>"},
      {"x/w.xml", "<workbook><sheets><sheet name='A' r:id='r1'/></sheets></workbook>"},
      {"x/s.xml", NULL},
      {"x/t.xml", NULL},
      {"x/y.xml", NULL}}},
    {"pptx",
     read_pptx,
     {{"_rels/.rels",
       "<Relationships>" RELATION("r1", "officeDocument", "p/p.xml") "</Relationships>"},
      {"p/_rels/p.xml.rels", "<Relationships>" RELATION("r1", "slide", "s.xml") "</Relationships>"},
      {"p/p.xml", "<p><sldIdLst><sldId r:id='r1'/></sldIdLst></p>"},
      {"p/_rels/s.xml.rels", "<Relationships>" RELATION("r1", "notesSlide", "n.xml")
                                 RELATION("r2", "chart", "c.xml") "</Relationships>"},
      {"p/s.xml", NULL},
      {"p/n.xml", NULL},
      {"p/c.xml", NULL}}},
    {"odf", read_odf, {{"content.xml", NULL}, {"meta.xml", NULL}}},
    {"epub",
     read_epub,
     {{"META-INF/container.xml", "<c><rootfiles><rootfile full-path='o.opf'/></rootfiles></c>"},
      {"o.opf", "<p><manifest><item id='a' href='c.xhtml'/></manifest><spine><itemref "
                "idref='a'/></spine></p>"},
      {"c.xhtml", NULL}}},
};

static void put(struct buf *to, uint64_t n, int bytes)
{
    for (int i = 0; i < bytes; i++)
        buf_char(to, (char)(i < 8 ? n >> (8 * i) : 0));
}

static void put_head(struct buf *to, struct str text, size_t name)
{
    put(to, 20, 2);
    put(to, 0, 8);
    put(to, crc32_z(0, (const Bytef *)text.ptr, text.len), 4);
    put(to, text.len, 4);
    put(to, text.len, 4);
    put(to, name, 2);
    put(to, 0, 2);
}

static struct str archive(struct arena *arena, const struct kind *kind, size_t which,
                          struct str input)
{
    struct buf b, directory;
    size_t count = 0, own = 0;

    buf_init(&b, arena, MIB);
    buf_init(&directory, arena, MIB);
    for (size_t i = 0; i < PARTS_MAX && kind->parts[i].name; i++) {
        const struct part *p = &kind->parts[i];
        struct str name = str_from(p->name), text = str_from(p->text);
        size_t offset = b.len;

        if (!p->text)
            text = own++ == which ? input : STR("<x><body/><sheetData/></x>");
        buf_str(&b, STR("PK\x03\x04"));
        put_head(&b, text, name.len);
        buf_str(&b, name);
        buf_str(&b, text);
        buf_str(&directory, STR("PK\x01\x02"));
        put(&directory, 20, 2);
        put_head(&directory, text, name.len);
        put(&directory, 0, 10);
        put(&directory, offset, 4);
        buf_str(&directory, name);
        count++;
    }
    size_t at = b.len;
    buf_str(&b, buf_view(&directory));
    buf_str(&b, STR("PK\x05\x06"));
    put(&b, 0, 4);
    put(&b, count, 2);
    put(&b, count, 2);
    put(&b, directory.len, 4);
    put(&b, at, 4);
    put(&b, 0, 2);
    return buf_view(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(512 * MIB);
    struct str input = {(const char *)data + 2, size > 2 ? size - 2 : 0};

    if (size <= 2 || size > 64 * KIB)
        return 0;
    const struct kind *kind = &kinds[data[0] % ARRAY_LEN(kinds)];
    size_t own = 0;
    for (size_t i = 0; i < PARTS_MAX && kind->parts[i].name; i++)
        own += !kind->parts[i].text;
    fuzz_reader(arena, kind->read, archive(arena, kind, data[1] % own, input));
    return 0;
}
