"""The descriptor pool that the farm's generated code registers in.

It is not protobuf's default pool, because tritonclient registers its own definition of
package `inference` there and one pool refuses a second one: whoever imported both would
get a `duplicate symbol` error. In a pool of their own our messages work beside
tritonclient's in one process.

What follows from it:

- Server reflection must be handed this pool, with the files of the other services that
  it lists (health, reflection itself) added to it.
- Messages of two pools are different classes even where their names agree, so they are
  exchanged as bytes.
- It takes protobuf's compiled runtime. The pure-Python fallback registers every generated
  message in the default pool too; there the farm works, but not beside tritonclient.
"""

from typing import Final

from google.protobuf.descriptor_pool import DescriptorPool

POOL: Final = DescriptorPool()
