"""Fetching a file: continued where it broke off, refused where it is another, bounded."""

from __future__ import annotations

import random
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.benchmarks import pull as fetching
from judgebench.benchmarks.description import RemoteFile
from judgebench.benchmarks.pull import MAX_TRIES, Fetched, SafeRedirects, _authorize, fetch
from judgebench.errors import ConfigError, InputError, ProviderUnavailableError
from tests.file_host import FileHost, etag
from tests.unit.pulled import Noted, sha

CONTENT = random.Random(0).randbytes(100_000)
OTHER = random.Random(1).randbytes(100_000)


class Fetcher:
    """Fetches ``f`` of a host into one folder, again and again, without waiting."""

    def __init__(self, host: FileHost, kept: Path) -> None:
        self.host, self.kept = host, kept
        self.progress = Noted()
        self.waits: list[float] = []

    def __call__(self, expected: bytes | None, size: int | None = None) -> Fetched:
        return fetch(
            RemoteFile(url=f"{self.host.url}/f", bytes=size),
            self.kept,
            self.progress,
            expected=None if expected is None else sha(expected),
            sleep=self.waits.append,
        )

    @property
    def ranges(self) -> list[str | None]:
        return [asked.range for asked in self.host.asked]


@pytest.fixture
def host() -> Iterator[FileHost]:
    with FileHost({"f": CONTENT}) as running:
        yield running


@pytest.fixture
def fetcher(host: FileHost, tmp_path: Path) -> Fetcher:
    return Fetcher(host, tmp_path / "kept")


def kept_files(fetcher: Fetcher) -> list[Path]:
    return [path for path in fetcher.kept.rglob("*") if path.is_file()]


# continued ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("expected", [CONTENT, None])
@pytest.mark.parametrize("validator", ["strong", "date"])
def test_it_goes_on_where_the_connection_broke(
    host: FileHost, fetcher: Fetcher, expected: bytes | None, validator: str
) -> None:
    host.validator, host.cuts = validator, [30_000, 20_000]
    found = fetcher(expected)
    assert found.path.read_bytes() == CONTENT
    assert found.sha == sha(CONTENT)
    assert fetcher.ranges == [None, "bytes=30000-", "bytes=50000-"]
    assert host.asked[1].if_range is not None
    assert fetcher.waits == [1.0, 2.0]
    assert fetcher.progress.bytes == len(CONTENT)
    assert fetcher.progress.stages[-1] == ("bytes of f", len(CONTENT))
    assert "f: the connection broke after 30,000 of 100,000 bytes; again in 1 s" in (
        fetcher.progress.said
    )


def test_what_came_before_it_gave_up_is_used_the_next_time(
    host: FileHost, fetcher: Fetcher
) -> None:
    host.cuts = [10_000] * MAX_TRIES
    with pytest.raises(ProviderUnavailableError, match="what came is kept") as error:
        fetcher(CONTENT)
    assert error.value.exit_code == 69
    assert len(host.asked) == MAX_TRIES
    assert fetcher.waits == [1.0, 2.0, 4.0, 8.0]
    assert fetcher(CONTENT).path.read_bytes() == CONTENT
    assert fetcher.ranges[-1] == "bytes=50000-"


def test_a_whole_pinned_file_is_not_asked_for_again(host: FileHost, fetcher: Fetcher) -> None:
    fetcher(CONTENT)
    assert fetcher(CONTENT).path.read_bytes() == CONTENT
    assert len(host.asked) == 1


def test_a_whole_file_without_a_pin_is_asked_whether_it_is_still_the_same(
    host: FileHost, fetcher: Fetcher
) -> None:
    fetcher(None)
    assert fetcher(None).sha == sha(CONTENT)
    assert fetcher.ranges == [None, "bytes=100000-"]
    host.files["f"] = OTHER
    assert fetcher(None).sha == sha(OTHER)


@pytest.mark.parametrize("validator", ["weak", None])
def test_parts_that_could_be_of_two_files_are_not_joined_without_a_pin(
    host: FileHost, fetcher: Fetcher, validator: str | None
) -> None:
    host.validator, host.cuts = validator, [30_000]
    assert fetcher(None).sha == sha(CONTENT)
    assert fetcher.ranges == [None, None]


