# SPDX-License-Identifier: MIT
"""What a connected lane costs that carries nothing: processor time of both ends of an `ivpipe pipe`, for the tables of scripts/bench."""
import os
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
IVPIPE = os.path.join(ROOT, 'build', 'ivpipe')
SECONDS = 10


def family(pid):
    """A process and its children: the helper's worker is one."""
    with open(f'/proc/{pid}/task/{pid}/children') as f:
        return [pid, *(int(child) for child in f.read().split())]


def cpu_ns(pids):
    total = 0
    for pid in pids:
        for task in os.listdir(f'/proc/{pid}/task'):
            with open(f'/proc/{pid}/task/{task}/schedstat') as f:
                total += int(f.read().split()[0])
    return total


class End:
    """One end on this machine, that never reads the end of its input."""

    def __init__(self, region, *options):
        self.process = subprocess.Popen([IVPIPE, 'pipe', '-v', '-r', region, *options], stdin=subprocess.PIPE,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def connected(self):
        line = ''
        for line in self.process.stderr:
            if 'connected' in line or 'lane' in line:
                return self
        raise RuntimeError(f'not connected: {line}')

    def close(self):
        self.process.kill()
        self.process.wait()


def percent(pids):
    """Of one processor, after the first second."""
    time.sleep(1)  # as long as it may still look closely after the last byte
    began, used = time.perf_counter(), cpu_ns(pids)
    time.sleep(SECONDS)  # what is measured
    return (cpu_ns(pids) - used) / 1e9 / (time.perf_counter() - began) * 100


def show_host(region):
    server = End(region, '--listen')
    client = End(region)
    try:
        client.connected()
        server.connected()
        print(f'\na connected lane that carries nothing, % of one processor, {SECONDS} s')
        for name, end in ('server', server), ('client', client):
            print(f'  {f"two processes of one kernel, {name}":<52} {percent(family(end.process.pid)):>9.3f}')
    finally:
        client.close()
        server.close()


def show_guest(vm, node, region):
    """Guest and host, with nothing but the memory between them: the host looks, the guest's driver does."""
    subprocess.run([IVPIPE, 'format', '-q', '--force', region], check=True)
    host = End(region)
    vm.spawn(f'tail -f /dev/null | exec ivpipe pipe -v --listen -r {node} > /dev/null')
    try:
        host.connected()
        pids = [int(pid) for pid in vm.sh('pidof ivpipe').split()]
        print(f'\na connected lane between a guest and its host that carries nothing, % of one processor, {SECONDS} s')
        print(f'  {"the end on the host":<52} {percent(family(host.process.pid)):>9.3f}')
        stat = '; '.join(f'cut -d" " -f1 /proc/{pid}/task/*/schedstat' for pid in pids)
        before = sum(map(int, vm.sh(stat).split()))
        began = time.perf_counter()
        time.sleep(SECONDS)  # what is measured
        used = sum(map(int, vm.sh(stat).split())) - before
        print(f'  {"the end in the guest, as the guest accounts for it":<52} '
              f'{used / 1e9 / (time.perf_counter() - began) * 100:>9.3f}')
    finally:
        host.close()
