"""Review page: a window of a browser that shows a review, and what can be done in it."""

from __future__ import annotations

import re
from typing import Any

from patience import PATIENCE_S

SHOWN = "#picture[data-epoch]"

LETTERS = {"W": "W", "N1": "1", "N2": "2", "N3": "3", "R": "R", None: "-"}


class ReviewPage:
    """A window of a browser that shows a review.

    Attributes
    ----------
    faults
        Errors and messages of its console, such as what the content security policy refused.
    asked
        Every address that it asked for.
    """

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 800}, **options}
        )
        self.context.set_default_timeout(1000 * PATIENCE_S)
        self.faults: list[str] = []
        self.asked: list[str] = []
        self.page = self.tab(address)

    def tab(self, address: str) -> Any:
        """Open a tab of the same window."""
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda told: self.faults.append(told.text))
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto(address)
        return page

    def close(self) -> None:
        """Close the window."""
        self.context.close()

    def ready(self) -> ReviewPage:
        """Wait until an epoch is shown."""
        self.page.wait_for_selector(SHOWN)
        return self

    def press(self, *keys: str) -> ReviewPage:
        """Press keys, each once the epoch that the one before led to is shown."""
        for key in keys:
            self.ready()
            self.page.keyboard.press(key)
        return self.ready()

    def until(self, expression: str, argument: Any = None) -> ReviewPage:
        """Wait until a function in the page returns true."""
        self.page.wait_for_function(expression, arg=argument)
        return self

    def says(self, name: str, text: str) -> ReviewPage:
        """Wait until an element says something."""
        asked = "([id, text]) => document.getElementById(id).innerText.includes(text)"
        return self.until(asked, [name, text])

    def saved(self) -> ReviewPage:
        """Wait until everything is written down."""
        return self.says("saved", "Saved")

    def text(self, name: str) -> str:
        """Return the text of an element."""
        return str(self.page.inner_text(f"#{name}"))

    @property
    def epoch(self) -> int:
        """Number of the epoch that is shown, from 1."""
        found = re.search(r"Epoch ([\d,]+)", self.text("place"))
        assert found
        return int(found[1].replace(",", ""))

    def night(self) -> dict[str, Any]:
        """Return the first night as the server tells it now."""
        told: dict[str, Any] = self.page.evaluate(
            "async () => { const one = (await (await fetch('api/worklist')).json()).nights[0];"
            " return (await fetch(`api/nights/${one.id}`)).json(); }"
        )
        return told

    def stages(self) -> str:
        """Return the stages of the first night, a letter for each epoch."""
        return "".join(LETTERS[one] for one in self.night()["epochs"]["stage"])

    def turn_ms(self, key: str) -> float:
        """Press a key, and return the milliseconds until the picture of another epoch is drawn."""
        took: float = self.page.evaluate(
            """async (key) => {
              const { dataset } = document.getElementById("picture");
              const before = dataset.epoch;
              const start = performance.now();
              document.body.dispatchEvent(
                new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }),
              );
              while ([before, undefined].includes(dataset.epoch)) await new Promise(setTimeout);
              await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)));
              return performance.now() - start;
            }""",
            key,
        )
        return took
