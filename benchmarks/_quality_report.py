"""Shares, wins and losses out of the runs of quality.py; tables and the plot."""

from __future__ import annotations

from _common import print_table

# isort: split
from collections import defaultdict
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import numpy as np
from _quality_models import STUDENTS, TEACHERS

#: Figures in which an advantage is shared, and the sign that makes more of it better.
SIGNS = {"log_loss": -1, "accuracy": 1}
#: Metric and reference of each share.
SHARES = {
    "log loss": ("log_loss", "teacher"),
    "log loss, calibrated": ("log_loss", "calibrated"),
    "accuracy": ("accuracy", "teacher"),
}
MODELS = ("distilled", "label smoothing", "argmax", "argmax, stopped early")
N_RESAMPLES = 10_000
#: How far above the calibrated teacher's a student's ECE may be.
ECE_SLACK = 0.01

Groups = dict[tuple[str, str], dict[str, list[dict]]]


def group_runs(runs: dict[str, dict]) -> Groups:
    """Records of all seeds, by teacher and student, then by data set."""
    groups: Groups = defaultdict(lambda: defaultdict(list))
    for run in sorted(runs.values(), key=lambda run: run["of"]["seed"]):
        of = run["of"]
        groups[of["teacher"], of["student"]][of["data"]].append(run)
    ordered = [key for key in product(TEACHERS, STUDENTS) if key in groups]
    return {key: groups[key] for key in ordered}


def read_values(records: list[dict], model: str, metric: str) -> np.ndarray:
    """One figure of one model, a seed each."""
    return np.array([record[model][metric] for record in records])


def pick_hard(records: list[dict], metric: str) -> str:
    """The best way to learn hard labels, by its mean."""

    def mean(variant):
        return np.mean([record["hard"][variant][metric] for record in records])

    return max(records[0]["hard"], key=lambda variant: SIGNS[metric] * mean(variant))


def read_hard(records: list[dict], metric: str, of: str | None = None) -> np.ndarray:
    """A figure (of another metric's best variant, if named) of hard labels."""
    best = pick_hard(records, of or metric)
    return np.array([record["hard"][best][metric] for record in records])


def compare(values: np.ndarray, metric: str, hard: np.ndarray) -> tuple[float, float]:
    """Mean lead over hard labels, and its standard error over the seeds."""
    lead = SIGNS[metric] * (values - hard)
    error = lead.std(ddof=1) / len(lead) ** 0.5 if len(lead) > 1 else 0.0
    return float(lead.mean()), float(error)


def judge(lead: float, error: float) -> str:
    if abs(lead) <= error:
        return "tie"
    return "win" if lead > 0 else "loss"


def measure_leads(records: list[dict], metric: str, reference: str, model: str) -> dict:
    """Advantage of the reference and gain of the model, on one data set."""
    hard = read_hard(records, metric)
    advantage, noise = compare(read_values(records, reference, metric), metric, hard)
    gain, error = compare(read_values(records, model, metric), metric, hard)
    return {
        "advantage": advantage,
        "gain": gain,
        "has_advantage": advantage > noise,
        "result": judge(gain, error),
    }


def share_advantage(leads: dict[str, dict], n_resamples: int) -> dict:
    """Ratio of sums over the sets with an advantage, resampled over those sets."""
    sets = [lead for lead in leads.values() if lead["has_advantage"]]
    result = {
        "share": float("nan"),
        "interval": [float("nan")] * 2,
        "with advantage": [
            data for data, lead in leads.items() if lead["has_advantage"]
        ],
        "without advantage": [
            data for data, lead in leads.items() if not lead["has_advantage"]
        ],
    }
    if not sets:
        return result
    gain = np.array([lead["gain"] for lead in sets])
    advantage = np.array([lead["advantage"] for lead in sets])
    result["share"] = float(gain.sum() / advantage.sum())
    if len(sets) > 1:
        draws = np.random.default_rng(0).integers(
            len(sets), size=(n_resamples, len(sets))
        )
        ratios = gain[draws].sum(axis=1) / advantage[draws].sum(axis=1)
        result["interval"] = np.percentile(ratios, [2.5, 97.5]).tolist()
    return result


