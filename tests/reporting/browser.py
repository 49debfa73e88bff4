"""A headless Chromium, driven through its own WebDriver: no client library is needed for that."""

import base64
import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
DRIVER = shutil.which("chromedriver")

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
_END = "-- all messages before this one are here --"
_PATIENCE = 20.0  # seconds for a message to come
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key of an element's id (W3C WebDriver)


class Browser:
    """One session.

    Args:
        profile: an empty folder.
        width: of the window, in pixels.
        height: of the window.
    """

    def __init__(self, profile: Path, width: int = 1240, height: int = 1000) -> None:
        self._log = (profile / "driver.log").open("w")
        command = [str(DRIVER), "--port=0"]
        self._driver = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self._log, text=True
        )
        self._url = f"http://127.0.0.1:{self._port()}"
        flags = [*_FLAGS, f"--user-data-dir={profile / 'user'}", f"--window-size={width},{height}"]
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": CHROMIUM, "args": flags},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._url += f"/session/{session['sessionId']}"

    def open(self, path: Path) -> None:
        """Load a page from disk."""
        self._call("POST", "/url", {"url": path.resolve().as_uri()})

    def run(self, script: str, *arguments: Any) -> Any:
        """Return what the body of a function returns in the page."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def find(self, selector: str) -> str:
        """Return the id of the first element that fits."""
        found = self._call("POST", "/element", {"using": "css selector", "value": selector})
        return str(found[_ELEMENT])

    def click(self, selector: str) -> None:
        """Click an element."""
        self._call("POST", f"/element/{self.find(selector)}/click", {})

    def press(self, selector: str, keys: str) -> None:
        """Focus an element by script and type; special keys are WebDriver's private characters."""
        self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        strokes = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._act({"type": "key", "id": "keyboard", "actions": strokes})

    def hover(self, selector: str, x: float, y: float) -> None:
        """Move the pointer over an element: shares of its width and height."""
        self.run(
            f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'center'}})"
        )
        box = self.run(
            f"const b = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
            "return [b.left, b.top, b.width, b.height]"
        )
        place = {"x": round(box[0] + x * box[2]), "y": round(box[1] + y * box[3])}
        move = {"type": "pointerMove", "duration": 0, **place}
        self._act({"type": "pointer", "id": "mouse", "actions": [move]})

    def messages(self) -> list[str]:
        """Return what the page has written to the console since the last call.

        Messages are late where the machine is busy, but in order: a last one of our own ends them.
        """
        self.run("console.log(arguments[0])", _END)
        found: list[str] = []
        deadline = time.monotonic() + _PATIENCE
        while not any(_END in message for message in found):
            assert time.monotonic() < deadline, f"no message came through, of {found}"
            entries = self._call("POST", "/se/log", {"type": "browser"})
            found += [f"{entry['level']}: {entry['message']}" for entry in entries]
        return [message for message in found if _END not in message]

    def requests(self) -> list[str]:
        """Return the addresses that pages have asked for since the last call.

        What the browser's own pages ask for, such as the empty tab at its start, is left out.
        """
        entries = self._call("POST", "/se/log", {"type": "performance"})
        events = [json.loads(entry["message"])["message"] for entry in entries]
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
            and not event["params"]["documentURL"].startswith("chrome")
        ]

    def screenshot(self, path: Path, width: int, height: int | None = None) -> None:
        """Write a PNG of the page, the whole of it where no height is given."""
        if height is None:
            self._resize(width, 800)
            height = self.run("return document.documentElement.scrollHeight") + 20
        self._resize(width, height)
        time.sleep(0.3)  # panels are drawn anew for their size
        path.write_bytes(base64.b64decode(self._call("GET", "/screenshot")))

    def close(self) -> None:
        """End the session and the driver."""
        try:
            self._call("DELETE", "")
        finally:
            self._driver.terminate()
            self._driver.wait(10)
            self._log.close()

    def _resize(self, width: int, height: int) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        command = {"cmd": "Emulation.setDeviceMetricsOverride", "params": size}
        self._call("POST", "/goog/cdp/execute", command)

    def _act(self, device: dict[str, Any]) -> None:
        self._call("POST", "/actions", {"actions": [device]})

    def _port(self) -> int:
        stdout: Any = self._driver.stdout
        for line in stdout:
            if "successfully on port" in line:
                return int(line.split("on port")[1].strip(" .\n"))
        raise RuntimeError(f"{DRIVER} did not start: see {self._log.name}")

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(
            self._url + path, data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urlopen(request, timeout=60) as answer:
                return json.loads(answer.read())["value"]
        except HTTPError as error:
            raise RuntimeError(json.loads(error.read())["value"]["message"]) from None
        except URLError as error:
            raise RuntimeError(f"{DRIVER} does not answer: {error}") from error