@pytest.mark.parametrize("validator", ["weak", None])
def test_a_pin_tells_whether_parts_belong_together(
    host: FileHost, fetcher: Fetcher, validator: str | None
) -> None:
    host.validator, host.cuts = validator, [30_000]
    assert fetcher(CONTENT).sha == sha(CONTENT)
    assert fetcher.ranges == [None, "bytes=30000-"]
    assert host.asked[1].if_range is None


def test_a_server_without_ranges_starts_again(host: FileHost, fetcher: Fetcher) -> None:
    host.ranges, host.cuts = False, [30_000]
    assert fetcher(CONTENT).path.read_bytes() == CONTENT
    assert fetcher.progress.bytes == len(CONTENT)


# changed -----------------------------------------------------------------------------------------


def test_content_that_changed_meanwhile_starts_again(host: FileHost, fetcher: Fetcher) -> None:
    host.cuts = [15_000] * MAX_TRIES
    with pytest.raises(ProviderUnavailableError):
        fetcher(None)
    host.files["f"], host.cuts = OTHER, []
    assert fetcher(None).path.read_bytes() == OTHER
    assert host.asked[-1].if_range == etag(CONTENT)


def test_parts_of_two_files_are_found_by_the_pin(host: FileHost, fetcher: Fetcher) -> None:
    """A server that looks at no validator joins what does not belong together."""
    host.honest, host.files["f"], host.cuts = False, OTHER, [15_000] * MAX_TRIES
    with pytest.raises(ProviderUnavailableError):
        fetcher(CONTENT)
    host.files["f"], host.cuts = CONTENT, []
    assert fetcher(CONTENT).path.read_bytes() == CONTENT
    assert "f: its parts do not belong together; starting again" in fetcher.progress.said


def test_a_file_that_became_shorter(host: FileHost, fetcher: Fetcher) -> None:
    short = CONTENT[:20_000]
    host.honest, host.cuts = False, [15_000] * MAX_TRIES
    with pytest.raises(ProviderUnavailableError):
        fetcher(short)
    host.files["f"], host.cuts = short, []
    assert fetcher(short).path.read_bytes() == short


@pytest.mark.parametrize("expected", [CONTENT, None])
def test_a_part_that_was_not_asked_for_is_not_appended(
    host: FileHost, fetcher: Fetcher, expected: bytes | None
) -> None:
    host.cuts, host.shifts = [30_000], [7]
    assert fetcher(expected).path.read_bytes() == CONTENT
    assert fetcher.ranges == [None, "bytes=30000-", None]
    assert "f: it sent another part than was asked for; again in 2 s" in fetcher.progress.said


def test_a_file_without_a_pin_that_became_shorter_is_fetched_again(
    host: FileHost, fetcher: Fetcher
) -> None:
    """The host looks at no validator, and says that nothing comes after what is here."""
    fetcher(None)
    host.honest, host.files["f"] = False, CONTENT[:20_000]
    assert fetcher(None).path.read_bytes() == CONTENT[:20_000]
    assert fetcher.ranges == [None, "bytes=100000-", None]
    assert "f: it has become shorter; again in 1 s" in fetcher.progress.said


def test_a_wrong_hash_keeps_nothing(host: FileHost, fetcher: Fetcher) -> None:
    with pytest.raises(InputError, match="not the file that was expected") as error:
        fetcher(OTHER)
    assert error.value.exit_code == 65
    assert sha(CONTENT) in str(error.value)
    assert sha(OTHER) in str(error.value)
    assert kept_files(fetcher) == []
    assert len(host.asked) == 1


@pytest.mark.parametrize("says_length", [True, False])
def test_larger_than_announced(host: FileHost, fetcher: Fetcher, says_length: bool) -> None:
    host.says_length = says_length
    with pytest.raises(InputError, match="larger than the 5 bytes expected"):
        fetcher(CONTENT, size=5)
    assert kept_files(fetcher) == []
    assert len(host.asked) == 1


