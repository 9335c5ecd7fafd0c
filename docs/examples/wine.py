"""Three sorts of wine by logistic regression with a ridge: a typed objective, its derived
gradient and curvature, four methods.
"""

import numpy as np
from sklearn.datasets import load_wine

import matcalc as mc


def main() -> None:
    x, y = load_wine(return_X_y=True)
    data = {"X": (x - x.mean(0)) / x.std(0), "Y": np.eye(3)[y]}
    objective = "sum(logsumexp_rows(X*W + ones(m)*b')) - sum(Y.*(X*W + ones(m)*b')) + norm2(W)^2/2"
    shapes = "X: m×n; W: n×k; b: k; Y: m×k"
    print(mc.derive(objective, ["W", "b"], shapes))
    for method in ("gradient-descent", "CG", "L-BFGS", "Newton-CG"):
        found = mc.minimize(
            objective,
            ["W", "b"],
            data,
            shapes=shapes,
            method=method,
            rate=0.005,
            max_steps=5000,
            tolerance=1e-6,
        )
        classes = (data["X"] @ found["W"] + found["b"]).argmax(1)
        print(
            f"{method:<17} {found.value:.8f} after {found.steps:>4} steps, "
            f"{(classes == y).mean():.1%} of the wines"
        )


if __name__ == "__main__":
    main()
