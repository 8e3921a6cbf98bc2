"""Holds the DICOM object to the standard, and to the printed report that it encapsulates."""

import subprocess
import sys
from pathlib import Path

exported, folder = Path(sys.argv[1]), Path(sys.argv[2])
tools = Path(sys.executable).parent

check = subprocess.run(
    [tools / "dciodvfy", exported], capture_output=True, text=True, check=False
)
said = (check.stdout + check.stderr).splitlines()
problems = [line for line in said if line.startswith(("Error", "Warning"))]
if check.returncode != 0 or "EncapsulatedPDF" not in said:
    problems.append(f"dciodvfy ended with {check.returncode}: {said}")

content = exported.read_bytes()
printed = (folder / "report.pdf").read_bytes()
at = content.find(printed)
if at < 0:
    problems.append("the encapsulated document is not report.pdf")

for problem in problems:
    print(problem, file=sys.stderr)
print(f"{len(content)} bytes, {len(problems)} problems (dciodvfy)")
sys.exit(1 if problems else 0)
