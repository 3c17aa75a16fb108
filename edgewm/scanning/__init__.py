"""Thousands of suspects against every mark of an owner, on one machine or many.

    paths --> suspects --> plan --> pool of workers --> rows --> table
              (find,       (tests    (each suspect in a forked  (append-only,
               digests)     fixed)    process of its own)        resumed)

`suspects` finds and de-duplicates, `plan` fixes everything that must not depend on an answer, `asking` is
what a worker does, `judging` turns what it heard into a row, `pools` are one machine's workers or a Dask
cluster, `table` is the file, `course` drives it all. Workers of a cluster get the questions and never the
key: they send labels, which are judged here.
"""
