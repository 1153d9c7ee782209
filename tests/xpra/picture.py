#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Pictures that are known pixel for pixel: put into a window, and read back from a screen. With libX11 and no toolkit.

    picture.py show WIDTH HEIGHT             the next picture at each SIGUSR1; says `shown N`
    picture.py read WIDTH HEIGHT SECONDS     says `same N at X,Y` once the screen shows picture N, from 0 on; so long for each

A picture is noise, so a row of it is nowhere but in its own place. The reader looks when the screen has changed (XDamage), and
in the end says how many pixels differ.
"""
import ctypes as c
import random
import select
import signal
import sys
import time

Z_PIXMAP, ALL_PLANES, STRUCTURE = 2, c.c_ulong(-1), 1 << 17
MAP_NOTIFY = 19


class Image(c.Structure):
    _fields_ = [('width', c.c_int), ('height', c.c_int), ('xoffset', c.c_int), ('format', c.c_int), ('data', c.c_void_p),
                ('orders', c.c_int * 4), ('depth', c.c_int), ('bytes_per_line', c.c_int), ('bits_per_pixel', c.c_int)]


X = c.CDLL('libX11.so.6')
P, ID, I = c.c_void_p, c.c_ulong, c.c_int
for name, result, *arguments in (
        ('XOpenDisplay', P, c.c_char_p), ('XDefaultVisual', P, P, I), ('XDefaultDepth', I, P, I), ('XDefaultGC', P, P, I),
        ('XDefaultRootWindow', ID, P), ('XConnectionNumber', I, P), ('XPending', I, P), ('XNextEvent', I, P, P),
        ('XDisplayWidth', I, P, I), ('XDisplayHeight', I, P, I), ('XDestroyImage', I, P), ('XSync', I, P, I),
        ('XCreateSimpleWindow', ID, P, ID, I, I, I, I, I, ID, ID), ('XSelectInput', I, P, ID, c.c_long),
        ('XStoreName', I, P, ID, c.c_char_p), ('XMapWindow', I, P, ID), ('XCreatePixmap', ID, P, ID, I, I, I),
        ('XFreePixmap', I, P, ID), ('XSetWindowBackgroundPixmap', I, P, ID, ID), ('XClearWindow', I, P, ID),
        ('XCreateImage', c.POINTER(Image), P, P, I, I, I, P, I, I, I, I), ('XFree', I, P),
        ('XPutImage', I, P, ID, P, P, I, I, I, I, I, I), ('XGetImage', c.POINTER(Image), P, ID, I, I, I, I, ID, I)):
    getattr(X, name).restype, getattr(X, name).argtypes = result, arguments


def picture(number, width, height):
    """BGRX, as on a screen of depth 24; the fourth byte means nothing and is 0."""
    pixels = bytearray(random.Random(number).randbytes(4 * width * height))
    pixels[3::4] = bytes(width * height)
    return bytes(pixels)


def open_display():
    display = X.XOpenDisplay(None)
    if not display:
        sys.exit('no X server')
    return display


def next_event(display, deadline):
    """Its type; None when there was none in time."""
    event = c.create_string_buffer(192)
    while not X.XPending(display):
        if not select.select([X.XConnectionNumber(display)], [], [], max(0, deadline - time.monotonic()))[0]:
            return None
    X.XNextEvent(display, event)
    return c.c_int.from_buffer(event).value


# --- showing ---

def draw(display, window, pixels, width, height):
    """As the window's background, which the X server puts back by itself."""
    image = X.XCreateImage(display, X.XDefaultVisual(display, 0), 24, Z_PIXMAP, 0, pixels, width, height, 32, 0)
    pixmap = X.XCreatePixmap(display, window, width, height, 24)
    X.XPutImage(display, pixmap, X.XDefaultGC(display, 0), image, 0, 0, 0, 0, width, height)
    X.XSetWindowBackgroundPixmap(display, window, pixmap)
    X.XFreePixmap(display, pixmap)
    X.XClearWindow(display, window)
    X.XSync(display, 0)
    X.XFree(image)


def show(width, height):
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    display = open_display()
    window = X.XCreateSimpleWindow(display, X.XDefaultRootWindow(display), 0, 0, width, height, 0, 0, 0)
    X.XStoreName(display, window, b'picture')
    X.XSelectInput(display, window, STRUCTURE)
    X.XMapWindow(display, window)
    while next_event(display, time.monotonic() + 60) not in (MAP_NOTIFY, None):
        pass
    number = 0
    while True:
        draw(display, window, picture(number, width, height), width, height)
        print(f'shown {number}', flush=True)
        number += 1
        signal.sigwait({signal.SIGUSR1})


# --- reading ---

class Screen:
    def __init__(self):
        self.display = open_display()
        self.root = X.XDefaultRootWindow(self.display)
        self.width, self.height = X.XDisplayWidth(self.display, 0), X.XDisplayHeight(self.display, 0)
        self.damages = c.CDLL('libXdamage.so.1')
        self.damages.XDamageQueryExtension.argtypes = P, P, P
        self.damages.XDamageCreate.argtypes, self.damages.XDamageCreate.restype = (P, ID, I), ID
        self.damages.XDamageSubtract.argtypes = P, ID, ID, ID
        base, error = c.c_int(), c.c_int()
        if not self.damages.XDamageQueryExtension(self.display, c.byref(base), c.byref(error)):
            sys.exit('this X server does not tell of changes')
        self.damage = self.damages.XDamageCreate(self.display, self.root, 3)  # one event until it is subtracted

    def changed(self, deadline):
        if next_event(self.display, deadline) is None:
            return False
        self.damages.XDamageSubtract(self.display, self.damage, 0, 0)
        return True

    def pixels(self):
        image = X.XGetImage(self.display, self.root, 0, 0, self.width, self.height, ALL_PLANES, Z_PIXMAP)
        size = 4 * self.width * self.height
        if image.contents.bytes_per_line * self.height != size:
            sys.exit('not a screen of depth 24')
        pixels = bytearray(c.string_at(image.contents.data, size))
        X.XDestroyImage(image)
        pixels[3::4] = bytes(size // 4)
        return pixels


def compare(screen, wanted, width, height):
    """Where the picture is, or None; and how many pixels differ there."""
    line, row, got = 4 * width, 4 * screen.width, screen.pixels()
    lines = [wanted[start:start + line] for start in range(0, len(wanted), line)]
    places = [at for at in (got.find(lines[y]) - y * row for y in (0, height // 2, height - 1)) if at >= 0]
    if not places or places[0] + (height - 1) * row + line > len(got):
        return None, width * height
    at = places[0]
    differ = 0
    for y, ours in enumerate(lines):
        theirs = got[at + y * row:at + y * row + line]
        if ours != theirs:
            differ += sum(ours[i:i + 4] != theirs[i:i + 4] for i in range(0, line, 4))
    return (at % row // 4, at // row), differ


def read(width, height, seconds):
    screen, number = Screen(), 0
    while True:
        deadline, wanted = time.monotonic() + seconds, picture(number, width, height)
        where, differ = compare(screen, wanted, width, height)
        while differ:
            if not screen.changed(deadline):
                sys.exit(f'picture {number}: {differ} of {width * height} pixels differ, at {where}')
            where, differ = compare(screen, wanted, width, height)
        print(f'same {number} at {where[0]},{where[1]}', flush=True)
        number += 1


if sys.argv[1:2] == ['show']:
    show(*map(int, sys.argv[2:4]))
else:
    read(*map(int, sys.argv[2:5]))
