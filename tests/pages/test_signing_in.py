"""Who gets to see a page, and who may change something from one: codes and cookies as such, and over HTTP."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.pages.conftest import Site
from trialflow.cli.open import has_browser, page_of, sign_in_address
from trialflow.service.sign_in import CODE_SECONDS, COOKIE_SECONDS, MOST_CODES, STRANGER, SignIn, user_of


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_code_works_once() -> None:
    signing = SignIn("token")
    code = signing.code()
    assert signing.is_signed_in(signing.redeem(code, None))
    assert signing.redeem(code, None) is None and signing.redeem("", None) is None


def test_a_code_expires_and_so_does_a_cookie() -> None:
    clock = Clock()
    signing = SignIn("token", clock=clock)
    old, cookie = signing.code(), signing.redeem(signing.code(), None)
    clock.now += CODE_SECONDS + 1
    assert signing.redeem(old, None) is None and signing.is_signed_in(cookie)
    clock.now += COOKIE_SECONDS
    assert not signing.is_signed_in(cookie)


def test_a_code_for_a_user_works_for_that_user_and_root_only_and_a_stranger_does_not_use_it_up() -> None:
    signing = SignIn("token")
    code = signing.code(1000)
    assert signing.redeem(code, 1001) is None and signing.redeem(code, STRANGER) is None
    assert signing.redeem(code, 1000) is not None
    assert signing.redeem(signing.code(1000), 0) is not None and signing.redeem(signing.code(1000), None) is not None


@pytest.mark.parametrize("forged", [None, "", ".", "9999999999.x.", "x", "9999999999.x." + "0" * 64, "é.é.é", "." * 500])
def test_no_other_text_is_a_cookie(forged: str | None) -> None:
    assert not SignIn("token").is_signed_in(forged)


def test_a_cookie_is_of_one_service_and_survives_its_process() -> None:
    first = SignIn("token")
    cookie = first.redeem(first.code(), None)
    assert SignIn("token").is_signed_in(cookie) and not SignIn("other").is_signed_in(cookie)
    assert SignIn("token").cookie == first.cookie != SignIn("other").cookie


def test_codes_that_nobody_redeems_do_not_pile_up() -> None:
    signing = SignIn("token")
    codes = [signing.code() for _ in range(MOST_CODES + 5)]
    assert signing.redeem(codes[0], None) is None and signing.redeem(codes[-1], None) is not None


ENDING = "   1: 0100007F:9C40 0100007F:1F90 06 00000000:00000000 03:0000176F 00000000     0        0 0 3 0000000000000000"
ELSEWHERE = "   2: 0100007F:9C40 0100007F:1F91 01 00000000:00000000 00:00000000 00000000     0        0 71 1 0000000000000000"
SERVER = "   3: 0100007F:1F90 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 72 1 0000000000000000"
CLIENT = "   4: 0100007F:9C40 0100007F:1F90 01 00000000:00000000 00:00000000 00000000 65534        0 73 1 0000000000000000"


@pytest.mark.parametrize(
    ("lines", "user"),
    [
        ([ENDING, ELSEWHERE, SERVER, CLIENT], 65534),
        ([ENDING, ELSEWHERE, SERVER], STRANGER),
        ([], STRANGER),
    ],
)
def test_only_the_living_connection_to_the_service_tells_the_user(lines: list[str], user: int, tmp_path: Path) -> None:
    table = tmp_path / "tcp"
    table.write_text("\n".join(["heading", *lines]))
    assert user_of("127.0.0.1", 40000, 8080, (table,)) == user


def test_where_the_kernel_does_not_say_nobody_knows(tmp_path: Path) -> None:
    assert user_of("127.0.0.1", 40000, 8080, (tmp_path / "none",)) is None
    (tmp_path / "tcp").write_text("heading")
    assert user_of("10.1.2.3", 40000, 8080, (tmp_path / "tcp",)) is None


def test_no_page_is_shown_without_the_cookie(site: Site) -> None:
    url, one = site.service.url, site.ids["mixed"]
    for path in ("", "live", f"experiments/{one}", f"experiments/{one}/live", f"experiments/{one}/table.csv", "training-runs/1", "compare?id=1&id=2"):
        for cookies in ({}, {site.service.raw("GET", "tokens/self").json()["token"][:8]: "x"}):
            answer = requests.get(f"{url}/{path}", cookies=cookies, headers={"Accept": "text/html"}, timeout=60)
            assert answer.status_code == 401 and "trialflow open" in answer.text and "image classifier" not in answer.text
    assert requests.get(f"{url}/", auth=(site.service.token, ""), timeout=60).status_code == 401, "the token is for programs"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(site: Site) -> None:
    answer = requests.get(f"{site.service.url}/sign-in", params={"code": site.code(), "to": "experiments/1"}, timeout=60)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and "path" not in cookie and "domain" not in cookie
    assert "./experiments/1" in answer.text and site.service.token not in answer.text


@pytest.mark.parametrize(
    "to", ["//evil.example", "https://evil.example", "javascript:alert(1)", "experiments/1/../../x", "experiments/x", "v1/tokens/self"]
)
def test_signing_in_leads_to_pages_of_the_service_only(site: Site, to: str) -> None:
    answer = requests.get(f"{site.service.url}/sign-in", params={"code": site.code(), "to": to}, timeout=60)
    assert answer.status_code == 200 and 'content="0;url=./"' in answer.text


def test_an_old_code_and_a_guests_token_open_nothing(site: Site) -> None:
    code, url = site.code(), site.service.url
    assert requests.get(f"{url}/sign-in", params={"code": code}, timeout=60).status_code == 200
    again = requests.get(f"{url}/sign-in", params={"code": code}, timeout=60)
    assert again.status_code == 403 and "set-cookie" not in again.headers
    guest = site.service.call("POST", f"experiments/{site.ids['mixed']}/tokens")["token"]
    assert site.service.raw("POST", "sign_in_codes", auth=(guest, "")).status_code == 403


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root can act as another user")
def test_another_user_of_the_machine_cannot_redeem_a_code_that_they_have_seen(site: Site) -> None:
    code = site.code(user=os.getuid())
    program = "import urllib.request, sys; print(urllib.request.urlopen(sys.argv[1], timeout=60).status)"
    address = f"{site.service.url}/sign-in?code={code}"
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/env", "python3", "-c", program, address]
    stranger = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    assert "403" in stranger.stderr, stranger
    own = subprocess.run([sys.executable, "-c", program, address], capture_output=True, text=True, cwd="/", check=False)
    assert own.stdout.strip() == "200"


def test_only_a_page_of_the_service_can_change_something(site: Site) -> None:
    session, url = site.session(), site.service.url
    address, own = f"{url}/experiments/{site.ids['empty']}/budget", {"Origin": url}
    before = site.service.call("GET", f"aiexperiments/{site.ids['empty']}")
    refused = [
        {"json": {"budget": "7"}},
        {"json": {"budget": "7"}, "headers": {"Origin": "https://evil.example"}},
        {"json": {"budget": "7"}, "headers": {"Origin": "null"}},
        {"json": {"budget": "7"}, "headers": {"Origin": "http://127.0.0.1:1"}},
        {"json": {"budget": "7"}, "headers": {**own, "Sec-Fetch-Site": "same-site"}},
        {"data": {"budget": "7"}, "headers": own},
        {"data": '{"budget": "7"}', "headers": {**own, "Content-Type": "text/plain"}},
    ]
    for more in refused:
        assert session.post(address, timeout=60, **more).status_code == 403
    assert requests.post(address, json={"budget": "7"}, headers=own, timeout=60).status_code == 401
    assert site.service.call("GET", f"aiexperiments/{site.ids['empty']}") == before
    assert session.post(address, json={"budget": "70"}, headers=own, timeout=60).status_code == 200
    assert site.service.call("GET", f"aiexperiments/{site.ids['empty']}")["budget"] == 70


def test_pages_allow_no_script_of_their_own_and_no_address_outside(site: Site) -> None:
    session = site.session()
    for path in ("", f"experiments/{site.ids['mixed']}", "training-runs/1", "sign-in"):
        policy = session.get(f"{site.service.url}/{path}", timeout=60).headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script-src 'self';" in policy and "frame-ancestors 'none'" in policy
        assert "http" not in policy


def test_the_same_state_is_not_sent_twice(site: Site) -> None:
    session, address = site.session(), f"{site.service.url}/experiments/{site.ids['front']}/live"
    first = session.get(address, timeout=60)
    assert session.get(address, headers={"If-None-Match": first.headers["etag"]}, timeout=60).status_code == 304
    assert session.get(f"{address}?where=x", headers={"If-None-Match": first.headers["etag"]}, timeout=60).status_code == 200


def test_what_there_is_not_is_said_so(site: Site) -> None:
    session = site.session()
    for path, status in (
        ("experiments/999999", 404),
        ("training-runs/x", 404),
        ("compare?id=1", 400),
        ("static/x/../../tokens.py", 404),
        ("nothing", 404),
    ):
        assert session.get(f"{site.service.url}/{path}", headers={"Accept": "text/html"}, timeout=60).status_code == status


def test_a_browser_with_windows_is_needed_and_the_code_is_not_repeated() -> None:
    assert has_browser({"DISPLAY": ":0"}, "linux") and has_browser({}, "darwin") and not has_browser({}, "linux")
    address = sign_in_address("https://tune.example.org/prefix/api/", "abc", "experiments/3")
    assert address == "https://tune.example.org/prefix/sign-in?code=abc&to=experiments%2F3" and "abc" not in page_of(address)
