"""Medians, ratios and the pages of a run's results."""

import statistics
from collections import defaultdict

import targets

MEASURES = ("rate", "cpu_us", "p50_us", "p99_us", "p999_us", "rss_bytes", "pss_bytes")
IDLE_MEASURES = ("idle_bytes_each", "idle_p99_change", "idle_p99_us", "idle_open")


class Figures:
    """All turns of a run, by case and subject."""

    def __init__(self, turns):
        self.by_subject = defaultdict(list)
        for turn in turns:
            self.by_subject[turn["case"], turn["subject"]].append(turn)

    def subjects(self, case):
        """The subjects of a case, the thriftiest first."""
        found = [subject for name, subject in self.by_subject if name == case]
        return sorted(found, key=lambda subject: self.spread(case, subject, "cpu_us"))

    def values(self, case, subject, measure):
        return [turn[measure] for turn in self.by_subject[case, subject] if measure in turn]

    def spread(self, case, subject, measure):
        """(median, least, most), or None."""
        values = self.values(case, subject, measure)
        return (statistics.median(values), min(values), max(values)) if values else None

    def ratio(self, case, subject, other, measure):
        """Median of the ratios subject/other, each within one round: what drifts between rounds falls out."""
        rounds = {turn["round"]: turn.get(measure) for turn in self.by_subject[case, other]}
        found = [
            turn[measure] / rounds[turn["round"]]
            for turn in self.by_subject[case, subject]
            if rounds.get(turn["round"]) and turn.get(measure) is not None
        ]
        return statistics.median(found) if found else None

    def medians(self):
        return {
            key: {
                measure: statistics.median(values)
                for measure in MEASURES + IDLE_MEASURES
                if (values := self.values(*key, measure))
            }
            for key in self.by_subject
        }


def summary(figures, cases, label, hold, peers, absent):
    """The summary page."""
    judged = f"{label}-io_uring-{hold}"
    parts = [
        "# Summary",
        "",
        f"Medians over the rounds, with (least..most). Ratios are to {judged}, each taken within one round, then their "
        "median: above 1, the subject spends or reaches more than Hotplate. CPU us: processor time of all the server's "
        "threads for one request.",
        "",
        "## Targets",
        "",
        *table(("target", "limit", "found", ""), targets.check(figures.medians(), label, hold, peers)),
    ]
    for case in cases:
        subjects = figures.subjects(case.name)
        if subjects:
            parts += ["", f"## {case.name}: {case.title}", "", *case_table(figures, case, subjects, judged)]
    if absent:
        parts += ["", "## Not measured", ""]
        parts += [f"- {case}: {subject}: {reason}" for case, subject, reason in absent]
    return "\n".join(parts) + "\n"


def case_table(figures, case, subjects, judged):
    columns = ["subject", "req/s", "CPU us", "p50 ms", "p99 ms", "p99.9 ms", "VmRSS MiB", "Pss MiB"]
    columns += ["req/s ratio", "CPU ratio", "p99 ratio"]
    if case.idle:
        columns += ["p99 ms with idle", "its change", "bytes each idle", "still open"]
    columns += ["errors"]
    rows = []
    for subject in subjects:
        cells = [subject]
        for measure, divisor, form in (
            ("rate", 1, "{:.0f}"),
            ("cpu_us", 1, "{:.2f}"),
            ("p50_us", 1e3, "{:.2f}"),
            ("p99_us", 1e3, "{:.2f}"),
            ("p999_us", 1e3, "{:.2f}"),
            ("rss_bytes", 2**20, "{:.1f}"),
            ("pss_bytes", 2**20, "{:.1f}"),
        ):
            cells.append(shown(figures.spread(case.name, subject, measure), divisor, form))
        for measure in ("rate", "cpu_us", "p99_us"):
            ratio = figures.ratio(case.name, subject, judged, measure)
            cells.append("" if ratio is None else f"{ratio:.2f}")
        if case.idle:
            cells.append(shown(figures.spread(case.name, subject, "idle_p99_us"), 1e3, "{:.2f}"))
            cells.append(shown(figures.spread(case.name, subject, "idle_p99_change"), 1, "{:+.0%}"))
            cells.append(shown(figures.spread(case.name, subject, "idle_bytes_each"), 1, "{:.0f}"))
            cells.append(shown(figures.spread(case.name, subject, "idle_open"), 1, "{:.0f}"))
        cells.append(str(sum(figures.values(case.name, subject, "errors"))))
        rows.append(cells)
    return table(columns, rows)


def shown(spread, divisor, form):
    if spread is None:
        return ""
    median, least, most = (form.format(value / divisor) for value in spread)
    return median if least == most else f"{median} ({least}..{most})"


def table(columns, rows):
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]
