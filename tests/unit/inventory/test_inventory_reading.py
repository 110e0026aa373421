"""What a right file means, and what is said of a wrong one."""

from pathlib import Path

import pytest

from farm.core.errors import ConfigurationError
from farm.inventory import Inventory, Role, Tls, load_inventory
from farm.sections.meter import MeterType

SHELF = """\
farm: {name: shelf, gateway: {grpc: "0.0.0.0:8001"}, power: {price_per_kwh: 0.32, currency: EUR}}
defaults: {user: pi, ssh_key: ~/.ssh/id, board_price: 80, labels: {room: cellar}}
hosts:
  pi-head: {address: 198.18.0.10, role: head}
  pi-[01:16]: {address: "198.18.0.[11:26]", role: node, board: rpi5-8gb, labels: {rack: a}}
  pi-17: {address: 198.18.0.40, user: root, meter: {type: shelly, url: "http://198.18.0.90"}}
"""
HEAD = "farm: {name: shelf}\nhosts:\n  pi-0: {address: 198.18.0.10, role: both}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "shelf.yaml"


def read(file: Path, text: str) -> Inventory:
    file.write_text(text, encoding="utf-8")
    return load_inventory(file)


def wrong(file: Path, text: str) -> list[str]:
    """The lines of what is said of a text, without the name of the file."""
    with pytest.raises(ConfigurationError) as caught:
        read(file, text)
    return [line.removeprefix(f"{file}:") for line in caught.value.message.splitlines()]


def test_the_shelf_of_the_design(file: Path) -> None:
    shelf = read(file, SHELF)
    assert shelf.farm.name == "shelf"
    assert (shelf.farm.gateway.tls, shelf.farm.gateway.metrics) == (Tls.MUTUAL, "127.0.0.1:8002")
    assert (shelf.farm.power.price_per_kwh, shelf.farm.power.currency) == (0.32, "EUR")
    assert shelf.head.name == "pi-head"
    assert shelf.head.role is Role.HEAD
    assert [host.name for host in shelf.hosts] == [
        "pi-head", *(f"pi-{number:02}" for number in range(1, 18)),
    ]  # fmt: skip
    assert len(shelf.nodes) == 17
    pi_03 = shelf.hosts[3]
    assert (pi_03.address, pi_03.board, pi_03.port) == ("198.18.0.13", "rpi5-8gb", 22)
    meter = shelf.hosts[-1].meter
    assert meter is not None
    assert (meter.type, meter.url, meter.channel) == (MeterType.SHELLY, "http://198.18.0.90", 0)


def test_a_hosts_own_value_wins_over_the_defaults_and_labels_add_up(file: Path) -> None:
    hosts = {host.name: host for host in read(file, SHELF).hosts}
    assert (hosts["pi-16"].user, hosts["pi-17"].user) == ("pi", "root")
    assert hosts["pi-16"].labels == {"room": "cellar", "rack": "a"}
    assert hosts["pi-17"].board_price == 80
    text = SHELF.replace("user: root", "board_price:")
    assert read(file, text).hosts[-1].board_price is None


def test_one_machine_may_be_head_and_node(file: Path) -> None:
    farm = read(file, HEAD)
    assert farm.nodes == (farm.head,) == farm.hosts


