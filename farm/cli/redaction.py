"""What nobody else is to see is taken out of text and data: secrets, people, addresses.

A secret is known by the key it stands under, or by its looks. What stood under a key is taken
out wherever else it occurs, such as a password in a log.
"""

import json
import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import pairwise
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote

from farm.core.text import printable

MASK: Final = "***"

# Shorter ones are taken out under their key alone: elsewhere they would be words.
LEAST: Final = 6
# Messages cut long values; so much of one is taken for the whole.
_PREFIX: Final = 24

# Words of a key, and how its words may end. What somebody asked a model is nobody else's either.
_WORDS: Final = frozenset(
    ("authorization", "cookie", "credential", "credentials", "passwords", "prompt", "prompts",
     "psk", "pwd", "secrets", "tokens")
)  # fmt: skip
_ENDINGS: Final = (
    "password", "passwd", "passphrase", "passcode", "pass", "secret", "token", "apikey",
)  # fmt: skip
# Of other keys it is a file or a name.
_KEYS_OF: Final = frozenset(
    ("access", "account", "api", "auth", "encryption", "private", "secret", "shared", "signing")
)

# Patterns begin where a word does and bound its length: a line may be megabytes of base64.
_NAME: Final = (
    r"[\w.-]{0,100}(?:passw(?:or)?d|passphrase|passcode|pass(?![a-z])|pwd|psk|secret|token|credential"
    r"|api[_-]?key|(?:access|account|auth|encryption|private|shared|signing)[_-]?key|cookie"
    r"|authorization|prompt|x-[a-z]{1,10}-signature)[\w.-]{0,100}"
)
# In quotes, which stay, up to their end; else up to a space. Those of a text in a text are escaped.
_VALUE: Final = (
    r"(?:(?P<quote>\\*[\"'])(?P<quoted>(?:(?!(?P=quote))(?:[^\\]|\\.))*)(?P=quote)|(?P<plain>\S+))"
)
# After a name: as in mappings and shells, or as pairs and entries of a list are printed.
_IS: Final = r"(?:\\*[\"']?\s*[:=]|\\*[\"']\s*,(?:\s*\\*[\"']?value\\*[\"']?\s*[:=])?)\s*"

_OPTION: Final = re.compile(rf"(?<![\w.-])(--{_NAME})(\s+|=){_VALUE}", re.I)
_SETTING: Final = re.compile(rf"(?<![\w.-])({_NAME}{_IS})(?!\*\*\*){_VALUE}", re.I)
# With its name in the same quotes, as units of systemd have it.
_QUOTED: Final = re.compile(rf"([\"'])({_NAME}=)(?:(?!\1)(?:[^\\\n]|\\.))*\1", re.I)
_URL: Final = re.compile(r"\b([a-z][a-z0-9+.-]{0,20}://)(?P<user>[^\s\"'<>]{0,500})@", re.I)

