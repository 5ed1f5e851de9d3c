"""A study's report: on the terminal what it recommends, as Markdown all that it has to say."""
