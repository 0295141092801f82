import torch
from expected import expect
from ignite.engine import Events, create_supervised_evaluator, create_supervised_trainer
from ignite.handlers.wandb_logger import WandBLogger
from ignite.metrics import MeanSquaredError

model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
trainer = create_supervised_trainer(model, optimizer, torch.nn.functional.mse_loss)
evaluator = create_supervised_evaluator(model, {"mse": MeanSquaredError()})
batches = [(torch.randn(8, 4), torch.randn(8, 1)) for _ in range(4)]
logger = WandBLogger(project="ignite", name="engine", config={"max_epochs": 3})
losses, errors = [], []


@trainer.on(Events.ITERATION_COMPLETED)
def keep(engine):
    losses.append((engine.state.iteration, engine.state.output))


@trainer.on(Events.EPOCH_COMPLETED)
def evaluate(engine):
    evaluator.run(batches)
    errors.append((engine.state.iteration, evaluator.state.metrics["mse"]))


logger.attach_output_handler(
    trainer, event_name=Events.ITERATION_COMPLETED, tag="training",
    output_transform=lambda loss: {"loss": loss},
)  # fmt: skip
logger.attach_output_handler(
    evaluator, event_name=Events.EPOCH_COMPLETED, tag="validation", metric_names=["mse"],
    global_step_transform=lambda *_: trainer.state.iteration,
)  # fmt: skip
logger.attach_opt_params_handler(
    trainer, event_name=Events.ITERATION_STARTED(every=2), optimizer=optimizer
)
trainer.run(batches, max_epochs=3)
logger.close()
expect(
    {
        "training/loss": losses,
        "validation/mse": errors,
        "lr/group_0": [(step, 0.1) for step in range(2, 13, 2)],
    },
    run="engine",
    config={"max_epochs": 3},
)
