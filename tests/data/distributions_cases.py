"""Cases of tests/behaviour/test_distributions_recorded.py: expressions of `d`, the distributions
module, and `t`, its tensor function. What PyTorch draws for them is in distributions_recorded.json.
"""

_LOC, _SCALE, _SHAPE = "t([-1., 0., 3.])", "t([.3, 1.7, 9.])", "t([.2, 1., 8.])"
_PROBS, _MATRIX = "t([.1, .5, .9])", "t([[1., 0.], [.6, .8]])"

CASES = {
    "Bernoulli": f"d.Bernoulli({_PROBS})",
    "Bernoulli of logits": f"d.Bernoulli(logits={_LOC})",
    "Beta": f"d.Beta({_SHAPE}, {_SCALE})",
    "Binomial": f"d.Binomial(30, {_PROBS})",
    "Categorical": f"d.Categorical({_PROBS})",
    "Categorical batch": "d.Categorical(logits=t([[0., 1., 2.], [2., 0., -3.]]))",
    "Cauchy": f"d.Cauchy({_LOC}, {_SCALE})",
    "Chi2": f"d.Chi2({_SHAPE})",
    "ContinuousBernoulli": "d.ContinuousBernoulli(t([.1, .5, .9]))",
    "Dirichlet": f"d.Dirichlet({_SHAPE})",
    "Exponential": f"d.Exponential({_SCALE})",
    "FisherSnedecor": f"d.FisherSnedecor({_SHAPE}, {_SCALE})",
    "Gamma": f"d.Gamma({_SHAPE}, {_SCALE})",
    "GeneralizedPareto": f"d.GeneralizedPareto({_LOC}, {_SCALE}, t([0., .5, -.5]))",
    "Geometric": f"d.Geometric({_PROBS})",
    "Gumbel": f"d.Gumbel({_LOC}, {_SCALE})",
    "HalfCauchy": f"d.HalfCauchy({_SCALE})",
    "HalfNormal": f"d.HalfNormal({_SCALE})",
    "Independent": f"d.Independent(d.Laplace({_LOC}, {_SCALE}), 1)",
    "InverseGamma": f"d.InverseGamma({_SHAPE} + 1, {_SCALE})",
    "Kumaraswamy": f"d.Kumaraswamy({_SHAPE}, {_SCALE})",
    "LKJCholesky": "d.LKJCholesky(3, t([.5, 2.]))",
    "Laplace": f"d.Laplace({_LOC}, {_SCALE})",
    "LogNormal": f"d.LogNormal({_LOC}, {_SHAPE} / 8)",
    "LogisticNormal": f"d.LogisticNormal({_LOC}, {_SCALE})",
    "LowRankMultivariateNormal": (
        f"d.LowRankMultivariateNormal({_LOC}, t([[1.], [.5], [-2.]]), {_SCALE})"
    ),
    "MixtureSameFamily": f"d.MixtureSameFamily(d.Categorical({_PROBS}), d.Normal({_LOC}, {_SCALE}))",
    "Multinomial": f"d.Multinomial(9, {_PROBS})",
    "MultivariateNormal": f"d.MultivariateNormal(t([1., 2.]), scale_tril={_MATRIX})",
    "NegativeBinomial": f"d.NegativeBinomial({_SCALE}, {_PROBS})",
    "Normal": f"d.Normal({_LOC}, {_SCALE})",
    "OneHotCategorical": f"d.OneHotCategorical({_PROBS})",
    "Pareto": f"d.Pareto({_SCALE}, {_SHAPE} + 1)",
    "Poisson": "d.Poisson(t([0., .7, 40.]))",
    "RelaxedBernoulli": f"d.RelaxedBernoulli(t(.7), {_PROBS})",
    "RelaxedOneHotCategorical": f"d.RelaxedOneHotCategorical(t(.7), {_PROBS})",
    "StudentT": f"d.StudentT({_SHAPE}, {_LOC}, {_SCALE})",
    "TransformedDistribution": (
        f"d.TransformedDistribution(d.Normal({_LOC}, {_SCALE}), "
        "[d.AffineTransform(1., -.5), d.SigmoidTransform()])"
    ),
    "Uniform": f"d.Uniform({_LOC}, {_LOC} + {_SCALE})",
    "VonMises": f"d.VonMises({_LOC}, t([1e-6, 2., 50.]))",
    "Wishart": "d.Wishart(t([3., 7.5]), scale_tril=t([[1., 0.], [.6, .8]]))",
    "Weibull": f"d.Weibull({_SCALE}, {_SHAPE} + .5)",
}


def draw(torch, text):
    """repr, samples of shape (2, 3) and (), and the log probability of the first, in float64."""
    torch.set_default_dtype(torch.float64)
    distribution = eval(text, {"d": torch.distributions, "t": torch.tensor})
    torch.manual_seed(2013)
    sample, single = distribution.sample((2, 3)), distribution.sample()
    return {
        "repr": repr(distribution),
        "dtype": str(sample.dtype).removeprefix("torch."),
        "sample": sample.tolist(),
        "single": single.tolist(),
        "log_prob": distribution.log_prob(sample).tolist(),
    }
