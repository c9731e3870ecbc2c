"""Where an operator's paths begin."""

from typing import Final

OPERATOR: Final = "/v1/operator"
OF_BOOK: Final = f"{OPERATOR}/books/{{book}}"
OF_MERCHANT: Final = f"{OPERATOR}/merchants/{{merchant}}"
OF_WINDOW: Final = f"{OPERATOR}/windows/{{window}}"
