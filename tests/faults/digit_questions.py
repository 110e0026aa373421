"""Digits to ask a farm for, and what the shipped model answers to each, run beside it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from history import Truth
from local_answers import local_session
from numpy.typing import NDArray

from farm import zoo
from farm.repository.digests import MODEL_FILENAME, file_of, version_digest

MODEL = "digits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """Images by the name of their question, and the right answers by model and question."""

    images: dict[str, NDArray[np.float32]]
    truth: Truth

    @classmethod
    def of_the_zoo(cls) -> "Questions":
        """Return the held-out digits, each answered alone by the model that ships."""
        with np.load(zoo.heldout_digits_path()) as archive:
            stacked = archive["images"].astype(np.float32)
        images = {str(number): stacked[number : number + 1] for number in range(len(stacked))}
        path = _path()
        digest = version_digest([file_of(MODEL_FILENAME, path.read_bytes())])
        answers = alone(images.values())
        truth = {
            (digest, question): answer_of(answer)
            for question, answer in zip(images, answers, strict=True)
        }
        return cls(images=images, truth=truth)


def answer_of(probabilities: NDArray[Any]) -> str:
    """Return the name of an answer: equal to the last bit, or another one."""
    return sha256(np.ascontiguousarray(probabilities).tobytes()).hexdigest()


def alone(images: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    """Yield what the model that ships answers to each image, asked by itself beside any farm."""
    session = local_session(_path())
    for image in images:
        yield session.run(["probabilities"], {"image": image})[0]


def _path() -> Path:
    return zoo.models_dir() / MODEL / "1" / MODEL_FILENAME
