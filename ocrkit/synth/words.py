"""The reference data set: images of English words on noisy paper, drawn by trdg.

It follows the reference kit, which ran trdg with `-c 3356 -f 64 -sym -l en -t 8 -na 1 -rbl -rk`. In
trdg 1.8.0 these options mean:

- `-c 3356 -l en`: 3356 texts, each one word of its English dictionary, in one of its 100 fonts
- `-f 64`: 64 pixels high, with margins of 5 pixels; the width depends on the word
- `-sym`: no effect, because symbols occur only in random sequences, which need `-rs`
- `-rbl`, `-rk`: no effect, because blur and skew are random between 0 and `-bl`, `-k`, which are 0
- `-na 1 -t 8`: files are named `number_word.jpg` (JPEG is the default), made by 8 processes
- by default: dark grey text (#282828) on a background of Gaussian noise

Only trdg's own fonts and dictionary are used, so a seed gives the same files on every machine.
There are two differences from trdg. No word is drawn twice, so no word of a test set is in the
training set. And the image of a word depends only on the word and the seed, not on the order.
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
    """Write the sets `train`, `test` and `test1000` (`extra_test` words) into `folder`.

    Each is a folder of JPEG images, 64 pixels high, and a manifest: `train.txt` and so on, UTF-8,
    `path<TAB>label`, with paths relative to `folder`. No word is in two sets. A complete set is not
    made again; its manifest is written after its images.

    Raises ValueError if the dictionary has too few words, MissingPartError if trdg is not there.
    """
    folder = Path(folder)
    # The test sets come first: their words do not depend on the size of the training set.
    sizes = {"test1000": extra_test, "test": test, "train": train}
    words = iter(_shuffled_words(sum(sizes.values()), seed))
    for name, size in sizes.items():
        manifest, plan = folder / f"{name}.txt", _plan(name, size, words)
        rows = "".join(f"{path}\t{word}\n" for path, word in plan.items())
        listed = manifest.is_file() and manifest.read_text(encoding="utf-8") == rows
        if listed and all((folder / path).is_file() for path in plan):
            continue
        manifest.unlink(missing_ok=True)  # a manifest means that the set is complete
        (folder / name).mkdir(parents=True, exist_ok=True)
        images = plan.items()
        for path, word in counted(images, name) if progress else images:
            draw_word(word, seed).save(folder / path)
        write(manifest, rows.encode())


def reference_documents(folder: str | Path, count: int = 10, seed: int = 0) -> list[Path]:
    """Write document images as the reference kit tests its pipeline on: five words in a row each.

    The words are trdg's, drawn like those of `reference_words`. Returns the paths of the JPEG
    images; the true text of each is the .txt file beside it. Raises as `draw_word` does.
    """
    folder, paths = Path(folder), []
    folder.mkdir(parents=True, exist_ok=True)
    words = iter(_shuffled_words(5 * count, seed))
    for number in range(1, count + 1):
        text = " ".join(next(words) for _ in range(5))
        path = folder / f"row-{number:02}.jpg"
        draw_word(text, seed).save(path)
        write(path.with_suffix(".txt"), f"{text}\n".encode())
        paths.append(path)
    return paths


def draw_word(word: str, seed: int) -> Image.Image:
    """A word in one of trdg's fonts, RGB, 64 pixels high; it depends only on (word, seed).

    Raises ValueError if no font draws anything, MissingPartError if trdg is not installed.
    """
    # OpenCV draws the noise. Its random state can be set but not read, so it could not be restored;
    # but each thread has its own state, so the caller's does not change.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_draw, word, seed).result()


def _draw(word: str, seed: int) -> Image.Image:
    strings, drawing, files = _trdg()
    rng = random.Random(f"{seed} {word}")
    fonts = sorted(files.load_fonts("en"))  # trdg lists them in the file system's order
    pillow_fonts, state, start = drawing.ImageFont, random.getstate(), rng.getrandbits(31)
    drawing.ImageFont = SimpleNamespace(truetype=_TrdgFont)
    random.seed(start)
    cv2.setRNGSeed(start)
    try:
        # trdg returns None if it finds no ink, for example for a full stop in a very thin font.
        for font in rng.sample(fonts, len(fonts)):
            made = strings.GeneratorFromStrings(
                [word], fonts=[font], size=64, random_skew=True, random_blur=True
            )
            if image := made.next()[0]:
                return image
    finally:
        random.setstate(state)
        drawing.ImageFont = pillow_fonts
    raise ValueError(f"none of trdg's fonts draws anything for {word!r}")


class _TrdgFont(ImageFont.FreeTypeFont):
    """A font with the method `getsize`, which trdg calls and Pillow 10 removed."""

    def __init__(self, font: str, size: int) -> None:
        # By default Pillow uses another layout engine if a system library is installed; that one
        # places some letters differently.
        super().__init__(font, size, layout_engine=ImageFont.Layout.BASIC)

    def getsize(self, text: str) -> tuple[int, int]:
        _, _, right, bottom = self.getbbox(text)
        return round(right), round(bottom)


@cache
def _trdg() -> tuple[Any, Any, Any]:
    """trdg's modules `from_strings`, `computer_text_generator` and `utils`."""
    try:
        # On import, trdg prints a message about handwriting.
        with redirect_stdout(StringIO()):
            from trdg import computer_text_generator, utils
            from trdg.generators import from_strings
    except ImportError as error:
        raise MissingPartError(
            f"the reference data set needs trdg ({error}); `make setup` installs it"
        ) from error
    return from_strings, computer_text_generator, utils


def _shuffled_words(count: int, seed: int) -> list[str]:
    """The first `count` words of trdg's shuffled dictionary."""
    files = _trdg()[2]
    words = files.load_dict(Path(files.__file__).parent / "dicts" / "en.txt")
    if count > len(words):
        raise ValueError(f"{count} different words requested; trdg's dictionary has {len(words)}")
    random.Random(seed).shuffle(words)
    return words[:count]


def _plan(name: str, size: int, words: Iterator[str]) -> dict[str, str]:
    """Path -> word for the images of a set; trdg's file names leave out most punctuation."""
    valid = _trdg()[2].make_filename_valid
    numbered = [(i, next(words)) for i in range(size)]
    return {f"{name}/{valid(f'{i}_{word}')}.jpg": word for i, word in numbered}
