"""The transcripts of pages in docs/ are what the program shows."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.multicast import alone_on_the_network


def load() -> Any:
    path = Path(__file__).with_name("transcripts.py")
    spec = importlib.util.spec_from_file_location("transcripts", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


transcripts = load()


@pytest.mark.parametrize("scene", transcripts.SCENES)
def test_a_scene_is_what_the_page_shows(scene: str) -> None:
    page = transcripts.page_of(scene).read_text()
    with alone_on_the_network():  # All scenes have the same people: bob could be another one's.
        shown = transcripts.put(page, scene, transcripts.play(scene))
    assert shown == page, "run: python tests/docs/transcripts.py --write"
