"""Runs on disk."""

from teachrl.runs.store import Run

__all__ = ["Run"]
