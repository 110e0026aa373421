"""Flags over environment over file, and errors that name where a wrong value stands."""

from pathlib import Path
from typing import Any

import pytest

from farm.config import ClientCertificates, FarmConfig, Policy, SchedulingConfig, load_config
from farm.core.errors import ConfigurationError
from farm.engine.ledger.retention import Retention
from farm.scheduling.limits import Hedging, SchedulingLimits
from farm.scheduling.placement import POLICIES


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "farm.yaml"


def wrong(file: Path | None = None, environment: dict[str, str] | None = None, **flags: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_config(file, environment or {}, flags)
    return caught.value.message


def test_without_anything_there_are_defaults() -> None:
    assert load_config(None, {}, {}) == FarmConfig()


def test_flags_come_before_the_environment_before_the_file(file: Path) -> None:
    file.write_text("name: of file\nnodes: 2\ngrpc: 127.0.0.1:1\nmetrics: 127.0.0.1:1\n")
    environment = {"FARM_NODES": "4", "FARM_GRPC": "127.0.0.1:2"}
    config = load_config(file, environment, {"grpc": "127.0.0.1:3", "nodes": None})
    assert (config.name, config.nodes) == ("of file", 4)
    assert (config.grpc, config.metrics) == ("127.0.0.1:3", "127.0.0.1:1")


def test_sections_are_merged_key_by_key(file: Path) -> None:
    file.write_text("node:\n  slots: 2\n  max_sessions: 3\n")
    config = load_config(file, {"FARM_NODE__SLOTS": "5", "FARM_SCHEDULING__RETRY_RATIO": "0"}, {})
    assert (config.node.slots, config.node.max_sessions) == (5, 3)
    assert config.scheduling.retry_ratio == 0.0


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_an_empty_file_says_nothing(file: Path, text: str) -> None:
    file.write_text(text)
    assert load_config(file, {}, {}) == FarmConfig()


@pytest.mark.parametrize("name", ["models", "state_dir", "curves_dir"])
def test_a_folder_may_begin_with_the_home_directory(
    file: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    file.write_text(f"{name}: ~/farm\n")
    assert getattr(load_config(file, {}, {}), name) == tmp_path / "farm"
    variable = {f"FARM_{name.upper()}": "~/other"}
    assert getattr(load_config(file, variable, {}), name) == tmp_path / "other"
    assert f"{file}: {name}: " in wrong(_of(file, f"{name}: ~nobody-of-this-name/farm\n"))


def _of(file: Path, text: str) -> Path:
    file.write_text(text)
    return file


def test_what_belongs_to_the_command_line_is_ignored() -> None:
    environment = {
        "FARM_CONNECT": "elsewhere:1", "FARM_CONFIG": "some.yaml", "PATH": "/bin", "FARMER": "x",
        "FARM_HOME": "/home", "FARM_TLS_CA": "ca.pem",
    }  # fmt: skip
    assert load_config(None, environment, {}) == FarmConfig()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("nodes: many\n", "nodes"),
        ("nodes: 0\n", "nodes"),
        ("grpc: localhost\n", "grpc"),
        ("grpc: 8001\n", "grpc"),
        ("default_timeout_s: -1\n", "default_timeout_s"),
        ("node:\n  slots: 0\n", "node.slots"),
        ("node: 3\n", "node"),
        ("nodez: 3\n", "nodez"),
        ("node:\n  slotz: 3\n", "node.slotz"),
        # Heartbeats come every second: every node would be suspect between two of them.
        ("scheduling:\n  health:\n    suspect_after_s: 1\n", "scheduling.health.suspect_after_s"),
    ],
)
def test_a_wrong_value_in_the_file_is_named(file: Path, text: str, key: str) -> None:
    file.write_text(text)
    assert wrong(file).startswith(f"{file}: {key}: ")


def test_a_setting_that_is_not_there_is_answered_with_what_was_meant(file: Path) -> None:
    file.write_text("scheduling:\n  hedging:\n    enable: true\n    twice: 1\n")
    near, far = wrong(file).split("; " + str(file))
    assert near == (
        f"{file}: scheduling.hedging.enable: there is no such setting; did you mean 'enabled'?"
    )
    assert far == (
        ": scheduling.hedging.twice: there is no such setting; known are enabled, after_factor"
    )
    assert "FARM_SCHEDULING__POLCY: there is no such setting; did you mean 'policy'?" in wrong(
        None, {"FARM_SCHEDULING__POLCY": "x"}
    )


