"""Askers: three ways to have a page staged: answers scored, an answer generated, a server asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.data.chat import ChatRow
from psgimg.finetune.inference import parse_answer as reading
from psgimg.finetune.metrics.predictions import Answer

Answers = Mapping[str, str]


@dataclass(frozen=True)
class Asker:
    """One way to have pages staged.

    Parameters
    ----------
    prepare
        Makes of rows what ``answer`` takes, in a thread, while the batch before is answered.
    answer
        Gives an answer a row.
    """

    prepare: Callable[[Sequence[ChatRow]], Any]
    answer: Callable[[Any], list[Answer]]

    def __call__(self, rows: Sequence[ChatRow]) -> list[Answer]:
        """Both, one after the other."""
        return self.answer(self.prepare(rows))


def scoring(model: Any, processor: Any, answers: Answers, note: Callable[[str], None]) -> Asker:
    """The likeliest of the five answers, with the probabilities of all."""
    import numpy as np
    from psgimg.finetune.inference.likelihood import Scorer

    scorer = Scorer(model, processor, answers, note)

    def answer(encoded: Any) -> list[Answer]:
        scores = scorer.score(encoded)
        return [
            Answer(
                STAGE_NAMES[int(log_probs.argmax())],
                probabilities=tuple(np.exp(log_probs).tolist()),
                log_mass=float(log_mass),
            )
            for log_probs, log_mass in zip(scores.log_probs, scores.log_mass, strict=True)
        ]

    return Asker(scorer.prepare, answer)


def generating(model: Any, processor: Any, answers: Answers, max_new_tokens: int) -> Asker:
    """What the model says by itself; a stage only where that is an answer and nothing else."""
    from psgimg.finetune.inference import encoding, generation

    def prepare(rows: Sequence[ChatRow]) -> Any:
        return encoding.encode(model, processor, rows)

    def answer(encoded: Any) -> list[Answer]:
        texts = generation.speak(model, processor, encoded, max_new_tokens)
        return [Answer(reading.parse(text, answers), raw=text) for text in texts]

    return Asker(prepare, answer)


@contextmanager
def asking(
    url: str, model: str, answers: Answers, *, parallel: int, max_new_tokens: int, score: bool
) -> Iterator[Asker]:
    """What a server's model says; the likeliest answer where ``score`` and the server tells.

    A server tells the likeliest tokens only: where these leave the probabilities open, the text
    alone counts.
    """
    from psgimg.finetune.inference.endpoint import Endpoint
    from psgimg.finetune.inference.logprobs import probabilities

    def answer(rows: Sequence[ChatRow]) -> list[Answer]:
        found = []
        for reply in endpoint.ask(rows):
            told = probabilities(reply.steps, answers)
            if told is None:
                found.append(Answer(reading.parse(reply.text, answers), raw=reply.text))
                continue
            likely = STAGE_NAMES[max(range(len(STAGE_NAMES)), key=told[0].__getitem__)]
            found.append(Answer(likely, reply.text, probabilities=told[0], log_mass=told[1]))
        return found

    with Endpoint(
        url, model, parallel=parallel, max_new_tokens=max_new_tokens, alternatives=score
    ) as endpoint:
        yield Asker(list, answer)
