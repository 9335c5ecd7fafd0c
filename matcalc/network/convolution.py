"""Convolution in the frequency domain: the products of the derived formulas, evaluated by Fourier
transforms.

Nothing is derived anew. The formulas of :class:`Conv2d` contain three products of windows, kernel
and cotangent; each of them is a correlation or a convolution of images, so each is a product of
spectra (the correlation theorem). The products are looked up by their derived text: a formula that
is not in the table would be an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import numpy as np

from ..codegen import compile_expr
from ..errors import OptionProblem, check_real, text_of, whole_number
from ..expr import matmul, var
from ..expr.rebuild import rebuild
from .layer import Layer
from .maps import Array, Im2col
from .runtime.numpy import padded


def _transforms() -> Any:
    """scipy.fft, which keeps single precision and is faster, or else numpy.fft."""
    try:
        return import_module("scipy.fft")
    except ImportError:
        return np.fft


class Spectra:
    """The images of one layer, as spectra at a size that holds the padded image."""

    def __init__(self, x: Array, kernel: tuple[int, int], stride: int, padding: int) -> None:
        self.fft = _transforms()
        self.kernel, self.stride, self.padding, self.shape = kernel, stride, padding, x.shape
        x = padded(x, padding)
        self.height, self.width = x.shape[1:3]
        length = getattr(self.fft, "next_fast_len", lambda n, real: n)
        self.size = (length(self.height, True), length(self.width, True))
        self.x = self.spectrum(x.transpose(0, 3, 1, 2)).transpose(2, 3, 0, 1)

    def spectrum(self, a: Array) -> Array:
        return self.fft.rfft2(a, self.size)

    def image(self, a: Array) -> Array:
        """The image of a spectrum whose first two axes are frequencies."""
        return self.fft.irfft2(a.transpose(2, 3, 0, 1), self.size)

    def of_kernel(self, k: Array, channels: int) -> Array:
        return self.spectrum(k.reshape(*self.kernel, channels, -1).transpose(2, 3, 0, 1)).transpose(
            2, 3, 0, 1
        )

    def of_cotangent(self, g: Array) -> Array:
        """The cotangent on the grid of the image: zeros between the strides."""
        wide = np.zeros((g.shape[0], g.shape[3], self.height, self.width), g.dtype)
        s = self.stride
        wide[:, :, : s * g.shape[1] : s, : s * g.shape[2] : s] = g.transpose(0, 3, 1, 2)
        return self.spectrum(wide).transpose(2, 3, 0, 1)


def correlation(at: Spectra, k: Array) -> Array:
    """P*K: each window times the kernel."""
    out = at.image(at.x @ at.of_kernel(k, at.shape[3]).conj())
    rows, columns = at.height - at.kernel[0] + 1, at.width - at.kernel[1] + 1
    return out[:, :, : rows : at.stride, : columns : at.stride].transpose(0, 2, 3, 1)


def kernel_gradient(at: Spectra, g: Array) -> Array:
    """P'*G: the image correlated with the cotangent, as far as the kernel reaches."""
    found = at.image(at.x.swapaxes(2, 3) @ at.of_cotangent(g).conj())[
        :, :, : at.kernel[0], : at.kernel[1]
    ]
    return found.transpose(2, 3, 0, 1).reshape(-1, g.shape[3])


def image_gradient(at: Spectra, g: Array, k: Array) -> Array:
    """col2im(G*K'): the cotangent convolved with the kernel."""
    found = at.image(at.of_cotangent(g) @ at.of_kernel(k, at.shape[3]).swapaxes(2, 3)).transpose(
        0, 2, 3, 1
    )
    p = at.padding
    return found[:, p : p + at.shape[1], p : p + at.shape[2]]


PRODUCTS: dict[str, Callable[..., Array]] = {
    "P*K": correlation,
    "P'*G": kernel_gradient,
    "G*K'": image_gradient,
}


METHODS = ("im2col", "fft")


