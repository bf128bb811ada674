"""Searchable PDF: the scan, with its text invisible beneath it, each word in its place."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from ocrkit.archive.formats.placing import xml_text
from ocrkit.document import Document, Page
from ocrkit.errors import ImageError

if TYPE_CHECKING:
    import pikepdf


def to_pdf(document: Document) -> bytes:
    """The scan of a document, read from `document.source`, as PDF with a text layer.

    The source is a PDF: everything in it is kept, and the layer is added to the document's pages. A
    page whose own text is what the document says is left as it is; on other pages an invisible
    text layer, of an earlier reading, is replaced. Visible text remains. A PDF that is encrypted
    with an empty password is written without encryption.

    The source is an image file: each of its pages becomes a page of the size that its resolution
    gives (300 dpi if the file does not say it; the PDF's subject then says so). A JPEG is embedded
    as it is, other images without loss.

    The same document and source give the same bytes. Raises ImageError if the source cannot be
    read, or has not all pages of the document.
    """
    import pikepdf

    from ocrkit.archive.formats.scan_pdf import pictures_to_pdf
    from ocrkit.image import is_pdf, open_image, pdf_texts

    with open_image(document.source) as (file, head):
        texts: dict[int, str] = {}
        if not is_pdf(head):
            last = max((page.number for page in document.pages), default=1)
            pdf = pictures_to_pdf(file, head, last)
            pdf.docinfo["/Title"] = xml_text(Path(document.source).name)
            del pdf.docinfo["/CreationDate"]
            pdf.docinfo["/Producer"] = document.reader or "ocrkit"
        else:
            texts = pdf_texts(file, {page.number for page in document.pages})
            file.seek(0)
            pdf = pikepdf.open(file)
        with pdf:
            return _with_layer(pdf, document, texts)


def _with_layer(pdf: pikepdf.Pdf, document: Document, texts: dict[int, str]) -> bytes:
    """The PDF with text added to its pages; `texts` are the texts that its pages have already."""
    from ocrkit.archive.formats.text_layer import TextLayer, without_invisible_text

    layer = TextLayer(pdf)
    for page in document.pages:
        if page.number > len(pdf.pages):
            raise ImageError(f"there is no page {page.number}; the file has {len(pdf.pages)}")
        target = pdf.pages[page.number - 1]
        if page.number in texts:
            if _same(texts[page.number], page):
                continue
            without_invisible_text(pdf, target)
        layer.add(target, page)
    layer.finish()
    pdf.save(data := BytesIO(), deterministic_id=not pdf.is_encrypted)
    return data.getvalue()


def _same(text: str, page: Page) -> bool:
    return text.split() == page.text.split()
