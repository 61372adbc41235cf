"""The verification book: pages of quick cases with figures; what a page says when a case fails or breaks."""

import json

import pytest

from ionsim import book, verification
from ionsim.errors import IonsimError
from ionsim.verification.record import Record

QUICK = [name for name, case in verification.cases().items() if case.quick][::4]


def test_every_case_says_what_it_shows():
    for name, case in verification.cases().items():
        assert len(case.problem) > 30, name
        assert len(case.exact) > 15, name


def test_quick_cases_make_a_book(tmp_path):
    chapters = book.build(tmp_path, QUICK)
    assert [chapter.name for chapter in chapters] == QUICK
    assert all(chapter.passed for chapter in chapters)
    index = (tmp_path / "index.html").read_text("utf-8")
    for name in QUICK:
        assert f'href="{name}.html"' in index
        page = (tmp_path / f"{name}.html").read_text("utf-8")
        assert f"{name}.png" in page or "data:image" in page
        assert (tmp_path / f"{name}.png").stat().st_size > 8_000
        assert json.loads((tmp_path / f"{name}.json").read_text("utf-8"))["records"]
    before = (tmp_path / f"{QUICK[0]}.html").read_text("utf-8")
    book.render(tmp_path)
    assert (tmp_path / f"{QUICK[0]}.html").read_text("utf-8") == before


def test_a_case_that_fails_is_in_the_book(tmp_path, monkeypatch):
    name = QUICK[0]
    right = verification.cases()[name]

    def wrong():
        right.function()
        return [Record.below("a difference", 2.0, 1.0)]

    monkeypatch.setitem(verification.record.CASES, name, type(right)(**{**vars(right), "function": wrong}))
    (chapter,) = book.build(tmp_path, [name])
    assert not chapter.passed
    assert "fail" in (tmp_path / "index.html").read_text("utf-8").lower()


def test_an_unknown_case_is_refused(tmp_path):
    with pytest.raises(IonsimError, match="no-such-case"):
        book.build(tmp_path, ["no-such-case"])
    assert not (tmp_path / "index.html").exists()
