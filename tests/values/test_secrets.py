"""Secrets are hidden in command lines, URLs, variables and diffs, and code stays readable."""

from __future__ import annotations

import base64
import re
import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackai.values.secrets import hide_secrets, hide_secrets_in_lines, safe_command

ALPHANUMERIC = string.ascii_letters + string.digits
PLAIN = st.text(ALPHANUMERIC, min_size=20, max_size=40)
# Whatever a shell can pass, in one argument that is not an option itself.
ANYTHING = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=4
).filter(lambda text: not text.startswith("-"))
OPTIONS = st.sampled_from(
    ["--api-key", "--hf_token", "--password", "-password", "--wandb-api-key", "--db.passwd",
     "--client_secret", "--TOKEN", "--aws-secret-access-key", "--auth-token", "--credentials"]
)  # fmt: skip


def jwt(payload: bytes) -> str:
    parts = (b'{"alg":"HS256"}', b'{"sub":"' + payload + b'"}', payload)
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


TOKENS = st.one_of(
    PLAIN.map("hf_{}".format),
    PLAIN.map("sk-{}".format),
    PLAIN.map("sk-ant-api03-{}".format),
    PLAIN.map("ghp_{}".format),
    PLAIN.map("github_pat_{}".format),
    st.text(string.ascii_uppercase + string.digits, min_size=16, max_size=16).map("AKIA{}".format),
    PLAIN.map("xoxb-{}".format),
    PLAIN.map(lambda text: f"trackai_{text}{text}"),
    st.binary(min_size=16, max_size=40).map(lambda data: jwt(data.hex().encode())),
)


@given(OPTIONS, ANYTHING, st.booleans())
def test_values_of_secret_options_are_never_in_a_command(
    option: str, secret: str, joined: bool
) -> None:
    arguments = [f"{option}={secret}"] if joined else [option, secret]
    command = safe_command(["python", "train.py", *arguments, "--lr", "0.1"])
    hidden = f"{option}=***" if joined else f"{option} ***"
    assert command == f"python train.py {hidden} --lr 0.1"


@given(TOKENS, st.sampled_from(["{}", "--x={}", "a {} b", "'{}'", "https://{}@host/x", "x/{}"]))
def test_tokens_of_known_forms_are_never_stored(token: str, place: str) -> None:
    text = place.format(token)
    assert token not in hide_secrets(text)
    assert token not in safe_command(["train.py", text])
    for line in hide_secrets_in_lines([f"+key = {text}\n"]):
        assert token not in line


@given(
    st.sampled_from(["PASSWORD", "DB_PASSWORD", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "API_KEY"]),
    st.text(string.ascii_letters + string.digits + "!$%()*+-./<=>?@[]^_{|}~#", min_size=4),
)
def test_variables_are_hidden_whatever_their_value(name: str, secret: str) -> None:
    hidden = hide_secrets(f"export {name}={secret} && ls")
    # The operators of languages are "==" and "=>", too.
    assert re.fullmatch(rf"export {name}=[=>]*\*\*\* && ls", hidden)
    assert hide_secrets(f'"{name.lower()}": "{secret}",') == f'"{name.lower()}": "***",'
    assert hide_secrets(f"{name.lower()} = '{secret}'") == f"{name.lower()} = '***'"


@given(PLAIN, PLAIN, st.sampled_from(["https", "http", "postgresql+psycopg", "redis", "ssh"]))
def test_credentials_in_urls_are_hidden(user: str, password: str, scheme: str) -> None:
    assert hide_secrets(f"x {scheme}://{user}:{password}@host/p") == f"x {scheme}://***@host/p"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("https://ghp0123456789@github.com/a/b.git", "https://***@github.com/a/b.git"),
        ("https://user:p@ss@host", "https://***@host"),
        ("redis://:word@host", "redis://***@host"),
        ("curl -H 'Authorization: Bearer abc.def' x", "curl -H 'Authorization: ***' x"),
        ("https://host/x?token=abc&page=2", "https://host/x?token=***&page=2"),
        ('api_key: str = "abcd"', 'api_key: str = "***"'),
        ('os.environ["API_KEY"] = "abc"', 'os.environ["API_KEY"] = "***"'),
        ('if token == "abc":', 'if token == "***":'),
        ('wandb.login(key="0123456789abcdef01234")', 'wandb.login(key="***")'),
        ("password: hunter2", "password: ***"),
        ('{"password": "a\\"b"}', '{"password": "***"}'),
        ("api_key = b'abc'", "api_key = b'***'"),
        ('token = f"{user}-abc"', 'token = f"***"'),
        ('password = """abc"""', 'password = """***"""'),
        ("password = '''abc", "password = '''***"),
        ("wandb.login('0123456789abcdef')", "wandb.login('***')"),
        ("https://h/x?sv=1&sig=a%2Bb&se=2", "https://h/x?sv=1&sig=***&se=2"),
        ("https://h/x?X-Amz-Signature=abc0", "https://h/x?X-Amz-Signature=***"),
        ("x https://hooks.slack.com/services/T0/B0/abcDEF y", "x https://*** y"),
        ("https://discord.com/api/webhooks/123/ab-c_D", "https://***"),
    ],
)
def test_secrets_in_texts_are_hidden(text: str, hidden: str) -> None:
    assert hide_secrets(text) == hidden


