"""Known vulnerabilities of the packages in a lock file, by every database that pip-audit knows.

    python .ci/vulnerabilities.py requirements.lock

Exit status 0 only if a database knows the packages and none of them is vulnerable. A database that cannot be reached,
or that skips packages, has said nothing about them: that is printed, and is no success.
"""

from __future__ import annotations

import json
import subprocess
import sys

DATABASES = ("pypi", "osv")


def asked(lock: str, database: str) -> tuple[dict[str, list[str]], list[str]] | str:
    """Return the vulnerabilities of each package that a database knows and the packages it skips; or why it did not
    answer."""
    words = ["--requirement", lock, "--require-hashes", "--disable-pip", "--progress-spinner", "off"]
    command = [sys.executable, "-m", "pip_audit", *words, "--format", "json", "--vulnerability-service", database]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return (done.stderr.strip().splitlines() or ["no answer"])[-1][:300]
    known = {p["name"]: [v["id"] for v in p["vulns"]] for p in packages if "vulns" in p}
    return known, [p["name"] for p in packages if "vulns" not in p]


def main(lock: str) -> int:
    """Ask each database; returns the exit status."""
    audited: set[str] = set()
    skipped: set[str] = set()
    vulnerable = False
    for database in DATABASES:
        answer = asked(lock, database)
        if isinstance(answer, str):
            print(f"{database}: not reached ({answer})")
            continue
        known, unknown = answer
        audited |= known.keys()
        skipped |= set(unknown)
        found = {name: ids for name, ids in known.items() if ids}
        vulnerable = vulnerable or bool(found)
        print(f"{database}: {len(known)} packages audited, {len(unknown)} not known there, {len(found)} vulnerable")
        for name, ids in found.items():
            print(f"  {name}: {', '.join(ids)}")
    if unknown_everywhere := skipped - audited:
        print(f"NOT KNOWN: {len(unknown_everywhere)} packages were audited by no database")
    if not audited:
        print("NOT KNOWN: no database could say anything about these packages")
    return int(vulnerable or not audited or bool(skipped - audited))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
