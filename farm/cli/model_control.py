"""`farm models load` and `farm models unload`: what is to be served."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from farm.cli import completion
from farm.cli.connecting import admin_client
from farm.cli.exits import farm_errors
from farm.cli.options import Connect, Context, Output, OutputFormat
from farm.cli.progress import changing
from farm.core.errors import ConfigurationError, FarmError

if TYPE_CHECKING:
    from farm.client import AdminClient
    from farm.pb.farm_admin_pb2 import FarmSnapshot, ModelSnapshot

_LOOK_S = 0.2


def load(
    model: Annotated[
        str,
        typer.Argument(
            help="The model to load, or to load again.", autocompletion=completion.models
        ),
    ],
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="JSON that stands for the model's config.pbtxt."),
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VERSION/FILE=PATH",
            help="A file that stands for those in the repository, as 1/model.onnx=new.onnx.",
        ),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait.")] = 600.0,
    connect: Connect = None,
    context: Context = None,
    output: OutputFormat = Output.TABLE,
) -> None:
    """Load a model on every node that can take it; what was served is served until then."""
    with farm_errors():
        text = None if config is None else _config(config)
        files = dict(_named_file(given) for given in file or ())
        with admin_client(connect, context) as admin:
            seconds = _while_watching(
                admin,
                model,
                "loading",
                lambda: admin.load(model, config=text, files=files, timeout_s=timeout),
            )
            _print_versions(admin, model, "loaded", seconds, output)


def unload(
    model: Annotated[
        str, typer.Argument(help="The model to unload.", autocompletion=completion.models)
    ],
    timeout: Annotated[float, typer.Option(help="Seconds to wait.")] = 600.0,
    connect: Connect = None,
    context: Context = None,
    output: OutputFormat = Output.TABLE,
) -> None:
    """Stop serving a model and free the nodes of it."""
    with farm_errors(), admin_client(connect, context) as admin:
        seconds = _while_watching(
            admin, model, "unloading", lambda: admin.unload(model, timeout_s=timeout)
        )
        _print_versions(admin, model, "unloaded", seconds, output)


def _while_watching(
    admin: "AdminClient", model: str, doing: str, work: Callable[[], None]
) -> float:
    """Do `work` and say on standard error how far it is; return how many seconds it took."""
    began = time.monotonic()
    with changing() as show, ThreadPoolExecutor(1) as threads:
        done = threads.submit(work)
        snapshots = admin.watch(_LOOK_S)
        try:
            while not done.done():
                progress = _progress(next(snapshots), model, doing)
                if progress and not done.done():
                    show(f"{doing} {model}: {progress}")
        except (FarmError, StopIteration):
            # The work itself says whether it failed.
            pass
        except BaseException:
            # Ctrl-C ends the work too.
            admin.close()
            raise
        done.result()
        return time.monotonic() - began


def _progress(snapshot: "FarmSnapshot", model: str, doing: str) -> str:
    """Say how far it is, in the gateway's own words where it has any; nothing before it began."""
    changing = [m for m in snapshot.models if m.name == model and _changes(m, doing)]
    if not changing:
        return ""
    newest = max(changing, key=lambda found: found.version)
    nodes = sum(node.state == "ready" for node in snapshot.nodes)
    return newest.reason or f"{len(newest.ready_nodes)} of {nodes} nodes have it"


def _changes(model: "ModelSnapshot", doing: str) -> bool:
    # A model that serves while it is loaded again stays ready, and says so in its reason.
    return model.state == doing or "a load is under way" in model.reason


def _print_versions(
    admin: "AdminClient", model: str, done: str, seconds: float, output: Output
) -> None:
    from farm.cli.tables import print_json, print_table

    versions = [found for found in admin.index() if found.name == model]
    if output is Output.JSON:
        print_json(
            done,
            {
                "model": model,
                "seconds": round(seconds, 3),
                "versions": [
                    {"version": found.version, "state": found.state, "reason": found.reason}
                    for found in versions
                ],
            },
        )
        return
    print_table(
        f"{model} {done} in {seconds:.1f} s",
        ("version", "state", "why"),
        [(found.version or "-", found.state or "-", found.reason) for found in versions],
    )


def _named_file(given: str) -> tuple[str, bytes]:
    name, _, path = given.partition("=")
    version, slash, rest = name.partition("/")
    if not (version.isdecimal() and slash and rest and path):
        raise ConfigurationError(f"--file {given}: write VERSION/FILE=PATH, as 1/model.onnx=a.onnx")
    return name, _read(Path(path))


def _config(path: Path) -> str:
    content = _read(path)
    try:
        json.loads(content)
        return content.decode()
    except ValueError as error:
        raise ConfigurationError(
            f"{path} is not JSON; write the config in protobuf's JSON form, as"
            ' {"max_batch_size": 8}'
        ) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
