"""KServe's gRPC client against a farm: `python smoke.py HOST:PORT`.

Runs in an environment of its own, for its pins and ours differ; so it imports nothing of
the farm. The farm serves tests/repository. Any surprise ends it with an error.
"""

import argparse
import asyncio

import grpc
import numpy as np
from kserve import InferenceGRPCClient, InferInput, InferRequest, InferResponse
from kserve.protocol.grpc.grpc_predict_v2_pb2 import ServerMetadataRequest
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub

COLUMNS = 16
ONES = np.ones((2, COLUMNS), dtype=np.int32)
COUNT = np.arange(2 * COLUMNS, dtype=np.int32).reshape(2, COLUMNS)
WORDS = np.array([[b"", b"two words", "drei Wörter".encode()]], dtype=object)


def raw(name: str, values: np.ndarray, datatype: str) -> InferInput:
    made = InferInput(name, list(values.shape), datatype)
    made.set_data_from_numpy(values, binary_data=True)
    return made


def typed(name: str, values: np.ndarray, datatype: str) -> InferInput:
    return InferInput(name, list(values.shape), datatype, data=values.flatten().tolist())


async def ask(
    client: InferenceGRPCClient, model: str, *inputs: InferInput, mark: str
) -> InferResponse:
    request = InferRequest(model_name=model, request_id=mark, infer_inputs=list(inputs))
    response = await client.infer(request)
    assert response.id == mark
    assert response.model_name == model
    return response


def output(response: InferResponse, name: str) -> np.ndarray:
    return next(given for given in response.outputs if given.name == name).as_numpy()


async def health(client: InferenceGRPCClient) -> None:
    assert await client.is_server_live()
    assert await client.is_server_ready()
    for model in ("simple", "simple_string", "simple_identity"):
        assert await client.is_model_ready(model)


async def numbers(client: InferenceGRPCClient) -> None:
    for send in (raw, typed):
        response = await ask(
            client,
            "simple",
            send("INPUT0", COUNT, "INT32"),
            send("INPUT1", ONES, "INT32"),
            mark=send.__name__,
        )
        np.testing.assert_array_equal(output(response, "OUTPUT0"), COUNT + ONES)
        np.testing.assert_array_equal(output(response, "OUTPUT1"), COUNT - ONES)


async def strings(client: InferenceGRPCClient) -> None:
    response = await ask(client, "simple_identity", raw("INPUT0", WORDS, "BYTES"), mark="words")
    np.testing.assert_array_equal(output(response, "OUTPUT0"), WORDS)


async def at_once(client: InferenceGRPCClient) -> None:
    responses = await asyncio.gather(
        *(
            ask(
                client,
                "simple",
                raw("INPUT0", COUNT + add, "INT32"),
                raw("INPUT1", ONES, "INT32"),
                mark=str(add),
            )
            for add in range(50)
        )
    )
    for add, response in enumerate(responses):
        np.testing.assert_array_equal(output(response, "OUTPUT0"), COUNT + add + ONES)


async def errors(client: InferenceGRPCClient) -> None:
    wrong = InferRequest(model_name="nobody", infer_inputs=[raw("INPUT0", ONES, "INT32")])
    try:
        await client.infer(wrong)
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.NOT_FOUND, error
    else:
        raise AssertionError("an unknown model was answered")


async def stub(address: str) -> None:
    """The rest of the protocol through KServe's own stub."""
    async with grpc.aio.insecure_channel(address) as channel:
        metadata = await GRPCInferenceServiceStub(channel).ServerMetadata(ServerMetadataRequest())
    assert metadata.name == "bramble-farm"


async def smoke(address: str) -> None:
    async with InferenceGRPCClient(address, timeout=30) as client:
        await health(client)
        await numbers(client)
        await strings(client)
        await at_once(client)
        await errors(client)
    await stub(address)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", help="HOST:PORT of the farm's gRPC")
    asyncio.run(smoke(parser.parse_args().address))


if __name__ == "__main__":
    main()
