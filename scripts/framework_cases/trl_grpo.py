from datasets import Dataset
from expected import expect_trainer
from tiny import llama, sentence, tokenizer
from trl import GRPOConfig, GRPOTrainer


def reward_of_length(completions, **others):
    return [float(len(completion)) for completion in completions]


trainer = GRPOTrainer(
    model=llama(),
    reward_funcs=reward_of_length,
    args=GRPOConfig(
        "out", report_to="wandb", max_steps=3, per_device_train_batch_size=4, num_generations=4,
        max_completion_length=8, logging_steps=1, save_strategy="no", use_cpu=True, bf16=False,
        disable_tqdm=True, log_completions=True,
    ),
    train_dataset=Dataset.from_dict({"prompt": [sentence(number) for number in range(8)]}),
    processing_class=tokenizer(),
)  # fmt: skip
trainer.train()
expect_trainer(trainer, steps=False, files=["completions"])
