from expected import expect_trainer
from peft import LoraConfig, get_peft_model
from tiny import llama, token_dataset
from transformers import Trainer, TrainingArguments

model = get_peft_model(llama(), LoraConfig(r=4, target_modules=["q_proj"], task_type="CAUSAL_LM"))
trainer = Trainer(
    model=model,
    args=TrainingArguments(
        "out", run_name="lora", report_to="wandb", max_steps=6, per_device_train_batch_size=4,
        logging_steps=1, save_strategy="no", use_cpu=True, disable_tqdm=True,
    ),
    train_dataset=token_dataset(),
)  # fmt: skip
trainer.train()
expect_trainer(trainer, run="lora")
