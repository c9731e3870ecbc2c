"""Seeds: a history drawn from each, told to both sides, and made smaller when they disagree."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from deploy.simulate import agreeing, braking, operations
from deploy.simulate.acts import APPROVER, MAKER, PayWindow, StepWindow
from deploy.simulate.answering import Answering
from deploy.simulate.asking import Draw, SameKey, SendAgain, Step
from deploy.simulate.comparing import differences, differences_of_notices, differences_of_windows
from deploy.simulate.failing import MONEYED
from deploy.simulate.plain import Expected, Plain
from deploy.simulate.plots import NEEDS, PLOTS, SEVENTH, Plot, Teller, paid_by_rails
from deploy.simulate.real import Real, Simulated

STEPS: Final = 34
#: The largest group posted as one batch.
LARGEST_GROUP: Final = 12
#: How many shorter histories are tried to explain a failure.
SHORTENINGS: Final = 60

Group = Sequence[Step]


@dataclass
class Failure:
    """Where the two sides part: what was asked last, and what each says."""

    step: int
    group: Group
    told: list[str]
    # every group up to this one
    history: list[Group]


@dataclass
class Run:
    """What became of one seed."""

    seed: int
    kinds: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    reached: Counter[str] = field(default_factory=Counter)
    failure: Failure | None = None


#: Hears of each group that was answered: its operations and the answers.
Heard = Callable[[int, Sequence[tuple[Step, Expected]]], None]


def _nobody(step: int, answered: Sequence[tuple[Step, Expected]]) -> None: ...


class Drawn:
    """The groups of a seed, each drawn from what the plain model holds by then."""

    def __init__(self, seed: int, steps: int, begins: Plot | None = None) -> None:
        self.rng = random.Random(seed)
        self._begins = begins
        self.seed = seed
        self.steps = steps
        self._keys: defaultdict[str, int] = defaultdict(int)
        self._earlier: list[Step] = []
        self._table = dict(operations.TABLE)
        self._alone = dict(operations.ALONE)
        self._seventh = seed % operations.EVERY == 0
        self._railed = seed % operations.EVERY == operations.RAILED
        self._moneyed = seed % operations.EVERY == operations.MONEYED

    def key(self, principal: str) -> str:
        self._keys[principal] += 1
        return f"simulated-key-{self._keys[principal]:06d}"

    def groups(self, plain: Plain) -> Iterator[list[tuple[Step, Expected]]]:
        """Each group with its predictions. The model has been told of it; the ledger has not."""
        needed = NEEDS.get(PLOTS[self.seed % len(PLOTS)])
        chosen = [name for name in operations.SOME if self.rng.random() < 0.5 or name == needed]
        for name in chosen:
            self._table |= operations.SOME[name]
            self._alone |= operations.SOME_ALONE.get(name, {})
        if self._seventh:
            self._table |= operations.SEVENTH
        if self._railed:
            self._alone |= operations.RAILED_ALONE
        if self._moneyed:
            self._alone |= operations.MONEYED_ALONE
        inactivity_days = self.rng.choice((None, 2))
        yield predicted(
            plain, agreeing.beginning(self.key, inactivity_days=inactivity_days, sponsors="sponsors" in chosen)
        )
        plot = self._plots(plain)
        group: list[tuple[Step, Expected]]
        for step in range(1, self.steps + 1):
            if self.rng.random() < 0.75 and (operation := next(plot, None)):
                group = predicted(plain, [operation])
                for i in range(0 if operation.alone else self.rng.choice((0, 0, 2, 5))):
                    group += self._draw(plain, f"{step}.{i}", self._table)
                yield group
            elif self.rng.random() < 0.35:
                yield self._draw(plain, f"{step}", self._alone)
            else:
                group = []
                for i in range(self.rng.choice((1, 2, 3, 4, 6, LARGEST_GROUP))):
                    group += self._draw(plain, f"{step}.{i}", self._table)
                if group:
                    yield group
        yield from finish(plain)

    def _plots(self, plain: Plain) -> Iterator[Step]:
        # each comes first in its turn, so that all are played within a few seeds
        first = PLOTS[self.seed % len(PLOTS)]
        plots = [plot for plot in dict.fromkeys(PLOTS) if plot is not first]
        self.rng.shuffle(plots)
        plots.insert(0, first)
        if self._seventh:
            own = [SEVENTH[(self.seed // operations.EVERY + i) % len(SEVENTH)] for i in range(3)]
            plots = [own[0], own[1], first, own[2], *plots[1:]]
        if self._railed:
            plots.insert(1, paid_by_rails)
        if self._moneyed:
            plots.insert(1, MONEYED[self.seed // operations.EVERY % len(MONEYED)])
        if self._begins is not None:
            plots.insert(0, self._begins)
        for number, plot in enumerate(plots):
            yield from plot(Teller(self.rng, plain, self.key, f"p{number}"))

    def _draw(self, plain: Plain, label: str, table: dict[str, tuple[int, Draw]]) -> list[tuple[Step, Expected]]:
        chance = self.rng.randrange(100)
        if table is self._table and self._earlier and chance < operations.AGAIN + operations.SAME_KEY:
            first = self.rng.choice(self._earlier[-20:])
            made = SendAgain if chance < operations.AGAIN else SameKey
            return predicted(plain, [made(label, first.key, first)])
        if plain.stopped and self.rng.random() < 0.4:
            return predicted(plain, [braking.ResumeNetwork(label, self.key("operator"))])
        (draw,) = self.rng.choices([draw for _, draw in table.values()], [weight for weight, _ in table.values()])
        operation = draw(self.rng, plain, label, self.key)
        if operation is None:
            return []
        found = predicted(plain, [operation])
        if found and not operation.alone and found[0][1].stored:
            self._earlier.append(operation)
        return found


def predicted(plain: Plain, group: Group) -> list[tuple[Step, Expected]]:
    """Tell the model of a group; its operations with what their answers must be, those without meaning left out."""
    found = []
    for operation in group:
        apart = _exclusive(operation)
        plain.parted += apart
        if plain.stopped and not operation.while_stopped:
            plain.reached["asked while the network was stopped"] += 1
            expected: Expected | None = Expected("unavailable", {}, stored=False)
        else:
            expected = operation.predict(plain)
        plain.parted += apart
        if expected is not None:
            if not isinstance(operation, SendAgain | SameKey):
                plain.answered[operation.label] = expected.stored
            found.append((operation, expected))
    return found


def _exclusive(step: Step) -> bool:
    return step.first.exclusive if isinstance(step, SendAgain | SameKey) else step.exclusive


def finish(plain: Plain) -> Iterator[list[tuple[Step, Expected]]]:
    """Resume, close the open window and settle every one."""
    if plain.stopped:
        yield predicted(plain, [braking.ResumeNetwork("z.resume", "z-resume-000000000")])
    last = len(plain.windows)
    yield predicted(plain, [StepWindow("z.close", "z-close-0000000000", "close", last, MAKER)])
    for number in range(1, last + 1):
        window = plain.windows[number - 1]
        for step, by in (("submit", MAKER), ("approve", APPROVER)):
            if step == "approve" and window.submitted_by == by:
                by = MAKER
            if window.state == {"submit": "advised", "approve": "submitted"}[step]:
                label = f"z.{number}.{step}"
                yield predicted(plain, [StepWindow(label, f"{label}-0000000000", step, number, by)])
        if window.state == "paying":
            yield predicted(plain, [PayWindow(f"z.{number}.pay", f"z-pay-{number:010d}", number)])


def play(
    simulated: Simulated, seed: int, steps: int = STEPS, heard: Heard = _nobody, begins: Plot | None = None
) -> Run:
    """One seed, from an empty book to every window settled; with `begins` its history begins with that plot."""
    plain = Plain()
    return _play(simulated, seed, plain, Drawn(seed, steps, begins).groups(plain), heard)


def replay(simulated: Simulated, seed: int, history: Sequence[Group]) -> Run:
    """A history of one's own choosing, predicted anew."""
    plain = Plain()
    return _play(simulated, seed, plain, (found for group in history if (found := predicted(plain, group))), _nobody)


