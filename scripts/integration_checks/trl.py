"""Trains with trl and sentence-transformers, whose trainers are those of transformers."""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

import trackai.integrations.transformers  # noqa: F401 - registers "trackai"
from scripts.integration_checks._expect import checked, expect, expect_state, files, only

WORDS = "<pad> <unk> <end> a b c d e f g".split()


def tokenizer() -> Any:
    words = Tokenizer(models.WordLevel(dict(zip(WORDS, range(10), strict=True)), "<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", unk_token="<unk>", eos_token="<end>"
    )


def model() -> Any:
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=10, hidden_size=8, intermediate_size=8, num_hidden_layers=1,
            num_attention_heads=2, num_key_value_heads=2, pad_token_id=0, eos_token_id=2,
        )
    )  # fmt: skip


def losses(history: list[dict[str, Any]], name: str = "loss") -> list[tuple[int, float]]:
    return [(entry["step"], entry[name]) for entry in history if name in entry]


def check_sft() -> None:
    arguments = SFTConfig(
        "sft", report_to="trackai", project="sft", max_steps=3, logging_steps=1, use_cpu=True,
        per_device_train_batch_size=2, eos_token="<end>", max_length=8, bf16=False,
    )  # fmt: skip
    trainer = SFTTrainer(
        model(), arguments, train_dataset=Dataset.from_dict({"text": ["a b c d"] * 8}),
        processing_class=tokenizer(),
    )  # fmt: skip
    trainer.train()
    run = only("sft")
    expect(run, {"train/loss": losses(trainer.state.log_history)})
    assert run.config["eos_token"] == "<end>"
    assert run.config["max_length"] == 8
    expect_state(run, "completed")
    checked("SFTTrainer: points, and special tokens that to_dict() hides")


def check_grpo() -> None:
    arguments = GRPOConfig(
        "grpo", report_to="trackai", project="grpo", max_steps=3, logging_steps=1, use_cpu=True,
        per_device_train_batch_size=2, num_generations=2, max_completion_length=4,
        log_completions=True, bf16=False,
    )  # fmt: skip
    trainer = GRPOTrainer(
        model(), lambda completions, **more: [float(len(text)) for text in completions], arguments,
        train_dataset=Dataset.from_dict({"prompt": ["a b", "c d"] * 4}),
        processing_class=tokenizer(),
    )  # fmt: skip
    trainer.train()
    run = only("grpo")
    expect(run, {"train/reward": losses(trainer.state.log_history, "reward")})
    written = [
        pd.read_parquet(f"grpo/completions/completions_0000{step}.parquet") for step in (1, 2, 3)
    ]
    assert all(len(table) for table in written)
    assert set(files()) == {("completions", step) for step in (1, 2, 3)}, files()
    expect_state(run, "completed")
    checked("GRPOTrainer: points, and the tables of completions")


def check_sentences() -> None:
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers import (
        losses as objectives,
    )
    from sentence_transformers import (
        models as parts,
    )

    embeddings = parts.StaticEmbedding(tokenizer()._tokenizer, embedding_dim=4)
    embedder = SentenceTransformer(modules=[embeddings])
    arguments = SentenceTransformerTrainingArguments(
        "sentences", report_to="trackai", project="sentences", max_steps=3, logging_steps=1,
        use_cpu=True, per_device_train_batch_size=2,
    )  # fmt: skip
    pairs = Dataset.from_dict({"anchor": ["a b", "c d"] * 3, "positive": ["b a", "d c"] * 3})
    trainer = SentenceTransformerTrainer(
        embedder, arguments, train_dataset=pairs,
        loss=objectives.MultipleNegativesRankingLoss(embedder),
    )  # fmt: skip
    trainer.train()
    run = only("sentences")
    expect(run, {"train/loss": losses(trainer.state.log_history)})
    expect_state(run, "completed")
    checked("SentenceTransformerTrainer: points")


def main() -> None:
    check_sft()
    check_grpo()
    check_sentences()


if __name__ == "__main__":
    main()