# In this order: the first ones hold what the later ones would cut in two.
_LOOKS: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (
        re.compile(
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*-----|\Z)",
            re.S,
        ),
        MASK,
    ),
    # The end of one whose beginning was cut off, with all before it.
    (re.compile(r"\A.*-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----", re.S), MASK),
    (re.compile(r"\$ANSIBLE_VAULT;[^\n]*(?:\n\s*[0-9a-f]{8,})*"), MASK),
    (
        re.compile(
            r"\b((?:bearer|basic|digest)|authorization[\"']?\s*[:=]\s*[\"']?[\w-]{1,20})"
            r"\s+(?=\S{8})[^\s\"',]+",
            re.I,
        ),
        rf"\1 {MASK}",
    ),
    (_URL, rf"\1{MASK}@"),
    (
        re.compile(r"(?<![^\s\"'<>/@:])[^\s\"'<>/@:]{1,99}:[^\s\"'<>/]{1,199}@(?=[\w.\[-])"),
        f"{MASK}@",
    ),
    (re.compile(r"\b((?:set-)?cookie\s*:)[^\n\"']+", re.I), rf"\1 {MASK}"),
    # Of commands.
    (
        re.compile(r"(?<!\S)(-u|-U|--user|--proxy-user)([\s=]+)[\"']?[^\s:\"']{1,99}:\S+"),
        rf"\1\2{MASK}",
    ),
    (re.compile(r"\b(sshpass\s+-p|mysql\b[^\n]{0,200}?\s-p)\s*\S+"), rf"\1 {MASK}"),
    (_QUOTED, rf"\1\2{MASK}\1"),
    (_OPTION, rf"\1\2\g<quote>{MASK}\g<quote>"),
    (_SETTING, rf"\1\g<quote>{MASK}\g<quote>"),
    # Where nothing but a space is between, if it has a digit: no words of a sentence.
    (re.compile(r"\b(passw(?:or)?d|token)\s+(?=[^\s\"']*\d)[^\s\"']{6,}", re.I), rf"\1 {MASK}"),
    # The farm's own; as GitHub, GitLab, Slack, Hugging Face, PyPI, npm, Stripe, Google and AWS
    # have theirs begin; JSON web tokens, crypt's hashes.
    (re.compile(r"\bfarm_[0-9a-f]{12}_[0-9a-f]{8,}", re.I), MASK),
    (
        re.compile(
            r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|sk-|hf_|pypi-|npm_|[rs]k_(?:live|test)_"
            r"|AIza)[\w-]{16,}"
        ),
        MASK,
    ),
    (re.compile(r"\b(hooks\.slack\.com/services/)\S+"), rf"\1{MASK}"),
    (re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"), MASK),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?"), MASK),
    (re.compile(r"\$(?:1|2[abxy]|5|6|y|argon2\w+)\$[^\s:\"']+"), MASK),
    # Units of systemd have the form of e-mail addresses.
    (
        re.compile(
            r"(?<![\w.+-])[\w.+-]{1,64}@(?![\w-]+\.(?:service|socket|mount|timer|target|slice)\b)"
            r"[\w-]+(?:\.[\w-]+)+"
        ),
        "<e-mail>",
    ),
    (re.compile(r"(?<![\w.-])(?:/(?:home|Users)/[^\s/\"':;,]+|/root\b)"), "~"),
)

# Text in a URL, as one in a URL in a URL has it: escaped once more each time.
_ESCAPED: Final = re.compile(r"%[0-9a-f]{2}", re.I)
_ESCAPED_TIMES: Final = 4
_WORD: Final = re.compile(r"[^\s\"'<>&]+")
_ENDS_WORD: Final = re.compile(r"[\s\"'<>&]")

_IPV4: Final = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?!\.?\d)")
_IPV6: Final = re.compile(r"[0-9a-f.]{0,45}:[0-9a-f.]{0,45}:[0-9a-f.:]*", re.I)
_HARDWARE_COLONS: Final = 5
# As inventories write several at once.
_RANGE: Final = re.compile(r"(?:\d{1,3}\.){1,3}\[[^\]\s]*\](?:\.[\d\[\]:]+)*")


def names_secret(key: str) -> bool:
    """Return whether what stands under a key, a variable or an option is a secret."""
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+", key)]
    # A shell's PWD is the folder it is in.
    return key != "PWD" and (
        any(word in _WORDS or word.endswith(_ENDINGS) for word in words)
        or any(first in _KEYS_OF and second in ("key", "keys") for first, second in pairwise(words))
    )


def secrets_of(data: Any) -> Iterator[str]:
    """Yield what stands under keys that name secrets in mappings and lists, or in their texts."""
    for secret, value in _leaves(data, inside=False):
        if secret and isinstance(value, str | int) and not isinstance(value, bool):
            yield str(value)
        elif isinstance(value, str):
            yield from secrets_in(value)


def secrets_in(text: str) -> Iterator[str]:
    """Yield what a text calls a secret, where it looks like one: no words of a sentence."""
    for found in (*_OPTION.finditer(text), *_SETTING.finditer(text)):
        value = found["quoted"] or found["plain"] or ""
        if any(character.isdigit() for character in value):
            yield value
    for found in _URL.finditer(text):
        password = found["user"].partition(":")[2]
        yield from {password, unquote(password)} - {""}


def _leaves(data: Any, *, inside: bool) -> Iterator[tuple[bool, Any]]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _leaves(value, inside=inside or names_secret(str(key)) or _named(data, key))
    elif isinstance(data, list | tuple):
        for before, value in pairwise((None, *data)):
            yield from _leaves(value, inside=inside or _is_option(before))
    else:
        yield inside, data


def _named(entry: dict[Any, Any], key: object) -> bool:
    """Return whether it is the value of an entry whose name names a secret."""
    names = (entry.get(each) for each in ("name", "key", "variable"))
    return key == "value" and any(isinstance(name, str) and names_secret(name) for name in names)


def _is_option(word: object) -> bool:
    """Return whether the next word of a command line is a secret."""
    return (
        isinstance(word, str)
        and word.startswith("-")
        and "=" not in word
        and not re.search(r"\s", word)
        and names_secret(word)
    )


