"""Questions that are in flight together, put to a worker process as one batch.

A model on this machine answers eight questions in little more time than one, and a run asks them
one by one. So a question waits a few milliseconds for others, and while a batch is under way the
next one gathers.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from judgebench.errors import CallError, ProviderUnavailableError
from judgebench.providers._worker_process import WorkerEndedError, WorkerProcess, clean
from judgebench.records import FailureKind, Runtime

RESTARTS = 1
"""How often a worker that ended by itself is started again: by chance once, hardly twice."""

_LINGER_S = 0.01
_QUIET_S = 0.002
_INSTALL = {
    "torch": "pip install 'judgebench-harness[hf]'",
    "vllm": "pip install 'lm-eval[vllm]'",
}


@dataclass(slots=True, eq=False)
class _Waiting:
    """A question and who waits for its answer."""

    question: Mapping[str, Any]
    alike: str
    answer: asyncio.Future[dict[str, Any]]


class BatchedWorker:
    """A model in a worker process, started by the first question.

    Parameters
    ----------
    module
        The worker's program; speaks as `judgebench.workers.answer_loop` says.
    job
        What it loads.
    model
        How the model is called, for messages.
    gpus
        ``CUDA_VISIBLE_DEVICES`` of the worker.
    needs
        The package without which it cannot run.
    timeout_s
        For one batch; waiting for one's turn does not count.
    loading_s
        For starting the worker and loading the model; ``timeout_s`` if None.
    """

    def __init__(
        self,
        module: str,
        job: Mapping[str, Any],
        *,
        model: str,
        gpus: str | None,
        needs: str | None,
        timeout_s: float,
        loading_s: float | None = None,
    ) -> None:
        self._module = module
        self._job = job
        self._model = model
        self._gpus = gpus
        self._needs = needs
        self._timeout_s = timeout_s
        self._loading_s = timeout_s if loading_s is None else loading_s
        self._process: WorkerProcess | None = None
        self._batch = 1
        self.stack: Runtime | None = None
        """How the model runs; None until it is loaded."""
        self._waiting: list[_Waiting] = []
        self._work: asyncio.Task[None] | None = None
        self._ends = 0
        self._unavailable: str | None = None

    @property
    def pid(self) -> int | None:
        """The worker's process id; None while there is none."""
        return None if self._process is None else self._process.pid

    async def ask(self, question: Mapping[str, Any], *, alike: str) -> dict[str, Any]:
        """The worker's answer to a question.

        Parameters
        ----------
        alike
            Equal for questions that may share a batch.

        Raises
        ------
        CallError
            If this question failed, or the worker ended over its batch; the first `RESTARTS` times
            asking again may help.
        ProviderUnavailableError
            If there is no such model here, its worker keeps ending, or it was closed.
        """
        if self._unavailable is not None:
            raise ProviderUnavailableError(self._unavailable)
        waiting = _Waiting(question, alike, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._answer_all())
        return await waiting.answer

    async def close(self) -> None:
        """End the worker and everything it started. Nothing can be asked any more."""
        self._unavailable = self._unavailable or f"{self._model} was closed"
        if self._work is not None:
            self._work.cancel()
            await asyncio.wait({self._work})
        self._give_up()  # work that was cancelled before its first step has not done so
        await self._stop()

    async def _answer_all(self) -> None:
        """Batch by batch, until nobody waits."""
        try:
            while self._still_waiting():
                worker = self._process or await self._load()
                await self._linger()
                if batch := self._next_batch():
                    await self._answer(worker, batch)
        except ProviderUnavailableError as error:
            self._unavailable = str(error)
        finally:  # also when cancelled
            self._give_up()

    async def _load(self) -> WorkerProcess:
        """The worker, with its model loaded."""
        if self._needs is not None and importlib.util.find_spec(self._needs) is None:
            raise ProviderUnavailableError(
                f"{self._model} needs {self._needs}, which is not installed: "
                f"{_INSTALL.get(self._needs, f'pip install {self._needs}')}"
            )
        worker = self._process = await WorkerProcess.start(self._module, gpus=self._gpus)
        try:
            async with asyncio.timeout(self._loading_s):
                await worker.tell(self._job)
                while (event := await worker.event())["event"] == "loading":
                    pass
        except TimeoutError:
            await self._stop()
            raise ProviderUnavailableError(
                f"{self._model} was not loaded within {self._loading_s:g} s: raise the judge's "
                f"timeout_s (a download that broke off goes on). {worker.last_words()}"
            ) from None
        except WorkerEndedError as ended:
            self._process = None
            raise ProviderUnavailableError(
                f"the worker that loads {self._model} ended: {ended}"
            ) from None
        if event["event"] == "refused":
            await self._stop()
            raise ProviderUnavailableError(
                f"{self._model} cannot be used: {clean(event['message'])}"
            )
        self._batch = event["batch"]
        self.stack = Runtime(**event["stack"])
        return worker

    async def _linger(self) -> None:
        """Give others the time to ask, for as long as they do and there is room."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _LINGER_S
        seen = 0
        while seen < len(self._waiting) < self._batch and loop.time() < until:
            seen = len(self._waiting)
            await asyncio.sleep(_QUIET_S)

    def _give_up(self) -> None:
        """Leave nobody waiting."""
        reason = self._unavailable or f"{self._model} was closed"
        for waiting in self._still_waiting():
            waiting.answer.set_exception(ProviderUnavailableError(reason))
        self._waiting.clear()

    def _still_waiting(self) -> list[_Waiting]:
        """Without those that were given up meanwhile."""
        self._waiting = [one for one in self._waiting if not one.answer.done()]
        return self._waiting

    def _next_batch(self) -> list[_Waiting]:
        """The one that waits longest, and the next that are like it."""
        waiting = self._still_waiting()
        alike = [one for one in waiting if one.alike == waiting[0].alike][: self._batch]
        self._waiting = [one for one in waiting if one not in alike]
        return alike

    async def _answer(self, worker: WorkerProcess, batch: list[_Waiting]) -> None:
        """Put one batch to the worker; whatever happens, each of it hears of it."""
        kind: FailureKind = "local_model"
        reason, again = f"{self._model} was closed", True
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._exchange(worker, batch)
        except TimeoutError:
            await self._stop()
            kind, again = "timeout", self._may_start_again()
            reason = (
                f"{self._model} did not answer within {self._timeout_s:g} s: raise the judge's "
                "timeout_s, or lower its batch_size or max_tokens"
            )
        except WorkerEndedError as ended:
            self._process, again = None, self._may_start_again()
            reason = f"the worker that runs {self._model} ended: {ended}"
        finally:
            for one in batch:
                if not one.answer.done():
                    one.answer.set_exception(CallError(reason, retriable=again, kind=kind))
        if not again:
            raise ProviderUnavailableError(reason)

    async def _exchange(self, worker: WorkerProcess, batch: list[_Waiting]) -> None:
        """One order, and all that is said to it."""
        questions = [{"id": number, **one.question} for number, one in enumerate(batch)]
        await worker.tell({"questions": questions})
        while (event := await worker.event())["event"] != "done":
            answer = batch[event["id"]].answer
            if answer.done():
                continue  # given up meanwhile
            if event["event"] == "answered":
                answer.set_result(event)
            else:
                message = f"{self._model}: {clean(event['message'])}"
                answer.set_exception(CallError(message, retriable=False, kind=event["kind"]))

    def _may_start_again(self) -> bool:
        self._ends += 1
        return self._ends <= RESTARTS

    async def _stop(self) -> None:
        worker, self._process = self._process, None
        if worker is not None:
            await worker.stop()
