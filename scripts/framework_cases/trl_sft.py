from datasets import Dataset
from expected import expect_trainer
from tiny import llama, sentence, tokenizer
from trl import SFTConfig, SFTTrainer

trainer = SFTTrainer(
    model=llama(),
    args=SFTConfig(
        "out", report_to="wandb", max_steps=6, per_device_train_batch_size=4, logging_steps=2,
        save_strategy="no", use_cpu=True, bf16=False, disable_tqdm=True, max_length=32,
    ),
    train_dataset=Dataset.from_dict({"text": [sentence(number) for number in range(16)]}),
    processing_class=tokenizer(),
)  # fmt: skip
trainer.train()
expect_trainer(trainer)
