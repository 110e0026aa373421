"""What models answer when they are run beside any farm."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort

from farm import zoo


@dataclass(frozen=True)
class Digits:
    """Held-out images [n,1,8,8] and what the model answers to each one alone."""

    images: np.ndarray
    probabilities: np.ndarray
    labels: np.ndarray


def local_session(model: Path) -> ort.InferenceSession:
    """Return a session as nodes have them: on one thread, so that answers are equal to the bit."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def answers_alone(name: str) -> Digits:
    with np.load(zoo.heldout_digits_path()) as archive:
        images = archive["images"].astype(np.float32)
    session = local_session(zoo.models_dir() / name / "1" / "model.onnx")
    alone = [
        session.run(["probabilities", "label"], {"image": images[i : i + 1]})
        for i in range(len(images))
    ]
    return Digits(
        images=images,
        probabilities=np.concatenate([answer[0] for answer in alone]),
        labels=np.concatenate([answer[1] for answer in alone]),
    )
