"""Learning: from labelled lines and pages, real or synthetic, to weights."""
