"""What is checked with no service and no network: receipts and evidence bundles."""
