"""The documentation is true: its code runs, its outputs are what comes out, its links lead somewhere, the site builds."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import io
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import tokenize
import tomllib
import venv
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import pytest

from benchmarks.compare.__main__ import PARTS
from benchmarks.compare.tables import put
from geekai_testing.scripted import ScriptedServer
from scripts._docs import TAB
from tests.docs_endpoint import answer

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

REAL = "local-endpoint.md"
"""The page whose answers are a real model's: tests/local/test_page.py runs it."""

BLOCK = re.compile(
    r"^```python\b[^\n]*\n(?P<code>.*?)^```\n(?:\s*^```text\n(?P<output>.*?)^```\n)?", re.MULTILINE | re.DOTALL
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A Python block of a page: the bold line that heads it, or "", and what it prints, where the page says so."""

    tab: str
    code: str
    output: str | None


def blocks(page: Path) -> list[Block]:
    """The Python blocks of a page, headed or not."""
    text = page.read_text(encoding="utf-8")
    headed = [(tab.span(), tab["name"]) for tab in TAB.finditer(text)]
    return [
        Block(
            next((name for (start, end), name in headed if start < match.start() < end), ""),
            *(match["code"], match["output"]),
        )
        for match in BLOCK.finditer(text)
    ]


def fences(page: Path) -> list[tuple[str, str]]:
    """The fenced blocks of a page: their languages and their lines."""
    return FENCE.findall(page.read_text(encoding="utf-8"))


@pytest.mark.filterwarnings(
    "ignore:The `:DeprecationWarning",  # LlamaIndex's structured LLM calls `json`, its agents look at every attribute,
    "ignore:Accessing the:DeprecationWarning",  # and so at what pydantic deprecates
)
@pytest.mark.parametrize(
    "page", [p for p in PAGES if blocks(p) and p.name != REAL], ids=lambda p: str(p.relative_to(ROOT))
)
def test_every_python_block_of_a_page_runs_and_prints_what_the_page_shows(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the page's order; a tab knows what stands outside the tabs and in the tabs of its name. `…` is anything."""
    names: dict[str, dict[str, object]] = {"": {"__name__": "__docs__"}}
    monkeypatch.setenv("GEEKAI_API_KEY", "sk-docs")
    monkeypatch.setenv("GEEKAI_SYSTEM_KEY", "sys-docs")
    with ScriptedServer(answer) as server:
        monkeypatch.setenv("GEEKAI_BASE_URL", server.base_url)
        for tab, code, output in blocks(page):
            names[tab] = {**names[""], **names.get(tab, {})}
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(compile(code, str(page), "exec"), names[tab])
            if output is not None:
                assert_prints(printed.getvalue(), output)
        assert server.requests


def assert_prints(printed: str, wanted: str) -> None:
    """As a doctest would, with `…` for anything."""
    same = doctest.OutputChecker().check_output(wanted.replace("…", "..."), printed, doctest.ELLIPSIS)
    assert same, f"the page shows:\n{wanted}\nbut what is printed is:\n{printed}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_page_reads_well_where_the_site_does_not_render_it(page: Path) -> None:
    """No marks that only MkDocs knows, but for the reference's `:::`, and there a sentence says what they are."""
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"^(===|!!!|\?\?\?|---\n)", text, re.MULTILINE)
    assert "\n:::" not in text or text.partition("\n\n")[2].startswith("The site fills this page from the docstrings")


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md", ROOT / "SECURITY.md"], ids=lambda p: p.name)
def test_a_list_is_a_list_wherever_the_page_is_read(page: Path) -> None:
    """MkDocs wants a blank line before a list, which most viewers do not; without one it is part of the paragraph."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    item = r" *(?:[-*]|[0-9]+[.]) "
    assert not re.findall(rf"(?m)^(?! |[-*] |[0-9]+[.] )\S.*\n{item}.*", text)


@pytest.mark.parametrize("page", [p for p in PAGES if p.parent != ROOT], ids=lambda p: str(p.relative_to(ROOT)))
def test_the_code_of_a_page_fits_a_screen_of_1280_pixels(page: Path) -> None:
    """88 columns, as Chromium measured; a character of Chinese takes two. Outputs are wrapped by the site's style."""
    for language, code in fences(page):
        for line in code.splitlines():
            wide = len(line) + len(re.findall(r"[\u3000-\u9fff\uff00-\uffef]", line))
            assert wide <= 88 or language == "text", line


