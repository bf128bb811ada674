"""What the notebooks show: figures, widgets, and the state of this machine."""
