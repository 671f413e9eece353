"""Numbers about generated images; nothing here is downloaded. FID is what only Inception's features may be called."""

from typing import NamedTuple


class Measured(NamedTuple):
    """A number, how sure it is (NaN where that cannot be said), and all that it depends on besides the samples."""

    value: float
    stderr: float
    signature: str
