"""What becomes of an inventory that Ansible reads."""

from pathlib import Path

import pytest
import yaml

from farm.core.errors import ConfigurationError
from farm.inventory import Host, Role
from farm.inventory.ansible import Imported, import_ansible
from farm.inventory.reading import parse_inventory

INI = """\
# the shelf
bastion ansible_host=198.18.0.9

[heads]
pi-head ansible_host=198.18.0.10 ansible_become_password="s3 cret" # not shown

[workers]
pi-[01:03] ansible_port=2222   # three
pi-[04:05].lan:2200

[pis:children]
heads
workers

[pis:vars]
ansible_user = "pi"
ansible_ssh_private_key_file=~/.ssh/pi

[workers:vars]
ansible_user=worker
gpu = no

[all:vars]
ansible_user=root
"""
YAML = """\
all:
  vars:
    ansible_user: root
    ansible_become_password: !vault |
      $ANSIBLE_VAULT;1.1;AES256
      6638
  hosts:
    localhost: {ansible_connection: local}
    bastion: {ansible_host: 198.18.0.9}
  children:
    pis:
      vars: {ansible_user: pi, ansible_ssh_private_key_file: ~/.ssh/pi}
      children:
        heads: {hosts: {pi-head: {ansible_host: 198.18.0.10}}}
        workers:
          hosts: {"pi-[01:03]": {ansible_port: 2222}, "pi-[04:05].lan": {ansible_port: 2200}}
          vars: {ansible_user: worker, gpu: no}
"""
HEAD_INI = "pi-head ansible_host=198.18.0.10\n"


def imported(text: str, *, head: str = "pi-head", name: str = "hosts") -> Imported:
    return import_ansible(text, file=Path(name), head=head, farm_name="shelf")


def hosts(found: Imported) -> dict[str, Host]:
    assert found.problems == ""
    inventory = parse_inventory(found.text, file="result", folder=Path("/"))
    return {host.name: host for host in inventory.hosts}


@pytest.mark.parametrize("text", [INI, YAML], ids=["ini", "yaml"])
def test_hosts_groups_ranges_and_variables_are_carried_over(text: str) -> None:
    found = hosts(imported(text))
    assert set(found) == {"bastion", "pi-head", *(f"pi-0{n}" for n in range(1, 6))}
    assert [name for name, host in found.items() if host.role is Role.HEAD] == ["pi-head"]
    pi = found["pi-02"]
    assert (pi.address, pi.port, pi.user, pi.role) == ("pi-02", 2222, "worker", Role.NODE)
    assert pi.ssh_key == Path("~/.ssh/pi").expanduser()
    assert pi.labels == {"pis": "yes", "workers": "yes"}
    assert (found["pi-04"].address, found["pi-04"].port) == ("pi-04.lan", 2200)
    assert (found["pi-head"].user, found["pi-head"].address) == ("pi", "198.18.0.10")
    assert (found["bastion"].user, found["bastion"].labels) == ("root", {})


@pytest.mark.parametrize("text", [INI, YAML], ids=["ini", "yaml"])
def test_what_is_left_behind_is_told_and_no_secret_is_shown(text: str) -> None:
    result = imported(text)
    notes = "\n".join(result.notes)
    assert "pi-04.lan is named pi-04, as in DNS" in notes
    assert "secrets are never carried over: ansible_become_password" in notes
    assert "gpu of 5" in notes
    for secret in ("s3", 'cret"', "VAULT", "6638"):
        assert secret not in notes + result.text
    if text is YAML:
        assert "not reached over SSH: localhost" in notes


def test_what_all_hosts_have_alike_becomes_a_default() -> None:
    text = "[all:vars]\nansible_user=me\nansible_port=23\n[x]\na ansible_port=24\nb\n"
    document = yaml.safe_load(imported(text, head="a").text)
    assert document["defaults"] == {"user": "me"}
    assert [document["hosts"][name]["port"] for name in "ab"] == [24, 23]


def test_a_host_alone_is_head_and_node() -> None:
    assert hosts(imported(HEAD_INI))["pi-head"].role is Role.BOTH


