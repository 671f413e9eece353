"""The errors a user can cause. Each message says what came, what was expected, and what to do."""


class SeqGANError(Exception):
    """Any error that is told in one line instead of a traceback."""

    exit_code = 1


class UsageError(SeqGANError):
    """The command or its options cannot be carried out as given."""

    exit_code = 2


class ConfigError(UsageError):
    """A hyper-parameter is unknown, of the wrong type, or out of range."""


class CorpusError(UsageError):
    """A text file or a corpus cannot be read, or holds too little."""


class DataError(UsageError):
    """Images or their labels cannot be read, or are not what a command needs."""


class RunError(UsageError):
    """A run directory is missing, in use, foreign, or was made with other options."""


class CheckpointError(RunError):
    """A checkpoint is damaged, foreign, or belongs to another model."""


class StorageError(SeqGANError):
    """The disk refused: full, read-only, or not ours."""


class LostError(SeqGANError):
    """Other processes that took part in the training are gone."""


class DivergedError(SeqGANError):
    """A loss or a weight became NaN or infinite."""
