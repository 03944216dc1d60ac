"""The prefix tree of the tokens of many choices, and each choice's exact likelihood from one pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


class Tree:
    """A prefix tree of choices (lists of token ids).

    Node i holds a token, its parent node (-1: the prompt itself) and its depth; `paths[c]` are the nodes of
    choice c, from the first token to the last.
    """

    def __init__(self, choices: Sequence[Sequence[int]]) -> None:
        self.tokens: list[int] = []
        self.parents: list[int] = []
        self.depths: list[int] = []
        self._children: dict[tuple[int, int], int] = {}
        self.paths = [self._path(choice) for choice in choices]

    def _path(self, choice: Sequence[int]) -> list[int]:
        path: list[int] = []
        for depth, token in enumerate(choice):
            key = (path[-1] if path else -1, token)
            if key not in self._children:
                self._children[key] = len(self.tokens)
                self.tokens.append(token)
                self.parents.append(key[0])
                self.depths.append(depth)
            path.append(self._children[key])
        return path

    def visible(self) -> torch.Tensor:
        """[nodes, nodes] of bool: each node sees itself and its ancestors."""
        import torch

        seen = torch.eye(len(self.tokens), dtype=torch.bool)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                seen[node] |= seen[parent]
        return seen

    def mean_logprobs(self, logprobs: torch.Tensor, ends: Sequence[int]) -> list[float]:
        """The mean log-probability per token of each choice, with its end (any of `ends`) as one more token.

        `logprobs` [1 + nodes, vocabulary]: row 0 is for the token after the prompt, row i + 1 after node i.
        """
        import torch

        parents = torch.tensor(self.parents, dtype=torch.long) + 1
        steps = logprobs[parents, torch.tensor(self.tokens, dtype=torch.long)]
        closing = logprobs[:, list(ends)].logsumexp(-1)
        return [float(steps[p].sum() + closing[p[-1] + 1]) / (len(p) + 1) for p in self.paths]


def inputs(trees: Sequence[Tree], prompts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The model's input after the prompts: ids and positions [n, width], and the attention mask.

    `prompts` [n, length] is 1 at the tokens of each left-padded prompt. The mask, of bool, is
    [n, 1, width, length + width]: each node sees its prompt, its ancestors and itself; padding sees itself.
    """
    import torch

    width = max(len(tree.tokens) for tree in trees)
    count, length = prompts.shape
    ids = torch.zeros(count, width, dtype=torch.long)
    positions = torch.zeros(count, width, dtype=torch.long)
    sees = torch.zeros(count, width, length + width, dtype=torch.bool)
    sees[:, :, length:] = torch.eye(width, dtype=torch.bool)
    for row, (tree, prompt) in enumerate(zip(trees, prompts.cpu().bool(), strict=True)):
        size = len(tree.tokens)
        ids[row, :size] = torch.tensor(tree.tokens, dtype=torch.long)
        positions[row, :size] = torch.tensor(tree.depths, dtype=torch.long) + int(prompt.sum())
        sees[row, :, :length] = prompt
        sees[row, :size, length : length + size] = tree.visible()
    return ids.to(prompts.device), positions.to(prompts.device), sees[:, None].to(prompts.device)