def test_a_wrong_value_is_told_in_the_words_of_people(file: Path) -> None:
    assert wrong(None, grpc="here") == "--grpc: must be HOST:PORT, like 127.0.0.1:8001, not 'here'"
    assert wrong(None, nodes=0) == "--nodes: must be at least 1, not 0"
    file.write_text("scheduling: {policy: round_robbin}\nnode: {slots: many}\n")
    assert "; did you mean 'round_robin'?" in wrong(file)
    assert "node.slots: must be a whole number, not 'many'" in wrong(file)


def test_an_unknown_policy_is_answered_with_the_known_ones(file: Path) -> None:
    file.write_text("scheduling:\n  policy: fastest\n")
    message = wrong(file)
    assert message.startswith(f"{file}: scheduling.policy: ")
    assert all(f"'{name}'" in message for name in POLICIES)
    assert "FARM_SCHEDULING__POLICY: " in wrong(None, {"FARM_SCHEDULING__POLICY": "fastest"})


def test_every_policy_can_be_chosen() -> None:
    assert set(Policy) == set(POLICIES)
    for name in POLICIES:
        config = load_config(None, {"FARM_SCHEDULING__POLICY": name}, {})
        assert POLICIES[config.scheduling.policy](0).name == name


def test_the_defaults_are_those_of_the_scheduler() -> None:
    limits, scheduling = SchedulingLimits(), SchedulingConfig()
    for name in ("max_queue_size", "max_queued_bytes", "max_batch_bytes", "retry_ratio"):
        assert getattr(scheduling, name) == getattr(limits, name)
    for name, value in scheduling.health:
        assert value == getattr(limits, name)
    assert scheduling.hedging.after_factor == Hedging().after_factor
    assert (scheduling.hedging.enabled, limits.hedging) == (False, None)
    assert (scheduling.fairness, limits.fair) == ("client", True)


def test_sections_inside_sections_have_variables_too() -> None:
    environment = {"FARM_SCHEDULING__HEALTH__EJECT_BASE_S": "3"}
    assert load_config(None, environment, {}).scheduling.health.eject_base_s == 3.0


def test_every_wrong_value_is_named_with_where_it_stands(file: Path) -> None:
    file.write_text("nodes: 0\ngrpc: nowhere\n")
    message = wrong(file, {"FARM_NODE__SLOTS": "many"}, metrics="nowhere")
    assert f"{file}: nodes: " in message
    assert f"{file}: grpc: " in message
    assert "FARM_NODE__SLOTS: " in message
    assert "--metrics: " in message


def test_a_value_that_a_later_layer_replaced_is_not_complained_about(file: Path) -> None:
    file.write_text("nodes: 0\n")
    assert load_config(file, {}, {"nodes": 2}).nodes == 2


def test_the_wrong_value_is_shown_cut(file: Path) -> None:
    file.write_text(f"grpc: {'x' * 1000}\n")
    message = wrong(file)
    assert "xxx" in message
    assert len(message) < 400


@pytest.mark.parametrize("text", ["nodes: [1,\n", "\tnodes: 1\n", "a: b: c\n"])
def test_what_is_not_yaml_is_named(file: Path, text: str) -> None:
    file.write_text(text)
    assert wrong(file).startswith(f"{file} is not YAML: ")


