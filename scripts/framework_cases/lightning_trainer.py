import torch
from expected import expect
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.loggers import WandbLogger

seen = []


class Model(LightningModule):
    def __init__(self, width: int = 4, lr: float = 0.1):
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(width, 1)

    def training_step(self, batch, index):
        loss = self.layer(batch[0]).square().mean()
        self.log("train_loss", loss)
        seen.append(loss.item())
        return loss

    def validation_step(self, batch, index):
        self.log("val_loss", self.layer(batch[0]).square().mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.hparams.lr)


data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(16, 4)), 4)
logger = WandbLogger(project="lightning", name="line", log_model=True)
trainer = Trainer(
    max_epochs=2, logger=logger, accelerator="cpu", log_every_n_steps=1,
    callbacks=[LearningRateMonitor("step")], enable_progress_bar=False,
)  # fmt: skip
trainer.fit(Model(), data, data)
assert logger.version == "line", logger.version
expect(
    {"train_loss": seen, "lr-SGD": [0.1] * 8},
    run="line",
    project="lightning",
    config={"width": 4, "lr": 0.1},
    files=[],
)
