"""The speed that Hotplate is to reach, checked against a run's medians. Nothing fails by a timing: a missed target is
told, not enforced."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """`subject`'s `measure` in `case` is to be at most `factor` times the best of `rivals` (or at least, for rates)."""

    case: str
    measure: str
    factor: float
    rivals: str  # a subject's name, "floor-a|floor-b" for the better of them, "peers" for the best peer
    subject: str = "judged"


CPU, RATE = "cpu_us", "rate"

TARGETS = [
    Target("1k", CPU, 0.55, "nginx"),
    Target("1k", CPU, 0.75, "h2o"),
    Target("1k", CPU, 1.15, "floor-memory"),
    Target("1k", RATE, 1.0, "peers"),
    Target("64k", CPU, 0.75, "nginx"),
    Target("64k", CPU, 1.15, "floor-sendfile"),
    Target("1m", CPU, 1.15, "floor-sendfile|floor-splice"),
    Target("1m", CPU, 1.0, "peers"),
    Target("pipelined", CPU, 0.15, "peers"),
    Target("1k", CPU, 1.25, "judged", subject="judged-epoll"),
    Target("1k", CPU, 0.75, "nginx", subject="judged-epoll"),
    Target("64k", CPU, 1.25, "judged", subject="judged-epoll"),
    Target("64k", CPU, 0.75, "nginx", subject="judged-epoll"),
    Target("1m", CPU, 1.25, "judged", subject="judged-epoll"),
    Target("1m", CPU, 0.75, "nginx", subject="judged-epoll"),
    Target("pipelined", CPU, 1.25, "judged", subject="judged-epoll"),
    Target("pipelined", CPU, 0.75, "nginx", subject="judged-epoll"),
]

IDLE_BYTES_MAX = 1024
IDLE_P99_CHANGE_MAX = 0.10


def check(medians, label, hold, peers):
    """Rows of (what, limit, found, verdict). `medians` maps (case, subject) to a dict of medians."""
    judged = {"judged": f"{label}-io_uring-{hold}", "judged-epoll": f"{label}-epoll-{hold}"}
    rows = [row(target, medians, judged, peers) for target in TARGETS]
    idle = medians.get(("idle", judged["judged"]), {})
    rows.append(
        limit_row("idle: VmRSS of each idle connection, bytes", IDLE_BYTES_MAX, idle.get("idle_bytes_each"), "{:.0f}")
    )
    rows.append(
        limit_row("idle: change of p99 by the idle crowd", IDLE_P99_CHANGE_MAX, idle.get("idle_p99_change"), "{:+.1%}")
    )
    return rows


def row(target, medians, judged, peers):
    names = peers if target.rivals == "peers" else target.rivals.split("|")
    names = [judged.get(name, name) for name in names]
    subject = judged[target.subject]
    best = max if target.measure == RATE else min
    known = [(medians[target.case, name][target.measure], name) for name in names if (target.case, name) in medians]
    sign = ">=" if target.measure == RATE else "<="
    what = "req/s" if target.measure == RATE else "CPU per request"
    title = f"{target.case}: {what} of {subject}"
    own = medians.get((target.case, subject), {}).get(target.measure)
    if own is None or not known:
        rivals = "best peer" if target.rivals == "peers" else " or ".join(names)
        return title, f"{sign} {target.factor:.2f} of {rivals}", "", "not measured"
    value, rival = best(known)
    limit = f"{sign} {target.factor:.2f} of {rival}"
    ratio = own / value
    is_reached = ratio >= target.factor if target.measure == RATE else ratio <= target.factor
    return title, limit, f"{ratio:.2f}", "reached" if is_reached else "missed"


def limit_row(title, limit, found, form):
    shown = "<= " + form.format(limit)
    if found is None:
        return title, shown, "", "not measured"
    return title, shown, form.format(found), "reached" if found <= limit else "missed"
