# SPDX-License-Identifier: MIT
"""The library as it is in C: its structures, its calls, and how an object's memory is handed to it."""
import ctypes
import os
from ctypes import POINTER, c_bool, c_char, c_char_p, c_int, c_int64, c_size_t, c_ssize_t, c_uint, c_uint32, c_uint64, \
    c_void_p

from .errors import Report

NAME = 'libivpipe.so.0'
Notice = ctypes.CFUNCTYPE(None, c_void_p, c_char_p)

READ_ONLY = 1
SIGBUS = 2


class OpenOptions(ctypes.Structure):
    _fields_ = [('flags', c_uint), ('side', c_int), ('wait_ms', c_int64), ('cancel', POINTER(c_int)),
                ('notice', Notice), ('notice_arg', c_void_p)]


class LaneOptions(ctypes.Structure):
    _fields_ = [('service', c_char_p), ('file', c_char_p), ('size', c_int64), ('wait_ms', c_int64),
                ('timeout_ms', c_int64), ('peer_timeout_ms', c_int64), ('token_bytes', c_uint32), ('control', c_char_p)]


class FormatOptions(ctypes.Structure):
    _fields_ = [('size', c_uint64), ('lanes', c_uint32), ('sides', c_uint32), ('create', c_bool), ('force', c_bool)]


class CRegionInfo(ctypes.Structure):
    _fields_ = [('path', c_char * 256), ('backing', c_int), ('cache', c_char * 32), ('size', c_uint64),
                ('format_id', c_uint64), ('version', c_uint32), ('sides', c_uint32), ('side', c_uint32),
                ('lanes', c_uint32), ('ring_size', c_uint64)]


class CFound(ctypes.Structure):
    _fields_ = [('backing', c_int), ('path', c_char * 256), ('slot', c_char * 32), ('driver', c_char * 32),
                ('cache', c_char * 32), ('cache_reason', c_char * 64), ('size', c_uint64), ('formatted', c_bool),
                ('readable', c_bool), ('automatic', c_bool), ('mode', c_uint32), ('uid', c_uint32), ('gid', c_uint32)]


class IoVec(ctypes.Structure):
    _fields_ = [('base', c_void_p), ('len', c_size_t)]


_report = POINTER(Report)
_lane = c_void_p
_PROTOTYPES = {
    'version': (c_char_p,),
    'find': (c_int, POINTER(POINTER(CFound)), POINTER(c_size_t), _report),
    'format': (c_int, c_char_p, POINTER(FormatOptions), POINTER(CRegionInfo), _report),
    'region_open': (c_int, POINTER(c_void_p), c_char_p, POINTER(OpenOptions), _report),
    'region_close': (None, c_void_p),
    'region_describe': (None, c_void_p, POINTER(CRegionInfo)),
    'connect': (c_int, POINTER(c_void_p), c_void_p, POINTER(LaneOptions), _report),
    'listen': (c_int, POINTER(c_void_p), c_void_p, POINTER(LaneOptions), _report),
    'accept_within': (c_int, POINTER(c_void_p), c_void_p, c_int64, _report),
    'listener_close': (None, c_void_p),
    'listener_fd': (c_int, c_void_p, _report),
    'listener_arm': (c_int, c_void_p, _report),
    'lane_file': (c_char_p, _lane),
    'lane_size': (c_int64, _lane),
    'lane_index': (c_uint32, _lane),
    'lane_peer_local': (c_bool, _lane),
    'lane_piece': (c_size_t, _lane),
    'lane_close': (None, _lane),
    'lane_wait': (c_int, _lane, c_uint, c_int64, _report),
    'lane_fd': (c_int, _lane, _report),
    'lane_arm': (c_int, _lane, c_uint, _report),
    'lane_reserve': (c_int, _lane, POINTER(c_void_p), POINTER(c_size_t), _report),
    'lane_message_commit': (c_int, _lane, c_size_t, c_bool, _report),
    'lane_message_peek': (c_int, _lane, POINTER(c_void_p), POINTER(c_size_t), POINTER(c_bool), _report),
    'lane_consume': (c_int, _lane, c_size_t, _report),
    'lane_read': (c_ssize_t, _lane, c_void_p, c_size_t, _report),
    'lane_write_all': (c_ssize_t, _lane, c_void_p, c_size_t, c_int64, _report),
    'lane_read_some': (c_ssize_t, _lane, c_void_p, c_size_t, c_int64, _report),
    'lane_send_message': (c_int, _lane, c_void_p, c_size_t, c_int64, _report),
    'lane_recv_message': (c_ssize_t, _lane, c_void_p, c_size_t, c_int64, _report),
    'lane_send_messages': (c_ssize_t, _lane, c_void_p, c_size_t, c_int64, _report),
    'lane_recv_messages': (c_ssize_t, _lane, POINTER(IoVec), POINTER(c_size_t), c_size_t, c_int64, _report),
    'lane_hold': (None, _lane, c_bool),
    'lane_flush': (None, _lane),
    'lane_no_digest': (None, _lane),
    'lane_end': (c_int, _lane, _report),
    'lane_verdict': (None, _lane, c_int),
    'lane_peer_verdict': (c_uint32, _lane),
    'lane_confirm': (c_int, _lane, c_int64, _report),
    'lane_abort': (None, _lane, c_int),
}


def _places():
    """The library of this package's own prefix (PREFIX/lib/pythonX/site-packages/ivpipe), and then the system's."""
    own = os.path.join(os.path.abspath(__file__).rsplit(os.sep, 4)[0], NAME)
    return [own, NAME] if os.path.exists(own) else [NAME]


def _load():
    error = None
    for place in _places():
        try:
            return ctypes.CDLL(place)
        except OSError as why:
            error = error or why
    raise ImportError(f'{NAME} cannot be loaded ({error}): install libivpipe and run ldconfig, or say in LD_LIBRARY_PATH '
                      'where it is', name='ivpipe')


class Library:
    """Its calls, without their ivp_."""

    def __init__(self):
        library = _load()
        for name, (result, *arguments) in _PROTOTYPES.items():
            try:
                call = library['ivp_' + name]
            except AttributeError:
                raise ImportError(f'{NAME} is older than this package: it has no ivp_{name}()', name='ivpipe') from None
            call.restype = result
            call.argtypes = arguments
            setattr(self, name, call)


lib = Library()


class _PyBuffer(ctypes.Structure):
    """Py_buffer, as in all versions of CPython from 3.0 on."""

    _fields_ = [('buf', c_void_p), ('obj', c_void_p), ('len', c_ssize_t), ('itemsize', c_ssize_t), ('readonly', c_int),
                ('ndim', c_int), ('format', c_char_p), ('shape', c_void_p), ('strides', c_void_p),
                ('suboffsets', c_void_p), ('internal', c_void_p)]


_get = ctypes.pythonapi.PyObject_GetBuffer
_get.argtypes = [ctypes.py_object, POINTER(_PyBuffer), c_int]
_release = ctypes.pythonapi.PyBuffer_Release
_release.argtypes = [POINTER(_PyBuffer)]
_release.restype = None


class Bytes:
    """The memory of a bytes-like object, of any kind that lies in one piece, held for the time of a call."""

    def __init__(self, thing, writable=False):
        self._buffer = _PyBuffer()
        _get(thing, self._buffer, 1 if writable else 0)

    def __enter__(self):
        return self._buffer.buf or 0, self._buffer.len

    def __exit__(self, *_):
        _release(self._buffer)
