"""The provider that the documentation makes passes the suite, in a test file as a user has it."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.docs.test_code_blocks import ROOT, blocks_of


def test_the_pages_provider_passes_the_suite(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "providers" / "adding.md").read_text(encoding="utf-8")
    program = tmp_path / "test_brook.py"
    program.write_text("\n".join(block.code for block in blocks_of(page)), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", program.name],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    reasons = re.findall(r"not applicable: .*", done.stdout)
    assert reasons == ["not applicable: has_tools: it has none"]
    assert re.search(r"\d\d passed, 2 skipped", done.stdout)
