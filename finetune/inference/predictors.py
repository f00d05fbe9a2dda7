"""Predictors: three ways to stage pages, by answer likelihood, by generation or through a server."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.data.chat import ChatRow
from psgimg.finetune.inference import parse_answer as reading
from psgimg.finetune.metrics.predictions import Answer

if TYPE_CHECKING:
    from psgimg.finetune.inference.likelihood import Scorer
    from psgimg.finetune.inference.local_model import LocalModel
    from psgimg.finetune.inference.server.chat_completion import Reply

Answers = Mapping[str, str]
Note = Callable[[str], None]
Task = TypeVar("Task", bound=Sequence[Any])


class Predictor(Protocol):
    """One way to stage pages."""

    def __call__(
        self, read: Callable[[Task], list[ChatRow]], tasks: Sequence[Task]
    ) -> Iterator[list[Answer]]:
        """Yield the answers to the pages that ``read`` returns for each task, in order."""


def scoring(
    model: Any, processor: Any, answers: Answers, loaders: int, note: Note, n_pages: int
) -> Predictor:
    """Return a predictor of the likeliest answer, with the probabilities of all five.

    Parameters
    ----------
    n_pages
        Number of pages to come, on which it depends whether compiling the model saves time.
    """
    from psgimg.finetune.inference.likelihood import Scorer
    from psgimg.finetune.models import compiled, fused, vision_attention

    vision_attention.in_one_call(model)
    fused.patches(model)
    compiles = compiled.pays(model, n_pages)
    if not compiles:
        fused.elementwise(model)
    scorer = Scorer(model, processor, answers, note, compiles=compiles)
    return of_scorer(scorer, model.device, loaders, note)


def of_scorer(scorer: Scorer, device: Any, loaders: int, note: Note) -> LocalModel:
    """Return a predictor by a scorer whose model is on a device; see :func:`scoring`."""
    import numpy as np
    from psgimg.finetune.inference.local_model import LocalModel

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

    return LocalModel(
        device,
        scorer.encoder,
        scorer.begin,
        answer,
        loaders,
        note,
        scorer.choose_way,
        constant=scorer.compiles,
    )


def generating(
    model: Any, processor: Any, answers: Answers, loaders: int, note: Note, max_new_tokens: int
) -> Predictor:
    """Return a predictor by generated text, which is a stage if it states one and no other."""
    from psgimg.finetune.inference import generation
    from psgimg.finetune.inference.encoding import Encoder
    from psgimg.finetune.inference.local_model import LocalModel

    def answer(encoded: Any) -> list[Answer]:
        texts = generation.generate_encoded(model, processor, encoded, max_new_tokens)
        return [Answer(reading.parse(text, answers), raw=text) for text in texts]

    encode = Encoder(processor, model.dtype)
    return LocalModel(model.device, encode, lambda _: None, answer, loaders, note)


@contextmanager
def requesting(
    url: str,
    model: str,
    answers: Answers,
    *,
    parallel: int,
    max_new_tokens: int,
    score: bool,
    note: Note,
) -> Iterator[Predictor]:
    """Yield a predictor by a model on a server.

    With ``score``, it predicts the likeliest answer if the server reports the log-probabilities of
    the likeliest tokens and these determine it; otherwise it parses the text of the answer.
    """
    from psgimg.finetune.inference.server.endpoint import Endpoint

    def predict(
        read: Callable[[Task], list[ChatRow]], tasks: Sequence[Task]
    ) -> Iterator[list[Answer]]:
        sizes: deque[int] = deque()

        def rows() -> Iterator[ChatRow]:
            for task in tasks:
                pages = read(task)
                sizes.append(len(pages))
                yield from pages

        found: list[Answer] = []
        for reply in endpoint.replies(rows()):
            found.append(_answer(reply, answers))
            if len(found) == sizes[0]:
                sizes.popleft()
                yield found
                found = []

    with Endpoint(
        url,
        model,
        parallel=parallel,
        max_new_tokens=max_new_tokens,
        alternatives=score,
        note=note,
    ) as endpoint:
        yield predict


def _answer(reply: Reply, answers: Answers) -> Answer:
    """Return the answer in a server's reply: the likeliest if its tokens tell, else what it says."""
    from psgimg.finetune.inference.server.logprobs import probabilities

    scores = probabilities(reply.steps, answers)
    if scores is None:
        return Answer(reading.parse(reply.text, answers), raw=reply.text)
    likely = STAGE_NAMES[max(range(len(STAGE_NAMES)), key=scores[0].__getitem__)]
    return Answer(likely, reply.text, probabilities=scores[0], log_mass=scores[1])