@pytest.mark.parametrize(
    "text",
    [
        "git@github.com:owner/repository.git",
        "ssh://git@github.com/owner/repository",
        "https://github.com/owner/repository",
        "next_token = torch.argmax(logits)",
        "f(token=token, hf_token=hf_token)",
        "self.api_key = args.api_key",
        "token: str | None = None",
        "max_tokens=128, tokenizer='bert', eos_token='</s>'",
        "keys = sorted(key=len)",
        "2f5c1a0c6a4e1c8b9d7e3f0a1b2c3d4e5f6a7b8c",
        "from disk-based-index-of-everything import x",
        "self.login(user), login(''), password=''",
        "design=1&sigma=2, https://h/?significant=3",
    ],
)
def test_other_texts_stay(text: str) -> None:
    assert hide_secrets(text) == text


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["python", "a b.py", "--x=1", "it's"], """python 'a b.py' --x=1 'it'"'"'s'"""),
        (["t", "--use-token", "--lr", "1"], "t --use-token --lr 1"),
        (["t", "model.api_key=a b", "+x=1"], "t model.api_key=*** +x=1"),
        (["t", "--wandb_key", "0123456789abcdef"], "t --wandb_key ***"),
        (["t", "--sort-key", "loss"], "t --sort-key loss"),
        (["t", "--api-key"], "t --api-key"),
        (["sh", "-c", "cd /x; TOKEN=x y"], "sh -c 'cd /x; TOKEN=*** y'"),
    ],
)
def test_a_command_is_what_a_shell_takes(arguments: list[str], command: str) -> None:
    assert safe_command(arguments) == command


def test_private_keys_are_hidden_with_all_their_lines() -> None:
    key = ["+-----BEGIN RSA PRIVATE KEY-----\n", "+MIIabc\n", "+-----END RSA PRIVATE KEY-----\n"]
    lines = list(hide_secrets_in_lines(["+before\n", *key, "+after\n"]))
    assert lines == ["+before\n", "+***\n", "+***\n", "+***\n", "+after\n"]
    assert list(hide_secrets_in_lines(key[:2])) == ["+***\n", "+***\n"]  # cut off


@pytest.mark.parametrize("after", ["@@ -7 +7 @@\n", "diff --git a/x b/x\n"])
def test_code_that_names_the_beginning_of_a_key_does_not_hide_the_rest_of_a_diff(
    after: str,
) -> None:
    lines = ['+if "-----BEGIN PRIVATE KEY" in text:\n', "+    pass\n", after, "+x = 1\n"]
    assert list(hide_secrets_in_lines(lines)) == ["+***\n", "+***\n", after, "+x = 1\n"]


@pytest.mark.parametrize(
    "text",
    ["a" * 10**5, "token" * 20_000, "key: " + "a" * 10**5, "a://" * 25_000, "eyJ" * 30_000,
     "token " + " " * 10**5, 'password="' + "\\" * 10**5, "key=" + "a-" * 50_000,
     "login(" * 10**4, "login('" + "\\" * 10**5, "?sig=" * 20_000, "discord.com/" * 10**4,
     "password: " + "a" * 10**5, "://" + "a:" * 50_000, "secret: a" + " |" * 50_000],
)  # fmt: skip
def test_no_text_takes_long(text: str) -> None:
    start = time.perf_counter()
    hide_secrets(text)
    safe_command([text])
    assert time.perf_counter() - start < 5
