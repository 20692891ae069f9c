#!/usr/bin/env python3
"""Connectomes as others write them: SONATA files of which the index, the groups, the types or the order of neurons are not what Engram writes itself."""
import json
import os
import signal
import subprocess
import sys
import time

import h5py
import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from engram_test import run_tests  # noqa: E402

SMALL = """\
simulation: {baseline: 10 ms}
network: {kind: sonata, path: %s}
plastic: {kind: all_to_all}
stimulus: {start: 1 ms, stop: 2 ms}
targets: {duration: 20 ms}
guards: {min_rate: 0 Hz, min_window_rate: 0 Hz}
learning: {loops: 1}
output: {edges: all}
"""
SOURCES, TARGETS, WEIGHTS = [1, 2, 3, 0], [0, 1, 2, 3], [1.0, 2.0, 3.0, 4.0]


def edges_file(bench, name, nodes=("v1", "v1"), **data):
    """An edges file of population p: datasets by name, "0/x" written as g0_x; index: (node_id_to_ranges, range_to_edge_id)."""
    values = {"source_node_id": SOURCES, "target_node_id": TARGETS, "g0_syn_weight": WEIGHTS, **data}
    os.makedirs(os.path.dirname(bench.path(name)), exist_ok=True)
    with h5py.File(bench.path(name), "w") as file:
        file.attrs["magic"], file.attrs["version"] = np.uint32(0x0A7A), np.array([0, 1], "u4")
        group = file.create_group("edges/p")
        for key, value in values.items():
            if key == "index":
                group["indices/target_to_source/node_id_to_ranges"], group["indices/target_to_source/range_to_edge_id"] = value
            elif value is not None:
                group[key.replace("g0_", "0/").replace("g1_", "1/").replace("g7_", "7/")] = np.array(value)
        for key, population in zip(("source_node_id", "target_node_id"), nodes):
            if population is not None:
                group[key].attrs["node_population"] = population
    return bench.path(name)


def read_static(folder):
    """(source, target, weight) of the static synapses that a run had."""
    with h5py.File(os.path.join(folder, "edges.h5")) as file:
        group = file["edges/static"]
        return list(zip(group["source_node_id"][:].tolist(), group["target_node_id"][:].tolist(), group["0/syn_weight"][:].tolist()))


def expected(sources=SOURCES, targets=TARGETS, weights=WEIGHTS):
    return sorted(zip(sources, targets, weights), key=lambda edge: (edge[1], edge[0]))


def train(bench, path, name, ranks=1, overrides=()):
    config = bench.config(f"{name}.yaml", SMALL % path)
    words = [word for o in overrides for word in ("-P", o)]
    code, out, err = bench.run(["train", config, "-o", bench.path(f"out-{name}")] + words, ranks=ranks)
    assert code == 0, f"{name}: exit code {code}\n{out}\n{err}"
    return bench.path(f"out-{name}"), out, err


def told(bench, path, code, *texts, command="check", overrides=()):
    config = bench.config("told.yaml", SMALL % path)
    got, out, err = bench.run([command, config] + [word for o in overrides for word in ("-P", o)])
    assert got == code, f"exit code {got}, wanted {code}\n{out}\n{err}"
    for text in texts:
        assert text in out + err, f"'{text}' is missing:\n{out}\n{err}"
    return out, err


def test_wrong_index(bench):
    """Synapses do not depend on what an index says, on no number of ranks, and one that does not fit is told of."""
    good = ([[t, t + 1] for t in range(4)], [[t, t + 1] for t in range(4)])
    cases = {"good": ({}, good, False), "unreached": ({}, ([[0, 1], [1, 1], [2, 3], [3, 4]], good[1]), True),
             "moved": ({"target_node_id": [0, 1, 2, 0], "source_node_id": [1, 2, 3, 3]}, good, True)}
    for name, (data, index, wrong) in cases.items():
        path = edges_file(bench, f"index/{name}.h5", index=tuple(np.array(i, "u8") for i in index), **data)
        for ranks in (1, 2):
            out, _, err = train(bench, path, f"{name}-{ranks}", ranks, ["network.neurons=4"])
            assert read_static(out) == expected(data.get("source_node_id", SOURCES), data.get("target_node_id", TARGETS)), f"{name} on {ranks} ranks: {read_static(out)}"
            assert ("does not fit the edges" in err) == wrong, f"{name} on {ranks} ranks: {err}"


