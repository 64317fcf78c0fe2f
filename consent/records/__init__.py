"""Records as rows: filed, found, read in order, shown, held about somebody."""
