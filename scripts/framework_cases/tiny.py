"""Models and data that are small enough for a test, and made without a download."""

from __future__ import annotations

from typing import Any

from datasets import Dataset
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import BertConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

WORDS = [f"w{number}" for number in range(60)]
SPECIAL = ["[PAD]", "[UNK]", "[BOS]", "[EOS]", "[CLS]", "[SEP]", "[MASK]"]


def tokenizer() -> PreTrainedTokenizerFast:
    words = {word: number for number, word in enumerate([*SPECIAL, *WORDS])}
    tokens = Tokenizer(WordLevel(words, unk_token="[UNK]"))
    tokens.pre_tokenizer = Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokens, pad_token="[PAD]", unk_token="[UNK]", bos_token="[BOS]",
        eos_token="[EOS]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]",
    )  # fmt: skip


def llama() -> LlamaForCausalLM:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(WORDS) + len(SPECIAL), hidden_size=16, intermediate_size=32,
            num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2,
            max_position_embeddings=64, pad_token_id=0, bos_token_id=2, eos_token_id=3,
        )
    )  # fmt: skip


def bert_config(**others: Any) -> BertConfig:
    return BertConfig(
        vocab_size=len(WORDS) + len(SPECIAL), hidden_size=16, intermediate_size=32,
        num_hidden_layers=1, num_attention_heads=2, max_position_embeddings=64, **others,
    )  # fmt: skip


def sentence(start: int, length: int = 6) -> str:
    return " ".join(WORDS[(start * 7 + number * 3) % len(WORDS)] for number in range(length))


def token_dataset(rows: int = 16) -> Dataset:
    """Rows of token ids to predict."""
    encoded = tokenizer()([sentence(number) for number in range(rows)], padding=True)
    return Dataset.from_dict(
        {**{key: encoded[key] for key in ("input_ids", "attention_mask")},
         "labels": encoded["input_ids"]}
    )  # fmt: skip
