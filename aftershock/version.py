"""Which version this is; a test holds it equal to `pyproject.toml`. Asking what is installed would take longer than most of a question."""

__version__ = "0.1.0"
