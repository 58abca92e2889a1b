"""The speed that Hotplate is to reach, checked against a run's medians. Nothing fails by a timing: a missed target is
told, not enforced."""

from dataclasses import dataclass

import cases
import subjects
from bodies import MIB

CPU, RATE = "cpu_us", "rate"


@dataclass(frozen=True)
class Target:
    """`subject`'s `measure` in `case` is to be at most `factor` times the best of `rivals` (or at least, for rates).

    "judged" is the subject that the case is about, "judged-epoll" the same with the other driver, "own-HOLD" the build
    that is judged with another hold. "peers" is the best peer, "a|b" the better of two subjects.
    """

    case: str
    measure: str
    factor: float
    rivals: str
    subject: str = "judged"


@dataclass(frozen=True)
class Limit:
    """`subject`'s `measure` in `case` is to be at most `bound`, or at least that, shown in units of `unit`."""

    case: str
    title: str
    measure: str
    bound: float
    form: str = "{:.0f}"
    unit: float = 1
    subject: str = "judged"
    is_least: bool = False


PINNED = [
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
    Limit("idle", "VmRSS of each idle connection, bytes", "idle_bytes_each", 1024),
    Limit("idle", "change of p99 by the idle crowd", "idle_p99_change", 0.10, "{:+.1%}"),
]

NGINX = "nginx-cache|nginx-cache-read"

CACHING = [
    Target("cached-1k", CPU, 1.10, "own-memory"),
    Target("cached-1k", CPU, 0.45, NGINX),
    Target("cached-1k", CPU, 0.25, "varnish"),
    Target("cached-1k", CPU, 1.10, "own-memory", subject="own-disk"),
    Target("cached-1m", CPU, 1.10, "own-file"),
    Target("cached-1m", CPU, 1.0, "peers"),
    Target("cached-1m", CPU, 1.10, "own-file", subject="own-disk"),
    Target("miss-1k", CPU, 1.0, "nginx-cache"),
    *(
        limit
        for hold in subjects.CACHES
        for limit in (
            Limit("crowd", "requests to the origin", "origin_requests", 1, subject=f"own-{hold}"),
            Limit("crowd", "first byte after the origin's, ms", "first_late_ms", 50, "{:.1f}", subject=f"own-{hold}"),
            Limit("crowd", "last byte later than the origin's", "last_late", 0.05, "{:+.1%}", subject=f"own-{hold}"),
        )
    ),
    *(
        limit
        for case, hold in (("beside-misses", "cached"), ("beside-misses", "disk"), ("beside-cold-disk", "disk"))
        for limit in (
            Limit(case, "p99 of hits to that past", "beside_ratio", 1.5, "{:.2f}", subject=f"own-{hold}"),
            Limit(case, "p99 of hits to that alone", "beside_ratio_alone", 1.5, "{:.2f}", subject=f"own-{hold}"),
        )
    ),
    *(
        Limit("large", "VmRSS grows by MiB", "rss_growth_bytes", 64 * MIB, "{:.1f}", MIB, subject=f"own-{hold}")
        for hold in subjects.CACHES
    ),
    Limit("million", "seconds from start to first hit", "ready_seconds", 1, "{:.2f}"),
    Limit("million", "bytes of memory for each object", "bytes_each", 300),
]


LIBRARY = [
    Limit("gets", "p50 us of a resident client", "p50_us", 200),
    Limit("gets", "p99 of hits beside 10,000 gets a second to that alone", "beside_ratio", 1.5, "{:.2f}"),
    Limit("gets", "gets a second meanwhile", "many_rate", 10_000, is_least=True),
    Limit("prefetch", "objects a second, of what wrk gets", "part", 0.8, "{:.2f}", is_least=True),
    Limit("upload", "speed of curl's", "whole_part", 0.8, "{:.2f}", is_least=True),
    Limit("upload", "VmRSS grows by MiB", "rss_growth_bytes", 32 * MIB, "{:.1f}", MIB),
]


def check(medians, chosen, label, hold, peers):
    """Rows of (what, limit, found, verdict), for the groups that the chosen cases are of.

    `medians` maps (case, subject) to a dict of medians.
    """
    wanted = PINNED if any(case in cases.PINNED for case in chosen) else []
    wanted = wanted + (CACHING if any(case in cases.CACHING for case in chosen) else [])
    wanted = wanted + (LIBRARY if any(case in cases.LIBRARY for case in chosen) else [])
    by_name = {case.name: case for case in cases.CASES}
    rows = []
    for target in wanted:
        judged = by_name[target.case].judged(label, hold)
        names = {"judged": judged, "judged-epoll": judged.replace("-io_uring-", "-epoll-")}
        names |= {f"own-{other}": f"{label}-io_uring-{other}" for other in subjects.HOLDS + subjects.CACHES}
        rows.append((target_row if isinstance(target, Target) else limit_row)(target, medians, names, peers))
    return rows


def target_row(target, medians, own_names, peers):
    names = peers if target.rivals == "peers" else target.rivals.split("|")
    names = [own_names.get(name, name) for name in names]
    subject = own_names[target.subject]
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


def limit_row(limit, medians, own_names, _peers):
    subject = own_names[limit.subject]
    found = medians.get((limit.case, subject), {}).get(limit.measure)
    title = f"{limit.case}: {limit.title}" + ("" if limit.subject == "judged" else f", {subject}")
    shown = (">= " if limit.is_least else "<= ") + limit.form.format(limit.bound / limit.unit)
    if found is None:
        return title, shown, "", "not measured"
    is_reached = found >= limit.bound if limit.is_least else found <= limit.bound
    return title, shown, limit.form.format(found / limit.unit), "reached" if is_reached else "missed"
