"""Least squares without a library: a handful of columns, some hundreds of rows."""

import dataclasses
import itertools
import math

TINY = 1e-9  # of a standardised column's own variance: what is less is another columns' combination


def solve(matrix, vector):
    """The solution of a symmetric system. A column that depends on those before gets 0."""
    size = len(vector)
    rows = [list(row) + [value] for row, value in zip(matrix, vector)]
    pivots = {}
    for column in range(size):
        free = [index for index in range(size) if index not in pivots.values()]
        best = max(free, key=lambda index: abs(rows[index][column]))
        if abs(rows[best][column]) < TINY:
            continue
        pivots[column] = best
        for index in range(size):
            if index != best and rows[index][column]:
                share = rows[index][column] / rows[best][column]
                rows[index] = [ours - share * theirs for ours, theirs in zip(rows[index], rows[best])]
    return [rows[pivots[column]][size] / rows[pivots[column]][column] if column in pivots else 0.0 for column in range(size)]


def _standard(column):
    """Centred, of length 1; None when it does not vary."""
    mean = sum(column) / len(column)
    centred = [value - mean for value in column]
    length = math.sqrt(sum(value * value for value in centred))
    return [value / length for value in centred] if length > TINY * (abs(mean) + 1) else None


def _dot(one, other):
    return sum(map(lambda a, b: a * b, one, other))


class Explained:
    """How much of the variance of `values` each subset of the factors explains. `factors`: name → column."""

    def __init__(self, factors, values):
        self.rows = len(values)
        columns = {name: _standard(column) for name, column in factors.items()}
        self.names = [name for name, column in columns.items() if column]
        found = _standard(values)
        self._with = {name: _dot(columns[name], found) if found else 0.0 for name in self.names}
        self._among = {(one, other): _dot(columns[one], columns[other]) for one in self.names for other in self.names}

    def r2(self, names=None):
        """Of the linear model of these factors (default: of all)."""
        names = self.names if names is None else [name for name in self.names if name in names]
        weights = solve([[self._among[one, other] for other in names] for one in names], [self._with[name] for name in names])
        return min(1.0, max(0.0, sum(weight * self._with[name] for weight, name in zip(weights, names))))

    def shares(self):
        """Factor → its share of R²: what it adds, averaged over every order in which factors can be added (Lindeman, Merenda
        and Gold 1980). They sum up to r2(), however the factors depend on each other."""
        count, found = len(self.names), {}
        known = {}
        for size in range(count + 1):
            for names in itertools.combinations(self.names, size):
                known[frozenset(names)] = self.r2(names)
        for name in self.names:
            others = [other for other in self.names if other != name]
            found[name] = sum(
                math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count)
                * (known[frozenset(names) | {name}] - known[frozenset(names)])
                for size in range(count) for names in itertools.combinations(others, size))
        return found


@dataclasses.dataclass(frozen=True)
class Fit:
    constant: float
    slopes: dict  # factor → per unit
    r2: float


def fit_growing(factors, values):
    """Least squares whose slopes are not negative, since no pull gets faster by more bytes, files or layers: the best of the
    fits over all subsets of the factors that have none below 0."""
    names, count = list(factors), len(values)
    centred = {}
    for name, column in {**factors, None: values}.items():
        mean = sum(column) / count
        centred[name] = (mean, [value - mean for value in column])
    mean, target = centred[None]
    total = _dot(target, target)
    scale = {name: math.sqrt(_dot(centred[name][1], centred[name][1])) for name in names}
    usable = [name for name in names if scale[name] > TINY]
    best = (total, {})
    for size in range(1, len(usable) + 1):
        for some in itertools.combinations(usable, size):
            matrix = [[_dot(centred[a][1], centred[b][1]) / scale[a] / scale[b] for b in some] for a in some]
            weights = solve(matrix, [_dot(centred[name][1], target) / scale[name] for name in some])
            slopes = {name: weight / scale[name] for name, weight in zip(some, weights)}
            if min(slopes.values()) < 0:
                continue
            left = sum((value - sum(slope * centred[name][1][row] for name, slope in slopes.items())) ** 2
                       for row, value in enumerate(target))
            if left < best[0] - TINY * total:
                best = (left, slopes)
    left, slopes = best
    return Fit(mean - sum(slope * centred[name][0] for name, slope in slopes.items()),
               {name: slopes.get(name, 0.0) for name in names}, 1 - left / total if total else 0.0)
