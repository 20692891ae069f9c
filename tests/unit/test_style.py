"""What the sources keep to (src/README.md, Conventions): lines of at most 160 characters without blanks at their ends, and functions of at most 7 arguments."""
import os
import re

from engram_test import run_tests

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
LINE, ARGUMENTS = 160, 7
FOLDERS = ["include", "src", "tests", "tools"]
OF_OTHERS = {"Cpsgemr2d", "Cpdgemr2d", "sgemm_", "dgemm_", "pssymv_", "pssyr_", "dsyev_"}  # declarations of functions that libraries define


def sources():
    """(path, text) of C sources; paths from ROOT."""
    for folder in FOLDERS:
        for where, below, names in os.walk(os.path.join(ROOT, folder)):
            below[:] = sorted(name for name in below if not name.startswith("build"))
            for name in sorted(names):
                if name.endswith((".c", ".h", ".c.in")):
                    path = os.path.join(where, name)
                    with open(path) as file:
                        yield os.path.relpath(path, ROOT), file.read()


def without_comments(text):
    """The same number of lines; texts in quotes become empty."""
    def blank(match):
        return '""' if match[0].startswith('"') else re.sub(r"[^\n]", " ", match[0])
    return re.sub(r'"(?:\\.|[^"\\\n])*"|/\*.*?\*/|//[^\n]*', blank, text, flags=re.S)


def functions(text):
    """(line, name, arguments) of what is declared or defined: NAME(...) behind a type, with parameters that have types, before { or ; - hooks of structs, too."""
    text = without_comments(text)
    for match in re.finditer(r"[\w*] +\*{0,2}(\w[\w#]*)\(|\(\*(\w+)\)\(", text):
        depth, ends, place = 1, [match.end() - 1], match.end()
        while place < len(text) and depth:
            depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(text[place], 0)
            if depth == 0 or (text[place] == "," and depth == 1):
                ends.append(place)
            place += 1
        behind = re.match(r"\s*(\{|;|\\?\s*\n|__attribute__)", text[place:])
        arguments = [text[begin + 1:end] for begin, end in zip(ends, ends[1:])]
        if behind and all(re.match(r"\s*(?:\\\s*)*(?:const |struct |enum |unsigned )*\w+[\s*]+(?:const |restrict |\()*\*?\w*|\s*\.\.\.$|\s*void$", part) for part in arguments):
            yield text.count("\n", 0, match.start()) + 1, match[1] or match[2], len(arguments)


def test_lines(bench):
    lines = [(f"{path}:{number}", line) for path, text in sources() for number, line in enumerate(text.splitlines(), 1)]
    wrong = [f"{place}: {len(line)} characters" for place, line in lines if len(line) > LINE] + [f"{place}: ends in a blank" for place, line in lines if line != line.rstrip()]
    assert not wrong, "\n".join(wrong)


def test_arguments(bench):
    seen, many = 0, []
    for path, text in sources():
        for line, name, arguments in functions(text):
            seen += 1
            if arguments > ARGUMENTS and name not in OF_OTHERS:
                many.append(f"{path}:{line}: {name} has {arguments} arguments")
    assert seen > 1000, f"only {seen} functions were found"
    assert not many, "\n".join(many)


def test_what_is_found(bench):
    """The search itself."""
    text = "static int *f(int a, const char *b,\n  double c[2]) {\n  g(a, b, c[0], 1, 2, 3, 4, 5);\n}\nvoid g(void);\nint fold(void *self, int (*step)(void *, int), int n);\nstruct s { void (*hook)(void *self, int64_t n); };\n/* int h(int a) { */\n"
    assert list(functions(text)) == [(1, "f", 3), (5, "g", 1), (6, "fold", 3), (7, "hook", 2)], list(functions(text))


run_tests([test_lines, test_arguments, test_what_is_found])
