"""Draws histories from a seed, and writes each as one line that replays it. Pure: no host, no clock.

A history is a start and its steps, such as

    laravel/in_place,v1.0.0 deploy:v1.2.0!kill_module@after.7?3 by_hand:ledger_torn rollback:previous?1

A step is an act (an operation, or `by_hand` for a change without a record) and its argument; after `!` a fault, after
`@` the moment at which it strikes; after `?` the seed of all that a person chooses while the step lasts.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

BY_HAND = "by_hand"
_STEP = re.compile(
    r"(?P<act>\w+)(?::(?P<argument>[^!?\s]+))?(?:!(?P<fault>\w+)(?:@(?P<moment>[\w.]+))?)?(?:\?(?P<choice>\d+))?"
)
#: Writes of the state among which a moment is drawn: a refusal has 5 of them, an operation 12 to 30.
WRITES = 18


@dataclass(frozen=True)
class Step:
    """One act. fault, moment: empty without a fault. choice: seed of what a person chooses in this step."""

    act: str
    argument: str = ""
    fault: str = ""
    moment: str = ""
    choice: int = 0

    def __str__(self) -> str:
        fault = f"!{self.fault}" + (f"@{self.moment}" if self.moment else "") if self.fault else ""
        return self.act + (f":{self.argument}" if self.argument else "") + fault + f"?{self.choice}"

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that this step adds one to, in the table of draws."""
        if self.act == BY_HAND:
            return (f"change {self.argument}",)
        kind = f"operation {self.act}" + (f" {kind_of(self.argument)}" if self.argument else "")
        return (kind, f"fault {self.fault}") if self.fault else (kind,)


@dataclass(frozen=True)
class History:
    """system and start: where it begins. seed: it was drawn from; -1 for one that a person wrote."""

    system: str
    start: str
    steps: tuple[Step, ...]
    seed: int = -1

    def __str__(self) -> str:
        return " ".join([f"{self.system}/{self.start}", *map(str, self.steps)])


@dataclass(frozen=True)
class Kinds:
    """The acts of a system.

    operations: by name, the arguments that may follow it; `kind_of` of an argument is what is counted.
    faults: by name, the moments; `#` in one is replaced by the number of a write. changes: those by hand.
    """

    system: str
    starts: tuple[str, ...]
    operations: Mapping[str, tuple[str, ...]]
    faults: Mapping[str, tuple[str, ...]]
    changes: tuple[str, ...]

    def all(self) -> tuple[str, ...]:
        """Each kind of the table of draws."""
        operations = [
            kind
            for name, arguments in self.operations.items()
            for kind in (Step(name, argument).kinds[0] for argument in arguments or ("",))
        ]
        return (
            *dict.fromkeys(operations),
            *(f"fault {name}" for name in self.faults),
            *(f"change {name}" for name in self.changes),
        )


def kind_of(argument: str) -> str:
    """`tag=v1.0.0` is of the kind `tag`."""
    return argument.partition("=")[0]


def parse(line: str) -> History:
    """Read the line of a history. Raises ValueError, naming the word that is not a step."""
    place, *words = line.split()
    system, slash, start = place.partition("/")
    if not slash:
        raise ValueError(
            f"a history begins with its system and its start, such as laravel/in_place,v1.0.0, not {place!r}"
        )
    steps = []
    for word in words:
        found = _STEP.fullmatch(word)
        if found is None:
            raise ValueError(f"not a step of a history: {word!r}")
        parts = {name: value or "" for name, value in found.groupdict().items()}
        steps.append(Step(**{**parts, "choice": int(parts["choice"] or 0)}))  # type: ignore[arg-type]
    return History(system, start, tuple(steps))


class Draw:
    """Draws histories one after the other. What was drawn least has the best chance, so that nothing is left out."""

    def __init__(self, kinds: Kinds) -> None:
        self.kinds = kinds
        self.counts: Counter[str] = Counter(dict.fromkeys(kinds.all(), 0))

    def history(self, seed: int) -> History:
        chance = random.Random(f"{self.kinds.system} {seed}")
        start = chance.choice(self.kinds.starts)
        steps = [self._step(chance) for _ in range(chance.randint(3, 5))]
        return History(self.kinds.system, start, tuple(steps), seed)

    def _step(self, chance: random.Random) -> Step:
        choice = chance.randrange(1000)
        if self.kinds.changes and chance.random() < 0.35:
            step = Step(
                BY_HAND, self._least(chance, {name: f"change {name}" for name in self.kinds.changes}), choice=choice
            )
        else:
            step = self._operation(chance, choice)
        self.counts.update(step.kinds)
        return step

    def _operation(self, chance: random.Random, choice: int) -> Step:
        every = {
            (name, argument): Step(name, argument).kinds[0]
            for name, arguments in self.kinds.operations.items()
            for argument in arguments or ("",)
        }
        kind = every[self._least(chance, every)]
        name, argument = chance.choice([one for one, its in every.items() if its == kind])
        if not self.kinds.faults or chance.random() < 0.2:
            return Step(name, argument, choice=choice)
        fault = self._least(chance, {name: f"fault {name}" for name in self.kinds.faults})
        moments = self.kinds.faults[fault]
        moment = (
            chance.choice(moments).replace("#", str(chance.randint(1, chance.randint(4, WRITES)))) if moments else ""
        )
        return Step(name, argument, fault, moment, choice)

    def _least(self, chance: random.Random, names: Mapping[object, str]) -> object:
        """One of the names; the fewer draws its kind has beyond the least drawn one, the likelier."""
        least = min(self.counts[kind] for kind in names.values())
        weights = [0.25 ** (self.counts[kind] - least) for kind in names.values()]
        return chance.choices(list(names), weights)[0]


def drawn(kinds: Kinds, seed: int, number: int) -> list[History]:
    """So many histories, with the seeds from this one on. The same arguments always give the same histories."""
    draw = Draw(kinds)
    return [draw.history(seed + place) for place in range(number)]
