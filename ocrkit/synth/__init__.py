"""Seeded synthetic text images, for training, calibration and the samples.

`lines` makes line crops, `pages` whole pages, `words` the reference data set, `samples` the
documents of data/samples. Texts come from `text` (`grammar`, `dictionary`), fonts from `fonts`;
`typesetting` draws lines, `layouts` and `page_builder` pages. `degrade` has the image defects, and
`recipes` says how often each is used. Word lists, shares and weights are in .tsv and .toml files.
"""