SCRIPTED = {
    "docs": "> What the server answers on this page is scripted,",
    "zh": "> 本页中服务器的回答来自脚本，",
}


def test_a_page_that_shows_answers_says_at_its_top_that_they_are_scripted() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if any(block.output for block in blocks(page)) and page.name != REAL:
            assert text.partition("\n\n")[2].startswith(SCRIPTED[page.parent.name]), page


def test_the_headed_blocks_of_a_page_are_tabs_on_the_site(site: Path) -> None:
    text = (site / "index.html").read_text(encoding="utf-8")
    assert text.count('<div class="tabbed-set') == len(re.findall(r"^## ", (ROOT / "docs/index.md").read_text(), re.M))
    assert "<strong>LangChain</strong>" not in text


def test_a_number_of_blocks_is_found_in_tabs_and_with_outputs() -> None:
    """Else the test above would run nothing, and pass."""
    found = blocks(ROOT / "docs/index.md")
    assert {block.tab for block in found} >= {"LangChain", "LlamaIndex"}
    assert any(block.output for block in found)


@pytest.mark.parametrize("part", PARTS)
def test_the_tables_on_the_peers_are_those_of_the_committed_run(part: str) -> None:
    found = json.loads((ROOT / f"benchmarks/compare/results/{part}.json").read_text(encoding="utf-8"))
    for page, tell in PARTS[part][1].items():
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        assert put(text, tell(found)) == text, page


