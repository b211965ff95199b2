"""Tables are read whatever their format, and their rows find their images however these are named."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from medtransfer.data.layouts.tables import match_names, read_table


@pytest.mark.parametrize(
    ("images", "names", "paths"),
    [
        (["a.png", "b.png"], ["a", "b.png"], ["a.png", "b.png"]),
        (["a.JPG", "b.JPG"], ["a.jpg", "b.jpeg"], ["a.JPG", "b.JPG"]),
        (["Img_A.png", "b.png"], ["img_a", "B.PNG"], ["Img_A.png", "b.png"]),
        (["x/a.png", "y/a.png"], ["x/a", "y/a.jpg"], ["x/a.png", "y/a.png"]),
        (["0001.png", "0012.png"], ["1", "12"], ["0001.png", "0012.png"]),
        (["1377.png", "1378.png"], ["1377.0", "1378.0"], ["1377.png", "1378.png"]),
        (["01.png", "1.png"], ["1", "01"], ["1.png", "01.png"]),
        (["i/a.png", "i/b.png"], ["/kaggle/input/s/i/a.png", "/kaggle/input/s/i/b.png"], ["i/a.png", "i/b.png"]),
        (["i/a.png", "i/b.png"], [r"C:\set\i\a.tif", r"C:\set\i\b.tif"], ["i/a.png", "i/b.png"]),
        (["a.png", "b.png"], ["/x/ill/a.png", "/x/well/b.png"], ["a.png", "b.png"]),
        (["p1/1.png", "p2/1.png"], ["/x/p1/1.png", "/x/p2/1.png"], ["p1/1.png", "p2/1.png"]),
        (["p2/1.png", "p2/2.png"], ["p1/1.png", "p2/1.png"], ["", "p2/1.png"]),
        (["1.png", "2.png"], ["/x/p1/1.png", "/x/p2/1.png"], ["", ""]),
        (["x/a.png", "y/a.png", "b.png"], ["a", "b"], ["", "b.png"]),
        (["A.png", "a.png"], ["A", "a"], ["A.png", "a.png"]),
        (["001.png", "01.png", "2.png"], ["1", "2"], ["", "2.png"]),
    ],
    ids=["extensions", "case of extensions", "case", "paths", "lost zeros", "floats", "zeros that count",
         "another root", "Windows", "folders that are not here", "names in several folders", "a part of the set",
         "renumbered folders", "a name twice", "two names by case", "two names by zeros"],
)  # fmt: skip
def test_a_row_finds_the_one_image_that_it_may_mean(images: list[str], names: list[str], paths: list[str]) -> None:
    assert match_names(images, images, names).paths == paths


def test_names_without_an_image_images_without_a_name_and_ambiguous_names_are_told_apart() -> None:
    found = match_names(
        ["x/a.png", "y/a.png", "b.png", "c.png"], ["x/a.png", "y/a.png", "b.png", "c.png"], ["a", "b", "d"]
    )
    assert (found.missing, found.ambiguous, found.unnamed) == (["d"], ["a"], ["c.png"])
    assert found.problems == ["d: no such image", "a: several images have that name; use paths"]


def test_many_names_of_a_kind_are_one_line() -> None:
    names = [f"n{number}" for number in range(5000)]
    assert match_names(["a.png"], ["a.png"], names).problems == ["no such image: 5,000, such as n0, n1, n2"]


SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def write_workbook(path: Path, rows: list[list[str | int]], **more: list[list[str | int]]) -> None:
    """Write the smallest workbook that spreadsheet programs open: a sheet S, and more by their names."""

    def cell(value: str | int) -> str:
        return f"<c><v>{value}</v></c>" if isinstance(value, int) else f'<c t="inlineStr"><is><t>{value}</t></is></c>'

    sheets = dict(enumerate([("S", rows), *more.items()], 1))
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = "".join(
        f'<Override PartName="/xl/worksheets/sheet{number}.xml" ContentType="{kind}.worksheet+xml"/>'
        for number in sheets
    )
    listed = "".join(
        f'<sheet name="{name}" sheetId="{number}" r:id="b{number}"/>' for number, (name, _) in sheets.items()
    )
    links = "".join(
        f'<Relationship Id="b{number}" Type="{RELATIONS}/worksheet" Target="worksheets/sheet{number}.xml"/>'
        for number in sheets
    )
    files = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" ContentType="'
        'application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="'
        f'application/xml"/><Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>{parts}</Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="a" '
        f'Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{SHEET}" xmlns:r="{RELATIONS}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">{links}</Relationships>',
    }
    for number, (_, lines) in sheets.items():
        sheet = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in lines)
        files[f"xl/worksheets/sheet{number}.xml"] = (
            f'<worksheet xmlns="{SHEET}"><sheetData>{sheet}</sheetData></worksheet>'
        )
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{text}')


def test_a_sheet_of_a_workbook_is_named_after_it(tmp_path: Path) -> None:
    write_workbook(tmp_path / "book.xlsx", [["about"]], labels=[["image", "label"], ["a", 1], ["b", 2]])
    assert list(read_table(tmp_path / "book.xlsx")) == ["about"]
    assert read_table(tmp_path / "book.xlsx/labels")["label"].tolist() == ["1", "2"]
    with pytest.raises(ValueError, match=r"no sheet 'more'; expected S, labels"):
        read_table(tmp_path / "book.xlsx/more")


def test_the_first_sheet_of_a_workbook_is_a_table_of_text(tmp_path: Path) -> None:
    write_workbook(tmp_path / "t.xlsx", [["name", "grade"], ["a", 1], ["b", 20]])
    table = read_table(tmp_path / "t.xlsx")
    assert table.to_dict("list") == {"name": ["a", "b"], "grade": ["1", "20"]}


@pytest.mark.parametrize(
    ("name", "content", "cells"),
    [
        ("t.csv", "n,x\na,1\n", ["n", "x", "a", "1"]),
        ("t.csv", "n;x\na;1,5\n", ["n", "x", "a", "1,5"]),
        ("t.tsv", "n\tx\na\t1\n", ["n", "x", "a", "1"]),
        ("t.txt", "n x\na  1\n", ["n", "x", "a", "1"]),
        ("t.txt", "n,x y\na,1 2\n", ["n", "x y", "a", "1 2"]),
        ("t.csv", "title\n\nn,x\na,1\n", ["n", "x", "a", "1"]),
        ("t.csv", "n,x\na,1,\n", ["n", "x", "a", "1"]),
    ],
)
def test_columns_are_separated_by_whatever_the_header_suggests(
    tmp_path: Path, name: str, content: str, cells: list[str]
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    table = read_table(tmp_path / name)
    assert [*table.columns, *table.iloc[0]] == cells


def test_a_table_without_a_header_has_numbered_columns(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("7 a.png ill\n8 b.png well\n", encoding="utf-8")
    table = read_table(tmp_path / "t.txt", header=False)
    assert table.to_dict("list") == {
        "column 1": ["7", "8"], "column 2": ["a.png", "b.png"], "column 3": ["ill", "well"],
    }  # fmt: skip


def test_rows_shorter_than_the_header_have_empty_cells(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("male 45yrs\nbilateral\n", encoding="utf-8")
    assert read_table(tmp_path / "t.txt").iloc[0].tolist() == ["bilateral", ""]
    (tmp_path / "t.csv").write_text("a,b\n1\n", encoding="utf-8")
    assert read_table(tmp_path / "t.csv").iloc[0].tolist() == ["1", ""]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_its_mark_is_read(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "t.csv").write_bytes("n,x\na,ö\n".encode(encoding))
    assert list(read_table(tmp_path / "t.csv")["x"]) == ["ö"]


@pytest.mark.parametrize("content", [b"", b"n,x\na,1,2,3\n", b'n,x\n"a,1\n', b"n,x\na,\x81\n"])
def test_a_file_that_is_not_a_table_is_an_error_of_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"^.+$"):
        read_table(tmp_path / "t.csv")


def test_a_sheet_that_claims_billions_of_cells_is_an_error(tmp_path: Path) -> None:
    """The reader would ask for 400 GB and abort."""
    write_workbook(tmp_path / "t.xlsx", [["name", "grade"], ["a", 1]])
    with zipfile.ZipFile(tmp_path / "t.xlsx") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files["xl/worksheets/sheet1.xml"] = files["xl/worksheets/sheet1.xml"].replace(
        b"</sheetData>", b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    )
    with zipfile.ZipFile(tmp_path / "t.xlsx", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match="damaged, or not readable within 1 GB of memory; save the table as CSV"):
        read_table(tmp_path / "t.xlsx")


@pytest.mark.parametrize("row", [0, 1])
def test_a_table_of_very_many_columns_is_an_error(tmp_path: Path, row: int) -> None:
    rows = ["name,grade", "a,1"]
    rows[row] += ",x" * 20_000
    (tmp_path / "t.csv").write_text("\n".join(rows))
    with pytest.raises(ValueError, match="20,002 columns, expected at most 5,000"):
        read_table(tmp_path / "t.csv")
    write_workbook(tmp_path / "t.xlsx", [["x"] * 6000])
    with pytest.raises(ValueError, match="6,000 columns; expected at most 5,000"):
        read_table(tmp_path / "t.xlsx")
