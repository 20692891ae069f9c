"""Independent numpy reference of the trained networks: dense, naive, float64, written from the equations of patterns/README.md, whose section numbers these are.

It shares nothing with the program but the layout of random numbers (include/engram/random.h), and reads the graph, targets and stimulus that a run wrote.
    philox, uniform, normal, noise    random numbers
    ars, halves, poisson_cells        random numbers in bulk, and Poisson counts by the alias method
    run_lif, run_theta                the networks of Arthur et al. 2023 (1.3, 1.4) and Kim & Chow 2018 (1.1), with learning (3)
    Glif, Qif, LifMv, Izhikevich      other cells for these networks (1.2, 1.5, 1.6)
    correlation                       the measure of 6.3
Indices: i postsynaptic, j presynaptic; sources are the neurons, then the feed-forward units. Steps are counted from 1.
"""
import math
import os

import h5py
import numpy as np

INITIAL, NOISE, STIMULUS, UNIT_RATE, UNIT_SPIKE, DELAY = 8, 9, 10, 14, 15, 46  # purposes of random.h


# ---- random numbers ----------------------------------------------------------------------------------------------------------------------

def philox(counter, key):
    """Philox4x32-10 (Salmon et al. 2011). counter: four arrays or numbers, key: two numbers, all below 2^32. Returns four uint64 arrays."""
    low = np.uint64(0xFFFFFFFF)
    c = [np.asarray(word, dtype=np.uint64) for word in np.broadcast_arrays(*counter)]
    for turn in range(10):
        k0, k1 = (np.uint64((key[n] + turn * weyl) % 2**32) for n, weyl in enumerate((0x9E3779B9, 0xBB67AE85)))
        first, second = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [second >> np.uint64(32) ^ c[1] ^ k0, second & low, first >> np.uint64(32) ^ c[3] ^ k1, first & low]
    return c


def substitutes():
    """The S-box of AES: inverse in GF(2^8), then the affine map (FIPS 197, 5.1.1)."""
    power = [1]
    while len(power) < 255:  # 3 generates all but 0
        last = power[-1]
        power.append(last ^ (last << 1 ^ (0x11B if last & 0x80 else 0)))
    log = {value: k for k, value in enumerate(power)}
    inverse = [0] + [power[-log[value] % 255] for value in range(1, 256)]
    return np.array([0x63 ^ value ^ value << 1 & 0xFF ^ value >> 7 ^ value << 2 & 0xFF ^ value >> 6 ^ value << 3 & 0xFF ^ value >> 5 ^ value << 4 & 0xFF ^ value >> 4 for value in inverse], dtype=np.uint8)


def ars(counter, key):
    """ARS-7 (Salmon et al. 2011): seven rounds of AES, keys by a Weyl sequence. counter: four arrays or numbers, key: two numbers, all below 2^32. Returns eight arrays of 16 bits."""
    box = substitutes()
    state = np.stack([np.asarray(word, dtype="<u4") for word in np.broadcast_arrays(*counter)], axis=-1)
    shape = state.shape[:-1]
    state = np.ascontiguousarray(state).view(np.uint8).reshape(-1, 4, 4)  # column, row
    for turn in range(8):
        if turn:
            state = box[np.stack([np.roll(state[:, :, row], -row, axis=1) for row in range(4)], axis=-1)]
        if 0 < turn < 7:
            twice = (state << 1) ^ np.where(state & 0x80, 0x1B, 0).astype(np.uint8)
            state = twice ^ np.roll(twice ^ state, -1, axis=2) ^ np.roll(state, -2, axis=2) ^ np.roll(state, -3, axis=2)
        keys = np.array([((key[0] | key[1] << 32) + turn * 0x9E3779B97F4A7C15) % 2**64, turn * 0xBB67AE8584CAA73B % 2**64], dtype="<u8")
        state = state ^ keys.view(np.uint8).reshape(4, 4)
    return np.moveaxis(np.ascontiguousarray(state).reshape(-1, 16).view("<u2").reshape(*shape, 8), -1, 0)