class Redactor:
    """Takes secrets out, and home directories and e-mail addresses; keeps what is left.

    `secrets` are those that are known already. `home` is this user's home directory. With
    `anonymize` IP addresses are replaced too, each by the same words wherever it occurs; those
    of loopback say nothing of anybody and stay.
    """

    def __init__(
        self, secrets: Iterable[str] = (), *, home: str = "", anonymize: bool = False
    ) -> None:
        known = {form for secret in secrets if len(secret) >= LEAST for form in _forms(secret)}
        longest_first = sorted(known, key=lambda form: (-len(form), form))
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
        self._home = (
            re.compile(re.escape(home.rstrip("/")) + r"(?=/|\W|\Z)") if home.strip("/") else None
        )
        self.anonymizes = anonymize
        self._addresses: dict[IPv4Address | IPv6Address, str] = {}

    def text(self, text: str) -> str:
        """Return a text without what nobody is to see."""
        text = self.known(text)
        if self._home is not None:
            text = self._home.sub("~", text)
        if _ESCAPED.search(text):
            text = _WORD.sub(self._unescaped, text)
        text = _without_looks(text)
        return self._without_addresses(text) if self.anonymizes else text

    def known(self, text: str) -> str:
        """Return a text without the secrets that are known; nothing else of it changes."""
        return self._known.sub(MASK, text) if self._known is not None else text

    def data(self, data: Any) -> Any:
        """Return mappings, lists and values likewise; what stands under a secret's key is gone."""
        return self._data(data, inside=False)

    def _data(self, data: Any, *, inside: bool) -> Any:
        if isinstance(data, dict):
            return {
                self.text(str(key)): self._data(
                    value, inside=inside or names_secret(str(key)) or _named(data, key)
                )
                for key, value in data.items()
            }
        if isinstance(data, list | tuple):
            return [
                self._data(value, inside=inside or _is_option(before))
                for before, value in pairwise((None, *data))
            ]
        if data is None or isinstance(data, bool):
            return data
        if inside:
            return MASK
        shown = self.text(str(data)) if isinstance(data, str) else self.known(str(data))
        return data if isinstance(data, int | float) and shown == str(data) else shown

    def _unescaped(self, found: re.Match[str]) -> str:
        """Return a word as it is, or without escapes if there was a secret behind them."""
        word, hides = found[0], False
        for _ in range(_ESCAPED_TIMES):
            # What would end the word stays as it is, so that nothing falls out of its URL.
            plain = _ENDS_WORD.sub(lambda end: quote(end[0]), unquote(word))
            if plain == word:
                break
            word = _without_looks(self.known(plain))
            hides = hides or word != plain
        return word if hides else found[0]

    def _without_addresses(self, text: str) -> str:
        # gRPC writes brackets so.
        text = re.sub("%5[Bb]", "[", re.sub("%5[Dd]", "]", text))
        text = _RANGE.sub("<addresses>", text)
        for form in (_IPV4, _IPV6):
            text = form.sub(self._renamed, text)
        return text

    def _renamed(self, found: re.Match[str]) -> str:
        """Return what stands for an address, for words that have the form of one."""
        words = found[0]
        text, (begin, end) = found.string, found.span()
        around = text[begin - 1 : begin] + text[end : end + 1]
        if not re.search(r"\d", words) and re.search(r"[^\W\d]", around):
            # Part of a name in C++, such as `std::vector`.
            return words
        for core in (words, words.strip(".:"), words.strip("."), words.rstrip(".:")):
            try:
                address = ip_address(core)
            except ValueError:
                continue
            if address.is_loopback or address.is_unspecified:
                return words
            known = self._addresses.setdefault(address, f"<address-{len(self._addresses) + 1}>")
            return words.replace(core, known, 1)
        # With a port and without brackets nobody can tell where one ends; or of a network card.
        return "<address>" if "::" in words or words.count(":") >= _HARDWARE_COLONS else words


def _without_looks(text: str) -> str:
    for looks, shown in _LOOKS:
        text = looks.sub(shown, text)
    return text


def _forms(secret: str) -> set[str]:
    """Return a secret as it may be written: in JSON, in a URL, in a message that cuts it."""
    forms = {
        secret,
        secret.strip(),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        printable(secret, len(secret)),
    }
    forms |= {line.strip() for line in secret.splitlines()}
    forms |= {form[:_PREFIX] for form in forms}
    return {form for form in forms if len(form.strip()) >= LEAST}