def test_bytes_that_are_no_text_are_not_yaml(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")
    assert wrong(file).startswith(f"{file} is not YAML: ")


@pytest.mark.parametrize("text", ["- nodes\n", "nodes\n", "3\n"])
def test_a_file_must_be_a_mapping(file: Path, text: str) -> None:
    file.write_text(text)
    assert "must be a mapping of settings" in wrong(file)


def test_a_file_that_is_not_there_is_named(file: Path) -> None:
    assert wrong(file) == f"{file} cannot be read: No such file or directory"


def test_a_file_runs_no_code(file: Path, tmp_path: Path) -> None:
    made = tmp_path / "made"
    file.write_text(f"name: !!python/object/apply:pathlib.Path.touch ['{made}']\n")
    assert "is not YAML" in wrong(file)
    assert not made.exists()


@pytest.mark.parametrize("address", ["127.0.0.1:0", "[::1]:8001", "localhost:80"])
def test_addresses(address: str) -> None:
    assert load_config(None, {}, {"grpc": address}).grpc == address


MUTUAL = "tls: {certificate: c.pem, key: k.pem, ca: ca.pem}\n"
SERVER = "tls: {certificate: c.pem, key: k.pem, clients: none}\n"
TOKENS = "tokens: tokens.json\n"
OUTSIDE = ["0.0.0.0:8001", "[::]:8001", "198.18.0.10:8001", "pi.local:65535"]


@pytest.mark.parametrize("address", OUTSIDE)
@pytest.mark.parametrize("key", ["grpc", "metrics"])
def test_nobody_gets_in_from_elsewhere_who_shows_nothing(
    file: Path, key: str, address: str
) -> None:
    listening = f"{key}: '{address}'\n"
    for open_to_all in ("", TOKENS, SERVER):
        file.write_text(listening + open_to_all)
        said = wrong(file)
        assert f"{key}: other machines reach {address}" in said
        assert "clients required" in said and "farm tokens issue" in said
    for closed in (MUTUAL, MUTUAL + TOKENS, SERVER + TOKENS):
        file.write_text(listening + closed)
        assert getattr(load_config(file, {}, {}), key) == address


def test_a_flag_opens_nothing_either(file: Path) -> None:
    file.write_text(SERVER)
    assert "grpc: other machines reach 0.0.0.0:1" in wrong(file, grpc="0.0.0.0:1")
    assert load_config(file, {"FARM_TOKENS": "t.json"}, {"grpc": "0.0.0.0:1"}).tokens == Path(
        "t.json"
    )


def test_a_clients_token_is_no_setting_of_the_farm() -> None:
    assert load_config(None, {"FARM_TOKEN": "x", "FARM_TOKEN_FILE": "y"}, {}) == FarmConfig()


def test_a_configuration_does_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        FarmConfig().nodes = 5  # type: ignore[misc]


def test_the_variable_and_the_flag_are_named() -> None:
    assert wrong(None, {"FARM_NODE__SLOTS": "many"}).startswith("FARM_NODE__SLOTS: ")
    assert wrong(None, {"FARM_GRPC": "nowhere"}).startswith("FARM_GRPC: ")
    assert wrong(None, {}, grpc="nowhere").startswith("--grpc: ")


def test_the_layer_that_decided_is_the_one_named(file: Path) -> None:
    file.write_text("grpc: nowhere\nnode:\n  slots: none\n")
    environment = {"FARM_GRPC": "nowhere", "FARM_NODE__SLOTS": "many"}
    message = wrong(file, environment, grpc="nowhere")
    assert message.startswith("--grpc: ")
    assert "FARM_NODE__SLOTS: " in message
    assert "FARM_GRPC" not in message
    assert str(file) not in message


def test_a_section_given_as_one_variable_is_refused() -> None:
    assert "node" in wrong(None, {"FARM_NODE": "3", "FARM_NODE__SLOTS": "2"})


def test_a_key_that_is_no_word_is_named_with_its_file(file: Path) -> None:
    file.write_text("1: 2\n")
    assert wrong(file).startswith(f"{file}: 1: ")


def test_an_empty_variable_is_none() -> None:
    environment = {"FARM_STATE_DIR": "", "FARM_MODELS": "", "FARM_NODE__SLOTS": ""}
    assert load_config(None, environment, {}) == FarmConfig()


def test_a_node_has_only_so_many_threads(file: Path) -> None:
    file.write_text("node: {slots: 64, threads_per_slot: 64}\n", encoding="utf-8")
    assert "at most 256" in wrong(file)


def test_tls_asks_for_certificates_unless_it_is_told_not_to(file: Path) -> None:
    file.write_text("tls: {certificate: ~/c.pem, key: k.pem, ca: ca.pem}")
    tls = load_config(file, {}, {}).tls
    assert tls is not None
    assert tls.certificate == Path.home() / "c.pem"
    assert tls.clients is ClientCertificates.REQUIRED
    environment = {"FARM_TLS__CLIENTS": "none", "FARM_TLS__KEY": "other.pem"}
    tls = load_config(file, environment, {}).tls
    assert tls is not None
    assert (tls.clients, tls.key) == (ClientCertificates.NONE, Path("other.pem"))


def test_certificates_are_asked_for_only_with_a_ca(file: Path) -> None:
    file.write_text("tls: {certificate: c.pem, key: k.pem}")
    assert "name the ca that issues the clients' certificates" in wrong(file)
    assert load_config(file, {"FARM_TLS__CLIENTS": "none"}, {}).tls is not None


def test_a_setting_that_is_not_in_a_section_that_may_be_left_out(file: Path) -> None:
    file.write_text("tls: {certificate: c.pem, key: k.pem, ca: ca.pem, cert: c.pem}")
    assert wrong(file) == (
        f"{file}: tls.cert: there is no such setting; known are certificate, key, ca, clients"
    )


# -- power and money --------------------------------------------------------------------------


POWER = """\
power:
  currency: EUR
  tariff:
    timezone: Europe/Berlin
    periods:
      - {start: 07:00, end: 22:00, price_per_kwh: 0.34}
      - {start: 22:00, end: 07:00, price_per_kwh: 0.22}
  fx:
    - {from: USD, to: EUR, rate: 0.9, date: 2026-11-01, source: ECB}
node: {board: rpi5-8gb, board_price: 80, meter: {type: shelly, url: "http://198.18.0.90"}}
"""


def test_what_power_and_boards_cost(file: Path) -> None:
    config = load_config(_of(file, POWER), {}, {})
    economics = config.power.economics({"local-1": config.node.economics()})
    assert economics.tariff is not None
    # Noon and midnight in Berlin.
    assert economics.tariff(1795345200.0) * 3.6e6 == pytest.approx(0.34)
    assert economics.tariff(1795388400.0) * 3.6e6 == pytest.approx(0.22)
    assert economics.hosts["local-1"].price == 80
    assert (config.power.window_s, config.ledger.enabled) == (10.0, True)


def test_a_price_may_come_from_the_environment() -> None:
    environment = {"FARM_POWER__PRICE_PER_KWH": "0.36", "FARM_POWER__CURRENCY": "EUR"}
    prices = load_config(None, environment, {}).power.prices()
    assert prices is not None
    assert prices.price_per_kwh(0.0) == 0.36
    del environment["FARM_POWER__CURRENCY"]
    assert wrong(None, environment) == "FARM_POWER: price_per_kwh needs a currency, like EUR"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("price_per_kwh: 0.22", "price: 1"), "power.tariff.periods.1.price_per_kwh: is missing"),
        (("price_per_kwh: 0.22", "price_per_kwh: -1"), "power.tariff.periods.1.price_per_kwh: "),
        (("start: 22:00", "start: 22:30"), "power.tariff: there is no price at Monday 22:00"),
        (("start: 22:00", "start: 20:00"), "power.tariff: there "),
        (
            ("from: USD", "form: USD"),
            "power.fx.0.form: there is no such setting; did you mean 'from'?",
        ),
        (("currency: EUR", "currency: Euro"), "power.currency: must be a currency of ISO 4217"),
        (("currency: EUR", "baseline: moon"), "power: tariff needs a currency, like EUR"),
        (("currency: EUR", "currency: EUR\n  baseline: moon"), "power: there is no baseline"),
        (("rpi5-8gb", "rpi9"), "node.board: must be one of "),
        (("http://198", "ftp://198"), "node.meter.url: must be a URL like http://198.18.0.90"),
        (("type: shelly", "type: shelly, interval_s: 0"), "node.meter.interval_s: "),
        (("type: shelly", "type: shelly, max_w: 9999"), "node.meter.max_w: "),
    ],
)
def test_what_is_wrong_with_power_is_named(file: Path, change: tuple[str, str], said: str) -> None:
    assert f"{file}: {said}" in wrong(_of(file, POWER.replace(*change)))