def test_weights(bench):
    """nsyns multiplies; groups are read by their indices; what a group does not give its type does."""
    types = "edge_type_id target_query nsyns syn_weight delay dynamics_params\n7 NULL NULL -0.5 0.1 NULL\n\n9 \"x == 'a b'\"  3 0.25   NULL params.json\n8 NULL 2 1.5 0.1 NULL\n"
    with open(bench.path("my_types.csv"), "w") as file:
        file.write(types)
    kinds = {"edge_type_id": [7, 9, 7, 8], "edge_group_id": [0, 7, 1, 7], "edge_group_index": [0, 1, 0, 0]}
    cases = {
        "nsyns": ({"g0_nsyns": np.array([1, 5, 1, 2], "u2")}, [], [1, 10, 3, 8]),
        "real_nsyns": ({"g0_nsyns": [1.0, 5.0, 1.0, 2.0]}, [], [1, 10, 3, 8]),
        "order": ({"edge_group_index": [3, 2, 0, 1], "edge_group_id": [0] * 4}, [], [4, 3, 1, 2]),
        "float32_delay": ({"g0_delay": np.full(4, 0.1, "f4")}, [], WEIGHTS),
        "types": ({"g0_syn_weight": None, "edge_type_id": kinds["edge_type_id"]}, ["types"], [-0.5, 0.75, -0.5, 3]),
        "group_before_type": ({"edge_type_id": kinds["edge_type_id"], "g0_nsyns": [1, 1, 4, 1]}, ["types"], [1, 2, 12, 4]),
        "groups": ({**kinds, "g0_syn_weight": [6.0], "g1_nsyns": [10], "g7_syn_weight": [2.0, -1.0], "g7_nsyns": [1, 7]}, ["types"], [6, -7, -5, 2]),
    }
    for number, (name, (data, options, weights)) in enumerate(cases.items()):
        path = edges_file(bench, f"weights/{name}.h5", **data)
        out, _, err = train(bench, path, name, 1 + number % 2, ["network.neurons=4"] + ([f"network.edge_types={bench.path('my_types.csv')}"] if options else []))
        assert "a row for itself" not in err, err
        assert read_static(out) == expected(weights=weights), f"{name}: {read_static(out)}"
        assert ("columns that are not read: dynamics_params" in err) == bool(options), err


def test_shared_rows(bench):
    """An index of groups that gives several edges one row is told of, on any number of ranks: writers have left it at 0."""
    cases = {"zeros": ({"edge_group_id": [0] * 4, "edge_group_index": [0] * 4}, "of 4 edges of group 0 a row for itself of the 4 of '/edges/p/0/syn_weight'"),
             "unused": ({"edge_group_id": [0, 0, 1, 1], "edge_group_index": [0, 1, 0, 1], "g1_syn_weight": [1.0, 2.0]}, "of 2 edges of group 0 a row for itself of the 4 of")}
    for ranks, (name, (data, message)) in enumerate(cases.items(), 1):
        _, _, err = train(bench, edges_file(bench, f"rows/{name}.h5", **data), f"rows-{name}", ranks, ["network.neurons=4"])
        assert message in err and err.count("a row for itself") == 1, err


def test_populations(bench):
    """Whose neurons ids count: a name that cannot be read is not a missing one, and the network's neurons are the plastic synapses' as well."""
    for number, nodes in enumerate((("a" * 300 + "x", "a" * 300 + "y"), (3, 4), ("v1", np.array([b"v1", b"v2"])))):
        told(bench, edges_file(bench, f"strange{number}.h5", nodes=nodes), 2, "attribute node_population is not one text of 1 to 255 bytes")
    v1 = edges_file(bench, "v1.h5")
    for name, warned in (("lgn", True), ("neurons", False), (None, False), ("v1", False)):
        _, err = told(bench, v1, 0, overrides=["plastic.kind=sonata", f"plastic.path={edges_file(bench, f'plastic-{name}.h5', nodes=(name, name))}"])
        assert ("edges of 'p' are inside node population 'lgn', those of network.path inside 'v1'" in err) == warned, err


