"""Shaped like diffusers' train_unconditional.py: the tracker by its name, images by its object."""

import numpy as np
import torch
from accelerate import Accelerator
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from expected import expect

accelerator = Accelerator(log_with="wandb", cpu=True)
accelerator.init_trackers("train_unconditional", config={"lr": 1e-4})
model = UNet2DModel(
    sample_size=8, in_channels=3, out_channels=3, block_out_channels=(8, 8), norm_num_groups=4,
    layers_per_block=1, down_block_types=("DownBlock2D",) * 2, up_block_types=("UpBlock2D",) * 2,
)  # fmt: skip
scheduler = DDPMScheduler(num_train_timesteps=10)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
model, optimizer = accelerator.prepare(model, optimizer)
losses, global_step = [], 0
for epoch in range(2):
    for _ in range(3):
        images, noise = torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8)
        times = torch.randint(0, 10, (2,))
        predicted = model(scheduler.add_noise(images, noise, times), times).sample
        loss = torch.nn.functional.mse_loss(predicted, noise)
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        global_step += 1
        losses.append((global_step, loss.detach().item()))
        accelerator.log({"loss": losses[-1][1], "epoch": epoch}, step=global_step)
    pipeline = DDPMPipeline(unet=accelerator.unwrap_model(model), scheduler=scheduler)
    pipeline.set_progress_bar_config(disable=True)
    pictures = pipeline(batch_size=2, num_inference_steps=2, output_type="np").images
    for tracker in accelerator.trackers:
        if tracker.name == "wandb":
            import wandb

            formatted = [wandb.Image(np.uint8(picture * 255)) for picture in pictures]
            tracker.log({"test_samples": formatted}, step=global_step)
    accelerator.get_tracker("wandb").log_images({"validation": list(pictures)}, step=global_step)
accelerator.end_training()
expect({"loss": losses}, config={"lr": 1e-4}, files=["test_samples", "validation"])