SITE = "https://docs.example"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documentation's site, built as `scripts/docs` builds it: any warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)],
        cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "SITE_URL": f"{SITE}/"}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class Loaded(HTMLParser):
    """What a page of HTML makes a browser load, its language and its description."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.language: str | None = None
        self.description: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "html":
            self.language = given.get("lang")
        if tag == "meta" and given.get("name") == "description":
            self.description = given.get("content")
        if given.get("rel") == "canonical":  # where the page itself is; nothing is loaded from there
            return
        if address := given.get("src") or (given.get("href") if tag == "link" else None):
            self.addresses.append(address)


def test_the_site_builds_without_a_warning_and_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 10
    for page in pages:
        loaded = Loaded(page.read_text(encoding="utf-8"))
        assert loaded.addresses
        assert not [address for address in loaded.addresses if "//" in address], page
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(\s*['\"]?(https?:)?//", style.read_text(encoding="utf-8")), style


def test_the_sitemap_has_every_page_and_each_has_a_description_of_its_own(site: Path) -> None:
    listed = re.findall(r"<loc>(.*?)</loc>", (site / "sitemap.xml").read_text(encoding="utf-8"))
    pages = {f"{SITE}/{page.relative_to(site)}": page for page in site.rglob("*.html") if page.name != "404.html"}
    assert sorted(listed) == sorted(pages)
    told = [Loaded(page.read_text(encoding="utf-8")).description for page in pages.values()]
    assert all(told)
    assert len(set(told)) == len(told)


def test_a_page_leads_to_itself_in_the_other_language_and_has_the_navigation_of_its_own(site: Path) -> None:
    chinese, english = ((site / page).read_text(encoding="utf-8") for page in ("zh/search.html", "search.html"))
    assert '<a href="../search.html" hreflang="en"' in chinese
    assert '<a href="zh/search.html" hreflang="zh"' in english
    assert "Retries and time limits" not in chinese
    assert "常见错误" not in english


def test_the_search_index_parts_the_words_of_chinese(site: Path) -> None:
    """Else a question of three characters would find every page: each of its characters stands somewhere."""
    docs = json.loads((site / "search/search_index.json").read_text(encoding="utf-8"))["docs"]
    chinese = "".join(doc["title"] + doc["text"] for doc in docs if doc["location"].startswith("zh/"))
    assert "联网\u200b搜索" in chinese or "\u200b搜索\u200b" in chinese


def test_the_site_lists_every_page_once() -> None:
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    listed = re.findall(r"[\w./-]+\.md$", nav, re.MULTILINE)
    assert sorted(listed) == sorted(
        str(page.relative_to(ROOT / "docs")) for page in PAGES if ROOT / "docs" in page.parents
    )


def test_the_page_of_examples_has_them_all_and_the_site_shows_their_sources(site: Path) -> None:
    named = set(re.findall(r"\]\(\.\./examples/(\w+\.py)\)", (ROOT / "docs/examples.md").read_text(encoding="utf-8")))
    assert named == {path.name for path in (ROOT / "examples").glob("*.py")} - {"__init__.py"}
    assert len(re.findall("<details", (site / "examples.html").read_text(encoding="utf-8"))) == len(named)


def test_a_line_end_within_chinese_text_is_no_space(site: Path) -> None:
    page = (site / "zh/index.html").read_text(encoding="utf-8")
    assert not re.search(r"[\u4e00-\u9fff，。]\n[\u4e00-\u9fff]", re.sub(r"(?s)<pre.*?</pre>", "", page))


def test_a_page_of_the_site_says_which_language_it_is_in(site: Path) -> None:
    for page, language in (("index.html", "en"), ("zh/index.html", "zh"), ("reference/core.html", "en")):
        assert Loaded((site / page).read_text(encoding="utf-8")).language == language


def test_the_reference_documents_every_public_name(site: Path) -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in (site / "reference").glob("*.html"))
    documented = {identifier.rsplit(".", 1)[-1] for identifier in re.findall(r'id="([\w.]+)"', text)}
    for package in ("geekai_core", "langchain_geekai", "llama_index_geekai"):
        missing = set(importlib.import_module(package).__all__) - documented - {"__version__"}
        assert not missing, (package, missing)


WITH_EXAMPLES = [
    ".".join(path.relative_to(root).with_suffix("").parts)
    for root, package in ((ROOT / "shared", "geekai_*"), (ROOT, "langchain_geekai"), (ROOT, "llama_index_geekai"))
    for path in sorted(root.glob(f"{package}/*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_every_example_of_a_docstring_is_true(module: str) -> None:
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted > 0
    assert result.failed == 0


TRANSLATED = {ROOT / "README.zh-CN.md": ROOT / "README.md"} | {
    page: ROOT / "docs" / page.name for page in PAGES if page.parent.name == "zh" and page.name != "migrate.md"
}


def words(language: str, code: str) -> list[str]:
    """What a block does: its tokens without comments and line breaks, or its shell words line by line."""
    if language == "python":
        left_out = {tokenize.COMMENT, tokenize.NL}
        tokens = tokenize.generate_tokens(io.StringIO(code).readline)
        return [token.string for token in tokens if token.type not in left_out]
    if language == "bash":
        return [word for line in code.splitlines() for word in [*shlex.split(line, comments=True), "\n"]]
    return code.splitlines()


def assert_same_code(chinese: list[tuple[str, str]], english: list[tuple[str, str]]) -> None:
    """The same code, but for comments and for strings that the Chinese page has in Chinese."""
    assert [language for language, _ in chinese] == [language for language, _ in english]
    for (language, ours), (_, theirs) in zip(chinese, english, strict=True):
        if language == "text":  # what is printed: running the page compares it
            continue
        pairs = itertools.zip_longest(words(language, ours), words(language, theirs))
        differ = [pair for pair in pairs if pair[0] != pair[1] and not re.search(r"[\u3400-\u9fff]", pair[0] or "")]
        assert not differ, f"{differ[:3]} in\n{ours}"


@pytest.mark.parametrize("chinese", TRANSLATED, ids=lambda page: page.name)
def test_a_chinese_page_has_the_code_and_the_headings_of_its_english_twin(chinese: Path) -> None:
    english = TRANSLATED[chinese]
    assert_same_code(fences(chinese), fences(english))
    levels = [
        re.findall(r"^(#+) ", FENCE.sub("", page.read_text(encoding="utf-8")), re.M) for page in (chinese, english)
    ]
    assert levels[0] == levels[1]


def test_the_chinese_page_on_moving_has_the_swaps_of_the_three_english_ones() -> None:
    swaps = [
        [block for block in fences(ROOT / "docs" / page) if block[0] == "diff"]
        for page in ("migrate-from-chatopenai.md", "migrate-from-chatdeepseek.md", "migrate-from-openailike.md")
    ]
    assert [block for block in fences(ROOT / "docs/zh/migrate.md") if block[0] == "diff"] == [*itertools.chain(*swaps)]


def test_the_first_install_line_of_the_readme_works_in_a_fresh_environment(tmp_path: Path) -> None:
    """As it is printed, in a clone. `scripts/release` tries every extra."""
    lines = re.findall(r"^pip install .*", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    installed = [re.match(r'pip install "\.\[([a-z-]+)\]" +#', line) for line in lines]
    assert {extra[1] for extra in installed if extra} <= set(extras)
    assert all(installed)
    assert len(installed) > 5
    venv.create(tmp_path / "venv", with_pip=True)
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    env |= {"PATH": f"{tmp_path / 'venv/bin'}{os.pathsep}{env['PATH']}", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    pins = ROOT / f"constraints/{sys.version_info[0]}.{sys.version_info[1]}.txt"
    if pins.exists():  # what others release must not break this test
        env |= {"PIP_CONSTRAINT": str(pins), "PIP_BUILD_CONSTRAINT": str(pins)}

    def shell(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, shell=True, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, check=False
        )

    reached = shell(f"pip download --quiet --no-deps --retries 0 --timeout 10 --dest {tmp_path} hatchling")
    if reached.returncode != 0:
        pytest.skip("no package index is reachable")
    done = shell(lines[0])
    assert done.returncode == 0, done.stderr
    told = shell("python -I -c 'import langchain_geekai; print(langchain_geekai.__file__)'")
    assert str(tmp_path) in told.stdout, told.stderr


def test_the_readme_is_short_enough_to_be_read() -> None:
    assert (ROOT / "README.md").read_text(encoding="utf-8").count("\n") <= 132


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_the_readmes_count_what_is_kept_as_the_comparison_pages_do(readme: str) -> None:
    counted = []
    for page in ("compare-langchain.md", "compare-llama-index.md"):
        row = re.search(r"kept in every way, of .*", (ROOT / "docs" / page).read_text(encoding="utf-8"))
        assert row
        total, *kept = map(int, re.findall(r"[0-9]+", row[0]))
        counted += [total, kept[0], max(kept[1:])]
    for page in ("compare-langchain.md", "compare-llama-index.md"):
        row = re.search(r"\*\*all\*\*.*", (ROOT / "docs" / page).read_text(encoding="utf-8"))
        assert row
        (right, total), *peers = ((int(one), int(of)) for one, of in re.findall(r"(\d+) of (\d+)", row[0]))
        counted += [total, right, max(of_peer for of_peer, _ in peers)]
    before_the_table = re.split(r"<!-- (?:peers|同类库) -->", (ROOT / readme).read_text(encoding="utf-8"))[0]
    assert [*map(int, re.findall(r"[0-9]+", before_the_table.rpartition("\n## ")[2]))] == counted


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), target


MODULES = {"geekai": "geekai_cli", "geekai-local": "geekai_local"}


def commands() -> set[tuple[str, str, str]]:
    """The options that the pages give our commands: command, its own command or "", option."""
    found = set()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in re.findall(r"^ *```bash\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL):
            for line in block.splitlines():
                for command, own, rest in re.findall(r"(?:^|\|) *(geekai(?:-local)?)\b(?: ([a-z]+))?([^|#]*)", line):
                    found |= {(command, own, option) for option in re.findall(r"(?<= )--[a-z-]+", rest)}
    return found


@pytest.mark.parametrize(("command", "own"), sorted({(command, own) for command, own, _ in commands()}))
def test_a_command_takes_the_options_that_the_pages_give_it(command: str, own: str) -> None:
    told = subprocess.run(
        [sys.executable, "-m", MODULES[command], *([own] if own else []), "--help"],
        env={**os.environ, "COLUMNS": "200", "TERM": "dumb"}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    options = {option for *whose, option in commands() if whose == [command, own]}
    assert options <= set(re.findall(r"--[a-z-]+", told.stdout))


def test_every_script_that_the_pages_name_exists() -> None:
    for page in PAGES:
        for name in re.findall(r"\bscripts/(\w+(?:\.py)?)", page.read_text(encoding="utf-8")):
            assert (ROOT / "scripts" / name).exists(), (page, name)
