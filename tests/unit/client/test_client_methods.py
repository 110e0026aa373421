"""The client's table of methods and the services it is of."""

import pytest

from farm.client import methods
from farm.client.channel import admin_methods, inference_methods

SERVED = {**inference_methods(), **admin_methods()}
STREAMED = (
    methods.WATCH_SNAPSHOTS,
    methods.CALIBRATE,
    methods.LEDGER_RECORDS,
    methods.WATCH_EVENTS,
    methods.TAIL_LOG,
)
CALLED = [value for value in vars(methods).values() if isinstance(value, methods.Rpc)]


@pytest.mark.parametrize("called", CALLED, ids=lambda called: called.name)
def test_types_are_those_of_the_service(called: methods.Rpc) -> None:
    served = SERVED[called.name]
    assert (called.request_type, called.answer_type) == (served.request_type, served.response_type)
    assert not served.client_streaming
    assert served.server_streaming is (called in STREAMED)
