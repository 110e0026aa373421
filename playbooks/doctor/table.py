"""Every check of a host, in the order in which they are shown."""

from typing import Final

from playbooks.doctor.access import ACCESS
from playbooks.doctor.clock import CLOCKS
from playbooks.doctor.farm import FARM
from playbooks.doctor.network import NETWORKING
from playbooks.doctor.power import POWER
from playbooks.doctor.storage import STORAGE, WRITING
from playbooks.doctor.system import SYSTEM

# Whether a host can become part of a farm; asked before anything is installed, so cheap.
FITNESS: Final = (*ACCESS, *SYSTEM, *STORAGE, *CLOCKS, *NETWORKING, *POWER)

# What only a doctor asks: it writes to the card, and looks at what a bootstrap would mend.
EVERYTHING: Final = (*FITNESS, WRITING, *FARM)
