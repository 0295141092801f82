import torch
from expected import expect
from mmengine.model import BaseModel
from mmengine.runner import Runner

losses = []


class Model(BaseModel):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)

    def forward(self, inputs, mode):
        loss = self.layer(inputs).square().mean()
        losses.append(loss.item())
        return {"loss": loss}


data = torch.utils.data.DataLoader([{"inputs": row} for row in torch.randn(24, 4)], batch_size=4)
runner = Runner(
    model=Model(), work_dir="work", train_dataloader=data, train_cfg={"by_epoch": True,
    "max_epochs": 2}, optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.01}},
    default_hooks={"logger": {"type": "LoggerHook", "interval": 1}},
    log_processor={"window_size": 1},
    visualizer={"type": "Visualizer", "vis_backends": [
        {"type": "WandbVisBackend", "init_kwargs": {"project": "mmengine", "name": "runner"}}]},
)  # fmt: skip
runner.train()
runner.visualizer.close()
expect(
    {"loss": list(enumerate(losses)), "lr": [(step, 0.01) for step in range(12)]},
    run="runner",
    project="mmengine",
)
