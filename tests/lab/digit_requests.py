"""Digits as developers ask for them: an unmodified tritonclient over mutual TLS."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tritonclient.grpc as triton

from farm import zoo
from farm.goldens import Golden, difference, read_golden

GOLDEN = read_golden(zoo.models_dir() / "digits" / "1" / "golden" / "any" / "heldout.npz")


def client(address: str, folder: Path) -> triton.InferenceServerClient:
    """Open a client with the files of a folder that `farm certs issue` wrote."""
    return triton.InferenceServerClient(
        address,
        ssl=True,
        root_certificates=str(folder / "ca.pem"),
        private_key=str(folder / "key.pem"),
        certificate_chain=str(folder / "certificate.pem"),
    )


def ask(connection: triton.InferenceServerClient, golden: Golden = GOLDEN) -> Mapping[str, Any]:
    """Ask for the images of a golden and return the receipt of an answer that is right."""
    images = golden.inputs["image"]
    given = triton.InferInput("image", list(images.shape), "FP32")
    given.set_data_from_numpy(images)
    result = connection.infer("digits", [given])
    for name, expected in golden.outputs.items():
        assert not difference(result.as_numpy(name), expected, golden), name
    return result.get_response().parameters
