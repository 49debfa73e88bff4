"""``teachrl report``: a whole benchmark on one page."""

from dataclasses import dataclass
from pathlib import Path

from teachrl.cli.flags import Command, Count, Folders


@dataclass(kw_only=True)
class Report(Command):
    """Write one self-contained HTML page about a benchmark, and the numbers behind it."""

    folders: Folders  # of benchmarks, or of campaigns with several
    out: Path | None = None  # of the page; by default report.html in the first folder
    against: str | None = None  # a folder, "baselines", or the name of a set of these
    threshold: float = 0.5  # share of the test set that the time to master is told of
    curricula: Count = 3  # runs per teacher whose curriculum is shown, the lowest seeds
    figures: bool = False  # also write pictures, and the curriculum of each teacher as a film

    def run(self) -> None:
        """Write the page and the tables, and show the comparison and where they are."""
        from teachrl.baselines import load_baselines
        from teachrl.cli.show import show_paths, show_results
        from teachrl.reporting import find_benchmarks, write_report
        from teachrl.reporting.pictures import save_figures, save_radar
        from teachrl.results import Results

        if not 0 < self.threshold <= 1:
            raise ValueError(f"--threshold is a share above 0, at most 1; got {self.threshold}")
        found = [item for folder in self.folders for item in find_benchmarks(folder).items()]
        benchmarks = {name: Results.load(path) for name, path in found}
        if len(benchmarks) < len(found):
            names = ", ".join(name for name, _ in found)
            raise ValueError(f"two benchmarks have the same name ({names}): rename a folder")
        if self.against:
            benchmarks = {
                name: results.against(load_baselines(self.against, results))
                for name, results in benchmarks.items()
            }
        out = self.out or self.folders[0] / "report.html"
        out.parent.mkdir(parents=True, exist_ok=True)
        write_report(benchmarks, out, threshold=self.threshold, curricula=self.curricula)
        paths = [out]
        for name, results in benchmarks.items():
            label = name.replace("/", "_")
            show_results(results, self.threshold)
            paths.append(results.save_rows(out.with_name(f"{out.stem}_{label}.csv")))
            if self.figures:
                paths += save_figures(results, out.with_name(f"{out.stem}_{label}"))
        if self.figures and len(benchmarks) > 2:
            paths.append(save_radar(benchmarks, out.with_name(f"{out.stem}_radar.png")))
        show_paths(paths)
