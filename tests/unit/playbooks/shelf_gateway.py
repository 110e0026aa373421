"""The gateway of a shelf of model hosts, over real gRPC."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event
from typing import Any

import grpc

from farm.contexts import FarmHome
from farm.core.identities import Identity, IdentityKind
from farm.pb import farm_admin_pb2 as admin
from farm.pb import open_inference_pb2 as oip
from farm.pb.services import ADMIN_SERVICE, INFERENCE_SERVICE, methods
from playbooks.credentials import Credentials


class ShelfGateway:
    """Tells of the nodes in `nodes`, and keeps what was done to them.

    `looks` is called before it tells, `meets` with each action and its node before it is
    carried out. Inferences are answered by `answer`.
    """

    def __init__(self, home: FarmHome) -> None:
        self.home = home
        self.address = ""
        self.nodes: dict[str, admin.NodeSnapshot] = {}
        self.actions: list[tuple[str, str]] = []
        self.looks: Callable[[], None] = lambda: None
        self.meets: Callable[[str, str], None] = lambda action, node: None
        self.answer: Callable[[oip.ModelInferRequest], oip.ModelInferResponse] | None = None
        self.models: list[tuple[str, str]] = []
        self._ended = Event()

    def has(self, *names: str, state: str = "ready") -> None:
        for name in names:
            self.nodes[name] = admin.NodeSnapshot(
                node_id=name, state=state, cordoned=state == "cordoned"
            )

    def end(self) -> None:
        self._ended.set()

    def WatchSnapshots(  # noqa: N802
        self, request: admin.WatchSnapshotsRequest, context: Any
    ) -> Iterator[admin.FarmSnapshot]:
        yield self._snapshot()
        while request.interval_ns and context.is_active():
            self._ended.wait(request.interval_ns / 1e9)
            yield self._snapshot()

    def NodeAction(  # noqa: N802
        self, request: admin.NodeActionRequest, _context: Any
    ) -> admin.NodeActionResponse:
        self.meets(request.action, request.node_id)
        self.actions.append((request.action, request.node_id))
        node = self.nodes[request.node_id]
        node.cordoned = request.action == "cordon"
        node.state = "cordoned" if node.cordoned else "ready"
        return admin.NodeActionResponse(node=node)

    def ServerReady(self, _request: Any, _context: Any) -> oip.ServerReadyResponse:  # noqa: N802
        ready = any(node.state == "ready" for node in self.nodes.values())
        return oip.ServerReadyResponse(ready=ready)

    def RepositoryIndex(  # noqa: N802
        self, _request: Any, _context: Any
    ) -> oip.RepositoryIndexResponse:
        response = oip.RepositoryIndexResponse()
        for name, version in self.models:
            response.models.add(name=name, version=version, state="READY")
        return response

    def ModelInfer(  # noqa: N802
        self, request: oip.ModelInferRequest, context: Any
    ) -> oip.ModelInferResponse:
        if self.answer is None:
            context.abort(grpc.StatusCode.UNAVAILABLE, "no node serves it")
            raise AssertionError("abort raises")
        return self.answer(request)

    def _snapshot(self) -> admin.FarmSnapshot:
        self.looks()
        return admin.FarmSnapshot(taken_unix_ns=1, nodes=list(self.nodes.values()))


def _credentials(home: FarmHome) -> grpc.ServerCredentials:
    """Return what it shows, and that it takes only the farm's own clients."""
    now = datetime.now(tz=UTC)
    authority = Credentials.kept(home, "shelf", now=now).authority
    identity = Identity("shelf", IdentityKind.NODE, "head")
    issued = authority.issue(identity, now=now, addresses=["127.0.0.1"])
    return grpc.ssl_server_credentials(
        [(issued.key_pem, issued.certificate_pem)],
        root_certificates=authority.certificate_pem,
        require_client_auth=True,
    )


@contextmanager
def running_gateway(home: FarmHome) -> Iterator[ShelfGateway]:
    """Run the gateway of the farm `shelf`, whose operator's files are in `home`."""
    gateway = ShelfGateway(home)
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
    for service in (INFERENCE_SERVICE, ADMIN_SERVICE):
        handlers = {
            method.name: getattr(
                grpc, f"unary_{'stream' if method.server_streaming else 'unary'}_rpc_method_handler"
            )(
                getattr(gateway, method.name),
                request_deserializer=method.request_type.FromString,
                response_serializer=method.response_type.SerializeToString,
            )
            for method in methods(service)
            if hasattr(gateway, method.name)
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = server.add_secure_port("127.0.0.1:0", _credentials(home))
    gateway.address = f"127.0.0.1:{port}"
    server.start()
    try:
        yield gateway
    finally:
        gateway.end()
        server.stop(0).wait()
