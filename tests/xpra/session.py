# SPDX-License-Identifier: MIT
"""Sessions of Debian's Xpra between a guest and its host, both ways, and between two guests, over TCP through QEMU's user network.

The guest is a Debian (scripts/vm-debian), what runs on the host is scripts/xpra's. All of Xpra, X servers and programs are
those of ordinary users. What a window shows is compared pixel for pixel with what the other side's screen shows, over more
pictures than the memory has room for. See picture.py.
"""
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'vm'))
from scenario import G, M, Scenario  # noqa: E402
from vm import ROOT, Late, plain_device  # noqa: E402

SIZE, WIDTH, HEIGHT, PICTURES = 64 * M, 1024, 768, 23
NODE, SMALL_NODE, HUGE_NODE = '/dev/ivshmem0', '/dev/ivshmem1', '/dev/ivshmem2'
PORT = 14500
PATIENCE = 60
SCREEN = ['Xvfb', '-displayfd', '1', '-screen', '0', '1280x1024x24', '-nolisten', 'tcp', '-ac']
QUIET = ['--dbus-proxy=no', '--notifications=no', '--speaker=no', '--microphone=no', '--webcam=no', '--file-transfer=no',
         '--printing=no', '--pulseaudio=no', '--mdns=no', '-d', 'mmap']
SERVER = ['--use-display', '--bind=none', '--start=', '--daemon=no', '--dbus-launch=', '--dbus-control=no', '--systemd-run=no', '--html=no',
          '--start-via-proxy=no', *QUIET]
CLIENT = ['--mmap-group=no', '--encoding=rgb', '--opengl=no', '--tray=no', '--desktop-scaling=off', *QUIET]


def kept(t, side, argv, process):
    """What a process has printed by the end of all is kept with the logs."""
    path = f'{t.logs}/{side.name}-{t.next_number()}-{"-".join(os.path.basename(word) for word in argv[:3])}'

    def keep():
        with open(path, 'w', encoding='utf-8') as f:
            f.write(process.output)
    t.at_end(keep)
    return process


class OnHost:
    """An ordinary user of the host's."""
    name, user = 'host', 65534

    def __init__(self, t):
        self.t, self.home = t, tempfile.mkdtemp(prefix='ivpipe-xpra-')
        t.at_end(lambda: shutil.rmtree(self.home, ignore_errors=True))
        self.picture = shutil.copy(f'{HERE}/picture.py', self.home)
        os.chown(self.home, self.user, self.user)

    def start(self, *argv, display=''):
        return kept(self.t, self, argv, HostProcess(self.t.host(
            f'{ROOT}/scripts/xpra', 'run', 'setpriv', f'--reuid={self.user}', f'--regid={self.user}', '--clear-groups', 'env',
            f'HOME={self.home}', f'XDG_RUNTIME_DIR={self.home}', f'DISPLAY={display}', 'sh', '-c', 'exec "$@" 2>&1', 'sh', *argv)))


class HostProcess:
    def __init__(self, host):
        self.host, self.wait, self.kill = host, host.wait, host.kill

    @property
    def output(self):
        return self.host.output

    def wait_for(self, pattern, timeout=PATIENCE):
        """As a job's. A file has no event, so this looks."""
        deadline = time.monotonic() + timeout
        while not (found := re.search(pattern, self.output)):
            if time.monotonic() > deadline:
                raise Late(f'{pattern!r} from {self.host.argv}\n{self.output[-3000:]}')
            try:
                self.host.process.wait(0.02)
                return re.search(pattern, self.output)
            except subprocess.TimeoutExpired:
                pass
        return found


class InGuest:
    """An ordinary user of the guest's, in group kvm."""
    user, picture = 1000, '/tmp/picture.py'

    def __init__(self, vm, name='guest'):
        self.vm, self.name = vm, name
        vm.sh('install -d -o user -g user -m 700 /run/user/1000')
        with open(f'{HERE}/picture.py', encoding='utf-8') as f:
            vm.write_file(self.picture, f.read())

    def command(self, *argv, display=''):
        return ('exec setpriv --reuid=user --regid=user --init-groups env HOME=/home/user XDG_RUNTIME_DIR=/run/user/1000 '
                f'DISPLAY={display} {shlex.join(argv)}')

    def start(self, *argv, display=''):
        return kept(self.vm.scenario, self, argv, self.vm.spawn(self.command(*argv, display=display)))


