from __future__ import annotations

from ocrkit.notebook.questions import Question


def test_an_answer_is_folded_below_its_question() -> None:
    shown = Question(2, "How many?", "**Two**.")._repr_markdown_()
    assert shown == (
        "**2.** How many?\n\n<details><summary>Answer</summary>\n\n**Two**.\n\n</details>"
    )