def test_boards_have_a_price_in_some_currency(file: Path) -> None:
    said = wrong(_of(file, "node: {board_price: 80}\n"))
    assert said == "power.currency is missing, and node has a board_price"


def test_a_meters_password_is_in_no_message(file: Path) -> None:
    text = POWER.replace("http://198", "http://user:geheim@198")
    assert wrong(_of(file, text)) == f"{file}: node.meter.url: must hold no user and no password"


def test_the_defaults_of_the_ledger_are_its_own() -> None:
    ledger, retention = FarmConfig().ledger, Retention()
    assert (ledger.batch_days, ledger.minute_days, ledger.max_bytes) == (
        retention.batch_days,
        retention.minute_days,
        retention.max_bytes,
    )


@pytest.mark.parametrize(
    ("tracing", "said"),
    [
        ("{endpoint: 127.0.0.1:4318}", "tracing.endpoint"),
        ("{endpoint: 'ftp://127.0.0.1/v1/traces'}", "tracing.endpoint"),
        ("{endpoint: 'http://a b/v1/traces'}", "tracing.endpoint"),
        ("{endpoint: 'http://127.0.0.1:4318/v1/traces', sample_ratio: 2}", "tracing.sample_ratio"),
        ("{sample_ratio: 1}", "tracing.endpoint"),
    ],
)
def test_tracing_needs_an_endpoint_and_a_share(file: Path, tracing: str, said: str) -> None:
    assert f"{file}: {said}" in wrong(_of(file, f"tracing: {tracing}\n"))


def test_nothing_is_traced_unless_asked_for(file: Path) -> None:
    assert load_config(None, {}, {}).tracing is None
    endpoint = "http://127.0.0.1:4318/v1/traces"
    config = load_config(None, {"FARM_TRACING__ENDPOINT": endpoint}, {})
    assert config.tracing is not None
    assert (config.tracing.endpoint, config.tracing.sample_ratio) == (endpoint, 0.01)
