"""The kinds of files that commands write, and how an earlier one of each is known."""

from .outputs import beginning, containing, json_with

COVERAGE = beginning("a report of coverage", "# Coverage of the kernels and the engine\n")
CLASSES = beginning("a table of classes", "# Classes of generated cases\n")
SELFTEST = beginning("a table of planted bugs", "# Planted bugs, the suite on ")
MUTATION_TABLE = beginning("a table of mutants", "# Mutants of the firmware, and what killed them\n")
MUTATION_RECORDS = containing("records of mutants", '{"of": ', '"records": [')
BENCH = json_with("figures of a bench", "machine")
CHAOS = json_with("a campaign of chaos", "campaign", "total", "chunks")
MATRIX = beginning("a matrix of tests and devices", "| device | board | build | board id | clock |\n")
TABLE_RECORDS = containing("a table's records", '"format": "priot-table/')
TABLE_PAGE = containing("a table's page", "; the chain in ", " ends with ")
PUBLISHED_PAGE = containing("a comparison with published accuracies", ", beside published accuracies\n")
COST_RECORDS = containing("records of costs", '"format": "priot-cost/')
COST_PAGE = containing("a page of costs", "## How to read it\n")
PICTURE = containing("a picture of a table", "<svg ", "chain of records ")
REPORT_PAGE = containing("a report", "<title>", "What this page was made from")
REPORT_TABLE = containing("a table of a report", "Made from ", "SHA-256: ")
