from datasets import Dataset
from expected import expect_trainer
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.losses import CosineSimilarityLoss
from sentence_transformers.models import Pooling, Transformer
from tiny import bert_config, sentence, tokenizer
from transformers import BertModel

BertModel(bert_config()).save_pretrained("encoder")
tokenizer().save_pretrained("encoder")
encoder = Transformer("encoder")
model = SentenceTransformer(modules=[encoder, Pooling(16)], device="cpu")
model.num_parameters = lambda: sum(parameter.numel() for parameter in model.parameters())
numbers = range(16)
trainer = SentenceTransformerTrainer(
    model=model,
    args=SentenceTransformerTrainingArguments(
        "out", report_to="wandb", max_steps=6, per_device_train_batch_size=4, logging_steps=2,
        save_strategy="no", use_cpu=True, disable_tqdm=True,
    ),
    train_dataset=Dataset.from_dict(
        {
            "sentence1": [sentence(number) for number in numbers],
            "sentence2": [sentence(number + 1) for number in numbers],
            "score": [number / 16 for number in numbers],
        }
    ),
    loss=CosineSimilarityLoss(model),
)  # fmt: skip
trainer.train()
expect_trainer(trainer)
