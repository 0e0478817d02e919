"""Features from the density equal the defining sums over pairs, with a filter for every pair."""

import e3x
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from examples import features_of, graph_of, noisy_parameters, variant, water
from scipy.special import comb

from bornflow.models import basis
from bornflow.models.basis import RadialBasis, radial_functions
from bornflow.models.coupling import TensorProduct
from bornflow.models.features import MLP, SMALL_NORM
from bornflow.models.graph import edge_vectors
from bornflow.models.lorem import Lorem, Update
from bornflow.models.model import Model

ELEMENTS = ("H", "O")


@pytest.fixture(scope="module", params=[None, 0.9], ids=["cluster", "box"])
def atoms(request):
    return water(3 if request.param is None else 8, request.param)


def described(atoms, **changes):
    """Settings of a model, its backbone's weights, a graph, and its features."""
    model = Model(variant(**changes), ELEMENTS)
    parameters = noisy_parameters(model)
    graph = graph_of(model, atoms)
    features = features_of(model, parameters, graph)
    weights = jax.tree.map(np.asarray, parameters["params"]["backbone"])
    return model.variant, weights, graph, features


def bernstein(r, options):
    """C(K−1, k) y^k (1−y)^(K−1−k); e3x's are good to 10⁻⁷ only."""
    number, cutoff, decay = options.radial, options.cutoff, options.radial_decay
    y = (1 - np.exp(-decay * r)) / (1 - np.exp(-decay * cutoff)) if decay else r / cutoff
    k = np.arange(number)
    return comb(number - 1, k) * y[:, None] ** k * (1 - y[:, None]) ** k[::-1]


def pairs_of(graph, options):
    """Centre and neighbour of each pair, f_c b_r, and Y_lm."""
    centre, slot = np.nonzero(graph.pair_mask)
    vectors = np.asarray(edge_vectors(graph))[:, centre, slot].T
    distances = np.linalg.norm(vectors, axis=1)
    switch = np.cos(np.pi / 2 * distances / options.cutoff) ** 2
    radial = bernstein(distances, options) * switch[:, None]
    scaled = vectors / (distances[:, None] if options.harmonics == "unit" else options.cutoff)
    angular = e3x.so3.solid_harmonics(scaled, options.max_degree, cartesian_order=True)
    return centre, graph.neighbours[centre, slot], np.asarray(radial), np.asarray(angular), np.asarray(switch)


def summed(values, centre, n):
    total = np.zeros((n, *values.shape[1:]))
    np.add.at(total, centre, values)
    return total


def dense(weights, x):
    return x @ weights["kernel"] + weights.get("bias", 0)


def layer_norm(weights, x):
    normal = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-6)
    return normal * weights["scale"] + weights["bias"]


def relative(powers):
    return powers / np.sqrt(powers.mean(axis=2, keepdims=True) + SMALL_NORM**2)


