"""Tables of labels, as CSV, text and Excel files: damaged, hostile, in mixed encodings; read as by `prepare`."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path
from random import Random
from xml.sax.saxutils import escape

from hostile import ATTACKS
from PIL import Image

from medtransfer.data.prepare import read_set
from medtransfer.data.targets import TARGETS
from medtransfer.study import Data

from .bytes_of import damaged

IMAGES = tuple(f"p{number // 2}_{number}.png" for number in range(6))
LAYOUT = {"kind": "label_csv", "file": "labels.csv", "image": "image", "label": "label", "images": "images"}
DATA = {
    "source": "folder",
    "folder": "raw",
    "image_size": 16,
    "resize": "pad",
    "split": {"method": "random"},
    "leakage": "fail",
}
PATHS = (
    "../raw/images/{}",
    "/etc/{}",
    "../../{}",
    "C:\\images\\{}",
    "images/../images/{}",
    "./{}",
    "{}\0",
    "file:///{}",
    "~/{}",
    "images//{}",
)
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1", "utf-32", "utf-7", "cp037")


def _rows(random: Random) -> list[list[str]]:
    header = random.choice((["image", "label"], ["image", "label", "split"], ["image", "label", "patient"]))
    rows = [
        [name, random.choice(("cyst", "normal")), random.choice(("train", "test", "p1", "=1+1"))][: len(header)]
        for name in IMAGES
    ]
    for _ in range(random.choice((0, 1, 1, 2, 4))):
        row = random.choice(rows)
        change = random.choice(("path", "label", "twice", "none", "wide", "short", "huge", "empty", "header", "other"))
        if change == "path":
            row[0] = random.choice(PATHS).format(row[0])
        elif change == "label" and len(row) > 1:
            row[1] = random.choice(ATTACKS)
        elif change == "twice":
            rows.append([*row[:1], random.choice(("cyst", "other")), *row[2:]])
        elif change == "none":
            rows.remove(row) if len(rows) > 1 else None
        elif change == "wide":
            row += ["x"] * random.choice((1, 5, 20_000))
        elif change == "short":
            del row[1:]
        elif change == "huge":
            row[-1] = random.choice(("x", "é", '"', ",", "\n", "a,b\n")) * random.choice((70_000, 1_000_000))
        elif change == "empty":
            row[:] = [""] * random.randrange(4)
        elif change == "header":
            header = header + random.choice(
                (["label"], ["image"], [""], ["\0"], ["=1+1"], ["path"], ["key"], ["x"] * 5_000)
            )
        else:
            rows += [[f"other{number}.png", "cyst"] for number in range(random.choice((1, 3_000)))]
    return [header, *rows]


def _text(random: Random, rows: list[list[str]]) -> bytes:
    buffer = io.StringIO()
    options = {"delimiter": random.choice(",,,;\t|"),
               "lineterminator": random.choice(("\n", "\n", "\r\n", "\r", "\n\n")),
               "quoting": random.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))}  # fmt: skip
    csv.writer(buffer, **options).writerows(rows)  # type: ignore[arg-type]
    text = random.choice(("", "", "", "﻿﻿", "# comment\n", "title\n\n", "sep=;\n", '"')) + buffer.getvalue()
    content = text.encode(random.choice(ENCODINGS[:1] * 8 + ENCODINGS), "replace")
    if random.random() < 0.1:
        lines = content.split(b"\n")
        lines[random.randrange(len(lines))] += random.choice(
            (b"\xff\xfe", b"\0", "é".encode("cp1252"), "肺".encode(), b"\x1a", b'"')
        )
        content = b"\n".join(lines)
    return content


def _workbook(rows: list[list[str]]) -> bytes:
    """Return the least Excel file of text cells."""
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = 'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"'
    plain = [["".join(sign for sign in cell[:32_000] if sign >= " ") for cell in row[:16_000]] for row in rows]
    cells = ["".join(f'<c t="inlineStr"><is><t>{escape(cell)}</t></is></c>' for cell in row) for row in plain]
    sheet = f"<worksheet {main}><sheetData>{''.join(f'<row>{row}</row>' for row in cells)}</sheetData></worksheet>"
    list_of = f'<workbook {main} xmlns:r="{office}"><sheets><sheet name="s" sheetId="1" r:id="a"/></sheets></workbook>'

    def pointer(kind: str, target: str) -> str:
        return (
            f'<Relationships {package}><Relationship Id="a" Type="{office}/{kind}" Target="{target}"/></Relationships>'
        )

    files = {
        "_rels/.rels": pointer("officeDocument", "xl/workbook.xml"),
        "xl/workbook.xml": list_of,
        "xl/_rels/workbook.xml.rels": pointer("worksheet", "worksheets/s.xml"),
        "xl/worksheets/s.xml": sheet,
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as book:
        for name, content in files.items():
            book.writestr(name, content.encode("utf-8", "replace"))
    return buffer.getvalue()


def write(folder: Path, random: Random) -> Path:
    """Write a set of six images and a table, which is damaged one time of two."""
    (folder / "images").mkdir()
    for number, name in enumerate(IMAGES):
        Image.new("L", (8, 8), 40 * number).save(folder / "images" / name)
    rows, suffix = _rows(random), random.choice(("csv",) * 7 + ("txt", "tsv", "xlsx"))
    content = _workbook(rows) if suffix == "xlsx" else _text(random, rows)
    path = folder / f"labels.{suffix}"
    path.write_bytes(damaged(random, content) if random.random() < 0.5 else content)
    return path


def read(path: Path) -> None:
    """Read a set by its table, stated or detected: each of its images once, each label a cell of the table."""
    stated = path.read_bytes()[-1:] < b"\x40"  # any rule that the content alone decides
    layout = LAYOUT | {"file": path.name} if stated else "auto"
    found = read_set(path.parent, Data.model_validate(DATA | {"layout": layout, "group": None}), TARGETS["classes"])
    assert sorted(found.rows["path"]) == sorted(f"images/{name}" for name in IMAGES)
    if path.suffix != ".xlsx":
        content = path.read_bytes()
        for label in found.encoded.classes:
            spelt = [label.encode(encoding, "ignore") for encoding in ENCODINGS[:6]]
            assert any(each in content or each.replace(b'"', b'""') in content for each in spelt), label
