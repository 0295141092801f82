"""Secrets in texts: passwords, tokens and keys are hidden before a text is stored.

A text is searched for tokens of known forms, for credentials in URLs, and for values that are
assigned to a secret name: `PASSWORD=...`, `"api_key": "..."`, `--hf_token=...`. In source code, an
expression such as `token=args.token` stays.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

HIDDEN = "***"

_TOKEN = re.compile(
    r"""
    (?<![A-Za-z0-9])(?:
        hf_[A-Za-z0-9]{16,}                       # Hugging Face
      | sk-[A-Za-z0-9_-]{16,}                     # OpenAI, Anthropic
      | gh[opsur]_[A-Za-z0-9]{16,}                # GitHub
      | github_pat_[A-Za-z0-9_]{16,}
      | glpat-[A-Za-z0-9_-]{16,}                  # GitLab
      | (?:AKIA|ASIA)[A-Z0-9]{16}                 # AWS
      | AIza[A-Za-z0-9_-]{30,}                    # Google
      | xox[abeoprs]-[A-Za-z0-9-]{10,}            # Slack
      | pypi-[A-Za-z0-9_-]{16,}
      | npm_[A-Za-z0-9]{30,}
      | wandb_v\d+_[A-Za-z0-9_-]{16,}
      | trackai_[A-Za-z0-9_-]{30,}               # of a TrackAI server
      | eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+){1,2}  # JWT
      # Webhooks: who knows the address can post.
      | hooks\.slack(?:-gov)?\.com/\w+/[\w/-]{8,}
      | discord(?:app)?\.com/api/(?:v\d+/)?webhooks/\d+/[\w-]+
    )
    """,
    re.VERBOSE,
)
# Of URLs that are signed, as clouds make them.
_SIGNATURE = re.compile(r"([?&](?:x-(?:amz|goog)-)?sig(?:nature)?=)[^\s&#'\"]+", re.IGNORECASE)
# As in wandb.login("...").
_LOGIN = re.compile(r"""(\blogin\(\s*[bfru]{0,2}["'])(?:\\.|[^"'\\\n])+""", re.IGNORECASE)
_CREDENTIALS = re.compile(r"://([^\s/?#'\"]+)@")
_NAMES = r"""
    (?:
        password | passwd | passphrase | passcode | pwd | secret | credentials? | authorization
      # Not the special tokens of a tokenizer.
      | (?<!pad[_-])(?<!eos[_-])(?<!bos[_-])(?<!unk[_-])(?<!sep[_-])(?<!cls[_-])(?<!mask[_-])token
      | (?:api|access|secret|private|auth|account|encryption|signing|license|wandb)[_-]?key
    )
"""
# One of these is in every secret name. Most lines have none, and searching for them is fast.
_WORDS = (
    "passw", "passp", "passc", "pwd", "secret", "credential", "authorization", "token", "key",
)  # fmt: skip
_HTTP = ("http", "https")
# After a name: `=`, `:`, a comparison, or a type and `=`.
_ASSIGNS = r"""["']?\]?\s*(?::\s*[A-Za-z_][\w.\[\]|\ ]*=|:=|=>|!?={1,3}|:)\s*"""
_ASSIGNMENT = re.compile(
    rf"""
    (?P<name>{_NAMES})
    (?P<between>{_ASSIGNS})
    (?:
        (?P<prefix>[bfru]?[bfru]?)(?P<quote>"{{3}}|'{{3}}|["'])
        (?P<quoted>(?:\\.|(?!(?P=quote))[^\\\n])*)
      | (?P<bare>(?:(?:bearer|basic)\s+)?[^\s"',;&]+)
    )
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Of any other key, only a value that looks random.
_KEY_ASSIGNMENT = re.compile(
    rf"(?P<before>key{_ASSIGNS}[\"']?)(?=[A-Za-z_+/-]*\d)(?=[\d_+/-]*[A-Za-z])[\w+/-]{{20,}}",
    re.VERBOSE | re.IGNORECASE,
)
# What source code assigns to a secret name, which is not the secret itself.
_EXPRESSION = re.compile(
    r"""
    (?:none|null|nil|true|false|str|int|bool|bytes|any|object|string|optional)[)\]}:]*
    | (?:self|cls|args|opts?|os|cfg|config|settings|params|hparams|flags|kwargs)\.[A-Za-z_].*
    | [A-Za-z_][A-Za-z_.]*[(\[].*
    | \$\{.*
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NAME_BEFORE = re.compile(r"[\w.-]*$")
_OPTION = re.compile(rf"-{{0,2}}[\w.+~-]*?{_NAMES}", re.VERBOSE | re.IGNORECASE)
_KEY_OPTION = re.compile(r"-{0,2}[\w.+~-]*key", re.IGNORECASE)
_RANDOM = re.compile(r"(?=\D*\d)(?=[^A-Za-z]*[A-Za-z])[\w+/=.-]{16,}")
_ANY_OPTION = re.compile(r"--[\w.-]+(=.*)?|-\w", re.DOTALL)
_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY")
_KEY_ENDS = re.compile(r"-----END [A-Z ]*PRIVATE KEY")
# Of a diff: code may name the beginning of a key only.
_NEXT_PART = re.compile(r"@@ -|diff --git ")
# Quotes around "***" would only distract.
_NEEDS_NO_QUOTES = re.compile(r"[\w@%+=:,./-]*\*\*\*[\w@%+=:,./-]*", re.ASCII)


def hide_secrets(text: str) -> str:
    """Replace the secrets in a text by "***"."""
    lowered = text.lower()
    if any(word in lowered for word in _WORDS):
        text = _ASSIGNMENT.sub(_hide_assigned, text)
        text = _KEY_ASSIGNMENT.sub(rf"\g<before>{HIDDEN}", text)
    if "login(" in lowered:
        text = _LOGIN.sub(rf"\g<1>{HIDDEN}", text)
    if "sig" in lowered:
        text = _SIGNATURE.sub(rf"\g<1>{HIDDEN}", text)
    if "://" in text:
        text = _CREDENTIALS.sub(_hide_credentials, text)
    return _TOKEN.sub(HIDDEN, text)


def hide_secrets_in_lines(lines: Iterable[str]) -> Iterator[str]:
    """Replace the secrets in lines, such as those of a diff; a private key has several lines."""
    is_in_key = False
    for line in lines:
        if _KEY_BEGINS.search(line):
            is_in_key = True
        elif _NEXT_PART.match(line):
            is_in_key = False
        if is_in_key:
            yield f"{line[:1]}{HIDDEN}\n"
            is_in_key = _KEY_ENDS.search(line) is None
        else:
            yield hide_secrets(line)


def safe_command(arguments: Sequence[str]) -> str:
    """Join the arguments of a command as a shell takes them, without secrets."""
    shown = []
    option = ""
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if option and not _ANY_OPTION.fullmatch(argument) and _is_secret(option, argument):
            argument = HIDDEN
        elif equals and _is_secret(name, value):
            argument = f"{name}={HIDDEN}"
        else:
            argument = hide_secrets(argument)
        option = name if name.startswith("-") and not equals else ""
        shown.append(argument)
    return " ".join(
        part if _NEEDS_NO_QUOTES.fullmatch(part) else shlex.quote(part) for part in shown
    )


def _is_secret(name: str, value: str) -> bool:
    """Whether a value is a secret, given its name on the command line."""
    is_key = _KEY_OPTION.fullmatch(name) is not None and _RANDOM.fullmatch(value) is not None
    return is_key or _OPTION.fullmatch(name) is not None


def _hide_assigned(match: re.Match[str]) -> str:
    name, between, quote = match["name"], match["between"], match["quote"]
    if quote:
        return f"{name}{between}{match['prefix']}{quote}{HIDDEN}" if match["quoted"] else match[0]
    value = match["bare"]
    is_variable = name.isupper() and not between.strip("=>")
    if not is_variable:
        before = match.string[max(match.start() - 64, 0) : match.start()]
        prefix = _NAME_BEFORE.search(before)
        assigned = (prefix[0] if prefix else "") + name
        # As in f(token=token).
        if _EXPRESSION.fullmatch(value) or value.rstrip(")]}:") == assigned:
            return match[0]
    return f"{name}{between}{HIDDEN}"


def _hide_credentials(match: re.Match[str]) -> str:
    # The user of "ssh://git@host" is not secret. Over HTTP it may be a token.
    is_http = match.string[max(match.start() - 5, 0) : match.start()].lower().endswith(_HTTP)
    return f"://{HIDDEN}@" if is_http or ":" in match[1] else match[0]