@pytest.mark.parametrize("says_length", [True, False])
def test_larger_than_anything_that_is_fetched(
    host: FileHost, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch, says_length: bool
) -> None:
    """Without a stated size there is still an end."""
    monkeypatch.setattr(fetching, "MAX_BYTES", 99_999)
    host.says_length = says_length
    with pytest.raises(InputError, match="larger than the 99,999 bytes expected"):
        fetcher(None)
    assert kept_files(fetcher) == []
    assert len(host.asked) == 1
    monkeypatch.setattr(fetching, "MAX_BYTES", len(CONTENT))
    assert fetcher(None).path.read_bytes() == CONTENT


@pytest.mark.parametrize("says_length", [True, False])
def test_smaller_than_announced(host: FileHost, fetcher: Fetcher, says_length: bool) -> None:
    host.says_length = says_length
    with pytest.raises(InputError, match="100,000 bytes came of 200,000"):
        fetcher(None, size=200_000)
    assert kept_files(fetcher) == []


def test_a_body_without_a_length(host: FileHost, fetcher: Fetcher) -> None:
    host.says_length = False
    assert fetcher(CONTENT, size=len(CONTENT)).path.read_bytes() == CONTENT
    assert fetcher.progress.stages == [("bytes of f", len(CONTENT))]


def test_an_empty_file(host: FileHost, fetcher: Fetcher) -> None:
    host.files["f"] = b""
    assert fetcher(b"").path.read_bytes() == b""


# refused -----------------------------------------------------------------------------------------


def test_a_fault_of_the_server_passes(host: FileHost, fetcher: Fetcher) -> None:
    host.statuses = [500, 503, 429]
    assert fetcher(CONTENT).path.read_bytes() == CONTENT
    assert "f: 503 Service Unavailable; again in 2 s" in fetcher.progress.said


def test_a_server_says_how_long_to_wait(host: FileHost, fetcher: Fetcher) -> None:
    host.statuses, host.retry_after = [429, 429], "7"
    fetcher(CONTENT)
    assert fetcher.waits == [7.0, 7.0]
    host.statuses, host.retry_after = [429], "100000"
    fetcher(None)
    assert fetcher.waits[-1] == 60.0


def test_a_fault_that_stays(host: FileHost, fetcher: Fetcher) -> None:
    host.statuses = [500] * 99
    with pytest.raises(ProviderUnavailableError, match="500 Internal Server Error"):
        fetcher(CONTENT)
    assert len(host.asked) == MAX_TRIES


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_is_not_asked_twice(host: FileHost, fetcher: Fetcher, status: int) -> None:
    host.statuses = [status] * 99
    with pytest.raises(ProviderUnavailableError, match=f"{status} .*judgebench data import"):
        fetcher(CONTENT)
    assert len(host.asked) == 1


def test_a_gated_file_of_the_hub_says_what_to_do(
    host: FileHost, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", host.url)
    host.statuses = [403]
    with pytest.raises(ProviderUnavailableError, match=r"accept its terms .* set HF_TOKEN"):
        fetcher(CONTENT)


def test_nobody_listens(tmp_path: Path) -> None:
    with FileHost() as gone:
        fetcher = Fetcher(gone, tmp_path)
    with pytest.raises(ProviderUnavailableError, match="Connection refused"):
        fetcher(CONTENT)
    assert len(fetcher.waits) == MAX_TRIES - 1


def test_a_certificate_that_is_not_trusted_is_not_tried_again(
    fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def refuse(*of: object) -> None:
        tried.append(of)
        raise urllib.error.URLError(ssl.SSLCertVerificationError("self-signed certificate"))

    monkeypatch.setattr(fetching, "_open", refuse)
    with pytest.raises(ProviderUnavailableError, match="self-signed certificate"):
        fetcher(CONTENT)
    assert (len(tried), fetcher.waits) == (1, [])


@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"])
def test_offline_asks_nothing_of_the_hub(
    host: FileHost, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "1")
    fetcher(CONTENT)  # of a host that is not the Hub
    monkeypatch.setenv("HF_ENDPOINT", host.url)
    fetcher(CONTENT)  # here already
    with pytest.raises(ConfigError, match=f"{name} is set.*judgebench data import"):
        fetcher(OTHER)
    with pytest.raises(ConfigError, match=f"{name} is set"):
        fetch(RemoteFile(url="https://huggingface.co/x/f"), fetcher.kept, Noted(), expected=None)
    assert len(host.asked) == 1


# redirected --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        "http://example.invalid/f?key=hidden",
        "https://example.invalid/f?key=hidden",
        "file:///etc/passwd",
        "https://user:hidden@127.0.0.1/f",
        "https://[hidden/f",
    ],
)
def test_a_redirect_leads_nowhere_else(host: FileHost, fetcher: Fetcher, target: str) -> None:
    host.redirects["f"] = target
    with pytest.raises(ProviderUnavailableError) as error:
        fetcher(CONTENT)
    assert "hidden" not in str(error.value)
    assert len(host.asked) == 1
    assert kept_files(fetcher) == []


