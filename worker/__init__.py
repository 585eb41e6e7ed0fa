"""A Celery worker that claims rows by lease, and supervises one process for each piece of work.

app -> supervisor -> trainer | registrar | examiner | scorer (each in its own process). The
reconciler finds work that was lost.
"""

import os

os.environ["NOSETPS"] = "1"  # Celery then leaves the worker's command line as it is; it reads this when imported
