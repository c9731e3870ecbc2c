"""Households: members who share the right to spend, and companies with the people who may spend for them. Pure.

Points stay their owner's. In a family each member says whether the others may spend from their wallet, and how many
points a month; in a company only the company's own wallet is shared, and each authorised person has a limit of their own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

#: Members and open invitations together.
LARGEST: Final = 10

FAMILY: Final = "family"
COMPANY: Final = "company"


@dataclass(slots=True)
class Person:
    """Somebody in a household, or once in it. `state`: invited, declined, active, left."""

    member_id: UUID
    state: str
    # what the others may spend from this wallet in a month; None: it is not shared
    shared_points: int | None = None
    # of a company: what this person may spend from its wallet in a month
    own_points: int | None = None
    # the place in which people came, to hand over to the eldest
    place: int = 0


@dataclass(slots=True)
class Household:
    """A household as a batch holds it: locked, its people changing as steps are decided. `state`: active, ended."""

    id: UUID
    kind: str
    founder_id: UUID
    state: str
    people: dict[UUID, Person]

    def active(self) -> Iterator[Person]:
        """Those in it now, the eldest first."""
        return iter(sorted((p for p in self.people.values() if p.state == "active"), key=lambda p: p.place))

    def has(self, member: UUID) -> bool:
        person = self.people.get(member)
        return self.state == "active" and person is not None and person.state == "active"

    def spenders(self, owner: UUID) -> list[UUID]:
        """Who may spend from the wallet of `owner` besides the owner: nobody where it is not shared."""
        if not self.has(owner) or (self.kind == FAMILY and self.people[owner].shared_points is None):
            return []
        if self.kind == COMPANY and owner != self.founder_id:
            return []
        return [p.member_id for p in self.active() if p.member_id != owner]

    def allowed(self, owner: UUID, spender: UUID) -> tuple[int, bool]:
        """(points a month, whether they are this spender's alone) that `spender` may take from the wallet of `owner`."""
        if self.kind == COMPANY:
            return self.people[spender].own_points or 0, True
        return self.people[owner].shared_points or 0, False