def test_types_beside(bench):
    """The table of types that belongs to a file by its name is used, and that is said; what is wrong with it as well."""
    data = {"g0_syn_weight": None, "edge_type_id": [100, 100, 101, 101]}
    for name, table in (("beside/edges.h5", "beside/edge_types.csv"), ("beside/v1_edges.h5", "beside/v1_edge_types.csv"), ("beside/net.h5", "beside/net_edge_types.csv")):
        path = edges_file(bench, name, **data)
        told(bench, path, 2, "/edges/p/0/syn_weight' is missing, and no table of edge types is given", "network.edge_types: FILE.csv")
        with open(bench.path(table), "w") as file:
            file.write("edge_type_id,syn_weight,delay\n101,-0.5,0.02\n100,0.5,\n")
        told(bench, path, 2, "column 'delay' of type 101", "a delay of 0.02 ms", "network.delay: ignore")
        out, _, err = train(bench, path, os.path.basename(name), 1, ["network.delay=ignore"])
        assert "delays of 0.02 to 0.02 ms" in err and read_static(out) == expected(weights=[0.5, 0.5, -0.5, -0.5]), err
    wrong = {"edge_type_id\n100\n": "has no column syn_weight with a value", "type syn_weight\n100 1\n": "t.csv:1: there is no column edge_type_id", "": "the table is empty",
             "edge_type_id syn_weight\n100 1\n100 2\n": "t.csv:3: type 100 again, after line 2", "edge_type_id syn_weight\n100 x\n": "t.csv:2: column 'syn_weight': 'x' is not a finite number",
             "edge_type_id syn_weight\n100 1\n": "type 101 is not in", "edge_type_id syn_weight\n100 1\n101 NULL\n": "edge 2 of type 101 has no syn_weight", "edge_type_id syn_weight\n100 1 2\n": "t.csv:2: 3 fields, but",
             "edge_type_id syn_weight nsyns\n100 1 0\n101 1 1\n": "column 'nsyns': '0' is not a whole number of at least 1", "edge_type_id syn_weight\n1.5 1\n": "an id is a whole number, not 1.5",
             "edge_type_id \"syn_weight\n100 1\n": "a quote that is not closed", "edge_type_id syn_weight syn_weight\n": "two columns have the name syn_weight"}
    for text, message in wrong.items():
        with open(bench.path("t.csv"), "w") as file:
            file.write(text)
        told(bench, path, 2, message, overrides=[f"network.edge_types={bench.path('t.csv')}"])
    told(bench, path, 2, "missing.csv: cannot be read", overrides=[f"network.edge_types={bench.path('missing.csv')}"])
    blanks = ["edge_type_id, syn_weight ,delay\n 100 , 0.5,null\n101 ,\t-0.5 , N/A\n", "edge_type_id;\"syn_weight\" ;nsyns\n\"100\" ; 0.5;<NA>\n101; \"-0.5\"; none\n", "edge_type_id\tsyn_weight\tdelay\n100 \t 0.5\t\n101\t-0.5\tNULL \n"]
    for number, text in enumerate(blanks):
        with open(bench.path("t.csv"), "w") as file:
            file.write(text)
        out, _, _ = train(bench, path, f"blanks{number}", 1, [f"network.edge_types={bench.path('t.csv')}"])
        assert read_static(out) == expected(weights=[0.5, 0.5, -0.5, -0.5]), text
    other = "edge_type_id population syn_weight\n100 other 9\n100 p 1\n101 p 2\n"
    with open(bench.path("t.csv"), "w") as file:
        file.write(other)
    told(bench, path, 0, "syn_weight of edge types", overrides=[f"network.edge_types={bench.path('t.csv')}", "network.delay=ignore"])


