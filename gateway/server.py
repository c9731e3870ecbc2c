"""What every operation stands on: the database, the group commit, keys, limits. One per process."""

import contextlib
import hashlib
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

import anyio

import ledger
import settlement
from gateway import messages, wallets
from gateway.limits import Buckets, Limiter, Rate
from gateway.live import Live
from gateway.metrics import Metrics
from gateway.neighbours import Ended, Message, Neighbours, ended
from gateway.operator_keys import OperatorRing
from gateway.pages import Cursors
from gateway.proofs import Proofs
from gateway.tokens import Tokens
from merchants import contracts, standing

#: Threads that read the database for the routes; its pools have fewer connections, and the rest wait their turn.
READERS: Final = 16


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast callers may go: merchants by key, members by member, look-ups by key, one-time codes by address, members
    enrolled by key."""

    key: Rate
    member: Rate
    lookup: Rate
    code: Rate
    enrolment: Rate


LIVE: Final = Rates(
    key=Rate(1_000, 1), member=Rate(300, 60), lookup=Rate(600, 60), code=Rate(30, 600), enrolment=Rate(2_000, 3_600)
)
#: A test book is there to be tried hard.
TEST: Final = Rates(*[Rate(50_000, 1)] * 5)
OPERATORS: Final = Rate(1_000, 1)
STRANGERS: Final = Rate(100, 60)


@dataclass(frozen=True, slots=True)
class Settings:
    """`live` and `test`: the rates in books of that mode."""

    live: Rates = LIVE
    test: Rates = TEST
    #: operators, by key
    operators: Rate = OPERATORS
    #: credentials and books nobody knows, by address
    strangers: Rate = STRANGERS
    #: whether each request is one line of the log
    access_log: bool = True


@dataclass(frozen=True, slots=True)
class ProofKey:
    """A key that signs windows from a time on, in PEM: an Ed25519 private key, or of one that is retired the public part."""

    signs_from: datetime
    pem: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Keys:
    """The server's own secrets. `signing` is a P-256 private key in PEM, `proof` are those that sign windows; the others
    are 32 random bytes."""

    signing: bytes = field(repr=False)
    spend: bytes = field(repr=False)
    codes: bytes = field(repr=False)
    cursors: bytes = field(repr=False)
    salts: bytes = field(repr=False)
    proof: tuple[ProofKey, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class BookFacts:
    """What never changes of a book."""

    id: int
    public_id: UUID
    mode: str
    currency: str


@dataclass(frozen=True, slots=True)
class Providers:
    """Who moves money for us besides banks: the rails of each mode, and the secrets their webhooks are signed with."""

    rails: settlement.sending.Rails = field(default_factory=dict)
    stripe_secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


class Limits:
    """The limiters of one mode."""

    def __init__(self, rates: Rates, mode: str = "", shared: Buckets | None = None) -> None:
        self.key = Limiter(rates.key, f"{mode}.key", shared)
        self.member = Limiter(rates.member, f"{mode}.member", shared)
        self.lookup = Limiter(rates.lookup, f"{mode}.lookup", shared)
        self.code = Limiter(rates.code, f"{mode}.code", shared)
        self.enrolment = Limiter(rates.enrolment, f"{mode}.enrolment", shared)


class Strangers:
    """Addresses that send what nobody knows: after many, the database is not asked again for a while.

    A credential that was good before is asked for all the same, so that one wrongly set till does not shut out the
    others of its shop.
    """

    def __init__(self, limiter: Limiter, *, largest: int = 20_000) -> None:
        self._limiter = limiter
        self._largest = largest
        self._met: OrderedDict[bytes, None] = OrderedDict()

    async def wait_seconds(self, address: str, credential: str) -> int:
        """How long this address has to wait before this credential is looked for; 0: not at all."""
        if _digest(credential) in self._met or (await self._limiter.take(address, 0)).remaining:
            return 0
        return self._limiter.rate.seconds

    def met(self, credential: str) -> None:
        """It is good."""
        name = _digest(credential)
        self._met[name] = None
        self._met.move_to_end(name)
        if len(self._met) > self._largest:
            self._met.popitem(last=False)

    async def unknown(self, address: str) -> None:
        await self._limiter.take(address)


def _digest(credential: str) -> bytes:
    return hashlib.sha256(credential.encode()).digest()


class Server:
    """Owns nothing it did not make: whoever assembled it closes it, then the committer and the database."""

    def __init__(
        self,
        db: ledger.Database,
        committer: ledger.Committer,
        keys: Keys,
        networks: contracts.NetworkCache,
        jobs: Sequence[ledger.jobs.Job] = (),
        settings: Settings | None = None,
        metrics: Metrics | None = None,
        neighbours: Neighbours | None = None,
        providers: Providers | None = None,
        sender: messages.Sender | None = None,
        test_sender: messages.Sender | None = None,
    ) -> None:
        self.db = db
        self.committer = committer
        self.keys = keys
        self.networks = networks
        self.ladders = standing.LaddersCache()
        self.jobs = jobs
        self.providers = providers or Providers()
        #: who sends messages to telephones, by the book's mode
        self.senders: Mapping[str, messages.Sender] = {
            "live": sender or messages.Nobody(),
            "test": test_sender or sender or messages.Nobody(),
        }
        self.settings = settings or Settings()
        self.metrics = metrics or Metrics()
        self.tokens = Tokens(keys.signing)
        self.cursors = Cursors(keys.cursors)
        self.proofs = Proofs([(key.signs_from, key.pem) for key in keys.proof], keys.salts)
        self.wallets = ledger.Gathered(db.url, "door", wallets.of, statement_timeout_ms=db.statement_timeout_ms)
        self.merchant_keys = contracts.KeyRing(db)
        self.operator_keys = OperatorRing(db)
        self.limits: Mapping[str, Limits] = {
            "live": Limits(self.settings.live, "live", neighbours),
            "test": Limits(self.settings.test, "test", neighbours),
        }
        self.operator_limit = Limiter(self.settings.operators, "operator", neighbours)
        self.strangers = Strangers(Limiter(self.settings.strangers, "stranger", neighbours))
        self.readers = anyio.CapacityLimiter(READERS)
        self.live = Live(db, None if neighbours is None else neighbours.tell)
        committer.told = self.live.posted
        self._neighbours = neighbours
        if neighbours is not None:
            neighbours.heard = self._heard
        self.metrics.neighbours, self.metrics.live = neighbours, self.live
        self._closing = False
        self._books: dict[int, BookFacts] = {}
        self._lock = threading.Lock()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """What goes on beside the requests, in the loop that answers them."""
        async with contextlib.AsyncExitStack() as beside:
            if self._neighbours is not None:
                await beside.enter_async_context(self._neighbours.running())
            await beside.enter_async_context(self.live.running())
            yield

    def close(self) -> None:
        """Answer what was asked."""
        self.wallets.close()
        for sender in self.senders.values():
            sender.close()

    @property
    def closing(self) -> bool:
        """Set when the process is told to stop: what comes now is refused, what runs is finished, streams end."""
        return self._closing

    @closing.setter
    def closing(self, told: bool) -> None:
        self._closing = told
        if told:
            self.live.stop()

    # -- keys that end

    def key_ended(self, key_id: UUID) -> None:
        """A merchant's or operator's key was revoked or cut short, and that is committed: no process believes what it
        remembers of it any longer. From the loop."""
        self._forget(key_id)
        if self._neighbours is not None:
            self._neighbours.tell(ended(key_id))

    def _heard(self, message: Message) -> None:
        if isinstance(message, Ended):
            with contextlib.suppress(ValueError):
                self._forget(UUID(bytes=message.key))
        else:
            self.live.heard(message)

    def _forget(self, key_id: UUID) -> None:
        self.merchant_keys.forget(key_id)
        self.operator_keys.forget(key_id)
        self.live.look_again(key_id)

    # -- books

    def book(self, book_id: int) -> BookFacts:
        """The facts of a book that is there. May read the database."""
        if (found := self._books.get(book_id)) is None:
            with self.db.tx("door") as tx:
                book = ledger.read_book(tx, book_id)
            found = self._know(BookFacts(book.id, book.public_id, book.mode, book.currency))
        return found

    def known_book(self, book_id: int) -> BookFacts | None:
        """The facts of a book if they were read before. Reads nothing."""
        return self._books.get(book_id)

    def known_book_named(self, public_id: UUID | None) -> BookFacts | None:
        """The book with this public id if it was read before. Reads nothing."""
        return next((book for book in list(self._books.values()) if book.public_id == public_id), None)

    def book_named(self, public_id: UUID | None) -> BookFacts | None:
        """The book with this public id; without one, the only book there is. May read the database."""
        if (known := self.known_book_named(public_id)) is not None:
            return known
        with self.db.tx("door") as tx:
            if public_id is not None:
                book = ledger.books.by_public_id(tx, public_id)
            else:
                books = ledger.books.all_books(tx)
                book = books[0] if len(books) == 1 else None
        return None if book is None else self.book(book.id)

    def _know(self, facts: BookFacts) -> BookFacts:
        with self._lock:
            self._books[facts.id] = facts
        return facts