def test_paths_start_at_home_or_at_the_inventory(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/operator")
    for given, found in (
        ("~/.ssh/id", Path("/home/operator/.ssh/id")),
        ("keys/id", tmp_path / "keys" / "id"),
        ("/etc/id", Path("/etc/id")),
    ):
        assert read(file, SHELF.replace("~/.ssh/id", given)).head.ssh_key == found


def test_words_are_what_the_file_says_whatever_yaml_makes_of_them(file: Path) -> None:
    farm = read(
        file,
        "farm: {name: no, gateway: {tls: off, grpc: 127.0.0.1:8001}}\n"
        "hosts:\n"
        "  1: {address: 198.18.0.1, role: both, labels: {rack: 010, row: 1.10, top: yes}}\n",
    )
    assert (farm.farm.name, farm.farm.gateway.tls, farm.head.name) == ("no", Tls.OFF, "1")
    assert farm.head.labels == {"rack": "010", "row": "1.10", "top": "yes"}


def test_anchors_and_merges_are_followed(file: Path) -> None:
    farm = read(
        file,
        "farm: {name: shelf}\n"
        "hosts:\n"
        "  a: &a {address: 198.18.0.1, role: both, port: 2222, labels: &l {rack: a}}\n"
        "  b: {<<: *a, address: 198.18.0.2, role: node}\n"
        "  c: {<<: [{port: 23}, *a], address: 198.18.0.3, role: node, labels: *l}\n",
    )
    assert [(h.port, h.role, h.labels["rack"]) for h in farm.hosts] == [
        (2222, Role.BOTH, "a"), (2222, Role.NODE, "a"), (23, Role.NODE, "a"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("198.18.0.1", "198.18.0.1"),
        ("2001:DB8::0:1", "2001:db8::1"),
        ("fe80::1", "fe80::1"),
        ("Pi-01.local.", "pi-01.local"),
    ],
)
def test_addresses_have_one_spelling(file: Path, address: str, found: str) -> None:
    assert read(file, HEAD.replace("198.18.0.10", address)).head.address == found


def test_an_embedded_farm_has_no_hosts(file: Path) -> None:
    farm = read(file, "farm: {name: local, embedded: {nodes: 2}, power: {overhead_w: 3}}\n")
    assert farm.farm.embedded is not None
    assert (farm.farm.embedded.nodes, farm.hosts, farm.nodes) == (2, (), ())
    with pytest.raises(ConfigurationError, match="has no hosts: run it with `farm up`"):
        _ = farm.head


# -- what is wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("role: head", "role: haed"), "4: hosts.pi-head.role: must be 'head', 'node' or 'both',"
         " not 'haed'; did you mean 'head'?"),
        (("user: root", "usr: root"), "6: hosts.pi-17.usr: there is no such key; did you mean"
         " 'user'?"),
        (("name: shelf", "name: The Shelf"), "1: farm.name: must be 1 to 63 lower-case letters,"
         " digits and inner hyphens, as in DNS, not 'The Shelf'"),
        (("name: shelf, ", ""), "1: farm.name: is missing"),
        (("address: 198.18.0.40, ", ""), "6: hosts.pi-17.address: is missing"),
        (("198.18.0.40", "198.18.0.400"), "6: hosts.pi-17.address: must be an IPv4 address: four"
         " numbers to 255, without leading zeros, not '198.18.0.400'"),
        (("198.18.0.40", "127.0.0.1"), "6: hosts.pi-17.address: must be an address at which the"
         " other hosts reach this one, not '127.0.0.1'"),
        (("198.18.0.40", "198.18.0.10"), "6: hosts.pi-17.address: 198.18.0.10 belongs to"
         " hosts.pi-head already"),
        (("198.18.0.40", "198.18.0.12"), "6: hosts.pi-17.address: 198.18.0.12 belongs to"
         " hosts.pi-[01:16] already"),
        (("pi-17", "pi-16"), "6: hosts.pi-16: pi-16 belongs to hosts.pi-[01:16] already"),
        (("pi-17", "pi_17"), "6: hosts.pi_17: must be 1 to 63 lower-case letters, digits and inner"
         " hyphens, as in DNS, not 'pi_17'"),
        (("[11:26]", "[11:20]"), "5: hosts.pi-[01:16].address: stands for 10 and the name for 16;"
         " each host has one"),
        (("[11:26]", "[26:11]"), "5: hosts.pi-[01:16].address: has the range [26:11], which ends"
         " before it begins, not '198.18.0.[26:11]'"),
        (("role: head", "role: node"), "3: hosts: have no head; give one of them the role head, or"
         " both"),
        (("role: node", "role: both"), "5: hosts.pi-[01:16].role: a farm has one head, which is"
         " hosts.pi-head"),
        (("currency: EUR", "currency: euro"), "1: farm.power.currency: must be a currency"
         " of ISO 4217, like EUR, not 'euro'"),
        ((", currency: EUR", ""), "1: farm.power: price_per_kwh needs a currency, like EUR"),
        (("price_per_kwh: 0.32", "price_per_kwh: -1"), "1: farm.power.price_per_kwh: must be at"
         " least 0, not '-1'"),
        (("currency: EUR", "currency: EUR, tariff: {timezone: UTC, periods: [{price_per_kwh: 1}]}"),
         "1: farm.power:"
         " price_per_kwh and tariff exclude each other; leave one out"),
        (("price_per_kwh: 0.32", "tariff: {timezone: Berlin, periods: [{price_per_kwh: 1}]}"),
         "1: farm.power.tariff.timezone: must be a zone of the IANA database, like Europe/Berlin"
         " (of which Debian's package tzdata is the copy that is read), not 'Berlin'"),
        (("price_per_kwh: 0.32", "tariff: {timezone: UTC, periods: [{price_per_kwh: -1}]}"),
         "1: farm.power.tariff.periods[0].price_per_kwh: must be at least 0, not '-1'"),
        (("price_per_kwh: 0.32", "tariff: {timezone: UTC, periods: [{days: mon}]}"),
         "1: farm.power.tariff.periods[0].price_per_kwh: is missing"),
        (("price_per_kwh: 0.32", "tariff: {timezone: UTC, periods: [{prize_per_kwh: 1,"
          " price_per_kwh: 1}]}"), "1: farm.power.tariff.periods[0].prize_per_kwh: there"
         " is no such key; did you mean 'price_per_kwh'?"),
        (("price_per_kwh: 0.32", "tariff: {timezone: UTC, periods: [{start: 22:00, end: 07:00,"
          " price_per_kwh: 1}]}"), "1: farm.power.tariff: there is no price at Monday 07:00, and"
         " every minute of the week needs one"),
        (("currency: EUR", "currency: EUR, fx: [{from: USD, to: EUR, rate: 0.9, source: ECB,"
          " date: 2026}]"), "1: farm.power.fx[0].date: must be a date like 2026-11-01, not '2026'"),
        (("currency: EUR", "currency: EUR, fx: [{from: USD, to: EUR, rate: 0.9, source: ECB}]"),
         "1: farm.power.fx[0].date: is missing"),
        (("currency: EUR", "currency: EUR, fx: [{from: USD, to: EUR, rate: 0.9, source: ECB, date:"
          " 2026-11-01, form: USD}]"), "1: farm.power.fx[0].form: there is no such key; did you"
         " mean 'from'?"),
        (("currency: EUR", "currency: EUR, baseline: aws-lambda-arm"), "1: farm.power.baseline:"
         " there is no baseline 'aws-lambda-arm'; did you mean 'aws-lambda-arm64'?"),
        (("currency: EUR", "currency: EUR, grid: {gco2e_per_kwh: 381}"), "1:"
         " farm.power.grid.source: is missing"),
        (("currency: EUR", "currency: EUR, baselines: none.toml"), "1: farm.power.baselines:"
         " {folder}/none.toml cannot be read: No such file or directory"),
        (("price_per_kwh: 0.32, currency: EUR", ""), "1: farm.power.currency: is missing, and"
         " boards have a price"),
        (("board_price: 80", "board_price: cheap"), "2: defaults.board_price: must be a number, not"
         " 'cheap'"),
        (("board_price: 80", "lifetime_years: .nan"), "2: defaults.lifetime_years: must be a"
         " number, not '.nan'"),
        (("board_price: 80", "port: 65536"), "2: defaults.port: must be at most 65535, not"
         " '65536'"),
        (("board_price: 80", "slots: 1.5"), "2: defaults.slots: must be a whole number, not '1.5'"),
        (("board_price: 80", "slots: 64, threads_per_slot: 64"), "2: defaults: slots x"
         " threads_per_slot must be at most 256"),
        (("{room: cellar}", "cellar"), "2: defaults.labels: must be a mapping of names to values,"
         " not 'cellar'"),
        (("{room: cellar}", ""), "2: defaults.labels: must be a mapping of names to values, not"
         " empty"),
        (("{room: cellar}", "{'a room': cellar}"), "2: defaults.labels.a room: must be letters,"
         " digits and inner . _ / -, at most 63, not 'a room'"),
        (('"0.0.0.0:8001"', "8001"), "1: farm.gateway.grpc: must be HOST:PORT with a port of 1 to"
         " 65535, like 0.0.0.0:8001, not '8001'"),
        (("0.0.0.0:8001", "0.0.0.0:080001"), "1: farm.gateway.grpc: must be HOST:PORT with a port"
         " of 1 to 65535, like 0.0.0.0:8001, not '0.0.0.0:080001'"),
        (("0.0.0.0:8001", "::1:8001"), "1: farm.gateway.grpc: must have an IPv6 address in"
         " brackets and no other, like [::]:8001, not '::1:8001'"),
        (('"0.0.0.0:8001"', "0.0.0.0:8002"), "1: farm.gateway: grpc, metrics and"
         " operators need ports of their own"),
        (('"0.0.0.0:8001"', "0.0.0.0:6501"), "1: farm.gateway.grpc: has a port of 6500 to 6599,"
         " Ray's"),
        (('"0.0.0.0:8001"', '0.0.0.0:8001, operators: "[::]:6401"'), "1: farm.gateway.operators:"
         " has a port of 6400 to 6499, Ray's"),
        (('"0.0.0.0:8001"', '"0.0.0.0:8001", tls: off'), "1: farm.gateway.tls: must not be off"
         " where other machines reach grpc, at 0.0.0.0:8001: mutual lets in who has a certificate"
         " (`farm certs issue`), server who has a token (`farm tokens issue`); or let it listen on"
         " 127.0.0.1"),
        (('"0.0.0.0:8001"', '"localhost:8001", tls: off, metrics: "pi-head:8002"'), "1:"
         " farm.gateway.tls: must not be off where other machines reach metrics, at pi-head:8002:"
         " mutual lets in who has a certificate (`farm certs issue`), server who has a token (`farm"
         " tokens issue`); or let it listen on 127.0.0.1"),
        (("type: shelly", "type: shely"), "6: hosts.pi-17.meter.type: must be 'pmic', 'hwmon',"
         " 'rapl', 'shelly', 'tasmota' or 'http', not 'shely'; did you mean 'shelly'?"),
        (("type: shelly", "type: pmic"), "6: hosts.pi-17.meter: a meter of type pmic is part of its"
         " host and has no url"),
        (("type: shelly", "type: shelly, interval_s: 60"), "6: hosts.pi-17.meter.interval_s: must"
         " be at most 30, not '60'"),
        (("type: shelly", "type: shelly, max_w: 0.5"), "6: hosts.pi-17.meter.max_w: must be at"
         " least 1, not '0.5'"),
        (('"http://198.18.0.90"', "'http://[198'"), "6: hosts.pi-17.meter.url: must be a URL like"
         " http://198.18.0.90, not 'http://[198'"),
        (('"http://198.18.0.90"', "198.18.0.90"), "6: hosts.pi-17.meter.url: must be a URL like"
         " http://198.18.0.90, not '198.18.0.90'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_line_and_key(
    file: Path, change: tuple[str, str], said: str
) -> None:
    assert wrong(file, SHELF.replace(*change, 1)) == [said.replace("{folder}", str(file.parent))]


