"""What a model declares of its inputs beside their types and shapes."""

from farm.client.admin import AdminClient
from farm.client.sync import FarmClient
from farm.core.errors import ErrorCode, FarmError

# What a server answers that is no farm, or that lets only its operators ask.
_REFUSALS = (ErrorCode.UNSUPPORTED, ErrorCode.PERMISSION_DENIED, ErrorCode.UNAUTHENTICATED)


def declared_preprocessing(client: FarmClient, model: str, version: str, input_name: str) -> str:
    """Return how pictures become an input, as JSON; "" where the model does not declare it.

    A farm describes its models; of another server the model's config is read. Without a
    version it is that of the newest one that serves.

    Raises:
        FarmError: the server does not answer, or knows no such model.
    """
    try:
        return _described(client, model, version, input_name)
    except FarmError as error:
        if error.code not in _REFUSALS:
            raise
    try:
        return _configured(client, model, version, input_name)
    except FarmError as error:
        if error.code not in _REFUSALS:
            raise
    return ""


def _described(client: FarmClient, model: str, version: str, input_name: str) -> str:
    with AdminClient(client.address, tls=client.tls) as admin:
        versions = admin.describe(model, version)
    ready = [found for found in versions if found.snapshot.state == "ready"]
    for found in (ready or versions)[:1]:
        for tensor in found.inputs:
            if tensor.name == input_name:
                return tensor.preprocessing
    return ""


def _configured(client: FarmClient, model: str, version: str, input_name: str) -> str:
    parameters = client.config(model, version).parameters
    key = f"farm.preprocessing.{input_name}"
    return parameters[key].string_value if key in parameters else ""
