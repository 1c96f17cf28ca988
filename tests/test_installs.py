"""No GPU package arrives by installing us: torch is installed first, from its pin, as the CPU build (Makefile)."""

import os
import re
from collections.abc import Iterable
from importlib.metadata import distributions

import pytest

GPU_PACKAGE = re.compile(r"nvidia[-_.].*|.*cuda.*|triton|pytorch[-_.]triton.*", re.IGNORECASE)


def gpu_packages(names: Iterable[str]) -> list[str]:
    """Those of the distribution names that belong to a GPU build of torch."""
    return sorted(name for name in set(names) if GPU_PACKAGE.fullmatch(name))


def test_gpu_packages_are_recognised() -> None:
    planted = ["nvidia-cublas-cu12", "nvidia_nccl_cu13", "cuda-bindings", "triton", "torch", "pandas"]
    assert gpu_packages(planted) == ["cuda-bindings", "nvidia-cublas-cu12", "nvidia_nccl_cu13", "triton"]


@pytest.mark.skipif(
    os.environ.get("CI") != "true", reason="your own environment may hold a GPU torch; checked where CI=true"
)
def test_no_gpu_package_is_installed() -> None:
    found = gpu_packages(distribution.name for distribution in distributions())
    assert not found, (
        f"{found} are installed; install the CPU build of torch first: make setup TORCH_INDEX=..., see README"
    )
