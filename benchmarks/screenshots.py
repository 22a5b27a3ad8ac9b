"""README's pictures of the pages, from a trained model, in real Chromium.

python -m benchmarks.screenshots --artifacts DIR --output benchmarks/results/pages
"""

import argparse
import shutil
import sys
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.servers import RunningServer

PICTURES = {"overview": "#/", "codes": "#/codes"}
SIZE = {"width": 1280, "height": 900}
COLOURS = 128  # enough for flat pages, a third of the size


def main() -> None:
    """Write one PNG for each picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--artifacts", type=Path, required=True, help="a folder of trained models")
    parser.add_argument("--output", type=Path, required=True, help="where the pictures go")
    given = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("chromium is not installed")
    given.output.mkdir(parents=True, exist_ok=True)
    with RunningServer(given.artifacts) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport=SIZE)
        for name, place in PICTURES.items():
            page.goto(f"{server.address}/{place}")
            expect(page.locator("#page:not([aria-busy]) h3").first).to_be_visible()
            picture = Image.open(BytesIO(page.screenshot())).convert("RGB")
            path = given.output / f"{name}.png"
            picture.quantize(COLOURS).save(path, optimize=True)
            print(f"{path}: {path.stat().st_size // 1024} KiB")
        browser.close()


if __name__ == "__main__":
    main()