def summarise(by_data: dict[str, list[dict]], model: str, n_resamples: int) -> dict:
    """Everything about one teacher, student and way to teach it."""
    leads = {
        title: {
            data: measure_leads(records, metric, reference, model)
            for data, records in by_data.items()
        }
        for title, (metric, reference) in SHARES.items()
    }
    counts = {
        title: {
            result: [d for d, lead in leads[title].items() if lead["result"] == result]
            for result in ("win", "tie", "loss")
        }
        for title in ("log loss", "accuracy")
    }
    excess = {
        data: float(
            read_values(records, model, "ece").mean()
            - read_values(records, "calibrated", "ece").mean()
        )
        for data, records in by_data.items()
    }
    ratios = {}
    if model == "distilled":
        for data, records in by_data.items():
            found = [r["times"]["ratio"] for r in records if "ratio" in r["times"]]
            if found:
                ratios[data] = float(np.mean(found))
    return {
        "shares": {
            title: share_advantage(leads[title], n_resamples) for title in SHARES
        },
        "results": counts,
        "ece above calibrated teacher": excess,
        "time ratio": ratios,
        "leads": leads,
    }


def show_share(share: dict) -> str:
    """Percent, interval, and how many sets it is over."""
    if np.isnan(share["share"]):
        return "no advantage"
    low, high = share["interval"]
    interval = "" if np.isnan(low) else f" [{low:.0%}, {high:.0%}]"
    return f"{share['share']:.0%}{interval} ({len(share['with advantage'])})"


def summary_row(teacher: str, student: str, model: str, summary: dict) -> list[str]:
    name = student if model == "distilled" else f"{student}: {model}"
    excess, ratios = summary["ece above calibrated teacher"], summary["time ratio"]
    over = sum(value > ECE_SLACK for value in excess.values())
    times = list(ratios.values())
    return [
        teacher,
        name,
        *(show_share(summary["shares"][title]) for title in SHARES),
        *(
            "/".join(str(len(sets)) for sets in summary["results"][title].values())
            for title in ("log loss", "accuracy")
        ),
        f"{max(excess.values()):+.3f} ({over})",
        f"{np.median(times):.2f} ({max(times):.2f})" if times else "",
    ]


def data_row(data: str, records: list[dict], leads: dict[str, dict]) -> list[str]:
    """Log loss and accuracy on one data set."""
    row = [data, str(len(records))]
    for metric, references in (
        ("log_loss", ("teacher", "calibrated")),
        ("accuracy", ("teacher",)),
    ):
        row.append(f"{read_hard(records, metric).mean():.4f}")
        for model in ("distilled", *references):
            row.append(f"{read_values(records, model, metric).mean():.4f}")
        titles = [title for title, (of, _) in SHARES.items() if of == metric]
        row += [show_lead(leads[title][data]) for title in titles]
        row.append(leads[titles[0]][data]["result"])
    return row


def show_lead(lead: dict) -> str:
    return (
        f"{lead['gain'] / lead['advantage']:.0%}"
        if lead["has_advantage"]
        else "no advantage"
    )


def further_row(data: str, records: list[dict]) -> list[str]:
    """Ranking, calibration, agreement, time and size on one data set."""
    row = [data]
    for metric in ("auc", "ece"):
        row.append(f"{read_hard(records, metric, 'log_loss').mean():.4f}")
        for model in ("distilled", "teacher", "calibrated"):
            if (metric, model) != ("auc", "calibrated"):
                row.append(f"{read_values(records, model, metric).mean():.4f}")
    hard = read_hard(records, "agreement", "log_loss")
    row += [
        f"{hard.mean():.4f}",
        f"{read_values(records, 'distilled', 'agreement').mean():.4f}",
        f"{np.mean([record['calibration'] for record in records]):.2f}",
    ]
    learned = [record["learned"] or "as set" for record in records]
    row.append(", ".join(f"{learned.count(x)} {x}" for x in sorted(set(learned))))
    for key in ("fit", "without teachers"):
        row.append(f"{np.mean([record['times'][key] for record in records]):.1f}")
    ratios = [r["times"]["ratio"] for r in records if "ratio" in r["times"]]
    row.append(f"{np.mean(ratios):.2f}" if ratios else "")
    served = [(r["onnx_bytes"], r["onnx_us"]) for r in records if "onnx_us" in r]
    row.append("{:,.0f} B, {:.1f}".format(*np.median(served, axis=0)) if served else "")
    return row