def test_types_of_a_run(bench):
    """The edge_types.csv that a run leaves gives edges nothing, and is not read: a run is the same, in identity and configuration, with it and without. One that gives something is."""
    before, _, _ = train(bench, edges_file(bench, "of_run.h5"), "of-run")
    table, types = os.path.join(before, "edge_types.csv"), open(os.path.join(before, "edge_types.csv")).read()

    def again(name):
        out, said, err = train(bench, os.path.join(before, "edges.h5"), name, 2, ["network.population=static", "network.neurons=4"])
        with h5py.File(os.path.join(out, "edges.h5")) as file, open(os.path.join(out, "run.json")) as run:
            return json.load(run)["identity"], file.attrs["configuration"], "which lies beside" in said + err

    beside = again("beside-run")
    os.remove(table)
    assert again("alone") == beside and not beside[2] and table not in str(beside[1]), beside
    for number, text in enumerate((types + "1 NULL NULL NULL\n", types.replace("\n", " delay\n", 1).replace("NULL\n", "NULL 0.1\n"))):
        with open(table, "w") as file:
            file.write(text)
        _, configuration, said = again(f"other-types{number}")
        assert said and table in str(configuration), configuration


def nodes_beside(bench, folder):
    """Four nodes whose types a table beside them may tell."""
    with h5py.File(bench.path(folder, "nodes.h5"), "w") as file:
        file["nodes/v1/node_type_id"], file["nodes/v1/node_group_id"], file["nodes/v1/node_group_index"] = [1, 1, 2, 2], [0] * 4, np.arange(4)
        file.create_group("nodes/v1/0")
    return bench.path(folder, "nodes.h5")


def test_found_tables_are_of_the_run(bench):
    """A table that was found, not named, is one of the run's inputs: where it changes, goes or comes, a run does not go on, and a test is not made, as with files that are named."""
    edges, nodes = "edge_type_id nsyns\n0 1\n5 2\n7 3\n", "node_type_id population ei\n1 v1 e\n2 v1 i\n"
    kinds = {"network.edge_types": ([], "edge_types.csv", edges), "network.node_types": (["network.nodes"], "node_types.csv", nodes),
             "plastic.edge_types": (["plastic.path"], "edge_types.csv", edges)}
    for key, (extra, name, text) in kinds.items():
        folder = key.replace(".", "-")
        path = edges_file(bench, f"{folder}/edges.h5", edge_type_id=[5, 7, 5, 7])
        table, given = bench.path(folder, name), ["network.neurons=4", "network.delay=ignore"]
        if "network.nodes" in extra:
            given.append(f"network.nodes={nodes_beside(bench, folder)}")
        if "plastic.path" in extra:
            given, path = ["plastic.kind=sonata", f"plastic.path={path}", "network.neurons=4"], edges_file(bench, f"{folder}/static/net.h5")

        def refused(out, *texts):
            for ranks, words in ((1, ["train", "--resume", out, "-P", "learning.loops=2"]), (2, ["test", out, "--trials", "1"])):
                code, said, err = bench.run(words, ranks)
                assert code == 2 and all(text in err for text in texts), f"{key}: {words}: exit code {code}\n{said}\n{err}"
                assert err.startswith("engram: error: ") and "engram: error: " not in err.partition("engram: warning: ")[2], err  # what follows from the file is told behind it
            return err

        without, said, _ = train(bench, path, f"{folder}-without", 1, given)
        assert "which lies beside" not in said, said
        with open(table, "w") as file:
            file.write(text)
        err = refused(without, f"{key}: {table} was not there when the run began", "take it away")
        assert "another configuration" not in err and "take back" not in err, err  # what follows from the file is no mistake of its own
        out, said, _ = train(bench, path, f"{folder}-with", 2, given)
        assert f"{key}: {table}, which lies beside" in said, said
        with open(os.path.join(out, "run.json")) as one, open(os.path.join(without, "run.json")) as other:
            assert json.load(one)["identity"] != json.load(other)["identity"], key
        with open(table, "a") as file:
            file.write("9 4 \n" if "edge" in key else "9 v1 i\n")
        refused(out, "an input file is not as it was", f"{key}: {table}")
        os.remove(table)
        refused(out, f"{key}: {table} cannot be read", f"bring it back, or say where the same content is: -P {key}=FILE")
        code, _, err = bench.run(["train", bench.path(f"{folder}-with.yaml"), "--resume", out] + [word for o in given for word in ("-P", o)])  # by a file that names none
        assert code == 2 and f"{key}: '', but the run began with '{table}'" in err, err
        moved = bench.path(folder, "moved.csv")
        with open(moved, "w") as file:
            file.write(text)
        for words in (["test", out, "--trials", "1"], ["train", "--resume", out, "-P", "learning.loops=2"]):
            said = bench.succeed(words + ["-P", f"{key}={moved}"])
            assert f"{key}: {moved} has the content of {table}" in said, said
        for words in (["train", "--resume", without, "-P", "learning.loops=2"], ["test", without, "--trials", "1"]):
            code, _, err = bench.run(words)
            assert code == 0, err


