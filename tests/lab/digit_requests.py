"""Digits as developers ask for them: an unmodified tritonclient over mutual TLS."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tritonclient.grpc as triton
from numpy.typing import NDArray

from farm import zoo
from farm.goldens import difference, read_golden

GOLDENS = {
    model: read_golden(zoo.models_dir() / model / "1" / "golden" / "any" / "heldout.npz")
    for model in ("digits", "digits_int8")
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model answered to the images of its golden, by name, and the node that did."""

    node: str
    outputs: Mapping[str, NDArray[Any]]


def client(address: str, folder: Path) -> triton.InferenceServerClient:
    """Open a client with the files of a folder that `farm certs issue` wrote."""
    return triton.InferenceServerClient(
        address,
        ssl=True,
        root_certificates=str(folder / "ca.pem"),
        private_key=str(folder / "key.pem"),
        certificate_chain=str(folder / "certificate.pem"),
    )


def ask(
    connection: triton.InferenceServerClient,
    model: str = "digits",
    *,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Ask a model for the images of its golden and return its answer, which is right."""
    golden = GOLDENS[model]
    images = golden.inputs["image"]
    given = triton.InferInput("image", list(images.shape), "FP32")
    given.set_data_from_numpy(images)
    result = connection.infer(model, [given], headers=headers and dict(headers))
    outputs = {name: result.as_numpy(name) for name in golden.outputs}
    for name, expected in golden.outputs.items():
        assert not difference(outputs[name], expected, golden), name
    node = result.get_response().parameters["farm_node"].string_param
    return Answer(node=node, outputs=outputs)
