"""Which lines of the firmware a corpus reaches, by clang's own counts."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from priot_hil.harness.clang import tool_beside

ROOMS = ("link", "engine")

Coverage = dict[str, tuple[int, int]]  # "link/priot_link.c" -> lines reached, lines


def measure(clang: Path, program: Path, corpus: Path) -> Coverage | None:
    """Run each input of a corpus once and count lines, file by file.

    Args:
        clang: The clang that built the program.
        program: A libFuzzer program.
        corpus: A folder of inputs that do not break it.

    Returns:
        Lines reached and lines in all of each source of ROOMS; None where llvm-cov or llvm-profdata is missing, or an
        input broke the program, so that it wrote no counts.
    """
    profdata, cov = tool_beside(clang, "llvm-profdata"), tool_beside(clang, "llvm-cov")
    if profdata is None or cov is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        raw, merged = Path(folder) / "raw", Path(folder) / "merged"
        environment = os.environ | {"LLVM_PROFILE_FILE": str(raw)}
        command = [str(program), "-runs=0", f"-artifact_prefix={folder}/", str(corpus)]
        subprocess.run(command, env=environment, capture_output=True, check=False)
        if not raw.exists():
            return None
        subprocess.run([profdata, "merge", "-o", merged, raw], capture_output=True, check=True)
        export = [str(cov), "export", "-summary-only", f"-instr-profile={merged}", str(program)]
        report = json.loads(subprocess.run(export, capture_output=True, check=True).stdout)
    found: Coverage = {}
    for file in report["data"][0]["files"]:
        path, lines = Path(file["filename"]), file["summary"]["lines"]
        if path.parent.name in ROOMS and path.suffix == ".c":
            found[f"{path.parent.name}/{path.name}"] = (lines["covered"], lines["count"])
    return dict(sorted(found.items(), reverse=True))
