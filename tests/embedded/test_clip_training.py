"""The embedder's training: its faster pool is the pool that is shipped, and some heads begin by looking at places."""

import pytest
import torch

from mossgen.embedded.train import clip


@pytest.fixture(scope="module")
def pool():
    from timm.layers import AttentionPool2d

    torch.manual_seed(0)
    fresh = AttentionPool2d(256, feat_size=7, out_features=32, head_dim=16).eval()
    torch.nn.init.normal_(fresh.qkv.bias)
    return fresh


@pytest.mark.parametrize("side", [6, 7])
def test_the_pool_of_training_is_the_pool_of_the_model(pool, side):
    maps = torch.rand(3, 256, side, side)
    with torch.no_grad():
        assert torch.allclose(clip.pooled(pool, maps), pool(maps), atol=1e-5)


def test_located_heads_look_at_their_part_whatever_is_shown(pool):
    clip.locate(pool)
    maps = torch.rand(5, 256, 7, 7)
    with torch.no_grad():
        tokens = torch.cat([maps.flatten(2).mean(2)[:, None], maps.flatten(2).transpose(1, 2)], 1) + pool.pos_embed
        queries, keys, _ = pool.qkv(tokens).view(5, 50, 3, pool.num_heads, pool.head_dim).unbind(2)
        scores = torch.einsum("nhd,nthd->nht", queries[:, 0], keys) * pool.scale
    seen = scores.softmax(-1)[:, :, 1:].reshape(5, pool.num_heads, 7, 7)
    for head in range(clip.GRID**2):
        row, column = (round((n + 0.5) / clip.GRID * 7 - 0.5) for n in divmod(head, clip.GRID))
        part = seen[:, head, row - 1 : row + 2, column - 1 : column + 2].sum((1, 2))
        assert (part > 0.5).all(), (head, part)  # 9 of 49 tokens
    assert torch.allclose(clip.pooled(pool, maps), pool(maps), atol=1e-4)
