"""`cargo demo` without a terminal: it tells the release in its order, in plain lines, and exits with 0."""

import os
import subprocess
from pathlib import Path

from localcloud import ROOT, binary

ACTS = [
    " push ", "image-push: start api-service", "containerDefinitions[0].image: ", "by image-push",
    "reports Succeeded for AfterAllowTestTraffic", "reports Succeeded for BeforeAllowTraffic",
    "production listener: 90% to version 1, 10% to version 2",
    "production listener: 0% to version 1, 100% to version 2", " Succeeded", " live ",
]


def test_the_demo_ends_with_version_2_live(tmp_path):
    demo = Path(binary()).with_name("demo")
    environment = {"TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [demo], cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=220, check=False,
    )
    story = done.stdout + done.stderr
    assert done.returncode == 0, story
    assert "\x1b" not in story and "\r" not in story
    rest = story
    for act in ACTS:
        assert act in rest, f"{act!r} is missing or out of order in\n{story}"
        rest = rest.split(act, 1)[1]
    assert not list(tmp_path.iterdir()), "it left something behind"
