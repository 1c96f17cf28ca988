"""Which version this is."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("aftershock")
except PackageNotFoundError:  # a bare clone, not installed
    __version__ = "not installed"
