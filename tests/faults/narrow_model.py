"""A model in whose queue there is little room."""

import shutil
from pathlib import Path
from typing import Final

import digit_questions
from served_models import write_config

from farm import zoo

MODEL: Final = "narrow"
_MAX_QUEUE: Final = 8


def write_narrow(models: Path) -> None:
    """The digits that ship, with room for few that wait."""
    shutil.copytree(zoo.models_dir() / digit_questions.MODEL, models / MODEL)
    write_config(
        models / MODEL,
        f"""
        platform: "onnxruntime_onnx"
        max_batch_size: 8
        input [ {{ name: "image" data_type: TYPE_FP32 dims: [ 1, 8, 8 ] }} ]
        output [
          {{ name: "probabilities" data_type: TYPE_FP32 dims: [ 10 ] }},
          {{ name: "label" data_type: TYPE_INT64 dims: [ 1 ] reshape: {{ shape: [ ] }} }}
        ]
        dynamic_batching {{ default_queue_policy {{ max_queue_size: {_MAX_QUEUE} }} }}
        """,
    )
