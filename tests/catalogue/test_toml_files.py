"""Where a name leads, and what is read there: whatever a file is, it becomes a table or one clear fault."""

import os
from pathlib import Path

import pytest

from capsaudit.catalogue.toml_files import LARGEST_FILE_BYTES, MOST_DOTS, Kind, exists, locate, read_table, shipped
from capsaudit.errors import CapsauditError, FileError, UnknownVariantError


def fault_of(content: bytes, tmp_path: Path) -> str:
    path = tmp_path / "a.toml"
    path.write_bytes(content)
    with pytest.raises(FileError) as caught:
        read_table("mine.toml", path)
    (fault,) = caught.value.faults
    return fault


def test_a_table_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text('a = 1\n[b]\nc = "é"\n', encoding="utf-8")
    assert read_table("mine.toml", path) == {"a": 1, "b": {"c": "é"}}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        pytest.param(b"[conv1", "mine.toml: is not TOML: ", id="broken"),
        pytest.param(b"a = " + b"[" * 20_000, "mine.toml: is nested too deeply", id="nested"),
        pytest.param(b"a = " + b"9" * 5000, "mine.toml: is not TOML: ", id="more digits than Python reads"),
        pytest.param(b"a = 1\n\xff\xfe", "mine.toml: is not UTF-8 (byte 6: ", id="not UTF-8"),
        pytest.param(b"#" * (LARGEST_FILE_BYTES + 1), "mine.toml: is larger than 1,000,000 bytes", id="huge"),
        pytest.param(
            b".".join([b"a"] * (MOST_DOTS + 2)), "mine.toml: has a line with more than 200 dots", id="deep key"
        ),
        pytest.param(b"[" + b".".join([b'"\\""'] * 200_000), "mine.toml: has a line with more", id="quoted key"),
        pytest.param(b"a\n::error::b\n", "mine.toml: is not TOML: ", id="command"),
    ],
)
def test_what_is_no_table_is_one_fault(tmp_path: Path, content: bytes, fault: str) -> None:
    assert fault_of(content, tmp_path).startswith(fault)


def test_the_largest_file_that_people_write(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"#" * LARGEST_FILE_BYTES)
    assert read_table("mine.toml", path) == {}


def test_a_key_of_many_parts_is_read_where_it_is_not_too_deep(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(".".join(["a"] * (MOST_DOTS + 1)) + " = 1\n" + "b = '.'\n")
    assert read_table("mine.toml", path)["b"] == "."


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"^mine: is a directory; expected a \.toml file$"):
        read_table("mine", tmp_path)
    with pytest.raises(FileError, match=r"^mine: is not a regular file; expected a \.toml file$"):
        read_table("mine", Path("/dev/zero"))
    with pytest.raises(FileError, match=r"^mine: cannot be read: No such file or directory$"):
        read_table("mine", tmp_path / "absent.toml")


@pytest.mark.parametrize("name", ["a\0b.toml", "a" * 5000 + ".toml"])
def test_a_path_that_cannot_exist_is_refused(name: str) -> None:
    assert not exists(Path(name))
    with pytest.raises(FileError, match=r"^mine: cannot be read: "):
        read_table("mine", Path(name))


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(FileError, match="is not a regular file"):
        read_table("pipe.toml", tmp_path / "pipe.toml")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("a = 1")
    path.chmod(0)
    with pytest.raises(FileError, match="Permission denied"):
        read_table("mine.toml", path)


@pytest.mark.parametrize(
    ("kind", "name", "label"),
    [
        ("variants", "paper", "variants/paper.toml"),
        ("spaces", "capsnet", "variants/spaces/capsnet.toml"),
        ("claims", "article", "variants/claims/article.toml"),
    ],
)
def test_a_shipped_id_leads_to_its_file(kind: Kind, name: str, label: str) -> None:
    assert locate(name, kind) == (label, shipped(kind)[name])
    assert shipped(kind)[name].is_file()


def test_spaces_and_claims_are_not_among_the_variants() -> None:
    assert not {"spaces", "claims", "capsnet"} & shipped().keys()
    assert list(shipped()) == sorted(shipped())


def test_a_path_leads_to_itself(tmp_path: Path) -> None:
    assert locate("some/mine.toml") == ("some/mine.toml", Path("some/mine.toml"))
    odd = tmp_path / "without-suffix"
    odd.write_text("")
    assert locate(str(odd)) == (str(odd), odd)


def test_an_unknown_name_gets_the_nearest_and_the_list() -> None:
    with pytest.raises(
        UnknownVariantError, match=r"no variant 'papr'; did you mean 'paper'\? shipped: affnist, article"
    ):
        locate("papr")
    with pytest.raises(
        CapsauditError, match=r"^no space 'zzz'; shipped: baseline, capsnet.*; or give the path of a \.toml file$"
    ):
        locate("zzz", "spaces")
    with pytest.raises(CapsauditError, match=r"^no source of claims 'artcle'; did you mean 'article'\?"):
        locate("artcle", "claims")
