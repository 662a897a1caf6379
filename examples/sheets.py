#!/usr/bin/env python3
"""sheets.py IN.csv OUT.xlsx: a sheet for each line "#sheet,NAME", its first row as a header."""
import csv
import datetime
import sys

import openpyxl
from openpyxl.styles import Font, PatternFill

book = openpyxl.Workbook()
book.remove(book.active)
book.properties.created = book.properties.modified = datetime.datetime(2026, 1, 1)
with open(sys.argv[1], encoding="utf-8", newline="") as rows:
    for row in csv.reader(rows):
        if row[0] == "#sheet":
            sheet = book.create_sheet(row[1])
            continue
        numbers = [float(cell) if cell.replace(".", "", 1).isdigit() else cell for cell in row]
        sheet.append(numbers)
        for number, cell in enumerate(sheet[sheet.max_row]):
            sheet.column_dimensions[cell.column_letter].width = 26
            if isinstance(numbers[number], float):
                cell.number_format = "0.00" if "." in row[number] else "0"
            if sheet.max_row == 1:
                cell.font = Font(bold=True, color="FFFFFF")
                cell.fill = PatternFill("solid", fgColor="24476B")
book.save(sys.argv[2])
