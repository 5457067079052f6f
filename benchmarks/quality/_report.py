"""Tables of the records of quality.py."""

from __future__ import annotations

import numpy as np

from .._tables import print_table
from ._shares import (
    SHARES,
    ByData,
    group_records,
    read_hard,
    read_ratios,
    read_values,
    summarise,
)

MODELS = ("distilled", "label smoothing", "argmax", "argmax, stopped early")
N_RESAMPLES = 10_000
#: How far above the calibrated teacher's a student's ECE may be.
ECE_SLACK = 0.01


def show_share(share: dict) -> str:
    """Percent, interval, and how many sets it is over."""
    if np.isnan(share["share"]):
        return "no advantage"
    low, high = share["interval"]
    interval = "" if np.isnan(low) else f" [{low:.0%}, {high:.0%}]"
    return f"{share['share']:.0%}{interval} ({share['n']})"


def summary_row(teacher: str, student: str, model: str, summary: dict) -> list[str]:
    name = student if model == "distilled" else f"{student}: {model}"
    excess, times = summary["ece above calibrated"], summary["ratios"]
    over = sum(value > ECE_SLACK for value in excess)
    return [
        teacher,
        name,
        *(show_share(share) for share in summary["shares"].values()),
        *(
            "/".join(str(len(sets)) for sets in results.values())
            for results in summary["results"].values()
        ),
        f"{max(excess):+.3f} ({over})",
        f"{np.median(times):.2f} ({max(times):.2f})"
        if times and model == "distilled"
        else "",
    ]


def data_row(data: str, records: list[dict], leads: dict[str, dict]) -> list[str]:
    """Log loss and accuracy on one data set."""
    row = [data, str(len(records))]
    for metric, references in (
        ("log_loss", ("uncalibrated", "calibrated")),
        ("accuracy", ("uncalibrated",)),
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
        for model in ("distilled", "uncalibrated", "calibrated"):
            if (metric, model) != ("auc", "calibrated"):
                row.append(f"{read_values(records, model, metric).mean():.4f}")
    hard = read_hard(records, "agreement", "log_loss")
    row += [
        f"{hard.mean():.4f}",
        f"{read_values(records, 'distilled', 'agreement').mean():.4f}",
        f"{np.mean([record['calibration'] for record in records]):.2f}",
    ]
    learned = [record.get("learned", "as set") for record in records]
    row.append(", ".join(f"{learned.count(x)} {x}" for x in sorted(set(learned))))
    for key in ("fit", "without teachers"):
        # Runs whose teachers were counted twice have no figure without them.
        seconds = [r["times"][key] for r in records if key in r["times"]]
        row.append(f"{np.mean(seconds):.1f}" if seconds else "")
    ratios = read_ratios(records)
    row.append(f"{np.mean(ratios):.2f}" if ratios else "")
    served = [(r["onnx_bytes"], r["onnx_us"]) for r in records if "onnx_us" in r]
    row.append("{:,.0f} B, {:.1f}".format(*np.median(served, axis=0)) if served else "")
    return row


def print_group(teacher: str, student: str, by_data: ByData, summary: dict) -> None:
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
    for title, share in summary["shares"].items():
        if share["without"]:
            print(f"No advantage in {title}: {', '.join(share['without'])}")
    for title, results in summary["results"].items():
        if results["loss"]:
            print(f"Lost to hard labels in {title}: {', '.join(results['loss'])}")


def change_row(data: str, pairs: list[tuple[dict, dict]]) -> list[str]:
    """Figures of one data set before and after, over the same seeds."""
    row = [data, str(len(pairs))]
    for metric in ("log_loss", "accuracy"):
        for some in zip(*pairs, strict=True):
            row.append(f"{read_values(list(some), 'distilled', metric).mean():.4f}")
    # A run whose teacher was read from the cache of another student has no ratio.
    timed = [pair for pair in pairs if all(read_ratios([r]) for r in pair)]
    for some in zip(*timed, strict=True):
        row.append(f"{np.mean([r['times']['fit'] for r in some]):.0f}")
    return row + [""] * (2 * (not timed))


def print_changes(records: list[dict], before: list[dict], keys: tuple) -> None:
    """Print what a former release did on the same splits."""
    old = {tuple(r[name] for name in keys): r for r in before}
    for (teacher, student), by_data in group_records(records).items():
        rows = []
        for data, some in by_data.items():
            both = [(old.get(tuple(r[name] for name in keys)), r) for r in some]
            pairs = [pair for pair in both if pair[0] is not None]
            if pairs:
                rows.append(change_row(data, pairs))
        if rows:
            print_table(
                f"Teacher {teacher}, student {student}: before and after",
                [
                    *("data", "seeds", "log loss: before", "after"),
                    *("accuracy: before", "after", "CPU s: before", "after"),
                ],
                rows,
            )


def print_report(records: list[dict], n_resamples: int = N_RESAMPLES) -> None:
    rows = []
    for (teacher, student), by_data in group_records(records).items():
        for model in MODELS:
            if any(model not in r for some in by_data.values() for r in some):
                continue
            summary = summarise(by_data, model, n_resamples)
            if model == "distilled":
                print_group(teacher, student, by_data, summary)
            rows.append(summary_row(teacher, student, model, summary))
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
