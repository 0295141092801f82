"""Reads a large object of JSON by parts; the decoder of Python takes NaN and infinities."""

from __future__ import annotations

import codecs
import json
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 1 << 18
# A value that is longer, and is not in the list that is read by items, is not of a trainer.
_MAX_CHARACTERS = 1 << 26
_SPACE = " \t\r\n"
# What may follow a value.
_ENDS = {*_SPACE, ",", ":", "]", "}"}


class JsonStream:
    """An object of JSON, of which each value is decoded when it is asked for.

    All methods raise ValueError where the text is not JSON.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._bytes = codecs.getincrementaldecoder("utf-8")()
        self._decoder = json.JSONDecoder()
        self._text = ""
        self._at = 0
        self._has_end = False

    def read_keys(self) -> Iterator[Any]:
        """Yield each key; the caller takes its value before the next one."""
        yield from self._members("{", "}")
        if self.next_character():
            raise ValueError("has more than one value")

    def items(self) -> Iterator[Any]:
        """Yield the items of a list."""
        for _ in self._members("[", "]"):
            yield self.value()

    def value(self) -> Any:
        """Return the next value."""
        self.next_character()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except RecursionError:
                raise ValueError("nested too deeply") from None
            except ValueError:
                end = len(self._text)
                if self._has_end:
                    raise
            # A number at the end of the text may go on, such as "1" and "1." as "1.5".
            if self._text[end : end + 1] in _ENDS:
                self._at = end
                return value
            if self._has_end:
                raise ValueError("ends within a value")
            if len(self._text) - self._at > _MAX_CHARACTERS:
                raise ValueError("a value is too long")
            self._read()

    def next_character(self) -> str:
        """Skip white space, and return the character after it; "" at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._text) or self._has_end:
                return self._text[self._at : self._at + 1]
            self._read()

    def _members(self, begin: str, end: str) -> Iterator[Any]:
        """Yield the keys of an object, or None for each item of a list."""
        self._take(begin)
        if self.next_character() == end:
            self._at += 1
            return
        while True:
            if begin == "{":
                key = self.value()
                self._take(":")
                yield key
            else:
                yield None
            if self.next_character() == end:
                self._at += 1
                return
            self._take(",")

    def _take(self, character: str) -> None:
        if self.next_character() != character:
            raise ValueError(f"{character!r} is missing")
        self._at += 1

    def _read(self) -> None:
        chunk = self._file.read(_CHUNK)
        self._has_end = not chunk
        self._text = self._text[self._at :] + self._bytes.decode(chunk, final=not chunk)
        self._at = 0