@pytest.mark.parametrize(
    ("decay", "contraction", "harmonics", "invariants"),
    [(0, 0, "solid", "published"), (1.5, 0, "unit", "relative"), (1.5, 5, "unit", "pairs")],
)
def test_physical(atoms, decay, contraction, harmonics, invariants):
    changes = {"radial_decay": decay, "contraction": contraction}
    changes |= {"harmonics": harmonics, "invariants": invariants}
    options, weights, graph, features = described(atoms, backbone="physical", **changes)
    centre, neighbour, radial, angular, switch = pairs_of(graph, options)
    n, degrees, channels = len(atoms), options.max_degree + 1, options.channels
    degree = np.repeat(np.arange(degrees), 2 * np.arange(degrees) + 1)
    norm = 1 + summed(switch, centre, n)
    embedding = weights["embedding"][graph.species]

    both = np.concatenate([embedding[centre], embedding[neighbour]], axis=1)
    filters = dense(weights["filter_scalar"], both).reshape(len(both), options.radial, -1)
    x = summed(np.einsum("pr,prc,p->pc", radial, filters, angular[:, 0]), centre, n) / norm[:, None]

    shape = (len(both), options.radial, degrees, channels)
    filters = dense(weights["filter_species"], embedding[neighbour]).reshape(shape)
    of_centre = dense(weights["filter_centre"], x).reshape(n, -1, degrees, channels)[centre]
    if contraction:
        contract = weights["contraction"].reshape(degrees, -1, options.radial, contraction)
        of_centre = np.einsum("dprk,pkda->prda", contract[:, graph.species[neighbour]], of_centre)
    filters = (filters + of_centre)[:, :, degree]
    spherical = (
        summed(np.einsum("pr,prma,pm->pma", radial, filters, angular), centre, n) / norm[:, None, None]
    )
    power = np.stack([(spherical[:, degree == d] ** 2).sum(axis=1) for d in range(degrees)], axis=1)
    if invariants == "pairs":
        rows, columns = np.triu_indices(channels)
        blocks = [spherical[:, degree == d] for d in range(degrees)]
        products = [np.einsum("nma,nmb->nab", block, block)[:, rows, columns] for block in blocks]
        power = np.stack(products, axis=1) / np.sqrt(power.mean(axis=2, keepdims=True) + SMALL_NORM**2)
    elif invariants == "relative":
        power = relative(power)
    expected = layer_norm(weights["LayerNorm_0"], x + dense(weights["power"], power.reshape(n, -1)))
    np.testing.assert_allclose(features.spherical, spherical, rtol=0, atol=1e-11)
    np.testing.assert_allclose(features.scalars, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("invariants", ["relative", "published"])
def test_lorem(atoms, invariants):
    options, weights, graph, features = described(atoms, backbone="lorem", invariants=invariants)
    centre, neighbour, radial, angular, _ = pairs_of(graph, options)
    n, width, degrees = len(atoms), options.features, options.max_degree + 1
    degree = np.repeat(np.arange(degrees), 2 * np.arange(degrees) + 1)
    embedding = weights["embedding"][graph.species]

    both = np.concatenate([embedding[centre], embedding[neighbour]], axis=1)
    filters = MLP((width, options.radial * width)).apply({"params": weights["filter"]}, jnp.asarray(both))
    edge = np.einsum("prf,pr->pf", filters.reshape(len(both), options.radial, width), radial)
    scalars = summed(dense(weights["filter_scalar"], edge) * angular[:, :1], centre, n)
    update = Update(width)
    scalars = update.apply({"params": weights["Update_0"]}, jnp.zeros_like(scalars), jnp.asarray(scalars))
    coefficients = dense(weights["filter_spherical"], edge).reshape(len(both), degrees, -1)[:, degree]
    spherical = summed(coefficients * angular[..., None], centre, n)
    product = TensorProduct(options.max_degree, options.channels, options.max_degree)
    spherical = product.apply({"params": weights["TensorProduct_0"]}, jnp.asarray(spherical))
    powers = np.stack([(spherical[:, degree == d] ** 2).sum(axis=1) for d in range(degrees)], axis=1)
    norms = relative(powers) if invariants == "relative" else np.sqrt(powers)
    norms *= (2 * np.arange(degrees)[:, None] + 1) ** 0.25
    expected = update.apply({"params": weights["Update_1"]}, scalars, jnp.asarray(norms.reshape(n, -1)))
    np.testing.assert_allclose(features.spherical, spherical, rtol=0, atol=1e-11)
    np.testing.assert_allclose(features.scalars, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize(("invariants", "bend"), [("relative", 0.2), ("published", 2.0)])
def test_invariants_where_a_channel_vanishes(invariants, bend):
    """The paper's norms of `lorem` have a kink there: the slopes on its two sides are −1 and 1."""
    sizes = {"n_species": 1, "max_degree": 0, "embedding": 1, "features": 1, "channels": 2, "contraction": 0}
    backbone = Lorem(radial=RadialBasis(2, 5.0), harmonics="unit", invariants=invariants, **sizes)

    def invariant(x):
        return backbone.rotational_invariants(jnp.array([[[x, 1.0]]]))[0, 0, 0]

    slopes = [jax.grad(invariant)(x) for x in (-0.05, 0.05)]
    assert slopes[1] - slopes[0] == pytest.approx(bend, rel=0.5)
    assert invariant(1.0) == pytest.approx(1.0, rel=1e-3)


def test_radial_functions_are_those_of_e3x():
    r = jnp.linspace(0.01, 4.99, 50)
    switch = e3x.nn.cosine_cutoff(r, 5.0)[:, None]
    plain = e3x.nn.basic_bernstein(r, 32, 5.0) * switch
    np.testing.assert_allclose(radial_functions(r, RadialBasis(32, 5.0)), plain.T, atol=1e-6)
    # e3x's are not scaled to end at the cutoff: they are equal where e^(−γr_c) is negligible.
    exponential = e3x.nn.exponential_bernstein(r, 32, gamma=4.0) * switch
    np.testing.assert_allclose(radial_functions(r, RadialBasis(32, 5.0, 4.0)), exponential.T, atol=1e-6)


@pytest.mark.parametrize("decay", [0.0, 1.5])
@pytest.mark.parametrize("number", [1, 2, 3, 12])
def test_radial_functions_have_exact_slopes_up_to_the_ends(number, decay):
    which = RadialBasis(number, 5.0, decay)
    r = jnp.array([0.0, 1e-3, 2.2, 4.999, 5.0, 6.0])
    _, slope = jax.jvp(lambda r: radial_functions(r, which), (r,), (jnp.ones_like(r),))
    step = 1e-5
    near = [radial_functions(r + sign * step, which) for sign in (1, -1)]
    inner = slice(1, None)  # the functions are defined above 0 only
    np.testing.assert_allclose(slope[:, inner], ((near[0] - near[1]) / (2 * step))[:, inner], atol=1e-6)
    np.testing.assert_allclose(radial_functions(r, which).sum(axis=0), basis.cosine_cutoff(r / 5), atol=1e-15)


def test_solid_harmonics_are_those_of_e3x_with_their_derivatives():
    vectors = jnp.asarray(np.random.default_rng(0).normal(size=(2, 5, 3)))

    def theirs(vectors):
        return jnp.swapaxes(e3x.so3.solid_harmonics(vectors, 6, cartesian_order=True), -1, -2)

    def ours(vectors):
        return basis.solid_harmonics(jnp.moveaxis(vectors, -1, 0), 6)

    np.testing.assert_allclose(ours(vectors), theirs(vectors), rtol=0, atol=1e-11)
    for order in (jax.jacfwd, lambda f: jax.jacrev(jax.jacfwd(f))):
        np.testing.assert_allclose(order(ours)(vectors[0]), order(theirs)(vectors[0]), atol=1e-9)


def test_the_tensor_product_is_the_sum_over_all_true_tensors():
    degrees, channels = 4, 3
    product = TensorProduct(degrees - 1, channels, degrees - 1)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(5, degrees**2, channels)))
    parameters = product.init(jax.random.key(0), x)
    weights = parameters["params"]
    degree = np.repeat(np.arange(degrees), 2 * np.arange(degrees) + 1)
    left, right = (
        np.concatenate([x[:, degree == d] @ weights[f"{side}_{d}"]["kernel"] for d in range(degrees)], axis=1)
        for side in ("left", "right")
    )
    coupling = np.array(e3x.so3.clebsch_gordan(degrees - 1, degrees - 1, degrees - 1, cartesian_order=True))
    parity = degree[:, None, None] + degree[None, :, None] + degree[None, None, :]
    coupling[parity % 2 == 1] = 0
    paths = np.asarray(weights["weights"])[
        degree[:, None, None], degree[None, :, None], degree[None, None, :]
    ]
    expected = np.einsum("npc,nqc,pqk,pqkc->nkc", left, right, coupling, paths)
    np.testing.assert_allclose(product.apply(parameters, x), expected, rtol=0, atol=1e-6)
