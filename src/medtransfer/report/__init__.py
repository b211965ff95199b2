"""The report page: one file of HTML that shows what a comparison found."""
