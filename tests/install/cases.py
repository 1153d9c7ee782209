#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the Python package promises, one case a process.   cases.py [CASE REGION]     without arguments: the names of all

Each other end is a process of its own, forked before anything is open. A case that hangs is ended by who started it.
"""
import sys

# These enlist what is in them.
import cases_failures
import cases_hold
import cases_streams
import cases_views
from harness import CASES

if __name__ == '__main__':
    if len(sys.argv) == 1:
        print(*CASES, sep='\n')
    else:
        CASES[sys.argv[1]](sys.argv[2])
