"""Errors a user can act on: each message says what was found, what was expected and what to do."""


class BSDError(Exception):
    """Base of every error this project raises on purpose; its text is one readable sentence."""


class ConfigError(BSDError):
    """A setting is outside its allowed range or contradicts another setting."""


class DataError(BSDError):
    """A data set is missing, unreadable or unfit for training."""


class TrainingError(BSDError):
    """Training cannot go on, for example because a loss is not a number."""


class RunFolderError(BSDError):
    """A run folder is missing, broken, newer than this program or in use by another writer."""


class StorageError(BSDError):
    """The run folder cannot be written: disk full, no permission, folder deleted."""
