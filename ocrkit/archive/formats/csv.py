"""CSV: the tables of a document, a row for each of their rows."""

from __future__ import annotations

import csv
from io import StringIO

from ocrkit.document import Document


def to_csv(document: Document) -> bytes:
    """UTF-8, commas between the columns (RFC 4180), `page,table,1,2,...` in the first row.

    The first two columns are the number of the page, and of the table on the page, from 1; the
    others are its cells. Text outside of tables is not written.
    """
    rows = [
        (page.number, number, *row)
        for page in document.pages
        for number, table in enumerate(page.tables, start=1)
        for row in table
    ]
    columns = max((len(row) for row in rows), default=2)
    text = StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["page", "table", *range(1, columns - 1)])
    writer.writerows([*row, *[""] * (columns - len(row))] for row in rows)
    return text.getvalue().encode("utf-8", "replace")