def test_the_innermost_group_wins_and_what_is_said_twice_adds_up() -> None:
    text = (
        "[outer:vars]\nansible_user=outer\nansible_port=1\n[inner:vars]\nansible_user=inner\n"
        "[zz]\nh\n[zz:vars]\nansible_port=2\n[inner]\nh ansible_host=a\n[outer:children]\ninner\n"
        "[x]\nh ansible_host=b\n"
    )
    host = hosts(imported(text, head="h"))["h"]
    assert (host.user, host.port, host.address) == ("inner", 2, "b")


def test_hosts_that_are_addresses_or_have_underscores_get_names() -> None:
    text = (
        "198.18.0.4\n2001:db8::7\nPi_5 ansible_host=c\na.one ansible_host=d\na.two ansible_host=e\n"
    )
    found = hosts(imported(text, head="198.18.0.4"))
    assert {name: host.address for name, host in found.items()} == {
        "198-18-0-4": "198.18.0.4", "2001-db8-7": "2001:db8::7", "pi-5": "c", "a-one": "d",
        "a-two": "e",
    }  # fmt: skip


def test_old_names_of_variables_are_known_and_new_ones_win() -> None:
    text = "h ansible_ssh_host=old ansible_ssh_port=1 ansible_ssh_user=u ansible_host=new\n"
    host = hosts(imported(text, head="h"))["h"]
    assert (host.address, host.port, host.user) == ("new", 1, "u")


@pytest.mark.parametrize("value", ['"{{ lookup }}"', "'$ANSIBLE_VAULT;1.1;AES256'"])
def test_what_only_ansible_can_read_is_left_out_and_told(value: str) -> None:
    result = imported(f"h ansible_host={value} ansible_user=pi\n", head="h")
    assert "ansible_host of h is a template or encrypted, and left out" in result.notes
    assert hosts(result)["h"].address == "h"


def test_what_the_farm_cannot_take_is_written_and_told() -> None:
    result = imported("h ansible_host=198.18.0.1\ng ansible_host=198.18.0.1\n", head="h")
    assert "hosts.g.address: 198.18.0.1 belongs to hosts.h already" in result.problems
    assert set(yaml.safe_load(result.text)["hosts"]) == {"g", "h"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a:vars]\nuser\n", "hosts:2: [a]: 'user' is no assignment like ansible_user=pi"),
        ("[a:kids]\n", "hosts:1: [a]: there is no section of kids; it is children or vars"),
        ("h 'x=1\n", "hosts:1: [ungrouped]: No closing quotation"),
        ("h[3:1]\n", "hosts:1: [ungrouped]: has the range [3:1], which ends before it begins"),
        ("[a:children]\nb\n[b:children]\na\n[a]\nh\n", "hosts: groups contain each other: a, b, a"),
        ("pi-hed\n", "--head pi-head: hosts has no such host; did you mean 'pi-hed'?"),
        ("", "--head pi-head: hosts has no such host"),
        ("a_b\na-b\npi-head\n", "hosts that would have the same name: a-b"),
        ("#!/bin/sh\n", "hosts is a program: write what `ansible-inventory -i hosts"),
        ("all:\n  host: {}\n", "hosts:2: all.host: a group has hosts, children, vars; did you mean"
         " 'hosts'?"),
        ("all:\n  hosts: [a]\n", "hosts:2: all.hosts: must be a mapping"),
        ("---\n- a\n", "hosts:2: must be a mapping"),
        ("all:\n  hosts:\n    h[3:1]:\n", "hosts:3: all.hosts.h[3:1]: has the range"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_it_is_named(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        imported(text)
    assert said in caught.value.message


@pytest.mark.parametrize("name", ["hosts.yml", "hosts.yaml", "hosts"])
def test_yaml_is_known_by_its_name_or_its_first_line(name: str) -> None:
    assert "pi-02" in hosts(imported(YAML, name=name))


def test_an_empty_yaml_is_no_ini() -> None:
    with pytest.raises(ConfigurationError, match="has no such host"):
        imported("# nothing\n", name="hosts.yml")
