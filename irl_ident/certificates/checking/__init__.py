"""The checker of certificates: exact arithmetic, Python's standard library, and nothing of what finds the proofs.

What it reads, and what it believes, is docs/certificate_format.md.  :func:`check` never raises on a file;
``python -m irl_ident.certificates.checking FILE...`` prints a line for each.
"""

from irl_ident.certificates.checking.reading import seal
from irl_ident.certificates.checking.verdict import Verdict, check

__all__ = ["Verdict", "check", "seal"]
