"""Holds the printed report to the page beside it, and reads it back in order with pdftotext."""

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


page = (folder / "report.html").read_text(encoding="utf-8")


def told(fragment):
    return plain(html.unescape(re.sub(r"<[^>]+>", " ", fragment)))


def read(*options):
    """What pdftotext reads, soft hyphens left out."""
    command = ["pdftotext", *options, "-enc", "UTF-8", "-nopgbrk", folder / "report.pdf", "-"]
    text = subprocess.run(command, capture_output=True, check=True).stdout.decode("utf-8")
    return text.replace("\u00ad", "")


def line(text):
    """A heading: a line of its own."""
    return text, r"^\s*" + r"\s+".join(map(re.escape, text.split())) + r"\s*$"


def words(text):
    return text, r"\s+".join(map(re.escape, text.split()))


def amount(text):
    """A number and its unit may be set apart by the extraction."""
    return text, r"(?<![\w,.])" + r"\s*".join(map(re.escape, text.split())) + r"(?!\w)"


def in_order(text, expected, reading):
    """Each is to be found behind the one before; tells the first that is not."""
    at = 0
    for what, pattern in expected:
        found = re.compile(pattern, re.MULTILINE).search(text, at)
        if found is None:
            problems.append(f"{what} is not read in its place ({reading})")
            return
        at = found.end()


def rows(fragment):
    """Names and amounts of a list on the page, without what nobody measured."""
    # What a screen reader is told beside the number is not printed.
    fragment = re.sub(r'<span class="visually-hidden">.*?</span>', "", fragment)
    found = re.findall(
        r'<span class="name">(.*?)</span>.*?<span class="value"[^>]*>(.*?)'
        r'</span>(?=<span class="phrase">|</li>)',
        fragment,
    )
    return [(told(n), told(v)) for n, v in found if re.search(r"\d", v)]


# The parts of the page with their headings: first the overview, then a part for each
# parameter with its amount and those of the regions, then the rest.
parts = re.split(r'(?=<h2 id="(?:glance|[a-z]+-title)">)', page)[1:]
by_row, by_block, headings, regional = [], [], [], 0
plain_text, raw_text = read(), read("-raw")
for part in parts:
    heading = told(part[: part.index("</h2>")])
    if not re.search(line(heading)[1], plain_text, re.MULTILINE):
        continue  # The page's 3D view and its lists of every number are not in print.
    headings.append(heading)
    by_row.append(line(heading))
    by_block.append(line(heading))
    if lead := re.search(r'<p class="figure-line">(.*?)<span class="badge', part):
        by_row.append(amount(told(lead[1])))
        by_block.append(amount(told(lead[1])))
    if part.startswith('<h2 id="glance">'):
        listed = glance = rows(part[: part.index("</ul>")])
    elif 'class="by-region"' in part:
        listed = rows(part[part.index('class="by-region"') :].partition("</ul>")[0])
        regional += len(listed)
    else:
        listed = []
    for name, value in listed:
        by_row += [words(name), amount(value)]
        by_block.append(amount(value))

if len(glance) < 5:
    problems.append(f"the page tells {len(glance)} parameters at a glance")
if regional < 20:
    problems.append(f"the page tells {regional} amounts of regions")
if len(headings) < 8:
    problems.append(f"of the page's parts few are in print: {headings}")
# As a person reads who goes from block to block: a column of names, then one of numbers.
in_order(plain_text, by_block, "pdftotext")
# As the document says it: each number behind its name.
in_order(raw_text, by_row, "pdftotext -raw")

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
print(
    f"{len(reader.pages)} pages, {len(headings)} headings and {len(glance) + regional} amounts "
    f"in order, {len(problems)} problems (pypdf, pdftotext, pdfua)"
)
sys.exit(1 if problems else 0)
