# SPDX-License-Identifier: MIT
"""Where the processor time of a figure's command goes, by perf: shares of functions, for each end, of goals that were missed.

An end is what has a name of its own, with its threads: a program of ours is sender or receiver while it does what is measured. What
only starts and measures others is not looked at.
"""
import collections
import os
import re
import shutil
import subprocess
import tempfile
import time

import samples

# So many a second, by a clock: most virtual machines count no cycles. Without BPF's programs, whose list takes perf a second.
RECORD = ['perf', 'record', '-q', '-F', '9999', '-e', 'cpu-clock', '--no-bpf-event', '-o']
SCRIPT = ['perf', 'script', '-F', 'comm,pid,tid,ip,sym,dso', '-i']
LINE = re.compile(r'\s*(?P<comm>.+?) +(?P<pid>\d+)/(?P<thread>\d+) +[0-9a-f]+ (?P<symbol>.+) \((?P<object>.*)\)$')
STARTERS = 'perf', 'perf-exec', 'run', 'first', 'cell', 'taskset', 'lanes', 'python3'
# Of one way: so long, with --quick and without, and longer while an end has too few samples; and how much of it is told.
SECONDS, ENOUGH = {True: .3, False: .6}, 200
SHOWN, LEAST = 6, .02
RECEIVERS = 'receiver', 'recv', 'reader'


def why_not():
    """Why no profile can be taken; empty: it can."""
    if not shutil.which('perf'):
        return 'perf is not installed'
    with open('/proc/sys/kernel/perf_event_paranoid', encoding='ascii') as file:
        paranoid = int(file.read())
    if os.geteuid() and paranoid > 1:
        return f'who is not root does not see the kernel\'s part (perf_event_paranoid is {paranoid})'
    with tempfile.NamedTemporaryFile() as file:
        done = subprocess.run([*RECORD, file.name, '--', 'true'], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                              check=False)
    return f'perf: {" ".join(done.stderr.split())[:200]}' if done.returncode else ''


def of_program(comm):
    """A program of ours, before and after what it measures."""
    return comm.startswith('peer_') or comm in STARTERS


def function(symbol):
    """Without what a compiler appends, and what the C library puts in front."""
    return re.sub(r'^__GI_+|\.(isra|constprop|part|cold)\b.*$', '', symbol)


def where(path):
    return 'kernel' if path.startswith('[kernel') else os.path.basename(path).strip('[]')


class Profile:
    def __init__(self):
        self.ends = collections.defaultdict(collections.Counter)

    def add(self, text):
        """What perf script says of one call."""
        processes = {}
        for sample in filter(None, map(LINE.match, text.splitlines())):
            if sample['pid'] == sample['thread']:
                processes[sample['pid']] = sample['comm']
            end = processes.get(sample['pid'], sample['comm'])
            if not of_program(end):
                self.ends[end][function(sample['symbol']), where(sample['object'])] += 1

    def told(self):
        """Each end, the sender first, with its share of all time, and the shares of functions in its own, in percent."""
        counts = {end: sum(found.values()) for end, found in self.ends.items()}
        whole = sum(counts.values())
        for end in sorted(self.ends, key=lambda name: (name in RECEIVERS, name)):
            if counts[end] >= LEAST * whole:
                yield {'end': end, 'samples': counts[end], 'share': round(100 * counts[end] / whole),
                       'functions': [[round(100 * n / counts[end]), *what] for what, n in self.ends[end].most_common(SHOWN)
                                     if n >= LEAST * counts[end]]}


def take(call, seconds):
    profile, began = Profile(), time.monotonic()
    while True:
        with tempfile.NamedTemporaryFile() as file:
            with samples.under([*RECORD, file.name, '--']):
                call()
            profile.add(subprocess.run([*SCRIPT, file.name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                       check=True).stdout)
        took, told = time.monotonic() - began, list(profile.told())
        if took > 4 * seconds or took > seconds and min((end['samples'] for end in told), default=0) >= ENOUGH:
            return told


def take_all(cells, todo, quick):
    """By (cell, label): a profile of each, when the processors are as they were when it was missed, or after a while as they are."""
    found, probe, end = {}, samples.Probe(), time.monotonic() + (0 if quick else 15)
    try:
        while todo:
            label = probe.label()
            fitting = [one for one in todo if one[1] == label]
            late = time.monotonic() > end
            if not fitting and not late:
                time.sleep(.1)
                continue
            one = (fitting or todo)[0]
            ends = take(cells.cells[one[0]], SECONDS[quick])
            if probe.label() == label or late:
                found[one] = {'kind': one[0][0], 'way': one[0][1], 'size': one[0][2], 'label': label, 'ends': ends}
                todo.remove(one)
    finally:
        probe.close()
    return found


def add(options, cells, goals):
    """To each goal that was missed, or with --profile to each that was measured: profiles of what it is made of, or why there are none."""
    goals = [g for g in goals if samples.missed(g) or options.profile and g['reached'] is not None]
    why = why_not() if goals else ''
    todo = list(dict.fromkeys((cell, g['label']) for g in goals for cell in g['of'] if cell in cells.cells))
    found = {} if why else take_all(cells, todo, options.quick)
    for g in goals:
        g['profiles'] = [found[cell, g['label']] for cell in g['of'] if (cell, g['label']) in found]
        g['no_profile'] = why
