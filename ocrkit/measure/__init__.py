"""Measuring: speed beside accuracy."""
