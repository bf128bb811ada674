"""Compression: from a checkpoint to ONNX, OpenVINO IR and INT8."""
