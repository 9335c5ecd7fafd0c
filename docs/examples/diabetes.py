"""The progress of diabetes: ridge regression, nonnegative weights, and a robust fit.

Only the typed objective changes.
"""

from sklearn.datasets import load_diabetes

import matcalc as mc


def main() -> None:
    x, y = load_diabetes(return_X_y=True)
    data = {"X": x / x.std(0), "y": (y - y.mean()) / y.std(), "c": 1.0}
    ridge = mc.minimize(
        "norm2(X*w - y)^2 + c*w'*w", "w", data, shapes="c: scalar", method="Newton-CG"
    )
    print(f"ridge        {ridge['w'].round(2)}  in {ridge.steps} steps")
    positive = mc.minimize(
        "norm2(X*w - y)^2 + c*w'*w", "w", data, shapes="c: scalar", bounds={"w": (0, None)}
    )
    print(f"w ≥ 0        {positive['w'].round(2)}")
    robust = mc.minimize(
        "sum(sqrt(ones(m) + (X*w - y).^2)) + c*w'*w", "w", data, shapes="X: m×n; c: scalar"
    )
    print(f"pseudo-Huber {robust['w'].round(2)}")


if __name__ == "__main__":
    main()
