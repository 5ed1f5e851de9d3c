"""The Engine contract in PyTorch, for networks too large for the other engines. Needs torch, which is an extra."""

from .engine import TorchEngine

__all__ = ["TorchEngine"]
