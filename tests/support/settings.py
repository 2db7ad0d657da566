"""Every setting with its group, and the sentence with which a value is refused."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from bsd_engine.config import settings as config
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import ConfigError

FIELDS = {f.name: group for group, kind in config.GROUPS.items() for f in dataclasses.fields(kind)}
"""Group of each setting by the setting's name."""


def refusal(**settings: Any) -> str:
    """The sentence with which a change of the default settings is refused."""
    with pytest.raises(ConfigError) as refused:
        BSDConfig().with_settings(**settings)
    return str(refused.value)
