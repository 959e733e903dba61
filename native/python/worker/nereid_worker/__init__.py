"""The worker of the Python backend: one process that runs one instance of a model."""
