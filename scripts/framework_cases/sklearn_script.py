import numpy as np
import wandb
from expected import expect
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import accuracy_score, log_loss

generator = np.random.default_rng(0)
inputs = generator.normal(size=(200, 4))
targets = (inputs[:, 0] > 0).astype(int)
wandb.init(project="sklearn", name="sgd", config={"alpha": 0.01})
model = SGDClassifier(loss="log_loss", alpha=wandb.config.alpha)
losses, accuracies = [], []
for epoch in range(5):
    model.partial_fit(inputs, targets, classes=[0, 1])
    losses.append((epoch, log_loss(targets, model.predict_proba(inputs))))
    accuracies.append((epoch, accuracy_score(targets, model.predict(inputs))))
    wandb.log({"loss": losses[-1][1], "accuracy": np.float64(accuracies[-1][1])})
wandb.log(
    {
        "coefficients": wandb.Table(
            columns=["name", "value"], data=[[f"x{n}", c] for n, c in enumerate(model.coef_[0])]
        )
    }
)
wandb.run.summary["final"] = losses[-1][1]
wandb.finish()
expect(
    {"loss": losses, "accuracy": accuracies, "final": [losses[-1][1]]},
    run="sgd",
    config={"alpha": 0.01},
    files=["coefficients"],
)
