"""Households as the plain model has them: who is in one, who leads it, who may spend from whose wallet how much."""

from dataclasses import dataclass, field
from typing import Final

#: Members and open invitations together.
LARGEST: Final = 10


@dataclass(eq=False)
class Person:
    """`state`: invited, declined, active, left."""

    state: str
    # what the others together may spend from this wallet in a month
    shares: int | None = None
    # of a company: what this person may spend from its wallet in a month
    limit: int | None = None


@dataclass(eq=False)
class Household:
    """A family or a company. Goes by the name of the operation that founded it."""

    name: str
    kind: str
    head: str
    ended: bool = False
    #: by name, in the order in which they were asked to come
    people: dict[str, Person] = field(default_factory=dict)

    @property
    def inside(self) -> list[str]:
        """Those in it now, the eldest first."""
        return [name for name, person in self.people.items() if person.state == "active"]

    def has(self, member: str) -> bool:
        return not self.ended and member in self.inside

    def invite(self, member: str, limit: int | None) -> None:
        """Whoever comes again comes last."""
        self.people.pop(member, None)
        self.people[member] = Person("invited", limit=limit)

    def month(self, owner: str, spender: str) -> tuple[int, bool] | None:
        """(points, whether they are the spender's alone) to be spent from a wallet in a month; None: nobody else's to spend."""
        if not (self.has(owner) and self.has(spender)) or owner == spender:
            return None
        if self.kind == "company":
            return (self.people[spender].limit or 0, True) if owner == self.head else None
        shares = self.people[owner].shares
        return None if shares is None else (shares, False)

    def leave(self, member: str) -> str | None:
        """Out, and with it every right, both ways. Who leads from now on, if that changes."""
        was = self.people[member].state
        self._out(member)
        alone = self.kind == "family" and was == "active" and len(self.inside) == 1
        if not self.inside or alone or (self.kind == "company" and member == self.head):
            self.ended = True
            for name, person in self.people.items():
                if person.state in ("active", "invited"):
                    self._out(name)
        elif member == self.head:
            self.head = self.inside[0]
            return self.head
        return None

    def _out(self, member: str) -> None:
        self.people[member].state = "left"
        self.people[member].shares = self.people[member].limit = None
