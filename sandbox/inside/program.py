"""How python code is run as a program: as the interpreter would, in a process that is a python already."""

from __future__ import annotations

import atexit
import gc
import os
import resource
import sys

from sandbox.inside.figures import forget_figures, save_figures

FILE_NAME = "<code>"
SPARE_BYTES = 4 << 20
"""What a python may take beyond the limit of its program, to say that this one has no memory left."""


def start(source: bytes) -> None:
    """Run `source` in a python that just started in the workspace, without site but with a module path."""
    sys.path[:] = sys.argv[2].split(":")
    add_builtins()
    prepare(os.getcwd())
    run_code(source, os.getcwd())


def add_builtins() -> None:
    """What a python without site lacks: exit, quit, help and their like."""
    import site

    for add in (site.setquit, site.setcopyright, site.sethelper):
        add()


def prepare(workspace: str) -> None:
    """Let a program find what it would as a script of the workspace: its module path, an empty `__main__`."""
    sys.argv = [""]
    sys.path.insert(0, workspace)
    # What was printed before a kill is worth having.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sys.modules["__main__"] = type(sys)("__main__")


def run_code(source: bytes, workspace: str) -> None:
    """Run `source` as the `__main__` module of a python that is prepared; does not return."""
    main = sys.modules["__main__"]
    code = 0
    try:
        forget_figures(workspace)
        exec(compile_source(source, "exec"), main.__dict__)
    except SystemExit as end:
        code = exit_code_of(end)
    except BaseException as error:
        show(error, source)
        code = 1
    leave(main.__dict__, code, workspace)


def compile_source(source, mode: str, flags: int = 0):  # type: ignore[no-untyped-def]
    """Compile bytes or a syntax tree as the interpreter does a file. Raises SyntaxError, for NULs too."""
    try:
        return compile(source, FILE_NAME, mode, flags, dont_inherit=True)
    except ValueError as error:
        raise SyntaxError(str(error)) from None


def exit_code_of(end: SystemExit) -> int:
    """The code the interpreter would exit with; anything but a number is printed and counts as 1."""
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        return end.code
    sys.stderr.write(f"{end.code}\n")
    return 1


def leave(namespace: dict[str, object], code: int, workspace: str) -> None:
    """Exit as the interpreter does, as far as a program can tell: threads joined, exit handlers run, objects
    finalized and so files closed, streams flushed. Only the modules are not torn down, which saves 4 ms.
    """
    try:
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()
        save_figures(workspace)
        atexit._run_exitfuncs()
        namespace.clear()
        gc.collect()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code & 0xFF)


def spare_memory(spare: bool) -> None:
    """Give this process the memory that is kept from the program, or keep it again."""
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    if hard != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_DATA, (hard if spare else hard - SPARE_BYTES, hard))


def show(error: BaseException, source: bytes) -> None:
    """Print the traceback without this package's frames and with the lines of `source`."""
    spare_memory(True)
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != FILE_NAME:
        trace = trace.tb_next
    error.__traceback__ = trace
    if sys.excepthook is not sys.__excepthook__:
        try:
            sys.excepthook(type(error), error, trace)
            return
        except Exception as worse:
            sys.stderr.write(f"Error in sys.excepthook: {worse!r}\n")
    try:
        import linecache
        import traceback

        text = source.decode(errors="replace")
        linecache.cache[FILE_NAME] = (len(text), None, text.splitlines(True), FILE_NAME)
        traceback.print_exception(type(error), error, trace)
    except (MemoryError, OSError):
        # The dead frames still hold what filled the memory.
        os.write(2, b"MemoryError\n")