def test_a_redirect_in_a_circle_ends_and_shows_no_key(host: FileHost, fetcher: Fetcher) -> None:
    """urllib's own message about it holds the address."""
    host.redirects |= dict.fromkeys(("f", "f?key=hidden"), "/f?key=hidden")
    with pytest.raises(ProviderUnavailableError, match="302 leads to another place") as error:
        fetcher(CONTENT)
    assert "hidden" not in f"{error.value} {fetcher.progress.said}"
    assert 1 < len(host.asked) < 20
    assert fetcher.waits == []
    assert kept_files(fetcher) == []


def test_a_redirect_on_the_same_host_is_followed(host: FileHost, fetcher: Fetcher) -> None:
    host.redirects["f"], host.files["g"], host.cuts = "/g", CONTENT, [30_000]
    assert fetcher(CONTENT).path.read_bytes() == CONTENT
    assert [(a.path, a.range) for a in host.asked] == [
        ("/f", None),
        ("/g", None),
        ("/f", "bytes=30000-"),
        ("/g", "bytes=30000-"),
    ]


def redirected(url: str, target: str) -> urllib.request.Request | None:
    request = urllib.request.Request(url)
    _authorize(request)
    handler = SafeRedirects(url)
    return handler.redirect_request(request, BytesIO(), 302, "Found", Message(), target)


def test_the_token_stays_with_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_hidden")
    hub = "https://huggingface.co/f"
    same = redirected(hub, "https://huggingface.co/g")
    assert same is not None
    assert same.get_header("Authorization") == "Bearer hf_hidden"
    storage = redirected(hub, "https://cas-bridge.xethub.hf.co/g")
    assert storage is not None
    assert "hf_hidden" not in str({**storage.headers, **storage.unredirected_hdrs})


def test_the_token_is_not_shown_to_others(
    host: FileHost, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_hidden")
    monkeypatch.setenv("HF_ENDPOINT", host.url)
    host.cuts = [30_000]
    fetcher(CONTENT)
    assert [asked.authorization for asked in host.asked] == [None, None]
    assert "hidden" not in " ".join(fetcher.progress.said)


# any order of mishaps ----------------------------------------------------------------------------


@given(
    cuts=st.lists(st.one_of(st.none(), st.integers(0, 3_000)), max_size=8),
    statuses=st.lists(st.sampled_from([None, 500, 503, 408]), max_size=6),
    ranges=st.booleans(),
    honest=st.booleans(),
    validator=st.sampled_from(["strong", "weak", "date", None]),
    says_length=st.booleans(),
)
def test_whatever_happens_it_is_the_pinned_file_or_none(
    tmp_path_factory: pytest.TempPathFactory,
    host: FileHost,
    cuts: list[int | None],
    statuses: list[int | None],
    ranges: bool,
    honest: bool,
    validator: str | None,
    says_length: bool,
) -> None:
    small = CONTENT[:3_000]
    host.files["f"] = small
    host.cuts, host.statuses = list(cuts), list(statuses)
    host.ranges, host.honest, host.validator = ranges, honest, validator
    host.says_length = says_length
    fetcher = Fetcher(host, tmp_path_factory.mktemp("kept"))
    for _ in range(20):
        try:
            found = fetcher(small, size=len(small))
        except (InputError, ProviderUnavailableError):
            continue
        assert found.path.read_bytes() == small
        return
    pytest.fail("it never came, although the host was well at last")
