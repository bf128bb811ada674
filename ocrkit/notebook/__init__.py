"""For notebooks: figures, widgets, and a report about this machine."""
