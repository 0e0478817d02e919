"""The padded arrays of a graph: shapes, types and opposite pairs."""

import dataclasses
from typing import Annotated, get_args, get_origin, get_type_hints

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from examples import cell_of, graph_of, variant
from jaxtyping import jaxtyped

from bornflow.models.graph import Graph, at_opposite_pairs, edge_vectors
from bornflow.models.model import Model, Prediction

MODEL = Model(variant(), ("H", "O"))


@pytest.mark.parametrize("extra_atoms", [0, 2])
def test_arrays_have_the_shapes_of_their_annotations(structure, extra_atoms):
    own = MODEL.pairs(structure.numbers, structure.positions, cell_of(structure)).shape
    graph = graph_of(MODEL, structure, own._replace(atoms=own.atoms + extra_atoms))
    checked, hints = [], get_type_hints(Graph, include_extras=True)
    with jaxtyped("context"):  # one size for each name of an axis
        for field in dataclasses.fields(Graph):
            if get_origin(hints[field.name]) is Annotated:
                on_host, on_device = get_args(hints[field.name].__metadata__[0])
                values = getattr(graph, field.name)
                assert isinstance(values, on_host), field.name
                assert isinstance(jnp.asarray(values), on_device), field.name
                checked.append(field.name)
    assert len(checked) == 9
    assert graph.neighbours.shape == (len(structure) + extra_atoms, sum(graph.blocks))
    assert (graph.waves is None) == (cell_of(structure) is None)


def test_predictions_have_the_shapes_of_their_annotations(structure):
    """With all fields of a coupled model; a batch has one more axis."""
    model = Model(variant(charges="local"), ("H", "O"))
    graph = graph_of(model, structure)
    parameters = model.initialise(graph, 0)
    batched = jax.tree.map(lambda leaf: leaf[None], graph)
    for prediction in (model(parameters, graph), model.batch(parameters, batched)):
        with jaxtyped("context"):
            for name, hint in get_type_hints(Prediction).items():
                assert isinstance(getattr(prediction, name), get_args(hint) or hint), name
        assert prediction.forces.shape[-2:] == (len(structure), 3)


def test_the_opposite_pair_has_the_opposite_vector(structure):
    graph = graph_of(MODEL, structure)
    vectors = edge_vectors(graph) * graph.pair_mask
    np.testing.assert_allclose(at_opposite_pairs(vectors, graph), -vectors, atol=1e-12)
