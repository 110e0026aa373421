"""What the firmware of a Raspberry Pi 5 says of its rails, and what it says instead."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.node.meters import pmic
from farm.node.meters.pmic import Pmic, parse
from farm.node.meters.reading import Fault, Reading

# As an idle board prints it: DDR rails at 0, numbers out of order, two rails without amperes.
IDLE = """\
 3V7_WL_SW_A current(0)=0.00195192A
   3V3_SYS_A current(1)=0.08783370A
   1V8_SYS_A current(2)=0.15420170A
  DDR_VDD2_A current(3)=0.00000000A
  DDR_VDDQ_A current(4)=0.00000000A
   1V1_SYS_A current(5)=0.17957660A
    0V8_SW_A current(6)=0.30547550A
  VDD_CORE_A current(7)=0.73926000A
   3V3_DAC_A current(17)=0.00018315A
   3V3_ADC_A current(18)=0.00030525A
   0V8_AON_A current(16)=0.00402930A
      HDMI_A current(22)=0.01111110A
 3V7_WL_SW_V volt(8)=3.71113200V
   3V3_SYS_V volt(9)=3.31003300V
   1V8_SYS_V volt(10)=1.79633500V
  DDR_VDD2_V volt(11)=1.09816100V
  DDR_VDDQ_V volt(12)=0.60915700V
   1V1_SYS_V volt(13)=1.10585600V
    0V8_SW_V volt(14)=0.80293670V
  VDD_CORE_V volt(15)=0.72061030V
   3V3_DAC_V volt(20)=3.31318800V
   3V3_ADC_V volt(21)=3.31074600V
   0V8_AON_V volt(19)=0.79609000V
      HDMI_V volt(23)=5.11416000V
     EXT5V_V volt(24)=5.13900000V
      BATT_V volt(25)=0.00000000V
"""


def test_rails_are_paired_by_name() -> None:
    reading = parse(IDLE)
    assert isinstance(reading, Reading)
    assert reading.watts == pytest.approx(1.6132, abs=1e-4)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ('error=1 error_msg="Command not registered"', "only a Raspberry Pi 5"),
        ("", "tells no rail"),
        ("VCHI initialization failed", "tells no rail"),
        ("\n".join(IDLE.splitlines()[:20]), "0V8_AON, 3V3_ADC, 3V3_DAC, HDMI: its"),
        (IDLE.replace("0.73926000A", "0.73.926A"), "no number for the rail VDD_CORE"),
    ],
)
def test_what_is_no_whole_answer_is_a_fault(answer: str, says: str) -> None:
    reading = parse(answer)
    assert isinstance(reading, Fault)
    assert says in reading.text


@settings(deadline=None)
@given(st.text() | st.lists(st.sampled_from(IDLE.splitlines())).map("\n".join))
def test_nothing_that_is_said_raises(answer: str) -> None:
    assert isinstance(parse(answer), Reading | Fault)


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    path = folder / "vcgencmd"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("exec sleep 60", "does not answer within"),
        ("echo 'Can not open /dev/vcio' >&2; exit 255", "the group video"),
        ("""echo 'error=1 error_msg="Command not registered"'; exit 255""", "not registered"),
    ],
)
def test_a_command_that_fails_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, says: str
) -> None:
    monkeypatch.setattr(pmic, "_TIMEOUT_S", 0.2)
    stand_in(tmp_path, monkeypatch, script)
    fault = Pmic().read()
    assert isinstance(fault, Fault)
    assert says in fault.text


def test_a_machine_without_the_command_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    fault = Pmic().read()
    assert isinstance(fault, Fault)
    assert "install vcgencmd" in fault.text
