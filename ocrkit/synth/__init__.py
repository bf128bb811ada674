"""Synthetic text images: fonts, text, damage, lines and pages. Seeded, in memory or to disk."""
