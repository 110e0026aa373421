"""Python clients of a farm, or of any server that speaks Open Inference Protocol v2.

>>> with FarmClient("127.0.0.1:8001") as farm:
...     result = farm.infer("digits", {"image": images})
...     result["label"], result.receipt

What a client reads for its caller are values of this package: metadata, results, receipts,
errors. What it only passes on are the protocol's messages (`farm.pb`): configs, statistics,
and what `AdminClient` returns.
"""

from farm.client.admin import AdminClient
from farm.client.aio import AsyncFarmClient
from farm.client.metadata import ModelMetadata, TensorMetadata
from farm.client.receipts import ReceiptView
from farm.client.results import InferResult, StreamAnswer
from farm.client.sync import FarmClient
from farm.client.tls import ClientTls

__all__ = [
    "AdminClient",
    "AsyncFarmClient",
    "ClientTls",
    "FarmClient",
    "InferResult",
    "ModelMetadata",
    "ReceiptView",
    "StreamAnswer",
    "TensorMetadata",
]
