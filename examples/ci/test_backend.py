# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""A frontend and a backend in two domains, as pytest tests them: data, a forced
failure, and what a run leaves behind. docs/testing.md explains it."""

import os
import subprocess

import pytest

GNTDEV = os.environ.get("GNTDEV", "gntdev")
PROGRAMS = os.environ.get("PROGRAMS", ".")
LEFT = 123  # the status of a run that has left something, with --report


class Machine:
    """Domains that programs are started in; it lives as long as the test."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.started = []
        self.start("sleep", "infinity", report=False)

    def start(self, *command, domain=0, report=True, options=(), env=None):
        run = [GNTDEV, "run", "--machine", self.folder, "--domain", str(domain)]
        run += ["--report"] if report else []
        process = subprocess.Popen(
            run + list(options) + ["--"] + list(command),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
        )
        self.started.append(process)
        return process

    def front(self, domain):
        return self.start(PROGRAMS + "/front", "hello", "HELLO", domain=domain)

    def back(self, domain, *options, env=None):
        wait = "xenstore:/local/domain/%d/data/ready=1" % domain
        return self.start(
            PROGRAMS + "/back",
            str(domain),
            options=("--wait-for", wait) + options,
            env=env,
        )

    def end(self):
        for process in self.started:
            process.terminate()
            process.wait()


@pytest.fixture
def machine(tmp_path):
    machine = Machine(tmp_path / "machine")
    yield machine
    machine.end()


def test_both_do_their_part_and_leave_nothing(machine):
    front = machine.front(1)
    back = machine.back(1)
    assert back.communicate(timeout=30)[0] == "back: answered domain 1\n"
    assert front.communicate(timeout=30)[0] == "front: the answer is HELLO\n"
    assert (front.returncode, back.returncode) == (0, 0)


@pytest.mark.parametrize("status", [-1, -3, -9])
def test_a_backend_that_cannot_map_says_so(machine, status):
    machine.front(1)
    back = machine.back(1, "--fail", "map:1=%d" % status)
    assert "cannot map the page of domain 1" in back.communicate(timeout=30)[1]
    assert back.returncode == 2


def test_a_mapping_that_is_forgotten_is_reported(machine):
    machine.front(1)
    back = machine.back(1, env={"BACK_FORGETS": "1"})
    said = back.communicate(timeout=30)[1]
    assert back.returncode == LEFT
    assert "still mapped" in said and "(back)" in said
