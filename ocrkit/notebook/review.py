"""A widget to correct what was read: a line's picture, its reading in a field, and keys."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import astuple
from difflib import SequenceMatcher
from functools import cached_property, partial
from html import escape
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from ocrkit.document import Line
from ocrkit.errors import OcrkitError
from ocrkit.image import crop_polygon
from ocrkit.notebook.corrections import Corrections, Order, Task, expectation, rectangle
from ocrkit.notebook.widgets import image_tag, script, styles
from ocrkit.plain import one_line
from ocrkit.recognition.parts import Recognize, read_in_parts
from ocrkit.recognition.reading import Reading
from ocrkit.recognition.recognizer import Recognizer
from ocrkit.runtime.packages import needs

with needs("ipywidgets", "ipywidgets", "set `Line.correction` and `ocrkit.save` the document"):
    import ipywidgets

UNSURE = 0.9  # characters, or words, with a lower confidence are marked
AROUND = 1.2  # times the height of a line: how much of the page is shown above and below it
WIDER = 4  # times as much after "More of the page"
LONGEST = 1400  # px, the longer side of a picture
_ACTIONS = (
    ("right", "Right (Enter)", "check", "Save the text in the field"),
    ("skip", "Skip (Esc)", "forward", "This line comes again at the end"),
    ("no text", "No text (Ctrl+Del)", "ban", "There is no text here"),
    ("undo", "Undo (Page Up)", "undo", "Take the last step back"),
)
_SIDES = ("Left", "Top", "Right", "Bottom")


class Review(ipywidgets.VBox):
    """Correct lines one by one, those of low confidence first; each correction is saved at once.

    source: a folder of results of `ocrkit read --format json`, a page's JSON file, or several.
    scans: the folder of the scans, if they are not where they were when they were read.
    recognizer: reads a line whose outline was changed, and says which letters are unsure: weights
    by name or path, or a `Recognizer`; None for the kit's own. order: "doubt", or "use" to teach a
    network with as few corrections as possible; see `Corrections`.

    The text field shows the reading. Enter saves what it says as correct, and the next line comes.
    Escape: skip the line; it comes again at the end. Ctrl+Delete, or Delete in an empty field:
    there is no text here. Page Up: undo. Alt+1 to Alt+9: the letters of the row below the field.
    Unsure letters of the reading are marked.

    Draw a box with the mouse on the picture of the page: it becomes the outline of the line, which
    is read again in it. "More of the page" shows what is farther away. The same by keyboard: Alt+O
    goes to the outline, four numbers in pixels; there Enter saves it, Escape goes back.

    The correction is saved beside the reading, as `Line.correction` in the page's JSON, so the
    widget can be closed at any time, and goes on there when it is opened again. `ocrkit read` keeps
    the corrections when it reads the pages again into the same folder.

    Raises DocumentError if there is no page that was read.
    """

    def __init__(
        self,
        source: str | Path | Iterable[str | Path] = "output/read",
        scans: str | Path | None = None,
        recognizer: Recognize | str | Path | None = None,
        order: Order = "doubt",
    ) -> None:
        self.corrections = Corrections(source, scans, order)
        self._recognizer = recognizer
        self._step, self._filling, self._around = 0, False, AROUND
        self._array: np.ndarray | None = None
        self._outline: Sequence[tuple[float, float]] = ()  # the one that is drawn on the page
        self.status, self.context, self.crop = (ipywidgets.HTML() for _ in range(3))
        self.crop.add_class("ocrkit-line")
        self.context.add_class("ocrkit-context")
        self.field = ipywidgets.Text(description="What the line says", continuous_update=False)
        self.field.add_class("ocrkit-text")
        self.field.add_class("ocrkit-field")
        self.letters = [self._letter(*pair) for pair in enumerate(self.corrections.letters(), 1)]
        self.buttons = {name: _button(name, *rest) for name, *rest in _ACTIONS}
        self.buttons |= {
            "redraw": _button("redraw", "Use this outline (Enter)", "crop", "Reads the line again"),
            "delete": _button("delete", "Delete the outline", "trash", "This is not a line"),
        }
        for name, button in self.buttons.items():
            button.on_click(partial(self._pressed, name))
        # Not a step: the script, which would send it as one, does not know this button.
        self.wider = ipywidgets.Button(description="More of the page", icon="search-minus")
        self.wider.on_click(self._widen)
        self.sides = [ipywidgets.IntText(description=side) for side in _SIDES]
        for number in self.sides:
            number.add_class("ocrkit-field")
            number.layout.width = "6em"
            number.observe(self._preview, "value")
        self._command, self._mark = ipywidgets.Text(layout={"display": "none"}), ipywidgets.HTML()
        self._command.add_class("ocrkit-command")
        self._command.observe(self._commanded, "value")
        super().__init__(self._layout())
        self.add_class("ocrkit")
        self.add_class("ocrkit-review")
        self._show()

    def _layout(self) -> list[ipywidgets.Widget]:
        row = partial(ipywidgets.HBox, layout={"flex_flow": "row wrap", "align_items": "flex-end"})
        actions = row([self.buttons[name] for name, *_ in _ACTIONS])
        outline = row([*self.sides, self.buttons["redraw"], self.buttons["delete"], self.wider])
        outline.add_class("ocrkit-outline")
        title = ipywidgets.HTML(
            "<b>Outline: draw a box on the page with the mouse, or give pixels (Alt+O)</b>"
        )
        keys, parts = row(self.letters), [self.crop, self.field]
        parts += [keys, actions, self.context, title, outline]
        return [styles(), script("review.js"), self._command, self._mark, self.status, *parts]

    def _letter(self, number: int, letter: str) -> ipywidgets.Button:
        label = f"{letter}  Alt+{number}" if number < 10 else letter
        button = ipywidgets.Button(description=label, tooltip=letter, layout={"width": "auto"})
        button.add_class("ocrkit-letter")
        button.on_click(self._letter_pressed)
        return button

    @cached_property
    def _read(self) -> Recognize:
        chosen = self._recognizer
        return chosen if callable(chosen) else Recognizer.load(chosen)

    # --- what the user does

    def _letter_pressed(self, button: ipywidgets.Button) -> None:
        """Only where the keys' script cannot run, which puts the letter at the cursor."""
        self.field.value += button.tooltip

    def _commanded(self, change: Any) -> None:
        """A key was pressed in the browser."""
        command = json.loads(change["new"])
        if command["step"] != self._step:
            return  # pressed before the last key was answered
        # The browser has these values already; so they are changed there when the next are set.
        self.field.value = command["text"]
        if command["action"] == "redraw":
            self._fill(command["box"])
        self._pressed(command["action"])

    def _pressed(self, action: str, button: Any = None) -> None:
        problem = None
        try:
            self._do(action)
        except (OcrkitError, ValueError) as error:
            problem = error
        except Exception as error:  # a notebook does not show the traceback of a callback
            problem = OcrkitError(f"{type(error).__name__}: {error}")
        self._show(problem)

    def _do(self, action: str) -> None:
        corrections = self.corrections
        if action == "undo":
            if not corrections.undo():
                raise ValueError("there is no step to take back")
        elif (task := corrections.current) is not None:
            if action == "skip":
                corrections.skip()
            elif self._array is None:
                raise ValueError("without its picture a line can only be skipped")
            elif action == "redraw":
                x0, y0, x1, y1 = (float(number.value) for number in self.sides)
                box = min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)
                corrections.redraw(polygon := rectangle(box, task.line), self._reading(polygon))
            elif action == "delete":
                corrections.delete()
            else:
                corrections.correct(self.field.value if action == "right" else "")

    def _reading(self, polygon: Iterable[Iterable[float]]) -> Reading:
        assert self._array is not None
        points = np.array(polygon)
        return read_in_parts(self._read, [crop_polygon(self._array, points)])[0]

    # --- what the user sees

    def _show(self, problem: Exception | None = None) -> None:
        """Show the current line, and a problem of the step before."""
        task = self.corrections.current
        self._array, self._around = None, AROUND
        for widget in (self.field, *self.sides, *self.letters, *self.buttons.values(), self.wider):
            widget.disabled = task is None
        self.buttons["undo"].disabled = False
        self.crop.value = self.context.value = ""
        if task:
            self._fill(astuple(task.line.box))
            try:
                self._array = self.corrections.pixels(task)
                self._draw(task)
            except OcrkitError as error:
                problem = problem or error
        self._say(problem)
        # The text is set last: a user who sees it may press the next key.
        self._step += 1
        self._mark.value = f'<span data-step="{self._step}"></span>'
        self.field.value = task.line.text if task else ""

    def _fill(self, box: Sequence[float]) -> None:
        """Set the numbers of the outline without drawing it after each."""
        self._filling = True
        for number, value in zip(self.sides, box, strict=True):
            number.value = round(value)
        self._filling = False

    def _draw(self, task: Task) -> None:
        line, array = task.line, self._array
        assert array is not None
        crop = Image.fromarray(crop_polygon(array, np.array(line.polygon)))
        crop.thumbnail((LONGEST, LONGEST))
        self.crop.value = f"{image_tag(crop, 'the line', 'PNG')}<div>{self._marked(line)}</div>"
        self._draw_context(line.polygon)

    def _marked(self, line: Line) -> str:
        """The reading of a line with its unsure letters marked; words, if letters are not known.

        Unsure are letters of a low confidence, and those that are now read differently, for example
        by other weights.
        """
        reading = self._reading(line.polygon)
        if reading.words and all(word.characters for word in reading.words):
            return _marks(line.text, unsure_letters(line.text, reading))
        if " ".join(word.text for word in line.words) == line.text:
            return " ".join(_mark(word.text, word.confidence < UNSURE) for word in line.words)
        return _mark(line.text, line.confidence < UNSURE)

    def _preview(self, change: Any = None) -> None:
        """Draw the outline that the four numbers give."""
        if not self._filling and self._array is not None:
            x0, y0, x1, y1 = (number.value for number in self.sides)
            self._draw_context(((x0, y0), (x1, y0), (x1, y1), (x0, y1)))

    def _widen(self, button: Any = None) -> None:
        """Show more of the page around the line, up to the whole page."""
        self._around *= WIDER
        if self._array is not None:
            self._draw_context(self._outline)

    def _draw_context(self, polygon: Sequence[tuple[float, float]]) -> None:
        """A strip of the page with the line in it, and its outline.

        It carries its place on the page, for the script that makes an outline of a drawn box.
        """
        assert self._array is not None and (task := self.corrections.current)
        self._outline = polygon
        box, (height, width) = task.line.box, self._array.shape
        more = self._around * min(box.width, box.height)
        left, top = max(0, round(box.x0 - more)), max(0, round(box.y0 - more))
        right, bottom = min(width, round(box.x1 + more)), min(height, round(box.y1 + more))
        part = Image.fromarray(self._array[top : max(bottom, top + 1), left : max(right, left + 1)])
        place = f"{left} {top} {part.width} {part.height}"
        scale = min(1.0, LONGEST / max(part.size))
        part = part.resize([max(1, round(side * scale)) for side in part.size]).convert("RGB")
        corners = [((x - left) * scale, (y - top) * scale) for x, y in polygon]
        ImageDraw.Draw(part).polygon(corners, outline=(25, 90, 210), width=2)
        picture = image_tag(part, "the line on its page, in its outline", "JPEG")
        self.context.value = f'<div class="ocrkit-strip" data-place="{place}">{picture}</div>'

    def _say(self, problem: Exception | None) -> None:
        parts = []
        if problem:
            text = one_line(problem)
            parts.append(f'<div role="alert" class="ocrkit-alert">{escape(text)}</div>')
        parts += [f'<div role="status">{escape(text)}</div>' for text in [self._progress()]]
        self.status.value = "".join(parts)

    def _progress(self) -> str:
        corrections, task = self.corrections, self.corrections.current
        said = f"{corrections.done} of {corrections.total} lines done."
        if task is None:
            return f"{said} There is no line left."
        document = corrections.documents[task.file]
        page = document.pages[task.page]
        expected = expectation(corrections)
        said += (
            f" This line: {one_line(Path(document.source).name)}, page {page.number}, confidence "
        )
        said += (
            f"{task.line.confidence:.0%}; {expected.here:.1f} wrong characters are expected in it"
        )
        if others := len(corrections.tasks) - 1:
            said += f", {expected.others:.1f} in each of the {others} after it"
        said += "."
        if corrections.done:
            said += (
                f" So far {expected.found} were found where {expected.predicted:.0f} were expected."
            )
        return said


def _button(action: str, label: str, icon: str, tooltip: str) -> ipywidgets.Button:
    button = ipywidgets.Button(
        description=label, icon=icon, tooltip=tooltip, layout={"width": "auto"}
    )
    button.add_class(f"ocrkit-do-{action.replace(' ', '-')}")
    return button


def unsure_letters(text: str, reading: Reading) -> list[bool]:
    """For each letter of a text, whether a reading of the same line makes it doubtful.

    The words of the reading have the confidences of their characters.
    """
    sure = [[c >= UNSURE for c in word.characters] for word in reading.words]
    known = [flag for word in sure for flag in (*word, True)]  # with the space after it
    unsure = [True] * len(text)
    for kind, start, end, other, _ in SequenceMatcher(None, text, reading.text).get_opcodes():
        if kind == "equal":
            unsure[start:end] = [not known[other + i] for i in range(end - start)]
    return unsure


def _marks(text: str, unsure: Sequence[bool]) -> str:
    runs = groupby(zip(text, unsure, strict=True), key=itemgetter(1))
    return "".join(_mark("".join(letter for letter, _ in run), flag) for flag, run in runs)


def _mark(text: str, unsure: bool) -> str:
    return f"<mark>{escape(text)}</mark>" if unsure else escape(text)
