"""The store: one file of everything asked, answered and judged, addressed by content."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from judgebench.errors import MAY_WAIT, StoreBusyError, StoreError, StoreGoneError
from judgebench.plain_text import counted
from judgebench.protocols import Paid
from judgebench.records import Item, Reply
from judgebench.secret import secrets_of
from judgebench.store import schema
from judgebench.store.catalog import asking, read, values
from judgebench.store.claims import Claims
from judgebench.store.database import Database, Prepared
from judgebench.store.opening import located
from judgebench.store.read import Reading
from judgebench.store.write import Entry, Journal, Numbers, Writer, Writing, check_items

if TYPE_CHECKING:
    from judgebench.columns import Column
    from judgebench.store.copy import Forgotten

_T = TypeVar("_T")
_P = ParamSpec("_P")

_FIND_REPLY = asking(
    schema.replies,
    "text finish_reason reasoning logprobs *_tokens served_model seconds scores left_out",
    (("key", False),),
)
_REPLY, _REPLY_LABELS = Prepared(_FIND_REPLY), tuple(_FIND_REPLY.selected_columns.keys())


def _put(
    put: Callable[Concatenate[Writing, _P], _T],
) -> Callable[Concatenate[Store, _P], _T]:
    """The same as a method of the store: a commit of its own, or a part of one."""

    @wraps(put)
    def of_store(self: Store, /, *args: _P.args, **named: _P.kwargs) -> _T:
        return self.write(lambda writing: put(writing, *args, **named))

    return of_store


class Store(Reading, Claims, AbstractContextManager["Store"]):
    """Values in, values and columns out. To be used from one thread at a time.

    Each ``put_…`` is one durable commit; inside ``with store.transaction():`` they are one commit
    all together. Putting what is there already changes nothing.

    What somebody else wrote goes in without the secrets of this process (`secret.masked`), those of
    the environment included.
    """

    def __init__(self, url: str, database: Database) -> None:
        secrets_of(os.environ)  # known to `masked` from here on
        self.url = url
        self.name = database.name
        """The address as messages show it, without a password."""
        self.read_only = database.read_only
        self.store_id = database.store_id
        """What tells it from every other store; None for one that is older than its name."""
        super().__init__(database)
        self._numbers: Numbers = {}
        self._open: Writing | None = None
        self._writer: Writer | None = None
        self._journal: Journal | None = None
        """While something may be written: beside the store, or for a server in the user's cache."""
        self.set_aside = database.set_aside
        if database.store_id is not None and not self.read_only:
            place = located(url).path
            if place is None:
                import platformdirs

                cache = Path(platformdirs.user_cache_dir("judgebench"))
                place = cache / "journals" / database.store_id
            self._journal = Journal(place, database.store_id)
            for path, left in self._journal.left():
                self._take_in(path, left)

    @property
    def path(self) -> Path:
        """The file of a store that is one. Raises `ConfigError` for one on a server."""
        path = located(self.url, in_a_file=True).path
        assert path is not None
        return path

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """What was submitted is written first; see `Writer.close` where that takes long."""
        try:
            if self._writer is not None:
                self._writer.close()
            self._writer = self._journal = None
            self._give_back()
        finally:
            self._database.close()

    # writing ------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything that is put inside one commit: all of it is kept, or nothing.

        A put that failed inside spoils the whole, even where its error was caught.
        """
        if self._open is not None:
            raise StoreError("a transaction of this store is open already; they do not nest")
        resting = nullcontext() if self._writer is None else self._writer.resting()
        try:
            with resting, self._database.writing() as connection:
                self._open = Writing(lambda: connection, self._numbers)
                self._database.on_read = self._open.flush
                yield
                self._open.flush()
        except BaseException:
            self._numbers.clear()
            raise
        finally:
            self._open = None

    def write(self, work: Callable[[Writing], _T]) -> _T:
        """Do what is to be one commit, or a part of the transaction that is open.

        Where a server goes in the middle it is done again, once it is back.
        """
        if self._open is None:
            while True:
                try:
                    with self.transaction():
                        return self.write(work)
                except StoreGoneError:
                    if not MAY_WAIT.get():
                        raise
        try:
            return work(self._open)
        except BaseException as error:
            self._open.failed = error
            raise

    def reply(self, key: bytes) -> Reply | None:
        with_key = {"key": key}
        for found in self._database.look(lambda c: _REPLY.execute(c, with_key).fetchall()):
            said = values(found, labels=_REPLY_LABELS)
            return Reply(**said | {"left_out": said["left_out"] or ()})
        return None

    def submit(
        self,
        work: Callable[[Any], Any],
        done: Any,
        *,
        paid: Paid | None = None,
    ) -> Any:
        """Write from an event loop, which waits for nothing; see `Replies.submit`."""
        if self._writer is None:
            if self._journal is None:
                raise StoreError(f"the store {self.name} is not open for writing")
            self._writer = Writer(self._database.another, self._journal)
        entry = Entry(work, done, paid)
        self._writer.waiting[entry] = None
        self._writer.queue.put(entry)
        return done

    def waiting(self) -> tuple[int, int]:
        """How many entries that were submitted are still to be written, and how many are paid."""
        writer = self._writer
        return (0, 0) if writer is None else (len(writer.waiting), len(writer.paid()))

    def _take_in(self, path: Path, left: Sequence[Paid]) -> None:
        """What a journal has that was paid for and could not be stored by a process that has ended.

        Raises `StoreError` for what cannot be stored now either.
        """
        once = {paid.key: paid for paid in left}.values()
        try:
            with self.transaction():  # nobody else stores one of them meanwhile
                new = [paid for paid in once if self.reply(paid.key) is None]
                for paid in new:
                    self.put_reply(paid.key, paid.request, paid.reply, paid.spend)
        except (StoreBusyError, StoreGoneError):
            raise
        except StoreError as error:
            raise StoreError(
                f"what is in {path} cannot be stored: {error}; it was left as it is: move it "
                "away to go on without what is in it"
            ) from error
        print(
            f"{counted(len(new), 'reply', 'replies')} that an earlier run had paid for "
            f"{'is' if len(new) == 1 else 'are'} stored now, from {path}",
            file=sys.stderr,
        )

    # values in ----------------------------------------------------------------------------------

    put_items = _put(Writing.put_items)
    put_model = _put(Writing.put_model)
    put_judge = _put(Writing.put_judge)
    put_responses = _put(Writing.put_responses)
    put_reply = _put(Writing.put_reply)
    put_spend = _put(Writing.put_spend)
    put_judgment = _put(Writing.put_judgment)
    put_judgments = _put(Writing.put_judgments)
    put_uses = _put(Writing.put_uses)
    put_failure = _put(Writing.put_failure)
    start_run = _put(Writing.start_run)
    update_run = _put(Writing.update_run)
    put_batch = _put(Writing.put_batch)
    update_batch = _put(Writing.update_batch)
    put_calibration = _put(Writing.put_calibration)
    put_baseline = _put(Writing.put_baseline)
    put_anchors = _put(Writing.put_anchors)
    put_looks = _put(Writing.put_looks)
    current_at = _put(Writing.current_at)

    def check_items(self, items: Iterable[Item]) -> None:
        """Raises `InputError` as putting all of them would; writes nothing."""
        with self._database.reading() as connection:
            check_items(connection, items)

    def forget(
        self,
        *,
        judges: Collection[bytes] = (),
        runs: Collection[str] = (),
        judgments: Collection[str] = (),
        benchmarks: Collection[tuple[str, str]] = (),
        unreadable: bool = False,
        remove: bool = True,
    ) -> Forgotten:
        """Remove judgments, where they served, and replies and texts that nothing else needs.

        What is named, and told, see `copy.forget`. What they took, runs, judges, models and
        answers stay. Not within a transaction. Raises `UsageError` for digits that begin no
        judgment's key, or several. Unless ``remove``, it is only said what would go.
        """
        from judgebench.store.copy import forget

        with self._database.removing() if remove else self._database.reading() as connection:
            return forget(
                connection,
                judges=judges,
                runs=runs,
                judgments=judgments,
                benchmarks=benchmarks,
                unreadable=unreadable,
                remove=remove,
            )

    # columns for boards -------------------------------------------------------------------------

    @read
    def board_verdicts(
        self,
        c: Connection,
        benchmark: str,
        version: str,
        models: Collection[str] | None = None,
        judges: Collection[str] | None = None,
    ) -> dict[str, Column]:
        """As `verdicts`, for boards: codes in place of lists (`columns.board_verdicts`).

        Of some models or judges alone, by short id, where they are named.
        """
        from judgebench.store import columns  # numpy, which many commands do without

        return columns.board_verdicts(c, benchmark, version, models, judges)

    @read
    def judge_replies(
        self, c: Connection, benchmark: str, version: str
    ) -> dict[str, tuple[int, int, list[float]]]:
        """What the judgments of a benchmark took, by the judge's id (`columns.judge_replies`)."""
        from judgebench.store import columns

        return columns.judge_replies(c, benchmark, version)

    @read
    def board_answers(
        self,
        c: Connection,
        benchmark: str,
        version: str,
        models: Collection[str] | None = None,
        *,
        texts: bool = False,
    ) -> dict[str, Column]:
        """The newest answers, for boards: how long they are (`columns.board_answers`)."""
        from judgebench.store import columns

        return columns.board_answers(c, benchmark, version, models, texts)
