"""What an answer says of itself in its parameters: its receipt, and what it cost."""

from typing import Final

from farm.core.requests import Receipt
from farm.engine.pricing import Price
from farm.pb.open_inference_pb2 import ModelInferResponse

_US: Final = 1e-6

# The share of a batch's rows above which a member is answered quicker by itself: it has too few
# mates to save what serialising for all of them costs.
_ALONE: Final = 0.4


class Receipts:
    """Puts receipts into answers.

    The members of a batch have all but their wait in common and are answered one after another:
    what they share is serialised once for all of them.
    """

    def __init__(self) -> None:
        # Of the latest answer that had mates.
        self._known: tuple[object, ...] = ()
        self._shared = b""

    def put(self, response: ModelInferResponse, receipt: Receipt, price: Price) -> None:
        """Say in an answer where it was made, what it took and what it cost."""
        if receipt.share < _ALONE:
            response.MergeFromString(self._serialised(receipt, price))
        else:
            _put(response, receipt, price)
        response.parameters["farm_queue_us"].int64_param = round(receipt.queue_s / _US)

    def _serialised(self, receipt: Receipt, price: Price) -> bytes:
        asked = (
            receipt.node_id,
            receipt.compute_s,
            receipt.share,
            receipt.batch_rows,
            receipt.digest,
            receipt.route,
            receipt.policy,
            receipt.batch_energy,
            price,
        )
        if asked != self._known:
            response = ModelInferResponse()
            _put(response, receipt, price)
            self._known, self._shared = asked, response.SerializeToString()
        return self._shared


def _put(response: ModelInferResponse, receipt: Receipt, price: Price) -> None:
    """Say all but how long it waited."""
    parameters = response.parameters
    parameters["farm_node"].string_param = receipt.node_id
    parameters["farm_route"].string_param = receipt.route
    parameters["farm_model_digest"].string_param = receipt.digest
    parameters["farm_batch_size"].int64_param = receipt.batch_rows
    parameters["farm_compute_us"].int64_param = round(receipt.compute_s / _US)
    parameters["farm_policy"].string_param = receipt.policy
    if (energy := receipt.batch_energy) is not None:
        share = receipt.share
        parameters["farm_energy_j"].double_param = energy.joules * share
        parameters["farm_energy_low_j"].double_param = energy.low * share
        parameters["farm_energy_high_j"].double_param = energy.high * share
        parameters["farm_energy_source"].string_param = energy.source
        # The window in which it ran is not closed yet.
        parameters["farm_energy_provisional"].bool_param = True
    if price.cost is not None:
        parameters["farm_cost"].double_param = price.cost
        parameters["farm_currency"].string_param = price.currency
    if price.baseline_cost is not None:
        parameters["farm_baseline"].string_param = price.baseline
        parameters["farm_baseline_cost"].double_param = price.baseline_cost
        # A baseline in a currency of its own is not to be compared.
        if price.baseline_currency != price.currency:
            parameters["farm_baseline_currency"].string_param = price.baseline_currency
