"""One page of HTML that shows a whole benchmark, and needs no network to do so."""

from teachrl.reporting.page import find_benchmarks, write_report

__all__ = ["find_benchmarks", "write_report"]
