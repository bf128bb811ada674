"""Questions at the end of a notebook, with folded answers made of the notebook's own numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Questions:
    """Pairs of a question and its answer, both Markdown."""

    pairs: tuple[tuple[str, str], ...]

    def __init__(self, *pairs: tuple[str, str]) -> None:
        object.__setattr__(self, "pairs", pairs)

    def _repr_markdown_(self) -> str:
        return "\n\n".join(
            f"**{number}.** {question}\n\n"
            f"<details><summary>Answer</summary>\n\n{answer}\n\n</details>"
            for number, (question, answer) in enumerate(self.pairs, 1)
        )
