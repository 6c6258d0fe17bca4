"""The floor under the tests: which lines have to run, and whether they did; owns no test.

How much each app needs, and the modules that need all, stand in pyproject.toml under [tool.lumos.coverage].
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from coverage import Coverage

from core.conf import ROOT

_CONFIGURATION = ROOT / "pyproject.toml"
_FILES_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Reached:
    """Lines of one file that could run, and those of them that no process ran. `file` is relative to the root."""

    file: str
    lines: int
    missed: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.file}: {', '.join(_spans(self.missed))}"


@dataclass(frozen=True, slots=True)
class Floor:
    """`share` of each app's lines in percent, and all lines of the `pure` files."""

    apps: tuple[str, ...]
    share: int
    pure: tuple[str, ...]

    def complaints(self, reached: Sequence[Reached]) -> list[str]:
        """A sentence for each app and pure module that is under its floor, with the lines that tests should reach."""
        found = []
        for app in self.apps:
            if share_of(app, reached) < self.share:
                worst = sorted(_of(app, reached), key=lambda file: len(file.missed), reverse=True)[:_FILES_SHOWN]
                found.append(
                    f"{app}: {share_of(app, reached):.1f} % of its lines ran and {self.share} % must; above all"
                )
                found += [f"  {file}" for file in worst if file.missed]
        known = {file.file: file for file in reached}
        for pure in self.pure:
            if pure not in known:
                found.append(f"{pure}: is listed as pure in pyproject.toml, and there is no such file")
            elif known[pure].missed:
                found.append(f"every line of a pure module must run, and these did not: {known[pure]}")
        return found


def floor() -> Floor:
    """As pyproject.toml has it; the apps are the packages that are measured."""
    tool = tomllib.loads(_CONFIGURATION.read_text())["tool"]
    ours = tool["lumos"]["coverage"]
    return Floor(tuple(tool["coverage"]["run"]["source"]), ours["share"], tuple(ours["pure"]))


def measuring(folder: Path) -> Mapping[str, str]:
    """The environment that makes a Python process, and those that it starts with it, note their lines in `folder`."""
    folder.mkdir()
    return {"COVERAGE_PROCESS_START": str(_CONFIGURATION), "COVERAGE_FILE": str(folder / "lines")}


def reached_lines(folder: Path, apps: Sequence[str]) -> list[Reached]:
    """What all processes together ran, of every file of the apps: one that nobody imported counts as well."""
    measured = Coverage(data_file=str(folder / "lines"), config_file=str(_CONFIGURATION))
    measured.combine([str(folder)])
    reached = []
    for path in sorted(path for app in apps for path in (ROOT / app).rglob("*.py")):
        if "migrations" not in path.parts:
            _, lines, _, missed, _ = measured.analysis2(str(path))
            reached.append(Reached(str(path.relative_to(ROOT)), len(lines), tuple(missed)))
    return reached


def share_of(app: str, reached: Sequence[Reached]) -> float:
    """Percent of the app's lines that ran."""
    files = _of(app, reached)
    lines = sum(file.lines for file in files)
    return 100 * (1 - sum(len(file.missed) for file in files) / lines) if lines else 100.0


def is_reached(folder: Path) -> bool:
    """Print each app's share and what is under the floor; whether nothing is."""
    wanted = floor()
    reached = reached_lines(folder, wanted.apps)
    print("\nlines that ran: " + ", ".join(f"{app} {share_of(app, reached):.1f} %" for app in wanted.apps))
    complaints = wanted.complaints(reached)
    for complaint in complaints:
        print(f"lumos: {complaint}")
    return not complaints


def _of(app: str, reached: Sequence[Reached]) -> list[Reached]:
    return [file for file in reached if file.file.startswith(f"{app}/")]


def _spans(lines: Sequence[int]) -> list[str]:
    """3, 4, 5, 9 as 3-5 and 9."""
    spans: list[list[int]] = []
    for line in lines:
        if spans and line == spans[-1][-1] + 1:
            spans[-1] = [spans[-1][0], line]
        else:
            spans.append([line])
    return ["-".join(map(str, span)) for span in spans]
