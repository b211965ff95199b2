"""All variants side by side: intervals, paired tests, tables, figures."""
