"""The explorers without a browser: the picture follows the sliders."""

from __future__ import annotations

import numpy as np
import pytest

from ocrkit.recognition.alphabet import Alphabet
from ocrkit.recognition.recognizer import Recognizer

pytest.importorskip("ipywidgets")
from ocrkit.notebook import explorers, pictures  # noqa: E402

AB = Alphabet("ab")
# a - b b, with the third column for b.
ROWS = np.log([[0.1, 0.8, 0.1], [0.8, 0.1, 0.1], [0.1, 0.1, 0.8], [0.1, 0.1, 0.8]])
VALUES = np.random.default_rng(0).normal(size=500)


def always(text: str) -> Recognizer:
    """A recogniser that reads the same text whatever it gets."""
    alphabet = Alphabet("".join(dict.fromkeys(text)))
    logits = np.full((2 * len(text), 1, len(alphabet)), -9.0, np.float32)
    for i, index in enumerate(alphabet.encode(text)):
        logits[2 * i, :, index] = logits[2 * i + 1, :, 0] = 9

    def backend(strips: np.ndarray) -> np.ndarray:
        return np.repeat(logits, len(strips), axis=1)

    return Recognizer(backend, alphabet)


def damage() -> explorers.Explorer:
    ink = np.zeros((30, 200), np.float32)
    ink[8:22, 20:180:9] = 1
    return explorers.damage(always("ab"), ink, 24, "ac")


MAKERS = {
    "damage": damage,
    "frames": lambda: explorers.frames(np.zeros((8, 16)), ROWS, AB),
    "int8": lambda: explorers.int8_range(VALUES),
    "doubt": lambda: explorers.doubt([0.2, 0.6, 0.95], [False, True, True], 0.5),
}


@pytest.mark.parametrize("name", MAKERS)
def test_the_picture_without_a_kernel_is_what_the_widget_shows_at_first(name: str) -> None:
    explorer = MAKERS[name]()
    assert explorer.picture._repr_html_() == explorer.view.value
    assert explorer.view.value.startswith("<img alt=")


@pytest.mark.parametrize("name", MAKERS)
def test_every_slider_changes_the_picture_at_both_ends_and_can_be_moved_back(name: str) -> None:
    explorer = MAKERS[name]()
    first = explorer.view.value
    for slider in explorer.sliders.values():
        before = slider.value
        for end in {slider.min, slider.max} - {before}:
            slider.value = end
            assert explorer.view.value != first
        slider.value = before
    assert explorer.view.value == first


def test_frames_mark_the_chosen_character() -> None:
    explorer = MAKERS["frames"]()
    assert "The marked character 'a' is time steps 0 to 0." in explorer.picture.alt
    explorer.sliders["letter"].value = 2
    assert "The marked character 'b' is time steps 2 to 3." in explorer.picture.alt


def test_the_static_figures_are_those_of_pictures() -> None:
    assert MAKERS["int8"]().picture.alt == pictures.clipping(VALUES, 0.5, 8).alt
    same = pictures.doubt([0.2, 0.6, 0.95], [False, True, True], 0.5)
    assert MAKERS["doubt"]().picture.alt == same.alt


def test_wrong_characters_are_counted_for_each_kind_of_damage() -> None:
    title = damage().picture.figure.get_suptitle()
    assert title == "Wrong characters of 2: at most 1 with one kind of damage, 1 with all of them"


def test_a_strip_without_text_is_refused() -> None:
    with pytest.raises(ValueError, match="no character to mark"):
        explorers.frames(np.zeros((8, 8)), np.log([[0.8, 0.1, 0.1]] * 2), AB)
