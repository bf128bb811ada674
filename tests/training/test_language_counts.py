from __future__ import annotations

from ocrkit.training.language_counts import generated_lines, transcribed_lines


def test_transcriptions_are_normalised_and_count_several_times(tmp_path):
    manifest = tmp_path / "lines.tsv"
    manifest.write_text("a.png\tpou¬\nb.png\t漢字\nc.png\tMaͤnner\n", encoding="utf-8")
    texts = list(transcribed_lines([manifest]))
    assert texts == ["pou-"] * 4 + ["Männer"] * 4  # 漢字 is outside the alphabet


def test_no_manifest_gives_no_lines():
    assert list(transcribed_lines([])) == []


def test_synthetic_lines_are_the_same_each_time_and_another_with_another_seed():
    assert list(generated_lines(20)) == list(generated_lines(20))
    assert list(generated_lines(20)) != list(generated_lines(20, seed=78))
