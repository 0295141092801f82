import torch
from accelerate import Accelerator
from expected import expect

accelerator = Accelerator(log_with="trackio", cpu=True)
accelerator.init_trackers("accelerate", config={"lr": 0.1, "depth": 2},
                          init_kwargs={"trackio": {"name": "linear"}})  # fmt: skip
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
batches = [(torch.randn(8, 4), torch.randn(8, 1)) for _ in range(10)]
model, optimizer = accelerator.prepare(model, optimizer)
losses = []
for step, (inputs, targets) in enumerate(batches):
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(model(inputs), targets)
    accelerator.backward(loss)
    optimizer.step()
    losses.append((step * 10, loss.item()))
    accelerator.log({"loss": loss.item()}, step=step * 10)
accelerator.end_training()
expect({"loss": losses}, run="linear", project="accelerate", config={"lr": 0.1, "depth": 2})
