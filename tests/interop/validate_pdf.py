"""Holds the printed report to the page beside it, and reads it back in order."""

import html
import re
import subprocess
import sys
from pathlib import Path

from pypdf import PdfReader

folder = Path(sys.argv[1])
reader = PdfReader(folder / "report.pdf")
problems = []

if not 3 <= len(reader.pages) <= 4:
    problems.append(f"{len(reader.pages)} pages (expected 3 or 4)")

for number, sheet in enumerate(reader.pages, 1):
    if not sheet.extract_text().rstrip().endswith(f"{number} / {len(reader.pages)}"):
        problems.append(f"page {number} is not numbered")

attached = reader.attachments.get("fhir.json")
if attached != [(folder / "fhir.json").read_bytes()]:
    problems.append("the attached fhir.json is not the one beside the page")


def plain(text):
    """Single spaces, no soft hyphens."""
    return " ".join(text.replace("\u00ad", "").split())


printed = plain(" ".join(page.extract_text() for page in reader.pages))
page = (folder / "report.html").read_text(encoding="utf-8")


def told(fragment):
    return plain(html.unescape(re.sub(r"<[^>]+>", " ", fragment)))


headings = [told(h) for h in re.findall(r'<h2 id="(?:glance|[a-z]+-title)">(.*?)</h2>', page)]
overview = page[page.index('id="glance"') :]
overview = overview[: overview.index("</ul>")]
glance = [
    told(v) for v in re.findall(r'<span class="value">(.*?)</span><span class="phrase">', overview)
]
if len(glance) < 5:
    problems.append(f"the page tells {len(glance)} parameters at a glance")
for amount in glance:
    # A number and its unit may be set apart by the extraction.
    pattern = r"\s*".join(re.escape(part) for part in amount.split())
    if not re.search(pattern, printed):
        problems.append(f"{amount} is on the page and not in print")

# The parts follow each other as on the page: each is found behind the one before.
at = 0
for heading in (h for h in headings if h in printed):
    at = printed.find(heading, at)
    if at < 0:
        problems.append(f"{heading} does not stand in its place")
        break
    at += len(heading)
if sum(h in printed for h in headings) < 8:
    problems.append(f"of the page's parts few are in print: {headings}")

check = subprocess.run(
    [Path(sys.executable).with_name("pdfua"), "check", folder / "report.pdf"],
    capture_output=True,
    text=True,
    check=False,
)
if check.returncode != 0:
    problems.append(check.stdout + check.stderr)

for problem in problems:
    print(problem, file=sys.stderr)
print(f"{len(reader.pages)} pages, {len(glance)} amounts, {len(problems)} problems (pypdf, pdfua)")
sys.exit(1 if problems else 0)
