"""Training of recognisers and detectors, on real or synthetic lines and pages.

`fit` fine-tunes a recogniser on labelled lines, `tune` searches for the best settings, `evaluation`
scores a recogniser. `pretrain` and `pretrain_detector` train from random weights on synthetic data.
"""
