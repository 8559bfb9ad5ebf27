#!/usr/bin/env python3
"""Adds up test results: Meson's JSON logs and TAP files. Names what failed, ends with
"N passed, N failed".

A run that crashed, timed out, printed no result or left no file counts as one failure: the
runner's own exit code is not believed."""
import json
import re
import sys

TAP = re.compile(r"^(ok|not ok)\b[ \t]*(.*)$", re.MULTILINE)
SKIPPED = re.compile(r"#\s*skip", re.IGNORECASE)


def count_tap(text):
    """Returns (passed, names of the failed)."""
    passed, failed = 0, []
    for word, name in TAP.findall(text):
        if SKIPPED.search(name):
            continue
        if word == "ok":
            passed += 1
        else:
            failed.append(name)
    return passed, failed


def count_program(entry):
    good = entry["result"] in ("OK", "EXPECTEDFAIL")
    passed, failed = count_tap(entry.get("stdout") or "")
    if entry["result"] == "SKIP":
        return 0, []
    if passed + len(failed) == 0 and "--tap" not in entry["command"]:
        return (1, []) if good else (0, [entry["result"]])
    if not failed and (not good or passed == 0):
        failed.append("%s, exit code %s" % (entry["result"], entry.get("returncode")))
    return passed, failed


def count_file(path):
    try:
        text = open(path, encoding="utf-8", errors="replace").read()
    except OSError as error:
        return 0, [str(error)]
    if path.endswith(".json"):
        passed, failed = 0, []
        for line in text.splitlines():
            entry = json.loads(line)
            p, f = count_program(entry)
            passed += p
            failed += ["%s: %s" % (entry["name"], name) for name in f]
    else:
        passed, failed = count_tap(text)
    if passed + len(failed) == 0:
        failed.append("no result")
    return passed, failed


def main(paths):
    passed, failed = 0, 0
    for path in paths:
        p, f = count_file(path)
        for name in f:
            print("FAILED %s: %s" % (path, name))
        print("%-28s %5d passed %3d failed" % (path.split("/")[-1], p, len(f)))
        passed += p
        failed += len(f)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
