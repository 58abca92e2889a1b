"""How a case is measured, and which columns show what was found."""

from dataclasses import dataclass

from bodies import MIB


@dataclass(frozen=True)
class Way:
    """`turn` takes a stage and returns figures. `columns` show them, the subject with the least `order` first."""

    turn: object
    columns: tuple
    order: str


@dataclass(frozen=True)
class Column:
    """What is shown of a measure: its median over the rounds, divided by `unit`; as a ratio, that to the judged subject."""

    title: str
    measure: str
    unit: float = 1
    form: str = "{:.2f}"
    is_ratio: bool = False
    # Shown of each turn, while a run is under way.
    is_told: bool = False

    def show(self, value):
        return self.form.format(value / self.unit)


def told(title, measure, unit=1, form="{:.2f}"):
    return Column(title, measure, unit, form, is_told=True)


def ratio(title, measure):
    return Column(title, measure, is_ratio=True)


LOAD = (
    told("req/s", "rate", form="{:.0f}"),
    told("CPU us", "cpu_us"),
    Column("p50 ms", "p50_us", 1e3),
    told("p99 ms", "p99_us", 1e3),
    Column("p99.9 ms", "p999_us", 1e3),
    Column("VmRSS MiB", "rss_bytes", MIB, "{:.1f}"),
    Column("Pss MiB", "pss_bytes", MIB, "{:.1f}"),
    ratio("req/s ratio", "rate"),
    ratio("CPU ratio", "cpu_us"),
    ratio("p99 ratio", "p99_us"),
)

IDLE = (
    Column("p99 ms with idle", "idle_p99_us", 1e3),
    Column("its change", "idle_p99_change", form="{:+.0%}"),
    Column("bytes each idle", "idle_bytes_each", form="{:.0f}"),
    Column("still open", "idle_open", form="{:.0f}"),
)
