#!/usr/bin/env python3
"""style.py FILE.docx: tables with lines, a page of A4 and plain fonts, in a file that pandoc made."""
import re
import sys
import zipfile

LINES = "".join(f'<w:{side} w:val="single" w:sz="4" w:space="0" w:color="8899AA"/>'
                for side in ("top", "left", "bottom", "right", "insideH", "insideV"))
FONTS = '<w:rFonts w:ascii="Liberation Sans" w:hAnsi="Liberation Sans" w:cs="Liberation Sans" w:eastAsia="WenQuanYi Micro Hei"/>'
PAGE = '<w:sectPr><w:pgSz w:w="11906" w:h="16838"/><w:pgMar w:top="1400" w:bottom="1400" w:left="1400" w:right="1400" w:header="700" w:footer="700" w:gutter="0"/></w:sectPr>'


def change(name, text):
    if name == "word/document.xml":
        text = re.sub(r"<w:tblPr>", f"<w:tblPr><w:tblBorders>{LINES}</w:tblBorders>", text)
        text = re.sub(r"<w:sectPr.*?</w:sectPr>|<w:sectPr ?/>", "", text, flags=re.S)
        return text.replace("</w:body>", PAGE + "</w:body>")
    if name == "word/styles.xml":
        return re.sub(r"<w:rFonts[^>]*/>", FONTS, text)
    return text


source = zipfile.ZipFile(sys.argv[1])
parts = [(name, source.read(name)) for name in source.namelist()]
source.close()
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as out:
    for name, data in parts:
        if name.endswith(".xml"):
            data = change(name, data.decode("utf-8")).encode("utf-8")
        out.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
