"""What works: a Celery worker that claims rows by lease and supervises one process a piece of work.

app -> supervisor -> trainer | registrar | evaluator | analyst (processes of their own); reconciler
finds what was lost.
"""
