"""Builds the sample models: `python tests/repository/build.py [--out DIR]`.

They do what the models of these names do in Triton's own examples, so that clients written
for those run unmodified. Two runs write the same bytes; a test holds the committed files
to that.
"""

import argparse
from pathlib import Path
from typing import Final

import onnx
from onnx import NodeProto, TensorProto, helper

# Old enough for every ONNX Runtime that the farm supports.
OPSET: Final = 17
IR_VERSION: Final = 8

COLUMNS: Final = 16
SUM_AND_DIFFERENCE: Final = (("Add", "OUTPUT0"), ("Sub", "OUTPUT1"))


def simple() -> onnx.ModelProto:
    """Return INPUT0 + INPUT1 and INPUT0 - INPUT1, all INT32 [-1,16]."""
    nodes = [
        helper.make_node(operator, ["INPUT0", "INPUT1"], [output])
        for operator, output in SUM_AND_DIFFERENCE
    ]
    return _model("simple", nodes, TensorProto.INT32, ("INPUT0", "INPUT1"), ("OUTPUT0", "OUTPUT1"))


def simple_string() -> onnx.ModelProto:
    """Return the same of decimal numbers in BYTES [-1,16]."""
    nodes = [
        helper.make_node("Cast", [name], [f"{name}_number"], to=TensorProto.INT32)
        for name in ("INPUT0", "INPUT1")
    ]
    for operator, output in SUM_AND_DIFFERENCE:
        number = f"{output}_number"
        nodes.append(helper.make_node(operator, ["INPUT0_number", "INPUT1_number"], [number]))
        nodes.append(helper.make_node("Cast", [number], [output], to=TensorProto.STRING))
    return _model(
        "simple_string", nodes, TensorProto.STRING, ("INPUT0", "INPUT1"), ("OUTPUT0", "OUTPUT1")
    )


def simple_identity() -> onnx.ModelProto:
    """Return BYTES [-1,-1] as they came."""
    nodes = [helper.make_node("Identity", ["INPUT0"], ["OUTPUT0"])]
    return _model(
        "simple_identity", nodes, TensorProto.STRING, ("INPUT0",), ("OUTPUT0",), columns="columns"
    )


def _model(
    name: str,
    nodes: list[NodeProto],
    element_type: int,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    *,
    columns: int | str = COLUMNS,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(i, element_type, ["batch", columns]) for i in inputs],
        [helper.make_tensor_value_info(o, element_type, ["batch", columns]) for o in outputs],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="bramble-farm",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


MODELS: Final = {
    "simple": simple,
    "simple_string": simple_string,
    "simple_identity": simple_identity,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="a repository")
    given = parser.parse_args()
    for name, build in MODELS.items():
        folder = given.out / name / "1"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.onnx").write_bytes(build().SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
