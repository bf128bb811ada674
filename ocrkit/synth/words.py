"""The reference data set: English words on noisy paper, as the reference kit had trdg make them.

Its options were `-c 3356 -f 64 -sym -l en -t 8 -na 1 -rbl -rk`. What trdg 1.8.0 makes of them:

- `-c 3356 -l en`: so many texts, each one word of its English dictionary, in one of its 100 fonts
- `-f 64`: 64 pixels high, 5 of them margin on each side; the width follows from the word
- `-sym`: nothing, as symbols are only drawn into random sequences, and these need `-rs`
- `-rbl`, `-rk`: nothing, as blur and skew are random between 0 and `-bl`, `-k`, which are 0
- `-na 1 -t 8`: files are named `number_word.jpg` (JPEG is the default), made by 8 processes
- by default: dark grey text (#282828) on a background of Gaussian noise

Only trdg's own fonts and dictionary are used, so a seed means the same files everywhere. Two things
are not trdg's: no word is drawn twice, so none of a test set is ever in the training set, and a
word's picture depends on the word and the seed alone, not on the order that it is made in.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
from PIL import Image, ImageFont

from ocrkit.errors import MissingPartError
from ocrkit.files import write
from ocrkit.progress import progress as counted


def reference_words(
    folder: str | Path,
    train: int = 3256,
    test: int = 100,
    extra_test: int = 1000,
    seed: int = 0,
    progress: bool = True,
) -> None:
    """Write the sets `train`, `test` and `test1000` of so many words into `folder`.

    Each is a folder of JPEG images 64 pixels high, with a manifest beside it: `train.txt` and so
    on, UTF-8, `path<TAB>label`, paths relative to `folder`. No word is in two sets. A set that is
    already there is not made again; a manifest is written when all of its images are.

    Raises ValueError if the dictionary has fewer words than are asked for.
    """
    folder = Path(folder)
    # The test sets are dealt first: they stay the same words however many there are to train on.
    sizes = {"test1000": extra_test, "test": test, "train": train}
    words = iter(_shuffled_words(sum(sizes.values()), seed))
    for name, size in sizes.items():
        manifest, plan = folder / f"{name}.txt", _plan(name, size, words)
        rows = "".join(f"{path}\t{word}\n" for path, word in plan.items())
        listed = manifest.is_file() and manifest.read_text(encoding="utf-8") == rows
        if listed and all((folder / path).is_file() for path in plan):
            continue
        manifest.unlink(missing_ok=True)  # it would vouch for images about to be replaced
        (folder / name).mkdir(parents=True, exist_ok=True)
        pictures = plan.items()
        for path, word in counted(pictures, name) if progress else pictures:
            draw_word(word, seed).save(folder / path)
        write(manifest, rows.encode())


def draw_word(word: str, seed: int) -> Image.Image:
    """A word in one of trdg's fonts, RGB, 64 pixels high; (word, seed) decide every pixel."""
    # OpenCV, which draws the noise, can be seeded but not asked for the state that it was in. But
    # each thread has its own, so the caller's goes on as if nothing had happened.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_draw, word, seed).result()


def _draw(word: str, seed: int) -> Image.Image:
    strings, drawing, files = _trdg()
    rng = random.Random(f"{seed} {word}")
    fonts = sorted(files.load_fonts("en"))  # trdg lists them in the order of the file system
    pillow_fonts, state, start = drawing.ImageFont, random.getstate(), rng.getrandbits(31)
    drawing.ImageFont = SimpleNamespace(truetype=_Font)
    random.seed(start)
    cv2.setRNGSeed(start)
    try:
        # trdg returns nothing where it finds no ink, as in a full stop of hairlines.
        for font in rng.sample(fonts, len(fonts)):
            made = strings.GeneratorFromStrings(
                [word], fonts=[font], size=64, random_skew=True, random_blur=True
            )
            if image := made.next()[0]:
                return image
    finally:
        random.setstate(state)
        drawing.ImageFont = pillow_fonts
    raise ValueError(f"no font of trdg's draws anything for {word!r}")


class _Font(ImageFont.FreeTypeFont):
    """A font with the method that trdg still calls and Pillow 10 took away."""

    def __init__(self, font: str, size: int) -> None:
        # Pillow's other layout engine is used where a system library happens to be installed, and
        # sets some letters otherwise.
        super().__init__(font, size, layout_engine=ImageFont.Layout.BASIC)

    def getsize(self, text: str) -> tuple[int, int]:
        _, _, right, bottom = self.getbbox(text)
        return round(right), round(bottom)


@cache
def _trdg() -> tuple[Any, Any, Any]:
    """trdg's modules that make whole images, that draw text, and that read its files."""
    try:
        # It prints that it cannot imitate handwriting, which nobody asked it to.
        with redirect_stdout(StringIO()):
            from trdg import computer_text_generator, utils
            from trdg.generators import from_strings
    except ImportError as error:
        raise MissingPartError(
            f"the reference data set needs trdg ({error}); `make setup` installs it"
        ) from error
    return from_strings, computer_text_generator, utils


def _shuffled_words(count: int, seed: int) -> list[str]:
    files = _trdg()[2]
    words = files.load_dict(Path(files.__file__).parent / "dicts" / "en.txt")
    if count > len(words):
        raise ValueError(f"{count} different words asked for; trdg's dictionary has {len(words)}")
    random.Random(seed).shuffle(words)
    return words[:count]


def _plan(name: str, size: int, words: Iterator[str]) -> dict[str, str]:
    """Path -> word of a set's images, named as trdg names them: without most marks."""
    valid = _trdg()[2].make_filename_valid
    numbered = [(i, next(words)) for i in range(size)]
    return {f"{name}/{valid(f'{i}_{word}')}.jpg": word for i, word in numbered}