def test_lost_files(bench):
    """A file that a run needs and that is gone: before it is read, the run says which, where it was, and how to say where it is."""
    path = edges_file(bench, "lost/edges.h5")
    with h5py.File(bench.path("lost/nodes.h5"), "w") as file:
        file["nodes/v1/node_type_id"], file["nodes/v1/node_group_id"], file["nodes/v1/node_group_index"] = [1] * 4, [0] * 4, np.arange(4)
        file.create_group("nodes/v1/0")
    nodes = bench.path("lost/nodes.h5")
    out, _, _ = train(bench, path, "lost", 1, [f"network.nodes={nodes}"])
    for key, lost in (("network.path", path), ("network.nodes", nodes)):
        os.rename(lost, lost + ".away")
        for ranks, words in ((2, ["train", "--resume", out, "-P", "learning.loops=2"]), (1, ["test", out, "--trials", "1", "--overwrite"])):
            code, said, err = bench.run(words, ranks)
            assert code == 2 and f"{key}: {lost} cannot be read; the run needs it: bring it back, or say where the same content is: -P {key}=FILE" in err, f"{said}\n{err}"
            assert "No such file" not in err, err
            code, said, err = bench.run(words + ["-P", f"{key}={lost}.nowhere"], ranks)
            assert code == 2 and f"{key}: {lost}.nowhere instead of {lost} cannot be read" in err, f"{said}\n{err}"
        said = bench.succeed(["test", out, "--trials", "1", "-P", f"{key}={lost}.away", "--overwrite"])
        assert f"{key}: {lost}.away has the content of {lost}" in said, said
        os.rename(lost + ".away", lost)


def test_other_files(bench):
    """What an HDF5 file has in another one, by a link, would be no part of what a run is known by, and is refused."""
    with h5py.File(bench.path("far_weights.h5"), "w") as file:
        file["group/syn_weight"] = WEIGHTS
    for link, name in (("far_weights.h5", "group/syn_weight"), (bench.path("far_weights.h5"), "group/syn_weight")):
        path = edges_file(bench, "linked.h5", g0_syn_weight=None, g0_nsyns=np.array([1] * 4, "u2"))
        with h5py.File(path, "a") as file:
            file["edges/p/0/syn_weight"] = h5py.ExternalLink(link, name)
        told(bench, path, 2, "linked.h5: dataset '/edges/p/0/syn_weight' is in another file, by an external link", "copy it here")
        with h5py.File(path, "a") as file:
            del file["edges/p/0/syn_weight"]
            file["weights"], file["edges/p/0/syn_weight"] = WEIGHTS, h5py.SoftLink("/weights")
        told(bench, path, 0)


def test_delays_are_ignored(bench):
    path = edges_file(bench, "delays.h5", g0_delay=[1.0, 5.0, 20.0, np.nan])
    out, err = told(bench, path, 0, "delays of 1 to 20 ms and some that are no numbers", overrides=["network.delay=ignore"])
    assert err.count("engram: warning") == 1, err
    told(bench, path, 2, "plastic.delay: ignore", overrides=["network.kind=none", "network.neurons=4", "plastic.kind=sonata", f"plastic.path={path}"])


