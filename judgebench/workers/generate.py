"""The process that holds a local model: loads it once, answers the items of its tasks.

    python -m judgebench.workers.generate

It speaks as `judgebench.workers.protocol` says. The job names the model and everything that could
be asked of it::

    {"model": "hf", "model_args": {...}, "batch_size": 8, "device": null, "seed": 1234,
     "apply_chat_template": true,
     "tasks": [{"task": "...", "include_path": ["..."], "metadata": {...}, "ids": ["0", ...],
                "apply_chat_template": true, "system_instruction": null,
                "fewshot_as_multiturn": false, "prompt_tokens": {}, "prefix": null,
                "until": [], "max_gen_toks": 64, "sampling": {"do_sample": false},
                "sampling_of": {}, "further": {}}]}

and a question is one item's sample, an answer one row for each turn of it::

    {"id": ["the task", "0", 0]}
    {"id": ["the task", "0", 0], "turn": 0, "text": ...}

A text as the job's ``apply_chat_template`` names one of the model's templates, for all tasks.
``prompt_tokens`` is how prompts become tokens where that is not lm-eval's way (`PromptTokens`).
``sampling_of`` takes the place of ``sampling`` for the items that it names, and ``further``, unless
it is empty, that of both for every sample but 0.

With a ``prefix``, what a task asks stands below it in URIAL's form (`below_prefix`), no template is
applied, and a prompt that does not fit is refused, never cut.

Turns: with ``"turns": {"0": [[{"role": "user", "content": ...}], ...], ...}`` a conversation is
held, message by message through the model's chat template and without a task of lm-eval: each of
these lists is put after what was said so far, and the model answers it. What goes on is the final
answer, without its reasoning. A conversation in which a turn comes to no answer ends there; one
that grows too long for the model fails from there on. Each turn of a batch is an event, unless
``"whole": true`` has all of them come together. What was answered before on this very stack is not
asked again: ``"before": {"stack": {...}, "texts": [["0", 0, ["the first turn's answer"]], ...]}``.
What shares a batch is asked again with it as long as one of them lacks the turn.

Likelihoods: of a task of lm-eval that generates nothing the answer is the list of texts, as JSON,
with how likely each is (`judgebench.workers.lm_eval_task`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

from judgebench.errors import ConfigError
from judgebench.records import NOT_SAID, Runtime
from judgebench.workers import backends
from judgebench.workers.backends import Backend, Decoding, Generated, PromptTokens, too_long
from judgebench.workers.final_answer import read_answer
from judgebench.workers.lm_eval_task import LIKELIHOODS, asked_of, asked_text, doc_ids, load_task
from judgebench.workers.prompts import ChatPrompts, below_prefix
from judgebench.workers.protocol import (
    Event,
    Question,
    failed,
    free_memory,
    in_words,
    serve,
)

WINDOW = 16
"""Batches a window holds: prompts are sorted by length within one, to save padding."""

_EXPLICIT = ("until", "max_gen_toks", "sampling")


@dataclass(slots=True)
class _Conversation:
    """An item while it is answered.

    ``messages`` are what was said so far, ``turns`` what is still to be put after them; without
    ``turns`` it has the one ``prompt`` of a task. ``before`` are answers of an earlier time.
    """

    id: str
    prompt: Any
    messages: list[Mapping[str, str]]
    turns: list[Sequence[Mapping[str, str]]]
    before: Sequence[str] = ()
    failure: str | None = None


def load(
    job: Mapping[str, Any], load_backend: Callable[[Mapping[str, Any]], Backend] = backends.load
) -> Generator:
    """The model of a job, with the prompts of its tasks.

    Raises
    ------
    ConfigError
        For a task that cannot be asked as the job says.
    """
    tasks = [_Task(task, job["seed"]) for task in job["tasks"]]
    backend = load_backend(job)  # a task may register the backend that it is for
    for task in tasks:
        task.build(backend)
    return Generator(backend, tasks)


class Generator:
    """A backend with the tasks that it answers."""

    def __init__(self, backend: Backend, tasks: Sequence[_Task]) -> None:
        self._backend = backend
        self._tasks = tasks
        self.batch = backend.batch

    def stack(self) -> Runtime:
        return self._backend.stack()

    def answers(self, questions: Sequence[Question]) -> Iterator[Event]:
        """Events, a batch at a time. What fails is said, and the next batch follows."""
        apart = any(question.get("apart") for question in questions)
        for task in self._tasks:
            ids = [question["id"] for question in questions]
            missing = {(item, n) for name, item, n in ids if name == task.name}
            yield from task.answers(missing, apart=apart)

    def portions(self, questions: Sequence[Question]) -> list[list[int]]:
        number_of = {tuple(question["id"]): n for n, question in enumerate(questions)}
        return [
            [number_of[task.name, *one] for one in together]
            for task in self._tasks
            for together in task.portions({one[1:] for one in number_of if one[0] == task.name})
        ]


class _Task:
    """One task of a job."""

    def __init__(self, task: Mapping[str, Any], seed: int) -> None:
        self.name: str = task["task"]
        absent = [name for name in _EXPLICIT if task.get(name) is None]
        if absent:  # lm-eval would stop at the first blank line, or after 256 tokens
            raise ConfigError(f"task {self.name}: {', '.join(absent)} has to be said explicitly")
        self._given = task
        self._seed = seed
        self._turns: Mapping[str, Sequence[Any]] = task.get("turns") or {}
        self._source = (
            None if self._turns else load_task(self.name, task["include_path"], task["metadata"])
        )
        self._likely = self._source is not None and self._source.OUTPUT_TYPE in LIKELIHOODS
        self._before: dict[tuple[str, int], Sequence[str]] = {}
        rule = task.get("prompt_tokens")
        self._tokens = PromptTokens(**rule) if rule else None
        self._prefix: str | None = task.get("prefix")
        self._batched: dict[
            bool, tuple[list[tuple[dict[str, Any], list[str]]], dict[str, int]]
        ] = {}

    def build(self, backend: Backend) -> None:
        """The first prompt of each item."""
        self._backend = backend
        given = self._given
        if self._tokens is not None and "prompt_tokens" in backend.unsupported:
            raise ConfigError(
                f"task {self.name}: this backend takes text and cannot be told how it becomes "
                "tokens, as the benchmark's preset has it; use the backend hf or vllm, or say "
                "options: {preset: clean}"
            )
        if self._turns:
            self._chat = ChatPrompts(
                backend.lm,
                apply_chat_template=given["apply_chat_template"],
                system_instruction=given["system_instruction"],
                prefix=self._prefix,
            )
            self._prompts = {id_: self._chat.of(turns[0]) for id_, turns in self._turns.items()}
            before = given.get("before")
            if before is not None and Runtime(**before["stack"]) == backend.stack():
                self._before = {(id_, sample): said for id_, sample, said in before["texts"]}
        else:
            self._prompts = _prompts_of(self._source, given, backend.lm)
        if self._prefix is not None:
            self._put_below(self._prefix)

    def _put_below(self, prefix: str) -> None:
        """The prompts below the prefix, which has to fit with an answer."""
        if (why := self._refusal(below_prefix(prefix, []))) is not None:
            raise ConfigError(f"task {self.name}: the prefix alone leaves no room: {why}")
        if not self._turns:
            self._prompts = {
                id_: below_prefix(prefix, [{"role": "user", "content": prompt}])
                for id_, prompt in self._prompts.items()
            }

    def _refusal(self, prompt: Any) -> str | None:
        """Why this prompt cannot be answered; None if it can.

        Below a prefix nothing is cut: that would be another prompt.
        """
        decoding, lm = self._decoding(0, self._given["sampling"]), self._backend.lm
        if self._likely:  # a context and what goes on have to fit, and nothing follows them
            longest = max(map("".join, prompt), key=len)
            return self._backend.refusal(longest, replace(decoding, max_gen_toks=0))
        if self._prefix is None or getattr(lm, "tokenizer", None) is None:
            return self._backend.refusal(prompt, decoding)
        most = int(lm.max_length) - decoding.max_gen_toks
        return too_long(lm, prompt, decoding, most=most, instead="take a shorter prefix")

    def answers(self, missing: set[tuple[str, int]], *, apart: bool = False) -> Iterator[Event]:
        """Events about samples of items; ``apart`` leaves out what shares a batch with them."""
        why = self._refusals
        for id_ in sorted({id_ for id_, _ in missing}):
            message = why.get(id_, "the task has no document with this id")
            if message is not None:
                yield self._failed([one for one in missing if one[0] == id_], message)
        for number, sampling, ids, wanted in self._wanted(missing):
            asked = [id_ for id_, _ in wanted] if apart else ids
            yield from self._batch(asked, wanted, sampling, number)

    def portions(self, missing: set[tuple[str, int]]) -> Iterator[list[tuple[str, int]]]:
        """What is answered together, and at the end what is refused."""
        for *_, wanted in self._wanted(missing):
            yield wanted
            missing = missing.difference(wanted)
        if missing:
            yield sorted(missing)

    def _wanted(
        self, missing: set[tuple[str, int]]
    ) -> Iterator[tuple[int, dict[str, Any], list[str], list[tuple[str, int]]]]:
        """The batches in which something is missing, sample by sample, with that and a number."""
        for sample in sorted({n for _, n in missing}):
            batched, number_of = self._batches(bool(sample and self._given.get("further")))
            here = (id_ for id_, n in missing if n == sample and id_ in number_of)
            for number in sorted({number_of[id_] for id_ in here}):
                sampling, ids = batched[number]
                wanted = [(id_, sample) for id_ in ids if (id_, sample) in missing]
                yield number, sampling, ids, wanted

    @cached_property
    def _refusals(self) -> dict[str, str | None]:
        """Why items are not asked; None for those that are."""
        return {id_: self._refusal(prompt) for id_, prompt in self._prompts.items()}

    def _batches(
        self, further: bool
    ) -> tuple[list[tuple[dict[str, Any], list[str]]], dict[str, int]]:
        """Ids that are answered together, with what they are sampled with; the number of each."""
        if further not in self._batched:
            alike: dict[str, tuple[dict[str, Any], list[str]]] = {}
            for id_ in self._given["ids"]:
                own = self._given.get("sampling_of", {}).get(id_, self._given["sampling"])
                sampling = self._given["further"] if further else own
                told = json.dumps(sampling, sort_keys=True)
                alike.setdefault(told, (sampling, []))[1].append(id_)
            asked = {id_: p for id_, p in self._prompts.items() if self._refusals[id_] is None}
            found = [
                (sampling, some)
                for sampling, ids in alike.values()
                for some in batches(asked, ids, self._backend.batch)
            ]
            number_of = {id_: n for n, (_, ids) in enumerate(found) for id_ in ids}
            self._batched[further] = found, number_of
        return self._batched[further]

    def _batch(
        self,
        ids: Sequence[str],
        wanted: Sequence[tuple[str, int]],
        sampling: dict[str, Any],
        number: int,
    ) -> Iterator[Event]:
        """What is said of the items that are answered together, turn by turn."""
        sample, turn, message = wanted[0][1], 0, None
        conversations = {id_: self._conversation(id_, sample) for id_ in ids}
        going_on = list(conversations.values())
        rows: list[dict[str, Any]] = []
        while going_on and message is None:
            try:
                new = self._answer(going_on, sampling, sample, number, turn)
                rows += [
                    {"id": [self.name, id_, sample], "turn": turn, **new[id_]}
                    for id_, _ in wanted
                    if id_ in new
                ]
                turn += 1
                going_on = [one for one in going_on if self._goes_on(one)]
            except Exception as error:  # noqa: BLE001  (one batch fails; the run goes on)
                message = in_words(error)
            if rows and not (self._given.get("whole") and going_on and message is None):
                yield {"event": "answered", "answers": rows}
                rows = []
        for one in wanted:
            if (failure := conversations[one[0]].failure) is not None:
                yield self._failed([one], failure)
        if message is not None:
            free_memory()
            left = {one.id for one in going_on}
            if failed := [one for one in wanted if one[0] in left]:
                yield self._failed(failed, message)

    def _conversation(self, id_: str, sample: int) -> _Conversation:
        first, *turns = self._turns.get(id_) or [()]
        before = self._before.get((id_, sample), ())
        return _Conversation(id_, self._prompts[id_], list(first), turns, before)

    def _answer(
        self,
        conversations: Sequence[_Conversation],
        sampling: dict[str, Any],
        sample: int,
        number: int,
        turn: int,
    ) -> dict[str, dict[str, Any]]:
        """The next turn of each; by id what is new of it."""
        rows: dict[str, dict[str, Any]] = {}
        if any(turn >= len(one.before) for one in conversations):
            prompts = [one.prompt for one in conversations]
            seed = batch_seed(self._seed, task=self.name, sample=sample, number=number, turn=turn)
            drawn = (
                self._backend.measured(prompts)
                if self._likely
                else self._backend.generate(prompts, self._decoding(seed, sampling))
            )
            for one, generated in zip(conversations, drawn, strict=True):
                if turn >= len(one.before):
                    rows[one.id] = self._row(one.prompt, generated)
        for one in conversations:
            said = rows[one.id]["text"] if one.id in rows else one.before[turn]
            one.messages.append({"role": "assistant", "content": said})
        return rows

    def _goes_on(self, conversation: _Conversation) -> bool:
        """Whether there is another turn; its prompt is made."""
        if not conversation.turns or not conversation.messages[-1]["content"]:
            return False
        conversation.messages += conversation.turns.pop(0)
        conversation.prompt = self._chat.of(conversation.messages)
        conversation.failure = self._refusal(conversation.prompt)
        return conversation.failure is None

    def _decoding(self, seed: int, sampling: dict[str, Any]) -> Decoding:
        # A model that reasons may write a stop sequence while it does; then the stops are ours.
        stops = () if self._backend.think_end else tuple(self._given["until"])
        return Decoding(
            stops=stops,
            max_gen_toks=self._given["max_gen_toks"],
            sampling=sampling,
            seed=seed,
            weighed=not sampling.get("do_sample"),
            prompt_tokens=self._tokens,
        )

    def _row(self, prompt: Any, one: Generated) -> dict[str, Any]:
        asked = asked_text(prompt)
        answer = read_answer(
            replace(one, finish_reason=one.finish_reason or NOT_SAID),
            prompt="" if self._likely else asked,
            think_end=self._backend.think_end,
            stops=self._given["until"],
            fenced=self._prefix is not None,
        )
        return {"prompt": asked, **asdict(one), **asdict(answer)}

    def _failed(self, ids: Sequence[tuple[str, int]], message: str) -> Event:
        return failed([[self.name, *one] for one in sorted(ids)], message)


def batches(prompts: Mapping[str, Any], ids: Sequence[str], batch: int) -> Iterator[list[str]]:
    """Item ids, a batch at a time: long prompts first within each window of the full list.

    What shares a batch changes greedy answers in the last digits of a logit. A run that was killed
    and goes on must therefore batch as an undisturbed one does: from the full list, never from what
    is missing. Ids without a prompt are left out. Long ones first, so that too little memory shows
    at once.
    """
    known = [id_ for id_ in ids if id_ in prompts]
    for start in range(0, len(known), batch * WINDOW):
        window = known[start : start + batch * WINDOW]
        window.sort(key=lambda id_: -len(str(prompts[id_])))
        for first in range(0, len(window), batch):
            yield window[first : first + batch]


def batch_seed(seed: int, *, task: str, sample: int, number: int, turn: int = 0) -> int:
    """A seed for each batch of each sample and turn, whatever was generated before it."""
    text = f"{seed}\n{task}\n{sample}\n{number}" + (f"\n{turn}" if turn else "")
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


# Tasks of lm-eval ---------------------------------------------------------------------------------


def _prompts_of(task: Any, given: Mapping[str, Any], lm: Any) -> dict[str, Any]:
    """Item id -> prompt, exactly as lm-eval would send it (`asked_of`).

    Text, except where a backend's template makes something else. Ids for which the task has no
    document are absent.
    """
    docs = doc_ids(given["task"], task.eval_docs)
    ids = set(given["ids"])
    wanted = {n for n, id_ in enumerate(docs) if id_ in ids}
    if not wanted:
        return {}
    if task.config.num_fewshot:  # which examples are drawn depends on who drew before
        wanted = set(range(max(wanted) + 1))
    templated = given["apply_chat_template"]
    task.build_all_requests(
        samples=wanted,  # lm-eval asks 'is it in': a list would make this quadratic
        system_instruction=given["system_instruction"],
        apply_chat_template=templated,
        fewshot_as_multiturn=given["fewshot_as_multiturn"],
        chat_template=lm.apply_chat_template if templated else None,
        tokenizer_name=lm.tokenizer_name if templated else "",
    )
    chosen = [docs[n] for n in sorted(wanted)]  # lm-eval numbers those that it was given
    return {id_: asked for id_, asked in asked_of(task, chosen).items() if id_ in ids}


if __name__ == "__main__":
    serve(load)
