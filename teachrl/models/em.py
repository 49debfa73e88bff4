"""Expectation maximisation for mixtures of Gaussians, compiled (Dempster, Laird and Rubin, 1977).

Same start, constants and stopping rule as scikit-learn's ``GaussianMixture`` with full covariances.
All is spelled out in loops, because that compiles several times faster than array expressions.
"""

import numpy as np
from numpy.typing import NDArray

from teachrl.compiling import compiled

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Parameters = tuple[Array, Array, Array]  # weights (k,), means (k, d), covariances (k, d, d)

_RIDGE = 1e-6  # added to variances, so that Gaussians of a few points keep a volume
_TOLERANCE = 1e-3  # an iteration that gains less in mean log-likelihood is the last
_ITERATIONS = 100
_K_MEANS_ITERATIONS = 300
_EPSILON = float(np.finfo(np.float64).eps)
_LOG_2_PI = float(np.log(2 * np.pi))


@compiled
def fit(points: Array, draws: Array) -> Parameters:
    """Fit Gaussians to points (n, d).

    They start at the clusters of k-means, and that at centres chosen by uniform ``draws``: one row
    per Gaussian, one column per candidate.
    """
    (n, d), k = points.shape, len(draws)
    means = _spread_out(points, draws)
    labels = _k_means(points, means)
    shares = np.zeros((n, k))
    for i in range(n):
        shares[i, labels[i]] = 1.0
    parameters = np.zeros(k), means, np.zeros((k, d, d))
    _maximise(points, shares, parameters)
    iterate(points, parameters)
    return parameters


@compiled
def iterate(points: Array, parameters: Parameters) -> None:
    """Alternate both steps, changing the parameters in place, until the likelihood stops rising."""
    shares, densities = np.empty((len(points), len(parameters[0]))), np.empty(len(points))
    before = -np.inf
    for _ in range(_ITERATIONS):
        likelihood = expect(points, parameters, shares, densities)
        _maximise(points, shares, parameters)
        if abs(likelihood - before) < _TOLERANCE:
            break
        before = likelihood


@compiled
def expect(points: Array, parameters: Parameters, shares: Array, densities: Array) -> float:
    """Fill in each point's share in each Gaussian (n, k) and log-density (n,); return its mean."""
    weights, means, covariances = parameters
    for c in range(len(weights)):
        _log_density(points, means[c], covariances[c], shares[:, c])
    total = 0.0
    for i in range(len(points)):
        mine, top, rest = shares[i], -np.inf, 0.0
        for c in range(len(weights)):
            mine[c] += np.log(weights[c])
            top = max(top, mine[c])
        for c in range(len(weights)):  # relative to the largest: the sum could underflow otherwise
            mine[c] = np.exp(mine[c] - top)
            rest += mine[c]
        for c in range(len(weights)):
            mine[c] /= rest
        densities[i] = top + np.log(rest)
        total += densities[i]
    return total / len(points)


@compiled
def factorise(covariance: Array) -> Array:
    """Return the lower Cholesky factor.

    A pivot below its own rounding error is raised to it: the covariance of points on a line, far
    from zero, would have no factor otherwise.
    """
    d = len(covariance)
    factor = np.zeros((d, d))
    for j in range(d):
        for m in range(j + 1):
            rest = covariance[j, m]
            for i in range(m):
                rest -= factor[j, i] * factor[m, i]
            if m < j:
                factor[j, m] = rest / factor[m, m]
            else:
                factor[j, j] = np.sqrt(max(rest, d * _EPSILON * covariance[j, j]))
    return factor


@compiled
def _log_density(points: Array, mean: Array, covariance: Array, densities: Array) -> None:
    """Fill in the log-density of one Gaussian at each point."""
    d = len(mean)
    factor, z = factorise(covariance), np.empty(d)
    constant = -0.5 * d * _LOG_2_PI
    for j in range(d):
        constant -= np.log(factor[j, j])
    for i in range(len(points)):
        distance = 0.0
        for j in range(d):
            z[j] = points[i, j] - mean[j]
            for m in range(j):
                z[j] -= factor[j, m] * z[m]
            z[j] /= factor[j, j]
            distance += z[j] ** 2
        densities[i] = constant - 0.5 * distance


