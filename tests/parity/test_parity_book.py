"""Rung 13: our loops against the book's train_ch13, which d2l installs."""

import pytest

from .rungs import r13_book as book


@pytest.mark.parametrize("name", ["finetune", "scratch"])
def test_rung_13_gluon_loop_is_the_books(drawings, name, keep):
    keep(book.check_gluon_loop(drawings, name))


@pytest.mark.parametrize("name", ["finetune", "scratch"])
def test_rung_13_torch_loop_is_the_books_given_its_recipe(drawings, name, keep):
    keep(book.check_torch_loop(drawings, name))