def test_delays(bench):
    """Delays of a file count, in whole steps, are written again, and are those of the next run; plastic synapses of a source have one."""
    path = edges_file(bench, "delayed.h5", source_node_id=[1, 1, 3, 0], g0_delay=[0.1, 0.52, 3.0, 0.1])
    for ranks in (1, 2):
        out, _, err = train(bench, path, f"delays{ranks}", ranks, ["network.neurons=4"])
        with h5py.File(os.path.join(out, "edges.h5")) as file:
            group = file["edges/static"]
            found = sorted(zip(group["source_node_id"][:], group["target_node_id"][:], np.rint(group["0/delay"][:] / 0.1)))
        assert found == [(0, 3, 1), (1, 0, 1), (1, 1, 5), (3, 2, 30)], found
    told(bench, path, 0, "delays of 1 to 30 time steps (rounded)")
    told(bench, path, 2, "0/delay' at [1]: a delay of 0.52 ms is not one time step", overrides=["network.delay=step"])
    plastic = ["network.kind=none", "network.neurons=4", "plastic.kind=sonata"]
    told(bench, path, 2, "synapses of neuron 1 have delays from 1 to 5 time steps, but plastic ones of a source have one delay", overrides=plastic + [f"plastic.path={path}"])
    same = edges_file(bench, "same.h5", source_node_id=[1, 1, 3, 0], g0_delay=[0.5, 0.5, 3.0, 0.1])
    out, _, err = train(bench, same, "plastic-delays", 2, plastic + [f"plastic.path={same}"])
    with h5py.File(os.path.join(out, "edges.h5")) as file:
        assert np.rint(file["edges/plastic/0/delay"][:] / 0.1).tolist() == [5, 5, 30, 1]


