"""Which of thousands of mutants a campaign tries: the same ones each time, from every corner."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from .mutant import Mutant
from .sources import DOMAIN_OPERATOR


def sample(mutants: Sequence[Mutant], count: int) -> list[Mutant]:
    """So many mutants, evenly over operators and files, in their order.

    Each operator gives one mutant of each file, and then as many as its share of all; the named replacements are all
    among them where they are a tenth at most. Which ones is decided by hashes of the ids, so that an edit elsewhere
    leaves the choice as it is.

    Args:
        mutants: All of them.
        count: How many; where it is less than the pairs of file and operator, some pairs have none.
    """
    cells: dict[tuple[str, str], list[Mutant]] = defaultdict(list)
    for mutant in mutants:
        cells[mutant.file, mutant.operator].append(mutant)
    named = sum(mutant.operator == DOMAIN_OPERATOR for mutant in mutants)
    first = DOMAIN_OPERATOR if 10 * named <= count else None
    ranked = [
        (-1.0 if mutant.operator == first else rank / len(cell), _hash(mutant), mutant)
        for cell in cells.values()
        for rank, mutant in enumerate(sorted(cell, key=_hash))
    ]
    chosen = {mutant.id for _, _, mutant in sorted(ranked, key=lambda entry: entry[:2])[:count]}
    return [mutant for mutant in mutants if mutant.id in chosen]


def _hash(mutant: Mutant) -> str:
    return hashlib.sha256(mutant.id.encode()).hexdigest()