class Conv2d(Layer):
    """A convolution of images with kernels: P*K + b', where the rows of P are the windows (im2col).

    Arguments:

    * ``inputs``, ``outputs``: the numbers of channels in and out.
    * ``kernel``: the side of a window, or its height and width.
    * ``stride``, ``padding``: the step between windows, and the zeros around an image.
    * ``seed``, ``start``: as those of :class:`Layer`; K is (kernel rows · kernel columns ·
      inputs)×outputs.
    * ``method``: ``"im2col"``, or ``"fft"``, which evaluates the same three products in the
      frequency domain.

    Images are (samples, height, width, channels). Raises TypeError or OptionProblem for a number or
    a method that there is not, ShapeProblem for images smaller than a window.

    >>> layer = Conv2d(1, 4, kernel=3)
    >>> layer.propagate(np.zeros((2, 8, 8, 1))).shape
    (2, 6, 6, 4)
    >>> print(layer.derivations["K"], layer.derivations["P"], sep="   ")
    P'*G   G*K'
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int | tuple[int, int] = 3,
        stride: int = 1,
        padding: int = 0,
        seed: int | None = None,
        start: Mapping[str, Any] | None = None,
        method: str = "im2col",
    ) -> None:
        if text_of(method, "method") not in METHODS:
            raise OptionProblem(f"unknown method '{method[:40]}'", f"choose {' or '.join(METHODS)}")
        columns = Im2col(kernel, stride, padding)
        window = columns.kernel[0] * columns.kernel[1]
        sizes = {
            "n": window * whole_number(inputs, "inputs", 1),
            "k": whole_number(outputs, "outputs", 1),
        }
        super().__init__(
            "P*K + b'",
            shapes="P: m×n; K: n×k; b: k",
            maps={"P": columns},
            sizes=sizes,
            seed=seed,
            start=start,
        )
        self.columns, self.inputs, self.outputs, self.method = columns, inputs, outputs, method
        self._in_frequencies = FourierPasses(self) if method == "fft" else None

    def propagate(self, x: Array = None) -> Array:
        if self._in_frequencies is None:
            return super().propagate(x)
        self.input = x = self.input if x is None else np.asarray(x)
        check_real("the input", x)
        self.columns.fitting(x)
        self.output = self._in_frequencies.forward(x)
        return self.output

    def backpropagate(self, output_diff: Array = None, wanted: bool = True) -> Array:
        if self._in_frequencies is None:
            return super().backpropagate(output_diff, wanted)
        self.output_diff = g = self.output_diff if output_diff is None else output_diff
        self.gradients, self.input_diff = self._in_frequencies.backward(g, wanted)
        return self.input_diff


class FourierPasses:
    """Both passes of a convolution, with the products of its derived formulas evaluated in the
    frequency domain.
    """

    def __init__(self, layer: Conv2d) -> None:
        self.layer = layer
        product = matmul(*(v for n in "PK" for v in layer.variables() if v.name == n))
        self._product = PRODUCTS[str(product)]
        self._by_kernel = PRODUCTS[str(layer.derivations["K"].gradient)]
        self._by_windows = PRODUCTS[str(layer.derivations["P"].gradient)]
        value = layer.rule.value
        rest = rebuild(
            value, tuple(var("C", product.shape_) if a is product else a for a in value.args)
        )
        self._rest = compile_expr(rest, "numpy", "forward")

    def forward(self, x: Array) -> Array:
        """The output for the images ``x``, whose spectra are kept for the backward pass."""
        c, parameters = self.layer.columns, self.layer.parameters
        self._at = Spectra(x, c.kernel, c.stride, c.padding)
        product = self._product(self._at, parameters["K"])
        values = {"C": product.reshape(-1, product.shape[3]), "b": parameters["b"]}
        output: Array = self._rest.raw(*[values[n] for n in self._rest.parameters])
        return output.reshape(product.shape)

    def backward(self, g: Array, wanted: bool) -> tuple[dict[str, Array], Array]:
        """The gradients by the parameters and, if it is ``wanted``, that by the images."""
        (by_bias,) = self.layer.rule.backward(("b",)).raw(g.reshape(-1, g.shape[3]))
        gradients = {"K": self._by_kernel(self._at, g), "b": by_bias}
        by_images = self._by_windows(self._at, g, self.layer.parameters["K"]) if wanted else None
        return gradients, by_images
