"""Predictors: three ways to stage pages, by answer likelihood, by generation or through a server."""

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
class Predictor:
    """One way to stage pages.

    Parameters
    ----------
    prepare
        Turns rows into the input of ``answer``; runs in a thread during the previous batch.
    answer
        Returns one answer per row.
    """

    prepare: Callable[[Sequence[ChatRow]], Any]
    answer: Callable[[Any], list[Answer]]

    def __call__(self, rows: Sequence[ChatRow]) -> list[Answer]:
        """Prepare rows and answer them."""
        return self.answer(self.prepare(rows))


def scoring(model: Any, processor: Any, answers: Answers, note: Callable[[str], None]) -> Predictor:
    """Return a predictor of the likeliest answer, with the probabilities of all five."""
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

    return Predictor(scorer.prepare, answer)


def generating(model: Any, processor: Any, answers: Answers, max_new_tokens: int) -> Predictor:
    """Return a predictor by generated text, which is a stage if it states one and no other."""
    from psgimg.finetune.inference import encoding, generation

    def prepare(rows: Sequence[ChatRow]) -> Any:
        return encoding.encode(model, processor, rows)

    def answer(encoded: Any) -> list[Answer]:
        texts = generation.generate_encoded(model, processor, encoded, max_new_tokens)
        return [Answer(reading.parse(text, answers), raw=text) for text in texts]

    return Predictor(prepare, answer)


@contextmanager
def requesting(
    url: str, model: str, answers: Answers, *, parallel: int, max_new_tokens: int, score: bool
) -> Iterator[Predictor]:
    """Yield a predictor by a model on a server.

    With ``score``, it predicts the likeliest answer if the server reports the log-probabilities of
    the likeliest tokens and these determine it; otherwise it parses the text of the answer.
    """
    from psgimg.finetune.inference.endpoint import Endpoint
    from psgimg.finetune.inference.logprobs import probabilities

    def answer(rows: Sequence[ChatRow]) -> list[Answer]:
        predicted = []
        for reply in endpoint.replies(rows):
            scores = probabilities(reply.steps, answers)
            if scores is None:
                predicted.append(Answer(reading.parse(reply.text, answers), raw=reply.text))
                continue
            likely = STAGE_NAMES[max(range(len(STAGE_NAMES)), key=scores[0].__getitem__)]
            predicted.append(
                Answer(likely, reply.text, probabilities=scores[0], log_mass=scores[1])
            )
        return predicted

    with Endpoint(
        url, model, parallel=parallel, max_new_tokens=max_new_tokens, alternatives=score
    ) as endpoint:
        yield Predictor(list, answer)
