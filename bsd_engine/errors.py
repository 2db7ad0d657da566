"""Errors that a user can act on: each message says what was found, what was expected and what to do."""


class BSDError(Exception):
    """Base of every error that this project raises on purpose; the message is one readable sentence."""


class ConfigError(BSDError):
    """A setting is outside its allowed range or contradicts another setting."""


class DataError(BSDError):
    """A data set is missing, unreadable or unfit for training."""


class TrainingError(BSDError):
    """Training cannot continue, for example because a loss is not a number."""


class RunFolderError(BSDError):
    """A run folder is missing, damaged, newer than this program or in use by another writer."""


class StorageError(BSDError):
    """A file cannot be written: the disk is full, permission is missing or the folder was deleted."""
