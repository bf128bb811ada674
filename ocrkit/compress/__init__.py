"""Compressing: from a checkpoint to ONNX, OpenVINO and INT8."""