def screen(side):
    """An X server; returns its display."""
    return ':' + said(side.start(*SCREEN), r'(?m)^(\d+)\n', PATIENCE).group(1)


def said(process, pattern, timeout=PATIENCE):
    """It must say so, or the scenario ends here."""
    found = process.wait_for(pattern, timeout)
    if not found:
        raise RuntimeError(f'ended without {pattern!r}:\n{process.output[-3000:]}')
    return found


def stop(process):
    process.kill(signal.SIGTERM)
    process.wait(60)


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Session:
    """A server on one side with a window, and a client on the other side."""

    def __init__(self, t, host, server, client, binds, paths):
        self.t, self.host, self.server_side, self.client_side = t, host, server, client
        self.what = f'server {server.name}, client {client.name}'
        self.server_path, self.client_path = paths
        self.display = screen(server)
        self.server = server.start('xpra', 'start', self.display, f'--mmap={self.server_path}', *binds, *SERVER)
        said(self.server, 'xpra is ready')

    def attach(self, url):
        display = screen(self.client_side)
        self.client = self.client_side.start('xpra', 'attach', url, f'--mmap={self.client_path}', *CLIENT, display=display)
        said(self.client, 'enabled fast mmap|Attached to', PATIENCE)
        size = ['python3', self.client_side.picture, 'read', str(WIDTH), str(HEIGHT), str(PATIENCE)]
        self.reader = self.client_side.start(*size, display=display)

    def check_logs(self):
        for process, side, pattern in (
                (self.server, 'server', f' mmap is enabled using 64MB area in {self.server_path}'),
                (self.client, 'client', 'enabled fast mmap transfers using 64MB shared memory area')):
            found = process.wait_for(pattern)
            self.t.check(found, f'{self.what}: the {side}\'s log says that mmap is enabled', process.output)
            if found:
                self.t.note(next(line for line in process.output.splitlines() if pattern in line))

    def show(self):
        """Each picture after the one before it has arrived."""
        window = self.server_side.start('python3', self.server_side.picture, 'show', str(WIDTH), str(HEIGHT), display=self.display)
        for number in range(PICTURES):
            said(window, f'shown {number}\n')
            if not self.t.check(self.reader.wait_for(rf'same {number} at .*\n', PATIENCE + 10),
                                f'{self.what}: picture {number} arrived, all {WIDTH * HEIGHT} pixels of it', self.reader.output):
                break
            window.kill(signal.SIGUSR1)

    def check_info(self, url):
        """What the server counts, and whose it is."""
        info = self.host.start('xpra', 'info', url)
        self.t.equal(info.wait(60), 0, f'{self.what}: the server answers')
        count = re.search(r'(?m)^client\.connection\.mmap_bytecount=(\d+)', info.output)
        count = int(count.group(1)) if count else 0
        self.t.check(count > SIZE, f'{self.what}: the pictures went through the memory, and more than once around it',
                     f'{count} bytes')
        self.t.note(f'{count} bytes by mmap, {PICTURES} pictures of {4 * WIDTH * HEIGHT}')
        frames = dict(re.findall(r'(?m)^client\.window\.\d+\.total_frames\.(\S+)=(\d+)', info.output))
        self.t.equal(list(frames), ['mmap'], f'{self.what}: and none by another way')
        self.t.matches(info.output, rf'(?m)^server\.uid={self.server_side.user}$', f'{self.what}: the server is an ordinary user\'s')

    def end(self):
        stop(self.client)
        stop(self.server)


def boot(t, *regions, name='guest'):
    devices = [*(word for n, region in enumerate(regions) for word in plain_device(region, f'shm{n}', addr=hex(16 + n))),
               '-drive', f'file={t.disk},format=raw,if=none,id=disk,snapshot=on', '-device', 'nvme,drive=disk,serial=debian',
               '-netdev', f'user,id=net,hostfwd=tcp:127.0.0.1:0-:{PORT}', '-device', 'virtio-net-pci,netdev=net']
    vm = t.boot(name=name, devices=devices, memory=1024, parallel=True, append='net.ifnames=0')
    vm.sh('/lib/systemd/systemd-udevd --daemon && udevadm trigger --type=subsystems --action=add && '
          'udevadm trigger --type=devices --action=add && udevadm settle --timeout=60', 90)
    vm.sh('ip address add 10.0.2.15/24 dev eth0 && ip link set eth0 up && ip route add default via 10.0.2.2')
    net = vm.qmp.command('human-monitor-command', **{'command-line': 'info usernet'})
    return vm, re.search(r'HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)', net).group(1)


