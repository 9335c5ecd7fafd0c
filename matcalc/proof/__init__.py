"""Never show an answer unchecked: exactly modulo a prime, and numerically."""