def print_group(
    teacher: str, student: str, by_data: dict[str, list[dict]], summary: dict
) -> None:
    print_table(
        f"Teacher {teacher}, student {student}: means over the seeds",
        [
            *("data", "seeds", "log loss: hard", "distilled", "teacher", "calibrated"),
            *("share", "share, calibrated", "result"),
            *("accuracy: hard", "distilled", "teacher", "share", "result"),
        ],
        [data_row(d, records, summary["leads"]) for d, records in by_data.items()],
    )
    print_table(
        f"Teacher {teacher}, student {student}: further figures",
        [
            *("data", "AUC: hard", "distilled", "teacher"),
            *("ECE: hard", "distilled", "teacher", "calibrated"),
            *("agreement: hard", "distilled", "t", "learned from"),
            *("CPU s: fit", "without teachers", "ratio", "ONNX: file, µs a row"),
        ],
        [further_row(data, records) for data, records in by_data.items()],
    )
    for title in SHARES:
        without = summary["shares"][title]["without advantage"]
        if without:
            print(f"No advantage in {title}: {', '.join(without)}")
    for title, results in summary["results"].items():
        if results["loss"]:
            print(f"Lost to hard labels in {title}: {', '.join(results['loss'])}")


def print_report(runs: dict[str, dict], n_resamples: int = N_RESAMPLES) -> list[dict]:
    """Print all tables; return the summaries."""
    summaries, rows = [], []
    for (teacher, student), by_data in group_runs(runs).items():
        for model in MODELS:
            if any(model not in r for records in by_data.values() for r in records):
                continue
            summary = summarise(by_data, model, n_resamples)
            if model == "distilled":
                print_group(teacher, student, by_data, summary)
            rows.append(summary_row(teacher, student, model, summary))
            parts = {"teacher": teacher, "student": student, "model": model}
            summaries.append({**parts, **summary})
    print_table(
        "Share of the advantage recovered, with 95% interval (sets with an advantage)",
        [
            *("teacher", "student", *SHARES),
            *("log loss: win/tie/loss", "accuracy: win/tie/loss"),
            f"most ECE above calibrated (sets over {ECE_SLACK})",
            "time ratio: median (most)",
        ],
        rows,
    )
    return summaries


#: Marker, fill and label: told apart by shape, so that grey is enough.
MARKS = {
    "distilled": ("o", "black", "distilled"),
    "teacher": ("^", "white", "teacher"),
    "calibrated": ("s", "0.75", "teacher, calibrated"),
}


def draw_plot(runs: dict[str, dict], path: Path) -> None:
    """Log loss over that of hard labels, a row a data set; needs matplotlib."""
    if not runs or find_spec("matplotlib") is None:
        print("No plot: it needs runs, and matplotlib.")
        return
    from matplotlib.figure import Figure

    groups = group_runs(runs)
    names = sorted({run["of"]["data"] for run in runs.values()}, reverse=True)
    columns = min(len(groups), len(STUDENTS))
    shape = -(-len(groups) // columns), columns
    figure = Figure(figsize=(1.2 + 2.6 * shape[1], 1.2 + 2.9 * shape[0]))
    axes = figure.subplots(*shape, squeeze=False)
    for ax in axes.flat[len(groups) :]:
        ax.set_axis_off()
    for number, ((teacher, student), by_data) in enumerate(groups.items()):
        ax = axes.flat[number]
        draw_panel(ax, by_data, names)
        ax.set_title(f"{teacher} → {student}", fontsize=9)
        ax.tick_params(labelleft=number % columns == 0)
        if number + columns >= len(groups):
            ax.set_xlabel("log loss / hard labels'", fontsize=8)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8)
    figure.set_layout_engine("constrained")
    figure.savefig(path, dpi=150)
    print(f"Written: {path.name}")


def draw_panel(ax, by_data: dict[str, list[dict]], names: list[str]) -> None:
    """One teacher and student."""
    heights = {data: height for height, data in enumerate(names)}
    hard = {data: read_hard(r, "log_loss").mean() for data, r in by_data.items()}
    ax.axvline(1, color="black", linewidth=0.8, label="hard labels")
    ax.hlines(list(heights.values()), 0, 1, "0.9", transform=ax.get_yaxis_transform())
    # The student on top, where marks fall together.
    for model, (marker, fill, label) in reversed(MARKS.items()):
        ratios = [
            read_values(records, model, "log_loss").mean() / hard[data]
            for data, records in by_data.items()
        ]
        ax.plot(
            ratios,
            [heights[data] for data in by_data],
            marker,
            markerfacecolor=fill,
            markeredgecolor="black",
            markersize=6,
            label=label,
        )
    ax.set_yticks(list(heights.values()), list(heights))
    ax.set_ylim(-0.6, len(names) - 0.4)
    ax.tick_params(labelsize=8)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