def node_is_there(t, vm, node, when):
    t.equal(vm.sh(f'stat -c "%F %U %G %a" {node}'), 'character special file root kvm 660', f'{node} is there {when}')


def check_size(t, vm, guest, node, words):
    """A client unlinks a file that has a size which it does not like; a node must not be its user's to unlink."""
    code = f'from xpra.net.mmap_pipe import init_client_mmap; print(init_client_mmap(filename="{node}"))'
    status, output = vm.run(guest.command('python3', '-c', code))
    t.check(status == 0 and words in output, f'{node}: a client says {words!r}', output)
    t.matches(output, 'Permission denied', f'{node}: it tries to unlink it')
    node_is_there(t, vm, node, 'after that')


def to_host(t, vm, host, guest, region, port):
    url = f'tcp://127.0.0.1:{port}/'
    session = Session(t, host, guest, host, [f'--bind-tcp=0.0.0.0:{PORT}', f'--bind-vsock=any:{PORT}'], (NODE, region.path))
    check = t.ivpipe('xpra', 'check', f'tcp:127.0.0.1:{port}', '-r', region.path)
    t.equal(check.wait(60), 0, 'ivpipe xpra check, from the host with the server in the guest')
    t.note(check.output + check.errors)
    t.matches(check.output, r'proven +each side found the other\'s token', 'each side found the other\'s token')
    check_vsock(t, vm)
    session.attach(url)
    session.check_logs()
    session.show()
    session.check_info(url)
    session.end()


def check_vsock(t, vm):
    """Within the guest: who has no vhost-vsock still has the kernel's loopback."""
    vm.sh('modprobe vsock_loopback')
    status, output = vm.run(f'setpriv --reuid=user --regid=user --init-groups ivpipe xpra check vsock:local:{PORT} -r {NODE}')
    t.equal(status, 0, 'ivpipe xpra check, over vsock')
    t.matches(output, r'proven +each side found the other\'s token', 'over vsock, too, each side found the other\'s token')


def to_other_guest(t, host, guest, region, port):
    """Two guests that have the same memory; the connection goes by way of the host."""
    vm, _ = boot(t, region, name='other')
    session = Session(t, host, guest, InGuest(vm, 'other guest'), [f'--bind-tcp=0.0.0.0:{PORT}'], (NODE, NODE))
    session.attach(f'tcp://10.0.2.2:{port}/')
    session.check_logs()
    session.show()
    session.check_info(f'tcp://127.0.0.1:{port}/')
    session.end()
    node_is_there(t, vm, NODE, 'after a client in another guest')
    vm.finish_and_stop()


def to_guest(t, host, guest, region):
    port = free_port()
    session = Session(t, host, host, guest, [f'--bind-tcp=127.0.0.1:{port}'], (region.path, NODE))
    session.attach(f'tcp://10.0.2.2:{port}/')
    session.check_logs()
    session.show()
    session.check_info(f'tcp://127.0.0.1:{port}/')
    session.end()


def timed(t, what, call, *args):
    began = time.monotonic()
    result = call(*args)
    t.note(f'{what}: {time.monotonic() - began:.1f} s')
    return result


with Scenario('Xpra 3.1.3 between a Debian guest and its host', deadline=540) as t:
    t.disk = os.environ['IVPIPE_VM_DISK']
    region, small, huge = t.region(SIZE), t.region(16 * M), t.region(8 * G)
    os.chown(region.path, OnHost.user, OnHost.user)
    vm, port = timed(t, 'boot', boot, t, region, small, huge)
    node_is_there(t, vm, NODE, 'after booting')
    host, guest = OnHost(t), InGuest(vm)
    timed(t, 'guest to host', to_host, t, vm, host, guest, region, port)
    node_is_there(t, vm, NODE, 'after a server in the guest')
    timed(t, 'host to guest', to_guest, t, host, guest, region)
    node_is_there(t, vm, NODE, 'after a client in the guest')
    timed(t, 'guest to guest', to_other_guest, t, host, guest, region, port)
    node_is_there(t, vm, NODE, 'after a session with another guest')
    check_size(t, vm, guest, SMALL_NODE, 'mmap size is too small')
    check_size(t, vm, guest, HUGE_NODE, 'mmap is too big')
    t.equal(os.stat(region.path).st_size, SIZE, 'the file is there, too')
    vm.finish_and_stop()
