"""What comments and guides cite is in the repository: files by their names, sections of the READMEs of systems by their numbers, checks by theirs, pages by links."""
import os
import re

from engram_test import run_tests

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
SECTIONS = r"\d+(?:\.\d+)*"


def files(*folders):
    """Paths from ROOT of all files below these folders, without those that a build or a run left there."""
    found = []
    for folder in folders:
        for where, below, names in os.walk(os.path.join(ROOT, folder)):
            below[:] = [name for name in below if not name.startswith((".", "__", "build"))]
            found += [os.path.relpath(os.path.join(where, name), ROOT) for name in names]
    return sorted(found)


def text_of(path):
    with open(os.path.join(ROOT, path), errors="replace") as file:
        return file.read()


def comments(path):
    """(line, text) of every C comment; texts in quotes are none."""
    text = text_of(path)
    for match in re.finditer(r'"(?:\\.|[^"\\\n])*"|/\*.*?\*/|//[^\n]*', text, re.S):
        if not match[0].startswith('"'):
            yield text.count("\n", 0, match.start()) + 1, match[0]


def test_files(bench):
    """Every *.md, *.c, *.h and *.py that a comment names is the end of some file's path. NAME stands for any name."""
    ends = set()
    for path in files("."):
        parts = path.split(os.sep)
        ends |= {"/".join(parts[n:]) for n in range(len(parts))}
    missing, seen = [], 0
    for path in files("src", "include"):
        if not path.endswith((".c", ".h", ".c.in")):
            continue
        for line, text in comments(path):
            for name in re.findall(r"(?<![\w./*-])(?:\.\./)*((?:[\w-]+/)*[\w-]+\.(?:md|c|h|py))(?![\w*/-])", text):
                seen += 1
                if "NAME" not in name and name not in ends:
                    missing.append(f"{path}, comment at line {line}: there is no {name}")
    assert seen > 100, f"only {seen} names of files were found in comments"
    assert not missing, "\n".join(missing)


def cited(text):
    """(system, section) of every citation like: patterns/README.md 1.2, 3.6; 7"""
    for system, numbers in re.findall(rf"(\w+)/README\.md ({SECTIONS}(?:(?:, |; | and ){SECTIONS})*)", text):
        for number in re.findall(SECTIONS, numbers):
            yield system, number


def test_sections(bench):
    """Sections that are cited have a heading."""
    systems = os.path.join("src", "systems")
    headings = {name: set(re.findall(rf"^#+ ({SECTIONS}) \S", text_of(os.path.join(systems, name, "README.md")), re.M))
                for name in os.listdir(os.path.join(ROOT, systems)) if os.path.isfile(os.path.join(ROOT, systems, name, "README.md"))}
    tables = {name: set(re.findall(rf"^\| ({SECTIONS}) \|", text_of(os.path.join(systems, name, "README.md")), re.M)) for name in headings}
    missing, seen = [], 0
    for path in files("src", "include", "tests", "tools", "jobs"):
        for system, number in cited(text_of(path)):
            if system in headings and path != os.path.join("tests", "unit", os.path.basename(__file__)):
                seen += 1
                if number not in headings[system] | tables[system]:
                    missing.append(f"{path}: {system}/README.md has no section {number}")
    assert seen > 40, f"only {seen} citations were found"
    assert not missing, "\n".join(missing)


def test_checks(bench):
    """Numbers of checks that tests give are those of the table of patterns/README.md; what it says of where they are is so."""
    table = re.findall(r"^\| (V\d[^|]*)\|.*\|([^|]*)\|$", text_of(os.path.join("src", "systems", "patterns", "README.md")), re.M)
    known = set()
    for names, _ in table:
        first, last = int(re.findall(r"V(\d+)", names)[0]), int(re.findall(r"V(\d+)", names)[-1])
        known |= set(range(first, last + 1)) if " to " in names else {int(number) for number in re.findall(r"V(\d+)", names)}
    for path in files("tests", "jobs"):
        if path.endswith((".c", ".py", os.sep + "check")) and os.path.basename(path) != os.path.basename(__file__):
            unknown = {int(number) for number in re.findall(r"\bV(\d+)\b", text_of(path))} - known
            assert not unknown, f"{path}: {unknown}"
    for names, where in table:
        for name in re.findall(r"`([^`]*)`", where):
            assert any(os.path.exists(os.path.join(ROOT, folder, name)) for folder in ("", "tests")), f"{names}: there is no {name}"


def anchors(path):
    """What a link to a heading of this page may end in."""
    headings = re.findall(r"^#+ (.*)$", text_of(path), re.M)
    return {re.sub(r"[^\w -]", "", heading.replace("`", "")).strip().lower().replace(" ", "-") for heading in headings}


def test_links(bench):
    """Every link of a guide leads to a file, or heading, of the repository; what is installed keeps the folders (tools/share/CMakeLists.txt), so that the links hold there, too."""
    missing, seen = [], 0
    for path in [path for path in files(".") if path.endswith(".md")]:
        for target in re.findall(r"(?:\]\(|<img src=\")([^()\s\"]+)[)\"]", re.sub(r"`[^`\n]*`", "", text_of(path))):
            if not re.match(r"https?:", target):
                name, _, heading = target.partition("#")
                to = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
                seen += 1
                if not os.path.isfile(os.path.join(ROOT, to)) or (heading and heading not in anchors(to)):
                    missing.append(f"{path}: there is no {target}")
    assert seen > 60, f"only {seen} links were found"
    assert not missing, "\n".join(missing)


def test_front_door(bench):
    """README.md stays two pages; it leads to every system and guide, its parameter file is that of the job, and scripts that guides show are there."""
    text = text_of("README.md")
    assert len(text.split()) <= 1200, f"README.md has {len(text.split())} words: what is long goes into the guides"
    for path in files("jobs", "src", "tests", "tools"):
        if re.fullmatch(r"(jobs|src|src/systems(/\w+)?|tests|tools|tools/bench)/README\.md", path):
            assert f"]({path})" in text, f"README.md has no link to {path}"
    shown = "".join(re.findall(r"^    (\w+: +\{.*\}\n)", text, re.M))
    assert shown and shown in text_of("jobs/sinusoids/parameters.yaml"), f"README.md shows another file than jobs/sinusoids/parameters.yaml:\n{shown}"
    for path in files("."):
        if path.endswith(".md"):
            for name in re.findall(r"^    (?:[A-Z_]+=\S+ )*((?:tools|jobs)/[\w/-]+(?:\.\w+)?)", text_of(path), re.M):
                assert os.path.exists(os.path.join(ROOT, name)), f"{path} shows {name}, which is not there"


run_tests([test_files, test_sections, test_checks, test_links, test_front_door])
