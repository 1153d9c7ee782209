# SPDX-License-Identifier: MIT
# Verbs for people; `make help` lists them. Kbuild has the kernel's side.

KVER ?= $(shell uname -r)
# The running kernel's headers; else, as on a build machine, the newest there are.
KDIR ?= $(or $(wildcard /lib/modules/$(KVER)/build), \
	$(if $(filter file,$(origin KVER)),$(lastword $(shell ls -dv /lib/modules/*/build 2>/dev/null))))
KBUILD = $(MAKE) -C $(KDIR) M=$(CURDIR)
VERSION := $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)

.PHONY: all modules modules_install user check check-vm check-xpra check-dkms check-deb check-kunit check-matrix \
	check-all fuzz fuzz-driver bench pictures style demo deb rpm apk install uninstall install-python dkms-install dkms-uninstall clean \
	clean-modules help need-headers

all: modules user ## module and programs

modules: need-headers ## kmod/ivshmem.ko; KVER= or KDIR= choose the kernel, W=1 C=1 its checks
	+$(KBUILD) modules

modules_install: need-headers ## the module into /lib/modules (INSTALL_MOD_PATH=), without debugging information
	+$(KBUILD) INSTALL_MOD_DIR=updates INSTALL_MOD_STRIP=1 modules_install

user: ## library and ivpipe
	+$(MAKE) -C user

check: ## quick tests: no root, no VM
	scripts/check-unit

check-vm: ## boots guests, under TCG where KVM does not work
	scripts/check-vm

check-xpra: ## sessions of Debian's Xpra between a Debian guest and this machine (root)
	scripts/check-xpra

check-kunit: ## KUnit suites, faults and unplug in a kernel with KASAN, lockdep and kmemleak, which it builds once
	scripts/check-kunit

check-dkms: ## installing through DKMS, in a place of its own (root)
	tests/dkms/run

check-deb: ## Debian packages: built, installed, used and purged, in a place of their own, and in virtual machines; and RPM's and Alpine's (root)
	tests/deb/run
	tests/deb/vm build/check/deb
	tests/rpm/run
	tests/apk/run

check-matrix: ## the module on Debian's other kernels (scripts/check-matrix --all: 7.x too)
	scripts/check-matrix

check-all: ## everything that can be checked here
	scripts/check

SECONDS_ ?= 60
fuzz: ## what library and helper make of a peer's bytes, guided by coverage, for SECONDS_=60 each
	scripts/fuzz $(SECONDS_)

fuzz-driver: ## random programs on the node, guided by coverage, for SECONDS_=60
	scripts/fuzz-driver $(SECONDS_)

bench: ## docs/PERFORMANCE.md: each goal, reached or missed; and what waiting and mapping cost in a guest
	scripts/performance
	scripts/bench --guest

pictures: ## docs/pictures, anew: a drawing, and a recording of commands that run now
	scripts/pictures

style: ## formatting, sparse, checkpatch, Coccinelle, shellcheck
	scripts/style

demo: ## a guest that sends a file to this machine
	scripts/demo

deb: ## Debian packages into build/deb: ivpipe ivpipe-dkms libivpipe0 libivpipe-dev python3-ivpipe
	scripts/deb

rpm: ## RPM packages into build/rpm: ivpipe ivpipe-libs ivpipe-devel dkms-ivpipe python3-ivpipe, and their source
	scripts/rpm

apk: ## what abuild makes Alpine's packages of, into build/apk
	scripts/apk

install: ## library, ivpipe, manuals and udev rule (DESTDIR=, PREFIX=)
	+$(MAKE) -C user install

uninstall: ## takes away what install brought
	+$(MAKE) -C user uninstall

install-python: ## the Python package (DESTDIR=, PREFIX=, PYTHON=)
	+$(MAKE) -C user install-python

dkms-install: ## the module through DKMS, signed, rebuilt at each kernel update; and the udev rule
	scripts/dkms install $(KVER)

dkms-uninstall: ## takes away what dkms-install brought
	scripts/dkms uninstall

clean: clean-modules ## what was built
	$(RM) -r build

clean-modules: $(if $(KDIR),need-headers)
	+$(if $(KDIR),$(KBUILD) clean)

need-headers:
	@test -e "$(KDIR)/Makefile" || { echo "no kernel headers in '$(or $(KDIR),/lib/modules/$(KVER)/build)':" \
		"install linux-headers-$(KVER), or give KVER= or KDIR=" >&2; exit 1; }

help: ## this
	@sed -n 's/^\([a-z_-]*\):.*## /\1\t/p' Makefile | expand -t 18
