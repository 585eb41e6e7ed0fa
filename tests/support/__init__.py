"""What the tests share: real servers and processes of ours, data, rows and runs. Nothing stands in for anything."""
