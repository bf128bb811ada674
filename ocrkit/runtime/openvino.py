"""Running a network with OpenVINO. Nothing here needs PyTorch."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from ocrkit.errors import CheckpointError, MissingPartError
from ocrkit.processor import usable_cores
from ocrkit.runtime.metadata import METADATA_KEY, OTHER_FILE, check_sizes
from ocrkit.runtime.packages import needs
from ocrkit.runtime.threads import thread_count


def import_openvino() -> Any:
    """The package openvino; raises MissingPartError where it cannot be used."""
    with needs("OpenVINO", "openvino", "take the backend 'pytorch'"):
        import openvino
    return openvino


class OpenVinoBackend:
    """A compiled network as a callable on arrays; safe to call from several threads at once.

    Each call takes an infer request of its own, with its own buffers, and gives it back at the end.
    (Two threads that shared one request got each other's outputs.)
    """

    def __init__(self, compiled: Any) -> None:
        self.compiled = compiled
        self.requests = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        self.threads = compiled.get_property("INFERENCE_NUM_THREADS")
        self.idle: deque[Any] = deque()  # its methods are atomic

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """The network's output for one batch."""
        request = self._request()
        request.infer({0: images})
        return self._output(request)

    def run_batches(self, batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The outputs for many batches, in order; the next ones are computed in the background.

        With one thread nothing is computed in the background: a process that was given one core
        takes no more.
        """
        if self.threads == 1:
            yield from map(self, batches)
            return
        running: deque[Any] = deque()
        try:
            for images in batches:
                request = self._request()
                request.start_async({0: images})
                running.append(request)
                if len(running) > self.requests:
                    yield self._finished(running.popleft())
            while running:
                yield self._finished(running.popleft())
        finally:  # the caller may stop early, or a batch may fail
            for request in running:
                with suppress(RuntimeError):  # the first error is already on its way
                    request.wait()

    def _request(self) -> Any:
        try:
            return self.idle.pop()
        except IndexError:
            return self.compiled.create_infer_request()

    def _finished(self, request: Any) -> np.ndarray:
        request.wait()
        return self._output(request)

    def _output(self, request: Any) -> np.ndarray:
        output = request.get_output_tensor(0).data.copy()  # the request's buffer is used again
        self.idle.append(request)
        return output


def compile_network(
    network: Any, precision: str = "float32", streams: int = 1, path: Path | None = None
) -> OpenVinoBackend:
    """An openvino.Model made ready to run.

    precision: what layers in floating point compute in. streams: batches that are computed side by
    side; the threads are shared among them. path: the file it was read from, for messages.

    Raises MissingPartError if the processor does not compute in bfloat16, and CheckpointError if
    OpenVINO cannot run the network.
    """
    ov = import_openvino()
    hint = ov.Type.bf16 if precision == "bfloat16" else ov.Type.f32
    settings = {
        # Left to itself OpenVINO takes bfloat16 wherever the processor has it.
        "INFERENCE_PRECISION_HINT": hint,
        "INFERENCE_NUM_THREADS": thread_count(),
        "NUM_STREAMS": min(streams, thread_count()),
        # OpenVINO binds its threads to cores, from the first core on. Processes that share a
        # machine would all be bound to the same ones, and the other cores would have nothing to do.
        "ENABLE_CPU_PINNING": thread_count() == usable_cores(),
    }
    try:
        compiled = ov.Core().compile_model(network, "CPU", settings)
    except RuntimeError as error:
        raise CheckpointError(
            f"{path or 'the network'} cannot be run by OpenVINO: {_last_line(error)}"
        ) from error
    if compiled.get_property("INFERENCE_PRECISION_HINT") != hint:
        raise MissingPartError(
            "this processor does not compute in bfloat16, and OpenVINO would take float32 instead; "
            "choose the precision 'float32'"
        )
    return OpenVinoBackend(compiled)


def read_network(path: Path) -> tuple[Any, str | None]:
    """The openvino.Model of an .xml and the .bin beside it, and its metadata (JSON) if it has any.

    Raises CheckpointError if a file is missing or damaged.
    """
    ov = import_openvino()
    check_weights_file(path)
    try:
        network = ov.Core().read_model(path)
    except RuntimeError as error:
        raise CheckpointError(
            f"{path} cannot be read: {_last_line(error)}; it takes an .xml and, "
            "beside it, the .bin written with it: run notebook 05_openvino to make both"
        ) from error
    if not network.has_rt_info(METADATA_KEY):
        return network, None
    return network, network.get_rt_info(METADATA_KEY).astype(str)


def _last_line(error: Exception) -> str:
    """The line of an OpenVINO message that says the reason; those before it name its sources."""
    return str(error).strip().splitlines()[-1][:300]


def check_weights_file(path: Path) -> None:
    """Raises CheckpointError if an .xml is no network, or its .bin is not as long as it says."""
    weights = path.with_suffix(".bin")
    remedy = "an .xml needs the .bin that was written with it: run notebook 05_openvino"
    try:
        constants = list(ElementTree.parse(path).iterfind("layers/layer/data[@offset]"))
        ends = [int(data.attrib["offset"]) + int(data.attrib["size"]) for data in constants]
        size = weights.stat().st_size
    except OSError as error:
        raise CheckpointError(f"{error.filename or path}: {error.strerror}; {remedy}") from error
    except (ElementTree.ParseError, LookupError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read as a network: {error}; {remedy}") from error
    if max(ends, default=0) != size:
        raise CheckpointError(
            f"{weights} is damaged or of another network: it has {size} bytes, {path.name} needs "
            f"{max(ends, default=0)}; {remedy}"
        )


def check_shapes(path: Path, network: Any, inputs: tuple[int, ...], classes: int) -> None:
    """Raises CheckpointError if a network has other inputs and outputs than its metadata says.

    inputs: the sizes of its one input, -1 for any. classes: of its last output axis, -1 for any.
    """
    ports = list(network.inputs), list(network.outputs)
    if [len(side) for side in ports] != [1, 1]:
        raise CheckpointError(f"{path} must have one input and one output; {OTHER_FILE}")
    shape, output = (
        [] if port.get_partial_shape().rank.is_dynamic else list(port.get_partial_shape())
        for (port,) in ports
    )
    sizes = [size.get_length() if size.is_static else -1 for size in shape]
    last = output[-1].get_length() if output and output[-1].is_static else -1
    check_sizes(path, sizes, inputs, last, classes)
