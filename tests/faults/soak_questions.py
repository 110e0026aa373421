"""What the clients of a soak ask several models for, and what is right."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import onnxruntime as ort
from digit_questions import MODEL, Questions, answer_of
from history import Truth
from numpy.typing import NDArray
from served_models import copy_digits, write_adder, write_negator, write_slow

from farm import zoo
from farm.client import InferResult
from farm.repository.digests import MODEL_FILENAME, file_of, version_digest

INT8, SLOW, GUEST, DEADLY_MODEL = "digits_int8", "slow", "guest", "negator"

# Of the slow model: from a fraction of a millisecond to some tens of them.
_STEPS: Final = range(100, 4_100, 200)
# Batch-mates change the last bits of int8's answers, and no digit that is as certain as this.
_CERTAIN: Final = 0.9

# What a request asks of a model, as arrays by name.
Inputs = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request to be; histories know it by `name`."""

    name: str
    model: str
    inputs: Inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakQuestions:
    """Questions to digits, quick ones, and to a slow model, and the right answers.

    `truth` knows the answers by the digest of their model, and by "" for requests that want
    no receipt.
    """

    quick: tuple[Question, ...]
    slow: tuple[Question, ...]
    truth: Truth

    @classmethod
    def of(cls, digits: Questions, models: Path) -> "SoakQuestions":
        """Return the questions to a repository of `write_models`."""
        right = {f"{MODEL} {name}": answer for (_, name), answer in digits.truth.items()}
        right |= _certain_digits(digits)
        right |= {f"{SLOW} {count}": str(count) for count in _STEPS}
        asked = [(MODEL, name, {"image": image}) for name, image in digits.images.items()]
        asked += [(INT8, name, {"image": image}) for name, image in digits.images.items()]
        asked += [(SLOW, str(count), steps(count)) for count in _STEPS]
        every = [
            Question(name=f"{model} {name}", model=model, inputs=inputs)
            for model, name, inputs in asked
            if f"{model} {name}" in right
        ]
        digests = {model: _digest(models / model) for model in (MODEL, INT8, SLOW)}
        return cls(
            quick=tuple(question for question in every if question.model != SLOW),
            slow=tuple(question for question in every if question.model == SLOW),
            truth={
                (digest, question.name): right[question.name]
                for question in every
                for digest in (digests[question.model], "")
            },
        )

    def drawn(self, random: Random, *, slow: float = 0.1) -> Question:
        """Draw a question, one to the slow model with a probability of `slow`."""
        return random.choice(self.slow if random.random() < slow else self.quick)


def write_models(root: Path) -> None:
    """Write the models that questions are for, one to be loaded and unloaded, and a deadly one."""
    copy_digits(root)
    shutil.copytree(zoo.models_dir() / INT8, root / INT8)
    write_slow(root, SLOW, "dynamic_batching { priority_levels: 2 default_priority_level: 2 }")
    write_adder(root, GUEST, 0.0)
    write_negator(root, DEADLY_MODEL)


def steps(count: int) -> Inputs:
    """The inputs of the slow model."""
    return {"STEPS": np.array([[count]], dtype=np.int64)}


def named(model: str, result: InferResult) -> str:
    """Return the name of an answer, as `SoakQuestions.truth` has it."""
    if model == MODEL:
        return answer_of(result["probabilities"])
    output = result["label" if model == INT8 else "DONE"]
    return str(output.item())


def _certain_digits(digits: Questions) -> dict[str, str]:
    path = zoo.models_dir() / INT8 / "1" / MODEL_FILENAME
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = {}
    for name, image in digits.images.items():
        probabilities, label = session.run(["probabilities", "label"], {"image": image})
        if probabilities.max() > _CERTAIN:
            found[f"{INT8} {name}"] = str(label.item())
    return found


def _digest(model: Path) -> str:
    return version_digest([file_of(MODEL_FILENAME, (model / "1" / MODEL_FILENAME).read_bytes())])
