"""What the equivalence tests share: how many cases each property gets."""

from hypothesis import settings


def examples(count: int) -> settings:
    """`count` cases in the default profile, as many more in another as its max_examples says."""
    return settings(max_examples=count * settings.default.max_examples // 100)
