"""The rewrite rules, as strings in matcalc's own language: left, right, and the shapes of the
letters.
"""

from __future__ import annotations

# left, right, shapes of the letters. Kinks: a rule holds at the conventional value of the function
# there, too.
ROWS: tuple[tuple[str, str, str], ...] = (
    # inverses and determinants
    ("inv(inv(A))", "A", "A: n×n"),
    ("inv(eye(n))", "eye(n)", ""),
    ("inv(diag(x))", "diag(1./x)", "x: n"),
    ("Q'*Q", "eye(n)", "Q: n×n orthogonal"),
    ("Q*Q'", "eye(n)", "Q: n×n orthogonal"),
    ("inv(Q)", "Q'", "Q: n×n orthogonal"),
    ("inv(X'*X)*X'", "pinv(X)", "X: m×n"),
    ("X*inv(X'*X)", "pinv(X)'", "X: m×n"),
    ("X'*inv(X*X')", "pinv(X)", "X: m×n"),
    ("inv(X*X')*X", "pinv(X)'", "X: m×n"),
    ("det(inv(A))", "1/det(A)", "A: n×n"),
    ("log(det(A))", "logdet(A)", "A: n×n"),
    ("logdet(inv(A))", "-logdet(A)", "A: n×n"),
    ("det(eye(n))", "1", ""),
    ("logdet(eye(n))", "0", ""),
    ("expm_frechet(A,eye(n))", "expm(A)", "A: n×n"),
    ("logm_frechet(A,eye(n))", "inv(A)", "A: n×n"),
    # matrix functions
    ("logm(expm(S))", "S", "S: n×n symmetric"),
    ("sqrtm(A)*sqrtm(A)", "A", "A: n×n"),
    ("chol(S)*chol(S)'", "S", "S: n×n spd"),
    ("inv(chol(S))'*inv(chol(S))", "inv(S)", "S: n×n spd"),
    ("tril(chol(S))", "chol(S)", "S: n×n spd"),
    # functions of eigenvalues, whose derivatives are those of matrices where eigenvalues meet
    ("eigvecs(S)*diag(eigvals(S))*eigvecs(S)'", "S", "S: n×n symmetric"),
    ("eigvecs(S)*diag(exp(eigvals(S)))*eigvecs(S)'", "expm(S)", "S: n×n symmetric"),
    ("eigvecs(S)*diag(log(eigvals(S)))*eigvecs(S)'", "logm(S)", "S: n×n spd"),
    ("eigvecs(S)*diag(eigvals(S).^(1/2))*eigvecs(S)'", "sqrtm(S)", "S: n×n spd"),
    ("eigvecs(S)*diag(1./eigvals(S))*eigvecs(S)'", "inv(S)", "S: n×n symmetric"),
    ("eigvecs(S)*diag(eigvals(S).^2)*eigvecs(S)'", "S*S", "S: n×n symmetric"),
    ("eigvecs(S)*eigvecs(S)'", "eye(n)", "S: n×n symmetric"),
    ("sum(eigvals(S))", "tr(S)", "S: n×n symmetric"),
    # cross products
    ("skew(x)'", "-skew(x)", "x: 3"),
    ("skew(x)*y", "cross(x,y)", "x: 3; y: 3"),
    ("unskew(x*y')", "cross(y,x)", "x: 3; y: 3"),
    ("unskew(skew(x))", "2*x", "x: 3"),
    ("cross(x,x)", "zeros(3)", "x: 3"),
    # convolution
    ("convmat(x,y)*z", "conv(x,z)", "x: n; y: m; z: m"),
    ("convmat(x,y)'*z", "corr(z,x)", "x: n; y: m; z: n+m-1"),
    ("hankel(x,y)*z", "corr(x,z)", "x: n+m-1; y: m; z: m"),
    ("hankel(x,y)'*z", "corr(x,z)", "x: n+m-1; y: m; z: n"),
    # logarithms, exponentials and their quotients
    ("log(exp(X))", "X", "X: m×n"),
    ("log(exp(a))", "a", "a: scalar"),
    ("exp(log(X))", "X", "X: m×n positive"),
    ("exp(log(a))", "a", "a: scalar positive"),
    ("sinh(X)./cosh(X)", "tanh(X)", "X: m×n"),
    ("sinh(a)/cosh(a)", "tanh(a)", "a: scalar"),
    ("(exp(X)-exp(-X))./(exp(X)+exp(-X))", "tanh(X)", "X: m×n"),
    ("(exp(a)-exp(-a))/(exp(a)+exp(-a))", "tanh(a)", "a: scalar"),
    ("log(cosh(X))", "logcosh(X)", "X: m×n"),
    ("log(cosh(a))", "logcosh(a)", "a: scalar"),
    ("exp(X)./(1+exp(X))", "sigmoid(X)", "X: m×n"),
    ("exp(a)/(1+exp(a))", "sigmoid(a)", "a: scalar"),
    ("1./(1+exp(-X))", "sigmoid(X)", "X: m×n"),
    ("1/(1+exp(-a))", "sigmoid(a)", "a: scalar"),
    ("exp(-X).*sigmoid(X)", "sigmoid(-X)", "X: m×n"),
    ("exp(-a)*sigmoid(a)", "sigmoid(-a)", "a: scalar"),
    ("log(1+exp(X))", "softplus(X)", "X: m×n"),
    ("log(1+exp(a))", "softplus(a)", "a: scalar"),
    ("exp(x)/sum(exp(x))", "softmax(x)", "x: n"),
    ("A*exp(x)/sum(exp(x))", "A*softmax(x)", "A: m×n; x: n"),
    ("log(sum(exp(x)))", "logsumexp(x)", "x: n"),
    ("log(softmax(x))", "logsoftmax(x)", "x: n"),
    ("sum(softmax(x))", "1", "x: n"),
    ("exp(X)./(exp(X)*ones(n,n))", "softmax_rows(X)", "X: m×n"),
    ("diag(1./(exp(X)*ones(n)))*exp(X)", "softmax_rows(X)", "X: m×n"),
    ("log(exp(X)*ones(n))", "logsumexp_rows(X)", "X: m×n"),
    ("log(softmax_rows(X))", "logsoftmax_rows(X)", "X: m×n"),
    # kinks
    ("relu(X).*step(X)", "relu(X)", "X: m×n"),
    ("relu(a)*step(a)", "relu(a)", "a: scalar"),
    ("step(X).^2", "step(X)", "X: m×n"),
    ("abs(X).*sign(X)", "X", "X: m×n"),
    ("abs(a)*sign(a)", "a", "a: scalar"),
    ("abs(X).^2", "X.^2", "X: m×n"),
    ("abs(a)^2", "a^2", "a: scalar"),
    # norms
    ("sum(X.^2)", "norm2(X)^2", "X: m×n"),
    # declared structure
    ("sum(y)", "1", "y: n simplex"),
    ("Y*ones(n)", "ones(m)", "Y: m×n onehot"),
)  # fmt: skip
