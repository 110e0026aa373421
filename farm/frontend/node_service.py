"""The part of `farm.v1.FarmAdmin` that tells of one node, and acts on it."""

from collections.abc import Mapping
from typing import Final

from farm.core.errors import InvalidRequestError
from farm.engine.cordons import Cordons
from farm.engine.node_descriptions import NodeDescription, NodeDescriptions
from farm.engine.restarts import Restarts
from farm.frontend.description_messages import to_readiness
from farm.frontend.grpc_types import Context
from farm.frontend.snapshot_messages import to_node
from farm.pb import farm_admin_pb2 as pb

_RESTART: Final = "restart"
# Whether a node is cordoned after the other actions.
_CORDONED: Final[Mapping[str, bool]] = {"cordon": True, "uncordon": False}


class NodeService:
    """Methods are named as in the protocol; `handlers.py` finds them by that name."""

    def __init__(
        self,
        *,
        descriptions: NodeDescriptions,
        cordons: Cordons,
        restarts: Restarts,
    ) -> None:
        self._descriptions = descriptions
        self._cordons = cordons
        self._restarts = restarts

    async def NodeAction(  # noqa: N802
        self, request: pb.NodeActionRequest, _context: Context
    ) -> pb.NodeActionResponse:
        node_id, action = request.node_id, request.action
        if action == _RESTART:
            await self._restarts.restart(node_id)
        elif (cordoned := _CORDONED.get(action)) is not None:
            await self._cordons.draw(node_id, cordoned=cordoned)
        else:
            known = ", ".join((*_CORDONED, _RESTART))
            raise InvalidRequestError(f"action must be one of {known}, not '{action[:64]}'")
        return pb.NodeActionResponse(node=to_node(self._descriptions.describe(node_id).node))

    async def DescribeNode(  # noqa: N802
        self, request: pb.DescribeNodeRequest, _context: Context
    ) -> pb.DescribeNodeResponse:
        return _to_description(self._descriptions.describe(request.node_id))


def _to_description(description: NodeDescription) -> pb.DescribeNodeResponse:
    message = pb.DescribeNodeResponse(node=to_node(description.node))
    for batch in description.batches:
        message.batches.add(
            batch_id=batch.batch_id,
            model=batch.model.name,
            version=batch.model.version,
            rows=batch.rows,
            requests=batch.requests,
            age_ns=round(batch.age_s * 1e9),
            running=batch.running,
        )
    for key, readiness in description.models:
        message.models.add(model=key.name, version=key.version, readiness=to_readiness(readiness))
    for failure in description.failures:
        message.failures.add(
            unix_ns=failure.unix_ns,
            batch_id=failure.batch_id,
            model=failure.model.name,
            version=failure.model.version,
            code=failure.code,
            message=failure.message,
        )
    return message
