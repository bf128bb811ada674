from __future__ import annotations

from ocrkit.notebook.questions import Questions


def test_answers_are_folded_below_their_questions() -> None:
    shown = Questions(("How many?", "**Two**."), ("Why?", "So."))._repr_markdown_()
    first, second = shown.split("**2.** ")
    assert first.startswith("**1.** How many?\n\n<details><summary>Answer</summary>\n\n**Two**.")
    assert second == "Why?\n\n<details><summary>Answer</summary>\n\nSo.\n\n</details>"
