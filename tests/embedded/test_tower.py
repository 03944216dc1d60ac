"""The embedder's image tower: its pool against timm's own, the two parts of a vector, and the layout's training."""

import pytest
import torch
from timm.layers import AttentionPool2d
from torch.nn import functional

from mossgen.embedded import tower
from mossgen.training import clip


@pytest.fixture(scope="module")
def fresh():
    torch.manual_seed(0)
    return tower.Tower().eval()


def test_the_pool_is_clips_attention_pool(fresh):
    theirs = AttentionPool2d(tower.LAST_WIDTH, feat_size=6, out_features=tower.WORDS, head_dim=tower.HEAD).eval()
    torch.nn.init.normal_(theirs.qkv.bias)
    ours = tower.AttentionPool()
    ours.load_state_dict(theirs.state_dict())
    maps = torch.rand(3, tower.LAST_WIDTH, 6, 6)
    with torch.no_grad():
        assert torch.allclose(ours(maps), theirs(maps), atol=1e-4)


def test_a_vector_has_words_and_layout_in_their_shares(fresh):
    pictures = torch.rand(2, 3, tower.SIDE, tower.SIDE) * 2 - 1
    with torch.no_grad():
        rows = fresh(pictures)
        maps = fresh.middle(pictures)
        words = fresh.words(maps)
    assert rows.shape == (2, tower.DIM)
    assert torch.allclose(rows.norm(dim=-1), torch.ones(2), atol=1e-4)
    assert torch.allclose(rows[:, tower.WORDS :].norm(dim=-1) ** 2, torch.full((2,), tower.SHARE), atol=1e-4)
    assert torch.allclose(functional.normalize(rows[:, : tower.WORDS], dim=-1), words, atol=1e-4)


def test_the_layout_learns_what_near_duplicates_share(fresh, monkeypatch):
    monkeypatch.setattr(clip, "LAYOUT_STEPS", 60)
    draw = torch.Generator().manual_seed(1)
    scenes = torch.rand(200, 2, tower.MIDDLE_WIDTH, 3, 3, generator=draw)  # two pictures of each
    views = torch.stack([scenes[:, 0], scenes[:, 0] + 0.3 * torch.rand(scenes[:, 0].shape, generator=draw)], 1)
    maps = torch.cat([views, scenes[:, 1:]], 1)
    maps[:, 1] += 4 * torch.rand(200, 1, 3, 3, generator=draw)  # a change that copies have, and no other pictures
    clip.lay_out(fresh, maps[:150])
    with torch.no_grad():
        first, near, other = fresh.laid_out(maps[150:].flatten(0, 1)).view(50, 3, -1).unbind(1)
    assert ((first * near).sum(-1) > (first * other).sum(-1)).float().mean() > 0.9
