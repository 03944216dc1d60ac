"""The plots of a report, drawn by matplotlib without a display; the same figures give the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mossgen.core.refusal import RefusalClass
from mossgen.judgements.rates import ALL, Cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, SOFT, LINE, MOSS, STOP = "#23211d", "#6b665c", "#ddd8cc", "#55652f", "#8c3a2b"
LONGEST = 28  # characters of a name on an axis
ABREAST = 4  # panels in one row
Points = Sequence[tuple[str, Cell, Cell]]  # target, its harmful partners, its benign items
_STYLE: Any = {
    "font.size": 9, "axes.edgecolor": LINE, "axes.labelcolor": SOFT, "axes.titlecolor": INK, "axes.titlesize": 10,
    "axes.titlelocation": "left", "xtick.color": SOFT, "ytick.color": INK, "text.color": INK, "axes.spines.top": False,
    "axes.spines.right": False, "figure.facecolor": "#fffefb", "axes.facecolor": "#fffefb", "svg.hashsalt": "mossgen",
    "legend.frameon": False,
}  # fmt: skip


def save(folder: Path, name: str, draw: Callable[[Figure], None]) -> None:
    """Draws on a fresh figure and writes NAME.png and NAME.svg."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(layout="constrained")
        draw(figure)
        figure.savefig(folder / f"{name}.png", dpi=160, metadata={"Software": None})
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": None})


def refusal(figure: Figure, cells: Sequence[Cell]) -> None:
    """One panel for each type, one line for each target: the share of refusals with its interval, and of full ones.

    `cells` are of one judge and side, overall and by type; the targets that refuse most are at the top.
    """
    kinds = list(dict.fromkeys(cell.value for cell in cells))
    overall = {cell.target: cell.refusal or 0.0 for cell in cells if cell.value == ALL}
    targets = sorted(overall, key=lambda target: (overall[target], target))
    axes = _panels(figure, len(kinds), ABREAST, (2.1, 0.6 + 0.34 * len(targets)), (2.2, 0.5))
    for ax, kind in zip(axes, kinds, strict=True):
        known = [c for c in cells if c.value == kind and c.n]
        _dots(ax, [(targets.index(c.target), c) for c in known])
        ax.set_title(_title(kind))
        _share_axis(ax.xaxis, ax.set_xlim)
        ax.grid(axis="x", color=LINE, linewidth=0.6)
        ax.set_axisbelow(True)
        ax.tick_params(axis="y", length=0)
    axes[0].set_yticks(range(len(targets)), [_short(target) for target in targets])  # the axes share their ticks
    axes[0].set_ylim(-0.6, len(targets) - 0.4)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, labelcolor=SOFT)


def _dots(ax: Axes, rows: Sequence[tuple[int, Cell]]) -> None:
    places = [place for place, _ in rows]
    shares = [cell.refusal or 0.0 for _, cell in rows]
    ax.errorbar(shares, places, xerr=_errors([cell for _, cell in rows]), fmt="o", color=STOP, ecolor=STOP,
                elinewidth=1.4, markersize=5.5, label="full or partial refusal, 95 % interval")  # fmt: skip
    ax.plot([cell.full or 0.0 for _, cell in rows], places, "|", color=INK, markersize=9, markeredgewidth=1.4,
            label="full refusal alone")  # fmt: skip


def oversensitivity(figure: Figure, panels: Sequence[tuple[str, Points, float | None]]) -> None:
    """One panel for each type: refusing harmful partners (x) against benign items (y), one point for each target."""
    axes = _panels(figure, len(panels), 2, (4.3, 3.6), (0.0, 0.3))
    for ax, (kind, points, rho) in zip(axes, panels, strict=True):
        partners, benign = [partner for _, partner, _ in points], [cell for _, _, cell in points]
        xs, ys = [cell.refusal or 0.0 for cell in partners], [cell.refusal or 0.0 for cell in benign]
        ax.errorbar(xs, ys, xerr=_errors(partners), yerr=_errors(benign), fmt="o", color=MOSS, ecolor="#b9bfa6",
                    elinewidth=1, markersize=5)  # fmt: skip
        for (target, _, _), x, y in zip(points, xs, ys, strict=True):
            right = x > 0.6  # the name is placed where there is space
            ax.annotate(_short(target), (x, y), xytext=(-6 if right else 6, 5), textcoords="offset points", fontsize=8,
                        ha="right" if right else "left")  # fmt: skip
        ax.set_title(_title(kind) + (f"   Spearman's rho {rho:.2f}" if rho is not None else ""))
        _share_axis(ax.xaxis, ax.set_xlim)
        _share_axis(ax.yaxis, ax.set_ylim)
        ax.grid(color=LINE, linewidth=0.6)
        ax.set_axisbelow(True)
    figure.supxlabel("harmful partners refused", color=SOFT, fontsize=9)
    figure.supylabel("benign items refused", color=SOFT, fontsize=9)


