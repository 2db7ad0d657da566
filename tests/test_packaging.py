"""What is shipped besides the code: locked packages, the container and the page on security agree with the project."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text()
CONTAINER = (ROOT / "Containerfile").read_text()


def pins(text: str) -> dict[str, set[str]]:
    """Versions of each package in a list of requirements; a locked one may differ between platforms."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", text, re.MULTILINE):
        found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), set()).add(version)
    return found


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Containerfile, with their continued lines joined."""
    lines = [line for line in CONTAINER.splitlines() if line.strip() and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in joined)]


# --- locked packages ---


def test_every_pin_is_locked_at_the_same_version() -> None:
    wanted, locked = pins((ROOT / "requirements.txt").read_text()), pins(LOCK)
    assert {name: locked.get(name) for name in wanted} == wanted
    assert len(locked) > 2 * len(wanted)


def test_every_locked_package_has_digests_and_no_place() -> None:
    entries = re.split(r"^(?=[A-Za-z0-9])", LOCK, flags=re.MULTILINE)[1:]  # without the comment at the top
    assert len(entries) == sum(map(len, pins(LOCK).values()))
    assert [entry.splitlines()[0] for entry in entries if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry)] == []
    assert not re.search(r"https?:|--index|--extra|--find-links|--trusted|file:| @ ", LOCK)


def test_what_runs_the_tests_is_locked() -> None:
    """The versions that are installed here are those of the lock file, so the tests are about these."""
    from importlib.metadata import PackageNotFoundError, version

    locked, other = pins(LOCK), {}
    for name in pins((ROOT / "requirements.txt").read_text()):
        try:
            installed = version(name).partition("+")[0]
        except PackageNotFoundError:
            continue
        if installed not in locked[name]:
            other[name] = installed
    assert other == {}


# --- the container ---


def test_base_images_are_pinned() -> None:
    bases = [rest.split()[0] for word, rest in instructions() if word == "FROM"]
    assert len(bases) == 2
    assert all(re.fullmatch(r"[a-z/.]+:\d+\.\d+\.\d+-[a-z-]+(@sha256:[0-9a-f]{64})?", base) for base in bases)


def test_the_container_does_not_run_as_root() -> None:
    last = [rest for word, rest in instructions() if word in ("USER", "CMD", "FROM")][-2:]
    assert re.fullmatch(r"[1-9]\d{3,}", last[0]) and last[1].startswith("[")


def test_nothing_is_fetched_by_the_container_but_locked_packages() -> None:
    words = [word for word, _ in instructions()]
    commands = " ; ".join(rest for word, rest in instructions() if word == "RUN")
    assert "ADD" not in words and not re.search(r"curl|wget|git clone|https?://|--index|apt", commands)
    for install in re.findall(r"pip install [^&;]*", commands):
        assert "--require-hashes" in install or "--no-deps" in install


def test_the_container_holds_no_secret() -> None:
    assert not re.search(r"(?i)token|secret|password|api_?key|--mount", "\n".join(rest for _, rest in instructions()))


def test_all_that_is_kept_lies_in_volumes() -> None:
    kept = json.loads(next(rest for word, rest in instructions() if word == "VOLUME"))
    environment = dict(pair.split("=", 1) for word, rest in instructions() if word == "ENV" for pair in rest.split())
    places = {environment[name] for name in ("BSD_RUNS", "BSD_STATE", "BSD_DATA", "HOME")}
    assert places == set(kept) == {"/runs", "/state", "/cache"}


def test_the_container_is_asked_whether_it_is_well_and_its_port_is_published_on_this_machine_only() -> None:
    assert "/_stcore/health" in next(rest for word, rest in instructions() if word == "HEALTHCHECK")
    assert CONTAINER.count("0.0.0.0") == 1 and "--publish 127.0.0.1:8501:8501" in CONTAINER


# --- vulnerabilities ---


@pytest.mark.parametrize(
    ("answers", "status", "said"),
    [
        ({"pypi": "no network", "osv": "no network"}, 1, "NOT KNOWN: no database could say anything"),
        ({"pypi": ({}, ["torch"]), "osv": "no network"}, 1, "NOT KNOWN: 1 packages were audited by no database"),
        ({"pypi": ({}, ["torch"]), "osv": ({"torch": []}, [])}, 0, "osv: 1 packages audited"),
        ({"pypi": ({"torch": ["X-1"]}, []), "osv": "no network"}, 1, "torch: X-1"),
    ],
)
def test_silence_of_the_databases_is_no_success(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, answers: dict, status: int, said: str
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / ".ci"))
    import vulnerabilities

    monkeypatch.setattr(vulnerabilities, "asked", lambda lock, database: answers[database])
    assert vulnerabilities.main("requirements.lock") == status
    assert said in capsys.readouterr().out


def test_scripts_of_the_shell_are_well_formed() -> None:
    for name in ("container", "nightly", "run", "package"):
        assert subprocess.run(["bash", "-n", ROOT / ".ci" / name], timeout=20).returncode == 0


def test_the_page_on_security_leads_on() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    assert "security advisories" in text and not re.search(r"[\w.]+@[\w.]+", text)
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert (ROOT / link).exists()