def test_neurons_follow_the_file(bench):
    """Number and kind of neurons: from the ids and the signs of weights, or from the nodes."""
    sources, targets = [0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0]
    path = edges_file(bench, "neurons.h5", source_node_id=sources, target_node_id=targets, g0_syn_weight=[-1.0, 1.0, -1.0, 1.0, -1.0, 1.0])
    separate = ["plastic.kind=separate", "plastic.excitatory_in_degree=3", "plastic.inhibitory_in_degree=3"]
    told(bench, path, 0, "network.neurons: 6", "3 excitatory and 3 inhibitory neurons, by the sign of outgoing weights", overrides=separate)
    told(bench, path, 0, "plan for 6 neurons", command="plan", overrides=separate)
    told(bench, path, 0, "network.neurons: 9, but", "has 6", overrides=["network.neurons=9"])
    told(bench, path, 2, "is not in 0 .. 4 (network.neurons)", overrides=["network.neurons=5"])
    told(bench, path, 0, "network.excitatory_fraction: 0.8 is not used", "excitatory_fraction: 0.5", overrides=["network.excitatory_fraction=0.8"])
    for ranks in (1, 2):
        out, _, _ = train(bench, path, f"signs-{ranks}", ranks, separate + ["plastic.trained=excitatory"])
        with h5py.File(os.path.join(out, "nodes.h5")) as file:
            neurons = file["nodes/neurons"]
            assert neurons["0/excitatory"][:].tolist() == [0, 1, 0, 1, 0, 1] and neurons["0/trained"][:].tolist() == [0, 1, 0, 1, 0, 1], list(neurons["0/excitatory"])
            assert neurons["node_type_id"][:].tolist() == [1, 0, 1, 0, 1, 0]
        with h5py.File(os.path.join(out, "edges.h5")) as file:
            plastic = file["edges/plastic"]
            sign = np.sign(plastic["0/initial_weight"][:])
            assert np.array_equal(sign > 0, plastic["source_node_id"][:] % 2 == 1), "excitatory partners are not the excitatory neurons"
    code, stdout, err = bench.run(["train", "--resume", out, "-P", "learning.loops=2"])
    assert code == 0, stdout + err
    code, stdout, err = bench.run(["test", out, "--trials", "1"])
    assert code == 0, stdout + err
    with h5py.File(bench.path("nodes.h5"), "w") as file:
        file["nodes/v1/node_type_id"], file["nodes/v1/node_group_id"], file["nodes/v1/node_group_index"] = [1, 1, 2, 2, 3, 3, 3], [0] * 7, np.arange(7)
        file["nodes/v1/0/ei"] = np.array(["i", "e", "", "", "", "", ""], dtype=h5py.string_dtype())
        file.create_group("nodes/lgn")
    with open(bench.path("node_types.csv"), "w") as file:
        file.write("node_type_id population ei model_type\n1 v1 i point\n2 v1 e point\n3 v1 NULL point\n3 lgn e virtual\n")
    nodes = [f"network.nodes={bench.path('nodes.h5')}"]
    out, _, _ = train(bench, path, "nodes", 2, nodes)
    with h5py.File(os.path.join(out, "nodes.h5")) as file:
        assert file["nodes/neurons/0/excitatory"][:].tolist() == [0, 1, 1, 1, 0, 1, 1], file["nodes/neurons/0/excitatory"][:]
    told(bench, path, 2, "has 7 (nodes)", overrides=nodes + ["network.neurons=6"])
    def nodes_file(name, column, values, group=0, library=None):
        with h5py.File(bench.path(name), "w") as file:
            file["nodes/v1/node_type_id"], file["nodes/v1/node_group_id"], file["nodes/v1/node_group_index"] = [0] * 6, [group] * 6, np.arange(6)
            file[f"nodes/v1/{group}/{column}"] = values
            if library:
                file[f"nodes/v1/{group}/@library/{column}"] = np.array(library, dtype=h5py.string_dtype())
        return [f"network.nodes={bench.path(name)}"]

    texts = np.array(["e", "i", "i", "i", "e", "i"], dtype=h5py.string_dtype())
    for number, (column, values, group, library) in enumerate((("ei", texts, 5000, None), ("synapse_class", [0, 1, 1, 1, 0, 1], 0, ["EXC", "INH"]), ("excitatory", [1.0, 0, 0, 0, 1, 0], 0, None))):
        told(bench, path, 0, "2 excitatory and 4 inhibitory neurons, as the nodes say", overrides=nodes_file(f"sort{number}.h5", column, values, group, library))
    for column, values, library, message in (("ei", [1, 0, 0, 0, 1, 0], None, "'/nodes/v1/0/ei' holds integers, but there is no '/nodes/v1/0/@library/ei'"), ("synapse_class", [0, 1, 1, 2, 0, 1], ["EXC", "INH"], "at [3]: 2 is not in 0 .. 1"),
                                             ("ei", np.array([1.0] * 6), None, "ei' holds the wrong type"), ("excitatory", np.array([True] * 6), None, "excitatory' holds the wrong type"),
                                             ("excitatory", [1, 0, 2, 0, 1, 0], None, "excitatory' at [2]: 2 found, allowed are 0 and 1"), ("excitatory", [1, 0, 1, np.nan, 1, 0], None, "at [3]: nan found")):
        told(bench, path, 2, message, overrides=nodes_file("wrong_sort.h5", column, values, 0, library))
    large = edges_file(bench, "large.h5", source_node_id=[0, 1, 2, 9])
    told(bench, large, 2, "has 7 nodes, but there are edges of neuron 9", overrides=nodes)
    told(bench, edges_file(bench, "other.h5", nodes=("v2", "v2")), 2, "there is no population 'v2' in '/nodes'; there is 'lgn', 'v1'", overrides=nodes)
    told(bench, edges_file(bench, "far.h5", source_node_id=[0, 1, 2, 10**9]), 2, "id 1000000000 is not in 0 ..", "give network.neurons")
    told(bench, edges_file(bench, "empty.h5", source_node_id=np.array([], "u8"), target_node_id=np.array([], "u8"), g0_syn_weight=np.array([], "f8")), 2, "network.neurons", "has none")


