"""The scores that the trial's tiny models must have, which no llama.cpp has computed.

Made by ``tests/support/tiny_reference.py`` with numpy in float64; the tests make them anew.
"""

from __future__ import annotations

# Tokens that are read: first many at once, the last ones one by one.
TOKENS = (
    8, 8, 51, 31, 37, 38, 45, 1, 31, 9, 25, 59, 35, 4, 34, 8, 48, 60, 62, 39, 55, 23,
    9, 32, 28, 42, 63, 17, 54, 8, 22, 50, 15, 42, 29, 32, 60, 52, 53, 35, 62, 62, 8, 13,
)  # fmt: skip
STEP = 1 / 30  # what one in a byte is worth

# Type -> base64 of a signed byte for each token: ``trial.signature`` of its scores.
REFERENCE: dict[str, str] = {
    "F32": "2dnx69/u7/XI6dbs4Pf+6O4G9gIB5QPaFtEQMf0J+Rrr8wkECAzi5QD6/fc=",
    "F16": "mproDMnLyP0S0c3ozu/16u/P4uXDvuPt5uHUxd7Z6NPP7dML1AbFIdzW1sc=",
    "BF16": "JydCFBITDRjzDTQCHRojNzEtHiAvOiJICTMOGTIuDBkxHhsYMx8kGfX7Mjs=",
    "Q4_0": "PT017Qf2CxgV29sn9ePl/NLa4Afb18jt6N/e09Do5vjk+dT82Nvu7L274eU=",
    "Q4_1": "4eHsyt6+5wjGEwD06+r/zecz2gsPvfPaFOX1wfPVxbgg6OII+PHkwd/Z0tc=",
    "Q5_0": "u7u60tLY4PrpGA3n+9ztBujZutjSAfu5EO+0zwvJ7rAT4P7R+w7rFMDH+u4=",
    "Q5_1": "AwMr+xn7GAkDICr0HQgzJwz2KCA0KxNO5BXq7iEO/RX9ExIP6yQOEwAJCPk=",
    "Q8_0": "qKjK9PzE5uQE+9/Dt/POuNANnLcAwa7H4uPMq6KomuPh7p/f9u7S/9vWw9Y=",
    "Q2_K": "5+fu5PD26OYL798T/Qcl3uQOFCbf9+ff7+3y6N7e2uru/fnr9RL0+9LPAhM=",
    "Q3_K": "BQUf+wnmNAsVH9o9HuIuFDEVBfUQDvzr0SwX5Nq9D/8RG9L79fJA8+ji1+w=",
    "Q4_K": "7e3v4QjcCP4PB+f45PP34Azm8tzu/ej5EhH55Pnk69L4BvkI4Qod+QkG8xQ=",
    "Q5_K": "AgIABOkJCBbpJyXYFdP7JCJA8+7QPzkB/RwmEhU9BSMWEkMpDubhCMPDG/o=",
    "Q6_K": "Fxf69UMZLP4G+upHJAwIAeIu7xU78wozKQQb/dQfLwZB5wQG/iwQJeX1NgM=",
    "IQ4_NL": "5+fSzvD789TA8d324t3l1uS588LV28PFvdu2xty9vL6nzr+vrtLHvcC6s8M=",
    "IQ4_XS": "QEA7WBQPDgQI9hAD80MFGUj5QOss+xUPAQMN9+0U+kjCFQQHDfXu9u70+tc=",
}