def confusion(figure: Figure, pairs: Sequence[Mapping[str, Any]]) -> None:
    """One panel for each pair of judges: how many responses got each combination of labels."""
    figure.set_size_inches(0.4 + 3.4 * len(pairs), 3.4)
    for ax, pair in zip(figure.subplots(1, len(pairs), squeeze=False)[0], pairs, strict=True):
        counts = [[pair["confusion"][row][column] for column in list(RefusalClass)] for row in list(RefusalClass)]
        totals = [max(1, sum(row)) for row in counts]
        shares = [[count / total for count in row] for row, total in zip(counts, totals, strict=True)]
        ax.imshow(shares, cmap="Greens", vmin=0, vmax=1.15, aspect="equal")
        for i, row in enumerate(counts):
            for j, count in enumerate(row):
                ax.text(j, i, f"{count:,}", ha="center", va="center", color="white" if shares[i][j] > 0.62 else INK)
        ax.set_xticks(range(len(list(RefusalClass))), list(RefusalClass), rotation=30, ha="right")
        ax.set_yticks(range(len(list(RefusalClass))), list(RefusalClass))
        ax.set(xlabel=_short(pair["b"]), ylabel=_short(pair["a"]))
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)


def stages(figure: Figure, tables: Mapping[str, Mapping[str, Mapping[str, Any]]], parts: Sequence[str]) -> None:
    """One panel for each type, one bar for each target: the share of each of `parts` in its refused items.

    The last part is pale. `tables` hold by target and type the counts of the parts, and `refused`.
    """
    kinds = list(dict.fromkeys(kind for table in tables.values() for kind, row in table.items() if row["refused"]))
    targets = list(tables)[::-1]
    axes = _panels(figure, len(kinds), ABREAST, (2.1, 0.7 + 0.4 * len(targets)), (2.2, 0.5))
    colours = (*(MOSS, "#c9a24b", STOP)[: len(parts) - 1], LINE)
    for ax, kind in zip(axes, kinds, strict=True):
        rows = [tables[target].get(kind, {}) for target in targets]
        before = [0.0] * len(rows)
        for part, colour in zip(parts, colours, strict=True):
            widths = [row[part] / row["refused"] if row.get("refused") else 0.0 for row in rows]
            ax.barh(range(len(rows)), widths, left=before, color=colour, height=0.6, label=part)
            before = [a + b for a, b in zip(before, widths, strict=True)]
        for place, row in enumerate(rows):
            ax.annotate(f"n = {row.get('refused', 0)}", (1.0, place + 0.36), ha="right", fontsize=7, color=SOFT)
        ax.set_title(_title(kind))
        _share_axis(ax.xaxis, ax.set_xlim)
        ax.tick_params(axis="y", length=0)
    axes[0].set_yticks(range(len(targets)), [_short(target) for target in targets])  # the axes share their ticks
    axes[0].set_ylim(-0.6, len(targets) - 0.3)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(parts), labelcolor=SOFT)


def contents(figure: Figure, counts: Mapping[str, Mapping[str, int]]) -> None:
    """How many items a set has in each category (at most the 24 most frequent), by type."""
    from matplotlib.ticker import MaxNLocator

    totals: dict[str, int] = {}
    for by_category in counts.values():
        for category, count in by_category.items():
            totals[category] = totals.get(category, 0) + count
    shown = sorted(totals, key=lambda category: (-totals[category], category))[:24][::-1]
    figure.set_size_inches(7, 1.2 + 0.24 * len(shown))
    ax, before = figure.subplots(), [0] * len(shown)
    colours = (MOSS, STOP, "#c9a24b", SOFT)
    for number, (kind, by_category) in enumerate(counts.items()):
        widths = [by_category.get(category, 0) for category in shown]
        ax.barh(range(len(shown)), widths, left=before, color=colours[number % len(colours)], label=_title(kind))
        before = [a + b for a, b in zip(before, widths, strict=True)]
    ax.set_yticks(range(len(shown)), [_short(category) for category in shown])
    ax.set_xlabel("items")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.tick_params(axis="y", length=0)
    figure.legend(loc="outside lower center", ncols=len(colours), labelcolor=SOFT)


def _panels(
    figure: Figure, count: int, abreast: int, size: tuple[float, float], margin: tuple[float, float]
) -> list[Axes]:
    """Axes with shared scales, with a limit for each row; `size` of each and `margin` of all are in inches."""
    columns = min(abreast, count)
    lines = -(-count // columns)
    figure.set_size_inches(margin[0] + size[0] * columns, margin[1] + size[1] * lines)
    axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).flatten()
    for number, spare in enumerate(axes[count:], count):
        spare.set_visible(False)
        axes[number - columns].tick_params(labelbottom=True)  # this panel is the last in its column
    return list(axes[:count])


def _errors(cells: Sequence[Cell]) -> list[list[float]]:
    """The distances from the share to the lower and upper limits, never negative."""
    shares = [cell.refusal or 0.0 for cell in cells]
    low = [max(0.0, share - (cell.low or 0.0)) for share, cell in zip(shares, cells, strict=True)]
    high = [max(0.0, (cell.high or 0.0) - share) for share, cell in zip(shares, cells, strict=True)]
    return [low, high]


def _share_axis(axis: Any, limits: Callable[..., Any]) -> None:
    limits(-0.04, 1.04)
    axis.set_ticks([0, 0.25, 0.5, 0.75, 1], labels=["0", "25", "50", "75", "100 %"])


def _title(kind: str) -> str:
    return _plain("all types" if kind == ALL else kind.replace("_", " "))


def _short(name: str) -> str:
    return _plain(name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…")


def _plain(text: str) -> str:
    """The text without characters that matplotlib reads as mathematics or cannot draw."""
    return "".join(letter for letter in text.replace("$", r"\$") if letter.isprintable())
