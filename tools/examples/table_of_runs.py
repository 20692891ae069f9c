"""The runs below a folder: in what they differ, how far they are, what they score: table_of_runs.py FOLDER [PARAMETER]
With a parameter, the score for each of its values, mean over the runs that have it."""
import sys

import engram

table = engram.runs(sys.argv[1])
if len(sys.argv) == 2:
    print(table.to_string(index=False))
else:
    done = table[table.state == "done"]
    print(done.groupby(sys.argv[2])["last"].agg(["mean", "std", "count"]).to_string())
