"""What a trace calls itself, for those who write one and those who read it.

One JSON object a line, each with the next sequence number `seq` from 0. The first says
`format`, `version` and the `farm` that wrote it; the others when it was (`at`, seconds since
the recording began) and what `kind` of thing happened.
"""

from typing import Final

FORMAT: Final = "bramble-farm-trace"
VERSION: Final = 1
