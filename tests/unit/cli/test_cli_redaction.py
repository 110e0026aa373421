"""What is taken out of text and data, and what stays."""

import json
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.cli.redaction import LEAST, MASK, Redactor, names_secret, secrets_in, secrets_of

KEYS = ("become_pass", "ansible_ssh_password", "apiKey", "DB_TOKEN", "client-secret", "PGPASSWORD")
SECRETS = st.text(min_size=LEAST, max_size=80).filter(
    lambda text: len(text.strip()) >= LEAST and "*" not in text
)


@pytest.mark.parametrize("key", [*KEYS, "private_key", "AWS_SECRET_ACCESS_KEY", "--auth-key"])
def test_keys_that_name_secrets(key: str) -> None:
    assert names_secret(key)


@pytest.mark.parametrize(
    "key", ["ssh_key", "key", "tls", "passes", "compute_s", "FARM_TLS_KEY", "PWD"]
)
def test_keys_of_files_and_figures_name_none(key: str) -> None:
    assert not names_secret(key)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("password=hunter2 and on", f"password={MASK} and on"),
        ('{"api_key": "a b c", "n": 1}', f'{{"api_key": "{MASK}", "n": 1}}'),
        ("run --token abc --fast", f"run --token {MASK} --fast"),
        ("http://ann:pw@198.18.0.9/x", f"http://{MASK}@198.18.0.9/x"),
        ("rsync ann:pw@host", f"rsync {MASK}@host"),
        ("with Bearer abcdef.ghijkl", f"with Bearer {MASK}"),
        ("ghp_0123456789abcdefABCDEF", MASK),
        ("AKIAABCDEFGHIJKLMNOP", MASK),
        ("eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl", MASK),
        ("root:$6$salt$hash:1", f"root:{MASK}:1"),
        ("$ANSIBLE_VAULT;1.1;AES256\n  61626364656667\n  6162636465\nb", f"{MASK}\nb"),
        ("a -----BEGIN EC PRIVATE KEY-----\nxx\n-----END EC PRIVATE KEY----- b", f"a {MASK} b"),
        (r"-----BEGIN PRIVATE KEY-----\nxx\n-----END PRIVATE KEY-----", MASK),
        ("xx\nyy\n-----END RSA PRIVATE KEY-----\nb", f"{MASK}\nb"),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----\nx\n-----END PGP PRIVATE KEY BLOCK-----", MASK),
        (r'{"event": "{\"password\": \"a b\"}"}', rf'{{"event": "{{\"password\": \"{MASK}\"}}"}}'),
        (r"\\\"token\\\": \\\"abc\\\", x", rf"\\\"token\\\": \\\"{MASK}\\\", x"),
        ("('x-farm-token', 'abc')", f"('x-farm-token', '{MASK}')"),
        ("(key='authorization', value='a b')", f"(key='authorization', value='{MASK}')"),
        ('{"name": "DB_TOKEN", "value": "a b"}', f'{{"name": "DB_TOKEN", "value": "{MASK}"}}'),
        ('Environment="A=1" "PG_PASS=a b"', f'Environment="A=1" "PG_PASS={MASK}"'),
        ('"prompt": "who am I?", "n": 1', f'"prompt": "{MASK}", "n": 1'),
        ("GET /x?access_token=abc&n=1", f"GET /x?access_token={MASK}"),
        ("/x?X-Amz-Signature=abc", f"/x?X-Amz-Signature={MASK}"),
        ("Cookie: a=b; session=abc\nnext", f"Cookie: {MASK}\nnext"),
        ("curl -u ann:abc http://host", f"curl -u {MASK} http://host"),
        ("sshpass -p abc ssh host", f"sshpass -p {MASK} ssh host"),
        ("login ann password abc123 and on", f"login ann password {MASK} and on"),
        ("hf_0123456789abcdefABCDEF", MASK),
        ("https://hooks.slack.com/services/T0/B0/x", f"https://hooks.slack.com/services/{MASK}"),
        ("mail ann.b@example.org.", "mail <e-mail>."),
        ("/home/ann/x and /Users/bob", "~/x and ~"),
        ("in /srv/me/models", "in ~/models"),
        ("http://p/?to=http%3A%2F%2Fann%3Apw%40h%2Fx n", f"http://{MASK}@h/x n"),
        ("http://p/?to=http%253a%252F%252Fann%253Apw%2540h", f"http://{MASK}@h"),
        ("/login?next=%2Fx%3Faccess_token%3Dabc", f"/login?next=/x?access_token={MASK}"),
        ("a=1&u=http%3A%2F%2Fann%3Ap%20%22w%40h&b=2", f"a=1&u=http://{MASK}@h&b=2"),
    ],
)
def test_what_looks_like_a_secret_or_a_person_goes(before: str, after: str) -> None:
    assert Redactor(home="/srv/me").text(before) == after


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T08:30:00 farm-gateway@a.service: 3 tests passed: 5 s",
        "std::vector<int> at 198.18.0.1:8001, [2001:db8::1]:8001",
        "ipv6:%5B::1%5D:80 http://h/a%20b?q=%C3%A9%25&to=http%3A%2F%2Fhost%2Fx 100%",
        "/rooted and /srv/home/x, the keyring, a tokenizer of words",
        "the password was refused, no token is left; ls -u 1000, 'models', 'nodes'",
    ],
)
def test_what_is_nobodys_stays(text: str) -> None:
    assert Redactor(home="/").text(text) == text


