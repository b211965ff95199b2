"""Take screenshots of the tops of report pages and put them side by side.

    python docs/side_by_side.py docs/fetal_head.png published/index.html grouped/index.html

Requires Chromium and its driver. Pages are shown in the given order, each 900 pixels wide.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

WIDTH, HEIGHT, GAP = 900, 1100, 24


def photograph(page: Path, driver: webdriver.Chrome) -> Image.Image:
    """Return a screenshot of the top of a page."""
    driver.get(page.resolve().as_uri())
    return Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("RGB")


def main(target: Path, pages: list[Path]) -> None:
    """Write the picture of `pages` to `target`."""
    options = Options()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--hide-scrollbars", f"--window-size={WIDTH},{HEIGHT}"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False},
    )
    tops = [photograph(page, driver) for page in pages]
    driver.quit()
    picture = Image.new("RGB", (sum(top.width for top in tops) + GAP * (len(tops) - 1), HEIGHT), "white")
    for number, top in enumerate(tops):
        picture.paste(top, (number * (WIDTH + GAP), 0))
    picture.quantize(128).save(target, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
