from __future__ import annotations

import pytest

from ocrkit.recognition.initials import with_joined_capital
from ocrkit.recognition.reading import Reading, WordReading


def test_the_joined_word_has_a_confidence_for_each_character() -> None:
    first, rest = WordReading("T", 0.8, 0, 0.1, (0.8,)), WordReading("he", 0.9, 0.1, 0.3, (0.9, 1))
    (word,) = with_joined_capital(Reading("T he", 0.9, (first, rest))).words
    assert word.characters == (0.8, 0.9, 1)


def read(text: str) -> Reading:
    return Reading(text, 0.9, tuple(WordReading(word, 0.9, 0, 1) for word in text.split()))


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("O ver the bridge", "Over the bridge"),
        ("A fter the frost", "After the frost"),
        ("T he frost", "The frost"),
        ("A man of the parish", "A man of the parish"),
        ("I have seen", "I have seen"),
        ("A great frost", "A great frost"),
        ("O Lord", "O Lord"),
    ],
)
def test_a_capital_that_is_also_a_word_is_joined_where_the_language_says_so(text, joined):
    assert with_joined_capital(read(text)).text == joined