@compiled
def _maximise(points: Array, shares: Array, parameters: Parameters) -> None:
    """Set the parameters to what is likeliest, in place.

    A Gaussian without any points stays where it is and takes the least volume.
    """
    weights, means, covariances = parameters
    (n, d), k = points.shape, len(weights)
    for c in range(k):
        mass = 0.0
        for i in range(n):
            mass += shares[i, c]
        weights[c] = max(mass, _EPSILON) / n
        covariances[c] = 0.0
        if mass > _EPSILON:
            _move(points, shares[:, c] / mass, means[c], covariances[c])
        for j in range(d):
            covariances[c, j, j] += _RIDGE


@compiled
def _move(points: Array, weights: Array, mean: Array, covariance: Array) -> None:
    """Fill in the weighted mean of points, and their covariance around it."""
    n, d = points.shape
    mean[:] = 0.0
    for i in range(n):
        for j in range(d):
            mean[j] += weights[i] * points[i, j]
    for i in range(n):
        for j in range(d):
            pull = weights[i] * (points[i, j] - mean[j])
            for m in range(d):
                covariance[j, m] += pull * (points[i, m] - mean[m])


@compiled
def _spread_out(points: Array, draws: Array) -> Array:
    """Choose centres by greedy k-means++ (Arthur and Vassilvitskii, 2007); one per row of draws."""
    n, k = len(points), len(draws)
    centres, nearest = np.empty((k, points.shape[1])), np.full(n, np.inf)
    for c in range(k):
        best, lowest = 0, np.inf
        for draw in draws[c] if c else draws[c, :1]:
            candidate = _at_share(nearest, draw) if c else int(draw * n)
            cost = 0.0
            for i in range(n):
                cost += min(nearest[i], _squared_distance(points[i], points[candidate]))
            if cost < lowest:
                best, lowest = candidate, cost
        _copy(points[best], centres[c])
        for i in range(n):
            nearest[i] = min(nearest[i], _squared_distance(points[i], centres[c]))
    return centres


@compiled
def _copy(source: Array, target: Array) -> None:
    for j in range(len(source)):  # an assignment of whole arrays takes seconds to compile
        target[j] = source[j]


@compiled
def _at_share(masses: Array, share: float) -> int:
    """Return where the running sum of ``masses`` passes a share of the whole."""
    total, running = 0.0, 0.0
    for mass in masses:
        total += mass
    for i in range(len(masses)):
        running += masses[i]
        if running > share * total:
            return i
    return len(masses) - 1


@compiled
def _squared_distance(a: Array, b: Array) -> float:
    total = 0.0
    for j in range(len(a)):
        total += (a[j] - b[j]) ** 2
    return total


@compiled
def _k_means(points: Array, centres: Array) -> Labels:
    """Move the centres, in place, to the middle of the points nearest to them; label the points."""
    labels, distances = np.full(len(points), -1), np.empty(len(points))
    for _ in range(_K_MEANS_ITERATIONS):
        if not _assign(points, centres, labels, distances):
            break
        counts = np.zeros(len(centres))
        centres[:] = 0.0
        for i in range(len(points)):
            counts[labels[i]] += 1
            for j in range(points.shape[1]):
                centres[labels[i], j] += points[i, j]
        for c in range(len(centres)):
            if counts[c]:
                for j in range(points.shape[1]):
                    centres[c, j] /= counts[c]
            else:  # an empty cluster moves to the point that is served worst
                worst = np.argmax(distances)
                _copy(points[worst], centres[c])
                distances[worst] = 0.0
    return labels


@compiled
def _assign(points: Array, centres: Array, labels: Labels, distances: Array) -> bool:
    """Give each point the label of the nearest centre; return whether any label changed."""
    changed = False
    for i in range(len(points)):
        label, distances[i] = 0, np.inf
        for c in range(len(centres)):
            distance = _squared_distance(points[i], centres[c])
            if distance < distances[i]:
                label, distances[i] = c, distance
        changed |= label != labels[i]
        labels[i] = label
    return changed
