#!/usr/bin/python3
"""Assert names, types, shapes and attributes of the SONATA files that test_sonata left in a directory.

Usage: check_sonata.py DIRECTORY
Exit code 1 with one message on the first mismatch. The layout is that which libsonata and bmtk both read; needs h5py and numpy only.
"""
import os
import sys

import h5py
import numpy as np

NEURONS, SAMPLES, SPIKES = 1003, 50, 20
EDGES_PER_TARGET = [0 if target % 5 == 2 else 40 for target in range(NEURONS)]
EDGES = sum(EDGES_PER_TARGET)


class Mismatch(Exception):
    pass


def check(condition, place, found):
    if not condition:
        raise Mismatch(f"{place}: found {found!r}")


def dataset(file, name, dtype, shape):
    check(name in file and isinstance(file[name], h5py.Dataset), f"{file.filename}: no dataset {name}", sorted(file))
    found = file[name]
    check(found.dtype == np.dtype(dtype), f"{file.filename}: {name}: type {dtype} wanted", found.dtype)
    check(found.shape == shape, f"{file.filename}: {name}: shape {shape} wanted", found.shape)
    return found[...]


def attribute(file, name, key, wanted, dtype=None):
    attributes = file[name].attrs
    check(key in attributes, f"{file.filename}: {name}: attribute {key} is missing", list(attributes))
    check(np.all(attributes[key] == wanted), f"{file.filename}: {name}: attribute {key}: {wanted!r} wanted", attributes[key])
    stored = attributes.get_id(key)
    if dtype:
        check(stored.dtype == np.dtype(dtype), f"{file.filename}: {name}: attribute {key}: type {dtype} wanted", stored.dtype)
        return
    text = stored.get_type()
    good = isinstance(text, h5py.h5t.TypeStringID) and text.is_variable_str() and text.get_cset() == h5py.h5t.CSET_UTF8 and stored.shape == ()
    check(good, f"{file.filename}: {name}: attribute {key}: UTF-8 text of variable length wanted", text)


def opened(directory, name, configuration):
    file = h5py.File(os.path.join(directory, name), "r")
    attribute(file, "/", "magic", 0x0A7A, "<u4")
    attribute(file, "/", "version", [0, 1], "<u4")
    check(file.attrs["version"].shape == (2,), f"{name}: version has two numbers", file.attrs["version"])
    check(file.attrs["magic"].shape == (), f"{name}: magic is scalar", file.attrs["magic"])
    if configuration:
        attribute(file, "/", "configuration", "seed: 1\n" * 25000)
    else:
        check("configuration" not in file.attrs, f"{name}: no configuration was given", list(file.attrs))
    return file


def same_object(file, name, link):
    check(link in file and file[link] == file[name], f"{file.filename}: {link} is a hard link to {name}", link in file)


def check_spikes(directory, name, count, configuration):
    file, group = opened(directory, name, configuration), "/spikes/recurrent"
    sorting = file[group].attrs.get_id("sorting")
    check(sorting.dtype == np.dtype("i1"), f"{name}: sorting is int8", sorting.dtype)
    check(h5py.check_enum_dtype(sorting.dtype) == {"none": 0, "by_id": 1, "by_time": 2}, f"{name}: sorting is an enumeration", sorting.dtype.metadata)
    check(file[group].attrs["sorting"] == 1, f"{name}: sorting by_id", file[group].attrs["sorting"])
    times = dataset(file, f"{group}/timestamps", "<f8", (count,))
    attribute(file, f"{group}/timestamps", "units", "ms")
    ids = dataset(file, f"{group}/node_ids", "<u8", (count,))
    check(np.array_equal(np.lexsort((times, ids)), np.arange(count)), f"{name}: sorted by (id, time)", None)


def check_report(directory, name, variables):
    file = opened(directory, name, False)
    for group, variable, unit in variables:
        data = dataset(file, f"{group}/data", "<f4", (SAMPLES, NEURONS))
        check(np.array_equal(data, (1000 * np.arange(SAMPLES)[:, None] + np.arange(NEURONS)).astype("f4")), f"{name}: {group}/data", data)
        check(file[f"{group}/data"].chunks is not None, f"{name}: {group}/data is chunked", None)
        attribute(file, f"{group}/data", "units", unit)
        attribute(file, f"{group}/data", "variable", variable)
        mapping = f"{group}/mapping"
        ids = dataset(file, f"{mapping}/node_ids", "<u8", (NEURONS,))
        check(np.array_equal(ids, np.arange(NEURONS)), f"{name}: node_ids", ids)
        attribute(file, f"{mapping}/node_ids", "sorted", 1, "u1")
        pointers = dataset(file, f"{mapping}/index_pointers", "<u8", (NEURONS + 1,))
        check(np.array_equal(pointers, np.arange(NEURONS + 1)), f"{name}: index_pointers", pointers)
        same_object(file, f"{mapping}/index_pointers", f"{mapping}/index_pointer")
        check(not dataset(file, f"{mapping}/element_ids", "<u4", (NEURONS,)).any(), f"{name}: element_ids are 0", None)
        check(not dataset(file, f"{mapping}/element_pos", "<f4", (NEURONS,)).any(), f"{name}: element_pos are 0", None)
        time = dataset(file, f"{mapping}/time", "<f8", (3,))
        check(np.array_equal(time, [100, 125, 0.5]), f"{name}: time", time)
        attribute(file, f"{mapping}/time", "units", "ms")
    check(len(file["report"]) == len(variables), f"{name}: reports", list(file["report"]))