def halves(seed, purpose, ids, counters):
    """Eight numbers of 16 bits of (id, counter), laid out as words() has it."""
    ids, counters = np.broadcast_arrays(np.asarray(ids, dtype=np.uint64), np.asarray(counters, dtype=np.uint64))
    low, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    return ars((counters & low, counters >> shift, ids & low, ids >> shift | np.uint64(purpose << 16)), (seed % 2**32, seed >> 32))


def poisson_cells(mean):
    """Poisson's law for the alias method, of means that have fewer than 17 counts or whose 15 likeliest are 0 .. 14 (patterns/README.md 5.1): cells of 2^28 of the 2^32 numbers, each with its own
    count, how many numbers are that's, and the other count; -1 stands for all counts that are not among the 15. And the probabilities of those."""
    below = np.minimum(np.round(np.cumsum([math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(80)]) * 2.0**32), 2**32).astype(np.int64)
    mass = np.trim_zeros(np.diff(below, prepend=0), "b")
    left = dict(enumerate(mass.tolist())) if len(mass) <= 16 else {**dict(enumerate(mass[:15].tolist())), -1: int(mass[15:].sum())}
    assert mass[0] > 0 and (len(mass) <= 16 or mass[15:].max() <= mass[:15].min() and left[-1] <= 2**20), "not for this mean"
    cells = []
    for _ in range(16):
        behind = {count: 99 if count < 0 else count for count in left}  # of equal ones the first; -1 is the last
        small = min((count for count in left if left[count]), key=lambda count: (left[count], behind[count]))
        large = max(left, key=lambda count: (left[count], -behind[count]))
        share = min(left[small], 2**28)
        left[small] -= share
        left[large] -= 2**28 - share
        cells.append((small, share, large))
    return np.array(cells), mass[15:]


def words(seed, purpose, ids, counters):
    """The block of (id, counter): key = seed, counter words = counter low, high, id low, id high | purpose << 16."""
    ids, counters = np.broadcast_arrays(np.asarray(ids, dtype=np.uint64), np.asarray(counters, dtype=np.uint64))
    low, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    return philox((counters & low, counters >> shift, ids & low, ids >> shift | np.uint64(purpose << 16)), (seed % 2**32, seed >> 32))


def fraction(low, high):
    """53 bits on (0,1)."""
    return (((high << np.uint64(32) | low) >> np.uint64(11)).astype(float) + 0.5) / 2.0**53


def uniform(seed, purpose, ids, counters):
    w = words(seed, purpose, ids, counters)
    return fraction(w[0], w[1])


def normal(seed, purpose, ids, counters):
    """Box & Muller 1958, cosine branch."""
    w = words(seed, purpose, ids, counters)
    return np.sqrt(-2 * np.log(fraction(w[0], w[1]))) * np.cos(2 * np.pi * fraction(w[2], w[3]))


