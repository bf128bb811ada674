"""Running networks: files of weights, what they say about themselves, and the runtimes."""
