#!/usr/bin/env python3
"""Counts the instructions of hot functions and of whole proxied requests, and compares them with benches/instructions.toml.

    instructions.py            fails where something takes over 5 % more than the baseline
    instructions.py --renew    writes the baseline anew

Instructions repeat to the thousandth where times do not. Processor features are hidden, so that another machine of the same
architecture counts the same. Another compiler or C library does not: then differences are told and nothing fails, and
whoever exchanges them renews the baseline. Needs valgrind (tests/setup installs it) and no Python packages.
"""
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import tomllib

import whole

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BASELINE = os.path.join(ROOT, "benches", "instructions.toml")
RENEW = "python3 benches/instructions.py --renew"
LIMIT = 0.05
COUNTED = "instructions::counted"
# glibc and aws-lc choose among variants by what the processor can; these are the ones that all of an architecture have.
PLAIN = {
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX,-AVX2,-AVX512F,-AVX512VL,-AVX512BW,-BMI2,-ERMS,-FSRM,-RTM",
    "OPENSSL_ia32cap": "~0x1000180040000000:~0xffffffffffffffff",
}


def output(*argv, **more):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT, **more).stdout


def built():
    """Paths of the gateway and of what calls its functions."""
    made = output("cargo", "build", "--release", "--locked", "--bin", "dariet-gateway", "--bench", "instructions",
                  "--message-format=json-render-diagnostics")
    found = {}
    for line in made.splitlines():
        artifact = json.loads(line)
        if artifact.get("executable"):
            found[artifact["target"]["name"]] = artifact["executable"]
    return found["dariet-gateway"], found["instructions"]


def toolchain():
    """What the counts depend on besides our own code."""
    compiler = re.search(r"^release: (.*)", output("rustc", "-vV"), re.M).group(1)
    # mimalloc and parts of aws-lc are C.
    c_compiler = output(os.environ.get("CC", "cc"), "-dumpversion").strip()
    return {"architecture": platform.machine(), "rustc": compiler, "cc": c_compiler, "libc": " ".join(platform.libc_ver())}


def functions(binary):
    """Instructions of a call, by name."""
    counts = {}
    with tempfile.TemporaryDirectory(prefix="instructions-") as folder:
        out = folder + "/out"
        said = output("valgrind", "-q", "--tool=callgrind", "--callgrind-out-file=" + out, "--toggle-collect=" + COUNTED,
                      "--dump-after=" + COUNTED, binary, env={**os.environ, **PLAIN})
        cases = re.findall(r"^case (\d+) (.+)$", said, re.M)
        for number, (times, name) in enumerate(cases, 1):
            try:
                counts[name] = round(whole.total("%s.%d" % (out, number)) / int(times))
            except FileNotFoundError:
                sys.exit("callgrind has not found the function %s: is it still called so?" % COUNTED)
    return counts


def write(counts, tools):
    with open(BASELINE, "w") as file:
        file.write("# Instructions of one call or one request, written by `%s`.\n\n[toolchain]\n" % RENEW)
        file.writelines('%s = "%s"\n' % pair for pair in tools.items())
        file.write("\n[instructions]\n")
        file.writelines('"%s" = %d\n' % pair for pair in counts.items())


def compared(counts, before):
    """Prints each, and answers what takes too much more."""
    dearer = []
    for name, count in counts.items():
        was = before.get(name)
        change = count / was - 1 if was else 0
        print("%-34s %9s  %s" % (name, "{:,}".format(count), "%+.1f %%" % (100 * change) if was else "new"))
        if not was:
            dearer.append("%s is not in the baseline" % name)
        elif change > LIMIT:
            told = "%s takes {:,} instructions, %.1f %% more than the {:,} of the baseline" % (name, 100 * change)
            dearer.append(told.format(count, was))
        elif change < -LIMIT:
            print("    %.1f %% less than the baseline: renew it to keep that (%s)" % (-100 * change, RENEW))
    return dearer


def main():
    gateway, bench = built()
    tools = toolchain()
    counts = functions(bench)
    requests = whole.count(gateway, PLAIN)
    if sys.argv[1:] == ["--renew"]:
        return write({**counts, **requests}, tools)
    with open(BASELINE, "rb") as file:
        baseline = tomllib.load(file)
    before = baseline["instructions"]
    # A disturbed machine can wake the gateway more often, never less: what is too much is counted once more.
    if any(count > (1 + LIMIT) * before.get(name, count) for name, count in requests.items()):
        again = whole.count(gateway, PLAIN)
        requests = {name: min(count, again[name]) for name, count in requests.items()}
    dearer = compared({**counts, **requests}, before)
    dearer += ["%s is in the baseline and was not counted" % name for name in before if name not in counts | requests]
    others = ["%s is %s (baseline: %s)" % (name, tool, baseline["toolchain"].get(name)) for name, tool in tools.items()
              if tool != baseline["toolchain"].get(name)]
    for told in dearer:
        print("instructions: " + told, file=sys.stderr)
    if others:
        print("instructions: nothing fails, for other tools count otherwise: %s. To hold on to today's counts with them: %s"
              % (", ".join(others), RENEW), file=sys.stderr)
    elif dearer:
        sys.exit("instructions: find out why (callgrind_annotate shows where), or where it is worth its price say so in the "
                 "commit and renew the baseline: " + RENEW)


if __name__ == "__main__":
    main()