def noise(seed, purpose, count, stream, steps):
    """Four normals a block: xi[step - 1][id] for steps 1 .. steps, ids 0 .. count-1 (random_noise of random.h)."""
    blocks = -(-steps // 4)
    counters = np.uint64(stream << 40) + np.arange(blocks, dtype=np.uint64)[:, None]
    half = halves(seed, purpose, np.arange(count)[None, :], counters).astype(float)
    u = [(half[w] + 2.0**16 * half[w + 1] + 0.5) / 2.0**32 for w in (0, 2, 4, 6)]
    radius = [np.sqrt(-2 * np.log(u[0])), np.sqrt(-2 * np.log(u[2]))]
    members = [radius[0] * np.cos(2 * np.pi * u[1]), radius[0] * np.sin(2 * np.pi * u[1]),
               radius[1] * np.cos(2 * np.pi * u[3]), radius[1] * np.sin(2 * np.pi * u[3])]
    return np.stack(members, axis=1).reshape(4 * blocks, count)[:steps]


# ---- what a run of engram hands over -------------------------------------------------------------------------------------------------------

class Given:
    """Graph, targets, stimulus and constant input of a run's output folder."""

    def __init__(self, out):
        with h5py.File(os.path.join(out, "nodes.h5")) as file:
            group = file["nodes/neurons/0"]
            self.bias, self.tau_plastic = group["dynamics_params/bias"][:], group["dynamics_params/tau_plastic"][:].astype(float)
            self.trained = group["trained"][:].astype(bool)
        self.neurons = len(self.bias)
        with h5py.File(os.path.join(out, "edges.h5")) as file:
            self.static = self.dense(file["edges/static"], "syn_weight", self.neurons)
            self.static_delay = self.dense(file["edges/static"], "delay", self.neurons)  # ms, [i][j], 0 where there is no synapse
            self.plastic_delay = self.dense(file["edges/plastic"], "delay", self.neurons)
            self.units = 0
            populations = ["plastic"]
            if "feedforward" in file["edges"]:
                populations.append("feedforward")
                self.units = int(file["edges/feedforward/source_node_id"][:].max()) + 1
            counts = {"plastic": self.neurons, "feedforward": self.units}
            initial = np.hstack([self.dense(file["edges"][p], "initial_weight", counts[p]) for p in populations])
            final = np.hstack([self.dense(file["edges"][p], "syn_weight", counts[p]) for p in populations])
            self.plastic = np.hstack([self.dense(file["edges"][p], None, counts[p]) for p in populations]) > 0
        self.initial, self.final = initial, final  # [i][j], zero where there is no synapse (self.plastic tells)
        self.targets, self.stimuli = [], []
        with h5py.File(os.path.join(out, "targets.h5")) as file:
            while str(len(self.targets)) in file["targets"]:
                group = file["targets"][str(len(self.targets))]
                self.targets.append(group["target"][:])
                self.stimuli.append(group["stimulus"][:] if "stimulus" in group else None)

    def dense(self, population, dataset, sources):
        """W[i][j]; dataset None counts the synapses, and there is at most one from j to i."""
        matrix, place = np.zeros((self.neurons, sources)), (population["target_node_id"][:].astype(int), population["source_node_id"][:].astype(int))
        np.add.at(matrix, place, population["0"][dataset][:] if dataset else 1.0)
        assert dataset or matrix.max(initial=0) <= 1, "a synapse is listed twice"
        return matrix


class Flight:
    """Spikes under way (2.1): deliver(fired) is called at the end of a step, and says what arrives then."""

    def __init__(self, given, dt):
        steps = np.rint(given.static_delay / dt).astype(int)
        of_source = np.rint(given.plastic_delay / dt).astype(int)
        assert ((of_source == 0) | (of_source == of_source.max(axis=0))).all(), "plastic synapses of a source differ in delay"
        self.source = np.maximum(of_source.max(axis=0, initial=0), 1)
        self.longest = int(max(steps.max(initial=1), self.source.max(initial=1)))
        self.excitatory, self.inhibitory = np.maximum(given.static, 0), np.minimum(given.static, 0)
        self.static, self.ago, self.all = given.static.any(), np.maximum(steps - 1, 0), np.arange(len(self.source))
        self.reset()

    def reset(self):
        self.past = np.zeros((self.longest, len(self.source)))  # [d - 1]: who fired d - 1 steps ago

    def deliver(self, fired):
        """(excitatory, inhibitory static input [i], whose plastic synapses get a spike [j])."""
        self.past = np.vstack([np.asarray(fired, dtype=float), self.past[:-1]])
        excitatory, inhibitory = np.zeros(len(fired)), np.zeros(len(fired))
        if self.static and self.past.any():
            spikes = self.past[self.ago, self.all]  # [i][j]: 1 where one arrives from j at i
            excitatory, inhibitory = (self.excitatory * spikes).sum(axis=1), (self.inhibitory * spikes).sum(axis=1)
        return excitatory, inhibitory, self.past[self.source - 1, self.all]


# ---- learning (3) ------------------------------------------------------------------------------------------------------------------

def initial_precision(weights, recurrent, lam, mu, lam_units):
    """Inverse of P0 (3.3): lambda on the diagonal, and mu between recurrent inputs whose initial weights have the same sign."""
    sign = np.where(recurrent, np.sign(weights), 0)
    same = (sign[:, None] == sign[None, :]) & (sign[:, None] != 0)
    return np.diag(np.where(recurrent, lam, lam_units).astype(float)) + mu * same


def phi2(x, c=0.1):
    """Transfer function with noise (1.2)."""
    return np.sqrt(c * np.logaddexp(0, x / c)) / np.pi


def phi2_slope(x, c=0.1):
    """phi2' (1.2); ln(1+e^y) -> e^y for very negative y."""
    y = x / c
    return np.exp(-np.logaddexp(0, -y)) / (2 * np.pi * np.sqrt(c * np.logaddexp(0, y)))


class Learner:
    """RLS of every trained neuron, each with its own P (3.2)."""

    def __init__(self, given, lam=0.8, mu=0.01, lam_units=1.0, no_gain=False):
        self.weights, self.no_gain, self.gains = given.initial.copy(), no_gain, []
        self.sources = {i: np.flatnonzero(given.plastic[i]) for i in np.flatnonzero(given.plastic.any(axis=1))}
        self.P = {i: np.linalg.inv(initial_precision(given.initial[i, j], j < given.neurons, lam, mu, lam_units)) for i, j in self.sources.items()}

    def learn(self, r, fixed, target, rate_input=None):
        """One update of all neurons. rate_input: external input of the rate form (3.6), None for drive targets."""
        gains = []
        for i, j in self.sources.items():
            drive = self.weights[i, j] @ r[j] + fixed[i]
            x, e = r[j], drive - target[i]
            if rate_input is not None:
                x, e = phi2_slope(drive + rate_input[i]) * r[j], phi2(drive + rate_input[i]) - target[i]
            q = self.P[i] @ x
            g = 1 / (1 + x @ q)
            self.P[i] -= g * np.outer(q, q)
            self.weights[i, j] -= (1 if self.no_gain else g) * e * q
            gains.append(g)
        self.gains.append(gains)


# ---- cells: reset(seed, count, stream, dt), step(input) -> who fired -----------------------------------------------------------------------------

class Glif:
    """GLIF level 1 .. 5 (1.5) with the dimensionless set but for what is given; n_ref steps after a spike nothing moves. step() also takes what noise adds to v."""

    def __init__(self, level, n_ref=1, coded=False, **given):
        self.level, self.n_ref, self.coded = level, n_ref, coded
        self.spikes_raise, self.has_currents, self.follows = level in (2, 4, 5), level >= 3, level == 5
        for name, value in dict(C=10.0, R=1.0, E_L=0.0, theta=1.0, V_reset=0.0, b_s=0.1, added_s=0.1, f_v=0.1, delta_V=0.1, a_v=0.1, b_v=0.9,
                                k=(0.1, 0.2, 0.3), f=0.9, added=0.1).items():
            setattr(self, name, given.pop(name, value))
        assert not given, given

    def reset(self, seed, count, stream, dt):
        self.dt, low = dt, self.E_L if self.spikes_raise else self.V_reset
        self.v = normal(seed, INITIAL, np.arange(count), stream << 8) * (self.theta - low) + low
        self.theta_s, self.theta_v, self.I = np.zeros(count), np.zeros(count), np.zeros((len(self.k), count))
        self.quiet = np.zeros(count, dtype=int)  # steps still to be skipped

    def step(self, drive, kick=0):
        dt, on, k = self.dt, self.quiet == 0, np.array(self.k)[:, None]
        self.v = self.v + kick
        if self.has_currents:
            self.I = np.where(on, self.I - dt * self.I * k, self.I)
            drive = drive + self.I.sum(axis=0)
        self.v = np.where(on, self.v + dt / self.C * (drive - (self.v - self.E_L) / self.R), self.v)
        limit = np.full(len(self.v), self.theta)
        if self.spikes_raise:
            self.theta_s = np.where(on, self.theta_s - dt * self.b_s * self.theta_s, self.theta_s)
            limit = limit + self.theta_s
        if self.follows:
            pull = self.a_v * self.v if self.coded else dt * self.a_v * (self.v - self.E_L)
            self.theta_v = np.where(on, self.theta_v + pull - dt * self.b_v * self.theta_v, self.theta_v)
            limit = limit + self.theta_v
        fired = on & (self.v > limit)
        if self.spikes_raise:
            kept = self.v if self.coded else self.v - self.E_L
            self.v = np.where(fired, self.E_L + self.f_v * kept - self.delta_V, self.v)
            self.theta_s = np.where(fired, self.theta_s + self.added_s, self.theta_s)
        else:
            self.v = np.where(fired, self.V_reset, self.v)
        if self.has_currents:
            self.I = np.where(fired, self.f * self.I + np.reshape(self.added, (-1, 1)), self.I)
        self.quiet = np.where(fired, self.n_ref, np.maximum(self.quiet - 1, 0))
        return fired


def tangent(rate, t):
    """T(t) = tan(r t)/r with r^2 = rate > 0, tanh(r t)/r with r^2 = -rate > 0, t for rate 0."""
    r = np.sqrt(np.abs(rate))
    return np.where(rate == 0, t, np.where(rate > 0, np.tan(r * t), np.tanh(r * t)) / r)


def quadratic(y, a, J, h, top):
    """y' = a y^2 + J for a time h: (y at the end, was top passed, T of the time left after top). From the solutions by tan (J > 0), coth (J < 0), -1/(a t) (J = 0)."""
    r = np.sqrt(np.abs(a * J))
    with np.errstate(all="ignore"):
        upwards = (np.arctan(a * top / r) - np.arctan(a * y / r)) / r
        beyond = np.where(a * y > r, np.log((a * top - r) * (a * y + r) / ((a * top + r) * (a * y - r))) / (2 * r), np.inf)  # over the unstable point r/a
        until = np.where(J > 0, upwards, np.where(J < 0, beyond, np.where(y > 0, 1 / (a * y) - 1 / (a * top), np.inf)))
        c, s = np.where(J > 0, np.cos(r * h), np.cosh(r * h)), np.where(J == 0, h, np.where(J > 0, np.sin(r * h), np.sinh(r * h)) / r)
        return (y * c + J * s) / (c - a * y * s), until < h, tangent(a * J, h - until)


class Qif:
    """1.2: reset to -V at V, the moment exact."""

    def __init__(self, tau=10.0, V=1000.0):
        self.tau, self.V = tau, V

    def reset(self, seed, count, stream, dt):
        self.h, self.v = dt / self.tau, np.clip(np.tan(np.pi * uniform(seed, INITIAL, np.arange(count), stream << 8)), -self.V, self.V)

    def step(self, drive):
        end, fired, left = quadratic(self.v, 1.0, drive, self.h, self.V)
        left = np.where(fired, left, 0)
        self.v = np.where(fired, (-self.V + drive * left) / (1 + self.V * left), end)
        return fired


class LifMv:
    """1.6: dv/dt = -(v - rest)/tau + u, the moment of the spike exact."""

    def __init__(self, tau=10.0, rest=-50.0, threshold=-50.0, v_reset=-65.0):
        self.tau, self.rest, self.threshold, self.v_reset = tau, rest, threshold, v_reset

    def reset(self, seed, count, stream, dt):
        self.dt, self.v = dt, self.v_reset + (self.threshold - self.v_reset) * uniform(seed, INITIAL, np.arange(count), stream << 8)

    def step(self, drive):
        end = self.rest + self.tau * drive
        with np.errstate(all="ignore"):
            until = np.where(end > self.threshold, self.tau * np.log((end - self.v) / (end - self.threshold)), np.inf)
        fired = until < self.dt
        start, time = np.where(fired, self.v_reset, self.v), np.where(fired, self.dt - np.where(fired, until, 0), self.dt)
        self.v = end + (start - end) * np.exp(-time / self.tau)
        return fired


class Izhikevich:
    """1.6, five classes in blocks of equal size; each part of a step: w relaxes for half of it, v moves with w frozen, w relaxes again.
    After a spike v moves on from c under the raised w for the time whose T is that of the time left."""

    def __init__(self, parts):
        self.parts = parts

    def reset(self, seed, count, stream, dt):
        classes = np.array([(.02, .2, -65, 8), (.02, .2, -55, 4), (.02, .2, -50, 2), (.1, .2, -65, 2), (.02, .25, -65, 2)])
        self.a, self.b, self.c, self.d = np.repeat(classes, count // 5, axis=0).T
        self.h, self.v = dt / self.parts, -70 + 20 * uniform(seed, INITIAL, np.arange(count), stream << 8)
        self.w = self.b * self.v

    def relax(self):
        self.w = self.b * self.v + (self.w - self.b * self.v) * np.exp(-self.a * self.h / 2)

    def step(self, drive):
        fired = np.zeros(len(self.v), dtype=bool)
        for _ in range(self.parts):
            self.relax()
            J, c = drive + 140 - 25 / 0.16 - self.w, self.c + 62.5  # 0.04 v^2 + 5 v = 0.04 (v + 62.5)^2 - 25/0.16
            end, spike, left = quadratic(self.v + 62.5, 0.04, J, self.h, 92.5)
            left = np.where(spike, left, 0)
            self.v = np.where(spike, (c + (J - self.d) * left) / (1 - 0.04 * c * left), end) - 62.5
            self.w = self.w + self.d * spike
            self.relax()
            fired |= spike
        return fired


# ---- networks ------------------------------------------------------------------------------------------------------------------------------

class Record:
    """What a reference run leaves: spikes as (id, step since the first loop began), and per loop the drive at whole ms of the target window."""

    def __init__(self):
        self.steps, self.ids, self.samples, self.gain, self.rate_hz = [], [], [], [], []

    def fired(self, step, fired):
        ids = np.flatnonzero(fired)
        self.ids.append(ids)
        self.steps.append(np.full(len(ids), step))

    def spikes(self):
        """(step, id), by id and then time."""
        steps, ids = np.concatenate(self.steps), np.concatenate(self.ids)
        order = np.lexsort((steps, ids))
        return steps[order], ids[order]


def unit_rates(seed, task, units, samples, dt, rate=5.0, tau=400.0, sigma=0.2, smoothing=50.0):
    """rateX[sample][unit], Hz (4.6): OU from its mean, centred moving average (cut off at the ends), clamped at 0."""
    x, raw = np.full(units, rate), np.zeros((samples, units))
    for n in range(samples):
        raw[n] = x
        x = x + dt / tau * (rate - x) + sigma * np.sqrt(dt) * normal(seed, UNIT_RATE, np.arange(units), (task << 32) + n)
    half = round(smoothing / dt)
    return np.maximum([raw[max(n - half, 0):n + half + 1].mean(axis=0) for n in range(samples)], 0)


def propagators(dt, tau_m, tau_s):
    """Exact step of a membrane under a current that decays (Rotter & Diesmann 1999): what is left of the current, and by how much a current of 1 moves v."""
    left = np.exp(-dt / tau_s)
    return left, tau_s / (tau_s - tau_m) * (left - np.exp(-dt / tau_m))


def run_lif(given, learner, seed, dt, loops, loop_ms, on_ms, off_ms, every_ms, tasks=None, noise_sd=0.0, noise_kind="voltage", rate=None,
            tau_m=10.0, tau_e=3.0, tau_i=3.0, n_ref=1, start="normal", learn=True, carry=False, streams=None, cell=None, exact=False):
    """Arthur et al. 2023. The numbers in comments are the steps of 1.3. cell: neurons other than lif, a Glif. exact: currents and membrane by their
    propagators; what is learned from is then what each of them is to v as a constant input.
    rate: keywords of unit_rates(). carry: state runs on from loop to loop. streams: random streams of the loops, by default 1, 2, ..."""
    record, count, units, tau_p = Record(), given.neurons, given.units, given.tau_plastic
    steps, on, off, every = (round(ms / dt) for ms in (loop_ms, on_ms, off_ms, every_ms))
    flight = Flight(given, dt)
    tau_r = np.concatenate([tau_p, np.full(units, tau_p[0])])
    noisy = np.any(np.asarray(noise_sd) > 0)
    kept, taus = np.exp(-dt / tau_m), (tau_e, tau_i, tau_p, tau_r)
    steps_of = [propagators(dt, tau_m, tau) for tau in taus]
    rates = [unit_rates(seed, task, units, steps - off, dt, **(rate or {})) for task in range(len(given.targets))]
    for loop in range(1, loops + 1):
        task, stream = tasks[loop - 1] if tasks else 0, streams[loop - 1] if streams else loop
        target, stimulus = given.targets[task], given.stimuli[task]
        if loop == 1 or not carry:
            v = {"normal": normal, "uniform": uniform}[start](seed, INITIAL, np.arange(count), stream << 8)
            u_e, u_i, u_p, u_bal = (np.zeros(count) for _ in range(4))
            in_e, in_i, in_p = (np.zeros(count) for _ in range(3))
            r, spike = np.zeros(count + units), np.zeros(count + units)  # spike: *_prev flags of neurons and units, as they reach plastic synapses
            flight.reset()
            last_step = np.full(count, -10**9)
            currents = [np.zeros(count), np.zeros(count), np.zeros(count), np.zeros(count + units)]
            if cell:
                cell.reset(seed, count, stream, dt)
        xi = noise(seed, NOISE, count, stream, steps) if noisy else None
        samples, total, learner.gains = [], 0, []
        for ti in range(1, steps + 1):
            now = (loop - 1) * steps + ti
            if learn and ti > off and (ti - off) % every == 0 and (ti - off) // every <= len(target):                              # 2
                learner.learn(r, u_bal, target[(ti - off) // every - 1])
            u_e = u_e + (-dt * u_e + in_e) / tau_e                                                                       # 3
            u_i = u_i + (-dt * u_i + in_i) / tau_i
            u_p = u_p + (-dt * u_p + in_p) / tau_p
            if exact:
                currents = [left * old + new / tau for (left, _), old, new, tau in zip(steps_of, currents, (in_e, in_i, in_p, spike), taus)]
                u_e, u_i, u_p = (move / (1 - kept) * now_in for (_, move), now_in in zip(steps_of, currents[:3]))
            u_bal = u_e + u_i
            if noisy and noise_kind == "current":
                u_bal = u_bal + noise_sd * np.sqrt(tau_m / dt) * xi[ti - 1]
            u = u_bal + u_p
            r = steps_of[3][1] / (1 - kept) * currents[3] if exact else r + (-dt * r + spike) / tau_r                                                                            # 4; 1.4 (a)
            X = given.bias + (stimulus[ti - on - 1] if stimulus is not None and on < ti < off else 0)                    # 5
            kick = noise_sd * np.sqrt(dt / tau_m) * xi[ti - 1] if noisy and noise_kind == "voltage" else np.zeros(count)  # 6
            if cell:
                fired = cell.step(X + u, kick)
            else:
                v = v + kick * (np.sqrt((np.exp(2 * dt / tau_m) - 1) / 2 * tau_m / dt) if exact else 1)
                after = kept * v + (1 - kept) * X + sum(move * now_in for (_, move), now_in in zip(steps_of, currents[:3])) if exact else v + dt / tau_m * (X + u - v)
                v = np.where(now - last_step > n_ref, after, v)
                fired = (now - last_step > n_ref) & (v > 1)
                v[fired], last_step[fired] = 0, now
            in_e, in_i, arrived = flight.deliver(fired)                                                                  # 7, 9; 2.1
            spike = np.concatenate([arrived, np.zeros(units)])
            if units and ti > off:                                                                                       # 1.4 (b)
                p = rates[task][ti - off - 1] * dt / 1000
                spike[count:] = uniform(seed, UNIT_SPIKE, np.arange(units), (stream << 40) + ti) < p
            in_p = learner.weights @ spike                                                                               # 7, 8, 9
            record.fired(now, fired)
            total += fired.sum()
            if ti > off and round((ti - off) * dt * 1e6) % 10**6 == 0:
                samples.append(u if given.static.any() else u_p)
        record.samples.append(np.array(samples))
        record.gain.append(np.mean(learner.gains) if learner.gains else None)
        record.rate_hz.append(total / (count * steps * dt / 1000))
    return record


def rk4(slope, x, h):
    """Increment of the classic Runge-Kutta step."""
    k1 = slope(x)
    k2 = slope(x + h / 2 * k1)
    k3 = slope(x + h / 2 * k2)
    k4 = slope(x + h * k3)
    return h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def run_theta(given, learner, seed, dt, loops, loop_ms, on_ms, off_ms, every_ms, tasks=None, tau_s=20.0, tau_m=10.0, rates=False, carry=True, cell=None):
    """Kim & Chow 2018. The numbers in comments are the steps of 1.1; by default, state runs on from loop to loop (carry). cell: other neurons than theta."""
    record, count, h, b, flight = Record(), given.neurons, dt / tau_m, tau_m / tau_s, Flight(given, dt)
    steps, on, off, every = (round(ms / dt) for ms in (loop_ms, on_ms, off_ms, every_ms))
    for loop in range(1, loops + 1):
        task = tasks[loop - 1] if tasks else 0
        target, stimulus = given.targets[task], given.stimuli[task]
        if loop == 1 or not carry:
            theta = 2 * np.pi * uniform(seed, INITIAL, np.arange(count), loop << 8)
            r, u = np.zeros(count), np.zeros(count)
            flight.reset()
            if cell:
                cell.reset(seed, count, loop, dt)
        samples, total, learner.gains = [], 0, []
        for step in range(1, steps + 1):
            I = given.bias + (stimulus[step - on - 1] if stimulus is not None and on < step <= off else 0)
            J = u + I                                                                                                    # 1
            d = rk4(lambda x: 1 - np.cos(x) + J * (1 + np.cos(x)), theta, h)                                             # 2
            r = r + rk4(lambda x: -b * x, r, h)                                                                          # 3
            delta = (np.pi - theta % (2 * np.pi)) % (2 * np.pi)                                                          # 4
            fired = cell.step(J) if cell else (d > 0) & (d > delta)
            r = r + b * flight.deliver(fired)[2]                                                                         # 5; 2.1
            theta = theta + d                                                                                            # 6
            u = learner.weights @ r                                                                                      # 7
            if step > off + 1 and step % every == 0 and (step - off) // every <= len(target):                            # 8; 3.4
                learner.learn(r, np.zeros(count), target[(step - off) // every - 1], I if rates else None)
            record.fired((loop - 1) * steps + step, fired)
            total += fired.sum()
            if step > off and round((step - off) * dt * 1e6) % 10**6 == 0:
                samples.append(phi2(u + given.bias) if rates else u)
        record.samples.append(np.array(samples))
        record.gain.append(np.mean(learner.gains) if learner.gains else None)
        record.rate_hz.append(total / (count * steps * dt / 1000))
    return record


# ---- measures ------------------------------------------------------------------------------------------------------------------------------

def averaged(samples, instants, every_ms, half_width=50.0):
    """Bins of 6.3, literally: samples[tau - 1][i] at whole ms tau of the window. Returns bins[k - 1][i]."""
    bins, count = np.zeros((instants, samples.shape[1])), np.zeros((instants, 1))
    for tau in range(1, min(len(samples), int(round(instants * every_ms))) + 1):
        a, m = int(np.floor((tau - half_width) / every_ms + 1)), round(2 * half_width / every_ms - 1)
        for b in range(max(1, a), min(a + m, instants) + 1):
            bins[b - 1] += samples[tau - 1]
            count[b - 1] += 1
    return bins / count


def correlation(bins, target, trained):
    """Score of 6.3: mean over trained neurons of Pearson's r between target and bins. Returns (score, undefined neurons)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        scores = np.array([np.corrcoef(target[:, i], bins[:, i])[0, 1] for i in np.flatnonzero(trained)])
    return np.mean(scores[~np.isnan(scores)]), int(np.isnan(scores).sum())