def test_an_unknown_board_is_answered_with_the_known_ones(file: Path) -> None:
    (said,) = wrong(file, SHELF.replace("rpi5-8gb", "rp5-8gb"))
    assert said.startswith("5: hosts.pi-[01:16].board: must be one of ")
    assert said.endswith(" or be left out for the host to be asked, not 'rp5-8gb'")


def test_what_power_costs_and_emits(file: Path, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text("")
    power = """\
farm:
  name: shelf
  power:
    currency: EUR
    tariff:
      timezone: Europe/Berlin
      periods:
        - {start: 06:00, end: 22:00, price_per_kwh: 0.34}
        - {start: 22:00, end: 06:00, price_per_kwh: 0.22}
    grid: {gco2e_per_kwh: 381, source: "DE, 2023"}
    fx: [{from: USD, to: EUR, rate: 0.9, date: 2026-11-01, source: ECB}]
    baseline: gcp-cloud-run
    baselines: own.toml
"""
    read_back = read(file, power + SHELF.partition("\n")[2]).farm.power
    prices = read_back.prices()
    assert prices is not None
    assert {period.price_per_kwh for period in prices.periods} == {0.34, 0.22}
    assert read_back.exchange().convert(10.0, "USD", "EUR") == 9.0
    assert read_back.baselines == tmp_path / "own.toml"
    baseline = read_back.receipt_baseline()
    assert baseline is not None
    assert baseline.name == "gcp-cloud-run"


def test_everything_that_is_wrong_is_told_in_one_go_in_the_order_of_the_file(file: Path) -> None:
    said = wrong(
        file,
        "frm: {}\n"
        "farm: {nam: shelf}\n"
        "defaults:\n"
        "  port: ssh\n"
        "hosts:\n"
        "  Pi-1: {address: 198.18.0.9}\n"
        "  pi-2:\n"
        "    address: 198.18.0.1\n"
        "    rolle: node\n"
        "  pi-3: {address: 198.18.0.1}\n"
        "  pi-4: {address: 198.18.0.1}\n",
    )
    assert said[0] == f"{file} has 7 problems:"
    assert [line.split(": ")[:2] for line in said[1:]] == [
        ["1", "frm"],
        ["2", "farm.nam"],
        ["2", "farm.name"],
        ["4", "defaults.port"],
        ["6", "hosts.Pi-1"],
        ["9", "hosts.pi-2.rolle"],
        ["11", "hosts.pi-4.address"],
    ]


def test_a_host_that_is_left_out_for_its_errors_is_not_missed_as_the_head(file: Path) -> None:
    assert wrong(file, HEAD.replace("role: both", "role: both, usr: x")) == [
        "3: hosts.pi-0.usr: there is no such key; did you mean 'user'?"
    ]


def test_a_key_that_stands_twice_is_refused(file: Path) -> None:
    assert wrong(file, HEAD + "  pi-0: {address: 198.18.0.2}\n") == [
        "4: hosts.pi-0: stands in line 3 already"
    ]
    assert wrong(file, HEAD + "farm: {name: other}\n") == ["4: farm: stands in line 1 already"]


def test_hosts_cannot_share_a_meter_but_a_plug_with_several_sockets(file: Path) -> None:
    text = SHELF.replace("board_price: 80", "meter: {type: tasmota, url: http://198.18.0.91}")
    assert wrong(file, text) == [
        "5: hosts.pi-[01:16].meter: http://198.18.0.91 channel 0 belongs to hosts.pi-head already"
    ]
    second = '  pi-18: {address: b, meter: {type: shelly, url: "http://198.18.0.90", channel: 1}}\n'
    assert len(read(file, SHELF + second).hosts) == 19


def test_a_meters_url_holds_no_secret_and_no_error_shows_it(file: Path) -> None:
    for url in ("http://user:geheim@198", "http://user:geheim@[198"):
        said = wrong(file, SHELF.replace("http://198", url))
        assert said == ["6: hosts.pi-17.meter.url: must hold no user and no password"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("farm: {name: local, embedded: {}}\nhosts:\n  a: {address: a, role: both}\n", "2: hosts:"
         " must be left out of an embedded farm, which runs where you are"),
        ("farm:\n  name: local\n  embedded: {}\n  gateway: {}\n", "4: farm.gateway: must be left"
         " out of an embedded farm: give `farm up` --grpc and --metrics"),
        ("farm: {name: shelf}\n", "1: hosts: are missing; a farm has hosts, or it has"
         " farm.embedded"),
        ("farm: {name: shelf}\nhosts:\n", "2: hosts: must be a mapping of names to hosts, like"
         " pi-01: {address: …}"),
        (HEAD.replace("both", "head"), "2: hosts: have nobody who serves; give one of them the role"
         " node, or both"),
        (HEAD + "  pi-1:\n", "4: hosts.pi-1: must be a mapping of keys to values, not empty"),
        (HEAD.replace("farm: {name: shelf}\n", ""), "1: farm.name: is missing"),
        ("farm:\n" + HEAD.partition("\n")[2], "1: farm: must be a mapping of keys to values, not"
         " empty"),
    ],
)  # fmt: skip
def test_what_a_farm_must_have(file: Path, text: str, said: str) -> None:
    assert wrong(file, text) == [said]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hosts:\n\tpi: 1\n", "2: is not YAML: there is a tab where spaces belong"),
        ("farm: {name: shelf\nhosts: {}\n", "2: is not YAML: while parsing a flow mapping"),
        ("a: b: c\n", "1: is not YAML: mapping values are not allowed here"),
        ("farm: *nobody\n", "1: is not YAML: found undefined alias"),
        ("a: 1\n---\nb: 2\n", "2: is not YAML: expected a single document"),
        ('a: "\\UFFFFFFFF"\n', " is not YAML: "),
        ("farm:\n  name: \x01\n", "2: has the character"),
        ("farm: " + "[" * 1000, " is nested too deeply"),
    ],
)
def test_what_is_not_yaml_is_told_with_its_line(file: Path, text: str, said: str) -> None:
    assert wrong(file, text)[0].startswith(said)


