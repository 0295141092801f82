from expected import expect_trainer
from tiny import llama, token_dataset
from transformers import Trainer, TrainingArguments

trainer = Trainer(
    model=llama(),
    args=TrainingArguments(
        "out", report_to="wandb", max_steps=8, per_device_train_batch_size=4, logging_steps=2,
        eval_strategy="steps", eval_steps=4, save_strategy="no", use_cpu=True, disable_tqdm=True,
    ),
    train_dataset=token_dataset(),
    eval_dataset=token_dataset(8),
)  # fmt: skip
trainer.train()
expect_trainer(trainer, project="huggingface")