def test_round_trip(bench):
    """What a run writes is a network to start from, on any number of ranks; the units that feed it are a population of their own."""
    path = edges_file(bench, "first.h5", source_node_id=[0, 1, 2, 3, 3], target_node_id=[3, 3, 1, 0, 2], g0_syn_weight=[1.0, -2.0, 3.0, 4.0, 5.0])
    feed = ["feedforward.units=3", "feedforward.rate=50 Hz"]
    before, _, _ = train(bench, path, "first", 2, feed)
    with h5py.File(os.path.join(before, "nodes.h5")) as nodes, h5py.File(os.path.join(before, "edges.h5")) as edges:
        for group in edges["edges"].values():
            for column in ("source_node_id", "target_node_id"):
                population = nodes["nodes"][group[column].attrs["node_population"]]
                assert len(group[column]) == 0 or group[column][:].max() < len(population["node_type_id"])
        types = open(os.path.join(before, "node_types.csv")).read().split("\n")
        assert types[3] == "2 feedforward virtual NULL" and nodes["nodes/feedforward/node_type_id"][:].tolist() == [2, 2, 2], types
    for ranks in (1, 2, 3):
        out, _, err = train(bench, os.path.join(before, "edges.h5"), f"again-{ranks}", ranks, ["network.population=static", f"network.nodes={before}/nodes.h5"])
        assert read_static(out) == read_static(before) == expected([0, 1, 2, 3, 3], [3, 3, 1, 0, 2], [1, -2, 3, 4, 5]) and "warning" not in err, err
    for section, kind in (("network", []), ("plastic", ["network.kind=none", "network.neurons=4", "plastic.kind=sonata"])):
        told(bench, os.path.join(before, "edges.h5"), 2, "from node population 'feedforward' to 'neurons'", overrides=kind + [f"{section}.path={before}/edges.h5", f"{section}.population=feedforward"])


def test_file_is_busy(bench):
    """A file that is open elsewhere, or that a program left open, is not damaged."""
    path = edges_file(bench, "busy.h5")
    hold = "import h5py, sys, time; f = h5py.File(sys.argv[1], 'r+', libver=sys.argv[2]); f.flush(); print('open', flush=True); time.sleep(60)"
    for version in ("earliest", "latest"):
        holder = subprocess.Popen([sys.executable, "-c", hold, path, version], stdout=subprocess.PIPE, text=True)
        assert holder.stdout.readline() == "open\n"
        _, err = told(bench, path, 2, "busy.h5: another program has it open for writing")
        assert "damaged" not in err and err.count("engram: error") == 1, err
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with h5py.File(path, "w", libver="latest") as file:
        file["edges/p/target_node_id"] = TARGETS
    holder = subprocess.Popen([sys.executable, "-c", hold, path, "latest"], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "open\n"
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    time.sleep(0.1)
    _, err = told(bench, path, 2, "or did not close it", "h5clear -s")
    assert "damaged" not in err, err


def test_missing_filters(bench):
    """A filter that this HDF5 does not have is named, for edges and for tables, and where a dataset is searched for."""
    random = np.random.default_rng(1)
    with h5py.File(edges_file(bench, "lzf.h5", g0_syn_weight=None), "r+") as file:
        file.create_dataset("edges/p/0/syn_weight", data=WEIGHTS, chunks=(4,), compression="lzf")
    with h5py.File(bench.path("rates.h5"), "w") as file:
        file.create_dataset("rates", data=random.uniform(0, 20, (1, 60, 5)), compression="lzf")
        file["time"] = np.arange(60) * 10.0
    message = "is compressed with LZF (filter 32000), which this HDF5 cannot read; rewrite the file with gzip where that filter is known: h5repack -f GZIP=4"
    told(bench, bench.path("lzf.h5"), 2, "'/edges/p/0/syn_weight' " + message)
    table = ["network.kind=none", "network.neurons=10", "targets.kind=file", "targets.duration=auto", f"targets.path={bench.path('rates.h5')}"]
    for dataset in ([], ["targets.dataset=rates"]):
        _, err = told(bench, bench.path("lzf.h5"), 2, "'rates' " + message, overrides=table + dataset)
        assert err.count("engram: error") == 1, err


if __name__ == "__main__":
    run_tests([test_wrong_index, test_weights, test_shared_rows, test_populations, test_types_beside, test_types_of_a_run, test_found_tables_are_of_the_run, test_lost_files, test_other_files, test_delays_are_ignored, test_delays, test_neurons_follow_the_file, test_round_trip, test_file_is_busy, test_missing_filters])
