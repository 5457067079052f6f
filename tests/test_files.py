"""Files appear whole or not at all, wherever their path leads."""

import errno
import multiprocessing
import os
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from skdistill import _files
from skdistill._files import list_versions, write_file, write_files

posix = pytest.mark.skipif(os.name != "posix", reason="needs the files of POSIX")


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_and_one_that_is_replaced(tmp_path):
    path = tmp_path / "a"
    for content in (b"first, longer", b"second"):
        write_file(path, content)
        assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["a"]


def test_a_relative_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_file("a", b"here")
    assert (tmp_path / "a").read_bytes() == b"here"


def test_the_longest_name_that_the_system_takes(tmp_path):
    path = tmp_path / ("a" * 255)
    write_file(path, b"long")
    assert path.read_bytes() == b"long"


@posix
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_new_file_has_the_mode_of_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_file(tmp_path / "a", b"")
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "a") == 0o666 & ~umask


@posix
@pytest.mark.parametrize("mode", [0o600, 0o755, 0o664])
def test_a_file_that_is_replaced_keeps_its_mode(tmp_path, mode):
    path = tmp_path / "a"
    path.touch()
    path.chmod(mode)
    write_file(path, b"new")
    assert mode_of(path) == mode
    assert path.read_bytes() == b"new"


@posix
@pytest.mark.parametrize("dangling", [False, True])
def test_a_link_stays_a_link(tmp_path, dangling):
    for folder in ("links", "files"):
        (tmp_path / folder).mkdir()
    link, target = tmp_path / "links" / "link", tmp_path / "files" / "target"
    if not dangling:
        target.write_bytes(b"old")
        target.chmod(0o640)
    link.symlink_to("../files/target")
    write_file(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert dangling or mode_of(target) == 0o640
    assert os.listdir(tmp_path / "links") == ["link"]
    assert os.listdir(tmp_path / "files") == ["target"]


@posix
def test_a_fifo_is_written_to_and_stays(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    received = []
    reader = threading.Thread(target=lambda: received.append(path.read_bytes()))
    reader.start()
    write_file(path, b"through")
    reader.join()
    assert received == [b"through"]
    assert stat.S_ISFIFO(path.stat().st_mode)


@posix
def test_a_device_is_written_to_and_stays():
    write_file(os.devnull, b"gone")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


# Loads the module alone, for the package takes its time.
WRITE_TO_A_STREAM = f"""
import runpy, sys
print("before")
runpy.run_path({_files.__file__!r})["write_file"](sys.argv[1], b"content\\n")
print("after")
"""


@posix
@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/fd/1", "/dev/stderr"])
@pytest.mark.parametrize("redirected", [False, True])
def test_standard_streams_go_on_after_what_was_printed(tmp_path, path, redirected):
    command = [sys.executable, "-c", WRITE_TO_A_STREAM, path]
    if redirected:
        # A regular file, which must not be replaced: the next line goes there, too.
        with open(tmp_path / "log", "wb") as log:
            subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=True)
        printed = (tmp_path / "log").read_bytes()
    else:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        printed = subprocess.run(command, **pipes, check=True).stdout
    assert printed == b"before\ncontent\nafter\n"


def test_threads_that_write_one_path_leave_a_whole_file(tmp_path):
    path = tmp_path / "a"
    contents = [bytes([65 + k]) * (10_000 + k) for k in range(16)]
    wrong = []

    def write(content):
        for _ in range(32):
            write_file(path, content)
            if path.read_bytes() not in contents:
                wrong.append(content[:1])

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(write, contents))
    assert not wrong
    assert os.listdir(tmp_path) == ["a"]


def write_often(path, letter):
    for _ in range(100):
        write_file(path, letter * 100_000)


@posix
def test_processes_that_write_one_path_leave_a_whole_file(tmp_path):
    path, letters = tmp_path / "a", (b"A", b"B")
    contents = [letter * 100_000 for letter in letters]
    path.write_bytes(contents[0])
    start = multiprocessing.get_context("fork").Process
    writers = [start(target=write_often, args=(path, letter)) for letter in letters]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert path.read_bytes() in contents
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("failing", ["chmod", "replace"])
def test_nothing_is_left_after_an_error(tmp_path, monkeypatch, error, failing):
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def fail(*_):
        raise error

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(type(error)):
        write_files({path: b"new", tmp_path / "b": b"new"})
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize(
    ("name", "code"),
    [("no folder/a", errno.ENOENT), ("file/a", errno.ENOTDIR), ("", errno.EISDIR)],
)
@posix
def test_an_error_names_the_target_and_leaves_the_others(tmp_path, name, code):
    (tmp_path / "file").touch()
    path = tmp_path / name
    with pytest.raises(OSError, match=str(path)) as raised:
        write_files({tmp_path / "b": b"new", path: b"new"})
    assert raised.value.errno == code
    assert raised.value.filename == str(path)
    assert os.listdir(tmp_path) == ["file"]


def test_versions_of_what_is_installed():
    versions = list_versions(["numpy", "no-such-package"])
    assert sorted(versions) == ["numpy", "python"]
    assert versions["python"] == ".".join(map(str, sys.version_info[:3]))
