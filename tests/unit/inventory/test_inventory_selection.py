"""Which hosts a `--limit` means."""

import pytest

from farm.core.errors import ConfigurationError
from farm.inventory import FarmSettings, Host, Inventory, Role

SHELF = Inventory(
    farm=FarmSettings(name="shelf"),
    hosts=(
        Host(name="pi-head", address="198.18.0.10", role=Role.HEAD),
        *(
            Host(
                name=f"pi-{n:02}", address=f"198.18.0.1{n}", labels={"rack": "a" if n < 3 else "b"}
            )
            for n in range(1, 5)
        ),
        Host(name="pi-both", address="198.18.0.30", role=Role.BOTH),
    ),
)


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        ([], "head 01 02 03 04 both"),
        (["pi-02"], "02"),
        (["pi-04", "pi-01"], "01 04"),
        (["pi-[02:03]"], "02 03"),
        (["pi-0*"], "01 02 03 04"),
        (["pi-0?", "pi-01"], "01 02 03 04"),
        (["rack=a"], "01 02"),
        (["rack=[a:b]"], "01 02 03 04"),
        (["role=head"], "head both"),
        (["role=node"], "01 02 03 04 both"),
        (["role=both"], "both"),
    ],
)
def test_any_pattern_may_mean_a_host_and_the_order_is_the_files(
    patterns: list[str], names: str
) -> None:
    found = SHELF.limited_to(patterns)
    assert [host.name for host in found] == [f"pi-{name}" for name in names.split()]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("pi-2", "no host of the inventory is meant by 'pi-2'; did you mean 'pi-02'?"),
        ("pi-[03:06]", "no host of the inventory is meant by 'pi-05'"),
        ("pi-[3:1]", "which ends before it begins"),
        ("rack=c", "no host of the inventory is meant by 'rack=c'"),
        ("room=a", "farm inventory show lists them"),
        ("role=cook", "no host of the inventory is meant by 'role=cook'"),
        ("", "no host of the inventory is meant by ''"),
        ("x\n", "'x\\n'"),
    ],
)
def test_what_means_no_host_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        SHELF.limited_to(["pi-01", pattern])
    assert said in caught.value.message
    assert caught.value.message.startswith("--limit ")
