"""Every setting with its group, and the error message for a refused value."""

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
    """Return the error message for a refused change of the default settings."""
    with pytest.raises(ConfigError) as refused:
        BSDConfig().with_settings(**settings)
    return str(refused.value)
