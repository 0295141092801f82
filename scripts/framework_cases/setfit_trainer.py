from datasets import Dataset
from expected import expect
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Pooling, Transformer
from setfit import SetFitModel, Trainer, TrainingArguments
from sklearn.linear_model import LogisticRegression
from tiny import bert_config, sentence, tokenizer
from transformers import BertModel

BertModel(bert_config()).save_pretrained("encoder")
tokenizer().save_pretrained("encoder")
body = SentenceTransformer(modules=[Transformer("encoder"), Pooling(16)], device="cpu")
model = SetFitModel(model_body=body, model_head=LogisticRegression())
numbers = range(16)
trainer = Trainer(
    model=model,
    args=TrainingArguments(
        "out", report_to="wandb", max_steps=6, batch_size=4, logging_steps=2, save_strategy="no"
    ),
    train_dataset=Dataset.from_dict(
        {"text": [sentence(number) for number in numbers], "label": [n % 2 for n in numbers]}
    ),
)
trainer.train()
points = {}
history = trainer.st_trainer.state.log_history
for number, entry in enumerate(history):
    for name in ("embedding_loss", "loss", "learning_rate", "embedding_learning_rate"):
        if name in entry:
            points.setdefault(f"train/{name}", []).append((number, entry[name]))
expect(points)
