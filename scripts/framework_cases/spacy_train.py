from pathlib import Path

import spacy
from expected import expect
from spacy.cli.init_config import init_config
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train

seen = []


@spacy.registry.loggers("keep.v1")
def keep():
    def setup(nlp, stdout, stderr):
        return lambda info: info and seen.append((info["score"], info["losses"]["textcat"])), str

    return setup


nlp = spacy.blank("en")
documents = DocBin()
for number in range(20):
    document = nlp.make_doc(f"word{number} good bad")
    document.cats = {"A": float(number % 2), "B": 1.0 - number % 2}
    documents.add(document)
documents.to_disk("data.spacy")
config = init_config(lang="en", pipeline=["textcat"], optimize="efficiency")
config["paths"].update(train="data.spacy", dev="data.spacy")
config["training"].update(max_steps=20, eval_frequency=5)
config["training"]["logger"] = {
    "@loggers": "spacy.ChainLogger.v1",
    "logger1": {
        "@loggers": "spacy.WandbLogger.v5",
        "project_name": "spacy",
        "remove_config_values": ["paths.train"],
        "run_name": "textcat",
    },
    "logger2": {"@loggers": "keep.v1"},
}
Path("model").mkdir()
train(init_nlp(config), Path("model"))
expect(
    {"score": [score for score, _ in seen], "loss_textcat": [float(loss) for _, loss in seen]},
    run="textcat",
    project="spacy",
    config={"training/max_steps": 20},
)
