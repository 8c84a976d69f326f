"""What can be read off the built pages without a browser."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

# An alternative text that is a file name, a path or a word that says nothing.
EMPTY_ALTERNATIVE = re.compile(r"^\S*[/\\.]\S*$|^(image|figure|picture|plot)?$", re.IGNORECASE)

# A directive, a role, a target, a break between cells, bold or code that nobody rendered.
MARKUP = re.compile(
    r"(```|:::)\{?|\{[a-z:]+\}`|^\([\w-]+\)=|^\+\+\+|\*\*\w[^*\n]*\*\*|#@title", re.MULTILINE
)


@pytest.fixture(scope="module")
def soups(site: Path, pages: list[str]) -> dict[str, BeautifulSoup]:
    return {page: BeautifulSoup((site / page).read_text("utf-8"), "html.parser") for page in pages}


def test_notebooks_are_in_step_with_their_chapters(site: Path) -> None:
    drifted = (site / ".complete").read_text("utf-8").split()
    assert drifted == [], "run `make notebooks`"


def broken_links(site: Path, soups: dict[str, BeautifulSoup]) -> list[str]:
    """Internal addresses that lead to no file, or to no place in their page."""
    anchors = {page: {tag["id"] for tag in soup.find_all(id=True)} for page, soup in soups.items()}
    broken = []
    for page, soup in soups.items():
        for tag in soup.find_all(["a", "img", "script", "link"]):
            address = tag.get("href") or tag.get("src")
            if not address or urlsplit(address).scheme or address.startswith("//"):
                continue
            parts = urlsplit(address)
            target = (site / page).parent / unquote(parts.path) if parts.path else site / page
            name = target.resolve().relative_to(site.resolve()).as_posix()
            wanted = unquote(parts.fragment)
            known = anchors.get(name, set())
            if not target.is_file() or (name in anchors and wanted and wanted not in known):
                broken.append(f"{page}: {address}")
    return broken


def test_an_id_belongs_to_one_place(soups: dict[str, BeautifulSoup]) -> None:
    ids = {page: [tag["id"] for tag in soup.find_all(id=True)] for page, soup in soups.items()}
    assert {page for page, found in ids.items() if len(found) != len(set(found))} == set()


def leaks(text: str) -> list[str]:
    """Markup that a reader of this page sees as text; code may hold what it likes."""
    soup = BeautifulSoup(text, "html.parser")
    article = soup.find("article") or soup.find(class_="slides") or soup
    for part in article.find_all(["code", "pre", "script", "style", "template"]):
        part.decompose()
    return [found[0] for found in MARKUP.finditer(article.get_text())]


def test_no_markup_is_left_on_a_page_or_slide(site: Path, pages: list[str]) -> None:
    decks = [path.relative_to(site).as_posix() for path in (site / "slides").glob("*.html")]
    assert decks
    own = [page for page in [*pages, *decks] if not page.startswith("_modules/")]
    found = {page: leaks((site / page).read_text("utf-8")) for page in own}
    assert {page: marks for page, marks in found.items() if marks} == {}


@pytest.mark.parametrize(
    "text", ["```{note} left", ":::{tip}", "see {term}`query`", "(label)=", "+++", "so **bold**"]
)
def test_left_markup_is_found(text: str) -> None:
    assert leaks(f"<article><p>{text}</p><code>{text}</code></article>")
    assert not leaks(f"<article><p>well</p><pre>{text}</pre></article>")


def poor_images(soups: dict[str, BeautifulSoup]) -> list[str]:
    """Images whose alternative text would tell a reader nothing."""
    return [
        f"{page}: {image.get('src')} has alt text {image.get('alt')!r}"
        for page, soup in soups.items()
        for image in soup.find_all("img")
        if EMPTY_ALTERNATIVE.match(image.get("alt") or "")
    ]


def test_internal_links_lead_somewhere(site: Path, soups: dict[str, BeautifulSoup]) -> None:
    assert broken_links(site, soups) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    html = '<p id="here"><a href="#here"></a><a href="#gone"></a><a href="no.html"></a></p>'
    (tmp_path / "page.html").write_text(html)
    found = broken_links(tmp_path, {"page.html": BeautifulSoup(html, "html.parser")})
    assert found == ["page.html: #gone", "page.html: no.html"]


def test_images_say_what_they_show(soups: dict[str, BeautifulSoup]) -> None:
    assert poor_images(soups) == []


@pytest.mark.parametrize("alternative", ["", "_images/a91f.png", "figure", "map.svg"])
def test_a_poor_alternative_text_is_found(alternative: str) -> None:
    soup = BeautifulSoup(f'<img src="a.png" alt="{alternative}">', "html.parser")
    assert poor_images({"page.html": soup})


def test_landing_page_shows_an_attention_map(soups: dict[str, BeautifulSoup]) -> None:
    figure = soups["index.html"].find("figure")
    assert figure is not None and figure.find("img") is not None
    assert len(figure.find("img")["alt"]) > 60
    assert figure.find("figcaption") is not None


def test_reference_has_every_module(root: Path, soups: dict[str, BeautifulSoup]) -> None:
    modules = {
        ".".join(path.relative_to(root).with_suffix("").parts)
        for path in (root / "transformer_lite").rglob("*.py")
        # Of a chapter, its view alone is listed: exercises hold the solutions.
        if path.stem[0] != "_" and ("chapters" not in path.parts or path.stem == "widget")
    }
    documented = {
        tag["id"].removeprefix("module-")
        for page, soup in soups.items()
        if page.startswith("api/")
        for tag in soup.find_all(id=re.compile(r"^module-transformer_lite\."))
    }
    missing = sorted(modules - documented)
    assert not missing, f"add the folder to a page of book/api/, for: {', '.join(missing)}"
    assert documented <= modules


def test_the_glossary_is_in_order_and_has_korean(soups: dict[str, BeautifulSoup]) -> None:
    entries = soups["glossary.html"].select("dl.glossary dt")
    names = [entry.get_text().strip("#\n ") for entry in entries]
    assert names == sorted(names, key=str.lower)
    meanings = [entry.find_next("dd").get_text().strip() for entry in entries]
    lacking = {
        name
        for name, meaning in zip(names, meanings, strict=True)
        if not re.match("[가-힣]", meaning)
    }
    assert lacking == {"BLEU"}


def test_signatures_show_shapes(soups: dict[str, BeautifulSoup]) -> None:
    signature = soups["api/modules.html"].find(id="transformer_lite.masks.causal_mask")
    assert signature is not None
    assert "→ Bool[Tensor, 'T T']" in signature.get_text()


def test_what_a_call_does_is_in_the_reference(soups: dict[str, BeautifulSoup]) -> None:
    name = "transformer_lite.translator.Translator.__call__"
    signature = soups["api/modules.html"].find(id=name)
    assert signature is not None and "beam_size: int = 1" in signature.get_text()


def test_no_page_points_to_a_repository_that_is_not_ours(soups: dict[str, BeautifulSoup]) -> None:
    ours = "transformer_lite"  # the listings of our own modules name the corpora they fetch
    hosts = {
        f"{page}: {link['href']}"
        for page, soup in soups.items()
        if f"_modules/{ours}" not in page
        for link in soup.find_all("a", href=re.compile(r"github\.com|gitlab\.com|colab\."))
    }
    assert hosts == set()


def test_signatures_are_readable(soups: dict[str, BeautifulSoup]) -> None:
    signatures = [
        tag.get_text().strip()
        for page, soup in soups.items()
        if page.startswith("api/")
        for tag in soup.find_all("dt", class_="sig")
    ]
    assert len(signatures) > 50
    assert [text for text in signatures if " object at 0x" in text or "~" in text] == []
