"""The store: one file of everything asked, answered and judged, addressed by content."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from judgebench.errors import StoreBusyError, StoreError, StoreGoneError
from judgebench.plain_text import counted
from judgebench.protocols import MAY_WAIT, Paid
from judgebench.records import (
    Item,
    Verdict,
    VerdictSlot,
)
from judgebench.secret import secrets_of
from judgebench.store import (
    schema,
)
from judgebench.store.catalog import Columns, Named, StoredJudge, StoredModel
from judgebench.store.claims import Claims
from judgebench.store.database import Database
from judgebench.store.opening import located, marks, store_path
from judgebench.store.read import Reading
from judgebench.store.write import Numbers, Writing, check_items
from judgebench.store.writer import Entry, Journal, Writer


class _Lazily:
    """`columns`, imported when it is asked: numpy comes with it, which many commands do without."""

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module("judgebench.store.columns"), name)


if TYPE_CHECKING:
    from judgebench.columns import Column
    from judgebench.store import columns
    from judgebench.store.copy import Forgettable, Forgotten
else:
    columns = _Lazily()

_T = TypeVar("_T")
_P = ParamSpec("_P")


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
        super().__init__(database)
        self._numbers: Numbers = {}
        self._open: Writing | None = None
        self._writer: Writer | None = None

    @property
    def path(self) -> Path:
        """The file of a store that is one."""
        return store_path(self.url)

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """What was submitted is written first; see `Writer.close` where that takes long."""
        try:
            if self._writer is not None:
                self._writer.close()
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

    def submit(
        self,
        work: Callable[[Any], Any],
        tell: Callable[[list[Any]], None],
        *,
        about: Any = None,
        paid: Paid | None = None,
    ) -> None:
        """Write from an event loop, which waits for nothing; see `Replies.submit`."""
        if self._writer is None:
            self._writer = Writer(self._database.another, self._journal())
        self._writer.submit(Entry(work, tell, paid, about))

    def waiting(self) -> tuple[int, int]:
        """How many entries that were submitted are still to be written, and how many are paid."""
        return (0, 0) if self._writer is None else self._writer.waiting()

    def _journal(self) -> Journal:
        """Beside the store; in the user's cache where that is on a server."""
        with self._database.reading() as connection:
            store_id = marks(connection)[schema.STORE_ID]
        place = located(self.url).path
        if place is None:
            import platformdirs

            place = Path(platformdirs.user_cache_dir("judgebench")) / "journals" / store_id
        return Journal(place, store_id)

    def take_in_journals(self) -> None:
        """What was paid for and could not be stored, by processes that have ended since.

        Raises `StoreError` for a journal that cannot be read, or is another store's.
        """
        for path, left in self._journal().left():
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

    def set_aside(self, size: int, on_touch: Callable[[], None]) -> AbstractContextManager[None]:
        """Keep room for what must still be written on a full disk; see `Database.set_aside`."""
        return self._database.set_aside(size, on_touch)

    # values in ----------------------------------------------------------------------------------

    put_items = _put(Writing.put_items)
    put_model = _put(Writing.put_model)
    put_judge = _put(Writing.put_judge)
    put_responses = _put(Writing.put_responses)
    put_stack_anchors = _put(Writing.put_stack_anchors)
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

    def forget(self, wanted: Forgettable, *, remove: bool = True) -> Forgotten:
        """Remove judgments, where they served, and replies and texts that nothing else needs.

        What they took, runs, judges, models and answers stay. Not within a transaction. Raises
        `UsageError` for digits that begin no judgment's key, or several. Unless ``remove``, it is
        only said what would go.
        """
        from judgebench.store.copy import forget

        with self._database.removing() if remove else self._database.reading() as connection:
            return forget(connection, wanted, remove=remove)

    # what counts --------------------------------------------------------------------------------

    def current(self, benchmark: str, version: str) -> dict[VerdictSlot, tuple[bytes, Verdict]]:
        """The judgment's key and verdict that count at each place: those of the newest use."""
        return self._read(columns.current, benchmark, version)

    # columns for reports ------------------------------------------------------------------------

    def verdicts(
        self,
        benchmark: str,
        version: str | None = None,
        *,
        judges: Collection[Named] | None = None,
        models: Collection[Named] | None = None,
        afresh: bool = False,
    ) -> Columns:
        """The newest verdict of every place, as equally long lists (`columns.VERDICT_COLUMNS`).

        Models and judges are chosen by any of their names, their short id, or their key.
        ``afresh``: in place of those on boards, those that judges were asked for once more to
        confirm a regression.
        """
        return self._read(
            columns.verdicts, benchmark, version, judges=judges, models=models, afresh=afresh
        )

    def verdicts_beside(self, benchmark: str, version: str, judge: bytes) -> Columns:
        """As `verdicts`, of everybody where a judge, by its key, has a verdict; quick.

        Of a pair, also those on the same two models the other way round.
        """
        return self._read(columns.verdicts_beside, benchmark, version, judge)

    def said_of(self, benchmark: str, version: str, item_id: str) -> Columns:
        """As `verdicts`, of everybody on the single answers to one item."""
        return self._read(columns.said_of, benchmark, version, item_id)

    def some_of_each(self, benchmark: str, version: str, n: int) -> Columns:
        """As `verdicts`, but the first ``n`` of each judge: what sort of verdicts it gives."""
        return self._read(columns.some_of_each, benchmark, version, n)

    def run_verdicts(self, run_id: str, benchmark: str, version: str) -> Columns:
        """The verdicts that served a run, whatever came later (`columns.RUN_VERDICT_COLUMNS`).

        Those asked for to confirm a regression are left out. Empty for a run that is not known.
        """
        return self._read(
            columns.verdicts, benchmark, version, run_id=run_id, columns=columns.RUN_VERDICT_COLUMNS
        )

    def judged_columns(
        self,
        benchmark: str | None = None,
        version: str | None = None,
        *,
        judges: Collection[Named] | None = None,
        models: Collection[Named] | None = None,
        run_id: str | None = None,
        afresh: bool = False,
    ) -> Columns:
        """As `verdicts`, of all benchmarks if none is named, with judgments and replies by key."""
        return self._read(
            columns.verdicts,
            benchmark,
            version,
            judges=judges,
            models=models,
            run_id=run_id,
            afresh=None if afresh else False,
            columns=columns.JUDGED_COLUMNS,
        )

    def failures(self, benchmark: str | None = None, version: str | None = None) -> Columns:
        """What could not be done, as equally long lists (`columns.FAILURE_COLUMNS`)."""
        return self._read(columns.failures, benchmark, version)

    def responses_table(
        self,
        benchmark: str,
        version: str | None = None,
        *,
        models: Collection[Named] | None = None,
    ) -> Columns:
        """The answers of every place and stack (`columns.RESPONSE_COLUMNS`); models as above."""
        return self._read(columns.responses, benchmark, version, models=models)

    def board_verdicts(
        self,
        benchmark: str,
        version: str,
        models: Collection[str] | None = None,
        judges: Collection[str] | None = None,
    ) -> dict[str, Column]:
        """As `verdicts`, for boards: codes in place of lists (`columns.board_verdicts`).

        Of some models or judges alone, by short id, where they are named.
        """
        return self._read(columns.board_verdicts, benchmark, version, models, judges)

    def judge_replies(
        self, benchmark: str, version: str
    ) -> dict[str, tuple[int, int, list[float]]]:
        """What the judgments of a benchmark took, by the judge's id (`columns.judge_replies`)."""
        return self._read(columns.judge_replies, benchmark, version)

    def board_answers(
        self,
        benchmark: str,
        version: str,
        models: Collection[str] | None = None,
        *,
        texts: bool = False,
    ) -> dict[str, Column]:
        """The newest answers, for boards: how long they are (`columns.board_answers`)."""
        return self._read(columns.board_answers, benchmark, version, models, texts)

    def models_met(self, benchmark: str, version: str) -> list[StoredModel]:
        """Those that a benchmark has to do with, as judged, opponents, or in want of an answer."""
        return self._read(columns.models_met, benchmark, version)

    def judges_met(self, benchmark: str, version: str) -> list[StoredJudge]:
        """Those that judged on a benchmark, or failed to."""
        return self._read(columns.judges_met, benchmark, version)
