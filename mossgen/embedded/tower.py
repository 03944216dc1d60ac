"""The image tower of the embedder: what a picture shows, in the space of its captions, and how it is laid out.

Importing this module makes the tower known to timm, and so to open_clip, as `mossgen_tower`. The trunk is timm's
EfficientNet-Lite0. WORDS dimensions come from its last maps through CLIP's attention pool (Radford et al., 2021);
LAYOUT more, in which texts are zero, tell one picture of a thing from another: a linear map of its middle maps' means
over a grid of the picture, as copy detectors read them.
"""

from __future__ import annotations

from typing import Any

import timm
import torch
from timm.models import register_model
from torch import Tensor, nn
from torch.nn import functional

SIDE = 192  # pixels of a picture
WORDS, LAYOUT = 384, 128
DIM = WORDS + LAYOUT
SHARE = 0.6  # of a vector's squared length, for the layout
MIDDLE = 5  # blocks of the trunk up to the maps that the layout is read from: 112 channels, a sixteenth of the side
MIDDLE_WIDTH, LAST_WIDTH = 112, 1280
GRID = 3  # parts of a picture, each way
TOKENS = (SIDE // 32) ** 2 + 1
HEAD = 64  # dimensions of an attention head


class AttentionPool(nn.Module):
    """CLIP's attention pool with one query, the mean of the maps; weights as in timm's AttentionPool2d.

    The query is brought to the tokens through the keys' weights, and the values' weights are applied to what it
    gathers: neither keys nor values of all tokens are made. A bias on the keys would change all scores alike, and
    nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(LAST_WIDTH, 3 * LAST_WIDTH)
        self.proj = nn.Linear(LAST_WIDTH, WORDS)
        self.pos_embed = nn.Parameter(torch.empty(TOKENS, LAST_WIDTH))
        for weight in (self.qkv.weight, self.pos_embed):
            nn.init.trunc_normal_(weight, std=LAST_WIDTH**-0.5)
        nn.init.zeros_(self.qkv.bias)

    def forward(self, maps: Tensor) -> Tensor:
        """[n, WORDS] of maps [n, LAST_WIDTH, h, w] with h * w = TOKENS - 1."""
        tokens = maps.flatten(2).transpose(1, 2)
        tokens = torch.cat([tokens.mean(1, keepdim=True), tokens], 1) + self.pos_embed
        query, keys, values = self.qkv.weight.view(3, -1, HEAD, LAST_WIDTH)
        bias = self.qkv.bias.view(3, -1, HEAD)
        asked = torch.einsum("nc,hdc->nhd", tokens[:, 0], query) + bias[0]
        scores = torch.einsum("nhc,ntc->nht", torch.einsum("nhd,hdc->nhc", asked, keys), tokens)
        gathered = torch.einsum("nht,ntc->nhc", (scores * HEAD**-0.5).softmax(-1), tokens)
        out: Tensor = self.proj((torch.einsum("nhc,hdc->nhd", gathered, values) + bias[2]).flatten(1))
        return out


class Tower(nn.Module):
    """[n, DIM] unit rows of pictures [n, 3, SIDE, SIDE] in [-1, 1]."""

    trunk: Any  # timm's: its parts are reached by name

    def __init__(self) -> None:
        super().__init__()
        self.trunk = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0, global_pool="")
        self.pool = AttentionPool()
        self.layout = nn.Linear(MIDDLE_WIDTH * GRID**2, LAYOUT)

    def forward(self, pictures: Tensor) -> Tensor:
        """Words and layout side by side, each with its share of the length."""
        maps = self.middle(pictures)
        return torch.cat([(1 - SHARE) ** 0.5 * self.words(maps), SHARE**0.5 * self.laid_out(maps)], -1)

    def middle(self, pictures: Tensor) -> Tensor:
        """The middle maps, [n, MIDDLE_WIDTH, SIDE / 16, SIDE / 16]."""
        maps: Tensor = self.trunk.blocks[:MIDDLE](self.trunk.bn1(self.trunk.conv_stem(pictures)))
        return maps

    def words(self, maps: Tensor) -> Tensor:
        """[n, WORDS] unit rows of middle maps."""
        last = self.trunk.bn2(self.trunk.conv_head(self.trunk.blocks[MIDDLE:](maps)))
        return functional.normalize(self.pool(last), dim=-1)

    def laid_out(self, maps: Tensor) -> Tensor:
        """[n, LAYOUT] unit rows of middle maps."""
        return functional.normalize(self.layout(grid(maps)), dim=-1)


def grid(maps: Tensor) -> Tensor:
    """[n, MIDDLE_WIDTH * GRID * GRID]: the means over the parts of a picture."""
    return functional.adaptive_avg_pool2d(maps, GRID).flatten(1)


@register_model
def mossgen_tower(pretrained: bool = False, **_: Any) -> Tower:
    """The tower without trained weights; timm's other arguments mean nothing to it."""
    return Tower()
