"""Which lines and conditions of the firmware the suite reaches, and which classes of cases the strategies reach."""
