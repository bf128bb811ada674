from __future__ import annotations

from ocrkit.synth.words import reference_words
from ocrkit.training import reference_data as module


def test_the_parts_of_the_data_set_share_no_image_and_no_word(tmp_path, monkeypatch):
    made = []

    def few(folder, train=3256, test=100, extra_test=1000, **settings):
        made.append((folder.name, train, test, extra_test))
        return reference_words(folder, 40, 5, 8, progress=False)

    monkeypatch.setattr(module, "reference_words", few)
    parts = module.reference_data(tmp_path / "dataset")
    quick = module.reference_data(tmp_path / "dataset", quick=True)
    assert made == [("dataset", 3256, 100, 1000), ("dataset-quick", 600, 100, 200)]
    assert {name: len(part) for name, part in parts.items()} == {
        "train": 34, "validation": 4, "calibration": 2, "test": 5, "test1000": 8
    }  # fmt: skip
    for values in (
        [s.path for p in parts.values() for s in p],
        [s.text for p in parts.values() for s in p],
    ):
        assert len(set(values)) == 53
    assert [s.text for s in quick["train"]] == [s.text for s in parts["train"]]
