"""Questions at the end of a notebook, with folded answers made of the notebook's own numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """A question with its number and its answer; both texts are Markdown."""

    number: int
    text: str
    answer: str

    def _repr_markdown_(self) -> str:
        return (
            f"**{self.number}.** {self.text}\n\n"
            f"<details><summary>Answer</summary>\n\n{self.answer}\n\n</details>"
        )
