"""Medians, ratios and the page of a run's results."""

import statistics
from collections import defaultdict

import targets

LABELS = ("case", "subject", "round")


class Figures:
    """All turns of a run, by case and subject."""

    def __init__(self, turns):
        self.by_subject = defaultdict(list)
        for turn in turns:
            self.by_subject[turn["case"], turn["subject"]].append(turn)

    def subjects(self, case):
        """The subjects of a case, the best first."""
        found = [subject for name, subject in self.by_subject if name == case.name]
        return sorted(found, key=lambda subject: self.spread(case.name, subject, case.way.order))

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
        found = {}
        for key, turns in self.by_subject.items():
            measures = {measure for turn in turns for measure in turn if measure not in LABELS}
            found[key] = {measure: statistics.median(self.values(*key, measure)) for measure in measures}
        return found


def summary(figures, cases, label, hold, peers, absent):
    """The summary page."""
    judged = dict.fromkeys(case.judged(label, hold) for case in cases)
    parts = [
        "# Summary",
        "",
        f"Medians over the rounds, with (least..most). Ratios are to {' or '.join(judged)}, each taken within one round, then "
        "their median: above 1, the subject spends or reaches more than Hotplate. CPU us: processor time of all the server's "
        "threads for one request.",
        "",
        "## Targets",
        "",
        *table(("target", "limit", "found", ""), targets.check(figures.medians(), cases, label, hold, peers)),
    ]
    for case in cases:
        subjects = figures.subjects(case)
        if subjects:
            rows = case_table(figures, case, subjects, case.judged(label, hold))
            parts += ["", f"## {case.name}: {case.title}", "", *rows]
    if absent:
        parts += ["", "## Not measured", ""]
        parts += [f"- {case}: {subject}: {reason}" for case, subject, reason in absent]
    return "\n".join(parts) + "\n"


def case_table(figures, case, subjects, judged):
    columns = case.way.columns
    rows = []
    for subject in subjects:
        cells = [subject]
        for column in columns:
            if column.is_ratio:
                ratio = figures.ratio(case.name, subject, judged, column.measure)
                cells.append("" if ratio is None else column.show(ratio))
            else:
                cells.append(shown(figures.spread(case.name, subject, column.measure), column))
        cells.append(str(sum(figures.values(case.name, subject, "errors"))))
        rows.append(cells)
    return table(["subject", *(column.title for column in columns), "errors"], rows)


def shown(spread, column):
    if spread is None:
        return ""
    median, least, most = map(column.show, spread)
    return median if least == most else f"{median} ({least}..{most})"


def table(columns, rows):
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]
