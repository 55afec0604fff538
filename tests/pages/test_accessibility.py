"""Pages for everybody: every control has a name, text stands out from what is behind it, all can be reached with the keyboard."""

import pytest

from tests.pages.conftest import Watched

NAMELESS = """() => [...document.querySelectorAll("button, a[href], input:not([type=hidden]), select, textarea, summary, [tabindex='0']")]
  .filter((one) => one.offsetParent !== null)
  .filter((one) => {
    const label = one.labels?.[0]?.textContent ?? "";
    const text = one.matches("input, select") ? "" : one.textContent;
    const image = one.querySelector("img")?.alt ?? "";
    return ![one.getAttribute("aria-label"), label, text, image, one.value && one.type === "submit" ? one.value : ""].some((name) => name?.trim());
  })
  .map((one) => one.outerHTML.slice(0, 200))"""
# The contrast of WCAG 2.2 (1.4.3): 4.5 for text, 3 for large text. Colours are painted on a canvas, which knows every notation.
FAINT = """() => {
  const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  const over = (colour, below) => {
    context.fillStyle = `rgb(${below.join(" ")})`;
    context.fillRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((one) => (one / 255 <= 0.04045 ? one / 255 / 12.92 : ((one / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (one) => (one ? over(getComputedStyle(one).backgroundColor, behind(one.parentElement)) : [255, 255, 255]);
  const found = [];
  for (const one of document.querySelectorAll("body *:not(svg *):not(script):not(option)")) {
    const hasText = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!hasText || !one.checkVisibility() || one.closest(".hidden, .skip, dialog:not([open])") || one.disabled) continue;
    const back = behind(one), style = getComputedStyle(one), front = over(style.color, back);
    const [high, low] = [light(front), light(back)].sort((a, b) => b - a);
    const isLarge = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    const contrast = (high + 0.05) / (low + 0.05);
    if (contrast < (isLarge ? 3 : 4.5)) found.push(`${contrast.toFixed(2)} ${one.tagName}.${one.className}: ${one.textContent.trim().slice(0, 40)}`);
  }
  return found;
}"""

pytestmark = pytest.mark.slow


def test_every_control_has_a_name_and_text_is_seen_in_light_and_dark(watched: Watched) -> None:
    page, ids = watched.page, watched.site.ids
    for path in ("", f"experiments/{ids['mixed']}", "training-runs/5", f"compare?id={ids['mixed']}&id={ids['other']}"):
        watched.go(path)
        page.locator("main .card").first.wait_for()
        if path.startswith("experiments"):
            watched.drawn("coordinates")
            page.get_by_role("button", name="Queue a suggestion…").click()
        assert page.evaluate(NAMELESS) == [], path
        assert page.locator("h1").count() == 1 and page.locator("html[lang]").count() == 1
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate(FAINT) == [], f"{path} in {scheme}"


def test_a_change_is_made_with_the_keyboard_alone(watched: Watched) -> None:
    service = watched.site.service
    experiment = service.experiment(name="by keyboard")
    page = watched.go(f"experiments/{experiment['id']}")
    button = page.get_by_role("button", name="Change the budget…")
    page.locator("[data-dialog=budget]:enabled").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip", "the first stop leads past what is the same on every page"
    for _ in range(12):
        page.keyboard.press("Tab")
        if button.evaluate("(one) => one === document.activeElement"):
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none", "one sees where one is"
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")
    assert button.evaluate("(one) => one === document.activeElement"), "the place is kept"
    page.keyboard.press("Enter")
    page.get_by_label("Training runs in total").fill("12")
    page.keyboard.press("Enter")
    page.get_by_text("The budget is 12 now.").wait_for()
    assert service.call("GET", f"aiexperiments/{experiment['id']}")["budget"] == 12
