"""Next offers against what needs no thought, on real baskets: The Complete Journey's first three quarters teach, the last asks.

The question: of the categories in a member's next visit, are any among the first 1, 3 or 5 told beforehand? Every contender
knows the member's own purchases up to the day before, and of everybody else those of the first three quarters. The constants
of `merchants.insight` were set beforehand; `tuned` compares others without a look at the last quarter: taught by January to
June, asked about July to September.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, NamedTuple

from rich.console import Console
from rich.table import Table

from deploy.demo import journey
from deploy.errors import Refusal
from merchants.insight import next_offer as model
from merchants.insight.next_offer import Setting, Visits

#: The last quarter begins; where the slice that the constants were chosen on begins.
TEST, SLICE = date(2017, 10, 1).toordinal(), date(2017, 7, 1).toordinal()
TOLD: Final = 5
METRICS: Final = ("hit@1", "hit@3", "hit@5", "mrr@5", "ndcg@5")
RESAMPLES: Final = 200
SEED: Final = 20_17
EVERY, FIRST, NEW = "every visit", "the first visit of the quarter", "what was not bought before"
QUESTIONS: Final = (EVERY, FIRST, NEW)
POPULAR, FREQUENT, OURS = "most popular", "own most frequent", "next offer"

#: The settings that are compared, and the households (the first by number) they are compared on.
GRID: Final = tuple(
    Setting(half_life, leaning, timed)
    for timed, half_life, leaning in ((True, 20, 4.0), (True, 40, 4.0), (True, 80, 4.0), (True, 40, 1.0), (True, 40, 8.0),
                                      (False, 40, 4.0))
)  # fmt: skip
TUNED_ON: Final = 250

_PURCHASES: Final = """
    select t.household_id, cast(t.transaction_timestamp at time zone 'America/New_York' as date) as day, p.product_category
    from read_parquet(?) t join read_parquet(?) p using (product_id)
    where p.product_category is not null and t.quantity > 0 and t.sales_value > 0
    group by 1, 2, 3 order by 1, 2, 3
