"""The store: one file of everything asked, answered and judged, addressed by content."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from judgebench.errors import StoreError
from judgebench.protocols import Drawn
from judgebench.records import (
    Batch,
    BatchState,
    Failure,
    Item,
    JsonObject,
    JudgeSpec,
    Judgment,
    Look,
    ModelSpec,
    Place,
    Reply,
    Request,
    Response,
    RunManifest,
    Spend,
    Stack,
    Use,
    Verdict,
)
from judgebench.secret import secrets_of
from judgebench.store import (
    anchors,
    baselines,
    batches,
    calibrations,
    catalog,
    forget,
    lookups,
    met,
    spending,
    stack_anchors,
    tables,
    write,
)
from judgebench.store import items as item_rows
from judgebench.store.anchors import StoredAnchors
from judgebench.store.baselines import StoredBaseline
from judgebench.store.calibrations import StoredCalibration
from judgebench.store.catalog import Named, StoredJudge, StoredModel
from judgebench.store.claims import Claims, key_of, project_budgets
from judgebench.store.database import Database
from judgebench.store.forget import Forgettable, Forgotten
from judgebench.store.interning import Interned
from judgebench.store.opening import store_path
from judgebench.store.stack_anchors import AnsweredAgain
from judgebench.store.tables import Columns

if TYPE_CHECKING:
    from judgebench.columns import Column

_NO_TAGS: Mapping[str, str] = MappingProxyType({})


class Store:
    """Values in, values and columns out. To be used from one thread at a time.

    Each ``put_…`` is one durable commit; inside ``with store.transaction():`` they are one commit
    all together. Putting what is there already changes nothing.

    What somebody else wrote goes in without the secrets of this process (`secret.masked`), those of
    the environment included.
    """

    def __init__(self, url: str, database: Database) -> None:
        secrets_of(os.environ)  # known to `masked` from here on
        self.url = url
        self._database = database
        self._interned = Interned()
        self._transaction: _Transaction | None = None
        self._claims = Claims(database)

    @property
    def path(self) -> Path:
        """The file of a store that is one."""
        return store_path(self.url)

    @property
    def name(self) -> str:
        """The address as messages show it, without a password."""
        return self._database.name

    @property
    def read_only(self) -> bool:
        return self._database.read_only

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._claims.close()
        self._database.close()

    # transactions -------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything that is put inside one commit: all of it is kept, or nothing.

        A put that failed inside spoils the whole, even where its error was caught.
        """
        if self._transaction is not None:
            raise StoreError("a transaction of this store is open already; they do not nest")
        try:
            with self._database.writing() as connection:
                self._transaction = _Transaction(connection)
                yield
                if self._transaction.spoiled is not None:
                    raise StoreError(
                        "nothing was stored: one part of the transaction had failed"
                    ) from self._transaction.spoiled
        except BaseException:
            self._interned.forget()
            raise
        finally:
            self._transaction = None

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        if self._transaction is None:
            with self.transaction(), self._writing() as connection:
                yield connection
            return
        try:
            yield self._transaction.connection
        except BaseException as error:
            self._transaction.spoiled = error
            raise

    def set_aside(self, size: int, on_touch: Callable[[], None]) -> AbstractContextManager[None]:
        """Keep room for what must still be written on a full disk; see `Database.set_aside`."""
        return self._database.set_aside(size, on_touch)

    # values in ----------------------------------------------------------------------------------

    def put_items(self, items: Sequence[Item]) -> None:
        """Raises `InputError` for an item that differs from the one in the store."""
        with self._writing() as connection:
            item_rows.put_items(connection, self._interned, items)

    def check_items(self, items: Iterable[Item]) -> None:
        """Raises `InputError` as putting all of them would; writes nothing."""
        with self._database.reading() as connection:
            item_rows.check_items(connection, items)

    def put_model(self, name: str, spec: ModelSpec, tags: Mapping[str, str] = _NO_TAGS) -> bytes:
        """Returns the model's key. Name and tags are labels, of which the newest are shown."""
        with self._writing() as connection:
            return write.put_model(connection, self._interned, name, spec, tags)

    def put_judge(self, name: str, spec: JudgeSpec) -> bytes:
        """Returns the judge's key."""
        with self._writing() as connection:
            return write.put_judge(connection, self._interned, name, spec)

    def put_responses(self, responses: Mapping[bytes, Response]) -> None:
        """Kept once for each key and stack, and at each place it answers; clears failures."""
        with self._writing() as connection:
            write.put_responses(connection, self._interned, responses)

    def put_stack_anchors(self, responses: Mapping[bytes, Response]) -> None:
        """Questions answered again on another stack than the answers that stand.

        Kept once for each key and stack, and at no place: nothing but `answered_again` tells of
        them. An answer that comes later on that stack takes their place.
        """
        with self._writing() as connection:
            write.put_stack_anchors(connection, self._interned, responses)

    def put_reply(
        self, key: bytes, request: Request, reply: Reply, spend: Spend | None = None
    ) -> None:
        """The reply and what it took, in one commit.

        Of two replies to one question the first is kept, and both are paid for.
        """
        with self._writing() as connection:
            write.put_reply(connection, key, request, reply)
            if spend is not None:
                spending.put_spend(connection, self._interned, (spend,))

    def put_spend(self, spends: Sequence[Spend]) -> None:
        """Added to what was spent before: putting the same twice counts it twice.

        Raises `StoreError` for a run, model or judge that was never put.
        """
        with self._writing() as connection:
            spending.put_spend(connection, self._interned, spends)

    def put_judgment(self, judgment: Judgment, uses: Sequence[Use]) -> None:
        """The judgment, where it serves, and that it no longer fails, in one commit.

        Of two judgments with one key the first is kept. What is judged anew, as a label that a
        person gives again, must say so in its key.
        """
        with self._writing() as connection:
            write.put_judgment(connection, self._interned, judgment, uses)

    def put_judgments(self, judgments: Sequence[tuple[Judgment, Use]]) -> None:
        """Many at once, each with the place it serves; as `put_judgment`."""
        with self._writing() as connection:
            write.put_judgments(connection, self._interned, judgments)

    def put_uses(self, uses: Sequence[Use]) -> None:
        with self._writing() as connection:
            write.put_uses(connection, self._interned, uses)

    def put_failure(self, failure: Failure) -> None:
        """Kept for each key and place: the newest message, and the attempts added up."""
        with self._writing() as connection:
            write.put_failure(connection, self._interned, failure)

    def start_run(self, manifest: RunManifest) -> None:
        with self._writing() as connection:
            write.start_run(connection, manifest)

    def update_run(self, manifest: RunManifest) -> None:
        with self._writing() as connection:
            write.update_run(connection, manifest)

    def put_batch(self, batch: Batch, requests: Mapping[bytes, Request]) -> None:
        """A batch that is about to be sent, with its questions by key.

        Raises `StoreError` for one whose id is there already.
        """
        with self._writing() as connection:
            batches.put_batch(connection, self._interned, batch, requests)

    def update_batch(self, batch: Batch) -> None:
        """Everything that may have changed: its state, the provider's id, when and how it ended."""
        with self._writing() as connection:
            batches.update_batch(connection, self._interned, batch)

    def put_calibration(
        self,
        benchmark: str,
        version: str,
        *,
        judge: bytes,
        opponent: bytes,
        models: Sequence[str],
        content: JsonObject,
    ) -> StoredCalibration:
        """A calibration of length, for a judge's comparisons with one opponent.

        ``models`` are those that it was fitted on, by short id. The last one counts, and earlier
        ones stay; one that is the last already is not put again. Raises `StoreError` for a judge
        or opponent that was never put.
        """
        with self._writing() as connection:
            return calibrations.put_calibration(
                connection, self._interned, benchmark, version, judge, opponent, models, content
            )

    def put_baseline(
        self, name: str, benchmark: str, version: str, *, model: bytes, run_id: str | None = None
    ) -> StoredBaseline:
        """Which model goes by a name from now on, as the baseline of a benchmark.

        The last one counts, and earlier ones stay; one that is the last already is not put again.
        Raises `StoreError` for a model or run that was never put.
        """
        with self._writing() as connection:
            return baselines.put_baseline(
                connection, self._interned, name, benchmark, version, model, run_id
            )

    def put_anchors(self, pinned: Sequence[tuple[Place, bytes]]) -> StoredAnchors:
        """Pin what one judge said on one benchmark: places, and the keys of the judgments there.

        Of several sets of a judge and benchmark the last counts. Raises `StoreError` for places of
        several judges or benchmarks, and for a judgment that was never put.
        """
        with self._writing() as connection:
            return anchors.put_anchors(connection, self._interned, pinned)

    def put_looks(self, looks: Sequence[tuple[Judgment, Look]]) -> None:
        """What a judge says of anchors anew, on no board; the first look of an occasion is kept."""
        with self._writing() as connection:
            anchors.put_looks(connection, self._interned, looks)

    def forget(self, wanted: Forgettable) -> Forgotten:
        """Remove judgments, where they served, and replies and texts that nothing else needs.

        What they took, runs, judges, models and answers stay. Not within a transaction. Raises
        `UsageError` for digits that begin no judgment's key, or several.
        """
        with self._database.removing() as connection:
            return forget.forget(connection, wanted, remove=True)

    def forgettable(self, wanted: Forgettable) -> Forgotten:
        """What `forget` would remove; removes nothing."""
        with self._database.reading() as connection:
            return forget.forget(connection, wanted, remove=False)

    # look-ups -----------------------------------------------------------------------------------

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """One state of the store for all selects inside, where rows are read and not values."""
        with self._database.reading() as connection:
            yield connection

    def reply(self, key: bytes) -> Reply | None:
        with self._database.looking() as connection:
            return lookups.reply(connection, key)

    def judged(self, keys: Collection[bytes]) -> set[bytes]:
        """Which of the keys have a judgment."""
        with self._database.reading() as connection:
            return lookups.judged(connection, keys)

    def judgment(self, key: bytes) -> Judgment | None:
        with self._database.reading() as connection:
            return lookups.judgment(connection, key)

    def responses(self, keys: Collection[bytes]) -> dict[bytes, list[Response]]:
        """The responses that there are, of all stacks, the newest first.

        One response may answer the same question in several places; it is told with the first.
        """
        with self._database.reading() as connection:
            return lookups.responses(connection, keys)

    def answers_to(
        self, benchmark: str, version: str, model: bytes, items: Collection[str]
    ) -> list[Response]:
        """All answers of a model, by its key, to some items, of all stacks, the newest first."""
        with self._database.reading() as connection:
            return lookups.answers_to(connection, benchmark, version, model, items)

    def answered(self, benchmark: str, version: str, model: bytes) -> set[tuple[str, int]]:
        """Item and sample of every answer of a model, by its key, that stands on a benchmark."""
        with self._database.reading() as connection:
            return lookups.answered(connection, benchmark, version, model)

    def newest_answer(self) -> int:
        """A number that grows whenever a response comes; 0 without any."""
        with self._database.reading() as connection:
            return lookups.newest_answer(connection)

    def answered_on(self, keys: Collection[bytes], stack: Stack) -> set[bytes]:
        """Which of the keys were answered on a stack, by an answer that stands or an anchor."""
        with self._database.reading() as connection:
            return stack_anchors.answered_on(connection, keys, stack)

    def answered_again(
        self, benchmark: str, version: str, model: str, *, stack: Stack, other: Stack
    ) -> AnsweredAgain:
        """A model's first answers on a benchmark on ``stack``, beside those on ``other``.

        The model by its short id. Those on ``other`` may be answers that stand there, or anchors.
        """
        with self._database.reading() as connection:
            return stack_anchors.answered_again(connection, benchmark, version, model, stack, other)

    def current(self, benchmark: str, version: str) -> dict[Place, tuple[bytes, Verdict]]:
        """The judgment's key and verdict that count at each place: those of the newest use."""
        with self._database.reading() as connection:
            return tables.current(connection, benchmark, version)

    def current_at(self, place: Place) -> tuple[bytes, Verdict] | None:
        """What `current` says of one place, asked within a transaction.

        So what is put next follows it, whoever else writes. Raises `StoreError` for a model or
        judge that was never put.
        """
        with self._writing() as connection:
            found = self._interned.place(connection, place)
            found["judge_id"] = self._interned.judge(connection, place.judge_key)
            return tables.current_at(connection, found)

    def item(self, benchmark: str, version: str, item_id: str) -> Item | None:
        """One item, without turns where only the id is known."""
        with self._database.reading() as connection:
            return item_rows.item(connection, benchmark, version, item_id)

    def items(self, benchmark: str, version: str) -> list[Item]:
        """In the order in which they came; without turns where only the id is known."""
        with self._database.reading() as connection:
            return item_rows.items(connection, benchmark, version)

    def item_contents(self, benchmark: str, version: str) -> dict[str, str | None]:
        """What each item is but for its id, by id; None where only the id is known."""
        with self._database.reading() as connection:
            return item_rows.contents(connection, benchmark, version)

    def batches(self, states: Collection[BatchState] | None = None) -> list[Batch]:
        """Those in one of the states, or all, in the order in which they were put."""
        with self._database.reading() as connection:
            return batches.batches(connection, states)

    def batch_requests(self, batch_id: str) -> dict[bytes, Request]:
        """The questions of a batch by key, with their purposes; empty for one that is not known.

        Hints for caches of prompts are not kept, and a tuple among the parameters of a question
        comes back as a list.
        """
        with self._database.reading() as connection:
            return batches.batch_requests(connection, batch_id)

    def batched(self, keys: Collection[bytes]) -> set[bytes]:
        """Which questions were put into a batch, whatever became of it."""
        with self._database.reading() as connection:
            return batches.batched(connection, keys)

    def in_batches(self, keys: Collection[bytes]) -> dict[bytes, str]:
        """Which questions wait in a batch that is being submitted or was, and in which."""
        with self._database.reading() as connection:
            return batches.in_batches(connection, keys)

    def calibrations(self, benchmark: str, version: str) -> list[StoredCalibration]:
        """Of all judges and opponents, in the order in which they were put."""
        with self._database.reading() as connection:
            return calibrations.calibrations(connection, benchmark, version)

    def baselines(self) -> list[StoredBaseline]:
        """Of all names and benchmarks, in the order in which they were set."""
        with self._database.reading() as connection:
            return baselines.baselines(connection)

    def anchors(self) -> list[StoredAnchors]:
        """Of all judges and benchmarks, in the order in which they were pinned."""
        with self._database.reading() as connection:
            return anchors.anchors(connection)

    def pinned(self, of: StoredAnchors) -> dict[Place, bytes]:
        """The places of a set of anchors, with the key of the case that the judge saw there."""
        with self._database.reading() as connection:
            return anchors.pinned(connection, of)

    def looked(self, of: StoredAnchors, occasion: str) -> set[Place]:
        """The places of a set about which the judge was asked again on an occasion."""
        with self._database.reading() as connection:
            return anchors.looked(connection, of, occasion)

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
        """The newest verdict of every place, as equally long lists (`tables.VERDICT_COLUMNS`).

        Models and judges are chosen by any of their names, their short id, or their key.
        ``afresh``: in place of those on boards, those that judges were asked for once more to
        confirm a regression.
        """
        with self._database.reading() as connection:
            return tables.verdicts(
                connection, benchmark, version, judges=judges, models=models, afresh=afresh
            )

    def verdicts_beside(self, benchmark: str, version: str, judge: bytes) -> Columns:
        """As `verdicts`, of everybody where a judge, by its key, has a verdict; quick.

        Of a pair, also those on the same two models the other way round.
        """
        with self._database.reading() as connection:
            return tables.verdicts_beside(connection, benchmark, version, judge)

    def said_of(self, benchmark: str, version: str, item_id: str) -> Columns:
        """As `verdicts`, of everybody on the single answers to one item."""
        with self._database.reading() as connection:
            return tables.said_of(connection, benchmark, version, item_id)

    def some_of_each(self, benchmark: str, version: str, n: int) -> Columns:
        """As `verdicts`, but the first ``n`` of each judge: what sort of verdicts it gives."""
        with self._database.reading() as connection:
            return tables.some_of_each(connection, benchmark, version, n)

    def run_verdicts(self, run_id: str, benchmark: str, version: str) -> Columns:
        """The verdicts that served a run, whatever came later (`tables.RUN_VERDICT_COLUMNS`).

        Those asked for to confirm a regression are left out. Empty for a run that is not known.
        """
        with self._database.reading() as connection:
            return tables.run_verdicts(connection, run_id, benchmark, version)

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
        with self._database.reading() as connection:
            return tables.judged(
                connection,
                benchmark,
                version,
                judges=judges,
                models=models,
                run_id=run_id,
                afresh=afresh,
            )

    def failures(self, benchmark: str | None = None, version: str | None = None) -> Columns:
        """What could not be done, as equally long lists (`tables.FAILURE_COLUMNS`)."""
        with self._database.reading() as connection:
            return tables.failures(connection, benchmark, version)

    def responses_table(
        self,
        benchmark: str,
        version: str | None = None,
        *,
        models: Collection[Named] | None = None,
    ) -> Columns:
        """The answers of every place and stack (`tables.RESPONSE_COLUMNS`); models as above."""
        with self._database.reading() as connection:
            return tables.responses(connection, benchmark, version, models=models)

    def board_verdicts(
        self, benchmark: str, version: str, models: Collection[str] | None = None
    ) -> dict[str, Column]:
        """As `verdicts`, for boards: codes in place of lists (`board_columns.board_verdicts`).

        Of some models alone, by short id, where they are named.
        """
        from judgebench.store import board_columns  # numpy, which most of a run does without

        with self._database.reading() as connection:
            return board_columns.board_verdicts(connection, benchmark, version, models)

    def board_answers(
        self, benchmark: str, version: str, models: Collection[str] | None = None
    ) -> dict[str, Column]:
        """The newest answers, for boards: how long they are (`board_columns.board_answers`)."""
        from judgebench.store import board_columns

        with self._database.reading() as connection:
            return board_columns.board_answers(connection, benchmark, version, models)

    def left_out(self, judge: str, benchmark: str, version: str) -> tuple[str, ...]:
        """What a judge, by its short id, asked for on a benchmark and its model does not take.

        As one reply to it says, since all of its questions are of one make.
        """
        with self._database.reading() as connection:
            return lookups.left_out(connection, judge, benchmark, version)

    def spend(self, run_id: str | None = None) -> Columns:
        """What a run took, or all of them, as equally long lists (`spending.SPEND_COLUMNS`).

        One row for each run, benchmark, model, judge (None for answers), ``how`` and requested
        model. ``cost_usd`` is that of the calls with a known price: a lower bound wherever
        ``unpriced_calls`` is not 0. Tokens are those that somebody stated. Empty for a run that
        is not known.
        """
        with self._database.reading() as connection:
            return spending.spent(connection, run_id)

    def judge_spend(self, benchmark: str, version: str) -> Columns:
        """What calls for verdicts took, over all runs (`spending.JUDGE_SPEND_COLUMNS`)."""
        with self._database.reading() as connection:
            return spending.judge_spend(connection, benchmark, version)

    def judge_verdicts(self, benchmark: str, version: str) -> Columns:
        """How many different judgments there are (`spending.JUDGE_VERDICT_COLUMNS`)."""
        with self._database.reading() as connection:
            return spending.judge_verdicts(connection, benchmark, version)

    def judge_replies(self, benchmark: str, version: str) -> Columns:
        """What judgments were read from, and how long it took (`spending.JUDGE_REPLY_COLUMNS`)."""
        with self._database.reading() as connection:
            return spending.judge_replies(connection, benchmark, version)

    def looks(self, of: StoredAnchors) -> Columns:
        """What was said of a set of anchors, as equally long lists (`anchors.LOOK_COLUMNS`)."""
        with self._database.reading() as connection:
            return anchors.looks(connection, of.id)

    def benchmarks(self) -> list[tuple[str, str]]:
        """Names and versions."""
        with self._database.reading() as connection:
            return lookups.benchmarks(connection)

    def models(self) -> list[StoredModel]:
        with self._database.reading() as connection:
            return list(catalog.models(connection).values())

    def models_met(self, benchmark: str, version: str) -> list[StoredModel]:
        """Those that a benchmark has to do with, as judged, opponents, or in want of an answer."""
        with self._database.reading() as connection:
            return met.models_met(connection, benchmark, version)

    def judges_met(self, benchmark: str, version: str) -> list[StoredJudge]:
        """Those that judged on a benchmark, or failed to."""
        with self._database.reading() as connection:
            return met.judges_met(connection, benchmark, version)

    def judges(self) -> list[StoredJudge]:
        with self._database.reading() as connection:
            return list(catalog.judges(connection).values())

    def runs(self) -> list[RunManifest]:
        """In the order in which they were started."""
        with self._database.reading() as connection:
            return lookups.runs(connection)

    def run(self, run_id: str) -> RunManifest | None:
        with self._database.reading() as connection:
            return lookups.run(connection, run_id)

    # claims -------------------------------------------------------------------------------------

    def claim(self, keys: Collection[bytes]) -> set[bytes]:
        """Keep every other process from working on these keys; returns those that are ours now.

        What a dead process had claimed is free: at once on the same host, elsewhere when it has not
        said for a minute that it lives.
        """
        return self._claims.claim(keys)

    def release(self, keys: Collection[bytes], *, soon: bool = False) -> None:
        """Give claims back; all that are left go back when the store is closed.

        ``soon`` is as soon as nobody else writes, without waiting for that.
        """
        self._claims.release(keys, soon=soon)

    def claimed_by(self, key: bytes) -> str | None:
        """Who works on a key, in words; None for nobody."""
        owner = self._claims.holder(key)
        return None if owner is None else str(owner)

    def lease(
        self,
        name: str,
        *,
        wait_s: float | None = None,
        on_wait: Callable[[str], None] | None = None,
    ) -> AbstractContextManager[None]:
        """Keep every other process from holding the lease of that name while the block runs.

        Parameters
        ----------
        wait_s
            How long to wait for a living owner; None for as long as it takes.
        on_wait
            Told once of each owner that is waited for.

        Raises
        ------
        StoreBusyError
            If ``wait_s`` is over.
        StoreError
            At the end of the block, if the lease was lost meanwhile.
        """
        return self._claims.lease(name, wait_s, on_wait)

    def is_leased(self, name: str) -> bool:
        """Whether somebody who lives holds the lease of that name."""
        owner = self._claims.holder(key_of(name))
        return owner is not None and not owner.has_gone()

    def draw(
        self, project: str, cap_usd: float, *, spent: float, held: float, wanted: float, more: float
    ) -> Drawn:
        """Reserve money of a project's budget for this month, and count what was spent of it.

        What is spent and reserved by all never exceeds the cap. What a dead process had reserved is
        free again.

        Parameters
        ----------
        cap_usd
            What the project may cost in a month, by the clock of the database (UTC).
        spent
            US dollars to be counted as spent.
        held
            What calls under way may still take: it stays reserved.
        wanted, more
            What is to be reserved beside it, and how much more is welcome: at most a sixteenth of
            what is left then.
        """
        return self._claims.draw(project, cap_usd, spent=spent, held=held, wanted=wanted, more=more)

    def budgets(self) -> Columns:
        """What projects have spent and reserved, by month (`claims.BUDGET_COLUMNS`)."""
        with self._database.reading() as connection:
            return project_budgets(connection)


class _Transaction:
    """An open write, and the error that spoiled it, if one did."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.spoiled: BaseException | None = None
