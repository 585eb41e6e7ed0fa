"""What the tests share: real servers and processes of ours, data, rows and runs. There are no
mocks."""
