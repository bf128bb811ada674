"""The data set of the notebooks: synthetic words, made as in the reference kit."""

from __future__ import annotations

from pathlib import Path

from ocrkit.synth.words import reference_words
from ocrkit.training.manifest import Sample, read_manifest, split


def reference_data(
    folder: str | Path, quick: bool = False, seed: int = 0, progress: bool = True
) -> dict[str, list[Sample]]:
    """The five parts of the data set in `folder`; it is made there if it does not exist yet.

    "train", "validation" and "calibration" are 85, 10 and 5 % of 3,256 images, the number that the
    reference kit trained on. "test" has 100 images, like its test set, "test1000" has 1,000 more.
    The images are made as in the reference kit, from other words.
    quick: make fewer images (600, 100 and 200) in the folder `folder`-quick.
    """
    folder, sizes = Path(folder), {}
    if quick:
        folder, sizes = folder.with_name(f"{folder.name}-quick"), {"train": 600, "extra_test": 200}
    reference_words(folder, **sizes, seed=seed, progress=progress)
    shares = {"train": 0.85, "validation": 0.10, "calibration": 0.05}
    parts = split(read_manifest(folder / "train.txt"), shares, seed)
    tests = {name: read_manifest(folder / f"{name}.txt") for name in ("test", "test1000")}
    return parts | tests
