#!/bin/sh
# Make the PDF, Word and Excel files of handbook/ from what can be read in sources/. They are kept beside them, so nobody
# needs this to build or run Weir:
#   apt-get install --no-install-recommends pandoc libreoffice-writer-nogui python3-openpyxl fonts-wqy-microhei
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Files that do not change when nothing else does.
export SOURCE_DATE_EPOCH=1767225600

for language in en zh; do
    [ "$language" = en ] && locale=en-GB || locale=zh-CN
    for name in leave travel; do
        pandoc -f markdown -t docx -V lang="$locale" -M lang="$locale" -o "$work/$name.docx" "sources/$language/$name.md"
        /usr/bin/python3 style.py "$work/$name.docx"
    done
    cp "$work/travel.docx" "handbook/$language/travel.docx"
    soffice --headless "-env:UserInstallation=file://$work/office" --convert-to pdf --outdir "$work" "$work/leave.docx" >/dev/null 2>&1
    cp "$work/leave.pdf" "handbook/$language/leave.pdf"
    /usr/bin/python3 sheets.py "sources/$language/branches.csv" "handbook/$language/branches.xlsx"
done
