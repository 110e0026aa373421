"""The table of roles: it names what is served, all of it and nothing else."""

import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from farm.core.errors import PermissionDeniedError
from farm.core.roles import Role
from farm.frontend.permissions import NEEDED, role_for
from farm.pb.services import ADMIN_SERVICE, INFERENCE_SERVICE, methods

OTHERS = [
    f"/{service.full_name}/{method.name}"
    for module in (health_pb2, reflection_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]
OWN = [method.path for service in (INFERENCE_SERVICE, ADMIN_SERVICE) for method in methods(service)]


def test_the_table_covers_every_method_and_no_other() -> None:
    assert set(NEEDED) == {*OWN, *OTHERS}


def test_nobody_may_call_what_it_does_not_name() -> None:
    for method in ("/farm.v1.FarmAdmin/Nothing", "", "/farm.v1.FarmAdmin/version"):
        with pytest.raises(PermissionDeniedError, match="no role may call"):
            role_for(method)


def test_without_a_role_only_liveness_is_told() -> None:
    assert {method.rpartition("/")[2] for method, role in NEEDED.items() if role is None} == {
        "Check", "Watch", "ServerLive", "ServerReady",
    }  # fmt: skip


def test_who_sends_requests_sees_nothing_of_the_farms_insides() -> None:
    operators = {method.name for method in methods(ADMIN_SERVICE)}
    operators |= {"RepositoryModelLoad", "RepositoryModelUnload", "LogSettings"}
    for method, role in NEEDED.items():
        at_least_operator = role is not None and role >= Role.OPERATE
        assert at_least_operator == (method.rpartition("/")[2] in operators), method