def test_data_loses_what_stands_under_a_secrets_key() -> None:
    data: dict[str, Any] = {
        "address": "198.18.0.9",
        "become_pass": 1234,
        "secrets": {"inner": ["a", None, True]},
        "env": [{"name": "DB_TOKEN", "value": "v"}, {"name": "TZ", "value": "UTC"}],
        "command": ["--password", "pw", "--fast"],
        "slots": 4,
    }
    assert Redactor().data(data) == {
        "address": "198.18.0.9",
        "become_pass": MASK,
        "secrets": {"inner": [MASK, None, True]},
        "env": [{"name": "DB_TOKEN", "value": MASK}, {"name": "TZ", "value": "UTC"}],
        "command": ["--password", MASK, "--fast"],
        "slots": 4,
    }
    assert set(secrets_of(data)) == {"1234", "a", "v", "pw"}


def test_a_text_tells_secrets_that_look_like_one() -> None:
    text = "token=abcd1234 password: expired, see http://ann:pw%2399@host"
    assert set(secrets_in(text)) == {"abcd1234", "pw%2399", "pw#99"}


def test_an_address_is_the_same_words_wherever_it_occurs() -> None:
    redactor = Redactor(anonymize=True)
    assert (
        redactor.text("198.18.0.9:8001 from:2001:db8::1.") == "<address-1>:8001 from:<address-2>."
    )
    assert redactor.text("ipv6:%5B2001:0db8::0001%5D:8001") == "ipv6:[<address-2>]:8001"
    assert redactor.data({"to": ["198.18.0.9"]}) == {"to": ["<address-1>"]}
    assert redactor.text("198.18.0.[11:26]") == "<addresses>"
    assert redactor.text("127.0.0.1:8001 [::1]:1 0.0.0.0:0") == "127.0.0.1:8001 [::1]:1 0.0.0.0:0"


# -- nothing that was planted is left ---------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(secret=SECRETS, key=st.sampled_from(KEYS), around=JSON, text=st.text(max_size=40))
def test_a_secret_under_its_key_is_nowhere(secret: str, key: str, around: Any, text: str) -> None:
    data = {"around": around, "deep": [{key: secret}, f"{text}{secret}{text}"], secret: 1}
    redactor = Redactor(secrets_of(data))
    shown = redactor.data(data)
    assert secret not in json.dumps(shown, ensure_ascii=False)
    assert json.dumps(secret)[1:-1] not in json.dumps(shown)
    assert secret not in redactor.text(json.dumps(data, ensure_ascii=False))
    assert secret not in redactor.known(f"{text}{secret}{text}")


@settings(deadline=None)
@given(
    secret=st.text("abcXYZ019!%&+=_-.:", min_size=LEAST, max_size=40),
    before=st.sampled_from(
        (
            "password=",
            "password: ",
            '"api_key": ',
            "--token ",
            "http://ann:",
            "Bearer token=",
            r"\"password\": \"",
            "('x-token', '",
            "(key='cookie', value='",
            "curl -u ann:",
            "sshpass -p ",
            'Environment="PG_PASS=',
            "Cookie: a=1; b=",
        )
    ),
)
def test_a_secret_where_texts_have_one_is_taken_out(secret: str, before: str) -> None:
    line = f"{before}{secret}" + ("@host/" if before.endswith("ann:") else " x")
    assert secret not in Redactor().text(line)


@settings(deadline=None)
@given(
    password=st.text("abcXYZ019!%&+=_-.:/@# é", min_size=LEAST, max_size=40),
    times=st.integers(1, 4),
)
def test_a_url_in_a_url_hides_no_password(password: str, times: int) -> None:
    inner = f"http://ann:{quote(password, safe='')}@host/x"
    for _ in range(times):
        inner = f"http://proxy/go?n=1&to={quote(inner, safe='')}"
    shown = Redactor().text(f"GET {inner} failed")
    for _ in range(times + 1):
        assert password not in shown
        shown = unquote(shown)
    assert password not in shown
    assert "failed" in shown


@settings(deadline=None)
@given(text=st.text(max_size=200), anonymize=st.booleans())
def test_any_text_is_taken_and_twice_is_as_once(text: str, anonymize: bool) -> None:
    redactor = Redactor(["hunter22"], home="/home/me", anonymize=anonymize)
    once = redactor.text(text)
    assert redactor.text(once) == once


@settings(deadline=None)
@given(
    address=st.ip_addresses(),
    form=st.sampled_from(
        ("at {}", "[{}]:80", "from:{}.", "ipv6:%5B{}%5D:80", '"{}"', "{}/64", "({}), x", "a={},b",
         "http://{}/x", "pi@{}", "\n{}\n", "[{}%eth0]", "/{}:8001", "::ffff:{} x")
    ),
)  # fmt: skip
def test_no_address_is_left_of_anybody(address: Any, form: str) -> None:
    shown = Redactor(anonymize=True).text(form.format(address))
    if not (address.is_loopback or address.is_unspecified):
        assert str(address) not in shown
        assert address.exploded not in shown
