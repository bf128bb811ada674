"""Measurement: speed and accuracy of networks, and of whole-page readers."""
