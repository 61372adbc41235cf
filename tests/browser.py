"""A page in a headless Chromium: what it says on the console, whether its 3D scene turns and its slider moves."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np

NAMES = ("chromium", "chromium-browser", "google-chrome")
#: Software rendering, for machines without a graphics card; nothing goes out.
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-gl=angle", "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]  # fmt: skip
SIZE = (1000, 700)
SCENE, SLICES = '[data-figure="scene"]', '[data-figure="slices"]'


def executable() -> str | None:
    """The path of a Chromium, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Opened:
    """A page that has drawn all its pictures; ``errors`` of its console, ``asked``: addresses outside of it."""

    def __init__(self, page: Any, errors: list[str], asked: list[str]) -> None:
        self.page, self.errors, self.asked = page, errors, asked

    def camera(self) -> list[float]:
        """Where the eye of the 3D scene is."""
        eye = self.page.evaluate(f"document.querySelector('{SCENE}')._fullLayout.scene._scene.getCamera().eye")
        return [eye[axis] for axis in "xyz"]

    def settled(self) -> list[float]:
        """The camera once it rests: a scene goes on turning a little, longer where drawing is slow."""
        script = f"""() => new Promise((done) => {{
            const scene = document.querySelector('{SCENE}')._fullLayout.scene._scene;
            let last = "", same = 0, frames = 0;
            function look() {{
              const now = JSON.stringify(scene.getCamera());
              same = now === last ? same + 1 : 0;
              last = now;
              if (same > 15 || ++frames > 600) done(); else requestAnimationFrame(look);
            }}
            look();
          }})"""
        self.page.evaluate(script)
        return self.camera()

    def drag(self) -> None:
        """Turn the scene with the mouse."""
        box = self.page.locator(SCENE)
        box.evaluate("(scene) => scene.scrollIntoView({ block: 'center', behavior: 'instant' })")
        place = box.bounding_box()
        x, y = place["x"] + 0.5 * place["width"], place["y"] + 0.5 * place["height"]
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + 120, y + 40)
        self.page.mouse.up()

    def state(self) -> tuple[str, int]:
        """Which state the scene shows, and how many points its traces have."""
        script = f"""() => {{ const scene = document.querySelector('{SCENE}');
            const points = (sum, trace) => sum + (trace.x ? trace.x.length : 0);
            return [scene.dataset.state, scene.data.reduce(points, 0)]; }}"""
        found = self.page.evaluate(script)
        return found[0], found[1]

    def choose(self, index: int) -> None:
        """Press the button of a state."""
        self.page.locator("#figure-scene .controls button").nth(index).click()

    def moment(self) -> tuple[str, float]:
        """Which moment the slices show, and a sum over what their panels draw."""
        script = f"""() => {{ const slices = document.querySelector('{SLICES}'); let sum = 0;
            for (const trace of slices.data) for (const row of trace.z || [trace.y])
              row.forEach((value, at) => {{ if (value === value) sum += value * (1 + at % 7); }});
            return [slices.dataset.moment, sum]; }}"""
        found = self.page.evaluate(script)
        return found[0], found[1]

    def move(self, to: int) -> None:
        """Move the slider."""
        script = "(slider, to) => { slider.value = to; slider.dispatchEvent(new Event('input')); }"
        self.page.locator("#figure-slices input[type=range]").evaluate(script, to)

    def picture(self, selector: str = "body") -> np.ndarray:
        """A screenshot (height, width, 3 or 4), values 0 to 1."""
        return matplotlib.image.imread(BytesIO(self.page.locator(selector).first.screenshot()), format="png")


@contextmanager
def browser() -> Iterator[Any]:
    """A browser with an empty profile."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=executable(), headless=True, args=FLAGS)
        try:
            yield found
        finally:
            found.close()


@contextmanager
def opened(chromium: Any, path: Path, timeout_s: float = 120.0) -> Iterator[Opened]:
    """A page that is open and has drawn all of its pictures."""
    page = chromium.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
    errors: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda each: asked.append(each.url) if each.url.startswith(("http", "ws", "ftp")) else None)
    try:
        page.goto(path.resolve().as_uri())
        page.wait_for_function("document.body.dataset.ready === 'yes'", timeout=1000.0 * timeout_s)
        yield Opened(page, errors, asked)
    finally:
        page.close()


def is_drawn(picture: np.ndarray) -> bool:
    """Whether a picture is more than paper: some share of its points is not white, and colours differ."""
    colours = picture[..., :3]
    return bool(np.mean(colours.min(axis=2) < 0.97) > 0.01 and colours.std() > 0.01)


def faults(page: Opened) -> list[str]:
    """What is wrong with the page of a run: a scene that does not turn, a slider that changes nothing, errors."""
    found: list[str] = []
    before = page.camera()
    page.drag()
    turned = page.settled()
    if np.linalg.norm(np.subtract(turned, before)) < 0.05:
        found.append("the scene does not turn")
    buttons = page.page.locator("#figure-scene .controls button").count()
    if buttons > 1:
        state = int(page.state()[0])
        page.choose((state + 1) % buttons)
        if int(page.state()[0]) == state:
            found.append("the button of a state does nothing")
        moved = np.abs(np.subtract(page.settled(), turned)).max()
        if moved > 1e-3:
            found.append(f"a state moves the camera by {moved:.3g}")
    moment, drawn = page.moment()
    last = int(page.page.locator("#figure-slices input[type=range]").get_attribute("max"))
    others = [each for each in range(last + 1) if str(each) != moment]
    sums = set()
    for other in others:
        page.move(other)
        sums.add(page.moment()[1])
    if others and sums <= {drawn}:
        found.append("the slider changes nothing")
    for selector in (SCENE, SLICES, '[data-figure="device"]', '[data-figure="transients"]'):
        picture = page.picture(selector)
        if picture.shape[1] < 0.8 * SIZE[0] or picture.shape[0] < 100:
            found.append(f"{selector} is {picture.shape[1]} x {picture.shape[0]} points")
        if not is_drawn(picture):
            found.append(f"{selector} is blank")
    found += [f"console: {error}" for error in page.errors] + [f"asked for {url}" for url in page.asked]
    return found