def test_bytes_that_are_no_text_are_told_with_their_line(file: Path) -> None:
    file.write_bytes(b"farm:\n  name: \xff\n")
    with pytest.raises(ConfigurationError, match=r":2: is not UTF-8"):
        load_inventory(file)


def test_a_byte_order_mark_is_no_harm(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + HEAD.encode())
    assert load_inventory(file).head.name == "pi-0"


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "- a\n", "farm\n"])
def test_what_says_nothing_is_no_inventory(file: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"is empty|must be a mapping"):
        read(file, text)


def test_a_file_that_is_not_there_is_named(file: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_inventory(file)
    assert caught.value.message == f"{file} cannot be read: No such file or directory"


def test_a_file_that_is_far_too_large_is_not_read(file: Path) -> None:
    file.write_bytes(b"#" * (1 << 21))
    with pytest.raises(ConfigurationError, match="is larger than"):
        load_inventory(file)


def test_aliases_that_stand_for_billions_are_refused(file: Path) -> None:
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
    )
    assert "more than 100000 values or 32 levels" in wrong(file, text)[0]


@pytest.mark.parametrize("text", ["a: &a [*a]\n", "a: &a {b: *a}\n", "a: &a {<<: *a}\n"])
def test_aliases_that_hold_themselves_are_refused(file: Path, text: str) -> None:
    assert wrong(file, text)[0].endswith(("with its aliases followed", "is nested too deeply"))


def test_a_file_runs_no_code(file: Path, tmp_path: Path) -> None:
    made = tmp_path / "made"
    text = HEAD.replace("shelf", f"!!python/object/apply:pathlib.Path.touch ['{made}']")
    assert "has the tag tag:yaml.org,2002:python" in " ".join(wrong(file, text))
    assert not made.exists()


def test_more_hosts_than_a_farm_can_have_are_refused(file: Path) -> None:
    many = "".join(f"  r{n}-[0:999]: {{address: '198.{n}.[0:9].[0:99]'}}\n" for n in range(3))
    said = wrong(file, HEAD + many)
    assert any("hosts: are more than 1024" in line for line in said)


def test_thousands_of_problems_are_told_in_part(file: Path) -> None:
    said = wrong(file, HEAD + "".join(f"  pi-{n}: {{}}\n" for n in range(1, 2000)))
    assert len(said) == 52
    assert said[-1] == " and 1949 more problems"
