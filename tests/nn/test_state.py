"""A state is a tree of batch-first tensors: rows are reset, skipped and copied in all of it at once."""

import torch

from personaplex.nn.state import State


class Leaf(State):
    def __init__(self, batch):
        self.values = torch.zeros(batch, 2)


class Tree(State):
    def __init__(self, batch):
        self.one = Leaf(batch)
        self.many = [Leaf(batch), Leaf(batch)]
        self.count = torch.zeros(batch, dtype=torch.long)


def leaves(tree):
    return [tree.one, *tree.many]


def test_every_node_is_reached_in_a_fixed_order():
    tree = Tree(1)
    assert list(tree.nodes()) == [tree, tree.one, *tree.many]


def test_only_active_rows_are_written():
    tree = Tree(3)
    tree.set_active(torch.tensor([True, False, True]))
    for leaf in leaves(tree):
        leaf.keep(leaf.values, torch.ones(3, 2))
        assert leaf.values[:, 0].tolist() == [1, 0, 1]
    tree.set_active(None)
    tree.keep(tree.count, tree.count + 5)
    assert tree.count.tolist() == [5, 5, 5]


def test_rows_are_reset_in_the_whole_tree_and_in_place():
    tree = Tree(3)
    for leaf in leaves(tree):
        leaf.values.fill_(7)
    storage = tree.one.values.data_ptr()
    tree.reset(torch.tensor([1]))
    assert all(leaf.values[:, 0].tolist() == [7, 0, 7] for leaf in leaves(tree))
    tree.reset()
    assert not any(leaf.values.any() for leaf in leaves(tree))
    assert tree.one.values.data_ptr() == storage


def test_a_row_is_copied_from_another_tree():
    source, target = Tree(1), Tree(3)
    source.count.fill_(4)
    for leaf in leaves(source):
        leaf.values.fill_(9)
    target.copy_row(2, source)
    assert target.count.tolist() == [0, 0, 4]
    assert all(leaf.values[:, 1].tolist() == [0, 0, 9] for leaf in leaves(target))