_books = iter(range(1, 2**31))


def _play(
    simulated: Simulated, seed: int, plain: Plain, groups: Iterator[list[tuple[Step, Expected]]], heard: Heard
) -> Run:
    run = Run(seed)
    real = Real(simulated, f"seed-{seed}-{next(_books)}")
    answering = Answering(real)
    history: list[Group] = []
    simulated.watch.trouble.clear()
    for step, group in enumerate(groups):
        history.append([operation for operation, _ in group])
        told = _told(plain, real, answering, group, run, heard, step)
        if told:
            run.failure = Failure(step, history[-1], told, history)
            break
        plain.step += 1
    run.reached = plain.reached
    return run


def _told(
    plain: Plain,
    real: Real,
    answering: Answering,
    group: list[tuple[Step, Expected]],
    run: Run,
    heard: Heard,
    step: int,
) -> list[str]:
    """Ask the ledger, and say what is not as the model has it."""
    found = []
    try:
        answers = list(answering.ask([operation for operation, _ in group]))
    except Exception as error:  # whatever it is, it is told with the seed
        return [f"the ledger fell over: {type(error).__name__}: {error}", *real.watch.trouble]
    for (operation, expected), answer in zip(group, answers, strict=True):
        run.kinds[operation.kind] += 1
        run.codes[answer.code or "accepted"] += 1
        if (expected.code, expected.facts) != (answer.code, _asked(answer, expected)):
            found.append(f"{operation}: model {_shown(expected)}, ledger {_shown(answer)}")
    heard(step, [(operation, answer) for (operation, _), answer in zip(group, answers, strict=True)])
    found += real.watch.trouble
    found += differences(plain, real)
    if group[0][0].kind in ("window", "pay", "cover", "return_payment"):
        found += differences_of_windows(plain, real)
    if group[0][0].kind == "time":
        found += differences_of_notices(plain, real)
    return found


def _asked(answer: Expected, expected: Expected) -> dict[str, object]:
    """A refusal tells more than the model bothers with."""
    return answer.facts if answer.code is None else {n: v for n, v in answer.facts.items() if n in expected.facts}


def _shown(expected: Expected) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in expected.facts.items())
    return f"{expected.code or 'accepted'} ({facts})" if facts else expected.code or "accepted"


def shortened(simulated: Simulated, seed: int, failure: Failure, tries: int = SHORTENINGS) -> Failure:
    """A failure without operations it does not need: whole runs of groups dropped first, then single operations."""
    best = failure
    size = max(1, len(best.history) // 2)
    while size and tries:
        at = 1  # the beginning stays
        while at < len(best.history) and tries:
            tries -= 1
            shorter = [*best.history[:at], *best.history[at + size :]]
            if shorter and (found := replay(simulated, seed, shorter).failure):
                best = found
            else:
                at += size
        size //= 2
    for i in range(len(best.history) - 1, -1, -1):
        for operation in list(best.history[i]) if i < len(best.history) and len(best.history[i]) > 1 else ():
            if not tries or i >= len(best.history):
                return best
            tries -= 1
            group = [other for other in best.history[i] if other is not operation]
            if found := replay(simulated, seed, [*best.history[:i], group, *best.history[i + 1 :]]).failure:
                best = found
    return best