"""

#: What to tell a member, from what was done so far and the day.
Contender = Callable[[model.Member, int], Sequence[str]]


class Score(NamedTuple):
    """A mean over visits, and 95 of a hundred means of households drawn anew lie between the two."""

    mean: float
    low: float
    high: float


@dataclass(slots=True)
class Row:
    """How one contender did at one question."""

    scores: dict[str, Score]
    # of all categories, those that were told to anybody
    coverage: float
    microseconds: float
    # by metric, ours less its own, on the same draws; empty of ours
    behind: dict[str, Score] = field(default_factory=dict)


@dataclass(slots=True)
class Result:
    households: int
    categories: int
    setting: Setting
    # by question: how many visits were asked about, and a row for each contender
    asked: dict[str, int]
    questions: dict[str, dict[str, Row]]

    def json(self) -> str:
        def told(row: Row) -> dict[str, Any]:
            return {
                "scores": {metric: score._asdict() for metric, score in row.scores.items()},
                "ours_less_this": {metric: score._asdict() for metric, score in row.behind.items()},
                "coverage": row.coverage,
                "microseconds_a_member": row.microseconds,
            }

        document = {
            "households": self.households,
            "categories": self.categories,
            "setting": self.setting._asdict(),
            "asked": self.asked,
            "questions": {q: {name: told(row) for name, row in rows.items()} for q, rows in self.questions.items()},
        }
        return json.dumps(document, indent=2)


def histories(households: int | None = None) -> dict[int, list[tuple[int, frozenset[str]]]]:
    """By household, its visits of the year: the day, and the product categories bought on it."""
    try:
        import duckdb
    except ImportError:
        raise Refusal("reading the data needs duckdb, which comes with the demo's packages") from None
    files = [str(journey.data_folder() / f"{name}.parquet") for name in ("transactions", "products")]
    bought: dict[int, list[tuple[int, str]]] = {}
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        answer = connection.execute(_PURCHASES, files)
        while rows := answer.fetchmany(50_000):
            for household, day, category in rows:
                bought.setdefault(household, []).append((day.toordinal(), category))
    chosen = sorted(bought)[:households]
    return {household: model.visits_of(bought[household]) for household in chosen}


def run(households: int | None, say: Callable[[str], None]) -> Result:
    say("reading the purchases of the year")
    year = histories(households)
    say("teaching: January to September")
    return compared(year, TEST, Setting(), say)


def compared(
    year: Mapping[int, Visits], begin: int, setting: Setting, say: Callable[[str], None], end: int = 10**9
) -> Result:
    """Teach by what was before `begin`, ask about what comes from then on."""
    taught = model.model(lambda: (before(visits, begin) for visits in year.values()), setting)
    popular = taught.popularity.most_popular()
    contenders: dict[str, Contender] = {
        POPULAR: lambda _, __: popular[:TOLD],
        FREQUENT: lambda member, _: _frequent(member, popular),
        OURS: lambda member, today: [offer.category for offer in taught.offers_to(member, today, TOLD)],
    }
    result = Result(0, len(taught.popularity.by_visit), setting, dict.fromkeys(QUESTIONS, 0), {})
    sums: dict[str, dict[str, dict[int, list[float]]]] = {q: {name: {} for name in contenders} for q in QUESTIONS}
    told_to_anybody: dict[str, dict[str, set[str]]] = {q: {name: set() for name in contenders} for q in QUESTIONS}
    seconds, ranked = dict.fromkeys(contenders, 0.0), 0
    say("asking")
    for household, visits in year.items():
        member, first = model.Member(setting), True
        for day, bought in visits:
            if begin <= day < end and member.count:
                asked = {EVERY: bought, NEW: bought.difference(member.categories)}
                if first:
                    asked[FIRST] = bought
                first, ranked = False, ranked + 1
                for name, contender in contenders.items():
                    started = time.perf_counter()
                    told = contender(member, day)
                    seconds[name] += time.perf_counter() - started
                    for question, wanted in asked.items():
                        if wanted:
                            told_to_anybody[question][name].update(told)
                            total = sums[question][name].setdefault(household, [0.0] * (len(METRICS) + 1))
                            for place, value in enumerate((*graded(told, wanted), 1.0)):
                                total[place] += value
                for question, wanted in asked.items():
                    result.asked[question] += bool(wanted)
            member.add(day, bought)
        result.households += not first
    for question in QUESTIONS:
        rows = {
            name: Row(
                {},
                len(told_to_anybody[question][name]) / max(1, result.categories),
                1e6 * seconds[name] / max(1, ranked),
            )
            for name in contenders
        }
        _weigh(rows, sums[question])
        result.questions[question] = rows
    return result


def before(visits: Visits, day: int) -> Visits:
    return [visit for visit in visits if visit[0] < day]


def graded(told: Sequence[str], wanted: frozenset[str]) -> tuple[float, ...]:
    """The METRICS of one visit."""
    hits = [category in wanted for category in told[:TOLD]]
    first = next((1 / (place + 1) for place, hit in enumerate(hits) if hit), 0.0)
    gain = sum(hit / math.log2(place + 2) for place, hit in enumerate(hits))
    best = sum(1 / math.log2(place + 2) for place in range(min(TOLD, len(wanted))))
    return (float(any(hits[:1])), float(any(hits[:3])), float(any(hits)), first, gain / best if best else 0.0)


def tuned(say: Callable[[str], None], households: int | None = TUNED_ON) -> list[tuple[Setting, dict[str, float]]]:
    """Every setting of the grid on the slice, none of them on the last quarter."""
    year = {household: before(visits, TEST) for household, visits in histories(households).items()}
    found = []
    for setting in GRID:
        row = compared(year, SLICE, setting, lambda _: None).questions[EVERY][OURS]
        found.append((setting, {metric: score.mean for metric, score in row.scores.items()}))
        say(f"{setting}: {found[-1][1]}")
    return found


def show(console: Console, result: Result) -> None:
    """The tables, with who wins each column and whether the draws agree."""
    for question, rows in result.questions.items():
        title = f"{question}: {result.asked[question]:,} visits of {result.households:,} households"
        table = Table(title=title, title_justify="left")
        table.add_column("")
        for metric in METRICS:
            table.add_column(metric, justify="right")
        table.add_column("coverage", justify="right")
        table.add_column("µs a member", justify="right")
        for name, row in rows.items():
            cells = [f"{s.mean:.3f} [{s.low:.3f}, {s.high:.3f}]" for s in row.scores.values()]
            table.add_row(name, *cells, f"{row.coverage:.1%}", f"{row.microseconds:,.0f}")
        for name, row in rows.items():
            if row.behind:
                cells = [f"{s.mean:+.3f} [{s.low:+.3f}, {s.high:+.3f}]" for s in row.behind.values()]
                table.add_row(f"ours less {name}", *cells, "", "")
        console.print(table)
    console.print(
        f"{result.categories} product categories; taught by January to September 2017, asked about October to December;"
        f" intervals: 95 % of {RESAMPLES} draws of households. {_verdict(result)}",
        highlight=False,
    )


def _verdict(result: Result) -> str:
    """Where a baseline is ahead, in words."""
    ahead = [
        f"{name} is ahead at {metric} ({question})"
        for question, rows in result.questions.items()
        for name, row in rows.items()
        for metric, score in row.behind.items()
        if score.high < 0
    ]
    level = [
        f"{name} is level at {metric} ({question})"
        for question, rows in result.questions.items()
        for name, row in rows.items()
        for metric, score in row.behind.items()
        if score.low <= 0 <= score.high
    ]
    return "; ".join(ahead + level) or "No baseline is ahead or level anywhere."


def _frequent(member: model.Member, popular: Sequence[str]) -> list[str]:
    """The member's own categories by how many visits had them, filled up with the most popular."""
    times = {category: told.times for category, told in member.categories.items()}
    own = sorted(times, key=lambda category: (-times[category], category))[:TOLD]
    return (own + [category for category in popular[: 2 * TOLD] if category not in times])[:TOLD]


