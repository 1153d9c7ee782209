# SPDX-License-Identifier: MIT
"""The one version is in dkms.conf; all else is in pyproject.toml."""
import pathlib
import re

import setuptools

conf = pathlib.Path(__file__).resolve().parents[2] / 'dkms.conf'
setuptools.setup(version=re.search(r'^PACKAGE_VERSION="(.*)"', conf.read_text(), re.M).group(1))
