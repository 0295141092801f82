import torch
from expected import expect
from lightning.fabric import Fabric
from lightning.pytorch.loggers import WandbLogger

fabric = Fabric(accelerator="cpu", loggers=WandbLogger(project="fabric", name="loop"))
fabric.launch()
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model, optimizer = fabric.setup(model, optimizer)
fabric.logger.log_hyperparams({"lr": 0.1, "layers": [4, 1]})
losses = []
for step in range(6):
    loss = model(torch.randn(8, 4)).square().mean()
    fabric.backward(loss)
    optimizer.step()
    optimizer.zero_grad()
    losses.append((step, loss.item()))
    fabric.log_dict({"loss": loss.item()}, step=step * 2)
fabric.logger.finalize("success")
expect(
    {"loss": losses, "trainer/global_step": [(step, step * 2) for step in range(6)]},
    run="loop",
    config={"lr": 0.1, "layers": [4, 1]},
)
