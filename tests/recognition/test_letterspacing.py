from __future__ import annotations

from dataclasses import replace

import pytest

from ocrkit.recognition.ctc import Character
from ocrkit.recognition.letterspacing import without_letterspacing


def spread(text: str, pitch: float = 8, wide: float = 16, first: float = 4) -> list[Character]:
    """A line's characters a `pitch` apart, single spaces between; | is a space of `wide` steps."""
    characters, at = [], first
    for i, char in enumerate(text):
        if char not in " |":
            characters.append(Character(char, 0.9, round(at), round(at) + 1))
            step = wide if text[i + 1 : i + 2] == "|" else pitch
            at += step if text[i + 1 : i + 2] in (" ", "|") else pitch / 2
        else:
            middle = characters[-1].end
            characters.append(Character(" ", 0.9, middle, middle + 1))
    return characters


def closed(characters: list[Character]) -> str:
    return "".join(c.char for c in without_letterspacing(characters))


@pytest.mark.parametrize(
    ("spaced", "closed_up"),
    [
        ("S C E N E", "SCENE"),
        ("T O U J O U R S|P L U S|V E R S|L'O U E S T", "TOUJOURS PLUS VERS L'OUEST"),
        ("the n a m e of", "the name of"),
        ("n i c h t, gut", "nicht, gut"),
        ("A|N I G H T", "A NIGHT"),
        (". . . . . .", "......"),
        ("Sum - - - - -|* * * *", "Sum ----- ****"),
        ("- - -- -|- - -", "----- ---"),
        # What is not set so stays as it is.
        ("J B P", "J B P"),
        ("* * *", "* * *"),
        ("a - b - c - d", "a - b - c - d"),
        ("1 2 3 4 5", "1 2 3 4 5"),
        ("Is a b or c", "Is a b or c"),
        ("a, b, c, d, e", "a, b, c, d, e"),
        ("J. B. M. D. K.", "J. B. M. D. K."),
        ("ordinary words", "ordinary words"),
        ("", ""),
    ],
)
def test_letters_set_apart_are_closed_up_to_words(spaced: str, closed_up: str) -> None:
    assert closed(spread(spaced)) == closed_up


def test_a_first_letter_marked_at_the_very_edge_is_still_of_its_word() -> None:
    characters = spread("T O U R S")
    characters[0] = Character("T", 0.9, 0, 1)
    assert closed(characters) == "TOURS"
    assert closed([replace(characters[0], start=0, end=1), *spread("T|O U R S")[1:]]) == "T OURS"
