"""Choice in, receipt out; provable later."""
