"""The tutorial's data set of synthetic words, in the reference kit's recipe."""

from __future__ import annotations

from pathlib import Path

from ocrkit.synth.words import reference_words
from ocrkit.training.manifest import Sample, read_manifest, split


def reference_data(
    folder: str | Path, quick: bool = False, seed: int = 0, progress: bool = True
) -> dict[str, list[Sample]]:
    """The tutorial's data set, made in `folder` where it is not there yet, in its five parts.

    "train", "validation" and "calibration" share 3,256 images (85, 10 and 5 %), as many as the
    reference kit trained on; "test" has 100, as its test, "test1000" 1,000 more of the kind. The
    recipe is its own, the words are others. `quick` makes fewer images, 600 and 100 and 200, in a
    folder of their own.
    """
    folder, sizes = Path(folder), {}
    if quick:
        folder, sizes = folder.with_name(f"{folder.name}-quick"), {"train": 600, "extra_test": 200}
    reference_words(folder, **sizes, seed=seed, progress=progress)
    shares = {"train": 0.85, "validation": 0.10, "calibration": 0.05}
    parts = split(read_manifest(folder / "train.txt"), shares, seed)
    tests = {name: read_manifest(folder / f"{name}.txt") for name in ("test", "test1000")}
    return parts | tests
