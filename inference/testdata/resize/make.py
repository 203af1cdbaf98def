"""Makes the pictures of this folder: what PIL and torchvision make of one picture by each way of resizing that a manifest can say.

    python3 make.py    # torch 2.15, torchvision 0.29, Pillow 13
"""
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2
from torchvision.transforms.v2 import InterpolationMode as Way

here = Path(__file__).parent
rng = np.random.default_rng(7)
y, x = np.mgrid[0:47, 0:61]
waves = np.stack([127 + 90 * np.sin(x / 3 + c) * np.cos(y / (2 + c)) for c in range(3)], -1) + rng.normal(0, 12, (47, 61, 3))
picture = Image.fromarray(waves.clip(0, 255).astype(np.uint8))
picture.save(here / "picture.png")
tensor = torch.from_numpy(np.asarray(picture)).permute(2, 0, 1)


def keep(name, out):
    if isinstance(out, torch.Tensor):
        out = Image.fromarray(out.permute(1, 2, 0).numpy())
    out.save(here / f"{name}.png")


for way in (Way.BILINEAR, Way.BICUBIC, Way.LANCZOS, Way.NEAREST):
    keep(f"both-{way.value}", v2.Resize((20, 24), way)(picture))
for way in (Way.BILINEAR, Way.BICUBIC):
    keep(f"both-{way.value}-aliased", v2.Resize((20, 24), way, antialias=False)(tensor))
    keep(f"larger-{way.value}-aliased", v2.Resize((70, 90), way, antialias=False)(tensor))
for name, large, small in (("ties", (40, 48), (20, 24)), ("sevenths", (32, 56), (28, 49))):  # where two samples are equally near
    wide = picture.resize(large[::-1])
    wide.save(here / f"picture-{name}.png")
    keep(f"{name}-nearest", v2.Resize(small, Way.NEAREST)(wide))
    keep(f"{name}-nearest-aliased", v2.Resize(small, Way.NEAREST, antialias=False)(torch.from_numpy(np.array(wide)).permute(2, 0, 1)))
longer = v2.Resize(None, max_size=24)(picture)
keep("longer-bilinear-padded", v2.functional.pad(longer, [0, (24 - longer.height) // 2, 0, 24 - longer.height - (24 - longer.height) // 2], fill=[124, 116, 104]))

from timm.data.transforms import CenterCropOrPad, ResizeKeepRatio  # timm 1.0

keep("border-bilinear", CenterCropOrPad(27, fill=(124, 116, 104))(ResizeKeepRatio(27, longest=1.0, interpolation="bilinear")(picture)))
