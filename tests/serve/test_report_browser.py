"""The page in a real browser, with real clicks, at the width of a phone and of a desk."""

from __future__ import annotations

import base64
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imr.data.paths import file_path
from imr.serve.report import Tally, open_report
from tests.serve.test_report import HOSTILE, RUN, letter, quote, written

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="no Chromium: install chromium and chromium-driver"
    ),
]
WIDTHS = {"phone": (390, 844), "desk": (1280, 900)}


class Browser:
    """Chromium on one page; everything is found by what a user sees or by its role."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def size(self, width: int, height: int) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def open(self, path: Path, place: str = "") -> None:
        self.driver.get("about:blank")
        self.driver.get(path.as_uri() + place)

    def one(self, css: str) -> WebElement:
        find = WebDriverWait(self.driver, 5).until  # a letter is drawn when it is opened
        return find(lambda driver: driver.find_element(By.CSS_SELECTOR, css))

    def all(self, css: str) -> list[WebElement]:
        return [e for e in self.driver.find_elements(By.CSS_SELECTOR, css) if e.is_displayed()]

    def named(self, text: str, css: str = "a, button") -> WebElement:
        return next(e for e in self.all(css) if e.text.strip() == text)

    def fits(self) -> bool:
        script = "return document.documentElement.scrollWidth <= window.innerWidth"
        return bool(self.driver.execute_script(script))

    def in_sight(self, element: WebElement) -> bool:
        script = (
            "const r = arguments[0].getBoundingClientRect();"
            "return r.top >= 0 && r.bottom <= window.innerHeight"
        )
        end = time.monotonic() + 30  # the page scrolls smoothly
        while not (seen := self.driver.execute_script(script, element)) and time.monotonic() < end:
            time.sleep(0.05)
        return bool(seen)

    def problems(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage"):
        options.add_argument(f"--{argument}")
    options.add_argument("--force-prefers-reduced-motion")  # no click while the page still moves
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    try:
        yield Browser(driver)
    finally:
        driver.quit()


@pytest.fixture(params=WIDTHS)
def sized(request: pytest.FixtureRequest, browser: Browser) -> Browser:
    browser.size(*WIDTHS[request.param])
    return browser


def letters() -> list[dict[str, Any]]:
    """Sixty letters of two items; the third has a hostile text in every place."""
    made = [letter(n, items=2) for n in range(60)]
    for n, one in enumerate(made):
        for item in one["items"]:
            item["p_overturned"] = (n * 7 % 60) / 60
            item["p_overturned_low"] = item["p_overturned"] * 0.5
            item["p_overturned_high"] = item["p_overturned"] * 0.5 + 0.5
            item["predicted_outcome"] = "Overturned" if item["p_overturned"] >= 0.2 else "Upheld"
            item["category"] = "Surgery" if n % 6 == 0 else "DMEPOS"
    made[2].update(source=HOSTILE, warnings=[HOSTILE])
    made[2]["items"][0]["what_if"][0]["steps"][0].update(action=HOSTILE, sentence=HOSTILE)
    made[4]["urgent"] = [{"text": "A new foot drop", "quotes": [quote(0, 8, "The worker")]}]
    made[2]["items"][0].update(requested=HOSTILE, original_request=HOSTILE)
    return made


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "r.html"
    written(path, letters())
    return path


def shown(browser: Browser) -> str:
    return browser.one("#found").text


def test_every_view_opens_by_a_click_and_fits(sized: Browser, page: Path) -> None:
    sized.open(page)
    assert sized.one("#view-overview").is_displayed()
    assert sized.fits()
    sized.named("Items").click()
    assert not sized.one("#view-overview").is_displayed()
    assert len(sized.all("#rows tr")) == 50
    assert sized.fits()
    sized.named("Support 17").click()  # the likeliest of all, which stands first
    assert sized.one("#letter-title").text == "Letter L17"
    assert len(sized.all("article.card")) == 2
    assert sized.fits()
    sized.named("Overview").click()
    assert sized.one("#h-overview").is_displayed()
    assert sized.problems() == []


def test_the_number_stands_beside_its_bar(sized: Browser, page: Path) -> None:
    sized.open(page, "#letter/43/0")
    number, rail = sized.one(".large b"), sized.one(".large .rail")
    assert number.text == "1.7%"
    script = (
        "const r = document.createRange(); r.selectNodeContents(arguments[0]);"
        "const t = r.getBoundingClientRect(), b = arguments[1].getBoundingClientRect();"
        "return t.right <= b.left && t.left >= arguments[0].parentNode.getBoundingClientRect().left"
    )
    assert sized.driver.execute_script(script, number, rail)


def test_searching_filtering_sorting_and_paging(sized: Browser, page: Path) -> None:
    sized.open(page, "#items")
    assert shown(sized) == "120 of 120 items"
    sized.named("Next").click()
    assert sized.one("#page").text == "Page 2 of 3"
    sized.one("#f-text").send_keys("support 17")
    assert shown(sized) == "2 of 120 items"
    assert sized.one("#page").text == "Page 1 of 1"
    assert {e.text for e in sized.all("#rows td.request")} == {"Support 17"}
    sized.one("#f-text").send_keys(Keys.CONTROL + "a", Keys.DELETE)
    Select(sized.one("#f-category")).select_by_visible_text("Surgery")
    assert shown(sized) == "20 of 120 items"
    Select(sized.one("#f-outcome")).select_by_visible_text("Upheld")
    assert shown(sized) == "4 of 120 items"
    Select(sized.one("#f-category")).select_by_index(0)
    Select(sized.one("#f-outcome")).select_by_index(0)
    Select(sized.one("#f-sort")).select_by_visible_text("Order of input")
    assert sized.all("#rows td.request")[0].text == "Support 0"
    Select(sized.one("#f-sort")).select_by_visible_text("Likeliest overturned first")
    assert sized.all("#rows .gauge b")[0].text == "98%"
    assert sized.one('th[data-key="p"]').get_attribute("aria-sort") == "descending"
    assert sized.problems() == []


def test_heads_of_the_table_sort(browser: Browser, page: Path) -> None:
    browser.size(*WIDTHS["desk"])
    browser.open(page, "#items")
    browser.named("Estimate overturned").click()
    assert browser.all("#rows .gauge b")[0].text == "0.0%"
    browser.named("Estimate overturned").click()
    assert browser.all("#rows .gauge b")[0].text == "98%"


def test_a_quote_leads_to_its_place_and_back(sized: Browser, page: Path) -> None:
    sized.open(page, "#letter/0/0")
    quote = sized.all("button.quote")[0]
    assert quote.text == "“An MRI showed a disc bulge.”"
    assert quote.find_element(By.TAG_NAME, "mark").text == "MRI"
    quote.click()
    mark = sized.one("#summary mark.flash")
    assert (mark.text, mark.get_attribute("class")) == ("MRI", "for flash")
    assert sized.in_sight(mark)
    sized.named("Back to the reason").click()
    assert sized.in_sight(quote)
    assert sized.driver.switch_to.active_element == quote


def test_the_letter_says_all_there_is(browser: Browser, page: Path) -> None:
    browser.size(*WIDTHS["desk"])
    browser.open(page, "#letter/7/1")
    card = browser.one("#item-1").text
    for words in (
        "Support 7", "predicted Overturned", "denied by utilization review", "82%",
        "Cited by the claims administrator: Decision based on nothing.",
        "Similar decided items (DMEPOS): 2 of 20 overturned (10%, 2014 to 2017).",
        "MRI documented", "None found.", "not documented · Tried before", "Low Back · ACOEM 2004",
        "50%", "Low Back",
    ):  # fmt: skip
        assert words in card
    assert [m.text for m in browser.all("#summary p.text mark")] == ["MRI", "Therapy"]


def test_hostile_text_is_text(sized: Browser, page: Path) -> None:
    sized.open(page, "#letter/2/0")
    assert sized.one("#item-title-0").text == HOSTILE
    assert sized.all("img") == []
    assert HOSTILE in sized.one(".facts").text
    sized.open(page, "#items")
    Select(sized.one("#f-sort")).select_by_visible_text("Order of input")
    assert any(e.text == HOSTILE for e in sized.all("#rows td.request"))
    assert sized.problems() == []


def test_the_page_can_be_used_without_a_mouse(browser: Browser, page: Path) -> None:
    browser.size(*WIDTHS["desk"])
    browser.open(page)
    active = lambda: browser.driver.switch_to.active_element  # noqa: E731
    active().send_keys(Keys.TAB)
    assert active().text == "Skip to the content"
    active().send_keys(Keys.TAB, Keys.TAB)
    browser.named("Items").send_keys(Keys.ENTER)
    link = browser.all("#rows td.request a")[3]
    link.send_keys(Keys.ENTER)
    assert browser.one("#letter-title").text == "Letter L34"
    assert active().text == "Letter L34"


def test_a_letter_prints_whole(browser: Browser, page: Path) -> None:
    import pypdfium2

    browser.size(*WIDTHS["desk"])
    browser.open(page, "#letter/0/0")
    printed = browser.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    document = pypdfium2.PdfDocument(base64.b64decode(printed["data"]))
    text = "".join(sheet.get_textpage().get_text_bounded() for sheet in document)
    document.close()
    assert text.count("Documentation checklist") == 2
    assert "Case summary" in text
    assert "All items" not in text


def seconds_of(browser: Browser, path: Path, letters: int) -> tuple[float, float]:
    """Seconds to open a report of so many letters with two items each, and to search it."""
    long = "The worker hurt the low back again and came to see the doctor. " * 40
    written(path, [letter(n, items=2, case_summary=long) for n in range(letters)])
    start = time.monotonic()
    browser.open(path, "#items")
    assert shown(browser) == f"{2 * letters:,} of {2 * letters:,} items"
    loaded = time.monotonic()
    browser.one("#f-text").send_keys(f"Support {letters - 1}")
    assert shown(browser) == f"2 of {2 * letters:,} items"
    return loaded - start, time.monotonic() - loaded


def test_five_thousand_items_stay_quick(browser: Browser, tmp_path: Path) -> None:
    """Ten times the items take ten times as long at most, in the best of three attempts."""
    browser.size(*WIDTHS["desk"])
    tries = [
        [seconds_of(browser, tmp_path / "r.html", letters) for letters in (250, 2_500)]
        for _ in range(3)
    ]
    for part in (0, 1):
        few, many = (min(one[size][part] for one in tries) for size in (0, 1))
        assert many < 20 * few


def channels(colour: str) -> list[float]:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]


def luminance(colour: str) -> float:
    red, green, blue = channels(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(scheme: str, browser: Browser, page: Path) -> None:
    feature = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": feature})
    browser.open(page)
    script = "return getComputedStyle(document.documentElement).getPropertyValue(arguments[0])"
    colour = lambda name: browser.driver.execute_script(script, f"--{name}").strip()  # noqa: E731
    pairs = [
        (text, ground)
        for text in ("ink", "soft", "accent", "for", "against")
        for ground in ("ground", "paper")
    ]
    pairs += [("ink", f"{kind}-mark") for kind in ("for", "against", "both")]
    pairs += [("ink", "accent-soft"), ("paper", "accent")]
    low = {p: contrast(colour(p[0]), colour(p[1])) for p in pairs}
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert {p: c for p, c in low.items() if c < 4.5} == {}


def test_what_would_change_it_opens_by_a_click(sized: Browser, page: Path) -> None:
    sized.open(page, "#letter/3/0")
    change, told = sized.all("#item-0 .change")
    assert change.text.splitlines()[0].endswith("Document what was tried")
    assert "(up to 58%)" in change.text
    assert "not estimated" in told.text
    assert not sized.all("#item-0 .added")
    change.find_element(By.CSS_SELECTOR, "summary").click()
    assert [added.text for added in sized.all("#item-0 .added")] == ["“It failed.”"]
    assert "Add only what is true" in sized.one("#item-0 .what-if").text
    assert sized.fits()
    assert sized.problems() == []


def test_likeliest_first_with_the_rank_in_the_file(sized: Browser, page: Path) -> None:
    sized.open(page, "#items")
    shown_first = float(sized.one("#rows .gauge b").text.rstrip("%"))
    estimates = [float(b.text.rstrip("%")) for b in sized.all("#rows .gauge b")]
    assert shown_first == max(estimates)
    assert estimates == sorted(estimates, reverse=True)
    sized.one("#rows a").click()
    assert "Rank 1 of 120 items in this file." in sized.one(".card").text


def test_what_is_urgent_stands_above_everything(sized: Browser, page: Path) -> None:
    sized.open(page, "#letter/4/0")
    box, card = sized.one("section.urgent"), sized.one("article.card")
    assert box.rect["y"] < card.rect["y"]
    assert "a matter for a physician today" in box.text
    assert "A new foot drop" in box.text
    mark = sized.one("#summary mark.urgent")
    assert mark.value_of_css_property("display") == "inline"
    sized.open(page, "#letter/5/0")
    assert not sized.all("section.urgent")


# --- on paper ------------------------------------------------------------------------------------


def on_paper(browser: Browser) -> list[str]:
    """The text of each page as the browser prints it."""
    import pypdfium2 as pdfium

    made = browser.driver.execute_cdp_cmd(
        "Page.printToPDF", {"preferCSSPageSize": True, "paperWidth": 8.5, "paperHeight": 11}
    )
    document = pdfium.PdfDocument(base64.b64decode(made["data"]))
    return [page.get_textpage().get_text_range() for page in document]


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = [letter(n, items=9 if n == 1 else 1) for n in range(3)]
    for n, one in enumerate(made):
        one["header"] = {**one["header"], "case_number": f"CM16-900000{n}"}
    path = tmp_path_factory.mktemp("paper") / "r.html"
    written(path, made)
    return path


def test_a_letter_is_printed_with_its_case_number_on_every_page(
    browser: Browser, paper: Path
) -> None:
    browser.size(*WIDTHS["desk"])
    browser.open(paper, "#letter/1/0")
    browser.one("#letter-title")
    pages = on_paper(browser)
    assert len(pages) > 2
    for number, text in enumerate(pages, start=1):
        assert "Case CM16-9000001 · Letter L1" in text
        assert f"{number} / {len(pages)}" in text
    whole = "\n".join(pages)
    assert "Previous letter" not in whole
    assert "The case was read anew with" in whole  # what a click opens on the screen
    assert "An MRI showed a disc bulge" in whole
    assert not browser.one("details").get_attribute("open")


def test_all_letters_are_printed_each_on_pages_of_its_own(browser: Browser, paper: Path) -> None:
    browser.open(paper, "#items")
    browser.named("All letters, to print or save as PDF").click()
    browser.one(".sheet + .sheet")  # the click is answered a moment later
    pages = on_paper(browser)
    of_page = [{n for n in range(3) if f"Case CM16-900000{n}" in text} for text in pages]
    assert all(len(found) == 1 for found in of_page)
    assert [min(found) for found in of_page] == sorted(min(found) for found in of_page)
    assert browser.problems() == []
    ids = "return [...document.querySelectorAll('[id]')].map((node) => node.id)"
    found = browser.driver.execute_script(ids)
    assert len(found) == len(set(found))


def test_a_report_of_one_letter_opens_on_it(browser: Browser, tmp_path: Path) -> None:
    tally = Tally()
    with open_report(file_path(tmp_path / "r.html"), tally, RUN) as page:
        page.add(letter(7))
        tally.letters += 1
    browser.open(tmp_path / "r.html")
    assert browser.one("#letter-title").text == "Letter L7"
    browser.named("Overview").click()
    assert browser.one("#h-overview").is_displayed()


def test_a_letter_of_several_items_leads_to_each_and_to_its_summary(
    sized: Browser, page: Path
) -> None:
    sized.open(page, "#letter/7/0")
    links = sized.all(".jump a")
    assert len(links) == 2
    links[1].click()
    assert sized.in_sight(sized.one("#item-1 h2"))
    sized.driver.execute_script("window.scrollTo(0, 0)")
    for down in sized.all(".jump button"):  # on a phone: at a desk it stands beside the items
        down.click()
    assert sized.in_sight(sized.one("#h-summary"))
    assert sized.fits()
    assert not sized.problems()


def test_a_letter_of_one_item_has_no_list_of_them(browser: Browser, tmp_path: Path) -> None:
    written(tmp_path / "r.html", [letter(1), letter(2)])
    browser.open(tmp_path / "r.html", "#letter/0/0")
    browser.one("#item-0")
    assert not browser.all(".jump")


def test_on_a_phone_the_request_stands_first(browser: Browser, page: Path) -> None:
    browser.size(*WIDTHS["phone"])
    browser.open(page, "#items")
    first = browser.all("#rows tr")[0]
    request, letter_id = (
        first.find_element(By.CSS_SELECTOR, f"td.{n}") for n in ("request", "letter")
    )
    assert request.location["y"] < letter_id.location["y"]
    assert browser.fits()
