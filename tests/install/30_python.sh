#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2154,SC2016
# The Python package, from the prefix in which it is installed: what it promises (cases_*.py), with the helper, the README's programs.
#
#   PYTHON=PATH   python3 by default, or else the system's, whichever has numpy
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cases=$top/tests/install/cases.py

find_python() {
	local python
	for python in ${PYTHON:-python3 /usr/bin/python3}; do
		! "$python" -c 'import numpy' 2>/dev/null || { command -v "$python"; return; }
	done
}
python=$(find_python)
if [ -z "$python" ]; then
	skip 'the Python package' 'no Python with numpy: apt install python3-numpy'
	done_testing
fi
verb install PREFIX="$prefix" || { echo 'Bail out! it cannot be installed'; exit 1; }
site=$prefix/lib/$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')/site-packages
check 'install-python' verb install-python PREFIX="$prefix" PYTHON="$python"
check 'its place, and that alone' test "$(files_below "$site" | grep -v '^./ivpipe/.*\.py$')" = ''
check 'the version of the library' test "$(PYTHONPATH=$site "$python" -c 'import ivpipe; print(ivpipe.__version__)')" = \
	"$(IVPIPE_REGION='' "$prefix/bin/ivpipe" version | sed 's/.* //')"
export PYTHONPATH=$site PYTHONDONTWRITEBYTECODE=1

# The library is found in the prefix of the package, and if it is nowhere one sentence says so.
alone() {
	env -u LD_LIBRARY_PATH "$@"
}
check 'the library of the same prefix is found' alone "$python" -c "import ivpipe; assert '$prefix' in open('/proc/self/maps').read()"
cp -r "$site" "$work/elsewhere"
run lost env -u LD_LIBRARY_PATH PYTHONPATH="$work/elsewhere" "$python" -c '
try:
	import ivpipe
except ImportError as error:
	print(error)'
check 'without a library it says what is missing' eval '[ "$(wc -l <"$work/lost.out")" = 1 ] &&
	grep -q "^libivpipe.so.0 cannot be loaded .*: install libivpipe" "$work/lost.out"'

for name in $("$python" "$cases"); do
	rm -f "$region" "$region".*
	format
	check "${name//_/ }" gives 0 "$python" -W error "$cases" "$name" "$region"
done
rm -f "$region" "$region".*
format
random_file data 3000001

python_sends() {
	start receiver "$prefix/bin/ivpipe" recv -r "$region"
	gives 0 "$python" -c '
import sys, ivpipe
with ivpipe.Region(sys.argv[1]) as region, region.connect() as lane:
	lane.write(open(sys.argv[2], "rb").read())
	lane.finish()' "$region" "$work/data" && ends receiver 0 && cmp "$work/data" "$work/receiver.out"
}
python_receives() {
	start receiver "$python" -c '
import sys, ivpipe
with ivpipe.Region(sys.argv[1]) as region, region.listen() as listener, listener.accept() as lane:
	for data in iter(lane.read, b""):
		sys.stdout.buffer.write(data)
	sys.stdout.flush()
	lane.verdict()' "$region"
	gives 0 "$prefix/bin/ivpipe" send -r "$region" "$work/data" && ends receiver 0 && cmp "$work/data" "$work/receiver.out"
}
check 'Python to the helper' python_sends
check 'the helper to Python' python_receives

# readme NAME: the program of the README that begins with its name, for this region.
readme() {
	awk -v name="# $1" '/^    #/ { on = $0 == "    " name } /^[^ ]/ { on = 0 } on' "$top/README.md" |
		sed "s|^    ||; s|/dev/shm/vm0|$region|" >"$work/$1"
	[ -s "$work/$1" ]
}
frames() {
	readme watch.py && readme make.py || return 1
	start watch "$python" "$work/watch.py"
	gives 0 "$python" "$work/make.py" && ends watch 0 && [ "$(wc -l <"$work/watch.out")" = 100 ] &&
		[ "$(head -n 2 "$work/watch.out" | tr '\n' ' ')" = '0 19200 ' ]
}
check 'frames, as in the README' frames

check 'uninstall-python' verb uninstall-python PREFIX="$prefix" PYTHON="$python"
check 'leaves nothing' test "$(files_below "$site")" = ''
done_testing
