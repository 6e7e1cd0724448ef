"""Fits the polynomials of native/kernels/target/math.h (needs mpmath).

Each is the minimax polynomial in relative error, by Remez's exchange, of the part of a function that is left once its
leading terms are taken out exactly; coefficients are printed rounded to f32, lowest first. Run it to see where the numbers
come from or to change a degree.
"""
from mpmath import mp, mpf, exp, expm1, log, log1p, tanh, erf, erfc, sin, cos, sqrt, pi, cos as mcos, matrix, lu_solve
import struct

mp.prec = 200


def remez(target, weight, low, high, degree, rounds=12, grid=1500):
    """Coefficients c of sum c[k] x^k that minimise max |weight(x) * (target(x) - p(x))| on [low, high]."""
    low, high = mpf(low), mpf(high)
    n = degree + 2
    nodes = [(low + high) / 2 - (high - low) / 2 * mcos(pi * i / (n - 1)) for i in range(n)]
    points = [low + (high - low) * (1 - mcos(pi * mpf(i) / grid)) / 2 for i in range(grid + 1)]
    for _ in range(rounds):
        system, right = matrix(n, n), matrix(n, 1)
        for i, x in enumerate(nodes):
            for k in range(degree + 1):
                system[i, k] = x**k
            system[i, degree + 1] = (-1) ** i / weight(x)
            right[i] = target(x)
        solution = lu_solve(system, right)
        c = [solution[k] for k in range(degree + 1)]
        error = lambda x: weight(x) * (target(x) - mp.polyval(c[::-1], x))
        values = [error(x) for x in points]
        # One extremum from each run of equal sign.
        runs, best = [], None
        for x, v in zip(points, values):
            if best is not None and (v > 0) != (best[1] > 0):
                runs.append(best)
                best = None
            if best is None or abs(v) > abs(best[1]):
                best = (x, v)
        runs.append(best)
        while len(runs) > n:
            runs.pop(0 if abs(runs[0][1]) < abs(runs[-1][1]) else -1)
        if len(runs) < n:
            break
        nodes = [x for x, _ in runs]
    return c, max(abs(v) for v in values)


def f32(value):
    return struct.unpack('f', struct.pack('f', float(value)))[0]


def show(name, result):
    c, error = result
    print(f'{name}: error {float(error):.2e}')
    print('  {' + ', '.join(f'{f32(v):.9g}f' for v in c) + '}')


half = log(2) / 2
tiny = mpf(10) ** -30


def off_zero(f, at_zero):
    return lambda x: f(x) if abs(x) > mpf(10) ** -20 else mpf(at_zero)


# exp(r) = 1 + r + r^2 P(r)
show('exp, degree 6', remez(off_zero(lambda r: (exp(r) - 1 - r) / r**2, 0.5), lambda r: r**2 / exp(r) + tiny, -half, half, 4))
show('exp, degree 5', remez(off_zero(lambda r: (exp(r) - 1 - r) / r**2, 0.5), lambda r: r**2 / exp(r) + tiny, -half, half, 3))
# expm1(r) = r + r^2 P(r), relative to expm1
show('expm1', remez(off_zero(lambda r: (expm1(r) - r) / r**2, 0.5), off_zero(lambda r: r**2 / abs(expm1(r)), tiny), -half, half, 5))
# log(1 + f) = f - f^2/2 + f^3 P(f)
show('log', remez(off_zero(lambda f: (log1p(f) - f + f**2 / 2) / f**3, mpf(1) / 3), off_zero(lambda f: abs(f**3 / log1p(f)), tiny),
                  sqrt(mpf(1) / 2) - 1, sqrt(mpf(2)) - 1, 7))
# tanh(x) = x + x^3 P(x^2) for |x| < 0.625
show('tanh', remez(lambda s: off_zero(lambda x: (tanh(x) - x) / x**3, -mpf(1) / 3)(sqrt(s)), lambda s: s * sqrt(s) / tanh(sqrt(s)) if s > 0 else tiny,
                   0, mpf('0.625')**2, 4))
# erf(x) = x + x P(x^2) for |x| < 0.95
show('erf, inner', remez(lambda s: erf(sqrt(s)) / sqrt(s) - 1 if s > tiny else 2 / sqrt(pi) - 1, lambda s: sqrt(s) / erf(sqrt(s)) if s > tiny else sqrt(pi) / 2,
                         0, mpf('0.95')**2, 6))
# erf(x) = 1 - exp(R(x)) for 0.95 <= x <= 4
show('erf, outer', remez(lambda x: log(erfc(x)), lambda x: erfc(x) / erf(x), mpf('0.95'), mpf(4), 7))
# sin(r) = r + r^3 P(r^2), cos(r) = 1 - r^2/2 + r^4 P(r^2) for |r| <= pi/4
show('sin', remez(lambda s: off_zero(lambda r: (sin(r) - r) / r**3, -mpf(1) / 6)(sqrt(s)), lambda s: s * sqrt(s) / sin(sqrt(s)) if s > 0 else tiny, 0, (pi / 4)**2, 3))
show('cos', remez(lambda s: off_zero(lambda r: (cos(r) - 1 + r**2 / 2) / r**4, mpf(1) / 24)(sqrt(s)), lambda s: s**2 / cos(sqrt(s)) + tiny, 0, (pi / 4)**2, 2))
# 2^f = 1 + f P(f) for |f| <= 1/2
show('exp2, degree 5', remez(off_zero(lambda f: (mpf(2)**f - 1) / f, log(2)), lambda f: abs(f) / mpf(2)**f + tiny, -mpf(1) / 2, mpf(1) / 2, 4))
