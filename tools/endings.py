"""How the tools end, and how their files appear. Shared by all of them that are written in Python, and by those of jobs.

Exit codes are engram's: 2 for what the user gave, 1 for the machine's fault (a full disk, a folder that may not be written to); besides, as shells have them, 130 for Ctrl-C and 143 for SIGTERM.
"""
import contextlib
import errno
import os
import secrets
import signal
import sys

MISTAKES = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG)  # names that cannot be meant
INTERRUPTED, TERMINATED = 130, 143
CALLED = os.environ.pop("ENGRAM_CALLED", "")  # the command that became this tool (engram watch): what messages begin with


def reason(error):
    """What an OSError says, in one line: HDF5 tells the system's words among many of its own."""
    text = os.strerror(error.errno) if error.errno else " ".join(str(error).split())
    return f"{error.filename}: {text}" if error.filename else text


def code_of(error):
    """The exit code that an OSError asks for."""
    return 2 if error.errno in MISTAKES else 1


def part_of(path):
    """A name that no other process has, on whichever node."""
    return f"{path}.{secrets.token_hex(4)}.part"


@contextlib.contextmanager
def whole(path):
    """The name to write a file under that is to appear as `path` when it is complete. Nothing is left of a file that did not become complete."""
    part = part_of(path)
    try:
        yield part
        if os.path.isdir(path):  # some systems let a file take the place of an empty one
            raise IsADirectoryError(errno.EISDIR, "", path)
        os.replace(part, path)
    except OSError as error:
        if error.filename not in (None, part, path):
            raise
        raise OSError(error.errno or errno.EIO, "", path) from None  # of the file that is meant
    finally:
        with contextlib.suppress(OSError):
            os.remove(part)


def try_out(path):
    """An OSError if no file of this name could be made: before work that would be lost."""
    part = part_of(path)
    try:
        open(part, "xb").close()
        os.remove(part)
    except OSError as error:
        raise OSError(error.errno, "", path) from None


def save_figure(figure, path, **more):
    """A figure of matplotlib; the ending of its name, or `format`, says what it becomes."""
    with whole(path) as part:
        figure.savefig(part, **{"format": os.path.splitext(path)[1][1:] or "png", **more})


def heed_sigterm():
    """SIGTERM ends the tool as an exit does: what is half written is removed on the way."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))


def end_of(error):
    """(line to print, '' if none, and exit code) of what ends a tool that did not mean to end; None of a bug."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", INTERRUPTED
    if isinstance(error, BrokenPipeError):  # of `tool | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return "", 1
    if isinstance(error, MemoryError):
        return "not enough memory", 1
    return (reason(error), code_of(error)) if isinstance(error, OSError) else None


def end_with(name, main, *words):
    """Exit with what main(*words) returns. Whatever ends it otherwise is one line, which begins with the tool's name, or with that of the command that became it."""
    heed_sigterm()
    try:
        sys.exit(main(*words))
    except (KeyboardInterrupt, MemoryError, OSError) as error:
        line, code = end_of(error)
        if line:
            print(f"{CALLED or name}: {line}", file=sys.stderr)
        sys.exit(code)