def check_nodes(directory, name, population, columns):
    file, group = opened(directory, name, False), f"/nodes/{population}"
    dataset(file, f"{group}/node_type_id", "<i8", (NEURONS,))
    for column in ("node_id", "node_group_index"):
        values = dataset(file, f"{group}/{column}", "<u8", (NEURONS,))
        check(np.array_equal(values, np.arange(NEURONS)), f"{name}: {column}", values)
    check(not dataset(file, f"{group}/node_group_id", "<u4", (NEURONS,)).any(), f"{name}: node_group_id are 0", None)
    check(isinstance(file.get(f"{group}/0"), h5py.Group), f"{name}: {group}/0 must exist", list(file[group]))
    for column in columns:
        values = dataset(file, f"{group}/0/{column}", "<f8", (NEURONS,))
        check(np.array_equal(values, 0.5 * np.arange(NEURONS)), f"{name}: {column}", values)


def check_node_types(directory):
    with open(os.path.join(directory, "node_types.csv"), encoding="utf-8") as csv:
        lines = csv.read().splitlines()
    wanted = ["node_type_id population model_type model_template", "0 recurrent point_neuron lif", "1 recurrent virtual NULL",
              '2 recurrent point_neuron "odd name"', "3 bare virtual NULL"]
    check(lines == wanted, "node_types.csv", lines)


def check_edges(directory, name, population, source, weight, attributes, configuration=True, count=EDGES):
    file, group = opened(directory, name, configuration), f"/edges/{population}"
    dataset(file, f"{group}/source_node_id", "<u8", (count,))
    attribute(file, f"{group}/source_node_id", "node_population", source)
    targets = dataset(file, f"{group}/target_node_id", "<u8", (count,))
    attribute(file, f"{group}/target_node_id", "node_population", "recurrent")
    check(not dataset(file, f"{group}/edge_type_id", "<i8", (count,)).any(), f"{name}: edge_type_id are 0", None)
    check(not dataset(file, f"{group}/edge_group_id", "<u4", (count,)).any(), f"{name}: edge_group_id are 0", None)
    index = dataset(file, f"{group}/edge_group_index", "<u8", (count,))
    check(np.array_equal(index, np.arange(count)), f"{name}: edge_group_index", index)
    check(sorted(file[f"{group}/0"]) == sorted(attributes), f"{name}: attributes of {population}", list(file[f"{group}/0"]))
    for column in attributes:
        dataset(file, f"{group}/0/{column}", "<f8" if column == "delay" else weight, (count,))
    attribute(file, f"{group}/0/delay", "units", "ms")
    check_index(file, name, f"{group}/indices/target_to_source", targets)


def check_index(file, name, index, targets):
    nodes = dataset(file, f"{index}/node_id_to_ranges", "<u8", (NEURONS, 2))
    ranges = dataset(file, f"{index}/range_to_edge_id", "<u8", (NEURONS, 2))
    same_object(file, f"{index}/node_id_to_ranges", f"{index}/node_id_to_range")
    for target in range(NEURONS):
        wanted = np.flatnonzero(targets == target)
        found = np.concatenate([np.arange(*ranges[r]) for r in range(*nodes[target])] or [np.array([], dtype=int)])
        check(np.array_equal(found, wanted), f"{name}: edges onto {target} by the index, {len(wanted)} wanted", found)


def main(directory):
    check_spikes(directory, "spikes.h5", SPIKES * NEURONS, True)
    check_spikes(directory, "silence.h5", 0, False)
    check_report(directory, "report.h5", [("/report/recurrent", "u", "mV")])
    check_report(directory, "report2.h5", [("/report/recurrent_u", "u", "mV"), ("/report/recurrent_drive", "drive", "1")])
    check_nodes(directory, "nodes.h5", "recurrent", ["x", "dynamics_params/tau"])
    check_nodes(directory, "nodes.h5", "bare", [])
    check_node_types(directory)
    check_edges(directory, "edges.h5", "recurrent_plastic", "recurrent", "<f8", ["syn_weight", "initial_weight", "delay"])
    check_edges(directory, "edges.h5", "input_static", "input", "<f4", ["syn_weight", "delay"])
    check_edges(directory, "none.h5", "recurrent_plastic", "recurrent", "<f8", ["syn_weight", "initial_weight", "delay"], False, 0)
    left = [name for name in os.listdir(directory) if name.endswith(".part")]
    check(not left, "unfinished files are left", left)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        main(sys.argv[1])
    except (Mismatch, OSError, KeyError) as mistake:
        print(f"check_sonata: {mistake}", file=sys.stderr)
        sys.exit(1)
    print("check_sonata: all files are as they should be")