def _weigh(rows: Mapping[str, Row], sums: Mapping[str, Mapping[int, Sequence[float]]]) -> None:
    """Means and their intervals; households are drawn, for visits of one resemble each other."""
    households = sorted(sums[OURS])
    drawn = random.Random(SEED)
    draws = [drawn.choices(range(len(households)), k=len(households)) for _ in range(RESAMPLES)] if households else []
    for place, metric in enumerate(METRICS):
        means: dict[str, list[float]] = {}
        for name, row in rows.items():
            pairs = [(sums[name][h][place], sums[name][h][-1]) for h in households]
            means[name] = [_mean([pairs[i] for i in draw]) for draw in draws]
            row.scores[metric] = _interval(_mean(pairs), means[name])
        for name, row in rows.items():
            if name != OURS:
                differences = [ours - its for ours, its in zip(means[OURS], means[name], strict=True)]
                middle = rows[OURS].scores[metric].mean if metric in rows[OURS].scores else 0.0
                row.behind[metric] = _interval(middle - row.scores[metric].mean, differences)


def _mean(pairs: Sequence[tuple[float, float]]) -> float:
    visits = sum(count for _, count in pairs)
    return sum(value for value, _ in pairs) / visits if visits else 0.0


def _interval(mean: float, draws: Sequence[float]) -> Score:
    ordered = sorted(draws) or [mean]
    return Score(mean, ordered[len(ordered) * 25 // 1000], ordered[min(len(ordered) - 1, len(ordered) * 975 // 1000)])
