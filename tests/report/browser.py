"""A headless Chromium, with the commands that tests need."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

BINARIES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SWITCHES = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars")


def find_browser() -> tuple[str | None, str | None]:
    """Return the paths of the browser and its driver; None if not installed."""
    binaries = (shutil.which(name) for name in BINARIES)
    return next((path for path in binaries if path), None), shutil.which("chromedriver")


class Browser:
    """One browser; `open` starts afresh with a page."""

    def __init__(self, binary: str, driver: str) -> None:
        options = ChromeOptions()
        options.binary_location = binary
        for switch in SWITCHES:
            options.add_argument(switch)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.chrome = Chrome(options=options, service=Service(driver))

    def open(self, page: Path, width: int = 1600, dark: bool = False) -> None:
        """Open a page in a window of `width` pixels, by a system whose theme is dark or light."""
        self.visit(page.resolve().as_uri(), width, dark)

    def visit(self, url: str, width: int = 1600, dark: bool = False) -> None:
        """Open an address as `open` does a page."""
        size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 500}
        self.command("Emulation.setDeviceMetricsOverride", size)
        self.set_media(dark=dark)
        for log in ("browser", "performance"):
            self.chrome.get_log(log)
        self.chrome.get(url)

    def set_media(self, media: str = "screen", dark: bool = False) -> None:
        """Show the page as on a screen or on paper, by a dark or light system."""
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", {"media": media, "features": [theme]})

    def command(self, name: str, arguments: dict[str, Any]) -> Any:
        """Send a command of the DevTools protocol."""
        return self.chrome.execute_cdp_cmd(name, arguments)

    def run(self, script: str, *arguments: object) -> Any:
        """Run JavaScript in the page."""
        return self.chrome.execute_script(script, *arguments)

    def all(self, selector: str) -> list[WebElement]:
        """Return all elements that match a CSS selector."""
        return self.chrome.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        """Return the first element that matches a CSS selector."""
        return self.chrome.find_element(By.CSS_SELECTOR, selector)

    def complaints(self) -> list[str]:
        """Return the console messages since the page was opened."""
        return [entry["message"] for entry in self.chrome.get_log("browser")]

    def requests(self) -> list[str]:
        """Return the URLs requested since the page was opened."""
        events = [json.loads(entry["message"])["message"] for entry in self.chrome.get_log("performance")]
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]

    def printed(self) -> bytes:
        """Return the page as a PDF, on its preferred paper size."""
        return base64.b64decode(self.command("Page.printToPDF", {"preferCSSPageSize": True})["data"])

    def quit(self) -> None:
        """End the browser."""
        self.chrome.quit()
