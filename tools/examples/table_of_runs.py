"""The runs below a folder, in what they differ, how far they are, what they score: table_of_runs.py FOLDER [PARAMETER]
With a parameter, the score for each of its values, mean over the runs that have it."""
import engram


def main(folder, parameter=None):
    engram.optional("pandas", "a table")
    table = engram.runs(folder)
    if parameter is None:
        print(table.to_string(index=False))
    elif parameter not in table:
        near = engram.nearest(parameter, table.columns)
        raise engram.EngramError(f"{folder}: runs do not differ in '{parameter}'{f' (did you mean {near}?)' if near else ''}; there is {', '.join(table.columns)}")
    else:
        done = table[table.state == "done"]
        if done.empty:
            raise engram.EngramError(f"{folder}: no run is done")
        values = done[parameter].map(lambda value: str(value) if isinstance(value, list) else value)
        print(done.groupby(values, dropna=False)["last"].agg(["mean", "std", "count"]).to_string())


engram.script(main)
