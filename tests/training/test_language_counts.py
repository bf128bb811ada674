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


def test_books_that_are_held_out_can_be_left_out(tmp_path):
    """Of four books of ten lines and one of one, the small one is held out for validation."""
    rows = [
        f"set-source-book{b}-page-{n}.png\tbook {b}"
        for b, count in enumerate((1, 10, 10, 10))
        for n in range(count)
    ]
    manifest = tmp_path / "lines.tsv"
    manifest.write_text("\n".join(rows), encoding="utf-8")
    assert "book 0" in set(transcribed_lines([manifest]))
    assert set(transcribed_lines([manifest], training_only=True)) == {"book 1", "book 2", "book 3"}
